"""Checksums of the local files that a run reads, taken beside it, and compared with what earlier runs say of them.

They find what a TTree's own checksums cannot: damage in what is stored without compression.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.errors import ChecksumMismatch
from plotting.errors import UnreadableResult
from plotting.results.record_tables import File
from plotting.results.run_record import RUN_JSON, read_run_record
from rdf.local_files import is_address

if TYPE_CHECKING:
    from analysis.samples.inputs import InputFile
    from models.folder import ModelFolder

_BLOCK = 1 << 20  # bytes between two looks at whether to go on


class Checksums:
    """The sha256 of files for which none is known, computed by a thread of its own.

    Files on servers are left out, since they would be read twice, and copies, since results name their originals.
    """

    def __init__(self, files: Sequence[InputFile] = ()) -> None:
        """Begin with these files."""
        self._found: dict[str, str] = {}
        self._stopped = threading.Event()
        paths = [file.path for file in files if not (file.sha256 or file.copy_of or is_address(file.path))]
        # A daemon: a program that ends does not wait for it.
        self._thread = threading.Thread(target=self._compute, args=(paths,), daemon=True) if paths else None
        if self._thread:
            self._thread.start()

    def __reduce__(self) -> tuple[Any, ...]:
        return (Checksums, ())  # a job that travels leaves this behind

    def stop(self) -> None:
        """Leave the rest out."""
        self._stopped.set()

    def _compute(self, paths: Sequence[str]) -> None:
        for path in paths:
            sha256 = hashlib.sha256()
            try:
                with Path(path).open("rb", buffering=0) as file:
                    while (block := file.read(_BLOCK)) and not self._stopped.is_set():
                        sha256.update(block)
            except OSError:  # the event loop says so
                continue
            if self._stopped.is_set():
                return
            self._found[path] = sha256.hexdigest()

    def completed(self, files: Iterable[InputFile]) -> tuple[InputFile, ...]:
        """Return the files with their checksums, once all are there."""
        if self._thread:
            self._thread.join()
        return tuple(replace(file, sha256=file.sha256 or self._found.get(file.path)) for file in files)


def check_as_before(files: Iterable[InputFile], models: ModelFolder, folder: Path) -> None:
    """Refuse files that have another content than the models, or an earlier run into the same folder, were made of.

    Args:
        files: that were read, with their checksums.
        models: the models that score.
        folder: of the results.

    Raises:
        ChecksumMismatch: names the file and what to do.
    """
    trained, before = dict(_of_models(models)), dict(_of_run(folder))
    for file in files:
        path, sha256 = (file.copy_of or file).path, (file.copy_of or file).sha256
        if sha256 is None:
            continue
        if trained.get(path, sha256) != sha256:
            raise ChecksumMismatch(
                f"{path} was changed or damaged since the models were trained on it; get it again, or, if it was "
                "changed on purpose, give it another name or train anew"
            )
        if before.get(path, sha256) != sha256:
            raise ChecksumMismatch(
                f"{path} was changed or damaged since the run that left {folder}; get it again, or, if it was changed "
                "on purpose, choose another --output"
            )


def _of_models(models: ModelFolder) -> Iterator[tuple[str, str]]:
    for sample in models.training.samples:
        if len(sample.sha256) == len(sample.files):  # otherwise it is not known which file has which checksum
            yield from zip(sample.files, sample.sha256, strict=True)


def _of_run(folder: Path) -> Iterator[tuple[str, str]]:
    try:
        record = read_run_record(folder / RUN_JSON, "")
    except UnreadableResult:  # there was no such run, or another version of the toolkit's
        return
    yield from ((file.path, file.sha256) for file in record.sample.files if file.sha256)


def merged_file(one: File, other: File) -> File | None:
    """Return what two parts of a sample say of a file of both; None where they say different things.

    A part that did not read all of a file does not know its checksum.
    """
    merged = File(
        path=one.path,
        size=other.size if one.size is None else one.size,
        sha256=other.sha256 if one.sha256 is None else one.sha256,
    )
    fits = other.size in (None, merged.size) and other.sha256 in (None, merged.sha256)
    return merged if fits and one.path == other.path else None
