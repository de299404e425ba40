"""Snapshot: columns of the selected events as numpy arrays, for training, lists and what goes by places in a sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rdf import RNode
from rdf.code.interpreter import ROOT
from rdf.graph.fields import ENSEMBLE_FLAG, Field, Fields, cpp_fields
from rdf.graph.scoring import SCORES
from rdf.schema.quantities import ID_QUANTITIES, SOURCE_ROW


@dataclass(frozen=True)
class Rows:
    """Which rows of numbers an event loop collects: those of all events, of some drawn at random, or of the top.

    Attributes:
        ids: names of the whole numbers that name the event, most significant first.
        values: names of the numbers, which are rounded to float32.
        fields: where the graph has these.
        size: rows that are drawn, or are the top; None for all.
        key: number of values that are compared, for the top; None for a draw.
        seed: of the draw.
    """

    ids: tuple[str, ...]
    values: tuple[str, ...]
    fields: tuple[Field, ...]
    size: int | None = None
    key: int | None = None
    seed: int = 0

    def collector(self, slots: int) -> Any:
        """Return the C++ object that collects these rows in the slots of an event loop."""
        with_row, fields = SOURCE_ROW in self.ids, cpp_fields(self.fields)
        if self.size is None:
            return ROOT.graph.Rows.all(slots, fields, with_row)
        if self.key is None:
            return ROOT.graph.Rows.sampled(slots, fields, with_row, self.size, self.seed)
        return ROOT.graph.Rows.top(slots, fields, self.size, self.key)


@dataclass(frozen=True)
class Collected:
    """Rows that an event loop has collected, or the loops over several parts of a sample.

    Attributes:
        rows: columns and choice of the rows.
        ids: whole numbers that name the event, shape (events, ids), in no order.
        values: shape (events, values), float32.
        seen: number of events that the rows were collected from.
    """

    rows: Rows
    ids: npt.NDArray[np.uint64]
    values: npt.NDArray[np.float32]
    seen: int

    def arrays(self) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.float32]]:
        """Return ids and values in the order of the ids.

        That order does not depend on threads; where ids are equal, the values decide.
        """
        # lexsort sorts by its last key first.
        order = np.lexsort([*self.values.T, *self.ids.T[::-1]])
        return self.ids[order], self.values[order]

    def merged(self, other: Collected) -> Collected:
        """Return what one loop over both parts would have collected."""
        collector = self.rows.collector(1)
        for each in (self, other):
            if len(each.ids):
                # Copies: arrays that have come from elsewhere may be read-only, which PyROOT does not take.
                collector.add(each.ids.flatten(), each.values.flatten(), len(each.ids))
        return _collected(self.rows, collector, self.seen + other.seen)


def _collected(rows: Rows, collector: Any, seen: int) -> Collected:
    size = int(collector.size())
    ids = np.empty((size, len(rows.ids)), dtype=np.uint64)
    values = np.empty((size, len(rows.values)), dtype=np.float32)
    if size:
        collector.copy(ids.reshape(-1), values.reshape(-1))
    return Collected(rows, ids, values, seen)


@dataclass(frozen=True)
class Snapshot:
    """Columns that an event loop will collect.

    Attributes:
        rows: columns and choice of the rows.
        collector: the C++ object that collects; it has to live as long as the loop runs.
        booked: what the event loop has to run.
    """

    rows: Rows
    collector: Any
    booked: Any

    def collected(self) -> Collected:
        """Return what there is after the loop."""
        return _collected(self.rows, self.collector, int(self.collector.seen()))


def _book(events: RNode, rows: Rows, slots: int) -> Snapshot:
    collector = rows.collector(slots)
    booked = collector.book_scored(events) if events.HasColumn(SCORES) else collector.book(events)
    return Snapshot(rows, collector, booked)


def book_snapshot(
    events: RNode,
    fields: Fields,
    values: Sequence[str],
    slots: int,
    sample: int | None = None,
    seed: int = 0,
) -> Snapshot:
    """Book columns of all events, or of a sample of them.

    The ids are run, luminosityBlock and event, after the number of the row where the events are those of a published
    table or have no numbers of their own.

    Args:
        events: node with `recorded_event`, and `recorded_scores` if one of the values is made of it.
        fields: of the graph's events.
        values: columns wanted.
        slots: of the event loop.
        sample: number of events to draw at random without replacement, at least 1, each event with the same
            probability; all of them where there are no more, or if it is None. The draw depends on the seed and on the
            events' ids, among events of equal ids on their values too; not on the threads or the order of the events.
            Each slot holds that many events in memory.
        seed: of the draw, 0 to 2^64 - 1.
    """
    row = (SOURCE_ROW,) if events.HasColumn(SOURCE_ROW) else ()
    return _book(events, Rows((*row, *ID_QUANTITIES), tuple(values), fields.of(values), sample, seed=seed), slots)


def book_top_events(
    events: RNode, fields: Fields, key: Sequence[str], values: Sequence[str], size: int, slots: int
) -> Snapshot:
    """Book columns of the events with the greatest key; of those with equal keys, of the first by their ids.

    Args:
        events: node with `recorded_event` and `recorded_scores`.
        fields: of the graph's events.
        key: columns compared, first column first.
        values: columns wanted.
        size: number of events; all of them where there are no more.
        slots: of the event loop.
    """
    names = (*key, *values)
    return _book(events, Rows(tuple(ID_QUANTITIES), names, fields.of(names), size, len(key)), slots)


@dataclass(frozen=True)
class Entries:
    """Scored events by their places in the sample.

    Attributes:
        numbers: places, rising, shape (events,).
        names: of the columns that are kept.
        values: of these, shape (events, columns), float32.
    """

    numbers: npt.NDArray[np.uint64]
    names: tuple[str, ...]
    values: npt.NDArray[np.float32]

    @property
    def flagged(self) -> npt.NDArray[np.uint64]:
        """Places of the events that the ensemble flags."""
        return self.numbers[self.values[:, self.names.index(ENSEMBLE_FLAG)] > 0]


@dataclass(frozen=True)
class BookedEntries:
    """Places of events that an event loop will collect.

    Attributes:
        names: of the columns that are kept.
        collector: the C++ object that collects; it has to live as long as the loop runs.
        booked: what the event loop has to run.
    """

    names: tuple[str, ...]
    collector: Any
    booked: Any

    def collected(self) -> Entries:
        """Return what there is after the loop."""
        size = int(self.collector.size())
        numbers, values = np.empty(size, np.uint64), np.empty((size, len(self.names)), np.float32)
        if size:
            self.collector.copy(numbers, values.reshape(-1))
        order = np.argsort(numbers)
        return Entries(numbers[order], self.names, values[order])


def book_entries(
    scored: RNode, fields: Fields, column: str, slots: int, names: Sequence[str] | None = None
) -> BookedEntries:
    """Book the places of events in the sample, which are held in memory.

    Args:
        scored: node with `recorded_event` and `recorded_scores`.
        fields: of the graph's events.
        column: has the place.
        slots: of the event loop.
        names: columns that are kept of each event, `flag_ensemble` among them; None for the flagged events alone.
    """
    kept = tuple(names or (ENSEMBLE_FLAG,))
    collector = ROOT.graph.Entries(slots, cpp_fields(fields.of(kept)), names is None)
    return BookedEntries(kept, collector, collector.book(scored, column))
