"""Snapshot: the features of the selected events as numpy arrays, for training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rdf import RNode
from rdf.schema import ID_QUANTITIES, SOURCE_ROW


@dataclass(frozen=True)
class Snapshot:
    """Booked columns; arrays can be had after the loop.

    Attributes:
        names: of the columns wanted.
        order: of the columns that say in which order the events come.
        booked: the results of all of them.
    """

    names: tuple[str, ...]
    order: tuple[str, ...]
    booked: dict[str, Any]

    def results(self) -> list[Any]:
        """Return what the event loop has to run."""
        return list(self.booked.values())

    def arrays(self) -> dict[str, npt.NDArray[np.float32]]:
        """Return the columns, shape (events,) each, float32.

        The order of the events does not depend on threads: it is that of the published file for a converted table, and
        that of run, luminosityBlock and event for a tree.
        """
        columns = {name: np.asarray(result.GetValue()) for name, result in self.booked.items()}
        # lexsort sorts by its last key first; events of the same name are told apart by what was measured.
        order = np.lexsort([columns[name] for name in (*self.names, *reversed(self.order))])
        return {name: columns[name][order] for name in self.names}


def book_snapshot(events: RNode, names: Sequence[str]) -> Snapshot:
    """Book columns of float32, and what orders the events."""
    order = (SOURCE_ROW,) if events.HasColumn(SOURCE_ROW) else tuple(ID_QUANTITIES)
    booked = {name: events.Take[str(events.GetColumnType(name))](name) for name in (*names, *order)}
    return Snapshot(tuple(names), order, booked)
