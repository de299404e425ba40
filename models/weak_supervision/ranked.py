"""What classifiers of weak supervision say of events that they have not seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

MOST_RATIO = 100.0
"""Likelihood ratio that no event exceeds, so that a single one does not outweigh all others."""


@dataclass(frozen=True, eq=False)
class RankedEvents:
    """Scores and ranks of events.

    Attributes:
        scores: probability that an event lies in the region, where region and sidebands count alike, shape (events,).
        ranks: fraction of the events of its fold with a lower score, shape (events,).
    """

    scores: npt.NDArray[np.float32]
    ranks: npt.NDArray[np.floating]

    def where(self, kept: npt.NDArray[np.bool_]) -> RankedEvents:
        """Return some of the events, those for which an array of shape (events,) is true."""
        return RankedEvents(self.scores[kept], self.ranks[kept])


def likelihood_ratios(scores: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Return the likelihood ratio of region to sidebands that scores stand for; same shape."""
    probability = scores.astype(np.float64)
    return np.asarray(np.minimum(probability / np.maximum(1 - probability, 1e-9), MOST_RATIO))
