"""Tables that are not ROOT files to RNTuples: checked against the schema, written once to the cache."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from rdf.cache import is_own, read_own
from rdf.code.interpreter import ROOT, captured_stderr, first_reason, include_kernels
from rdf.drafts import draft_of, whole_file
from rdf.errors import CacheUnusable, SchemaError, SourceError, UnreadableFile
from rdf.local_files import LONGEST_OUTPUT, too_long_for_output
from rdf.schema.model import Schema
from rdf.schema.quantities import SOURCE_ROW
from rdf.sources import csv_table, darkmachines, hdf5_table, numpy_table, parquet_table
from rdf.sources.formats import other_format
from rdf.sources.portions import Portion, Portions, Vectors

FORMAT = 2
"""Version of what is written to the cache; a new one makes old conversions void."""

_TEXTS = (".csv", ".tsv", ".txt", ".dat")

_READERS = {
    **{f"{ending}{packed}": csv_table.read_portions for ending in _TEXTS for packed in ("", ".gz")},
    **dict.fromkeys((".npy", ".npz"), numpy_table.read_portions),
    **dict.fromkeys((".h5", ".hdf5", ".hdf"), hdf5_table.read_portions),
    **dict.fromkeys((".parquet", ".pq"), parquet_table.read_portions),
}
"""Ending of a file -> what reads it."""

Progress = Callable[[int, int], None]
"""Called with the work done and the work in all."""

_RNTUPLE_TYPES = {"bool": "bool", "float32": "float", "float64": "double"}


def is_table(file: str | Path) -> bool:
    """Say whether a file is one that `convert` reads, by its ending."""
    return _reader_of(Path(file)) is not None


def without_header(files: Iterable[str], schema: Schema) -> list[str]:
    """Return which of these files are tables without the names of their columns, which then are in the schema's order.

    Files that cannot be read are left to `convert`, which says why.
    """
    found = []
    for file in files:
        if schema.layout == "table" and _reader_of(Path(file)) is csv_table.read_portions:
            with suppress(SourceError, OSError):
                if not csv_table.has_header(Path(file), schema.as_stored()):
                    found.append(file)
    return found


def _reader_of(file: Path) -> Callable[[Path, Schema], Portions] | None:
    name = file.name.lower()
    return next((reader for ending, reader in _READERS.items() if name.endswith(ending)), None)


def convert(
    source: Path, schema: Schema, cache: Path, checksum: str | None = None, progress: Progress | None = None
) -> Path:
    """Write a table as an RNTuple to the cache, once, and return its path there.

    Args:
        source: a file that `is_table`, in the layout that the schema names; columns that have names of their own and
            are not listed in the schema are left out.
        schema: says the columns and their types.
        cache: folder of converted files; made if need be.
        checksum: sha256 of the file where it is known already.
        progress: called with bytes converted and bytes in all.

    Raises:
        UnreadableFile, MissingColumn, MalformedRow, NoEvents: with the number of the line or row where there is one.
        SchemaError: the schema lists columns that such a file cannot have.
        CacheUnusable: the cache cannot be written or is full.
    """
    try:
        size = source.stat().st_size
        checksum = checksum or _sha256(source)
    except OSError as error:
        raise _unreadable(source, error) from error
    key = hashlib.sha256(f"{FORMAT} {checksum} {schema.layout} {schema.digest()}".encode()).hexdigest()[:16]
    name = re.sub(r"[^\w.-]", "_", source.stem)[:80]  # ROOT reads some other characters its own way
    target = cache / f"{name}-{key}.root"
    if _is_whole(target):
        return target
    if too_long_for_output(draft_of(target)):
        raise CacheUnusable(
            f"cannot convert {source} to {target}: the path is too long for ROOT, which takes {LONGEST_OUTPUT} bytes; "
            "set XDG_CACHE_HOME"
        )
    try:
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        with whole_file(target) as draft:
            draft.touch()  # fails as an OSError where RNTuple would fail as something else
            _write_rntuple(draft, schema, _read(source, schema), lambda done: progress and progress(done, size))
            made = _sha256(draft)
            draft.chmod(0o600)  # what others can write does not count
        with whole_file(_note_of(target)) as note:
            note.write_text(made)
            note.chmod(0o600)
    except SourceError:
        raise
    except OSError as error:
        raise CacheUnusable(
            f"cannot convert {source} to {target}: {error.strerror or error}; free some space or set XDG_CACHE_HOME"
        ) from error
    return target


def _is_whole(converted: Path) -> bool:
    """Say whether there is a converted table of this user's, and bit by bit as written: it may have been damaged since.

    It is not enough to open it: most of its checksums are only looked at in the event loop.
    """
    try:
        return is_own(converted) and read_own(_note_of(converted)) == _sha256(converted).encode()
    except OSError:
        return False


def _note_of(converted: Path) -> Path:
    """Return the file that holds the sha256 of a converted table."""
    return converted.with_suffix(".sha256")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(source: Path, schema: Schema) -> Portions:
    """Read a file with the reader that its layout and its ending ask for."""
    reader = _reader_of(source) if schema.layout == "table" else darkmachines.read_portions
    if reader is None:
        raise other_format(source, "a table")
    if reader not in (darkmachines.read_portions, parquet_table.read_portions):
        for name, kind in schema.columns.items():
            if kind.endswith("[]"):
                raise SchemaError(
                    f"{source}: a table has one value an event, schema {schema.name} several of {name!r}; name the "
                    "schema that fits"
                )
    names = {schema.stored(name): name for name in schema.columns}
    try:
        for portion, done in reader(source, schema.as_stored()):
            yield {names[stored]: column for stored, column in portion.items()}, done
    except OSError as error:
        raise _unreadable(source, error) from error


def _unreadable(source: Path, error: OSError) -> UnreadableFile:
    return UnreadableFile(f"{source}: {error.strerror or error}; check the path")


def _write_rntuple(path: Path, schema: Schema, portions: Portions, progress: Callable[[int], object]) -> None:
    include_kernels("sources/table_writer")
    columns = {**schema.columns, SOURCE_ROW: "uint64"}
    with _write_errors():
        types = [_rntuple_type(kind) for kind in columns.values()]
        writer = ROOT.table_writer.TableWriter(str(path), schema.tree, list(columns), types)
    rows = 0
    try:
        for portion, done in portions:
            length = len(next(iter(portion.values())))
            numbers = np.arange(rows, rows + length, dtype=np.uint64)
            _write_portion(writer, columns, {**portion, SOURCE_ROW: numbers})
            rows += length
            progress(done)
        with _write_errors():
            writer.close()
    finally:
        # A writer that could not complete its table complains on stderr of what the exception says already.
        with captured_stderr():
            writer.__destruct__()


def _rntuple_type(kind: str) -> str:
    number = kind.removesuffix("[]")
    cpp = _RNTUPLE_TYPES.get(number, f"std::{number}_t")
    return cpp if kind == number else f"ROOT::RVec<{cpp}>"


def _write_portion(writer: Any, columns: dict[str, str], portion: Portion) -> None:
    values, counts = [], []
    for name, kind in columns.items():
        column = portion[name]
        if isinstance(column, Vectors):
            counts.append(np.ascontiguousarray(column.counts, dtype=np.uint64))
            column = column.values
        values.append(np.ascontiguousarray(column, dtype=kind.removesuffix("[]")))
    with _write_errors():
        writer.write(
            len(portion[SOURCE_ROW]), [array.ctypes.data for array in values], [array.ctypes.data for array in counts]
        )


@contextmanager
def _write_errors() -> Iterator[None]:
    """Turn what RNTuple throws when it cannot write into an OSError."""
    try:
        yield
    except Exception as error:  # cppyy raises TypeError and std::runtime_error alike
        raise OSError(first_reason(error)) from error
