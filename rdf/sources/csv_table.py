"""Tables of text (CSV and its kin), read by pyarrow and checked against the schema.

RDataFrame's own CSV reader is not used: it crashes on rows that are too short or too long, and silently truncates
numbers that do not fit the type it guessed.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from rdf.errors import MalformedRow, MissingColumn, NoEvents, SourceError, UnreadableFile, near_names
from rdf.schema.model import Schema
from rdf.sources.formats import known_format, not_utf8, other_format
from rdf.sources.portions import WRITTEN_INFINITY, Portions, portion_bytes
from rdf.sources.text_file import line_number, opened

BLANKS = " "
"""The separator of fields between which any number of blanks and tabs stand."""

_SEPARATORS = (",", ";", "\t", BLANKS)
_HEAD = 1 << 20  # bytes in which the first line has to end
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)?")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|[+-]?(?:nan|inf(?:inity)?)", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(?:e[+-]?\d+)?", re.IGNORECASE)


@dataclass(frozen=True)
class _Form:
    """How a table is written.

    Attributes:
        separator: the character between two fields.
        names: of its columns, in their order; what the schema does not list has a name that no column can have.
        named: whether its first line names them; otherwise it is an event.
        lines: that stand before the first event.
        begin: bytes before the first event.
        longest: bytes in the longest line at its beginning.
    """

    separator: str
    names: Sequence[str]
    named: bool
    lines: int
    begin: int
    longest: int


def read_portions(source: Path, schema: Schema) -> Portions:
    """Read the columns of the schema from a table of text: a line an event, packed by gzip or not.

    Args:
        source: its fields are separated by commas, semicolons, tabs or blanks, whichever gives the schema's names in
            the first line. Where that line holds numbers alone, as many as the schema has columns, there is no header
            and the columns are those of the schema in their order. An empty field of a real column is NaN.
        schema: says the columns and their types.

    Raises:
        UnreadableFile, MissingColumn, MalformedRow, NoEvents: with the line number where there is one.
    """
    form = _form_of(source, schema)
    types = {name: pa.type_for_alias(kind) for name, kind in schema.columns.items()}
    rows = 0
    suspicious: set[str] = set()
    try:
        with opened(source) as text, _opened_csv(source, form, text.unpacked, types) as reader:
            for table in reader:
                portion: dict[str, NDArray[Any]] = {}
                for name, column in zip(table.schema.names, table.columns, strict=True):
                    if column.null_count and not pa.types.is_floating(column.type):
                        row = rows + int(np.flatnonzero(column.is_null())[0])
                        raise MalformedRow(
                            f"{source}, line {_line(source, form, row)}: column {name!r} is empty; mend or remove the "
                            "row"
                        )
                    values = column.to_numpy(zero_copy_only=False)
                    portion[name] = values
                    if values.dtype.kind == "f" and np.isinf(values).any():
                        suspicious.add(name)
                rows += len(table)
                yield portion, text.bytes_read()
    except pa.ArrowInvalid as error:
        if "Empty CSV file" not in str(error):
            raise _malformed(source, form, str(error)) from error
    if not rows:
        raise NoEvents(f"{source} has no rows below its header; nothing can be analysed")
    if suspicious:
        _refuse_overflow(source, schema, form, sorted(suspicious))


def has_header(source: Path, schema: Schema) -> bool:
    """Say whether the first line of a table names its columns; otherwise they are in the schema's order.

    Raises:
        UnreadableFile, MissingColumn, MalformedRow: it cannot be told.
    """
    return _form_of(source, schema).named


def _opened_csv(source: Path, form: _Form, unpacked: BinaryIO, types: dict[str, Any]) -> Any:
    """Return pyarrow's reader of the columns of these types, at the first event."""
    unpacked.read(form.begin)
    rows = cast("BinaryIO", io.BufferedReader(_Separated(source, unpacked))) if form.separator == BLANKS else unpacked
    return pa.csv.open_csv(
        rows,
        # Only one thread reports the number of a bad row.
        pa.csv.ReadOptions(
            use_threads=False,
            column_names=form.names,
            block_size=max(portion_bytes(source.stat().st_size), 4 * form.longest),
        ),
        pa.csv.ParseOptions(
            delimiter="," if form.separator == BLANKS else form.separator,
            newlines_in_values=False,
        ),
        pa.csv.ConvertOptions(column_types=types, include_columns=list(types), null_values=[""]),
    )


