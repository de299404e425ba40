"""A search from its configuration to search.json and what lies beside it."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from analysis.console.program import error_console
from analysis.console.progress import progress_bar, spinner
from analysis.errors import ConfigurationError, OutputFolderError, SearchRefused
from analysis.output.provenance import git_commit, library_versions
from analysis.output.timings import Timings
from analysis.search.configuration import SearchConfiguration
from analysis.search.control import read_control
from analysis.search.events import read_events
from analysis.search.exports import write_exports
from analysis.search.procedure import Outcome, search_spectra
from analysis.search.signal import find_signal, read_signal
from analysis.search.wording import blinded_quote, claimed_quote, refused_quote
from models.folder import file_sha256
from plotting.drawing.search import draw_search
from plotting.report.page import REPORT, write_report
from plotting.results.checksums import CHECKSUMS, list_text
from plotting.results.opened import RunResults, open_results
from plotting.results.record_tables import SampleHeader
from plotting.results.root_file import EVENTS_ROOT
from plotting.results.run_record import RUN_JSON
from plotting.results.search.formats import read_search_record, search_text
from plotting.results.search.record import SEARCH, SEARCH_JSON, Inputs, SearchRecord, Status
from rdf.errors import StatisticsFailed


@dataclass(frozen=True)
class Searched:
    """A finished search: where its results lie, and what they say."""

    folder: Path
    record: SearchRecord


def search_run(configuration: SearchConfiguration) -> Searched:
    """Do what a configuration says; what is refused leaves a record too.

    Args:
        configuration: checked.

    Raises:
        ToolkitError: as the steps say.
    """
    began, timings = time.perf_counter(), Timings()
    started = datetime.now(UTC).isoformat(timespec="seconds")
    results = open_results(configuration.run)
    if not isinstance(results, RunResults):
        raise ConfigurationError(f"--run {configuration.run} holds an evaluation; name the folder of a run")
    folder = configuration.output or configuration.run / SEARCH
    with _staged(folder) as staging:
        empty = _empty_record(configuration, results, _replaced(folder))
        try:
            outcome = _found(configuration, results, timings)
            record = _filled(empty, configuration, outcome)
            with timings.stage("exports"), spinner(error_console(), "writing and reading back the exports"):
                write_exports(configuration, outcome, record, staging)
        except (SearchRefused, StatisticsFailed) as refusal:
            reason = str(refusal)
            record = replace(empty, status="refused", reason=reason, quote=refused_quote(reason))
            for path in staging.iterdir():  # exports of which one fails its check
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        with timings.stage("figures"), spinner(error_console(), "drawing"):
            draw_search(record, staging)
        timings.add("total", time.perf_counter() - began)
        record = replace(record, timings={"started": started, **timings.rounded()})
        (staging / SEARCH_JSON).write_text(search_text(record), encoding="utf-8")
        files = sorted(path for path in staging.rglob("*") if path.is_file())
        checksums = {str(path.relative_to(staging)): {file_sha256(path)} for path in files}
        (staging / CHECKSUMS).write_text(list_text(checksums), encoding="utf-8")
    if folder == configuration.run / SEARCH and (configuration.run / REPORT).is_file():
        write_report(configuration.run)
    return Searched(folder, record)


def _found(configuration: SearchConfiguration, results: RunResults, timings: Timings) -> Outcome:
    from rdf.code.interpreter import check_interpreter, start_root

    with timings.stage("read"):
        events = read_events(results, configuration)
        control = read_control(results, configuration)
        source = read_signal(results, configuration)
    with timings.stage("import"), spinner(error_console(), "starting ROOT; compiling fits, only the first time"):
        start_root()
        check_interpreter()
    with timings.stage("search"), progress_bar(error_console(), "toys", "toys") as move:
        signal = None if source is None else find_signal(source, configuration)
        return search_spectra(configuration, events, control, signal, move)


def _empty_record(configuration: SearchConfiguration, results: RunResults, before: SearchRecord | None) -> SearchRecord:
    sample, record, control = results.record.sample, results.record, configuration.control
    described = next(
        (each for each in (*record.features, *record.observables) if each.name == configuration.observable), None
    )
    return SearchRecord(
        status="blinded" if configuration.is_blind else "claimed",
        quote="",
        configuration=configuration.declared(),
        configuration_sha256=configuration.sha256(),
        unblinded=not configuration.is_blind,
        **_declared_before(before),
        inputs=Inputs(
            run=str(configuration.run),
            run_json_sha256=file_sha256(configuration.run / RUN_JSON),
            events_sha256=file_sha256(configuration.run / EVENTS_ROOT),
            control_run_json_sha256=file_sha256(control / RUN_JSON) if control else None,
            control_events_sha256=file_sha256(control / EVENTS_ROOT) if control else None,
        ),
        sample=SampleHeader(
            name=sample.name,
            title=sample.title,
            doi=sample.doi,
            energy=sample.energy,
            luminosity=sample.luminosity,
            simulated=sample.simulated,
        ),
        commit=git_commit(),
        versions=library_versions(),
        observable=configuration.observable,
        title=described.title if described else configuration.observable,
        unit=described.unit if described else "",
        seed=configuration.seed,
        timings={},
    )


def _filled(record: SearchRecord, configuration: SearchConfiguration, outcome: Outcome) -> SearchRecord:
    status: Status = "blinded" if configuration.is_blind else "claimed"
    record = replace(
        record,
        status=status,
        edges=tuple(map(float, outcome.fits.edges)),
        masses=len(outcome.fits.masses),
        cuts=outcome.cuts,
        largest=outcome.largest,
        width_scan=outcome.width_scan,
        signal=outcome.signal,
    )
    if configuration.is_blind:
        return replace(record, quote=blinded_quote(configuration, outcome))
    return replace(record, quote=claimed_quote(configuration, outcome, record))


def _declared_before(before: SearchRecord | None) -> dict[str, Any]:
    """Return the fields of a record that describe the earlier search in the same folder."""
    if before is None:
        return {}
    declared, events = before.blinded_sha256, before.blinded_events_sha256
    if before.status == "blinded":
        declared, events = before.configuration_sha256, before.inputs.events_sha256
    looked = before.looked_before or before.unblinded
    return {"blinded_sha256": declared, "blinded_events_sha256": events, "looked_before": looked}


def _replaced(folder: Path) -> SearchRecord | None:
    """Return the record of the search in a folder, which a new one replaces; None where there is none.

    Raises:
        OutputFolderError: the folder holds something else, a search by another method, or an unblinded result, which is
            never replaced.
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
    if not isinstance(before, SearchRecord):
        raise OutputFolderError(
            f"{folder} holds a search by another method, which is not replaced; choose another folder with --output"
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
