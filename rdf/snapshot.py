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


def book_snapshot(events: RNode, values: Sequence[str], slots: int) -> Snapshot:
    """Book columns of all events, to come in the order of the published table, or in that of the event numbers."""
    include_kernels("rows")
    ids = (SOURCE_ROW,) if events.HasColumn(SOURCE_ROW) else tuple(ID_QUANTITIES)
    return _book(events, ROOT.rows.AllRows(slots, len(ids), len(values)), "AllRows", ids, values)


def book_top_events(events: RNode, key: Sequence[str], values: Sequence[str], size: int, slots: int) -> Snapshot:
    """Book columns of the events with the greatest key: at least `size` of them, or all there are.

    Args:
        events: node that has the columns.
        key: columns compared, first column first.
        values: columns wanted.
        size: number of events.
        slots: of the event loop.
    """
    include_kernels("rows")
    rows = ROOT.rows.TopRows(slots, size, len(key))
    return _book(events, rows, "TopRows", tuple(ID_QUANTITIES), (*key, *values))
