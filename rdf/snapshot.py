"""Snapshot: columns of the selected events as numpy arrays, for training and for the list of the most anomalous."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rdf import RNode
from rdf.interpreter import ROOT, include_kernels
from rdf.schema import ID_QUANTITIES, SOURCE_ROW


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
        return int(self.booked.GetValue())

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


def _book(events: RNode, rows: Any, kind: str, ids: Sequence[str], values: Sequence[str]) -> Snapshot:
    row = (
        ", ".join(f"static_cast<std::uint64_t>({name})" for name in ids),
        ", ".join(f"static_cast<float>({name})" for name in values),
    )
    # The graph is code compiled at run time: the address is how it gets to this object.
    collector = f"reinterpret_cast<rows::{kind} *>({ROOT.addressof(rows)}ull)"
    collected = events.Filter(f"{collector}->add(rdfslot_, {{{row[0]}}}, {{{row[1]}}})")
    return Snapshot(tuple(ids), tuple(values), rows, collected.Count())


def book_snapshot(
    events: RNode, values: Sequence[str], slots: int, sample: int | None = None, seed: int = 0
) -> Snapshot:
    """Book columns of all events, or of a sample of them.

    The ids are run, luminosityBlock and event, after the number of the row where the events are those of a published
    table or have no numbers of their own.

    Args:
        events: node that has the columns.
        values: columns wanted.
        slots: of the event loop.
        sample: number of events to draw at random without replacement, at least 1, each event with the same
            probability; all of them where there are no more, or if it is None. The draw depends on the seed and on the
            events' ids, among events of equal ids on their values too; not on the threads or the order of the events.
            Each slot holds that many events in memory.
        seed: of the draw, 0 to 2^64 - 1.
    """
    include_kernels("rows")
    ids = (*([SOURCE_ROW] if events.HasColumn(SOURCE_ROW) else []), *ID_QUANTITIES)
    if sample is None:
        return _book(events, ROOT.rows.AllRows(slots, len(ids), len(values)), "AllRows", ids, values)
    return _book(events, ROOT.rows.SampledRows(slots, sample, seed), "SampledRows", ids, values)


def book_top_events(events: RNode, key: Sequence[str], values: Sequence[str], size: int, slots: int) -> Snapshot:
    """Book columns of the events with the greatest key; of those with equal keys, of the first by their ids.

    Args:
        events: node that has the columns.
        key: columns compared, first column first.
        values: columns wanted.
        size: number of events; all of them where there are no more.
        slots: of the event loop.
    """
    include_kernels("rows")
    rows = ROOT.rows.TopRows(slots, size, len(key))
    return _book(events, rows, "TopRows", tuple(ID_QUANTITIES), (*key, *values))
