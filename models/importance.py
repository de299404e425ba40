"""How much a detector needs each feature: the AUC that it loses when the feature is shuffled."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from models.metrics import area

if TYPE_CHECKING:  # an evaluation of trained models needs no torch
    from models.detectors.detector import Features, Labels, Scores

IMPORTANCE_EVENTS = 10_000
"""Events on which permutation importances are computed, at most."""


@dataclass(frozen=True)
class Drop:
    """Mean drop of the AUC without a feature, and its standard deviation over the repeats."""

    value: float
    error: float


def permutation_importance(
    score: Callable[[Features], Scores],
    X: Features,
    labels: Labels,
    features: Sequence[str],
    *,
    seed: int,
    repeats: int = 5,
    weights: npt.NDArray[np.float64] | None = None,
) -> dict[str, Drop]:
    """Return by how much the AUC drops when the values of one feature are shuffled among the events.

    Of more than IMPORTANCE_EVENTS events a random choice is taken, half of it signal as far as there is as much.

    Args:
        score: from features to scores.
        X: features, shape (events, features).
        labels: 1 for signal and 0 for background, shape (events,).
        features: their names, in the order of the columns of X.
        seed: of the choice and of the shuffling.
        repeats: how often each feature is shuffled, at least 2.
        weights: of the events, shape (events,); None where each counts as one.

    Returns:
        The drop by the name of the feature.

    Raises:
        ValueError: there is no signal or no background, or a score is NaN.
    """
    random = np.random.default_rng(seed)
    chosen = _balanced_choice(labels, random)
    X, labels = X[chosen], labels[chosen]
    weights = None if weights is None else weights[chosen]

    def achieved(values: Features) -> float:
        return area(score(values), labels, weights)

    unshuffled = achieved(X)
    drops = {
        name: list(_drops(achieved, X, i, unshuffled, random=random, repeats=repeats))
        for i, name in enumerate(features)
    }
    return {name: Drop(float(np.mean(of)), float(np.std(of, ddof=1))) for name, of in drops.items()}


def _drops(
    achieved: Callable[[Features], float],
    X: Features,
    feature: int,
    unshuffled: float,
    *,
    random: np.random.Generator,
    repeats: int,
) -> Iterator[float]:
    """Yield by how much the AUC drops, each time a feature is shuffled."""
    shuffled = X.copy()
    for _ in range(repeats):
        shuffled[:, feature] = random.permutation(X[:, feature])
        yield unshuffled - achieved(shuffled)


def _balanced_choice(labels: Labels, random: np.random.Generator) -> npt.NDArray[np.int64]:
    """Choose IMPORTANCE_EVENTS events at most, in the order in which they come; the AUC knows no abundances."""
    if len(labels) <= IMPORTANCE_EVENTS:
        return np.arange(len(labels))
    kinds = np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)
    half = IMPORTANCE_EVENTS // 2
    wanted = [min(len(kind), max(half, IMPORTANCE_EVENTS - len(other))) for kind, other in (kinds, kinds[::-1])]
    chosen = [random.choice(kind, number, replace=False) for kind, number in zip(kinds, wanted, strict=True)]
    return np.sort(np.concatenate(chosen))
