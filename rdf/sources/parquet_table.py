"""Parquet files: columns by name, of numbers or of lists of numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import NDArray

from rdf.errors import MalformedRow, MissingColumn, NoEvents, UnreadableFile
from rdf.schema.model import Schema
from rdf.sources.formats import head_of, other_format
from rdf.sources.portions import Portions, Vectors, check_names, check_values, portion_bytes

MAGIC = b"PAR1"
"""What a Parquet file begins and ends with."""


def read_portions(source: Path, schema: Schema) -> Portions:
    """Read the columns of the schema from a Parquet file, portion by portion.

    Args:
        source: its columns are of type bool, int, uint or float, or lists of such for columns that the schema says
            have several values in an event. A missing value (null) is NaN in a real column, and refused in another.
        schema: says the columns and their types. Numbers may be rounded to a real type, but no other way be changed.

    Raises:
        UnreadableFile, MissingColumn, MalformedRow, NoEvents: with the number of the row, from 0, where there is one.
    """
    if not head_of(source).startswith(MAGIC):
        raise other_format(source, "a Parquet file")
    with _readable(source), pa.parquet.ParquetFile(source, page_checksum_verification=True) as file:
        _check_columns(source, schema, file.schema_arrow)
        rows, size = file.metadata.num_rows, source.stat().st_size
        if not rows:
            raise NoEvents(f"{source} has no rows; nothing can be analysed")
        step = max(portion_bytes(size) * rows // size, 1)
        first = 0
        for table in file.iter_batches(step, columns=list(schema.columns), use_threads=False):
            portion = {
                name: _values(source, first, name, table.column(name), kind) for name, kind in schema.columns.items()
            }
            first += len(table)
            yield portion, size * first // rows


@contextmanager
def _readable(source: Path) -> Iterator[None]:
    """Turn what pyarrow raises of a damaged file into one of our own."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise UnreadableFile(
            f"{source} is truncated or damaged ({str(error).splitlines()[0]}); get it again"
        ) from error


def _check_columns(source: Path, schema: Schema, found: Any) -> None:
    """Refuse columns that are missing, or hold something else than the numbers that the schema says."""
    check_names(source, schema, found.names)
    for name, kind in schema.columns.items():
        if found.names.count(name) > 1:
            raise MissingColumn(f"{source}: column {name!r} appears {found.names.count(name)} times; rename one")
        arrow = found.field(name).type
        several = _is_list(arrow)
        number = arrow.value_type if several else arrow
        if not (pa.types.is_boolean(number) or pa.types.is_integer(number) or pa.types.is_floating(number)):
            raise MissingColumn(f"{source}: column {name!r} holds {arrow}, not numbers; save it as numbers")
        if several != kind.endswith("[]"):
            raise MissingColumn(
                f"{source}: column {name!r} holds {arrow}, where schema {schema.name} says {kind}; name the schema "
                "that fits, or mend it"
            )


def _is_list(arrow: Any) -> bool:
    return any(is_it(arrow) for is_it in (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list))


def _values(source: Path, first: int, name: str, column: Any, kind: str) -> NDArray[Any] | Vectors:
    """Return the values of a column; `first` is the number of its first row."""
    if not kind.endswith("[]"):
        rows = np.arange(first, first + len(column))
        return _numbers(source, rows, name, column, kind)
    _refuse_nulls(source, np.arange(first, first + len(column)), name, column)
    counts = column.value_lengths().to_numpy(zero_copy_only=False)
    rows = np.repeat(np.arange(first, first + len(column)), counts)
    values = _numbers(source, rows, name, column.flatten(), kind.removesuffix("[]"))
    return Vectors(values, counts)


def _numbers(source: Path, rows: NDArray[np.int64], name: str, column: Any, kind: str) -> NDArray[Any]:
    """Return the numbers of an array; `rows` are those that they stand in."""
    if column.null_count and not (kind.startswith("float") and pa.types.is_floating(column.type)):
        if not kind.startswith("float"):
            _refuse_nulls(source, rows, name, column)
        column = column.cast(pa.float64())
    values: NDArray[Any] = column.to_numpy(zero_copy_only=False)
    check_values(source, rows, name, values, kind)
    return values


def _refuse_nulls(source: Path, rows: NDArray[np.int64], name: str, column: Any) -> None:
    if column.null_count:
        row = rows[np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))[0]]
        raise MalformedRow(
            f"{source}, row {row} (from 0): column {name!r} has no value (null); give it one or remove the row"
        )
