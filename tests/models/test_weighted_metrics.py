"""Figures of merit of events with weights against scikit-learn's sample_weight and sums by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics as reference

from models.metrics import CURVE_POINTS, curves, figures_of_merit
from models.thresholds import ThresholdRule

Array = NDArray[np.float64]


def drawn(events: int, negative: float, seed: int = 5) -> tuple[Array, NDArray[np.int_], Array]:
    """Scores of one decimal, so that some are alike, labels, and weights of which some are negative."""
    random = np.random.default_rng(seed)
    labels = (np.arange(events) % 5 == 0).astype(int)
    weights = random.lognormal(0, 1, events) * np.where(random.uniform(size=events) < negative, -1, 1)
    return (random.normal(size=events) + 1.1 * labels).round(1), labels, weights


def test_values_are_scikit_learns() -> None:
    scores, labels, weights = drawn(4_000, negative=0)
    flagged = scores > 1
    found = figures_of_merit(scores, labels, flagged, seed=1, resamplings=3, weights=weights)
    expected = {
        "auc": reference.roc_auc_score(labels, scores, sample_weight=weights),
        "accuracy": reference.accuracy_score(labels, flagged, sample_weight=weights),
        "precision": reference.precision_score(labels, flagged, sample_weight=weights),
        "recall": reference.recall_score(labels, flagged, sample_weight=weights),
        "f1": reference.f1_score(labels, flagged, sample_weight=weights),
        "tnr": reference.recall_score(labels, flagged, pos_label=0, sample_weight=weights),
    }
    assert {name: getattr(found, name).value for name in expected} == pytest.approx(expected, rel=1e-12)
    assert (found.confusion.true_positive, found.signal) == (flagged[labels == 1].sum(), labels.sum())
    fpr, tpr, _ = reference.roc_curve(labels, scores, drop_intermediate=False, sample_weight=weights)
    curve = curves(scores, labels, weights)
    np.testing.assert_allclose(curve.fpr, fpr, rtol=1e-12)
    np.testing.assert_allclose(curve.tpr, tpr, rtol=1e-12)
    background = weights[labels == 0]
    least = 25 / (background.sum() ** 2 / (background**2).sum())
    improvement = tpr / np.sqrt(np.maximum(fpr, least))
    assert found.max_sic.value == pytest.approx(improvement.max(), rel=1e-12)
    np.testing.assert_allclose(curve.improvement, improvement, rtol=1e-12)


def test_errors_are_those_of_the_effective_number_of_events() -> None:
    scores, labels, weights = drawn(4_000, negative=0)
    flagged = scores > 1
    found = figures_of_merit(scores, labels, flagged, seed=1, resamplings=300, weights=weights)
    of, rate = weights[labels == 1], found.tpr.value
    # Of a ratio of sums of weights: the root of sum w^2 (flag - rate)^2 over the sum of weights.
    expected = np.sqrt((of**2 * (flagged[labels == 1] - rate) ** 2).sum()) / of.sum()
    assert found.tpr.error == pytest.approx(expected, rel=0.15)


def test_equal_weights_change_nothing() -> None:
    scores, labels, _ = drawn(1_000, negative=0)
    plain = figures_of_merit(scores, labels, scores > 1, seed=2, resamplings=5)
    equal = figures_of_merit(scores, labels, scores > 1, seed=2, resamplings=5, weights=np.full(1_000, 0.25))
    assert equal == plain


def test_negative_weights() -> None:
    """The area is the sum over pairs of events of both kinds that the score has in the right order, half of equals."""
    scores, labels, weights = drawn(1_500, negative=0.2)
    found = figures_of_merit(scores, labels, scores > 1, seed=1, resamplings=5, weights=weights)
    background, signal = (labels == kind for kind in (0, 1))
    right = np.sign(scores[signal][:, None] - scores[background][None, :]) / 2 + 0.5
    area = weights[signal] @ right @ weights[background] / (weights[signal].sum() * weights[background].sum())
    assert found.auc.value == pytest.approx(area, rel=1e-11)
    assert (np.diff(curves(scores, labels, weights).fpr) < 0).any()


def test_no_improvement_where_the_background_that_passes_is_negative() -> None:
    scores = np.concatenate([np.repeat([3.0, 2.0, 1.0], [10, 100, 900]), np.repeat([3.0, 2.0], [30, 20])])
    labels = np.repeat([0, 1], [1010, 50])
    weights = np.where((labels == 0) & (scores == 3), -1.0, 1.0)
    curve = curves(scores, labels, weights)
    # 10 events of weight -1, then 90 of 990 in all, of which the effective number is 990^2 / 1010.
    assert curve.fpr.tolist() == [0, -10 / 990, 90 / 990, 1]
    effective = 990**2 / 1010
    assert np.isnan(curve.improvement[1])
    assert curve.improvement[[0, 2, 3]] == pytest.approx([0, 1 / np.sqrt(90 / 990), 1], rel=1e-12)
    assert effective > 25
    found = figures_of_merit(scores, labels, scores > 2.5, seed=1, resamplings=3, weights=weights)
    assert found.max_sic.value == pytest.approx(np.sqrt(11), rel=1e-12)


def test_weights_without_a_positive_sum_are_refused() -> None:
    scores, labels, _ = drawn(100, negative=0)
    with pytest.raises(ValueError, match="no positive sum"):
        curves(scores, labels, np.where(labels == 1, 0.0, 1.0))


def test_thinned_curves() -> None:
    random = np.random.default_rng(3)
    labels = np.repeat([0, 1], [6_000, 600])
    scores = random.normal(size=6_600) + labels
    weights = random.normal(1, 0.6, 6_600)
    found = curves(scores, labels, weights)
    assert len(found.fpr) <= CURVE_POINTS
    assert (found.fpr[0], found.tpr[0]) == (0, 0)
    assert (found.fpr[-1], found.tpr[-1]) == pytest.approx((1, 1))


@pytest.mark.parametrize("negative", [0, 0.2])
def test_a_threshold_above_which_a_part_of_the_weights_is(negative: float) -> None:
    random = np.random.default_rng(8)
    scores = random.permutation(5_000).astype(np.float32)
    weights = random.lognormal(0, 1, 5_000) * np.where(random.uniform(size=5_000) < negative, -1, 1)
    threshold = ThresholdRule(contamination=0.1, weighted=True).threshold(scores, weights=weights)
    falling = np.argsort(-scores)
    above = np.cumsum(weights[falling])
    first = int(np.argmax(above > 0.1 * weights.sum()))  # with this event there would be too much
    assert (scores > threshold).sum() == first
    assert weights[scores > threshold].sum() <= 0.1 * weights.sum() < above[first]
    percentile = ThresholdRule(percentile=90, weighted=True).threshold(scores, weights=weights)
    assert abs((scores > percentile).sum() - first) <= 1  # 1 - 90 / 100 is not 0.1


def test_a_threshold_by_the_spread_of_weighted_scores() -> None:
    scores, weights = np.float32([1, 2, 3, 10]), np.array([1.0, 2.0, 1.0, 0.5])
    mean = 13 / 4.5
    spread = np.sqrt((1 * (1 - mean) ** 2 + 2 * (2 - mean) ** 2 + (3 - mean) ** 2 + 0.5 * (10 - mean) ** 2) / 4.5)
    found = ThresholdRule(sigma=1, weighted=True).threshold(scores, weights=weights)
    assert found == pytest.approx(mean + spread, rel=1e-6)
    assert ThresholdRule(sigma=1).threshold(scores, weights=weights) == ThresholdRule(sigma=1).threshold(scores)


def test_a_rule_that_says_nothing_but_weights_is_the_default_with_weights() -> None:
    default = ThresholdRule(contamination=0.05)
    assert ThresholdRule(weighted=True).completed(default) == ThresholdRule(contamination=0.05, weighted=True)
    assert ThresholdRule(sigma=2, weighted=True).completed(default) == ThresholdRule(sigma=2, weighted=True)
    assert default.model_dump() == {"contamination": 0.05}
    assert ThresholdRule(contamination=0.05, weighted=True).model_dump() == {"contamination": 0.05, "weighted": True}
