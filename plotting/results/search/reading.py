"""search.json, whose file is written and read here, and nowhere else.

The same configuration, seed and run give the same file, byte for byte, but for `timings`, which stand last.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from plotting.errors import UnreadableResult
from plotting.results.run_record import NEWER, as_table
from plotting.results.search.abcd import AbcdRecord
from plotting.results.search.cwola import CwolaRecord
from plotting.results.search.head import FORMAT, SearchHead
from plotting.results.search.record import SearchRecord

if TYPE_CHECKING:
    from pydantic import TypeAdapter

AnySearch: TypeAlias = SearchRecord | AbcdRecord | CwolaRecord

_RECORDS: dict[str | None, type[AnySearch]] = {None: SearchRecord, "abcd": AbcdRecord, "cwola": CwolaRecord}
"""The record of each method that a file names; a search in a spectrum names none."""


def search_text(record: SearchHead) -> str:
    """Return the text of search.json."""
    return json.dumps(as_table(record), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


@cache
def _reader(method: str | None) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(_RECORDS[method])


def read_search_record(path: Path) -> AnySearch:
    """Read the search.json of a search, as the record of its method.

    Raises:
        UnreadableResult: the file cannot be read, or is not of this format; names it, and what to do.
    """
    from pydantic import ValidationError

    from rdf.faults import first_fault

    remedy = "repeat the search"
    try:
        text = path.read_bytes()
        table = json.loads(text)
        number = table.get("format") if isinstance(table, dict) else None
        if number != FORMAT:
            newer = isinstance(number, int) and number > FORMAT
            raise UnreadableResult(f"{path}: is of format {number!a}; {NEWER if newer else remedy}")
        method = table.get("method")
        if method not in _RECORDS:
            raise UnreadableResult(f"{path}: is of an unknown method, {method!a}; {remedy}")
        record: AnySearch = _reader(method).validate_json(text)
        return record
    except OSError as error:
        raise UnreadableResult(f"{path}: cannot be read ({error.strerror}); {remedy}") from error
    except ValidationError as error:
        fault = first_fault(error)
        raise UnreadableResult(f"{path}: has another form at {fault.key} ({fault.reason}); {remedy}") from error
    except ValueError as error:
        raise UnreadableResult(f"{path}: is truncated or no table in JSON; {remedy}") from error
