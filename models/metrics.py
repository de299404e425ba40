"""How well a score tells signal from background: figures of merit with bootstrap errors, and curves.

Only the order of scores counts, so equal scores are one working point and a score may be infinite. Weights are added up
where events would be counted, as by scikit-learn's `sample_weight`. With negative ones an efficiency can fall where the
cut is loosened; the area under the curve is still the sum over its trapezoids, each with its sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

if TYPE_CHECKING:  # an evaluation of trained models needs no torch
    from models.detectors.detector import Labels, Scores

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


@dataclass(frozen=True)
class Estimate:
    """A number and its error, one standard deviation; None for what is not defined."""

    value: float | None
    error: float | None


@dataclass(frozen=True)
class BestCut(Estimate):
    """Maximum of the significance improvement.

    Attributes:
        tpr: fraction of the signal that passes there; None without a maximum.
        fpr: fraction of the background that passes there; None without a maximum.
        min_background: MIN_BACKGROUND.
    """

    tpr: float | None
    fpr: float | None
    min_background: int


@dataclass(frozen=True)
class Decisions:
    """Events by what they are and by what they were taken for."""

    true_positive: int
    false_positive: int
    true_negative: int
    false_negative: int


@dataclass(frozen=True)
class FiguresOfMerit:
    """Figures of merit of one detector.

    Attributes:
        auc: area under the ROC curve.
        max_sic: maximum of the significance improvement.
        accuracy, precision, recall, f1, tpr, tnr: of the decision whether an event is flagged.
        confusion: events.
        signal: events.
        background: events.
    """

    auc: Estimate
    max_sic: BestCut
    accuracy: Estimate
    precision: Estimate
    recall: Estimate
    f1: Estimate
    tpr: Estimate
    tnr: Estimate
    confusion: Decisions
    signal: int
    background: int


class _Values(NamedTuple):
    """Value of each figure of merit, NaN where it is not defined."""

    auc: float
    max_sic: float
    accuracy: float
    precision: float
    recall: float
    f1: float
    tpr: float
    tnr: float


@dataclass(frozen=True)
class Curves:
    """What a score achieves at its working points, from the tightest cut to none.

    Attributes:
        fpr: fraction of the background that passes, shape (n,); from 0 to 1.
        tpr: fraction of the signal that passes, shape (n,); from 0 to 1.
        efficiency: fraction of the signal that passes, as `tpr`; empty with fewer than MIN_BACKGROUND background
            events in all.
        improvement: significance improvement, efficiency / sqrt(max(fpr, MIN_BACKGROUND / background events)), of the
            shape of `efficiency`; NaN where the background that passes has a negative sum of weights.
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
    events: float  # of background in all, as `_Kind` counts them

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

        It is empty with fewer of them in all; NaN where the background that passes has a negative sum of weights.
        """
        total = self.background[-1]
        if self.events < MIN_BACKGROUND:
            return np.empty(0)
        least = MIN_BACKGROUND * (total / self.events)
        background = np.where(self.background < 0, np.nan, np.maximum(self.background, least))
        improvement: Numbers = self.tpr / np.sqrt(background / total)
        return improvement

    @property
    def area(self) -> float:
        """Area under the ROC curve."""
        return float(np.trapezoid(self.tpr, self.fpr))


@dataclass(frozen=True)
class _Kind:
    """Events of one kind.

    Attributes:
        places: of their scores among all distinct scores, shape (events,); place 0 is the highest.
        flagged: shape (events,).
        weights: shape (events,); None where each event counts as one.
    """

    places: Counts
    flagged: npt.NDArray[np.bool_]
    weights: Numbers | None

    def resampled(self, random: np.random.Generator) -> _Kind:
        """Draw as many events, with replacement."""
        chosen = random.integers(0, len(self.places), len(self.places))
        weights = None if self.weights is None else self.weights[chosen]
        return _Kind(self.places[chosen], self.flagged[chosen], weights)

    def count(self, chosen: npt.NDArray[np.bool_]) -> float:
        """Return how many events are chosen, or the sum of their weights."""
        return float(np.count_nonzero(chosen) if self.weights is None else self.weights[chosen].sum())

    @property
    def total(self) -> float:
        """Events, or the sum of their weights."""
        return len(self.places) if self.weights is None else float(self.weights.sum())

    @property
    def events(self) -> float:
        """Events; with weights the number of equal ones that has the same relative error."""
        return self.total if self.weights is None else self.total**2 / float((self.weights**2).sum())


def _working_points(scores: Scores, labels: Labels, weights: Numbers | None) -> _WorkingPoints:
    places, number = _places(scores, labels)
    return _passing(*_kinds(places, labels, np.zeros(len(places), dtype=bool), weights), number)


def _kinds(
    places: Counts, labels: Labels, flagged: npt.NDArray[np.bool_], weights: Numbers | None
) -> tuple[_Kind, _Kind]:
    """Return background and signal."""
    background, signal = (
        _Kind(places[of], flagged[of], None if weights is None else weights[of]) for of in (labels == 0, labels == 1)
    )
    if min(background.total, signal.total) <= 0:
        raise ValueError("the weights of signal or of background have no positive sum; no efficiency is defined")
    return background, signal


def _places(scores: Scores, labels: Labels) -> tuple[Counts, int]:
    """Return the place of each score among the distinct ones, 0 for the highest, and the number of these."""
    if np.isnan(scores).any():
        raise ValueError(f"{np.isnan(scores).sum()} scores are not a number; leave these events out")
    kinds = {int(label) for label in np.unique(labels)}
    if kinds != {0, 1}:
        raise ValueError(f"the labels are {sorted(kinds)}; an evaluation needs signal (1) and background (0)")
    distinct, places = np.unique(scores, return_inverse=True)
    return len(distinct) - 1 - places, len(distinct)


def _passing(background: _Kind, signal: _Kind, number: int) -> _WorkingPoints:
    # Before place 0, the highest score, is a cut above all scores.
    passing, passing_signal = (
        np.cumsum(np.bincount(kind.places + 1, weights=kind.weights, minlength=number + 1)).astype(np.float64)
        for kind in (background, signal)
    )
    return _WorkingPoints(passing, passing_signal, background.events)


def figures_of_merit(
    scores: Scores,
    labels: Labels,
    flagged: npt.NDArray[np.bool_],
    *,
    seed: int,
    resamplings: int = 200,
    weights: Numbers | None = None,
) -> FiguresOfMerit:
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
        weights: of the events, shape (events,); None where each counts as one. The confusion counts events.

    Raises:
        ValueError: there is no signal or no background, of a positive sum of weights, or a score is NaN.
    """
    places, number = _places(scores, labels)
    background, signal = _kinds(places, labels, flagged, weights)
    points = _passing(background, signal, number)
    values = _values(points, background, signal)

    random = np.random.default_rng(seed)
    repeated: list[_Values] = []
    enough = min(len(background.places), len(signal.places)) >= MIN_FOR_ERROR
    for _ in range(resamplings if enough else 0):
        drawn = background.resampled(random), signal.resampled(random)
        if min(kind.total for kind in drawn) > 0:
            repeated.append(_values(_passing(*drawn, number), *drawn))
    errors = _Values(*(_spread([drawn[i] for drawn in repeated], value) for i, value in enumerate(values)))
    best = _best_point(points)
    return FiguresOfMerit(
        auc=_estimate(values.auc, errors.auc),
        max_sic=BestCut(
            value=_known(values.max_sic),
            error=_known(errors.max_sic),
            tpr=None if best is None else float(points.tpr[best]),
            fpr=None if best is None else float(points.fpr[best]),
            min_background=MIN_BACKGROUND,
        ),
        accuracy=_estimate(values.accuracy, errors.accuracy),
        precision=_estimate(values.precision, errors.precision),
        recall=_estimate(values.recall, errors.recall),
        f1=_estimate(values.f1, errors.f1),
        tpr=_estimate(values.tpr, errors.tpr),
        tnr=_estimate(values.tnr, errors.tnr),
        confusion=Decisions(
            true_positive=int(signal.flagged.sum()),
            false_positive=int(background.flagged.sum()),
            true_negative=int((~background.flagged).sum()),
            false_negative=int((~signal.flagged).sum()),
        ),
        signal=len(signal.places),
        background=len(background.places),
    )


