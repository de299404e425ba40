"""A search from its configuration to search.json and what lies beside it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from analysis.console.program import error_console
from analysis.console.progress import progress_bar, spinner
from analysis.output.timings import Timings
from analysis.search.configuration import SearchConfiguration
from analysis.search.control import read_control
from analysis.search.events import read_events
from analysis.search.exports import write_exports
from analysis.search.procedure import Outcome, search_spectra
from analysis.search.signal import find_signal, read_signal
from analysis.search.staging import Searched, head_fields, leave_search, open_run, run_inputs
from analysis.search.wording import blinded_quote, claimed_quote
from plotting.drawing.search import draw_search
from plotting.results.opened import RunResults
from plotting.results.search.formats import AnySearchRecord
from plotting.results.search.head import Status
from plotting.results.search.record import SEARCH, SearchRecord


def search_run(configuration: SearchConfiguration) -> Searched[SearchRecord]:
    """Do what a configuration says; what is refused leaves a record too.

    Args:
        configuration: checked.

    Raises:
        ToolkitError: as the steps say.
    """
    results = open_run(configuration.run)

    def find(empty: SearchRecord, staging: Path, timings: Timings) -> SearchRecord:
        outcome = _found(configuration, results, timings)
        record = _filled(empty, configuration, outcome)
        with timings.stage("exports"), spinner(error_console(), "writing and reading back the exports"):
            write_exports(configuration, outcome, record, staging)
        return record

    return leave_search(
        configuration.output or configuration.run / SEARCH,
        partial(_empty_record, configuration, results),
        find,
        draw_search,
    )


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


def _empty_record(
    configuration: SearchConfiguration, results: RunResults, before: AnySearchRecord | None
) -> SearchRecord:
    record = results.record
    described = next(
        (each for each in (*record.features, *record.observables) if each.name == configuration.observable), None
    )
    return SearchRecord(
        **head_fields(
            configuration,
            record.sample,
            run_inputs(results, configuration.control),
            before,
            blind=configuration.is_blind,
        ),
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
