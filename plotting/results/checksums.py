"""Checksums that vouch for the files of a run or an evaluation: of its results, and of what is drawn of them."""

from __future__ import annotations

import errno
import hashlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from plotting.errors import MissingResult, UnreadableResult

CHECKSUMS = "SHA256SUMS"
"""File with the sha256 of run.json, of the results beside it and of the models, as `sha256sum --check` reads it."""

DRAWN = "SHA256SUMS.drawn"
"""File with the sha256 of each figure and page that was drawn.

A line is added before the file that it is about gets its name, so a name can have several lines.
"""

PUBLISHING = ".publishing"
"""File with the sha256 of all that was in a folder and of all that is to be there, while results take their names."""

_LINE = re.compile(r"([0-9a-f]{64})  ([^/\s][^/\n]*(?:/[^/\s][^/\n]*)?)")
_CUT_SHORT = re.compile(r"(?:[0-9a-f]{1,64} {0,2})?")
"""What a full disk leaves of a line; the file that it was to vouch for did not get its name."""


def sha256(path: Path) -> str:
    """Return the sha256 of a file's contents."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_list(path: Path) -> dict[str, set[str]]:
    """Return the checksums that a list gives each name; none where there is no list.

    Raises:
        ValueError: a line is no line of a list.
        OSError: the file cannot be read.
    """
    listed: dict[str, set[str]] = {}
    if not path.exists():
        return listed
    for line in path.read_text(encoding="utf-8").removesuffix("\n").split("\n"):
        if found := _LINE.fullmatch(line):
            listed.setdefault(found[2], set()).add(found[1])
        elif path.name != DRAWN or not _CUT_SHORT.fullmatch(line):
            raise ValueError(f"no line of a list of checksums: {line[:100]!r}")
    return listed


def list_text(checksums: Mapping[str, Iterable[str]]) -> str:
    """Return a list as `read_list` reads it, of the checksums of each name."""
    return "".join(f"{checksum}  {name}\n" for name, known in checksums.items() for checksum in sorted(known))


def check_results(folder: Path, names: Sequence[str], remedy: str) -> None:
    """Make sure that files are as they were written, before anything is read from them.

    A folder without SHA256SUMS has nothing that they could be compared with.

    Args:
        folder: of a run or an evaluation.
        names: of the files that are going to be read. One that is not there must not stand in the list either.
        remedy: for the messages of errors.

    Raises:
        MissingResult: a file that stands in the list is not there.
        UnreadableResult: a file is not as it was written, or does not stand in the list.
    """
    path = folder / CHECKSUMS
    if not path.exists():
        return
    try:
        listed, changing = read_list(path), read_list(folder / PUBLISHING)
        found = {name: sha256(folder / name) for name in names if (folder / name).is_file()}
    except (OSError, ValueError) as error:
        raise UnreadableResult(f"{path}: damaged ({error}); get it again, or {remedy}") from error
    for name in names:
        expected = listed.get(name, set()) | changing.get(name, set())
        if name not in found:
            if expected:
                raise MissingResult(f"{folder / name}: not there; get it again, or {remedy}")
        elif not expected:
            raise UnreadableResult(f"{folder / name}: {CHECKSUMS} has no line of it; get both again, or {remedy}")
        elif found[name] not in expected:
            raise UnreadableResult(
                f"{folder / name}: not as it was written (checksum {found[name][:12]}..., {CHECKSUMS} says "
                f"{min(expected)[:12]}...); get it again, or {remedy}"
            )


def vouch(folder: Path, name: str, draft: Path) -> None:
    """Add a figure or a page to the list of what was drawn, before it gets its name.

    Args:
        folder: of the run or the evaluation.
        name: that the file is going to have, relative to the folder.
        draft: the file itself.
    """
    path = folder / DRAWN
    line = f"{sha256(draft)}  {name}\n".encode()
    known = path.read_bytes() if path.exists() else b""
    if line in known.splitlines(keepends=True):
        return
    if known and not known.endswith(b"\n"):
        line = b"\n" + line
    # One write at the end of the file: several processes may draw at once.
    with path.open("ab", buffering=0) as file:
        if file.write(line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
