"""numpy files: a 2-D array or a structured one, or several of one dimension in an archive."""

from __future__ import annotations

import re
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdf.errors import UnreadableFile
from rdf.schema.model import Schema
from rdf.sources.formats import head_of, other_format
from rdf.sources.portions import Portions, check_names, check_width, read_columns

MAGIC = b"\x93NUMPY"
"""What a .npy file begins with."""

_ZIP_MAGIC = b"PK"

# What numpy and zipfile raise of files that are not whole.
_DAMAGED = (
    *(ValueError, TypeError, OverflowError, EOFError, tokenize.TokenError),
    *(zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError),
)


def read_portions(source: Path, schema: Schema) -> Portions:
    """Read the columns of the schema from a numpy file, of type bool, int, uint or float, little- or big-endian.

    Args:
        source: `.npy` with an array of shape (events, columns), its columns those of the schema in their order, or with
            a structured array of shape (events,), whose fields have the names of the columns. `.npz` with such an array
            alone, or with an array of shape (events,) for each column by its name. `.npy` is mapped and read portion by
            portion, an archive column by column. Pickled objects are never read.
        schema: says the columns and their types. Numbers may be rounded to a real type, but no other way be changed.

    Raises:
        UnreadableFile, MissingColumn, MalformedRow, NoEvents: with the number of the row, from 0, where there is one.
    """
    columns = _read_archive(source, schema) if source.suffix.lower() == ".npz" else _read_array(source, schema)

    def read(first: int, last: int) -> dict[str, NDArray[Any]]:
        return {name: column[first:last] for name, column in columns.items()}

    yield from read_columns(source, schema, columns, read)


def _read_array(source: Path, schema: Schema) -> dict[str, NDArray[Any]]:
    """Map a .npy file and return its columns."""
    with source.open("rb") as file:
        magic = file.read(len(MAGIC))
    if not magic or not MAGIC.startswith(magic):
        raise other_format(source, "a numpy array")
    try:
        array = np.lib.format.open_memmap(source, mode="r")
    except _DAMAGED as error:
        raise _unreadable(source, error) from error
    if source.stat().st_size != array.offset + array.nbytes:
        raise UnreadableFile(f"{source} holds more than one array; save them as .npz, each with its name")
    return _columns(source, schema, array)


def _read_archive(source: Path, schema: Schema) -> dict[str, NDArray[Any]]:
    """Read the columns from a .npz archive."""
    if not head_of(source).startswith(_ZIP_MAGIC):
        raise other_format(source, "a numpy archive")
    if not zipfile.is_zipfile(source):
        raise UnreadableFile(f"{source} is truncated or damaged; download it again")
    try:
        with np.load(source, allow_pickle=False) as archive:
            names = archive.files
            if len(names) == 1 and names[0] not in schema.columns:
                return _columns(source, schema, archive[names[0]])
            check_names(source, schema, names)
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
        check_names(source, schema, array.dtype.names)
        return {name: array[name] for name in schema.columns}
    check_width(f"{source}", schema, array.shape)
    return {name: array[:, i] for i, name in enumerate(schema.columns)}


def _unreadable(source: Path, error: Exception) -> UnreadableFile:
    if re.search("Python objects|Object arrays", str(error)):
        return UnreadableFile(
            f"{source} holds pickled Python objects, which could run any code and are not read; save arrays of numbers"
        )
    return UnreadableFile(f"{source} is truncated or damaged ({str(error).splitlines()[0]}); download it again")
