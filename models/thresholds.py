"""Thresholds and ranks: from the scores of the training events to flags and to numbers that can be compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

RANK_TABLE_POINTS = 4097
"""Points of a rank table, and some more where scores tie: between them a rank of a training event is off by hardly more
than 1/4096, and the table fits the fastest cache."""

LARGEST = float(np.finfo(np.float32).max)

Weights = npt.NDArray[np.floating]

Rounding = npt.NDArray[np.float64]
"""Largest difference that the rounding of float32 can make to a score in the event loop, shape (events,)."""


class ThresholdRule(BaseModel):
    """How a threshold follows from the scores of the training events; exactly one of the first four is given.

    Attributes:
        contamination: the fraction of the training events with a higher score.
        percentile: of the training scores, in percent.
        sigma: number of standard deviations above the mean of the training scores.
        score: the threshold itself, for scores that are probabilities.
        weighted: whether events count by their weights. Where these are negative, the threshold is the highest from
            which on more than the wanted part of the weights is above. With nothing else given the rule is the
            detector's own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)

    contamination: float | None = None
    percentile: float | None = None
    sigma: float | None = None
    score: float | None = None
    weighted: bool = False

    @field_validator("contamination", "percentile")
    @classmethod
    def _check_range(cls, value: float | None, info: ValidationInfo) -> float | None:
        end = 1 if info.field_name == "contamination" else 100
        if value is not None and not 0 < value < end:
            raise ValueError(f"{value:g} is out of range; give a number above 0 and below {end}")
        return value

    @model_validator(mode="after")
    def _check_one(self) -> Self:
        if len(given := self._given().keys() - {"weighted"}) != 1 and (given or not self.weighted):
            raise ValueError("give exactly one of contamination, percentile, sigma, score")
        return self

    @model_serializer
    def _given(self) -> dict[str, float]:
        given = ((name, getattr(self, name)) for name in type(self).model_fields)
        return {name: value for name, value in given if value is not None and value is not False}

    def completed(self, default: ThresholdRule) -> ThresholdRule:
        """Return the rule, or another one with weights where this says nothing but that there are to be weights."""
        return default.model_copy(update={"weighted": True}) if self._given().keys() == {"weighted"} else self

    @property
    def fraction(self) -> float | None:
        """The fraction of the training events that is to be flagged; None for rules that do not say it."""
        return self.contamination if self.percentile is None else 1 - self.percentile / 100

    def threshold(
        self, scores: npt.NDArray[np.float32], rounding: Rounding | None = None, weights: Weights | None = None
    ) -> float:
        """Return the threshold for these training scores.

        It lies between distinct scores, so that events that score alike are on one side of it also where their score is
        computed with other roundings. Where the rule's own value lies among events that score alike, none of them is
        above the threshold, which is half way to the next score. From a single event's score it keeps away by twice the
        rounding, as far as there is room.

        Args:
            scores: shape (events,).
            rounding: of the scores; None for scores that are the same everywhere.
            weights: of the events, shape (events,), for a rule that counts by them.
        """
        wanted = _as_float32(self._value(scores, weights if self.weighted else None))
        errors = np.zeros(len(scores)) if rounding is None else rounding
        alike = TiedScores.among(scores, errors)
        group = alike.around(wanted)
        if group is not None:
            top = float(alike.high[group])
            above = scores[scores > top]
            if not len(above):
                return _as_float32(max(wanted, 2 * top - float(alike.last[group])))
            return _as_float32((top + alike.lower_end(float(above.min()))) / 2)
        below, above = scores <= wanted, scores[scores > wanted]
        if not below.any() or not len(above):
            return wanted
        low, high = float(scores[below].max()), float(above.min())
        least = max(low + 2 * float(errors[scores == low].max()), alike.upper_end(low))
        most = min(high - 2 * float(errors[scores == high].max()), alike.lower_end(high))
        if least > most:  # as well as can be
            return _as_float32((alike.upper_end(low) + alike.lower_end(high)) / 2)
        return _as_float32(min(max(wanted, least), most))

    def _value(self, scores: npt.NDArray[np.float32], weights: Weights | None = None) -> float:
        """Return what the rule says of these scores, whatever events score alike there."""
        if self.score is not None:
            return self.score
        if self.sigma is not None:
            exact = scores.astype(np.float64)
            if weights is not None:
                mean = float(np.average(exact, weights=weights))
                return mean + self.sigma * float(np.sqrt(np.average((exact - mean) ** 2, weights=weights)))
            return float(exact.mean() + self.sigma * exact.std())
        if weights is not None:
            falling = np.argsort(scores, kind="stable")[::-1]
            above = np.maximum.accumulate(np.cumsum(weights[falling], dtype=np.float64))
            flagged = int(np.searchsorted(above, (self.fraction or 0.0) * weights.sum(dtype=np.float64), side="right"))
            return float(scores[falling[min(flagged, len(scores) - 1)]])
        quantile = self.percentile / 100 if self.percentile is not None else 1 - (self.contamination or 0.0)
        return float(np.quantile(scores, quantile))

    def ties(self, scores: npt.NDArray[np.float32], rounding: Rounding) -> str | None:
        """Say in words that fewer events are flagged than the rule asks for, since many score alike; None otherwise."""
        flagged = int(np.count_nonzero(scores > self.threshold(scores, rounding)))
        alike = TiedScores.among(scores, rounding)
        group = alike.around(_as_float32(self._value(scores)))
        if self.weighted or self.fraction is None or group is None or flagged + 1 > self.fraction * len(scores):
            return None
        events = int(alike.events[group])
        which = "all" if events == len(scores) else f"the {events} {'most anomalous ' * (not flagged)}"
        after = f" that come after the {flagged} most anomalous ones" if flagged else ""
        return (
            f"{which.strip()} training events{after} score alike; {flagged} of {len(scores)} are flagged, since more "
            f"than {100 * self.fraction:.4g} % would be"
        )


