"""From the name of a sample to its files. A name is a file, a folder, a pattern or a list. ROOT sees no pattern."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.errors import DataError
from rdf.printable import shortened
from rdf.sources.formats import format_of

LONGEST_PATH = 1000
"""Characters of a path that a message repeats at most."""


@dataclass(frozen=True)
class NamedFiles:
    """What a name stands for.

    Attributes:
        name: under which results are kept unless another is given.
        files: paths or addresses, in the natural order of their names, so that part10 comes after part9.
    """

    name: str
    files: tuple[str, ...]


def is_file(path: Path) -> bool:
    """Say whether there is such a file; a path that is too long is none."""
    return os.path.isfile(path)  # noqa: PTH113 - Path's own raises an error of a name that is too long


def is_folder(path: Path) -> bool:
    """Say whether there is such a folder; a path that is too long is none."""
    return os.path.isdir(path)  # noqa: PTH112


def check_exists(path: Path, named_by: str) -> None:
    """Refuse what is no file, with the reason.

    Raises:
        DataError: names the path and where it is named.
    """
    if is_file(path):
        return
    what = "is a folder, not a file" if is_folder(path) else "does not exist"
    try:
        if path.lstat() and not is_folder(path):
            what = "is no file"
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        what = f"cannot be read: {getattr(error, 'strerror', None) or error}"
    raise DataError(f"{shown(path)} {what}; check {named_by}")


def shown(path: object) -> str:
    """Return a path for a message; of a very long one the beginning."""
    return shortened(str(path), LONGEST_PATH)


def stands_for_several(named: str) -> bool:
    """Say whether a name that is no file's is a folder's, a pattern, or a list."""
    return "," in named or glob.has_magic(named) or named.startswith("~") or is_folder(Path(named))


def find_files(named: str, named_by: str, folder: Path | None = None) -> NamedFiles:
    """Find the files that a name stands for.

    A file that exists is that file, whatever characters its name has. Otherwise `~` is the home folder, a folder stands
    for the files in it whose formats are read, `*`, `?` and `[]` are those of a shell, `**` goes through folders, and
    commas separate several of these.

    Args:
        named: by the user.
        named_by: where, for messages.
        folder: that paths are relative to; the current one if None.

    Raises:
        DataError: nothing is found, or files of several formats.
    """
    base = folder or Path()
    files: list[str] = []
    alone = is_file(base / named) or is_folder(base / named) or (glob.has_magic(named) and _matching(named, base))
    for part in [named] if alone else named.split(","):
        files += _files_of(part.strip(), base, named_by)
    _check_one_format(files, named)
    return NamedFiles(_common_name(named, files), tuple(files))


def _files_of(part: str, base: Path, named_by: str) -> list[str]:
    """Return the files that one name, pattern or address of a list stands for."""
    if not part:
        raise DataError(f"an empty name between commas; check {named_by}")
    if "://" in part and not is_file(base / part):
        return [part]
    path = base / part
    if not is_file(path) and part.startswith("~"):
        part = str(Path(part).expanduser())
        path = base / part
    if is_file(path):
        return [str(path)]
    if is_folder(path):
        found = [file for file in path.iterdir() if file.is_file() and not file.name.startswith(".")]
        if readable := [str(file) for file in found if format_of(file)]:
            return sorted(readable, key=_natural)
        raise DataError(f"{shown(path)} is a folder in which no file has an ending of a format that is read")
    if glob.has_magic(part):
        if files := _matching(part, base):
            return sorted(files, key=_natural)
        raise DataError(f"{shown(part)}: no file matches; check {named_by}")
    check_exists(path, named_by)
    return [str(path)]


def _matching(pattern: str, base: Path) -> list[str]:
    """Return the files that match a pattern. Folders that exist under the names in it are these."""
    rest = list(Path(pattern).parts)
    while len(rest) > 1 and is_folder(base / rest[0]):
        base /= rest.pop(0)
    found = glob.glob(os.path.join(glob.escape(str(base)), *rest), recursive=True)  # noqa: PTH118, PTH207
    return [str(Path(file)) for file in found if is_file(Path(file))]


def _natural(file: str) -> list[tuple[int, str]]:
    """Return a key that sorts numbers in names by their size."""
    return [(int(text), "") if text.isdecimal() else (-1, text) for text in re.split(r"(\d+)", file)]


def _check_one_format(files: Sequence[str], named: str) -> None:
    """Refuse files of several formats, which cannot be one sample."""
    first: dict[str, str] = {}
    for file in files:
        first.setdefault(format_of(Path(file)) or "ROOT", file)
    if len(first) > 1:
        (one, a), (other, b) = list(first.items())[:2]
        raise DataError(
            f"{shown(named)}: {Path(a).name} is {one}, {Path(b).name} is {other}; name the files of one format, as in "
            f"'*{Path(a).suffix}'"
        )


def _common_name(named: str, files: Sequence[str]) -> str:
    """Return what the files' names begin with, or the name of their folder where that is nothing."""
    stems = [Path(file).stem for file in files]
    if len(stems) == 1:
        return stems[0]
    begin = os.path.commonprefix(stems)  # noqa: RUF071 - of names, not of folders
    if begin not in stems:
        begin = re.sub(r"\d+$", "", begin)
    begin = begin.strip(" _-.")
    folder = Path(files[0]).absolute().parent.name
    return folder if is_folder(Path(named)) else begin or folder or "files"
