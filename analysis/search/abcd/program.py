"""A search in a plane from its configuration to search.json and what lies beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from analysis.console.program import error_console
from analysis.console.progress import progress_bar, spinner
from analysis.output.timings import Timings
from analysis.search.abcd.configuration import AbcdConfiguration
from analysis.search.abcd.events import find_axes, read_plane
from analysis.search.abcd.exports import write_abcd_exports
from analysis.search.abcd.procedure import search_regions
from analysis.search.abcd.scan import scan_pairs
from analysis.search.abcd.wording import blinded_plane_quote, claimed_plane_quote, scanned_quote
from analysis.search.staging import Searched, head_fields, leave_search, open_run, run_inputs
from plotting.drawing.search import draw_search
from plotting.results.search.abcd import AbcdRecord
from plotting.results.search.formats import AnySearchRecord
from plotting.results.search.record import SEARCH


def search_run_in_plane(configuration: AbcdConfiguration) -> Searched[AbcdRecord]:
    """Do what a configuration says; what is refused leaves a record too.

    Args:
        configuration: checked.

    Raises:
        ToolkitError: as the steps say.
    """
    results = open_run(configuration.run)
    axes = find_axes(results, configuration.axes or ())

    def begin(before: AnySearchRecord | None) -> AbcdRecord:
        return AbcdRecord(
            **head_fields(
                configuration, results.record.sample, run_inputs(results), before, blind=not configuration.unblind
            ),
            axes=axes,
            pairs_tried=configuration.pairs_tried,
            seed=configuration.seed,
            timings={},
        )

    def find(empty: AbcdRecord, staging: Path, timings: Timings) -> AbcdRecord:
        if configuration.scan_axes:
            with timings.stage("scan"):
                scanned = replace(empty, pairs=scan_pairs(results, configuration))
            return replace(scanned, quote=scanned_quote(scanned))
        from rdf.code.interpreter import check_interpreter, start_root

        with timings.stage("read"):
            events = read_plane(results, axes)
        with timings.stage("import"), spinner(error_console(), "starting ROOT; compiling fits, only the first time"):
            start_root()
            check_interpreter()
        with timings.stage("search"), progress_bar(error_console(), "toys", "toys") as move:
            outcome = search_regions(configuration, events, move)
        with timings.stage("exports"):
            write_abcd_exports(outcome, staging)
        record = replace(
            empty,
            events=len(events.first),
            closure=outcome.closure,
            cuts=outcome.cuts,
            largest=outcome.largest,
            plane=outcome.plane,
        )
        if configuration.unblind:
            return replace(record, quote=claimed_plane_quote(record))
        return replace(record, quote=blinded_plane_quote(record))

    return leave_search(configuration.output or configuration.run / SEARCH, begin, find, draw_search)
