"""The order of anomalous events: the one that the event loop keeps them by, and that every list of them is in.

The ensemble's score decides, then the scores of its detectors in their order, the greatest first; then the numbers that
name the event, the smallest first; then whatever else is known of it, the smallest first. `macros/graph/rows.hxx` has
the same rule in C++.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Rest = TypeVar("Rest")


def anomaly_order(
    scores: npt.NDArray[np.floating], ids: npt.NDArray[np.integer], rest: npt.NDArray[np.floating]
) -> npt.NDArray[np.intp]:
    """Return the places of events, the most anomalous first, shape (events,).

    Args:
        scores: by which events are compared, the first one first, shape (events, scores).
        ids: whole numbers that name each event, shape (events, ids).
        rest: what decides between events of the same scores and ids, shape (events, values).
    """
    # lexsort sorts by its last key first.
    return np.lexsort([*rest.T[::-1], *ids.T[::-1], *-scores.T[::-1]])


def anomaly_key(
    scores: Sequence[float], ids: Sequence[int], rest: Rest
) -> tuple[tuple[float, ...], tuple[int, ...], Rest]:
    """Return what sorts single events as `anomaly_order` sorts many; the arguments are those of one event."""
    return tuple(-score for score in scores), tuple(ids), rest
