"""Drafts: files that are being written, beside the place that they will take when they are whole."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_NAME = re.compile(r"\..+\.(\d+)\.partial")


def draft_of(path: Path) -> Path:
    """Return where this process writes what is going to be at a path."""
    return path.with_name(f".{path.name}.{os.getpid()}.partial")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield where a file is to be written; it gets its name at the end of the block, unless that raises something."""
    draft = draft_of(path)
    try:
        yield draft
        draft.replace(path)
    finally:
        with suppress(OSError):  # it has its name, or the folder is not there
            draft.unlink()


def is_draft(path: Path) -> bool:
    """Tell whether a file is a draft, by its name."""
    return _NAME.fullmatch(path.name) is not None


def remove_orphans(folder: Path) -> None:
    """Remove the drafts in a folder whose processes were killed."""
    with suppress(OSError):  # there may be no such folder, or others may remove the same
        for path in list(folder.iterdir()):
            name = _NAME.fullmatch(path.name)
            if name and not is_running(int(name[1])) and path.is_file() and not path.is_symlink():
                path.unlink()


def remove_drafts(folder: Path, process: int) -> None:
    """Remove the drafts of a process that has ended."""
    for path in folder.glob(f".*.{process}.partial"):
        path.unlink(missing_ok=True)


def is_running(process: int) -> bool:
    """Tell whether there is a process of this number on this machine."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
