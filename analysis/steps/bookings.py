"""What is booked on the graph of a pass over events, and what is found by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from rdf.graph.fields import WEIGHT

if TYPE_CHECKING:
    from pathlib import Path

    from rdf.execution.event_loop import Pass
    from rdf.graph.histograms import Histograms
    from rdf.graph.objects import CollectedObjects, TopObjects
    from rdf.graph.selection import Cut, Cutflow, WeightedCutflow
    from rdf.graph.snapshot import BookedEntries, Collected, Entries, Snapshot
    from rdf.provenance import Provenance


@dataclass(frozen=True)
class BookedCollection:
    """The training rows, booked on the graph of a pass over events.

    Attributes:
        over: the pass.
        snapshot: the rows.
    """

    over: Pass
    snapshot: Snapshot

    def results(self) -> list[Any]:
        """Return what the event loop has to run."""
        return [self.snapshot.booked]

    def found(self) -> Collected:
        """Return the rows, after the loop."""
        return self.snapshot.collected()


@dataclass(frozen=True)
class BookedScores:
    """What detectors say of all events, booked on the graph of a pass over events, to be kept in memory.

    Attributes:
        columns: names of the values.
        snapshot: the values.
        cutflow: of the graph.
        weights: that of the weights; None where events have none.
    """

    columns: tuple[str, ...]
    snapshot: Snapshot
    cutflow: Cutflow
    weights: WeightedCutflow | None

    def results(self) -> list[Any]:
        """Return what the event loop has to run."""
        return [self.snapshot.booked, self.cutflow.booked, *(self.weights.booked if self.weights else ())]


@dataclass(frozen=True)
class ScoredFile:
    """The file that scored events are written to.

    Attributes:
        path: of the file.
        provenance: where the events come from, as the file states it.
        range_index: place of the range of the sample whose events it holds, among all ranges.
    """

    path: Path
    provenance: Provenance
    range_index: int = 0


@dataclass(frozen=True)
class BookedScoring:
    """What a run finds in scored events, booked on the graph of a pass over events.

    Attributes:
        over: the pass.
        file: that the scored events are written to.
        detectors: names of the detectors that score.
        written: the writing of the scored events.
        top: the most anomalous events.
        objects: objects of the first of these, or None where there are none to show.
        histograms: of all kinds.
        cutflow: of the graph.
        entries: places of events in the sample, or None where they are not asked for.
        weights: that of the weights; None where events have none.
    """

    over: Pass
    file: ScoredFile
    detectors: tuple[str, ...]
    written: Any
    top: Snapshot
    objects: TopObjects | None
    histograms: Histograms
    cutflow: Cutflow
    entries: BookedEntries | None = None
    weights: WeightedCutflow | None = None

    def results(self) -> list[Any]:
        """Return what the event loop has to run."""
        more = [booking.booked for booking in (self.objects, self.entries) if booking]
        weights = self.weights.booked if self.weights else []
        return [self.written, self.top.booked, *more, *self.histograms.results(), self.cutflow.booked, *weights]

    def found(self) -> Found:
        """Return what was found, after the loop."""
        from rdf.graph.histograms import collect_histograms

        cuts = self.cutflow.cuts()
        return Found(
            {self.file.range_index: self.file.path},
            collect_histograms(self.histograms, cuts, self.weights),
            cuts,
            {**self.histograms.non_finite.counts(), **({WEIGHT: self.weights.not_finite()} if self.weights else {})},
            self.top.collected(),
            self.objects.collected() if self.objects else None,
            self.over.processed,
            self.over.stage_seconds(self.detectors),
            self.entries.collected() if self.entries else None,
        )


@dataclass(frozen=True)
class Found:
    """What was found in the scored events of a sample, or of a part of it.

    Attributes:
        files: the events themselves, by the index of the range of the sample.
        histograms: as `rdf.graph.histograms.collect_histograms` gives them.
        cuts: the cutflow.
        non_finite: events in which each feature is not finite, or the weight, where events have weights.
        top: the most anomalous events.
        objects: objects of the first of these, or None where there are none to show.
        processed: number of events.
        stage_seconds: where their time went, as `rdf.execution.event_loop.Pass` says.
        entries: places of events in the sample, or None where they were not asked for.
    """

    files: Mapping[int, Path]
    histograms: dict[str, Any]
    cuts: list[Cut]
    non_finite: Mapping[str, int]
    top: Collected
    objects: CollectedObjects | None
    processed: int
    stage_seconds: Mapping[str, float]
    entries: Entries | None = None

    def merged(self, other: Self) -> Self:
        """Return what one pass over both parts would have found."""
        from rdf.graph.merging import add_parts

        add_parts(self.histograms, other.histograms)
        cuts = zip(self.cuts, other.cuts, strict=True)
        return replace(
            self,
            files={**self.files, **other.files},
            cuts=[replace(one, events=one.events + another.events) for one, another in cuts],
            non_finite={name: events + other.non_finite[name] for name, events in self.non_finite.items()},
            top=self.top.merged(other.top),
            objects=self.objects.merged(other.objects) if self.objects and other.objects else None,
            processed=self.processed + other.processed,
            stage_seconds={stage: took + other.stage_seconds[stage] for stage, took in self.stage_seconds.items()},
        )
