"""What ROOT needs from the operating system, looked for and, as root on Debian and Ubuntu, installed.

Standard library only: `make install` starts this before any package is there.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

OLDEST_PYTHON = (3, 11)

# One of each kind that Cling reads at its start: the C++ library's own, and the C library's below it.
HEADERS = ("new", "vector", "cmath", "cassert", "stdlib.h")

# What a need is called where it is installed from; a distribution not named here is answered in words.
PACKAGES: Mapping[str, Mapping[str, str]] = {
    "debian": {
        "g++": "g++",
        "libSM.so.6": "libsm6",
        "libICE.so.6": "libice6",
        "libX11.so.6": "libx11-6",
        "libXext.so.6": "libxext6",
        "libXrender.so.1": "libxrender1",
        "venv": f"python{sys.version_info[0]}.{sys.version_info[1]}-venv",
    },
    "fedora": {
        "g++": "gcc-c++",
        "libSM.so.6": "libSM",
        "libICE.so.6": "libICE",
        "libX11.so.6": "libX11",
        "libXext.so.6": "libXext",
        "libXrender.so.1": "libXrender",
        "venv": "python3-libs",
    },
}
INSTALLERS: Mapping[str, str] = {
    "debian": "apt-get update && apt-get install -y --no-install-recommends",
    "fedora": "dnf install -y",
}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked for.

    `state` is "ok", "missing" (a run cannot be trusted or cannot draw without it) or "warn" (a run can do without it).
    `needs` are those of `PACKAGES` that would put it right, `mend` the command or the words that say so.
    """

    what: str
    state: Literal["ok", "missing", "warn"]
    why: str
    mend: str = ""
    needs: tuple[str, ...] = ()

    def line(self) -> str:
        """Return the finding as one line of plain text, the remedy at its end."""
        return f"{self.state:<8}{self.what}: {self.why}" + (f"; to mend: {self.mend}" if self.mend else "")


@dataclass(frozen=True)
class Machine:
    """What the remedy depends on: whose packages are installed here, and whether this user may install them."""

    family: str
    is_root: bool

    @classmethod
    def here(cls, os_release: Path = Path("/etc/os-release")) -> Machine:
        """Read the family of this distribution ("debian", "fedora" or "") from its `os-release` file."""
        try:
            lines = os_release.read_text(encoding="utf-8").splitlines()
        except OSError:
            lines = []
        fields = dict(line.split("=", 1) for line in lines if "=" in line)
        kin = " ".join(fields.get(key, "").strip("\"'") for key in ("ID", "ID_LIKE")).split()
        # RHEL's clones name "rhel" or "fedora" among what they are like; Ubuntu and its kin name "debian" or "ubuntu".
        names = {"ubuntu": "debian", "rhel": "fedora", "centos": "fedora"}
        return cls(next((f for f in (names.get(k, k) for k in kin) if f in PACKAGES), ""), os.geteuid() == 0)

    def remedy(self, needs: Iterable[str]) -> str:
        """Return the one line that installs what is needed, or words where no package names are known."""
        if self.family not in PACKAGES:
            by_hand = f"install {', '.join(needs)} with this system's package manager"
            return f"{by_hand}, or have conda bring all: conda env create -f environment.yml"
        packages = " ".join(PACKAGES[self.family][need] for need in needs)
        command = f"{INSTALLERS[self.family]} {packages}"
        return command if self.is_root else " && ".join(f"sudo {each}" for each in command.split(" && "))

    def lacks(self, what: str, why: str, needs: Sequence[str], optional: bool = False) -> Finding:
        """Return the finding that something is not there, with this machine's remedy."""
        return Finding(what, "warn" if optional else "missing", why, self.remedy(needs), tuple(needs))


