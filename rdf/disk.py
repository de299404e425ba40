"""Disks: whether one has room for what is to be written. ROOT does not survive a disk that becomes full."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path


def require_room(folder: Path, needed: int, refusal: Callable[[int], Exception]) -> None:
    """Refuse to write a number of bytes that a disk cannot hold.

    Args:
        folder: on the disk in question; it exists.
        needed: bytes to be written.
        refusal: makes the error that is raised, from the number of bytes that are free.

    Raises:
        OSError: nothing can be said of the folder.
        Exception: the error that `refusal` makes, where fewer bytes are free.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise refusal(free)