class _Separated(io.RawIOBase):
    """The lines of a text whose fields stand between blanks, with commas in their place, as pyarrow needs them."""

    def __init__(self, source: Path, unpacked: BinaryIO) -> None:
        super().__init__()
        self._source, self._unpacked = source, unpacked
        self._cut, self._ready = b"", b""  # the beginning of a line, and what can be given out

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer with what comes next, and return how many bytes that is."""
        while not self._ready:
            block = self._unpacked.read(1 << 16)
            text = self._cut + block
            end = max(text.rfind(b"\n"), text.rfind(b"\r")) + 1 if block else len(text)
            self._cut = text[end:]
            if len(self._cut) > _HEAD:
                raise UnreadableFile(f"{self._source} has a line longer than {_HEAD} bytes; check the file")
            self._ready = b"".join(b",".join(line.split()) + b"\n" for line in text[:end].splitlines())
            if not block:
                break
        size = min(len(buffer), len(self._ready))
        buffer[:size], self._ready = self._ready[:size], self._ready[size:]
        return size


def _form_of(source: Path, schema: Schema) -> _Form:
    """Find out how a table is written, from its first line that is not blank."""
    with opened(source) as text:
        head = text.unpacked.read(_HEAD)
        whole = len(head) < _HEAD
    if not head.strip(b"\xef\xbb\xbf \t\r\n"):
        raise UnreadableFile(f"{source} is empty; download it again")
    if b"\0" in head[:4096]:
        raise other_format(source, "a table of text", head[:4096])
    lines = _LINE.findall(head)
    number, line = next((i, line) for i, line in enumerate(lines) if line.strip(b"\xef\xbb\xbf\r\n"))
    if not whole and number == len(lines) - 2:  # after the last line stands an empty one
        raise UnreadableFile(f"{source} is no table: its first line is longer than {_HEAD} bytes; check the file")
    try:
        first = line.decode("utf-8-sig").strip("\r\n")
    except UnicodeDecodeError as error:
        raise not_utf8(source, head) from error
    before = sum(map(len, lines[:number]))
    longest = max(map(len, lines))
    for separator in _SEPARATORS:
        names = _names(first, separator)
        if all(names.count(name) == 1 for name in schema.columns):
            known = [name if name in schema.columns else f"({i})" for i, name in enumerate(names)]
            return _Form(separator, known, True, number + 1, before + len(line), longest)
    for separator in _SEPARATORS:
        numbers = _fields(first, separator)
        if len(numbers) == len(schema.columns) and all(map(_NUMBER.fullmatch, numbers)):
            if _may_count(numbers):
                raise MissingColumn(
                    f"{source}, line {number + 1} holds {', '.join(numbers)}, which may be the numbers of columns or "
                    "an event; write the names of the columns there"
                )
            marked = len(lines[0]) - len(lines[0].removeprefix(b"\xef\xbb\xbf")) if not number else 0
            return _Form(separator, list(schema.columns), False, number, before + marked, longest)
    raise known_format(source, "a table of text", head) or _no_header(source, schema, first, number + 1)


def _fields(line: str, separator: str) -> list[str]:
    """Split the first line of a table into fields without the blanks around them."""
    if separator == BLANKS:
        return line.split()
    try:
        return [field.strip() for field in next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])]
    except csv.Error:
        return []


def _names(line: str, separator: str) -> list[str]:
    """Return the names in a header, without blanks and quotes, and without the # of a line that is also a comment."""
    return [field.strip("\"'").strip() for field in _fields(line.lstrip(" ").removeprefix("#"), separator)]


def _may_count(numbers: Sequence[str]) -> bool:
    """Say whether numbers may be those that a program gives columns without names: 0, 1, 2, ... or 1, 2, 3, ..."""
    return any(list(numbers) == [str(first + i) for i in range(len(numbers))] for first in (0, 1))


