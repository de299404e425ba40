"""The user's cache: what was downloaded, converted, simulated or compiled, and can be made again.

Who can write to it decides what a run reads and what code it loads. So a folder of the cache belongs to this user and
is closed to all others (mode 0700), and a file counts if it is this user's and nobody else can write it.
"""

from __future__ import annotations

import functools
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import platformdirs

from rdf.errors import CacheUnusable, TemporaryFolderError
from rdf.printable import printable
from rdf.temporary import TemporaryFolder

APPLICATION = "root-anomaly-search"

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def cache_folder(name: str = "") -> Path:
    """Return the user's cache folder (`XDG_CACHE_HOME` moves it), or a folder in it, which is made if need be.

    Where somebody else could have written there, a folder of this process takes its place, which is removed at its
    end; stderr says so once. Where the folder cannot be made, whoever writes there meets the reason.

    Args:
        name: name of a folder in the cache; empty for the cache folder itself.

    Raises:
        CacheUnusable: the cache is not safe, and nothing can take its place.
    """
    folder = named_folder() / name
    for place in dict.fromkeys((named_folder(), folder)):
        if fault := close_to_others(place):
            folder = _replacement(place, fault).path / folder.relative_to(place)
            folder.mkdir(mode=0o700, exist_ok=True)
            break
    return folder


def named_folder() -> Path:
    """Return the path that the user's cache is to have."""
    return Path(platformdirs.user_cache_dir(APPLICATION))


def close_to_others(folder: Path) -> str | None:
    """Make a folder if need be, let nobody but this user enter it, and say why it is not safe even so.

    Returns:
        None where it is safe, or cannot be made at all; else what is wrong with it.
    """
    user = os.getuid()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        # A link of one's own leads to where one wants it to lead, to another disk for example.
        found = folder.stat()
        if {found.st_uid, folder.lstat().st_uid} != {user}:
            return "belongs to another user"
        if found.st_mode & _OTHERS_WRITE and (foreign := next(_of_others(folder, user), None)):
            return f"holds {foreign.relative_to(folder)}, which belongs to another user"
        if found.st_mode & _OTHERS:
            with suppress(OSError):
                folder.chmod(0o700)
            if folder.stat().st_mode & _OTHERS_WRITE:  # there are file systems without modes
                return "can be written by other users"
    except OSError:
        return None
    return None


def _of_others(folder: Path, user: int) -> Iterator[Path]:
    """Yield what in a folder belongs to others."""
    for parent, folders, files in os.walk(folder):
        yield from (path for name in (*folders, *files) if (path := Path(parent, name)).lstat().st_uid != user)


@functools.cache
def _replacement(folder: Path, fault: str) -> TemporaryFolder:
    """Make a folder in place of one that is not safe, say so, and have it removed when this process ends."""
    remedy = "set XDG_CACHE_HOME to a folder of your own"
    try:
        made = TemporaryFolder("cache")
    except TemporaryFolderError as error:
        raise CacheUnusable(f"{folder} {fault}, and nothing can be written elsewhere ({error}); {remedy}") from error
    sys.stderr.write(printable(f"{folder} {fault}: it is not used, and nothing is kept for the next time; {remedy}\n"))
    return made


def is_own(path: Path) -> bool:
    """Say whether a file lies there that belongs to this user and that nobody else can write."""
    try:
        return _is_own(path.lstat())
    except OSError:
        return False


def open_own(path: Path) -> int | None:
    """Open a file that belongs to this user and that nobody else can write; None where there is another one, or none.

    What is judged is what was opened, whatever lies there meanwhile.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    if _is_own(os.fstat(descriptor)):
        return descriptor
    os.close(descriptor)
    return None


def read_own(path: Path) -> bytes | None:
    """Return the content of such a file."""
    descriptor = open_own(path)
    if descriptor is None:
        return None
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


def _is_own(found: os.stat_result) -> bool:
    return stat.S_ISREG(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & _OTHERS_WRITE
