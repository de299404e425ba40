"""The output folder: results appear under their final names only when all of them are whole."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from analysis.errors import OutputFolderError

STAGING = ".staging"
BYTES_PER_VALUE = 4


@contextmanager
def staged_output(folder: Path) -> Iterator[Path]:
    """Hold the output folder for one run and give it a hidden place to write to.

    Whatever lies in the yielded folder when the block ends well is moved to `folder`, replacing what an earlier run
    left there; if the block ends by an error or an interruption, nothing is moved. What a killed run left behind is
    removed by the next.

    Raises:
        OutputFolderError: the folder cannot be made or written, or another run is writing to it.
    """
    remedy = "choose another one with --output"
    staging = folder / STAGING
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise OutputFolderError(f"cannot make the output folder {folder}: {error.strerror}; {remedy}") from error
    try:
        try:
            # On the folder itself: the lock leaves no file, and the kernel drops it when the process ends, however.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OutputFolderError(f"another run is writing to {folder}; wait for it or {remedy}") from error
        try:
            shutil.rmtree(staging, ignore_errors=True)
            staging.mkdir()
        except OSError as error:
            raise OutputFolderError(f"cannot write to {folder}: {error.strerror}; {remedy}") from error
        try:
            yield staging
            _publish(staging, folder)
        except OSError as error:
            raise OutputFolderError(
                f"cannot write to {folder}: {error.strerror or error}; free some space or {remedy}"
            ) from error
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    finally:
        os.close(lock)


def _publish(staging: Path, folder: Path) -> None:
    """Move finished results to their final names; `run.json`, which vouches for the others, goes last."""
    for path in sorted(staging.iterdir(), key=lambda path: path.name == "run.json"):
        target = folder / path.name
        if target.is_dir():
            shutil.rmtree(target)
        path.replace(target)


def check_space(folder: Path, events: int, columns: int) -> None:
    """Refuse to start what the disk cannot hold: ROOT does not survive a disk that becomes full.

    Args:
        folder: on the disk in question.
        events: rows that will be written.
        columns: float32 values a row.

    Raises:
        OutputFolderError: names what is needed and what is free.
    """
    needed = events * columns * BYTES_PER_VALUE + 20_000_000  # figures, histograms, models
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OutputFolderError(
            f"{folder}: about {needed / 1e6:.0f} MB are needed and {free / 1e6:.0f} MB are free; "
            "free some space or choose another folder with --output"
        )
