"""Which record a search.json holds: it is read and written here, whatever the method of the search."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from plotting.errors import UnreadableResult
from plotting.results.run_record import NEWER, as_table
from plotting.results.search.abcd import AbcdRecord
from plotting.results.search.cwola import CwolaRecord
from plotting.results.search.record import SearchRecord

if TYPE_CHECKING:
    from pydantic import TypeAdapter

AnySearchRecord: TypeAlias = SearchRecord | CwolaRecord | AbcdRecord

RECORDS: Mapping[str | None, type[AnySearchRecord]] = {
    None: SearchRecord,
    "cwola": CwolaRecord,
    "abcd": AbcdRecord,
}
"""Key `method` at the top of the file -> its record. A search for a peak, with or without scores, has none there."""


def search_text(record: AnySearchRecord) -> str:
    """Return the text of search.json."""
    return json.dumps(as_table(record), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


@cache
def _reader(method: str | None) -> TypeAdapter[AnySearchRecord]:
    from pydantic import TypeAdapter

    return TypeAdapter(RECORDS[method])


def read_search_record(path: Path) -> AnySearchRecord:
    """Read the search.json of a search.

    Raises:
        UnreadableResult: the file cannot be read, or is of no known method or format; names it, and what to do.
    """
    from pydantic import ValidationError

    from rdf.faults import first_fault

    remedy = "repeat the search"
    try:
        text = path.read_bytes()
        table = json.loads(text)
        given = table if isinstance(table, dict) else {}
        method, number = given.get("method"), given.get("format")
        if not (method is None or isinstance(method, str)) or method not in RECORDS:
            raise UnreadableResult(f"{path}: is of the method {method!a}; {NEWER}")
        known = RECORDS[method].format
        if number != known:
            newer = isinstance(number, int) and number > known
            raise UnreadableResult(f"{path}: is of format {number!a}; {NEWER if newer else remedy}")
        return _reader(method).validate_json(text)
    except OSError as error:
        raise UnreadableResult(f"{path}: cannot be read ({error.strerror}); {remedy}") from error
    except ValidationError as error:
        fault = first_fault(error)
        raise UnreadableResult(f"{path}: has another form at {fault.key} ({fault.reason}); {remedy}") from error
    except ValueError as error:
        raise UnreadableResult(f"{path}: is truncated or no table in JSON; {remedy}") from error
