"""Snapshot: columns of the selected events as numpy arrays, for training and for the list of the most anomalous."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rdf import RNode
from rdf.interpreter import ROOT
from rdf.schema import ID_QUANTITIES, SOURCE_ROW
from rdf.scoring import SCORES


@dataclass(frozen=True)
class Snapshot:
    """Columns that an event loop will collect.

    Attributes:
        ids: whole numbers that name the event, most significant first.
        values: columns of numbers, rounded to float32.
        rows: the C++ object that collects; it has to live as long as the loop runs.
        booked: what the event loop has to run.
    """

    ids: tuple[str, ...]
    values: tuple[str, ...]
    rows: Any
    booked: Any

    @property
    def seen(self) -> int:
        """Number of events that there were to collect from, after the loop."""
        return int(self.rows.seen())

    def arrays(self) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.float32]]:
        """Return ids, shape (events, ids), and values, shape (events, values), in the order of the ids.

        That order does not depend on threads; where ids are equal, the values decide.
        """
        size = int(self.rows.size())
        ids = np.empty((size, len(self.ids)), dtype=np.uint64)
        values = np.empty((size, len(self.values)), dtype=np.float32)
        if size:
            self.rows.copy(ids.reshape(-1), values.reshape(-1))
        # lexsort sorts by its last key first.
        order = np.lexsort([*values.T, *ids.T[::-1]])
        return ids[order], values[order]


def book_snapshot(
    events: RNode,
    fields: Mapping[str, str],
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
        fields: column -> how `macros/fields.hxx` names it.
        values: columns wanted.
        slots: of the event loop.
        sample: number of events to draw at random without replacement, at least 1, each event with the same
            probability; all of them where there are no more, or if it is None. The draw depends on the seed and on the
            events' ids, among events of equal ids on their values too; not on the threads or the order of the events.
            Each slot holds that many events in memory.
        seed: of the draw, 0 to 2^64 - 1.
    """
    with_row = bool(events.HasColumn(SOURCE_ROW))
    ids = (*([SOURCE_ROW] if with_row else []), *ID_QUANTITIES)
    wanted = [fields[name] for name in values]
    if sample is None:
        rows = ROOT.graph.Rows.all(slots, wanted, with_row)
    else:
        rows = ROOT.graph.Rows.sampled(slots, wanted, with_row, sample, seed)
    booked = rows.book_scored(events) if events.HasColumn(SCORES) else rows.book(events)
    return Snapshot(ids, tuple(values), rows, booked)


def book_top_events(
    events: RNode, fields: Mapping[str, str], key: Sequence[str], values: Sequence[str], size: int, slots: int
) -> Snapshot:
    """Book columns of the events with the greatest key; of those with equal keys, of the first by their ids.

    Args:
        events: node with `recorded_event` and `recorded_scores`.
        fields: column -> how `macros/fields.hxx` names it.
        key: columns compared, first column first.
        values: columns wanted.
        size: number of events; all of them where there are no more.
        slots: of the event loop.
    """
    wanted = [fields[name] for name in (*key, *values)]
    rows = ROOT.graph.Rows.top(slots, wanted, size, len(key))
    return Snapshot(tuple(ID_QUANTITIES), (*key, *values), rows, rows.book_scored(events))
