"""Whether a file is the published one: its size always, its checksum once for as long as the file stays the same."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from analysis.console.program import error_console
from analysis.console.progress import progress_bar
from analysis.samples.model import SampleFile
from rdf.cache import read_own
from rdf.drafts import whole_file

BLOCK = 1 << 20  # bytes
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
    note = _note(path, file)
    place = _place(note, cache)
    # Without a readable cache the file is read each time.
    if read_own(place) == note:
        return None
    fault = difference(path, file)
    if fault is None:
        _write(note, place)
    return fault


def remember(path: Path, file: SampleFile, cache: Path) -> None:
    """Note that a file was found right, so that `check` need not read it again."""
    note = _note(path, file)
    _write(note, _place(note, cache))


def _note(path: Path, file: SampleFile) -> bytes:
    """Return what is noted of a file that was found right: it names no two states alike.

    The time of the last change of a file's size, modes or content (ctime) is one that nobody can set.
    """
    found = path.stat()
    times = f"{found.st_mtime_ns}\0{found.st_ctime_ns}"
    state = f"{path.resolve()}\0{found.st_ino}\0{found.st_size}\0{times}\0{file.size}\0{_checksum(file)}"
    return os.fsencode(state)


def _place(note: bytes, cache: Path) -> Path:
    """Return the file that has this note and no other: processes that write it write the same, and need no lock."""
    return cache / ".checked" / hashlib.sha256(note).hexdigest()


def _write(note: bytes, place: Path) -> None:
    # Without a writable cache the file is read again next time.
    with suppress(OSError):
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with whole_file(place) as draft:
            draft.write_bytes(note)
            draft.chmod(0o600)  # what others can write does not count


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
        while block := content.read(BLOCK):
            if algorithm == "sha256":
                sha256.update(block)
            else:
                adler32 = zlib.adler32(block, adler32)
            done += len(block)
            progress(done)
    return sha256.hexdigest() if algorithm == "sha256" else f"{adler32:08x}"
