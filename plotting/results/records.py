"""The files of a run or an evaluation that are no ROOT files: whether they are there, and what they hold."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from plotting.errors import MissingResult, UnreadableResult

if TYPE_CHECKING:
    from pydantic import TypeAdapter

Content = TypeVar("Content")


def check_files(folder: Path, names: Sequence[str], remedy: str) -> None:
    """Raise MissingResult unless all these files are in a folder."""
    if not folder.is_dir():
        raise MissingResult(f"{folder}: no such folder; give the output folder of a run or of an evaluation")
    for path in (folder / name for name in names):
        if not path.is_file():
            raise MissingResult(f"{path}: not there; {remedy}")


def read_json(path: Path, remedy: str) -> dict[str, Any]:
    """Read a JSON file that holds a table.

    Raises:
        UnreadableResult: it does not.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UnreadableResult(f"{path}: truncated or not JSON ({error}); {remedy}") from error
    if not isinstance(record, dict):
        raise UnreadableResult(f"{path}: not a table; {remedy}")
    return record


def read_typed(path: Path, form: TypeAdapter[Content], remedy: str) -> Content:
    """Read a JSON file that holds a table of a known form.

    Raises:
        UnreadableResult: it does not; names the key.
    """
    from pydantic import ValidationError

    from rdf.faults import first_fault

    table = read_json(path, remedy)
    try:
        return form.validate_json(json.dumps(table))  # strict: JSON has no tuples, nor objects of classes
    except ValidationError as error:
        fault = first_fault(error)
        raise UnreadableResult(
            f"{path}: lacks a key or has another form at {fault.key} ({fault.reason}); {remedy}"
        ) from error


@contextmanager
def checked_keys(path: Path, remedy: str) -> Iterator[None]:
    """Turn the absence or another form of a key of a record, where the block reads it, into UnreadableResult."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableResult(f"{path}: lacks a key or has another form ({error!r}); {remedy}") from error