def _values(points: _WorkingPoints, background: _Kind, signal: _Kind) -> _Values:
    # Four events stand for all, by their weight: what they are, and what they are taken for.
    truth, taken_for = [1, 1, 0, 0], [1, 0, 1, 0]
    weights = [
        signal.count(signal.flagged),
        signal.count(~signal.flagged),
        background.count(background.flagged),
        background.count(~background.flagged),
    ]
    precision, recall, f1, _ = precision_recall_fscore_support(
        truth, taken_for, sample_weight=weights, labels=[0, 1], zero_division=np.nan
    )
    improvement = points.improvement
    return _Values(
        auc=points.area,
        max_sic=np.nanmax(improvement) if len(improvement) else np.nan,
        accuracy=accuracy_score(truth, taken_for, sample_weight=weights),
        precision=precision[1],
        recall=recall[1],
        f1=f1[1],
        tpr=recall[1],
        tnr=recall[0],
    )


def _best_point(points: _WorkingPoints) -> int | None:
    """Return the working point of the greatest significance improvement, the loosest of equals: most background."""
    improvement = points.improvement
    return len(improvement) - 1 - int(np.nanargmax(improvement[::-1])) if len(improvement) else None


def _spread(values: Sequence[float], value: float) -> float:
    """Return the standard deviation over the resamplings in which a figure of merit is defined."""
    defined = np.array([value for value in values if np.isfinite(value)])
    return float(defined.std(ddof=1)) if np.isfinite(value) and len(defined) > 1 else np.nan


