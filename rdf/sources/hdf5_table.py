"""HDF5 files: a data set of two dimensions, one of records, one of one dimension for each column, or pandas' tables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from rdf.errors import MissingColumn, NoEvents, UnreadableFile, near_names
from rdf.schema.model import Schema
from rdf.sources.column_names import Label, names_beside, words_of
from rdf.sources.formats import other_format
from rdf.sources.pandas_frames import blocks_of, is_block, is_empty_block, is_frame, items_of, labels_of_field
from rdf.sources.portions import Portions, Read, check_names, check_width, read_columns

# What h5py raises of files that are not whole, or whose structure is damaged.
_DAMAGED = (OSError, RuntimeError, ValueError, TypeError, KeyError, OverflowError, MemoryError)

_INDEX = re.compile(r"(.*/)?_i_")
"""Paths of what PyTables keeps for its searches beside a table."""


@dataclass(frozen=True)
class _Place:
    """Where a column of a table is.

    Attributes:
        data: data set that holds it.
        field: of records.
        index: of a data set, or of the field, with several columns.
    """

    data: h5py.Dataset
    field: str | None = None
    index: int | None = None

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""
        return self._kind.base

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the column, () of one without any values."""
        shape = (*(self.data.shape or ()), *self._kind.shape)
        return shape if self.index is None else shape[:-1]

    @property
    def _kind(self) -> np.dtype[Any]:
        kind: np.dtype[Any] = self.data.dtype
        return kind if self.field is None else kind[self.field]

    def values(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Return the column's values in rows of the data set."""
        values = rows if self.field is None else rows[self.field]
        return values if self.index is None else values[..., self.index]


def read_portions(source: Path, schema: Schema) -> Portions:
    """Read the columns of the schema from an HDF5 file, of type bool, int, uint or float, little- or big-endian.

    Args:
        source: its table is what the key `dataset` of the schema is the path of:

            - a data set of shape (events, columns), its columns by the names that lie beside it in the file; where
              there are none, those of the schema in their order;
            - a data set of records of shape (events,), whose fields have the names of the columns, as PyTables writes;
            - a group with a data set of shape (events,) for each column by its name;
            - a group that pandas wrote, of either format, or one of the data sets in it: columns by their names, or
              those of the schema in their order where pandas numbered all of them.

            Without that key it is the file's only data set, if that is at its root and one of the first two; else the
            root's data sets by their names, or the file's only table of pandas. Whatever it is, it is read portion by
            portion.
        schema: says the columns and their types. Numbers may be rounded to a real type, but no other way be changed.

    Raises:
        UnreadableFile: not an HDF5 file, truncated, damaged, or compressed by a filter that is not there.
        MissingColumn: no such data set, or of another shape or kind.
        MalformedRow, NoEvents: data sets differ in length, or a value does not fit; with the number of the row, from 0.
    """
    with _opened(source) as file:
        with _readable(source):
            places = _places(source, schema, _find_table(source, schema, file))
            sets = list({place.data.name: place.data for place in places.values()}.values())
            for data in sets:
                _check_filters(source, data)
        block = max(_chunk_rows(data) for data in sets)
        yield from read_columns(source, schema, places, _reader(source, places, sets), block)


@contextmanager
def _opened(source: Path) -> Iterator[h5py.File]:
    try:
        file = h5py.File(source, "r")
    except _DAMAGED as error:
        reason = _reason(error)
        if "signature not found" in reason:
            raise other_format(source, "an HDF5 file") from error
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
    if not schema.columns.keys() <= found.keys():
        frames: list[h5py.Group] = []
        file.visititems(lambda _, item: frames.append(item) if is_frame(item) else None)
        if len(frames) > 1:
            names = ", ".join(sorted(frame.name for frame in frames))
            raise MissingColumn(
                f"{source} holds several tables of pandas, {names}; name one by the schema's key `dataset`"
            )
        if frames:
            return frames[0]
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
    return [path for path in dict.fromkeys([*own, *below]) if not _INDEX.match(path)]


def _places(source: Path, schema: Schema, table: h5py.Dataset | h5py.Group) -> dict[str, _Place]:
    """Return where each column of the schema is in a table, or in the group that is one."""
    if isinstance(table, h5py.Group):
        return _in_frame(source, schema, table) if is_frame(table) else _in_group(source, schema, table)
    if table.dtype.names and len(table.shape) == 1:
        return _in_records(source, schema, table)
    if is_block(table):
        return _by_labels(source, schema, _in_block(source, table), table.parent)
    return _in_matrix(source, schema, table)


def _in_group(source: Path, schema: Schema, group: h5py.Group) -> dict[str, _Place]:
    remedy = "" if schema.dataset else "; or name a group or data set by the schema's key `dataset`"
    check_names(source, schema, _paths(group), remedy)
    return {name: _Place(group[name]) for name in schema.columns}


def _in_matrix(source: Path, schema: Schema, table: h5py.Dataset) -> dict[str, _Place]:
    """Find the columns of a data set of two dimensions by the names beside it; by their order where there are none."""
    beside = []
    if len(table.shape or ()) == 2:
        beside = names_beside(table, list(schema.columns), partial(_check_filters, source))
    if not beside:
        check_width(f"{source}: data set {table.name!r}", schema, table.shape or ())
        return {name: _Place(table, index=i) for i, name in enumerate(schema.columns)}
    fitting = [(place, names) for place, names in beside if all(names.count(name) == 1 for name in schema.columns)]
    if not fitting:
        place, names = beside[0]
        wrong = next(name for name in schema.columns if names.count(name) != 1)
        what = f"column {wrong!r} {names.count(wrong)} times" if wrong in names else f"no column {wrong!r}"
        raise MissingColumn(
            f"{source}: the {place} names {what} of the data set {table.name!r}, which schema {schema.name} needs; "
            f"{near_names(wrong, names)}"
        )
    found = [{name: names.index(name) for name in schema.columns} for _, names in fitting]
    if any(other != found[0] for other in found):
        places = " and ".join(place for place, _ in fitting)
        raise MissingColumn(f"{source}: {places} name the columns of {table.name!r} in different orders; mend one")
    return {name: _Place(table, index=i) for name, i in found[0].items()}


def _in_records(source: Path, schema: Schema, table: h5py.Dataset) -> dict[str, _Place]:
    """Find the columns among the fields of records, and in the fields of several columns that pandas makes."""
    kinds = {name: table.dtype[name] for name in table.dtype.names}
    places: dict[Label, _Place] = {name: _Place(table, name) for name in kinds}
    unnamed = []
    for field, kind in kinds.items():
        if len(kind.shape) == 1 and field not in schema.columns:
            labels = labels_of_field(table, field)
            if labels is None or len(labels) != kind.shape[0]:
                unnamed.append(field)
            else:
                places |= {label: _Place(table, field, i) for i, label in enumerate(labels)}
    if unnamed and not schema.columns.keys() <= places.keys():
        raise _unnamed(source, f"{table.name}: {', '.join(unnamed)}")
    return _by_labels(source, schema, places, table)


def _in_frame(source: Path, schema: Schema, group: h5py.Group) -> dict[str, _Place]:
    """Find the columns of a table that pandas wrote, of the format `fixed` or `table`."""
    blocks = blocks_of(group)
    if not blocks:
        return _in_records(source, schema, group["table"])
    places: dict[Label, _Place] = {}
    columns = 0
    for values in blocks:
        block = _in_block(source, values)
        places |= block
        columns += len(block)
    if len(places) < columns:
        raise MissingColumn(f"{source}: {group.name!r} has columns of the same name; rename them")
    return _by_labels(source, schema, places, group)


def _in_block(source: Path, values: h5py.Dataset) -> dict[Label, _Place]:
    """Find the columns of a block of the format `fixed` by their labels."""
    labels = items_of(values)
    if labels is not None:
        _check_filters(source, labels)
    items = None if labels is None else words_of(labels[()])
    if items is None:
        raise _unnamed(source, values.name)
    if is_empty_block(values):
        raise NoEvents(f"{source} has no rows; nothing can be analysed")
    if len(set(items)) < len(items):
        raise MissingColumn(f"{source}: {values.name!r} has columns of the same name; rename them")
    if len(values.shape) == 2 and values.shape[1] != len(items):
        raise MissingColumn(f"{source}: {values.name!r} has shape {values.shape} for {len(items)} names; write it anew")
    return {label: _Place(values, index=i if len(values.shape) == 2 else None) for i, label in enumerate(items)}


def _by_labels(
    source: Path, schema: Schema, places: Mapping[Label, _Place], table: h5py.Dataset | h5py.Group
) -> dict[str, _Place]:
    """Return the places of the schema's columns by their names; by their order if all of them are numbered from 0."""
    numbered = {label: place for label, place in places.items() if isinstance(label, int)}
    names = [label for label in places if isinstance(label, str)]
    if numbered and not schema.columns.keys() <= set(names):
        if sorted(numbered) == list(range(len(schema.columns))):
            return {name: numbered[i] for i, name in enumerate(schema.columns)}
        raise MissingColumn(
            f"{source}: {table.name!r} has {len(numbered)} columns with numbers for names, where schema {schema.name} "
            f"has {len(schema.columns)}, {', '.join(schema.columns)}; name them, or list all of them in the schema"
        )
    check_names(source, schema, names)
    return {name: places[name] for name in schema.columns}


def _unnamed(source: Path, what: str) -> MissingColumn:
    return MissingColumn(
        f"{source}: no names that can be read without running code lie beside the columns of {what}; write the table "
        'by to_hdf(..., format="table", data_columns=True) or to_parquet(...)'
    )


def _reader(source: Path, places: Mapping[str, _Place], sets: Sequence[h5py.Dataset]) -> Read:
    """Return what reads the columns of a range of rows, each data set once."""
    fields: dict[str, list[str]] = {}
    for place in places.values():
        if place.field and place.field not in fields.setdefault(place.data.name, []):
            fields[place.data.name].append(place.field)

    def read(first: int, last: int) -> dict[str, NDArray[Any]]:
        rows = {}
        for data in sets:
            chosen = data.fields(fields[data.name]) if data.name in fields else data
            rows[data.name] = _read_rows(source, data, chosen, first, last)
        return {name: place.values(rows[place.data.name]) for name, place in places.items()}

    return read


def _read_rows(source: Path, data: h5py.Dataset, chosen: Any, first: int, last: int) -> NDArray[Any]:
    """Read rows of a data set, or of the chosen ones of its fields."""
    with _readable(source, f": data set {data.name!r}"):
        rows: NDArray[Any] = chosen[first:last]
    return rows


def _chunk_rows(data: h5py.Dataset) -> int:
    """Return how many rows HDF5 unpacks at once, also where fewer are read."""
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
