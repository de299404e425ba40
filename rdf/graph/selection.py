"""Selections: each cut has a name and its place in the cutflow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from rdf import RNode
from rdf.code.interpreter import ROOT
from rdf.code.library import graph_library
from rdf.schema.certified import SECTION
from rdf.schema.tables import FINITE


@dataclass(frozen=True)
class Cut:
    """A step of the cutflow: the name of the cut and the events that passed it."""

    name: str
    events: int


def emptying_cut(cuts: Sequence[Cut]) -> tuple[Cut, int] | None:
    """Return the first cut that no event passed, and how many events came to it; None if events are left."""
    return next(((cut, before.events) for before, cut in pairwise(cuts) if not cut.events), None)


def runs_of(events: RNode) -> tuple[int, int]:
    """Run a loop in this process, and return the first and the last run of events that have SECTION."""
    node = ROOT.RDF.AsRNode(events)
    ends = [getattr(node, end)["unsigned long long"](SECTION) for end in ("Min", "Max")]
    first, last = (int(end.GetValue()) >> 32 for end in ends)
    return first, last


def select_finite(events: RNode, features: int, weighted: bool = False) -> RNode:
    """Keep events whose first `features` values are all finite: the same cut for training and for scoring.

    Args:
        events: node with `recorded_event`.
        features: their number.
        weighted: whether the events have weights, which then have to be finite too.
    """
    return ROOT.graph.select_finite(events, features, FINITE, weighted)


def select_events(events: RNode, condition: str) -> RNode:
    """Keep events that fulfil a C++ condition over the columns; it is the name of the cut too."""
    return ROOT.RDF.AsRNode(events.Filter(condition, condition))


@dataclass(frozen=True)
class Cutflow:
    """The cutflow of a graph."""

    report: Any

    @property
    def booked(self) -> Any:
        """What the event loop has to run."""
        return self.report.booked()

    def cuts(self) -> list[Cut]:
        """Return the cuts in their order, after the loop."""
        return [Cut(str(n), int(p)) for n, p in zip(self.report.names(), self.report.passed(), strict=True)]


def book_cutflow(events: RNode) -> Cutflow:
    """Book the counting of all named cuts above a node."""
    graph_library("scores").load()
    return Cutflow(ROOT.graph.Cutflow(events))


@dataclass(frozen=True)
class WeightedCut:
    """Weights of the events that passed a cut.

    Attributes:
        name: of the cut.
        sum: of the weights, and what is to be added to it for the exact one.
        squares: sum of their squares, likewise.
        negative: events of negative weight.
    """

    name: str
    sum: tuple[float, float]
    squares: tuple[float, float]
    negative: int


class WeightedCutflow:
    """The weights of the events that passed each cut, which are summed exactly.

    Attributes:
        booked: what the event loop has to run.
    """

    def __init__(self, slots: int) -> None:
        """Begin with no cut.

        Args:
            slots: of the event loop.
        """
        graph_library("scores").load()
        self._sums = ROOT.graph.WeightSums(slots)
        self._names: list[str] = []
        self.booked: list[Any] = []

    def add(self, name: str, events: RNode) -> None:
        """Book a cut.

        Args:
            name: of the cut.
            events: node of the events that passed it, with `recorded_weight`.
        """
        self._names.append(name)
        self.booked.append(self._sums.add(events))

    def cuts(self) -> list[WeightedCut]:
        """Return the cuts in their order, after the loop."""

        def words(cut: int, squared: bool) -> tuple[float, float]:
            return float(self._sums.sum(cut, squared)), float(self._sums.remainder(cut, squared))

        return [
            WeightedCut(name, words(i, squared=False), words(i, squared=True), int(self._sums.negative(i)))
            for i, name in enumerate(self._names)
        ]

    def not_finite(self) -> int:
        """Return the number of events, before any cut, whose weight is NaN or infinite, after the loop."""
        return int(self._sums.not_finite(0))


@dataclass(frozen=True)
class NonFinite:
    """How many events each feature was not finite in.

    Attributes:
        features: their names.
    """

    features: tuple[str, ...]
    counted: Any

    @property
    def booked(self) -> Any:
        """What the event loop has to run."""
        return self.counted.booked()

    def counts(self) -> dict[str, int]:
        """Return the number of events for each feature, after the loop; an event can count for several."""
        return {name: int(count) for name, count in zip(self.features, self.counted.counts(), strict=True)}


def book_non_finite(events: RNode, features: Sequence[str], slots: int) -> NonFinite:
    """Book the counting of features that are NaN or infinite.

    Args:
        events: node with `recorded_event`, whose first values the features are.
        features: their names.
        slots: of the event loop.
    """
    graph_library("scores").load()
    return NonFinite(tuple(features), ROOT.graph.NonFinite(events, len(features), slots))
