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
    """Booked columns; arrays can be had after the loop."""

    features: tuple[str, ...]
    columns: dict[str, Any]

    def results(self) -> list[Any]:
        """Return what the event loop has to run."""
        return list(self.columns.values())

    def array(self) -> npt.NDArray[np.float32]:
        """Return the features, shape (events, features), float32.

        The order does not depend on threads: that of the published file for a converted table, that of run,
        luminosityBlock and event for a tree.
        """
        columns = {name: np.asarray(result.GetValue()) for name, result in self.columns.items()}
        X = np.stack([columns[name] for name in self.features], axis=1).astype(np.float32, copy=False)
        keys = [columns[name] for name in columns if name not in self.features]
        # lexsort sorts by its last key first; equal names are told apart by the features themselves.
        return X[np.lexsort([*X.T[::-1], *keys[::-1]])]


def book_snapshot(events: RNode, features: Sequence[str]) -> Snapshot:
    """Book the features and what orders the events."""
    order = (SOURCE_ROW,) if events.HasColumn(SOURCE_ROW) else tuple(ID_QUANTITIES)
    types = {name: str(events.GetColumnType(name)) for name in (*features, *order)}
    return Snapshot(tuple(features), {name: events.Take[kind](name) for name, kind in types.items()})
