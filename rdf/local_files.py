"""Files of this machine for ROOT to open: whatever their names are, and only as long as they stay as they are.

ROOT reads some characters in a path its own way, as wildcards, options or variables, and TChain, TFile and RNTuple do
not agree on which. So it is given plain paths only. Linux has a plain name for anything that is open, such as
`/proc/self/fd/3`: by that name ROOT opens a file whose own path is not plain. What people see is the file's own path.
"""

from __future__ import annotations

import os
import re
import weakref
from pathlib import Path
from typing import Any

from rdf.errors import UnreadableFile

_PLAIN = re.compile(r"[A-Za-z0-9_./-]{1,1000}")
_ODD_IN_ADDRESS = re.compile(r"[][*{}$|#<>\\\s]|\.root/|\?.*\?")
_ODD_IN_OUTPUT = re.compile(r"[?#*$|]|:/")
_HELD = re.compile(r"/proc/self/fd/(\d+)")


def is_address(file: str) -> bool:
    """Say whether a file is named by an address, as root://host//path, and not by its path."""
    return "://" in file


def is_plain(path: str) -> bool:
    """Say whether every part of ROOT takes a path for the one file that has it; `x.root/y` it takes for a tree y."""
    return bool(_PLAIN.fullmatch(path)) and ".root/" not in path and not path.startswith("-")


LONGEST_OUTPUT = 254
"""Bytes of the longest path under which ROOT can write an RNTuple; with a longer one it aborts the process."""


def too_long_for_output(path: Path) -> bool:
    """Tell whether ROOT cannot write an RNTuple under a path."""
    return len(os.fsencode(path.absolute())) > LONGEST_OUTPUT


def odd_in_output(path: str) -> str | None:
    """Return what ROOT takes for something else in the path of a file to be written; None where there is nothing."""
    odd = _ODD_IN_OUTPUT.search(path)
    return odd[0] if odd else None


class LocalFiles:
    """Files that ROOT is to open. They stay open, where they have to, as long as this object lives."""

    def __init__(self) -> None:
        self._held: dict[str, int] = {}  # path -> number of the open file or folder
        self._states: dict[str, tuple[int, ...]] = {}
        weakref.finalize(self, _close, self._held)

    def __reduce__(self) -> tuple[Any, ...]:
        return (LocalFiles, ())  # another process opens files of its own

    def path_of(self, file: str) -> str:
        """Return the path or address by which ROOT opens this file and no other.

        Raises:
            UnreadableFile: the file cannot be opened, or ROOT would take its address for several files or another.
        """
        if is_address(file):
            if odd := _ODD_IN_ADDRESS.search(file.partition("://")[2]):
                raise UnreadableFile(
                    f"{file}: ROOT takes {odd[0]!r} in an address for something else; name each file, or download it"
                )
            return file
        if is_plain(file):
            return file
        folder, name = os.path.split(file)
        # Of many files in one folder with a name that is not plain, it is the folder that is held.
        if is_plain(name):
            return f"{self._hold(folder or '.')}/{name}"
        return self._hold(file)

    def _hold(self, path: str) -> str:
        if path not in self._held:
            try:
                self._held[path] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except OSError as error:
                raise UnreadableFile(f"{path} cannot be opened: {error.strerror}; rename it or its folder") from error
        return f"/proc/self/fd/{self._held[path]}"

    def named(self, text: str) -> str:
        """Return a message of ROOT's with the paths that people know."""
        paths = {str(number): path for path, number in self._held.items()}
        return _HELD.sub(lambda match: paths.get(match[1], match[0]), text)

    def note(self, file: str) -> None:
        """Remember how a file is now, for `check_unchanged`."""
        if not is_address(file):
            self._states[file] = _state(file)

    def check_unchanged(self) -> None:
        """Refuse files that are not any more what they were when they were noted.

        Raises:
            UnreadableFile: names the first of them.
        """
        for file, state in self._states.items():
            now = _state(file)
            if now != state:
                what = "was removed or replaced" if now[:2] != state[:2] else "was changed"
                raise UnreadableFile(f"{file} {what} while it was read; wait until it is whole, and run again")


def _state(file: str) -> tuple[int, ...]:
    """Return what tells a file from another in its place and from itself when it was changed; nothing of none."""
    try:
        status = Path(file).stat()
    except OSError:
        return ()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _close(held: dict[str, int]) -> None:
    for number in held.values():
        os.close(number)