def _no_header(source: Path, schema: Schema, first: str, line: int) -> SourceError:
    """Say what is wrong with a first line that neither names the columns nor has a number for each."""
    readings = [_names(first, separator) for separator in _SEPARATORS]
    for names in readings:
        if len(names) > 1 and all(_NUMBER.fullmatch(name) or _DECIMAL_COMMA.fullmatch(name) for name in names):
            return MissingColumn(
                f"{source}, line {line} is no header: it holds {len(names)} numbers, where schema {schema.name} has "
                f"{len(schema.columns)} columns; write the names of the columns there, and numbers with decimal points"
            )
    names = max(readings, key=lambda names: (len(schema.columns.keys() & set(names)), len(names)))
    for name in schema.columns:
        if names.count(name) > 1:
            return MalformedRow(f"{source}, line {line}: column {name!r} appears {names.count(name)} times; rename one")
    missing = next(name for name in schema.columns if name not in names)
    return MissingColumn(
        f"{source}, line {line}: no column {missing!r}, which schema {schema.name} needs; {near_names(missing, names)}"
    )


def _line(source: Path, form: _Form, row: int) -> int:
    """Return the number of the line, from 1, that holds the row, from 0.

    pyarrow counts rows and leaves out blank lines, a reader's editor does not.
    """
    return line_number(source, row, form.lines, None if form.separator == BLANKS else "\r\n")


def _malformed(source: Path, form: _Form, message: str) -> SourceError:
    """Translate pyarrow's message into one that names line, column and remedy."""
    found = re.search(r"Row #(\d+): (.*)", message, re.DOTALL)
    if not found:
        return UnreadableFile(f"{source} is no table of text: {message.splitlines()[0]}; check the file")
    line = _line(source, form, int(found[1]) - 1)
    what = found[2].splitlines()[0]
    if counts := re.search(r"Expected (\d+) columns, got (\d+)", what):
        where = "the header" if form.named else "the first line"
        return MalformedRow(
            f"{source}, line {line}: {counts[2]} fields where {where} has {counts[1]}; mend or remove the row"
        )
    column = re.search(r"In CSV column #(\d+)", message)
    value = re.search(r"conversion error to (\w+): invalid value '(.*)'?", what)
    name = form.names[int(column[1])] if column else "?"
    if value:
        text = value[2].removesuffix("'")
        return MalformedRow(
            f"{source}, line {line}: column {name!r} holds {text!r}, which is not a {value[1]}; mend or remove the row"
            f"{_other_way(text.strip(), value[1])}"
        )
    return MalformedRow(f"{source}, line {line}, column {name!r}: {what}; mend or remove the row")


def _other_way(text: str, kind: str) -> str:
    """Return what else can be done about a field that is a number of another kind than the schema's."""
    if _DECIMAL_COMMA.fullmatch(text):
        return ", or write all numbers with decimal points"
    if kind.startswith("uint") and re.fullmatch(r"-\d+", text):
        return ", or let the schema say int64"
    if "int" in kind and _NUMBER.fullmatch(text) and not re.fullmatch(r"[+-]?\d+", text):
        return ", or let the schema say float64"
    return ""


def _refuse_overflow(source: Path, schema: Schema, form: _Form, columns: list[str]) -> None:
    """Refuse a number too large for its type, which pyarrow reads as infinite; a written infinity is let through.

    Events with a written infinity are dropped and counted by the selection.
    """
    row = 0
    types = dict.fromkeys(columns, pa.string())
    with opened(source) as text, _opened_csv(source, form, text.unpacked, types) as reader:
        for portion in reader:
            for name, column in zip(columns, portion.columns, strict=True):
                kind = schema.columns[name]
                texts = column.to_pylist()
                with np.errstate(over="ignore"):
                    values = np.array([_as_float(text) for text in texts]).astype(kind)
                for i in np.flatnonzero(np.isinf(values)):
                    if not WRITTEN_INFINITY.fullmatch(texts[i]):
                        raise MalformedRow(
                            f"{source}, line {_line(source, form, row + int(i))}: column {name!r} holds {texts[i]!r}, "
                            f"which is too large for a {kind}; mend or remove the row"
                        )
            row += len(portion)


def _as_float(text: str) -> float:
    return float(text) if text.strip() else float("nan")
