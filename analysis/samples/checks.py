"""Whether a file is the published one: its size always, its checksum once for as long as the file stays the same."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from analysis.program import error_console
from analysis.progress import progress_bar
from analysis.samples.model import SampleFile

CHUNK = 1 << 20  # bytes
LARGE = 1_000_000_000
"""Bytes from which on reading a file takes long enough to say that it is being read."""


def difference(path: Path, file: SampleFile) -> str | None:
    """Say in what the file at `path` differs from the catalogue, None where size and checksum agree.

    Raises:
        OSError: the file cannot be read.
    """
    size, known = path.stat().st_size, _checksum(file)
    if file.size not in (None, size):
        return f"expected {file.size} bytes, found {size}"
    if known is None:
        return None
    algorithm, expected = known
    found = _read_checksum(path, algorithm)
    return None if found == expected else f"expected {algorithm} {expected}, found {found}"


def check(path: Path, file: SampleFile, cache: Path) -> str | None:
    """Do as `difference` does, without reading a file that was found right and has not changed since.

    Raises:
        OSError: the file cannot be read.
    """
    # Before the file is read: what changes it meanwhile makes it another one.
    marker = _marker(path, file, cache)
    # Without a readable cache the file is read each time.
    with suppress(OSError):
        if marker.exists():
            return None
    fault = difference(path, file)
    if fault is None:
        _write(marker)
    return fault


def remember(path: Path, file: SampleFile, cache: Path) -> None:
    """Note that a file was found right, so that `check` need not read it again."""
    _write(_marker(path, file, cache))


def _marker(path: Path, file: SampleFile, cache: Path) -> Path:
    """Return the empty file that, where it exists, says that the file was found right; names no two states alike.

    Empty files, one for each state of a file, need no lock: processes that write the same one mean the same.
    """
    status, checksum = path.stat(), _checksum(file)
    state = f"{path.resolve()}\0{status.st_size}\0{status.st_mtime_ns}\0{file.size}\0{checksum}"
    return cache / ".checked" / hashlib.sha256(os.fsencode(state)).hexdigest()


def _write(marker: Path) -> None:
    # Without a writable cache the file is read again next time.
    with suppress(OSError):
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch()


def _checksum(file: SampleFile) -> tuple[str, str] | None:
    """Return the name of the checksum to compare and its value."""
    if file.sha256:
        return "sha256", file.sha256
    return ("adler32", file.adler32) if file.adler32 else None


def _read_checksum(path: Path, algorithm: str) -> str:
    size = path.stat().st_size
    if size < LARGE:
        return _digest(path, algorithm, lambda _: None)
    with progress_bar(error_console(), f"checking {path.name}", "bytes") as move:
        return _digest(path, algorithm, lambda done: move(done, size))


def _digest(path: Path, algorithm: str, progress: Callable[[int], None]) -> str:
    sha256, adler32, done = hashlib.sha256(), 1, 0
    with path.open("rb") as content:
        while chunk := content.read(CHUNK):
            if algorithm == "sha256":
                sha256.update(chunk)
            else:
                adler32 = zlib.adler32(chunk, adler32)
            done += len(chunk)
            progress(done)
    return sha256.hexdigest() if algorithm == "sha256" else f"{adler32:08x}"
