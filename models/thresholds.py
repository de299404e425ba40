"""Thresholds and ranks: from the scores of the training events to flags and to numbers that can be compared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

RANK_TABLE_POINTS = 4097
"""Points of a rank table, and some more where scores tie: between them a rank of a training event is off by less than
1/4096, and the table fits the fastest cache."""


def quantile_threshold(scores: npt.NDArray[np.float32], contamination: float) -> float:
    """Return the score that the fraction `contamination` of these events lies above."""
    return float(np.float32(np.quantile(scores, 1 - contamination)))


@dataclass(frozen=True)
class RankTable:
    """Points of the empirical cumulative distribution of the training scores.

    Attributes:
        scores: ascending, each once.
        ranks: fraction of the training events with a lower score than that.
    """

    scores: list[float]
    ranks: list[float]


def rank_table(scores: npt.NDArray[np.float32]) -> RankTable:
    """Return the rank table of the training scores; exact where there are no more events than points."""
    ordered = np.sort(scores)
    picked = np.linspace(0, len(ordered) - 1, min(len(ordered), RANK_TABLE_POINTS)).round().astype(int)
    points = np.unique(ordered[picked])
    # A score that many events share is a step, over which no straight line leads: the table needs both its ends.
    gaps = np.diff(np.searchsorted(ordered, points, side="left"))
    steps = points[:-1][gaps > np.diff(picked).max(initial=1)]
    points = np.union1d(points, ordered[np.searchsorted(ordered, steps, side="right")])
    ranks = np.searchsorted(ordered, points, side="left") / len(ordered)
    return RankTable([float(score) for score in points], [float(rank) for rank in ranks])
