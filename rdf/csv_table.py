"""CSV files, read by pyarrow and checked against the schema.

RDataFrame's own CSV reader is not used: it crashes on rows that are too short or too long, and silently truncates
numbers that do not fit the type it guessed.
"""

from __future__ import annotations

import csv
import re
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from rdf.batches import WRITTEN_INFINITY, Batches, batch_bytes
from rdf.errors import MalformedRow, MissingColumn, NoEvents, SourceError, UnreadableFile, near_names
from rdf.schema import Schema


def read_batches(source: Path, schema: Schema) -> Batches:
    """Read the columns of the schema from a comma-separated file whose first line names its columns.

    An empty field of a real column is NaN.

    Raises:
        UnreadableFile, MissingColumn, MalformedRow, NoEvents: with the line number where there is one.
    """
    names = _header(source, schema)
    types = {name: pa.type_for_alias(kind) for name, kind in schema.columns.items()}
    rows = 0
    suspicious: set[str] = set()
    try:
        with (
            source.open("rb") as file,
            pa.csv.open_csv(
                file,
                # Only one thread reports the number of a bad row.
                pa.csv.ReadOptions(use_threads=False, block_size=batch_bytes(source.stat().st_size)),
                pa.csv.ParseOptions(newlines_in_values=False),
                pa.csv.ConvertOptions(column_types=types, include_columns=list(types), null_values=[""]),
            ) as reader,
        ):
            for table in reader:
                batch: dict[str, NDArray[Any]] = {}
                for name, column in zip(table.schema.names, table.columns, strict=True):
                    if column.null_count and not pa.types.is_floating(column.type):
                        row = rows + int(np.flatnonzero(column.is_null())[0])
                        raise MalformedRow(
                            f"{source}, line {_line(source, row)}: column {name!r} is empty; mend or remove the row"
                        )
                    values = column.to_numpy(zero_copy_only=False)
                    batch[name] = values
                    if values.dtype.kind == "f" and np.isinf(values).any():
                        suspicious.add(name)
                rows += len(table)
                yield batch, file.tell()
    except pa.ArrowInvalid as error:
        raise _malformed(source, names, str(error)) from error
    if not rows:
        raise NoEvents(f"{source} has no rows below its header; nothing can be analysed")
    if suspicious:
        _refuse_overflow(source, schema, sorted(suspicious))


def _header(source: Path, schema: Schema) -> list[str]:
    """Return the names in the first line, once all that the schema lists are among them, each once."""
    try:
        with source.open(encoding="utf-8-sig", newline="") as file:
            names = next(csv.reader(line for line in file if line.strip("\r\n")), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnreadableFile(f"{source} is not a CSV file: {error}; download it again") from error
    if not names:
        raise UnreadableFile(f"{source} is empty; download it again")
    for name in schema.columns:
        if name not in names:
            raise MissingColumn(
                f"{source}, line 1: no column {name!r}, which schema {schema.name} needs; {near_names(name, names)}"
            )
        if names.count(name) > 1:
            raise MalformedRow(f"{source}, line 1: column {name!r} appears {names.count(name)} times; rename one")
    return names


def _line(source: Path, row: int) -> int:
    """Return the number of the line, from 1, that holds the row (from 0, the header not counted).

    pyarrow counts rows and leaves out blank lines, a reader's editor does not.
    """
    with source.open("rb") as file:
        filled = (number for number, line in enumerate(file, start=1) if line.strip(b"\r\n"))
        return next(islice(filled, row + 1, None), row + 2)


def _malformed(source: Path, names: list[str], message: str) -> SourceError:
    """Translate pyarrow's message into one that names line, column and remedy."""
    found = re.search(r"Row #(\d+): (.*)", message, re.DOTALL)
    if not found:
        return UnreadableFile(f"{source} is not a CSV file: {message.splitlines()[0]}; download it again")
    line = _line(source, int(found[1]) - 2)
    what = found[2].splitlines()[0]
    if counts := re.search(r"Expected (\d+) columns, got (\d+)", what):
        return MalformedRow(
            f"{source}, line {line}: {counts[2]} fields where the header has {counts[1]}; mend or remove the row"
        )
    column = re.search(r"In CSV column #(\d+)", message)
    value = re.search(r"conversion error to (\w+): invalid value '(.*)'?", what)
    name = names[int(column[1])] if column else "?"
    if value:
        text = value[2].removesuffix("'")
        return MalformedRow(
            f"{source}, line {line}: column {name!r} holds {text!r}, which is not a {value[1]}; mend or remove the row"
        )
    return MalformedRow(f"{source}, line {line}, column {name!r}: {what}; mend or remove the row")


def _refuse_overflow(source: Path, schema: Schema, columns: list[str]) -> None:
    """Refuse a number too large for its type, which pyarrow reads as infinite; a written infinity is let through.

    Events with a written infinity are dropped and counted by the selection.
    """
    row = 0
    with pa.csv.open_csv(
        source,
        pa.csv.ReadOptions(use_threads=False),
        convert_options=pa.csv.ConvertOptions(
            column_types=dict.fromkeys(columns, pa.string()), include_columns=columns
        ),
    ) as reader:
        for batch in reader:
            for name, column in zip(columns, batch.columns, strict=True):
                kind = schema.columns[name]
                texts = column.to_pylist()
                with np.errstate(over="ignore"):
                    values = np.array([_as_float(text) for text in texts]).astype(kind)
                for i in np.flatnonzero(np.isinf(values)):
                    if not WRITTEN_INFINITY.fullmatch(texts[i]):
                        raise MalformedRow(
                            f"{source}, line {_line(source, row + int(i))}: column {name!r} holds {texts[i]!r}, which "
                            f"is too large for a {kind}; mend or remove the row"
                        )
            row += len(batch)


def _as_float(text: str) -> float:
    return float(text) if text.strip() else float("nan")
