"""How results of a search of any method get their names: all at once, and never in the place of an unblinded result."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

from analysis.console.program import error_console
from analysis.console.progress import spinner
from analysis.errors import ConfigurationError, OutputFolderError, SearchRefused
from analysis.output.provenance import git_commit, library_versions
from analysis.output.timings import Timings
from analysis.search.declaration import Declaration
from analysis.search.wording import refused_quote
from models.folder import file_sha256
from plotting.report.page import REPORT, write_report
from plotting.results.checksums import CHECKSUMS, list_text
from plotting.results.opened import RunResults, open_results
from plotting.results.record_tables import Sample, SampleHeader
from plotting.results.root_file import EVENTS_ROOT
from plotting.results.run_record import RUN_JSON
from plotting.results.search.abcd import AbcdRecord
from plotting.results.search.cwola import CwolaRecord
from plotting.results.search.formats import AnySearchRecord, read_search_record, search_text
from plotting.results.search.head import Inputs
from plotting.results.search.record import SEARCH, SEARCH_JSON, SearchRecord
from rdf.errors import StatisticsFailed

R = TypeVar("R", SearchRecord, AbcdRecord, CwolaRecord)


@dataclass(frozen=True)
class Searched(Generic[R]):
    """A finished search: where its results lie, and what they say."""

    folder: Path
    record: R


def open_run(folder: Path) -> RunResults:
    """Open the run whose events are searched.

    Raises:
        ConfigurationError: the folder is one of an evaluation.
        PlottingError: as `open_results` says.
    """
    results = open_results(folder)
    if not isinstance(results, RunResults):
        raise ConfigurationError(f"--run {folder} holds an evaluation; name the folder of a run")
    return results


def leave_search(
    folder: Path,
    begin: Callable[[AnySearchRecord | None], R],
    find: Callable[[R, Path, Timings], R],
    draw: Callable[[R, Path], object],
) -> Searched[R]:
    """Search, and leave the results in their folder; what is refused leaves a record too.

    Args:
        folder: for the results.
        begin: returns the record of a search that has not begun, given the earlier one in the same folder.
        find: turns it into the record of what was found, and writes other files to a folder.
        draw: draws the figures of a record into a folder.

    Raises:
        ToolkitError: as the steps say.
    """
    began, timings = time.perf_counter(), Timings()
    started = datetime.now(UTC).isoformat(timespec="seconds")
    with _staged(folder) as staging:
        before = _replaced(folder)
        empty = begin(before)
        if before is not None and type(before) is not type(empty):
            raise OutputFolderError(
                f"{folder} holds a search by another method, which is not replaced; choose another folder with --output"
            )
        try:
            record = find(empty, staging, timings)
        except (SearchRefused, StatisticsFailed) as refusal:
            reason = str(refusal)
            record = replace(empty, status="refused", reason=reason, quote=refused_quote(reason))
            for path in staging.iterdir():  # exports of which one fails its check
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        with timings.stage("figures"), spinner(error_console(), "drawing"):
            draw(record, staging)
        timings.add("total", time.perf_counter() - began)
        record = replace(record, timings={"started": started, **timings.rounded()})
        (staging / SEARCH_JSON).write_text(search_text(record), encoding="utf-8")
        files = sorted(path for path in staging.rglob("*") if path.is_file())
        checksums = {str(path.relative_to(staging)): {file_sha256(path)} for path in files}
        (staging / CHECKSUMS).write_text(list_text(checksums), encoding="utf-8")
    if folder.name == SEARCH and (folder.parent / REPORT).is_file():
        write_report(folder.parent)
    return Searched(folder, record)


def head_fields(
    configuration: Declaration, sample: Sample, inputs: Inputs, before: AnySearchRecord | None, *, blind: bool
) -> dict[str, Any]:
    """Return the fields of `SearchHead` of a search that has not begun.

    Args:
        configuration: of the search.
        sample: that is searched.
        inputs: what is read.
        before: record of the earlier search in the same folder; None without one.
        blind: whether the search is not to look at the data.
    """
    return {
        "status": "blinded" if blind else "claimed",
        "quote": "",
        "configuration": configuration.declared(),
        "configuration_sha256": configuration.sha256(),
        "unblinded": not blind,
        **_declared_before(before),
        "inputs": inputs,
        "sample": sample_header(sample),
        "commit": git_commit(),
        "versions": library_versions(),
    }


def sample_header(sample: Sample) -> SampleHeader:
    """Return what figures say of a sample."""
    return SampleHeader(**{each.name: getattr(sample, each.name) for each in fields(SampleHeader)})


def run_inputs(results: RunResults, control: Path | None = None) -> Inputs:
    """Return what is read of a run, and of a control.

    Args:
        results: of the run.
        control: folder of a run without the signal; None without one.
    """
    return Inputs(
        run=str(results.folder),
        run_json_sha256=file_sha256(results.folder / RUN_JSON),
        events_sha256=file_sha256(results.folder / EVENTS_ROOT),
        control_run_json_sha256=file_sha256(control / RUN_JSON) if control else None,
        control_events_sha256=file_sha256(control / EVENTS_ROOT) if control else None,
    )


def _declared_before(before: AnySearchRecord | None) -> dict[str, Any]:
    """Return the fields of a record that describe the earlier search in the same folder.

    A scan of pairs of axes has declared none of them.
    """
    if before is None:
        return {}
    declared, events = before.blinded_sha256, before.blinded_events_sha256
    if before.status == "blinded" and not (isinstance(before, AbcdRecord) and before.pairs):
        declared, events = before.configuration_sha256, before.inputs.data_sha256
    looked = before.looked_before or before.unblinded
    return {"blinded_sha256": declared, "blinded_events_sha256": events, "looked_before": looked}


def _replaced(folder: Path) -> AnySearchRecord | None:
    """Return the record of the search in a folder, which a new one replaces; None where there is none.

    Raises:
        OutputFolderError: the folder holds something else, or an unblinded result, which is never replaced.
    """
    if not folder.exists():
        return None
    if not folder.is_dir() or (any(folder.iterdir()) and not (folder / SEARCH_JSON).is_file()):
        raise OutputFolderError(
            f"{folder} holds what no search wrote; move it away or choose another one with --output"
        )
    if not (folder / SEARCH_JSON).is_file():
        return None
    before = read_search_record(folder / SEARCH_JSON)
    if before.status == "claimed":
        raise OutputFolderError(
            f"{folder} holds a search whose data were looked at, which is not replaced; choose another one with "
            "--output"
        )
    return before


@contextmanager
def _staged(folder: Path) -> Iterator[Path]:
    """Yield a folder to write to, which takes the place of the results at the end, all at once.

    Raises:
        OutputFolderError: the folder cannot be made, or something lies there that is not replaced.
    """
    _replaced(folder)
    draft, old = (folder.with_name(f".{folder.name}.{os.getpid()}.{kind}") for kind in ("partial", "old"))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft.mkdir()
        yield draft
        if folder.exists():
            _replaced(folder)  # another search may have ended meanwhile
            folder.rename(old)
        try:
            draft.rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            raise
    except OSError as error:
        raise OutputFolderError(
            f"cannot write to {folder}: {error.strerror or error}; free some space or choose another one with --output"
        ) from error
    finally:
        for path in (draft, old):
            shutil.rmtree(path, ignore_errors=True)
