"""Engines: where the event loops of a run take place. Each runs the same graph and gives the same results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from analysis.console.program import error_console
from analysis.console.progress import progress_bar
from analysis.output.entries import compile_writers
from analysis.output.folder import check_space
from analysis.steps.bookings import ScoredFile
from plotting.results.record_tables import DaskEngine, LocalEngine
from plotting.results.root_file import EVENTS_ROOT

if TYPE_CHECKING:
    from analysis.steps.bookings import Found
    from analysis.steps.compilation import Compiled
    from analysis.steps.prepared import PreparedSample
    from models.folder import ModelFolder
    from rdf.graph.snapshot import Collected


class Engine(Protocol):
    """Runs event loops over a sample that is prepared, and counts their time among the sample's timings."""

    def start_threads(self, threads: int) -> int:
        """Let the event loops that follow in this process run on threads; return the slots to compile detectors for."""

    def describe(self) -> LocalEngine | DaskEngine:
        """Return what run.json says of it."""

    def collect(self, sample: PreparedSample, limit: int | None) -> Collected:
        """Collect the rows that detectors learn from, at most `limit` of them."""

    def score(self, sample: PreparedSample, models: ModelFolder, compiled: Compiled) -> Found:
        """Score all events of a sample and write them to `events.root` in its staging folder."""


class Local:
    """Event loops in this process, on its threads."""

    def start_threads(self, threads: int) -> int:
        """Let the event loops that follow run on threads; return their slots."""
        from rdf.execution.event_loop import use_threads

        return use_threads(threads)

    def describe(self) -> LocalEngine:
        """Return what run.json says of it."""
        return LocalEngine()

    def collect(self, sample: PreparedSample, limit: int | None) -> Collected:
        """Collect the rows that detectors learn from, at most `limit` of them."""
        from rdf.execution.event_loop import EventLoop

        slots = self.start_threads(sample.threads)
        with sample.timings.stage("jit"):
            loop = EventLoop(sample.source, sample.entries)
            booked = sample.graph.book_collection(loop, limit, slots)
        with progress_bar(error_console(), "collecting features", "events") as move:
            took = loop.run(booked.results(), move)
        sample.timings.add("jit", took.jit_seconds)
        sample.timings.add("snapshot", took.loop_seconds)
        return booked.found()

    def score(self, sample: PreparedSample, models: ModelFolder, compiled: Compiled) -> Found:
        """Score all events of a sample and write them to `events.root` in its staging folder."""
        from rdf.execution.event_loop import EventLoop

        slots = self.start_threads(sample.threads)
        compile_writers(sample.configuration.skim, sample.configuration.friend)
        with sample.timings.stage("jit"):
            loop = EventLoop(sample.source, sample.entries, with_entries=sample.places is not None)
            file = ScoredFile(sample.staging / EVENTS_ROOT, sample.provenance)
            booked = sample.graph.book_scoring(loop, models, compiled, slots, file, places=sample.places)
        with progress_bar(error_console(), "scoring", "events") as move:

            def check_and_move(done: int, total: int) -> None:
                check_space(sample.staging, total - done, sample.columns_written(compiled), sample.threads)
                move(done, total)

            check_and_move(0, loop.expected)
            took = loop.run(booked.results(), check_and_move)
        sample.timings.add("jit", took.jit_seconds)
        sample.timings.add("scoring_loop", took.loop_seconds)
        return booked.found()
