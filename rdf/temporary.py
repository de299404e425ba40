"""Folders for what is needed for a moment, in TMPDIR.

A process that is killed cannot remove its own: the next one does. A lock on the folder, which ends with the process
however that ends, tells whose folders are still in use, also where other containers share TMPDIR.
"""

from __future__ import annotations

import errno
import fcntl
import functools
import os
import shutil
import tempfile
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from rdf.disk import require_room
from rdf.errors import TemporaryFolderError

PREFIX = "root-anomaly-search."
"""Of the names of these folders, and of no others."""

ROOM = 20_000_000
"""Bytes that have to be free: what compilers write for the largest of our libraries."""

_DRAFT = ".new"
"""Ending of the name of a folder that has no lock yet."""
_DRAFT_SECONDS = 60
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG}


class TemporaryFolder:
    """A folder of this process, which is removed at the end of a context, or of the process.

    Attributes:
        path: path of the folder.
    """

    def __init__(self, kind: str) -> None:
        """Make the folder.

        Args:
            kind: word for its purpose, which stands in its name.

        Raises:
            TemporaryFolderError: it cannot be made, or there is no room.
        """
        try:
            parent = Path(tempfile.gettempdir())
            _remove_orphans(parent)
            draft = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{kind}-", suffix=_DRAFT, dir=parent))
            lock = os.open(draft, os.O_RDONLY | os.O_DIRECTORY)
            with suppress(OSError):  # not every file system has locks
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.path = draft.rename(draft.with_suffix(""))
            self._end = weakref.finalize(self, _remove, self.path, lock, os.getpid())
            require_room(parent, ROOM, _too_small)
        except OSError as error:
            raise _unusable(f"cannot be written ({error.strerror or error})") from error
        except TemporaryFolderError:
            self.remove()
            raise

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.remove()
        if isinstance(error, OSError) and self._is_cause(error):
            raise self.full(error.strerror) from error

    @contextmanager
    def errors_named(self) -> Iterator[None]:
        """Turn an error of writing in the block into one that names the folder.

        Raises:
            TemporaryFolderError: something cannot be written.
        """
        try:
            yield
        except OSError as error:
            raise self.full(error.strerror) from error

    def full(self, why: str | None = None) -> TemporaryFolderError:
        """Return the error that says that the folder has no room, or cannot be written for another reason."""
        return _unusable(f"cannot be written ({why or os.strerror(errno.ENOSPC)})")

    def _is_cause(self, error: OSError) -> bool:
        """Tell whether an error is about a file in this folder, or may be, since it names none and a disk is full."""
        if isinstance(error.filename, str | os.PathLike):
            return Path(error.filename).is_relative_to(self.path)
        return error.filename is None and error.errno in _FULL

    def remove(self) -> None:
        """Remove the folder; again is harmless."""
        self._end()


def _too_small(free: int) -> TemporaryFolderError:
    return _unusable(f"has {free / 1e6:.1f} MB free, about {ROOM / 1e6:.0f} MB are needed")


def _unusable(why: str) -> TemporaryFolderError:
    named = os.environ.get("TMPDIR")
    folder = tempfile.tempdir or named or "/tmp"
    return TemporaryFolderError(f"TMPDIR ({folder}) {why}; free some space there, or set TMPDIR to another folder")


def _remove(path: Path, lock: int, process: int) -> None:
    if os.getpid() == process:  # not a copy of it
        shutil.rmtree(path, ignore_errors=True)
        os.close(lock)


@functools.cache
def _remove_orphans(parent: Path) -> None:
    """Remove this user's folders whose processes are no more."""
    for path in parent.glob(f"{PREFIX}*"):
        try:
            folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            found = os.fstat(folder)
            beginning = path.suffix == _DRAFT and time.time() - found.st_mtime < _DRAFT_SECONDS
            if found.st_uid == os.getuid() and not beginning:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
        except OSError:  # in use
            continue
        finally:
            os.close(folder)
