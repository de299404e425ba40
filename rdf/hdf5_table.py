"""HDF5 files: a data set of two dimensions, one of records, or one of one dimension for each column."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from rdf.batches import Batches, Read, check_names, check_width, read_columns
from rdf.errors import MissingColumn, UnreadableFile, near_names
from rdf.schema import Schema

# What h5py raises of files that are not whole, or whose structure is damaged.
_DAMAGED = (OSError, RuntimeError, ValueError, TypeError, KeyError, OverflowError, MemoryError)


@dataclass(frozen=True)
class _Column:
    """What a file says of a column: the type of its values, and the shape, () of one without any."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]


@dataclass(frozen=True)
class _Columns:
    """The columns of a table: what the file says of each, the data sets that hold them, and how they are read."""

    described: Mapping[str, _Column]
    sets: Sequence[h5py.Dataset]
    read: Read


def read_batches(source: Path, schema: Schema) -> Batches:
    """Read the columns of the schema from an HDF5 file, of type bool, int, uint or float, little- or big-endian.

    Args:
        source: its table is what the key `dataset` of the schema is the path of:

            - a data set of shape (events, columns), its columns those of the schema in their order;
            - a data set of records of shape (events,), whose fields have the names of the columns, as PyTables writes;
            - a group with a data set of shape (events,) for each column by its name.

            Without that key it is the file's only data set, if that is at its root and one of the first two; else the
            root's data sets by their names. Whatever it is, it is read batch by batch.
        schema: says the columns and their types. Numbers may be rounded to a real type, but no other way be changed.

    Raises:
        UnreadableFile: not an HDF5 file, truncated, damaged, or compressed by a filter that is not there.
        MissingColumn: no such data set, or of another shape or kind.
        MalformedRow, NoEvents: data sets differ in length, or a value does not fit; with the number of the row, from 0.
    """
    with _opened(source) as file:
        with _readable(source):
            table = _find_table(source, schema, file)
            if isinstance(table, h5py.Group):
                columns = _columns_of_group(source, schema, table)
            elif table.dtype.names and len(table.shape) == 1:
                columns = _columns_of_records(source, schema, table)
            else:
                columns = _columns_of_matrix(source, schema, table)
            for data in columns.sets:
                _check_filters(source, data)
        block = max(_chunk_rows(data) for data in columns.sets)
        yield from read_columns(source, schema, columns.described, columns.read, block)


@contextmanager
def _opened(source: Path) -> Iterator[h5py.File]:
    try:
        file = h5py.File(source, "r")
    except _DAMAGED as error:
        reason = _reason(error)
        if "signature not found" in reason:
            what = "not an HDF5 file" if source.stat().st_size else "empty"
            raise UnreadableFile(f"{source} is {what}; download it again") from error
        raise UnreadableFile(
            f"{source} cannot be opened as HDF5 ({reason}); close what is writing it, or download it again"
        ) from error
    with file:
        yield file


@contextmanager
def _readable(source: Path, what: str = "") -> Iterator[None]:
    """Turn what h5py raises of a damaged file into one of our own."""
    try:
        yield
    except _DAMAGED as error:
        raise UnreadableFile(f"{source}{what} is damaged ({_reason(error)}); download it again") from error


def _reason(error: Exception) -> str:
    """Return what HDF5 says went wrong, without the operation that it happened in."""
    text = (" ".join(str(error).split()) or type(error).__name__).strip("'\"")
    reason = re.search(r"\((.+)\)$", text)
    return reason[1] if reason else text


def _find_table(source: Path, schema: Schema, file: h5py.File) -> h5py.Dataset | h5py.Group:
    """Return the data set that is the table, or the group of data sets that are its columns."""
    if schema.dataset is not None:
        table = _get(file, schema.dataset)
        if table is None:
            raise MissingColumn(
                f"{source}: no data set or group {schema.dataset!r}, which schema {schema.name} names; "
                f"{near_names(schema.dataset.strip('/'), _paths(file))}"
            )
        return table
    found = {name: item for name in file if isinstance(item := _get(file, name), h5py.Dataset)}
    if len(found) == 1:
        (only,) = found.values()
        if len(only.shape or ()) == 2 or only.dtype.names:
            return only
    return file


def _get(group: h5py.Group, path: str) -> h5py.Dataset | h5py.Group | None:
    """Return what a group has under a path; None where there is nothing, or a link that leads nowhere."""
    try:
        item = group.get(path)
    except KeyError:
        return None
    return item if isinstance(item, h5py.Dataset | h5py.Group) else None


def _paths(group: h5py.Group) -> list[str]:
    """Return the paths of all data sets in a group and below."""
    own = [name for name in group if isinstance(_get(group, name), h5py.Dataset)]
    below: list[str] = []
    group.visititems(lambda path, item: below.append(path) if isinstance(item, h5py.Dataset) else None)
    return list(dict.fromkeys([*own, *below]))


def _columns_of_group(source: Path, schema: Schema, group: h5py.Group) -> _Columns:
    remedy = "" if schema.dataset else "; or name a group or data set by the schema's key `dataset`"
    check_names(source, schema, _paths(group), remedy)
    sets = {name: group[name] for name in schema.columns}

    def read(first: int, last: int) -> dict[str, NDArray[Any]]:
        return {name: _read_rows(source, data, data, first, last) for name, data in sets.items()}

    described = {name: _Column(data.dtype, data.shape or ()) for name, data in sets.items()}
    return _Columns(described, list(sets.values()), read)


def _columns_of_records(source: Path, schema: Schema, table: h5py.Dataset) -> _Columns:
    check_names(source, schema, table.dtype.names)
    kinds = {name: table.dtype[name] for name in schema.columns}
    wanted = table.fields(list(kinds))

    def read(first: int, last: int) -> dict[str, NDArray[Any]]:
        records = _read_rows(source, table, wanted, first, last)
        return {name: records[name] for name in kinds}

    described = {name: _Column(kind.base, (*table.shape, *kind.shape)) for name, kind in kinds.items()}
    return _Columns(described, [table], read)


def _columns_of_matrix(source: Path, schema: Schema, table: h5py.Dataset) -> _Columns:
    shape = table.shape or ()
    check_width(f"{source}: data set {table.name!r}", schema, shape)

    def read(first: int, last: int) -> dict[str, NDArray[Any]]:
        rows = _read_rows(source, table, table, first, last)
        return {name: rows[:, i] for i, name in enumerate(schema.columns)}

    return _Columns({name: _Column(table.dtype, shape[:1]) for name in schema.columns}, [table], read)


def _read_rows(source: Path, data: h5py.Dataset, part: Any, first: int, last: int) -> NDArray[Any]:
    """Read rows of a data set, or of a part of its fields."""
    with _readable(source, f": data set {data.name!r}"):
        rows: NDArray[Any] = part[first:last]
    return rows


def _chunk_rows(data: h5py.Dataset) -> int:
    """Return how many rows HDF5 unpacks at once, whatever part of them is read."""
    return int(data.chunks[0]) if data.chunks else 1


def _check_filters(source: Path, data: h5py.Dataset) -> None:
    """Refuse a data set that is compressed by what this HDF5 library has not."""
    filters = data.id.get_create_plist()
    for i in range(filters.get_nfilters()):
        number, _, _, name = filters.get_filter(i)
        if not h5py.h5z.filter_avail(number):
            raise UnreadableFile(
                f"{source}: data set {data.name!r} is compressed by the filter {number} ({name.decode()}), which is "
                "not installed; set HDF5_PLUGIN_PATH to the folder of its plugin, or write the file with gzip"
            )