def header_folders(compiler: str | None, root: Path = Path("/")) -> list[Path]:
    """Return the folders in which Cling looks for the standard headers.

    Cling asks the `c++` on the PATH for its own folders. Where there is none it goes by the newest GCC that has a
    folder below /usr/lib/gcc, whether or not that GCC's headers are there too.
    """
    if compiler:
        question = [compiler, "-xc++", "-E", "-v", os.devnull]
        plain = {**os.environ, "LC_ALL": "C"}
        answer = subprocess.run(
            question, env=plain, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        lines = answer.stderr.partition("#include <...> search starts here:")[2].partition("End of search list")[0]
        return [Path(line.strip()) for line in lines.splitlines() if line.strip()]
    installed = [path for path in (root / "usr/lib/gcc").glob("*/*/crtbegin.o") if path.parent.name.isdigit()]
    if not installed:
        return [root / "usr/include"]
    gcc = max(installed, key=lambda path: int(path.parent.name)).parent
    triple = gcc.parent.name
    include = root / "usr/include"
    return [include / "c++" / gcc.name, include / triple / "c++" / gcc.name, include / triple, include]


def check_python(version: Sequence[int] = sys.version_info[:3]) -> Finding:
    """Check that this Python is one that the pinned packages are made for."""
    number, oldest = ".".join(map(str, version)), ".".join(map(str, OLDEST_PYTHON))
    if tuple(version[:2]) >= OLDEST_PYTHON:
        return Finding("Python", "ok", number)
    return Finding("Python", "missing", f"{number} is too old", f"make install PYTHON=python{oldest}")


def check_venv(machine: Machine, module: str = "ensurepip") -> Finding:
    """Check that this Python can make a virtual environment; Debian keeps that in a package of its own."""
    if find_spec(module) is not None:
        return Finding("Python's venv", "ok", "pip can be put into a new environment")
    return machine.lacks("Python's venv", f"no module {module}, so no .venv can be made", ["venv"])


def check_headers(machine: Machine, folders: Iterable[Path]) -> Finding:
    """Check that the C++ standard headers are in the folders in which Cling looks for them.

    Without them `import ROOT` still succeeds, as measured with ROOT 6.40: `gInterpreter.Declare` of anything that
    includes one returns False, `gInterpreter.ProcessLine("1+1;")` gives 0, and an RDataFrame crashes.
    """
    places = list(folders)
    lost = [header for header in HEADERS if not any((folder / header).is_file() for folder in places)]
    if not lost:
        return Finding("C++ headers", "ok", next(str(folder) for folder in places if (folder / "vector").is_file()))
    why = f"no <{lost[0]}>: ROOT's interpreter starts all the same and then gives wrong numbers"
    return machine.lacks("C++ headers", why, ["g++"])


def check_compiler(machine: Machine, compiler: str | None) -> Finding:
    """Check for g++: what it compiles is faster than Cling's code, and without it ROOT complains at every start."""
    if compiler:
        return Finding("C++ compiler", "ok", compiler)
    why = "none: Cling takes its place, at every start anew and for slower code; no macro can be compiled with .L m.C+"
    return machine.lacks("C++ compiler", why, ["g++"], optional=True)


def can_load(library: str) -> bool:
    """Tell whether the system's loader finds a shared library."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def check_libraries(
    machine: Machine, libraries: Sequence[str], what: str, use: str, optional: bool, loads: Callable[[str], bool]
) -> Finding:
    """Check that all of some shared libraries can be loaded.

    Args:
        machine: For the remedy.
        libraries: Their sonames.
        what: What they are, for the report.
        use: What fails without them.
        optional: Whether a run can do without.
        loads: Tells of one soname whether it can be loaded.
    """
    lost = [library for library in libraries if not loads(library)]
    if not lost:
        return Finding(what, "ok", ", ".join(libraries))
    return machine.lacks(what, f"no {', '.join(lost)}: {use}", lost, optional)


def check_system(
    machine: Machine, compiler: str | None, folders: Iterable[Path], loads: Callable[[str], bool] = can_load
) -> list[Finding]:
    """Check all that ROOT needs from the operating system.

    Args:
        machine: For the remedies.
        compiler: The `c++` on the PATH, if any.
        folders: Where Cling looks for headers: `header_folders(compiler)`.
        loads: Tells of a shared library whether it can be loaded.
    """
    drawing = ("libSM.so.6", "libICE.so.6", "libX11.so.6", "libXext.so.6")
    return [
        check_python(),
        check_venv(machine),
        check_headers(machine, folders),
        check_compiler(machine, compiler),
        check_libraries(machine, drawing, "X libraries", "ROOT writes no PNG", False, loads),
        check_libraries(machine, ["libXrender.so.1"], "X rendering", "TBrowser does not open", True, loads),
    ]


def check_here(machine: Machine) -> list[Finding]:
    """Check this operating system."""
    compiler = shutil.which("c++")
    return check_system(machine, compiler, header_folders(compiler))


def is_well(findings: Iterable[Finding]) -> bool:
    """Tell whether nothing that a run needs is missing."""
    return all(finding.state != "missing" for finding in findings)


def remedies(machine: Machine, findings: Iterable[Finding]) -> list[str]:
    """Return what mends all that was found wanting: one line for the packages, and what no package mends."""
    wanting = [finding for finding in findings if finding.state != "ok"]
    needs = list(dict.fromkeys(need for finding in wanting for need in finding.needs))
    words = [finding.mend for finding in wanting if finding.mend and not finding.needs]
    return ([machine.remedy(needs)] if needs else []) + words


def mend(
    machine: Machine, say: Callable[[str], object], check: Callable[[Machine], list[Finding]] = check_here
) -> bool:
    """Install what is missing from the system where that can be done here, else say how.

    Only root on Debian, Ubuntu and their kin is served; nobody else's packages are touched.

    Args:
        machine: Whose packages these are, and whether they may be installed.
        say: Takes each line for the user.
        check: Looks for what is missing, before and after.

    Returns:
        Whether nothing is missing any more.
    """
    findings = check(machine)
    if is_well(findings):
        options = remedies(machine, findings)
        say("the system has what ROOT needs" + (f"; optional: {'; '.join(options)}" if options else ""))
        return True
    commands = remedies(machine, findings)
    lost = ", ".join(finding.what for finding in findings if finding.state == "missing")
    if machine.family != "debian" or not machine.is_root or not is_well(f for f in findings if not f.needs):
        say(f"missing from the system: {lost}; to mend: {'; '.join(commands)}")
        return False
    say(f"missing from the system: {lost}; running: {commands[0]}")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    if subprocess.run(["/bin/sh", "-c", commands[0]], env=quiet, stdin=subprocess.DEVNULL, check=False).returncode != 0:
        say("apt-get failed, see above; run the line yourself when the cause is gone")
        return False
    lost = ", ".join(finding.what for finding in check(machine) if finding.state == "missing")
    say(f"still missing: {lost}; see python -m analysis.doctor" if lost else "the system has what ROOT needs now")
    return not lost
