"""Snapshot: columns of the selected events as numpy arrays, for training and for the list of events."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rdf import RNode
from rdf.columns import define
from rdf.interpreter import ROOT
from rdf.schema import ID_QUANTITIES, SOURCE_ROW


@dataclass(frozen=True)
class Snapshot:
    """Booked columns of numbers, to be had as arrays after the loop.

    Attributes:
        names: of the columns wanted.
        rows: these columns, a `std::array<float>` an event: one thing to compile and to fill instead of many.
        ids: columns that name the event or say where it stands.
    """

    names: tuple[str, ...]
    rows: Any
    ids: dict[str, Any]

    def results(self) -> list[Any]:
        """Return what the event loop has to run."""
        return [self.rows, *self.ids.values()]

    def matrix(self) -> npt.NDArray[np.float32]:
        """Return the columns, shape (events, columns), in the order in which the loop met the events."""
        rows = self.rows.GetValue()
        shape = (int(rows.size()), len(self.names))
        if not shape[0]:
            return np.empty(shape, dtype=np.float32)
        values = (ctypes.c_float * (shape[0] * shape[1])).from_address(ROOT.addressof(rows.data()))
        return np.ctypeslib.as_array(values).reshape(shape).copy()

    def id_arrays(self) -> dict[str, npt.NDArray[np.unsignedinteger]]:
        """Return the columns that name the events, in the same order."""
        return {name: np.asarray(result.GetValue()) for name, result in self.ids.items()}

    def sorted_matrix(self) -> npt.NDArray[np.float32]:
        """Return the columns, shape (events, columns), in an order that does not depend on threads.

        It is that of the ids, and where these are equal that of the values.
        """
        matrix = self.matrix()
        # lexsort sorts by its last key first.
        return matrix[np.lexsort([*matrix.T, *reversed(self.id_arrays().values())])]


def book_snapshot(events: RNode, names: Sequence[str], ids: Sequence[str]) -> Snapshot:
    """Book columns, which are rounded to float32, and those that name the events.

    Args:
        events: node that has them.
        names: columns of numbers.
        ids: columns of whole numbers, most significant first.
    """
    values = ", ".join(f"static_cast<float>({name})" for name in names)
    kind = f"std::array<float, {len(names)}>"
    rows = define(events, "snapshot_row", f"{kind}{{{values}}}").Take[kind]("snapshot_row")
    taken = {name: events.Take[str(events.GetColumnType(name))](name) for name in ids}
    return Snapshot(tuple(names), rows, taken)


def file_order(events: RNode) -> tuple[str, ...]:
    """Return the columns that put events in order: as in the published table, or as trees are ordered."""
    return (SOURCE_ROW,) if events.HasColumn(SOURCE_ROW) else tuple(ID_QUANTITIES)