def _estimate(value: float, error: float) -> Estimate:
    return Estimate(_known(value), _known(error))


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def curves(scores: Scores, labels: Labels, weights: Numbers | None = None) -> Curves:
    """Return the ROC curve and the significance improvement, each thinned to CURVE_POINTS points at most.

    Half of the points are equally spaced among all working points, half in the logarithm of the background efficiency;
    the ends and the maximum of the significance improvement stay.

    Args:
        scores: shape (events,), higher is more like the signal; ties and infinities are fine.
        labels: 1 for signal and 0 for background, shape (events,).
        weights: of the events, shape (events,); None where each counts as one.

    Raises:
        ValueError: there is no signal or no background, of a positive sum of weights, or a score is NaN.
    """
    points = _working_points(scores, labels, weights)
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
    rising = np.maximum.accumulate(points.background) * (points.events / points.background[-1])
    logarithmic = np.searchsorted(rising, np.geomspace(1, rising[-1], half))
    chosen = np.concatenate([logarithmic, np.linspace(0, last, half).round().astype(np.int64)])
    kept = [0, last] if best is None else [0, best, last]
    # The end of a logarithmic range is rounded, up maybe.
    return np.unique(np.concatenate([np.minimum(chosen, last), kept]))


def area(scores: Scores, labels: Labels, weights: Numbers | None = None) -> float:
    """Return the area under the ROC curve.

    Args:
        scores: shape (events,), higher is more like the signal; ties and infinities are fine.
        labels: 1 for signal and 0 for background, shape (events,).
        weights: of the events, shape (events,); None where each counts as one.

    Raises:
        ValueError: there is no signal or no background, of a positive sum of weights, or a score is NaN.
    """
    points = _working_points(scores, labels, weights)
    return points.area
