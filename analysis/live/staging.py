"""Staging: folders for what is not finished yet, on the disk of the results."""

from __future__ import annotations

import time
from itertools import count
from pathlib import Path


class Staging:
    """A folder in which each task gets one of its own."""

    def __init__(self, folder: Path) -> None:
        """Take a folder that is there."""
        self._folder = folder
        self._numbers = count()

    def new(self, kind: str) -> Path:
        """Return a path that is free.

        It is what no other process calls its own: one that was orphaned may still be writing.
        """
        return self._folder / f"{kind}-{time.time_ns()}-{next(self._numbers)}"
