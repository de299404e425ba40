"""JSROOT (https://root.cern/js), which draws ROOT's histograms in web browsers: an npm package, kept in the cache."""

from __future__ import annotations

import base64
import hashlib
import io
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from plotting.errors import PackageUnavailable
from rdf.cache import cache_folder

VERSION = "7.11.2"
SHA512 = "Pria+SspD6+BmGNg4C8UOtP5y7GiODS/FXgQMiCSgGxpbm9icezifQLcVTJF7RaMnCot6ko7CoZozudM1a204g=="
"""Of the package, in base64, as the registry states it."""

_FILE = f"jsroot-{VERSION}.tgz"
_PATIENCE = 120.0  # seconds that npm has


@dataclass(frozen=True)
class Jsroot:
    """What of JSROOT goes into a page.

    Attributes:
        script: JavaScript that defines `JSROOT`.
        licence: the text that has to come with it.
    """

    script: str
    licence: str


def load_jsroot() -> Jsroot:
    """Return JSROOT, from the cache or, the first time, from the npm registry.

    Raises:
        PackageUnavailable: it cannot be had.
    """
    path = cache_folder("npm") / _FILE
    content = _genuine(path) or _fetch(path)
    with tarfile.open(fileobj=io.BytesIO(content)) as package:
        return Jsroot(*(_text(package, f"package/{name}") for name in ("build/jsroot.min.js", "LICENSE")))


def _text(package: tarfile.TarFile, name: str) -> str:
    file = package.extractfile(name)
    assert file is not None
    return file.read().decode("utf-8", errors="replace")


def _genuine(path: Path) -> bytes | None:
    """Return the content of the package, None where there is none or another one."""
    if not path.is_file():
        return None
    content = path.read_bytes()
    return content if base64.b64encode(hashlib.sha512(content).digest()).decode() == SHA512 else None


def _fetch(path: Path) -> bytes:
    """Put the package into the cache, and return its content; it appears there only when it is whole and genuine."""
    npm = shutil.which("npm")
    if npm is None:
        raise PackageUnavailable(
            f"JSROOT {VERSION} comes by npm, which is not installed; apt-get install npm, or put {_FILE} of the npm "
            f"registry into {path.parent}"
        )
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            options = ["--loglevel=error", "--fetch-retries=0", "--pack-destination", folder]
            done = subprocess.run(
                [npm, "pack", f"jsroot@{VERSION}", *options],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_PATIENCE,
                check=False,
            )
            packed = Path(folder) / _FILE
            if done.returncode or not packed.is_file():
                reasons = [line.removeprefix("npm error ") for line in done.stderr.splitlines()[:2]]
                raise PackageUnavailable(
                    f"npm cannot fetch jsroot@{VERSION} ({', '.join(reasons) or f'exit code {done.returncode}'}); "
                    f"repeat with a network, or put {_FILE} into {path.parent}"
                )
            content = _genuine(packed)
            if content is None:
                raise PackageUnavailable(
                    f"what npm fetched as jsroot@{VERSION} is not what was published (another SHA-512); check the "
                    "registry that npm is configured for"
                )
            packed.replace(path)
            return content
    except subprocess.TimeoutExpired as error:
        raise PackageUnavailable(
            f"npm did not fetch jsroot@{VERSION} within {_PATIENCE:.0f} s; check the network, and repeat"
        ) from error
    except OSError as error:
        raise PackageUnavailable(
            f"{path}: cannot be written ({error.strerror or error}); free space or set XDG_CACHE_HOME"
        ) from error
