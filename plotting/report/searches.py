"""The search that a report of a run shows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from plotting.errors import UnreadableResult
from plotting.results.checksums import sha256
from plotting.results.run_record import RUN_JSON
from plotting.results.search.cwola import CwolaRecord
from plotting.results.search.formats import AnySearchRecord, read_search_record
from plotting.results.search.record import SEARCH, SEARCH_JSON


@dataclass(frozen=True)
class FoundSearch:
    """A search in the events of a run: its folder, and what its search.json says."""

    folder: Path
    record: AnySearchRecord


def find_search(folder: Path) -> FoundSearch | None:
    """Return the search in the events of a run; None where there was none.

    It lies in the folder of the run; or around that folder, if it is a search by weak supervision, which makes the run.

    Args:
        folder: of the run.

    Raises:
        UnreadableResult: it cannot be read, or the run is another one by now.
    """
    around = folder.resolve().parent
    if (folder / SEARCH / SEARCH_JSON).is_file():
        found = FoundSearch(folder / SEARCH, read_search_record(folder / SEARCH / SEARCH_JSON))
    elif (around / SEARCH_JSON).is_file():
        found = FoundSearch(around, read_search_record(around / SEARCH_JSON))
        if not isinstance(found.record, CwolaRecord) or found.record.inputs.run != folder.resolve().name:
            return None
    else:
        return None
    if found.record.inputs.run_json_sha256 != sha256(folder / RUN_JSON):
        raise UnreadableResult(
            f"{found.folder / SEARCH_JSON} was made from another {RUN_JSON}; move {found.folder} away, and search again"
        )
    return found
