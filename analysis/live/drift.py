"""Drift: whether what is scored now is distributed as what the detectors were trained on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import kolmogorov

from models.folder import ModelFolder

WINDOW = 10_000
"""Most recent events that are compared."""
LEAST = 1_000
"""Events from which on a comparison says something, and new ones before the next."""
DISTANCE, DISTANCE_OF_SCORES = 0.05, 0.1
"""Least distance between two cumulative distributions that matters: with enough events any difference is significant,
and the scores of the events that a detector was trained on differ from those of others by some per cent."""
SIGNIFICANCE = 1e-6
"""Greatest probability of such a distance by chance, for all that are compared together."""

Sample = Mapping[str, npt.NDArray[np.float32]]
"""Name of a feature or a score -> its values in some events."""


@dataclass(frozen=True)
class Shift:
    """A distribution that has left that of the training.

    Attributes:
        name: of the feature or the score.
        distance: of Kolmogorov and Smirnov, between 0 and 1.
        probability: of that distance or a greater one by chance.
        median: of the recent events.
        trained: median of the training.
        events: recent ones.
    """

    name: str
    distance: float
    probability: float
    median: float
    trained: float
    events: int

    def __str__(self) -> str:
        chance = "p < 1e-300" if self.probability == 0 else f"p = {self.probability:.1g}"
        return (
            f"{self.name} has left its distribution in the training: Kolmogorov-Smirnov distance {self.distance:.2f} "
            f"({chance}) in the last {self.events:,} events, median {self.median:.4g} (training: {self.trained:.4g})"
        )


@dataclass(frozen=True)
class _Distribution:
    """Points of a cumulative distribution of events: values, ascending, and the fraction of the events below each."""

    values: npt.NDArray[np.float32]
    below: npt.NDArray[np.float64]
    events: int

    @property
    def median(self) -> float:
        return float(self.values[np.searchsorted(self.below, 0.5).clip(max=len(self.values) - 1)])

    def distance(self, ordered: npt.NDArray[np.float32]) -> float:
        """Return the greatest difference to the cumulative distribution of values, ascending, at these points.

        Both count what is strictly below, so that values which many events share do no harm.
        """
        found = np.searchsorted(ordered, self.values, side="left") / len(ordered)
        return float(np.abs(found - self.below).max())


class DriftMonitor:
    """Compares recent events with the training, by the test of Kolmogorov and Smirnov.

    Attributes:
        lacking: what of the models' description it would need to look at the features, in words; None if it has it.
        shifts: what has drifted, at the last comparison.
    """

    def __init__(self, models: ModelFolder, detectors: tuple[str, ...]) -> None:
        """Take the distributions from a model folder, for features and the scores of these detectors."""
        events = models.training.events
        self._trained = {
            name: _distribution(table.values, table.ranks, events) for name, table in models.feature_quantiles.items()
        }
        self.lacking = None
        if not self._trained:
            self.lacking = "the models do not say how features were distributed in the training (train again)"
        for name in detectors:
            networks = models.detectors[name].networks
            # With folds each network has a table of its own, and the events of one are as good as those of another.
            points = np.unique(np.concatenate([network.rank_table.scores for network in networks]).astype(np.float32))
            below = np.mean([network.rank_table.rank(points) for network in networks], axis=0)
            self._trained[f"score_{name}"] = _Distribution(points, below, events)
        self.shifts: dict[str, Shift] = {}
        self._recent: dict[str, npt.NDArray[np.float32]] = {}
        self._new = 0

    def add(self, sample: Sample) -> list[Shift]:
        """Add events, and return what has drifted now and had not before.

        Args:
            sample: values of all features and scores in some events, those that came last at the end.
        """
        for name in self._trained:
            self._recent[name] = np.concatenate([self._recent.get(name, sample[name][:0]), sample[name]])[-WINDOW:]
        self._new += len(next(iter(sample.values())))
        if self._new < LEAST:
            return []
        self._new = 0
        before, self.shifts = self.shifts, {shift.name: shift for shift in self._compare()}
        return [shift for name, shift in self.shifts.items() if name not in before]

    def _compare(self) -> list[Shift]:
        shifts = []
        for name, trained in self._trained.items():
            ordered = np.sort(self._recent[name])
            distance = trained.distance(ordered)
            effective = len(ordered) * trained.events / (len(ordered) + trained.events)
            probability = float(kolmogorov(math.sqrt(effective) * distance))
            least = DISTANCE_OF_SCORES if name.startswith("score_") else DISTANCE
            if distance >= least and probability < SIGNIFICANCE / len(self._trained):
                median = float(np.median(ordered))
                shifts.append(Shift(name, distance, probability, median, trained.median, len(ordered)))
        return sorted(shifts, key=lambda shift: -shift.distance)


def _distribution(values: Any, below: Any, events: int) -> _Distribution:
    return _Distribution(np.asarray(values, dtype=np.float32), np.asarray(below, dtype=np.float64), events)
