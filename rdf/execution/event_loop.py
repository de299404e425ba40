"""Execution: threads, and event loops that show progress and can be interrupted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from rdf import RNode
from rdf.code.interpreter import ROOT, first_reason
from rdf.code.library import graph_library
from rdf.errors import EventLoopFailed, Interrupted, LostEvents, SourceError
from rdf.schema.tables import ALL
from rdf.sources.source import Source

Progress = Callable[[int, int], None]
"""Called, several times a second, with the events done and the events in all."""


def use_threads(threads: int) -> int:
    """Let the event loops that follow run on this many threads, and return the number of their slots."""
    if ROOT.IsImplicitMTEnabled():
        ROOT.DisableImplicitMT()
    if threads > 1:
        ROOT.EnableImplicitMT(threads)
    return max(1, int(ROOT.GetThreadPoolSize()))


@dataclass(frozen=True)
class Loop:
    """What an event loop took.

    Attributes:
        events: events processed.
        jit_seconds: just-in-time compilation and opening of files, before the first event.
        loop_seconds: from the first event to the end.
    """

    events: int
    jit_seconds: float
    loop_seconds: float


LAST_ENTRY = 2**32 - 1
"""Where a range of entries can end: RDataFrame's Range takes 32 bits."""


class Pass:
    """One pass over events, whoever runs it.

    Attributes:
        events: head of the graph to build on; its first cut, "all", counts the events.
    """

    def __init__(self, head: RNode, entries: tuple[int, int] | None = None) -> None:
        """Begin a graph.

        Args:
            head: of a graph that has been opened.
            entries: half-open range of its entries; None for all of them. One thread alone can read a range.

        Raises:
            EventLoopFailed: the range ends beyond what an RDataFrame can count.
        """
        graph_library("events").load()
        self._loop = ROOT.graph.EventLoop(int(head.GetNSlots()))
        node = ROOT.RDF.AsRNode(head)
        if entries is None:
            self.events: RNode = self._loop.begin(node, ALL)
            return
        if entries[1] > LAST_ENTRY:
            raise EventLoopFailed(
                f"entries {entries[0]}:{entries[1]}: an RDataFrame counts the entries of a range up to {LAST_ENTRY}; "
                "name fewer of the sample's files, and count from the first of them"
            )
        self.events = self._loop.begin_range(node, ALL, *entries)

    @property
    def stopwatch(self) -> Any:
        """The stopwatch that columns and detectors tell what they have done."""
        return self._loop.get_stopwatch()

    @property
    def processed(self) -> int:
        """Number of events that were processed so far."""
        return int(self._loop.events())

    def stage_seconds(self, detectors: Sequence[str] = ()) -> dict[str, float]:
        """Return what it took, over all slots, to do each thing.

        That is to read columns, to compute columns, to ask each detector, to fill histograms, and all the rest, which
        is to write and to collect.

        Args:
            detectors: names of those that score, in their order.
        """
        stages = ("writing", "read", "columns", "histograms", *detectors)
        return {stage: float(self._loop.seconds_of(number)) for number, stage in enumerate(stages)}


class EventLoop(Pass):
    """A pass over a source, or over a half-open range of its entries, that this process runs.

    Attributes:
        expected: number of events that the loop has to process.
    """

    def __init__(self, source: Source, entries: tuple[int, int], with_entries: bool = False) -> None:
        """Open the source. A half-open range of its entries is read; `Pass` says what such a range can be.

        Args:
            source: to open.
            entries: the range.
            with_entries: whether the graph is to have the column `source.entry_column`.
        """
        graph_library("events").load()
        super().__init__(source.open(with_entries), None if entries == (0, source.events) else entries)
        self.expected = entries[1] - entries[0]
        self._source = source

    def run(self, results: Sequence[Any], progress: Progress | None = None) -> Loop:
        """Run the loop once for all booked results.

        Args:
            results: what was booked on graphs that start at `events`.
            progress: an exception that it raises ends the loop.

        Raises:
            Interrupted: on Ctrl-C or SIGTERM, once the loop has ended.
            EventLoopFailed: reading or writing broke off.
            LostEvents: another number of events was processed than the files hold.
        """
        handles = ROOT.std.vector["ROOT::RDF::RResultHandle"]()
        for result in results:
            handles.push_back(result if isinstance(result, ROOT.RDF.RResultHandle) else ROOT.RDF.RResultHandle(result))
        self._loop.start(handles)
        try:
            self._wait(progress)
        except KeyboardInterrupt as interruption:
            self._stop()
            raise Interrupted("the event loop was interrupted") from interruption
        except BaseException:
            self._stop()
            raise
        self._source.local.check_unchanged()
        processed = self.processed
        if processed != self.expected:
            raise LostEvents(
                f"{names_of(self._source.files)}: {processed} events processed, {self.expected} expected; "
                "a file changed or is damaged, check it and run again"
            )
        before = float(self._loop.seconds_before_first_event())
        return Loop(processed, before, float(self._loop.seconds_in_all()) - before)

    def _stop(self) -> None:
        self._loop.stop()
        with suppress(EventLoopFailed):  # this is how a loop ends that was told to stop
            self._wait(None)

    def _wait(self, progress: Progress | None) -> None:
        while not self._has_ended():
            if progress:
                progress(self.processed, self.expected)
        if progress:
            progress(self.processed, self.expected)

    def _has_ended(self) -> bool:
        try:
            return bool(self._loop.wait(100))
        except Exception as error:
            raise broken_off(self._source, error) from error


def broken_off(source: Source, error: BaseException) -> SourceError | EventLoopFailed:
    """Return the error that says what broke off an event loop over a source."""
    try:
        source.local.check_unchanged()
    except SourceError as cause:
        return cause
    reason = source.local.named(first_reason(error))
    if ";" not in reason:  # no remedy of its own
        reason += "; a file may be damaged (get it again) or the disk full"
    return EventLoopFailed(f"the event loop over {names_of(source.files)} broke off: {reason}")


def names_of(files: Sequence[str]) -> str:
    """Return the names of a source's files for a message, of many the first and the last."""
    return ", ".join(files) if len(files) < 4 else f"{files[0]} ... {files[-1]} ({len(files)} files)"