@dataclass(frozen=True)
class TiedScores:
    """Groups of events that score alike.

    A group has one score that two or more events share, or several scores that rounding can make the same. All
    attributes have the shape (groups,) and ascend.

    Attributes:
        low: what rounding can make of the lowest score of a group.
        high: what it can make of the highest.
        first: the lowest score.
        last: the highest score.
        events: their number.
    """

    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    first: npt.NDArray[np.float64]
    last: npt.NDArray[np.float64]
    events: npt.NDArray[np.int64]

    @classmethod
    def among(cls, scores: npt.NDArray[np.float32], rounding: Rounding) -> Self:
        """Find the groups among scores with these roundings, both of shape (events,)."""
        values, place, counts = np.unique(scores.astype(np.float64), return_inverse=True, return_counts=True)
        reach = np.zeros(len(values))
        np.maximum.at(reach, place, rounding)
        shared = counts > 1
        values, reach, counts = values[shared], reach[shared], counts[shared]
        low, high = values - reach, np.maximum.accumulate(values + reach)
        # Where the reach of a value ends before that of the next begins, a group ends.
        starts = np.flatnonzero(np.concatenate([[True], low[1:] > high[:-1]])[: len(values)])
        ends = np.append(starts[1:], len(values)) - 1 if len(starts) else starts
        lows = np.minimum.reduceat(low, starts) if len(starts) else low
        events = np.add.reduceat(counts, starts) if len(starts) else counts
        return cls(lows, high[ends], values[starts], values[ends], events)

    def around(self, score: float) -> int | None:
        """Return the group that rounding can bring to this score."""
        group = int(np.searchsorted(self.high, score))
        return group if group < len(self.low) and self.low[group] <= score else None

    def lower_end(self, score: float) -> float:
        """Return the least that rounding can make of an event's score, if others score alike; else the score."""
        group = self.around(score)
        return score if group is None else float(self.low[group])

    def upper_end(self, score: float) -> float:
        """Return the most that rounding can make of an event's score, if others score alike; else the score."""
        group = self.around(score)
        return score if group is None else float(self.high[group])


def _as_float32(value: float) -> float:
    return float(np.float32(np.clip(value, -LARGEST, LARGEST)))


class RankTable(BaseModel):
    """Points of the empirical cumulative distribution of the training scores, by which any score has a rank.

    Attributes:
        scores: ascending, each once.
        ranks: fraction of the training events with a lower score than that.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    scores: list[float] = Field(min_length=1)
    ranks: list[float]

    @model_validator(mode="after")
    def _check_points(self) -> Self:
        # C++ looks up the one by the place in the other, unchecked.
        if len(self.scores) != len(self.ranks):
            raise ValueError(f"{len(self.scores)} scores and {len(self.ranks)} ranks")
        if sorted(set(self.scores)) != self.scores or sorted(self.ranks) != self.ranks:
            raise ValueError("the points are not in ascending order")
        return self

    def rank(self, scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return the fraction of training events that are less anomalous than events with these scores.

        It is exact at the table's points and linear between them; a score above all of them has the rank 1. The event
        loop has the same rule in float32 (`scoring::Detector::rank`).

        Args:
            scores: any shape, no NaN among them.

        Returns:
            Ranks between 0 and 1, of the same shape.
        """
        ranks: npt.NDArray[np.float64] = np.interp(scores, self.scores, self.ranks, right=1.0)
        return ranks


def rank_table(
    scores: npt.NDArray[np.float32], rounding: Rounding | None = None, points: int = RANK_TABLE_POINTS
) -> RankTable:
    """Return the rank table of scores, or of other values; exact where there are no more events than points.

    Events that score alike have the rank of the first of them, also where rounding makes their scores somewhat others.

    Args:
        scores: shape (events,).
        rounding: of the scores; None for values that are the same everywhere.
        points: of the table, and some more where many score alike.
    """
    ordered = np.sort(scores)
    picked = np.linspace(0, len(ordered) - 1, min(len(ordered), points)).round().astype(int)
    alike = TiedScores.among(scores, np.zeros(len(scores)) if rounding is None else rounding)
    # A score that many events share is a step, over which no straight line leads: the table needs both its ends, and
    # the next score.
    many = np.flatnonzero(alike.events > np.diff(picked).max(initial=1))
    after = np.searchsorted(ordered, alike.high[many], side="right")
    values = np.union1d(ordered[picked], ordered[after[after < len(ordered)]])
    group = np.searchsorted(alike.high[many], values)
    single = np.append(alike.low[many], np.inf)[group] > values
    ends = alike.low[many].astype(np.float32), alike.high[many].astype(np.float32)
    scored_as = np.concatenate([values[single], *2 * (alike.first[many].astype(np.float32),)])
    points_of_table, place = np.unique(np.concatenate([values[single], *ends]), return_index=True)
    ranks = np.searchsorted(ordered, scored_as[place], side="left") / len(ordered)
    return RankTable(scores=points_of_table.astype(float).tolist(), ranks=ranks.tolist())
