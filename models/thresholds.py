"""Thresholds and ranks: from the scores of the training events to flags and to numbers that can be compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_serializer, model_validator

RANK_TABLE_POINTS = 4097
"""Points of a rank table, and some more where scores tie: between them a rank of a training event is off by hardly more
than 1/4096, and the table fits the fastest cache."""

CLEARANCE = 1e-5
"""Of a threshold above the highest training score, if many events have it, as a fraction of that score."""
LARGEST = float(np.finfo(np.float32).max)


class ThresholdRule(BaseModel):
    """How a threshold follows from the scores of the training events; exactly one of these is given.

    Attributes:
        contamination: the fraction of the training events with a higher score.
        percentile: of the training scores, in percent.
        sigma: so many standard deviations above the mean of the training scores.
        score: the threshold itself, for scores that are probabilities.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)

    contamination: float | None = Field(default=None, gt=0, lt=1)
    percentile: float | None = Field(default=None, gt=0, lt=100)
    sigma: float | None = None
    score: float | None = None

    @model_validator(mode="after")
    def _check_one(self) -> Self:
        if len(self._given()) != 1:
            raise ValueError(f"give exactly one of {', '.join(type(self).model_fields)}")
        return self

    @model_serializer
    def _given(self) -> dict[str, float]:
        return {name: value for name in type(self).model_fields if (value := getattr(self, name)) is not None}

    def threshold(self, scores: npt.NDArray[np.float32]) -> float:
        """Return the threshold for these training scores, shape (events,)."""
        if self.score is not None:
            return _as_float32(self.score)
        if self.sigma is not None:
            exact = scores.astype(np.float64)
            return _as_float32(float(exact.mean() + self.sigma * exact.std()))
        quantile = self.percentile / 100 if self.percentile is not None else 1 - (self.contamination or 0.0)
        threshold = float(np.quantile(scores, quantile))
        if np.count_nonzero(scores == threshold) < 2:
            return _as_float32(threshold)
        # Several events have this very score. They are not above it, also where it is computed with other roundings.
        above = scores[scores > threshold]
        return _as_float32(
            (threshold + float(above.min())) / 2 if len(above) else threshold + abs(threshold) * CLEARANCE
        )


def _as_float32(value: float) -> float:
    return float(np.float32(np.clip(value, -LARGEST, LARGEST)))


@dataclass(frozen=True)
class RankTable:
    """Points of the empirical cumulative distribution of the training scores.

    Attributes:
        scores: ascending, each once.
        ranks: fraction of the training events with a lower score than that.
    """

    scores: list[float]
    ranks: list[float]


def rank_table(scores: npt.NDArray[np.float32], points: int = RANK_TABLE_POINTS) -> RankTable:
    """Return the rank table of scores, or of other values; exact where there are no more events than points."""
    ordered = np.sort(scores)
    picked = np.linspace(0, len(ordered) - 1, min(len(ordered), points)).round().astype(int)
    values = np.unique(ordered[picked])
    # A score that many events share is a step, over which no straight line leads: the table needs both its ends.
    gaps = np.diff(np.searchsorted(ordered, values, side="left"))
    steps = values[:-1][gaps > np.diff(picked).max(initial=1)]
    values = np.union1d(values, ordered[np.searchsorted(ordered, steps, side="right")])
    ranks = np.searchsorted(ordered, values, side="left") / len(ordered)
    return RankTable([float(score) for score in values], [float(rank) for rank in ranks])
