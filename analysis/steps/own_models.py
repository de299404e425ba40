"""Which models this user's own runs wrote: noted by their checksum in a folder that nobody else can write to.

Their expressions are what the user wrote, and may be any C++; those of other models have to be of the grammar of
`rdf.schema.expressions`.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

import platformdirs

from analysis.console.program import error_console
from rdf.cache import APPLICATION
from rdf.errors import ToolkitError


class NoNotes(ToolkitError):
    """The notes cannot be used; the message says why, with the remedy."""


def note_models(sha256: str) -> None:
    """Note that a run of this user's wrote models with this checksum; say so where that cannot be noted."""
    try:
        (_notes(make=True) / sha256).touch(mode=0o600)
    except (NoNotes, OSError) as reason:
        error_console().print(
            f"these models will not be known as your own: {reason}", highlight=False, soft_wrap=True, markup=False
        )


def are_own(sha256: str) -> bool:
    """Tell whether a run of this user's wrote models with this checksum.

    Raises:
        NoNotes: the notes could be somebody else's.
    """
    try:
        return stat.S_ISREG((_notes(make=False) / sha256).lstat().st_mode)
    except FileNotFoundError:
        return False


def _notes(make: bool) -> Path:
    """Return the folder of the notes, which is this user's alone, as the one that it lies in."""
    state = Path(platformdirs.user_state_dir(APPLICATION))
    notes = state / "models"
    try:
        if make:
            state.parent.mkdir(parents=True, exist_ok=True)
            for folder in (state, notes):
                with suppress(FileExistsError):
                    folder.mkdir(mode=0o700)
        for folder in (state, notes):
            found = folder.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
                raise NoNotes(f"{folder} is a link, or not this user's own; remove it")
            if found.st_mode & 0o022 or (folder == notes and found.st_mode & 0o077):
                raise NoNotes(f"{folder} is open to others; if only you wrote what is there, chmod 700 {folder}")
            if found.st_mode & 0o077:
                folder.chmod(0o700)  # the folder of the log, which was here first
    except FileNotFoundError:
        raise
    except OSError as error:
        raise NoNotes(f"{state}: {error.strerror}; make it a folder of your own") from error
    return notes
