"""numpy files: a 2-D array or a structured one, or several of one dimension in an archive."""

from __future__ import annotations

import re
import tokenize
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdf.batches import Batches, batch_bytes
from rdf.errors import MalformedRow, MissingColumn, NoEvents, UnreadableFile, near_names
from rdf.schema import Schema

MAGIC = b"\x93NUMPY"
"""What a .npy file begins with."""

# What numpy and zipfile raise of files that are not whole.
_DAMAGED = (
    *(ValueError, TypeError, OverflowError, EOFError, tokenize.TokenError),
    *(zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError),
)


def read_batches(source: Path, schema: Schema) -> Batches:
    """Read the columns of the schema from a numpy file, of type bool, int, uint or float, little- or big-endian.

    Args:
        source: `.npy` with an array of shape (events, columns), its columns those of the schema in their order, or with
            a structured array of shape (events,), whose fields have the names of the columns. `.npz` with such an array
            alone, or with an array of shape (events,) for each column by its name. `.npy` is mapped and read batch by
            batch, an archive column by column. Pickled objects are never read.
        schema: says the columns and their types. Numbers may be rounded to a real type, but no other way be changed.

    Raises:
        UnreadableFile, MissingColumn, MalformedRow, NoEvents: with the number of the row, from 0, where there is one.
    """
    columns = _read_archive(source, schema) if source.suffix.lower() == ".npz" else _read_array(source, schema)
    for name, column in columns.items():
        if column.dtype.kind not in "biuf":
            raise MissingColumn(f"{source}: column {name!r} holds {column.dtype}, not numbers; save it as numbers")
        if column.ndim != 1:
            raise MissingColumn(f"{source}: column {name!r} has shape {column.shape}; save one number an event")
    _check_lengths(source, columns)
    rows, size = len(next(iter(columns.values()))), source.stat().st_size
    row_bytes = sum(column.itemsize for column in columns.values())
    step = max(batch_bytes(rows * row_bytes) // row_bytes, 1)
    for first in range(0, rows, step):
        batch = {name: column[first : first + step] for name, column in columns.items()}
        for name, values in batch.items():
            _check_values(source, first, name, values, schema.columns[name])
        yield batch, size * min(first + step, rows) // rows


def _read_array(source: Path, schema: Schema) -> dict[str, NDArray[Any]]:
    """Map a .npy file and return its columns."""
    with source.open("rb") as file:
        magic = file.read(len(MAGIC))
    if magic != MAGIC:
        raise UnreadableFile(f"{source} is {'not a numpy file' if magic else 'empty'}; download it again")
    try:
        array = np.lib.format.open_memmap(source, mode="r")
    except _DAMAGED as error:
        raise _unreadable(source, error) from error
    if source.stat().st_size != array.offset + array.nbytes:
        raise UnreadableFile(f"{source} holds more than one array; save them as .npz, each with its name")
    return _columns(source, schema, array)


def _read_archive(source: Path, schema: Schema) -> dict[str, NDArray[Any]]:
    """Read the columns from a .npz archive."""
    if not zipfile.is_zipfile(source):
        raise UnreadableFile(f"{source} is not a numpy archive, or is truncated; download it again")
    try:
        with np.load(source, allow_pickle=False) as archive:
            names = archive.files
            if len(names) == 1 and names[0] not in schema.columns:
                return _columns(source, schema, archive[names[0]])
            _check_names(source, schema, names)
            columns = {name: archive[name] for name in schema.columns}
    except _DAMAGED as error:
        raise _unreadable(source, error) from error
    for name, column in columns.items():
        if not isinstance(column, np.ndarray):
            raise UnreadableFile(f"{source}: {name!r} is not a numpy array; save it with numpy.savez")
    return columns


def _columns(source: Path, schema: Schema, array: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Take a table apart: a structured array by the names of its fields, another by the order of its columns."""
    if not isinstance(array, np.ndarray):
        raise UnreadableFile(f"{source} holds something else than numpy arrays; save it with numpy.savez")
    if array.ndim == 1 and array.dtype.names:
        _check_names(source, schema, array.dtype.names)
        return {name: array[name] for name in schema.columns}
    names = list(schema.columns)
    if array.ndim != 2 or array.shape[1] != len(names):
        raise MissingColumn(
            f"{source} has shape {array.shape}, where schema {schema.name} needs (events, {len(names)}), the columns "
            f"{', '.join(names)}; save it so, or name the schema that fits"
        )
    return {name: array[:, i] for i, name in enumerate(names)}


def _check_names(source: Path, schema: Schema, names: Iterable[str]) -> None:
    for name in schema.columns:
        if name not in names:
            raise MissingColumn(
                f"{source}: no column {name!r}, which schema {schema.name} needs; {near_names(name, names)}"
            )


def _check_lengths(source: Path, columns: Mapping[str, NDArray[Any]]) -> None:
    first, *others = columns
    rows = len(columns[first])
    for name in others:
        if len(columns[name]) != rows:
            raise MalformedRow(
                f"{source}: column {name!r} has {len(columns[name])} values, column {first!r} {rows}; save one an event"
            )
    if not rows:
        raise NoEvents(f"{source} has no rows; nothing can be analysed")


def _check_values(source: Path, first: int, name: str, values: NDArray[Any], kind: str) -> None:
    """Refuse values that their type cannot hold; `first` is the number of the first of them."""
    if bad := np.flatnonzero(~_fit(values, kind))[:1].tolist():
        raise MalformedRow(
            f"{source}, row {first + bad[0]} (from 0): column {name!r} holds {values[bad[0]]}, which no {kind} can be; "
            "mend or remove the row"
        )


def _fit(values: NDArray[Any], kind: str) -> NDArray[np.bool_]:
    """Say which values a type can hold, real ones rounded."""
    fit: NDArray[np.bool_]
    if values.dtype.kind == "b":
        return np.ones(values.shape, dtype=np.bool_)
    if kind.startswith("float"):
        with np.errstate(over="ignore"):
            fit = np.isfinite(values.astype(kind)) | ~np.isfinite(values)
        return fit
    lowest, largest = (0, 1) if kind == "bool" else (int(np.iinfo(kind).min), int(np.iinfo(kind).max))
    if values.dtype.kind == "f":
        wide = values.astype(np.float64)
        # What follows the largest integer is a power of two, and so a float, where that integer itself may not be.
        fit = (wide >= lowest) & (wide < float(largest + 1)) & (wide == np.trunc(wide))
    else:
        fit = (values >= lowest) & (values <= largest)
    return fit


def _unreadable(source: Path, error: Exception) -> UnreadableFile:
    if re.search("Python objects|Object arrays", str(error)):
        return UnreadableFile(
            f"{source} holds pickled Python objects, which could run any code and are not read; save arrays of numbers"
        )
    return UnreadableFile(f"{source} is truncated or damaged ({str(error).splitlines()[0]}); download it again")
