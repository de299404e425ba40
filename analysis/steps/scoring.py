"""The second event loop of a run: every event is scored, and what that gives is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from analysis.console.program import error_console
from analysis.console.progress import progress_bar, spinner
from analysis.output.entries import write_friend, write_picks, write_skim
from analysis.output.findings import write_anomalies
from analysis.output.objects import described, write_objects
from analysis.steps.bookings import BookedScores
from analysis.steps.compilation import Compiled
from analysis.steps.engine import Engine
from analysis.steps.prepared import PreparedSample
from analysis.steps.recording import recorded_cutflow, run_findings
from models.folder import ModelFolder
from plotting.results.record_tables import Cut
from plotting.results.root_file import EVENTS_ROOT, HISTOGRAMS_ROOT
from plotting.results.run_record import RunFindings
from rdf.errors import NoEvents
from rdf.graph.fields import WEIGHT_WORDS
from rdf.schema.quantities import ID_QUANTITIES

if TYPE_CHECKING:
    from rdf.graph.snapshot import Entries


@dataclass(frozen=True)
class ScoredColumns:
    """All events of a sample with what the detectors say of them.

    Attributes:
        columns: name -> values, shape (events,), float32; in the order of the event numbers or the published rows.
        ids: run, luminosityBlock and event of each, shape (events, 3).
        cutflow: name of each cut, and the events that passed it.
        weights: of the events, shape (events,); None where each counts as one.
    """

    columns: Mapping[str, npt.NDArray[np.float32]]
    ids: npt.NDArray[np.uint64]
    cutflow: tuple[Cut, ...]
    weights: npt.NDArray[np.float64] | None


def collect_scores(sample: PreparedSample, compiled: Compiled) -> ScoredColumns:
    """Run an event loop in this process that scores all events and keeps the scores in memory.

    Raises:
        NoEvents: none is left after the cuts.
    """
    from rdf.execution.event_loop import EventLoop, use_threads

    slots = use_threads(sample.threads)
    with sample.timings.stage("jit"):
        loop = EventLoop(sample.source, sample.entries)
        booked = sample.graph.book_scores(loop, compiled, slots)
    with progress_bar(error_console(), f"scoring {sample.data.name}", "events") as move:
        took = loop.run(booked.results(), move)
    sample.timings.add("jit", took.jit_seconds)
    sample.timings.add("scoring_loop", took.loop_seconds)
    ids, values = booked.snapshot.collected().arrays()
    if not len(values):
        otherwise = f"no event {sample.graph.conditions}"
        why = sample.graph.explain_no_events(booked.cutflow.cuts(), otherwise, sample.entries)
        raise NoEvents(f"{sample.data.title}: {why}, nothing was scored; check the sample")
    columns = dict(zip(booked.columns, values.T, strict=True))
    weights = None
    if booked.weights:
        weights = np.sum([columns.pop(word).astype(np.float64) for word in WEIGHT_WORDS], axis=0)
    ids = ids[:, -len(ID_QUANTITIES) :]  # a row's number may stand before
    return ScoredColumns(columns, ids, _cutflow(booked), weights)


def _cutflow(booked: BookedScores) -> tuple[Cut, ...]:
    """Return the cutflow, with the weights where events have some."""
    cuts = recorded_cutflow(booked.cutflow.cuts())
    if booked.weights is None:
        return cuts
    with_weights = zip(cuts, booked.weights.cuts(), strict=True)
    return tuple(replace(cut, weighted=weights.sum[0], negative=weights.negative) for cut, weights in with_weights)


def score_sample(sample: PreparedSample, engine: Engine, models: ModelFolder, compiled: Compiled) -> RunFindings:
    """Run the event loop that scores, write its results, and return what run.json says of them.

    Args:
        sample: that is scored; its staging folder has the models.
        engine: runs the event loop.
        models: of the detectors.
        compiled: the detectors.

    Raises:
        NoEvents: none is left after the cuts.
    """
    from rdf.graph.events import check_events
    from rdf.graph.histograms import complete, remainders, write_histograms

    found = engine.score(sample, models, compiled)
    selected_events = found.cuts[-1].events
    check_events(sample.staging / EVENTS_ROOT, selected_events)
    # A part of a sample may well hold none.
    if not selected_events and not sample.configuration.entries:
        why = sample.graph.explain_no_events(found.cuts, "no event has finite features", sample.entries)
        raise NoEvents(f"{sample.data.title}: {why}, nothing was scored; check the sample")
    filled = complete(found.histograms)
    kept = remainders(found.histograms) if sample.configuration.entries else {}
    write_histograms(sample.staging / HISTOGRAMS_ROOT, filled | kept, sample.provenance)
    with sample.timings.stage("explanations"), spinner(error_console(), "explaining the most unusual events"):
        write_anomalies(sample.staging, found.top, models, tuple(compiled.detectors), sample.data)
    if found.objects:
        write_objects(sample.staging, described(found.objects))

    write_picks(sample.staging, sample.source)
    if found.entries is not None:
        sample = _write_entries(sample, found.entries)
    return run_findings(sample, engine.describe(), models, compiled, found, filled)


def _write_entries(sample: PreparedSample, entries: Entries) -> PreparedSample:
    """Write what goes by the places of events in the sample, and return the sample with what is to be said of it."""
    left_out: tuple[str, ...] = ()
    with sample.timings.stage("skim"):
        if sample.configuration.friend:
            # A friend has as many entries as the tree, however many are read; that of a part has those of the part.
            whole = (sample.source.skipped, sample.source.skipped + sample.source.events)
            rows = sample.entries_of_sample if sample.configuration.entries else whole
            write_friend(sample.staging, sample.source, rows, entries, sample.provenance)
        if sample.configuration.skim:
            size = sum(file.size or 0 for file in sample.data.files)
            with progress_bar(error_console(), "copying flagged events", "events") as move:
                left_out = write_skim(sample.staging, sample.source, size, entries, sample.provenance, move)
    if not left_out:
        return sample
    warning = f"skim.root is without {', '.join(left_out)}: not every file has them in the same way"
    error_console().print(f"warning: {warning}", highlight=False, soft_wrap=True, markup=False)
    return replace(sample, warnings=(*sample.warnings, warning))
