"""The output folder: results appear under their final names only when all of them are whole."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from analysis.errors import OutputFolderError
from models.folder import file_sha256
from rdf.schema import ODD_IN_ROOT

STAGING = ".staging"
CHOOSE_ANOTHER = "choose another one with --output"
RESULT_FOLDERS = {"models": (".onnx", ".json"), "figures": (".png", ".pdf")}
"""Folders that a run replaces as a whole, with the endings of the files that it writes there."""
RESULT_FILES = (
    *("histograms.root", "events.root", "anomalies.csv", "objects.json", "latent.csv"),
    *("metrics.json", "curves.root"),
)
"""Files that runs and evaluations write beside run.json."""
DRAWN_FILES = ("report.html", "browse.html")
"""Files that are made of the others, and can be made again."""
CHECKSUMS = "SHA256SUMS"
"""File with the sha256 of run.json, of the files beside it and of the models, as `sha256sum --check` reads it.

Figures and pages are not among them: they can be drawn again.
"""
BYTES_PER_VALUE = 4
CLUSTER_BYTES = 32_000_000
"""Rows that a thread collects before it writes them."""
OTHER_RESULTS_BYTES = 20_000_000
"""Figures, histograms, models."""


@contextmanager
def staged_output(folder: Path) -> Iterator[Path]:
    """Hold the output folder for one run and give it a hidden place to write to.

    Whatever lies in the yielded folder when the block ends well is moved to `folder`, replacing what an earlier run
    left there; if the block ends by an error or an interruption, nothing is moved.

    Raises:
        OutputFolderError: the folder cannot be made or written, or another run is writing to it.
    """
    with held_output(folder) as staging:
        yield staging
        publish(staging, folder)


@contextmanager
def held_output(folder: Path) -> Iterator[Path]:
    """Hold the output folder and give it a hidden place to write to, which is removed at the end.

    What a killed program left behind is removed by the next.

    Raises:
        OutputFolderError: the folder cannot be made or written, or another run is writing to it.
    """
    _refuse_unfit(folder)
    staging = folder / STAGING
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise OutputFolderError(
            f"cannot make the output folder {folder}: {error.strerror}; {CHOOSE_ANOTHER}"
        ) from error
    try:
        try:
            # On the folder itself: the lock leaves no file, and the kernel drops it when the process ends, however.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OutputFolderError(f"another run is writing to {folder}; wait for it or {CHOOSE_ANOTHER}") from error
        try:
            shutil.rmtree(staging, ignore_errors=True)
            staging.mkdir()
        except OSError as error:
            raise OutputFolderError(f"cannot write to {folder}: {error.strerror}; {CHOOSE_ANOTHER}") from error
        try:
            yield staging
        except OSError as error:
            raise OutputFolderError(
                f"cannot write to {folder}: {error.strerror or error}; free some space or {CHOOSE_ANOTHER}"
            ) from error
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    finally:
        os.close(lock)


def _refuse_unfit(folder: Path) -> None:
    """Refuse a folder whose path ROOT would read otherwise, or in which a run would replace what no run wrote."""
    absolute = str(folder.absolute())
    if odd := sorted(set(absolute) & ODD_IN_ROOT):
        raise OutputFolderError(
            f"output folder {absolute}: ROOT takes {odd[0]!r} in a path for something else; {CHOOSE_ANOTHER}"
        )
    for name, endings in RESULT_FOLDERS.items():
        target = folder / name
        strangers = [path.name for path in target.iterdir() if path.suffix not in endings] if target.is_dir() else []
        if strangers:
            raise OutputFolderError(
                f"{target} holds {min(strangers)}, which no run wrote and this one would delete; {CHOOSE_ANOTHER}"
            )


def publish(staging: Path, folder: Path) -> None:
    """Move finished results to their final names; `run.json`, which vouches for the others, goes last.

    An earlier run's goes first: should this be cut short, nothing may vouch for a mixture of old and new.
    """
    if (staging / "run.json").exists():
        (folder / "run.json").unlink(missing_ok=True)
        # It does not vouch for what an earlier run or evaluation left either.
        for name in (CHECKSUMS, *RESULT_FILES, *DRAWN_FILES):
            (folder / name).unlink(missing_ok=True)
        for name in RESULT_FOLDERS:
            if (folder / name).is_dir() and not (folder / name).is_symlink():
                shutil.rmtree(folder / name)
    for path in sorted(staging.iterdir(), key=lambda path: path.name == "run.json"):
        target = folder / path.name
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        elif path.is_dir():  # a folder cannot take the place of a file or a link
            target.unlink(missing_ok=True)
        path.replace(target)


def write_record(staging: Path, record: Mapping[str, Any]) -> None:
    """Write run.json."""
    text = json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    (staging / "run.json").write_text(text, encoding="utf-8")


def write_checksums(staging: Path) -> None:
    """Write the checksums of all results but the figures and pages beside them."""
    files = [staging / name for name in ("run.json", *RESULT_FILES)]
    files += sorted((staging / "models").glob("*"))
    lines = [f"{file_sha256(file)}  {file.relative_to(staging)}\n" for file in files if file.is_file()]
    (staging / CHECKSUMS).write_text("".join(lines), encoding="utf-8")


def check_space(folder: Path, events: int, columns: int, threads: int) -> None:
    """Refuse to start or to go on with events that the disk cannot hold.

    This is asked before and during the loop.

    Args:
        folder: on the disk in question.
        events: rows that are still to be written.
        columns: values a row.
        threads: each holds back up to a cluster of rows that it has still to write.

    Raises:
        OutputFolderError: names what is needed and what is free.
    """
    held_back = min(events * columns * BYTES_PER_VALUE, threads * CLUSTER_BYTES)
    check_room(folder, events * columns * BYTES_PER_VALUE + held_back + OTHER_RESULTS_BYTES)


def check_room(folder: Path, needed: int) -> None:
    """Refuse to write so many bytes where the disk cannot hold them, which ROOT does not survive: it crashes or hangs.

    Raises:
        OutputFolderError: names what is needed and what is free.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OutputFolderError(
            f"{folder}: about {needed / 1e6:.0f} MB are needed and {free / 1e6:.0f} MB are free; "
            "free some space or choose another folder with --output"
        )
