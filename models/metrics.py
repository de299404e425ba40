"""How well a score tells signal from background: figures of merit with bootstrap errors, curves, importances.

Only the order of scores counts, so equal scores are one working point and a score may be infinite.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import accuracy_score, auc, precision_recall_fscore_support

if TYPE_CHECKING:  # an evaluation of trained models needs no torch
    from models.detectors.detector import Features, Labels, Scores

Numbers = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

MIN_BACKGROUND = 25
"""Background events that a significance improvement is computed with, at least: a cut that fewer pass counts as if this
many did. Their number then has a relative statistical error of 20 % at most, 1 / sqrt(25)."""

MIN_FOR_ERROR = 5
"""Events of each kind that a bootstrap error needs. Resampling fewer gives too little of their true spread; that of a
single event gives none."""

CURVE_POINTS = 1000
"""Points of a curve, at most."""

IMPORTANCE_EVENTS = 10_000
"""Events on which permutation importances are computed, at most."""


@dataclass(frozen=True)
class Curves:
    """What a score achieves at its working points, from the tightest cut to none.

    Attributes:
        fpr: fraction of the background that passes, shape (n,); from 0 to 1.
        tpr: fraction of the signal that passes, shape (n,); from 0 to 1.
        efficiency: fraction of the signal that passes, as `tpr`; empty with fewer than MIN_BACKGROUND background
            events in all.
        improvement: significance improvement, efficiency / sqrt(max(fpr, MIN_BACKGROUND / background events)), of the
            shape of `efficiency`.
    """

    fpr: Numbers
    tpr: Numbers
    efficiency: Numbers
    improvement: Numbers


@dataclass(frozen=True)
class _WorkingPoints:
    """Events that pass a cut below each distinct score, from the highest score down; the first point is no event."""

    background: Numbers
    signal: Numbers

    @property
    def fpr(self) -> Numbers:
        fraction: Numbers = self.background / self.background[-1]
        return fraction

    @property
    def tpr(self) -> Numbers:
        fraction: Numbers = self.signal / self.signal[-1]
        return fraction

    @property
    def improvement(self) -> Numbers:
        """Signal efficiency over the root of the background efficiency, which MIN_BACKGROUND events bound from below.

        It is empty with fewer of them in all.
        """
        total = self.background[-1]
        if total < MIN_BACKGROUND:
            return np.empty(0)
        improvement: Numbers = self.tpr / np.sqrt(np.maximum(self.background, MIN_BACKGROUND) / total)
        return improvement


@dataclass(frozen=True)
class _Kind:
    """Events of one kind.

    Attributes:
        places: of their scores among all distinct scores, shape (events,); place 0 is the highest.
        flagged: shape (events,).
    """

    places: Counts
    flagged: npt.NDArray[np.bool_]

    def resampled(self, random: np.random.Generator) -> _Kind:
        """Draw as many events, with replacement."""
        chosen = random.integers(0, len(self.places), len(self.places))
        return _Kind(self.places[chosen], self.flagged[chosen])


def _working_points(scores: Scores, labels: Labels) -> _WorkingPoints:
    places, number = _places(scores, labels)
    return _passing(places[labels == 0], places[labels == 1], number)


def _places(scores: Scores, labels: Labels) -> tuple[Counts, int]:
    """Return the place of each score among the distinct ones, 0 for the highest, and the number of these."""
    if np.isnan(scores).any():
        raise ValueError(f"{np.isnan(scores).sum()} scores are not a number; leave these events out")
    kinds = {int(label) for label in np.unique(labels)}
    if kinds != {0, 1}:
        raise ValueError(f"the labels are {sorted(kinds)}; an evaluation needs signal (1) and background (0)")
    distinct, places = np.unique(scores, return_inverse=True)
    return len(distinct) - 1 - places, len(distinct)


def _passing(background: Counts, signal: Counts, number: int) -> _WorkingPoints:
    # Before place 0, the highest score, is a cut above all scores.
    sums = (np.cumsum(np.bincount(places + 1, minlength=number + 1)) for places in (background, signal))
    return _WorkingPoints(*(passed.astype(np.float64) for passed in sums))


def figures_of_merit(
    scores: Scores, labels: Labels, flagged: npt.NDArray[np.bool_], *, seed: int, resamplings: int = 200
) -> dict[str, Any]:
    """Return the figures of merit of one detector.

    An error is the standard deviation over resamplings of the events with replacement, signal and background apart; it
    is None with fewer than MIN_FOR_ERROR events of either kind. The maximum of the significance improvement,
    eps_S / sqrt(max(eps_B, MIN_BACKGROUND / background events)), is looked for anew in each of them; it is None with
    fewer than MIN_BACKGROUND background events.

    Args:
        scores: shape (events,), higher is more like the signal; ties and infinities are fine.
        labels: 1 for signal and 0 for background, shape (events,).
        flagged: whether the detector takes the event for signal, shape (events,).
        seed: of the resamplings.
        resamplings: their number, at least 2.

    Returns:
        `auc`, `max_sic`, `accuracy`, `precision`, `recall`, `f1`, `tpr` and `tnr`, each as {"value", "error"} with None
        for what is not defined; `max_sic` also has `tpr` and `fpr` of its working point, and `min_background`.
        `confusion` ({"true_positive", "false_positive", "true_negative", "false_negative"}: events), and `signal` and
        `background`: events.

    Raises:
        ValueError: there is no signal or no background, or a score is NaN.
    """
    places, number = _places(scores, labels)
    background, signal = (_Kind(places[labels == label], flagged[labels == label]) for label in (0, 1))
    points = _passing(background.places, signal.places, number)
    values = _values(points, background, signal)

    random = np.random.default_rng(seed)
    repeated = []
    enough = min(len(background.places), len(signal.places)) >= MIN_FOR_ERROR
    for _ in range(resamplings if enough else 0):
        drawn = background.resampled(random), signal.resampled(random)
        repeated.append(_values(_passing(drawn[0].places, drawn[1].places, number), *drawn))
    result: dict[str, Any] = {
        name: {"value": _known(value), "error": _known(_spread([values[name] for values in repeated], value))}
        for name, value in values.items()
    }
    best = _best_point(points)
    result["max_sic"] |= {
        "tpr": None if best is None else float(points.tpr[best]),
        "fpr": None if best is None else float(points.fpr[best]),
        "min_background": MIN_BACKGROUND,
    }
    confusion = {
        "true_positive": int(signal.flagged.sum()),
        "false_positive": int(background.flagged.sum()),
        "true_negative": int((~background.flagged).sum()),
        "false_negative": int((~signal.flagged).sum()),
    }
    return {**result, "confusion": confusion, "signal": len(signal.places), "background": len(background.places)}


def _values(points: _WorkingPoints, background: _Kind, signal: _Kind) -> dict[str, float]:
    """Return the value of each figure of merit, NaN where it is not defined."""
    # Four events stand for all, by their weight: what they are, and what they are taken for.
    truth, taken_for = [1, 1, 0, 0], [1, 0, 1, 0]
    weights = [
        np.count_nonzero(signal.flagged),
        np.count_nonzero(~signal.flagged),
        np.count_nonzero(background.flagged),
        np.count_nonzero(~background.flagged),
    ]
    precision, recall, f1, _ = precision_recall_fscore_support(
        truth, taken_for, sample_weight=weights, labels=[0, 1], zero_division=np.nan
    )
    improvement = points.improvement
    return {
        "auc": auc(points.fpr, points.tpr),
        "max_sic": improvement.max() if len(improvement) else np.nan,
        "accuracy": accuracy_score(truth, taken_for, sample_weight=weights),
        "precision": precision[1],
        "recall": recall[1],
        "f1": f1[1],
        "tpr": recall[1],
        "tnr": recall[0],
    }


def _best_point(points: _WorkingPoints) -> int | None:
    """Return the working point of the greatest significance improvement, the loosest of equals: most background."""
    improvement = points.improvement
    return len(improvement) - 1 - int(np.argmax(improvement[::-1])) if len(improvement) else None


def _spread(values: Sequence[float], value: float) -> float:
    """Return the standard deviation over the resamplings in which a figure of merit is defined."""
    defined = np.array([value for value in values if np.isfinite(value)])
    return float(defined.std(ddof=1)) if np.isfinite(value) and len(defined) > 1 else np.nan


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def curves(scores: Scores, labels: Labels) -> Curves:
    """Return the ROC curve and the significance improvement, each thinned to CURVE_POINTS points at most.

    Half of the points are equally spaced among all working points, half in the logarithm of the background efficiency;
    the ends and the maximum of the significance improvement stay.

    Args:
        scores: shape (events,), higher is more like the signal; ties and infinities are fine.
        labels: 1 for signal and 0 for background, shape (events,).

    Raises:
        ValueError: there is no signal or no background, or a score is NaN.
    """
    points = _working_points(scores, labels)
    best = _best_point(points)
    chosen = _thinned(points, best)
    fpr, tpr = points.fpr[chosen], points.tpr[chosen]
    if best is None:
        return Curves(fpr, tpr, np.empty(0), np.empty(0))
    return Curves(fpr, tpr, tpr, points.improvement[chosen])


def _thinned(points: _WorkingPoints, best: int | None) -> Counts:
    """Choose working points that keep the shape of a curve."""
    last = len(points.background) - 1
    if last < CURVE_POINTS:
        return np.arange(last + 1)
    half = (CURVE_POINTS - 3) // 2
    logarithmic = np.searchsorted(points.background, np.geomspace(1, points.background[-1], half))
    chosen = np.concatenate([logarithmic, np.linspace(0, last, half).round().astype(np.int64)])
    kept = [0, last] if best is None else [0, best, last]
    # The end of a logarithmic range is rounded, up maybe.
    return np.unique(np.concatenate([np.minimum(chosen, last), kept]))


def permutation_importance(
    score: Callable[[Features], Scores],
    X: Features,
    labels: Labels,
    features: Sequence[str],
    *,
    seed: int,
    repeats: int = 5,
) -> dict[str, dict[str, float]]:
    """Return by how much the AUC drops when the values of one feature are shuffled among the events.

    Of more than IMPORTANCE_EVENTS events a random choice is taken, half of it signal as far as there is as much.

    Args:
        score: from features to scores.
        X: features, shape (events, features).
        labels: 1 for signal and 0 for background, shape (events,).
        features: their names, in the order of the columns of X.
        seed: of the choice and of the shuffling.
        repeats: how often each feature is shuffled, at least 2.

    Returns:
        For each feature the mean drop, `value`, and the standard deviation over the repeats, `error`.

    Raises:
        ValueError: there is no signal or no background, or a score is NaN.
    """
    random = np.random.default_rng(seed)
    chosen = _balanced_choice(labels, random)
    X, labels = X[chosen], labels[chosen]
    unshuffled = _area(score(X), labels)
    drops = {
        name: list(_drops(score, X, labels, i, unshuffled, random=random, repeats=repeats))
        for i, name in enumerate(features)
    }
    return {name: {"value": float(np.mean(of)), "error": float(np.std(of, ddof=1))} for name, of in drops.items()}


def _drops(
    score: Callable[[Features], Scores],
    X: Features,
    labels: Labels,
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
        yield unshuffled - _area(score(shuffled), labels)


def _area(scores: Scores, labels: Labels) -> float:
    points = _working_points(scores, labels)
    return float(auc(points.fpr, points.tpr))


def _balanced_choice(labels: Labels, random: np.random.Generator) -> Counts:
    """Choose IMPORTANCE_EVENTS events at most, in the order in which they come; the AUC knows no abundances."""
    if len(labels) <= IMPORTANCE_EVENTS:
        return np.arange(len(labels))
    kinds = np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)
    half = IMPORTANCE_EVENTS // 2
    wanted = [min(len(kind), max(half, IMPORTANCE_EVENTS - len(other))) for kind, other in (kinds, kinds[::-1])]
    chosen = [random.choice(kind, number, replace=False) for kind, number in zip(kinds, wanted, strict=True)]
    return np.sort(np.concatenate(chosen))
