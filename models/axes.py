"""Binnings of scores and features, and distributions of features, as training events have them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.detectors.detector import Detector, Features
from models.tables import Axis, Quantiles
from models.thresholds import rank_table

BINS = 100
QUANTILES = 257
"""Points of a feature's distribution: a distance between two of them is off by hardly more than 1/256."""


def score_axis(detectors: Sequence[Detector]) -> Axis:
    """Return a binning of the score of a detector, trained for each fold, in which its threshold can be seen.

    The scores of most detectors have no upper bound, and a few events lie far out: the axis ends where the threshold is
    a third of the way from the median, and holds all scores where they end before that.
    """
    scores = np.concatenate([detector.scores for detector in detectors])
    median, threshold = float(np.median(scores)), max(detector.threshold for detector in detectors)
    end = median + 3 * (threshold - median)
    return axis(scores if detectors[0].supervised or end <= median else np.minimum(scores, np.float32(end)))


def axis(values: Features) -> Axis:
    """Return a binning that holds all values of shape (events,), as far as they are finite.

    Edges are at round numbers; counts have a bin for each, and one to spare on either side.
    """
    finite = values[np.isfinite(values)].astype(float)
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    if len(finite) and high - low < BINS and (finite == np.rint(finite)).all():  # a count: a bin for each number
        return Axis(bins=int(high - low) + 3, low=low - 1.5, high=high + 1.5)
    if 0 <= low < 0.5 * high:
        low = 0.0
    width = (high - low) or abs(high) or 1.0
    # A bin's width is rounded up to two digits: a hundred such bins, the first starting at a multiple, span the range.
    step = width / (BINS - 2)
    digit = 10.0 ** (np.floor(np.log10(step)) - 1)
    step = np.ceil(step / digit) * digit
    first = np.floor(low / step) * step
    return Axis(bins=BINS, low=_rounded(first), high=_rounded(first + BINS * step))


def quantiles(values: Features) -> Quantiles:
    """Return points of the distribution of a feature, shape (events,)."""
    table = rank_table(values, points=QUANTILES)
    return Quantiles(values=table.scores, ranks=table.ranks)


def _rounded(edge: float) -> float:
    return float(f"{edge:.12g}")
