"""Tables of events on their way from a file to an RNTuple: portion by portion, each of them columns of numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rdf.errors import MalformedRow, MissingColumn, NoEvents, near_names
from rdf.schema.model import Schema

WRITTEN_INFINITY = re.compile(r"\s*[+-]?inf(inity)?\s*", re.IGNORECASE)
"""How a text says infinite. Other texts that are read as infinite are numbers too large for their type."""


@dataclass(frozen=True)
class Vectors:
    """A column with any number of values in an event.

    Attributes:
        values: of all events, one event behind the other.
        counts: how many of them each event has, shape (events,).
    """

    values: NDArray[Any]
    counts: NDArray[np.integer[Any]]

    def __len__(self) -> int:
        """Number of events."""
        return len(self.counts)


Portion = Mapping[str, NDArray[Any] | Vectors]
"""Column -> its values for some successive events."""

Portions = Iterator[tuple[Portion, int]]
"""Portions of a file, in order, each with the bytes of the file that are read with it."""


class Column(Protocol):
    """What a column of a binary file says of itself before it is read: an array does, and a data set on disk."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of its values."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(events,) if it is what it should be."""


Read = Callable[[int, int], Mapping[str, NDArray[Any]]]
"""Reads the columns of a half-open range of rows."""


def portion_bytes(size: int) -> int:
    """Return how many bytes of a file of that size to read as one portion.

    A portion becomes a cluster, and so work for one core: a file should make many of them.
    """
    return min(max(size // 32, 1 << 16), 1 << 24)


def read_columns(source: Path, schema: Schema, columns: Mapping[str, Column], read: Read, block: int = 1) -> Portions:
    """Read columns of type bool, int, uint or float, little- or big-endian, portion by portion.

    Args:
        source: the file.
        schema: says the types wanted. Numbers may be rounded to a real type, but no other way be changed.
        columns: those of the schema.
        read: gives their values.
        block: rows that are best read together, as the file keeps them.

    Raises:
        MissingColumn, MalformedRow, NoEvents: with the number of the row, from 0, where there is one.
    """
    for name, column in columns.items():
        if column.dtype.kind not in "biuf":
            raise MissingColumn(f"{source}: column {name!r} holds {column.dtype}, not numbers; save it as numbers")
        if len(column.shape) != 1:
            raise MissingColumn(f"{source}: column {name!r} has shape {column.shape}; save one number an event")
    rows, size = _length(source, columns), source.stat().st_size
    row_bytes = sum(column.dtype.itemsize for column in columns.values())
    step = max(portion_bytes(rows * row_bytes) // row_bytes, 1)
    together = -(-step // block) * block
    for start in range(0, rows, together):
        values_of = read(start, min(start + together, rows))
        for first in range(0, len(next(iter(values_of.values()))), step):
            portion = {name: values[first : first + step] for name, values in values_of.items()}
            for name, values in portion.items():
                rows_of = range(start + first, start + first + len(values))
                check_values(source, rows_of, name, values, schema.columns[name])
            yield portion, size * min(start + first + step, rows) // rows


def check_names(source: Path, schema: Schema, names: Iterable[str], remedy: str = "") -> None:
    """Refuse a table that lacks a column of the schema, by name."""
    names = list(names)
    for name in schema.columns:
        if name not in names:
            raise MissingColumn(
                f"{source}: no column {name!r}, which schema {schema.name} needs; {near_names(name, names)}{remedy}"
            )


def check_width(what: str, schema: Schema, shape: tuple[int, ...]) -> None:
    """Refuse what is not a table of two dimensions with as many columns as the schema has."""
    names = list(schema.columns)
    if len(shape) != 2 or shape[1] != len(names):
        raise MissingColumn(
            f"{what} has shape {shape}, where schema {schema.name} needs (events, {len(names)}), the columns "
            f"{', '.join(names)}; save it so, or name the schema that fits"
        )


def _length(source: Path, columns: Mapping[str, Column]) -> int:
    """Return the number of rows, which all columns have."""
    first, *others = columns
    rows = columns[first].shape[0]
    for name in others:
        if columns[name].shape[0] != rows:
            raise MalformedRow(
                f"{source}: column {name!r} has {columns[name].shape[0]} values, column {first!r} {rows}; "
                "save one an event"
            )
    if not rows:
        raise NoEvents(f"{source} has no rows; nothing can be analysed")
    return rows


def check_values(
    source: Path, rows: Sequence[int] | NDArray[np.int64], name: str, values: NDArray[Any], kind: str
) -> None:
    """Refuse values that their type cannot hold; `rows` are the numbers of the rows that they stand in."""
    if bad := np.flatnonzero(~_fit(values, kind))[:1].tolist():
        raise MalformedRow(
            f"{source}, row {rows[bad[0]]} (from 0): column {name!r} holds {values[bad[0]]}, which no {kind} "
            "can be; mend or remove the row"
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
