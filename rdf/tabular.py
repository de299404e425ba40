"""Text tables to RNTuples: read by pyarrow, checked against the schema, written once to the cache.

RDataFrame's own CSV reader is not used: it crashes on rows that are too short or too long, and silently truncates
numbers that do not fit the type it guessed.
"""

from __future__ import annotations

import csv
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv

from rdf.errors import CacheUnusable, MalformedRow, MissingColumn, NoEvents, SourceError, UnreadableFile, near_names
from rdf.interpreter import ROOT, captured_stderr, first_reason, include_kernels
from rdf.schema import SOURCE_ROW, Schema

FORMAT = 1
"""Version of what is written to the cache; a new one makes old conversions void."""

Progress = Callable[[int, int], None]
"""Called with the work done and the work in all."""

_RNTUPLE_TYPES = {"float32": "float", "float64": "double"}
_INFINITE = re.compile(r"\s*[+-]?inf(inity)?\s*", re.IGNORECASE)


def convert(
    source: Path, schema: Schema, cache: Path, checksum: str | None = None, progress: Progress | None = None
) -> Path:
    """Write a CSV file as an RNTuple to the cache, once, and return its path there.

    Args:
        source: a comma-separated file whose first line names the columns; columns that the schema does not list are
            left out.
        schema: says the columns and their types.
        cache: folder of converted files; made if need be.
        checksum: sha256 of the file where it is known already.
        progress: called with bytes converted and bytes in all.

    Raises:
        UnreadableFile, MissingColumn, MalformedRow, NoEvents: with the line number where there is one.
        CacheUnusable: the cache cannot be written or is full.
    """
    if checksum is None:
        checksum = _sha256(source)
    key = hashlib.sha256(f"{FORMAT} {checksum} {schema.digest()}".encode()).hexdigest()[:16]
    name = re.sub(r"[^\w.-]", "_", source.stem)  # ROOT reads some other characters its own way
    target = cache / f"{name}-{key}.root"
    if target.exists():
        return target
    temporary = target.with_suffix(f".{os.getpid()}.part")
    try:
        cache.mkdir(parents=True, exist_ok=True)
        temporary.touch()  # fails as an OSError where RNTuple would fail as something else
        _write_rntuple(temporary, schema, _batches(source, schema, progress))
        temporary.replace(target)
    except SourceError:
        raise
    except OSError as error:
        raise CacheUnusable(
            f"cannot convert {source} to {target}: {error.strerror or error}; free some space or set XDG_CACHE_HOME"
        ) from error
    finally:
        with suppress(OSError):  # where the folder could not even be made
            temporary.unlink()
    return target


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UnreadableFile(f"{path}: {error.strerror}; check the path") from error


def _write_rntuple(path: Path, schema: Schema, batches: Iterator[dict[str, npt.NDArray[np.generic]]]) -> None:
    include_kernels("table_writer")
    columns = {**schema.columns, SOURCE_ROW: "uint64"}
    types = [_RNTUPLE_TYPES.get(kind, f"std::{kind}_t") for kind in columns.values()]
    with _write_errors():
        writer = ROOT.table_writer.TableWriter(str(path), schema.tree, list(columns), types)
    try:
        for batch in batches:
            arrays = [np.ascontiguousarray(batch[name], dtype=kind) for name, kind in columns.items()]
            with _write_errors():
                writer.write(len(arrays[0]), [array.ctypes.data for array in arrays])
        with _write_errors():
            writer.close()
    finally:
        # A writer that could not complete its table complains on stderr of what the exception says already.
        with captured_stderr():
            writer.__destruct__()


@contextmanager
def _write_errors() -> Iterator[None]:
    """Turn what RNTuple throws when it cannot write into an OSError."""
    try:
        yield
    except Exception as error:  # cppyy raises TypeError and std::runtime_error alike
        raise OSError(first_reason(error)) from error


def _batches(source: Path, schema: Schema, progress: Progress | None) -> Iterator[dict[str, npt.NDArray[np.generic]]]:
    """Yield the file's columns in pieces, each of which becomes a cluster of its own, and so work for one core."""
    size = source.stat().st_size
    names = _header(source, schema)
    block_size = min(max(size // 32, 1 << 16), 1 << 24)
    types = {name: pa.type_for_alias(kind) for name, kind in schema.columns.items()}
    rows = 0
    suspicious: set[str] = set()
    try:
        with (
            source.open("rb") as file,
            pa.csv.open_csv(
                file,
                # Only one thread reports the number of a bad row.
                pa.csv.ReadOptions(use_threads=False, block_size=block_size),
                pa.csv.ParseOptions(newlines_in_values=False),
                pa.csv.ConvertOptions(column_types=types, include_columns=list(types), null_values=[""]),
            ) as reader,
        ):
            for batch in reader:
                columns: dict[str, npt.NDArray[np.generic]] = {}
                for name, column in zip(batch.schema.names, batch.columns, strict=True):
                    if column.null_count and pa.types.is_integer(column.type):
                        row = rows + int(np.flatnonzero(column.is_null())[0])
                        raise MalformedRow(
                            f"{source}, line {_line(source, row)}: column {name!r} is empty; mend or remove the row"
                        )
                    values = column.to_numpy(zero_copy_only=False)  # an empty field of a real column is NaN
                    columns[name] = values
                    if values.dtype.kind == "f" and np.isinf(values).any():
                        suspicious.add(name)
                columns[SOURCE_ROW] = np.arange(rows, rows + len(batch), dtype=np.uint64)
                rows += len(batch)
                yield columns
                if progress:
                    progress(file.tell(), size)
    except pa.ArrowInvalid as error:
        raise _malformed(source, names, str(error)) from error
    if not rows:
        raise NoEvents(f"{source} has no rows below its header; nothing can be analysed")
    if suspicious:
        _refuse_overflow(source, sorted(suspicious))


def _header(source: Path, schema: Schema) -> list[str]:
    """Return the names in the first line, once all that the schema lists are among them, each once."""
    try:
        with source.open(encoding="utf-8-sig", newline="") as file:
            names = next(csv.reader(line for line in file if line.strip("\r\n")), [])
    except OSError as error:
        raise UnreadableFile(f"{source}: {error.strerror}; check the path") from error
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


def _refuse_overflow(source: Path, columns: list[str]) -> None:
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
                texts = column.to_pylist()
                for i in np.flatnonzero(np.isinf(np.array([_as_float(text) for text in texts]))):
                    if not _INFINITE.fullmatch(texts[i]):
                        raise MalformedRow(
                            f"{source}, line {_line(source, row + int(i))}: column {name!r} holds {texts[i]!r}, which "
                            "is too large for a float64; mend or remove the row"
                        )
            row += len(batch)


def _as_float(text: str) -> float:
    return float(text) if text.strip() else float("nan")
