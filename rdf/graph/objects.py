"""Objects of the most anomalous events, as an event display shows them: jets, leptons and MET, or megajets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rdf import RNode
from rdf.code.library import graph_library
from rdf.graph.anomaly_order import anomaly_key
from rdf.graph.fields import Fields, cpp_fields
from rdf.schema.displayed_objects import ObjectAttributes


@dataclass(frozen=True)
class EventObjects:
    """The objects of one event.

    Attributes:
        ids: run, luminosityBlock and event.
        key: by which events are compared, greatest first.
        numbers: of each attribute, one for each object of its kind.
    """

    ids: tuple[int, ...]
    key: tuple[float, ...]
    numbers: tuple[tuple[float, ...], ...]

    @property
    def order(self) -> tuple[Any, ...]:
        """Sorts the most anomalous event first."""
        return anomaly_key(self.key, self.ids, self.numbers)


@dataclass(frozen=True)
class CollectedObjects:
    """Objects that an event loop has collected, or the loops over several parts of a sample.

    Attributes:
        key: names of the values by which events are compared.
        names: (kind, attribute), as ("jets", "pt").
        size: events that are kept at most.
        events: the most anomalous first.
    """

    key: tuple[str, ...]
    names: tuple[tuple[str, str], ...]
    size: int
    events: tuple[EventObjects, ...]

    def merged(self, other: CollectedObjects) -> CollectedObjects:
        """Return what one loop over both parts would have collected."""
        events = sorted((*self.events, *other.events), key=lambda event: event.order)
        return replace(self, events=tuple(events[: self.size]))


@dataclass(frozen=True)
class TopObjects:
    """Objects of the most anomalous events, which an event loop will collect.

    Attributes:
        key: names of the values by which events are compared.
        names: (kind, attribute), as ("jets", "pt").
        size: events that are kept at most.
        collector: the C++ object that collects; it has to live as long as the loop runs.
        booked: what the event loop has to run.
    """

    key: tuple[str, ...]
    names: tuple[tuple[str, str], ...]
    size: int
    collector: Any
    booked: Any

    def collected(self) -> CollectedObjects:
        """Return what there is after the loop."""
        events = (
            EventObjects(tuple(int(i) for i in ids), *self._split(np.array(values, dtype=np.float32)))
            for ids, values in zip(self.collector.ids(), self.collector.values(), strict=True)
        )
        ordered = sorted(events, key=lambda event: event.order)
        return CollectedObjects(self.key, self.names, self.size, tuple(ordered))

    def _split(self, values: npt.NDArray[np.float32]) -> tuple[tuple[float, ...], tuple[tuple[float, ...], ...]]:
        # The shortest numbers that are these float32.
        numbers = [float(str(value)) for value in values]
        key, split, start = tuple(numbers[: len(self.key)]), [], len(self.key)
        for _ in self.names:
            end = start + 1 + int(numbers[start])
            split.append(tuple(numbers[start + 1 : end]))
            start = end
        return key, tuple(split)


def book_top_objects(
    events: RNode, fields: Fields, key: Sequence[str], attributes: ObjectAttributes, size: int, slots: int
) -> TopObjects:
    """Book the objects of the events with the greatest key; of those with equal keys, of the first by their ids.

    Args:
        events: node with `recorded_event`, `recorded_scores` and `recorded_objects`.
        fields: of the graph's events.
        key: columns compared, first column first.
        attributes: of the objects.
        size: number of events; all of them where there are no more.
        slots: of the event loop.
    """
    # What a run records is asked for before ROOT is needed.
    from rdf.code.interpreter import ROOT

    graph_library("scores").load()
    collector = ROOT.graph.TopObjects(slots, cpp_fields(fields.of(key)), size)
    return TopObjects(tuple(key), attributes.names, size, collector, collector.book(events))
