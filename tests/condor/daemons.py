"""HTCondor's daemons beside the system's packages, in a folder of the user's cache.

Debian 12 has no HTCondor. The daemons of a newer Debian are unpacked into a folder together with the loader and the
libraries that they were built for; nothing is installed into the system.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from rdf.cache import cache_folder

SUITE = "trixie"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# Of what Debian's condor depends on: the libraries its daemons link to or open, and the C library's loader.
LIBRARY_PACKAGE = re.compile(r"(zlib1g|lib(?!perl|python|js-|boost|date-manip).*)")
# Types of the segments of a program (ELF): what it is linked with, and its loader.
DYNAMIC, INTERPRETER = 2, 3


class Unavailable(Exception):
    """This machine cannot have a pool."""


def default_prefix() -> Path:
    """Return the folder in the user's cache that the daemons are installed to."""
    return cache_folder() / f"htcondor-{SUITE}"


def call(*command: str | Path, cwd: Path | None = None, environment: Mapping[str, str] | None = None) -> str:
    """Return what a system's program writes.

    Raises:
        Unavailable: there is no such program, or it failed.
    """
    try:
        process = subprocess.run(
            command, cwd=cwd, env={**os.environ, "LC_ALL": "C", **(environment or {})}, capture_output=True, text=True
        )
    except FileNotFoundError as error:
        raise Unavailable(f"needs the program {command[0]}") from error
    if process.returncode:
        said = (process.stderr or process.stdout).strip().splitlines() or [f"exit code {process.returncode}"]
        raise Unavailable(f"{' '.join(map(str, command[:2]))} failed: {said[-1]}")
    return process.stdout


def debian_mirror() -> str:
    """Return the address of the archive that this machine's own packages come from."""
    listed = call("apt-get", "update", "--print-uris")
    archive = re.search(r"'(\S+?)/dists/", listed)
    if not archive:
        raise Unavailable("apt has no package archive configured: give it a Debian one in /etc/apt/sources.list.d")
    return archive[1]


def _download(folder: Path) -> None:
    """Download the packages of HTCondor, its libraries and patchelf, by an apt that knows of no other package."""
    state = folder / "apt"
    (state / "lists" / "partial").mkdir(parents=True)
    (state / "cache" / "archives" / "partial").mkdir(parents=True)
    (state / "status").touch()
    sources = state / "sources.list"
    sources.write_text(f"deb [signed-by={KEYRING}] {debian_mirror()} {SUITE} main\n")
    settings = {
        "Dir::Etc::SourceList": sources,
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State::Lists": state / "lists",
        "Dir::State::Status": state / "status",
        "Dir::Cache": state / "cache",
        "Acquire::Languages": "none",
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",
    }
    configuration = state / "apt.conf"
    configuration.write_text("".join(f'{name} "{value}";\n' for name, value in settings.items()))
    environment = {"APT_CONFIG": str(configuration)}
    call("apt-get", "update", "--error-on=any", environment=environment)
    planned = call("apt-get", "install", "--simulate", "condor", "libc6", environment=environment)
    packages = re.findall(r"^Inst (\S+)", planned, re.MULTILINE)
    libraries = filter(LIBRARY_PACKAGE.fullmatch, packages)
    call("apt-get", "download", "condor", "patchelf", *libraries, cwd=folder, environment=environment)


def _segments(path: Path) -> set[int]:
    """Return the types of a program's or library's segments (ELF, 64 bits); none of any other file."""
    with path.open("rb") as file:
        header = file.read(64)
        if header[:5] != b"\x7fELF\x02":
            return set()
        offset, size, number = (int.from_bytes(header[a:b], sys.byteorder) for a, b in ((32, 40), (54, 56), (56, 58)))
        file.seek(offset)
        return {int.from_bytes(file.read(size)[:4], sys.byteorder) for _ in range(number)}


def _unpack(packages: Path, tree: Path, prefix: Path) -> None:
    """Unpack downloaded packages to a tree that works once it is moved to `prefix`."""
    call("dpkg-deb", "--extract", *packages.glob("condor_*.deb"), tree)
    # The bindings of another Python; a client uses those of its own.
    shutil.rmtree(tree / "usr" / "lib" / "python3")
    segments = {path: _segments(path) for path in tree.rglob("*") if path.is_file() and not path.is_symlink()}
    others = packages / "unpacked"
    for package in packages.glob("*.deb"):
        if not package.name.startswith("condor_"):
            call("dpkg-deb", "--extract", package, others)
    (libraries,) = (others / "usr" / "lib").glob("*-linux-gnu")
    (loader,) = libraries.glob("ld-linux-*.so.*")
    patchelf = (loader, "--library-path", libraries, others / "usr" / "bin" / "patchelf")
    installed = prefix / "usr" / "lib" / libraries.name
    # A path inside the programs: LD_LIBRARY_PATH would reach the jobs, whose programs are this machine's.
    search = ("--force-rpath", "--set-rpath", f"{installed}:{prefix / 'usr' / 'lib'}")
    for path, kinds in segments.items():
        if INTERPRETER in kinds:
            call(*patchelf, *search, "--set-interpreter", installed / loader.name, path)
        elif DYNAMIC in kinds:
            call(*patchelf, *search, path)
    libraries.rename(tree / "usr" / "lib" / libraries.name)


def install(prefix: Path) -> None:
    """Install HTCondor's daemons into a folder, which then is there as a whole or not at all; nothing if it is there.

    Raises:
        Unavailable: no apt that could download Debian's packages, or the download failed.
    """
    if prefix.exists():
        return
    prefix.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{prefix.name}.", dir=prefix.parent) as folder:
        packages, tree = Path(folder) / "packages", Path(folder) / "tree"
        packages.mkdir()
        _download(packages)
        _unpack(packages, tree, prefix)
        try:
            tree.rename(prefix)
        except OSError:
            # Somebody else was faster.
            if not prefix.exists():
                raise
