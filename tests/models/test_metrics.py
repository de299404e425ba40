"""Figures of merit against scikit-learn, formulas of the literature and numbers worked by hand."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from sklearn import metrics as reference

from models.metrics import CURVE_POINTS, Curves, curves, figures_of_merit

SIGNAL, BACKGROUND = 600, 20_000
THRESHOLD = 1.5


def sample(signal: int = SIGNAL, background: int = BACKGROUND, seed: int = 11) -> tuple[np.ndarray, np.ndarray]:
    """Scores of two normal distributions 1.2 apart, in a random order, and labels."""
    random = np.random.default_rng(seed)
    labels = random.permutation(np.repeat([0, 1], [background, signal]))
    return (random.normal(size=len(labels)) + 1.2 * labels).astype(np.float32), labels


def evaluate(scores: np.ndarray, labels: np.ndarray, threshold: float = THRESHOLD, **options: int) -> dict:
    """Evaluate a detector that flags events above a threshold."""
    return asdict(figures_of_merit(scores, labels, scores > np.float32(threshold), **options))


@pytest.fixture(scope="module", params=[None, 1], ids=["distinct", "ties"])
def events(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray]:
    """The sample, also with scores of one decimal, of which most are equal to many others."""
    scores, labels = sample()
    return (scores if request.param is None else scores.round(request.param)), labels


@pytest.fixture(scope="module")
def result(events: tuple[np.ndarray, np.ndarray]) -> dict:
    return evaluate(*events, seed=1)


def test_values_are_scikit_learns(events: tuple[np.ndarray, np.ndarray], result: dict) -> None:
    scores, labels = events
    flagged = scores > np.float32(THRESHOLD)
    expected = {
        "auc": reference.roc_auc_score(labels, scores),
        "accuracy": reference.accuracy_score(labels, flagged),
        "precision": reference.precision_score(labels, flagged),
        "recall": reference.recall_score(labels, flagged),
        "f1": reference.f1_score(labels, flagged),
        "tpr": reference.recall_score(labels, flagged),
        "tnr": reference.recall_score(labels, flagged, pos_label=0),
    }
    assert {name: result[name]["value"] for name in expected} == pytest.approx(expected, rel=1e-12)
    (true_negative, false_positive), (false_negative, true_positive) = reference.confusion_matrix(labels, flagged)
    assert result["confusion"] == {
        "true_positive": true_positive,
        "false_positive": false_positive,
        "true_negative": true_negative,
        "false_negative": false_negative,
    }
    assert (result["signal"], result["background"]) == (SIGNAL, BACKGROUND)


def test_maximum_improvement_of_a_smooth_score_is_that_of_the_points_with_25_background_events(
    events: tuple[np.ndarray, np.ndarray], result: dict
) -> None:
    fpr, tpr, _ = reference.roc_curve(events[1], events[0], drop_intermediate=False)
    enough = fpr * BACKGROUND > 24.5
    improvement = tpr[enough] / np.sqrt(fpr[enough])
    best = improvement.argmax()
    found = result["max_sic"]
    assert found["value"] == pytest.approx(improvement[best], rel=1e-12)
    assert (found["tpr"], found["fpr"]) == pytest.approx((tpr[enough][best], fpr[enough][best]))
    assert found["min_background"] == 25


@pytest.mark.parametrize("passing", [0, 10, 40])
def test_a_score_of_two_values_that_finds_all_signal(passing: int) -> None:
    # Of 1,000 background events so many look like signal; fewer than 25 count as 25.
    scores = np.repeat([0, 1, 1], [1000 - passing, passing, 50]).astype(np.float32)
    labels = np.repeat([0, 1], [1000, 50])
    expected = np.sqrt(1000 / {0: 25, 10: 25, 40: 40}[passing])
    result = evaluate(scores, labels, 0.5, seed=1)["max_sic"]
    assert result["value"] == pytest.approx(expected)
    assert (result["tpr"], result["fpr"]) == (1, passing / 1000)
    # Of 40 events the improvement is known to half of their 1 / sqrt(40); fluctuations of 10 do not reach 25.
    assert result["error"] == pytest.approx(expected / 2 / np.sqrt(40) if passing == 40 else 0, rel=0.2)
    found = curves(scores, labels)
    np.testing.assert_array_equal(found.efficiency, [0, 1, 1])
    np.testing.assert_allclose(found.improvement, [0, expected, 1])


def test_improvement_by_hand() -> None:
    # From the highest score down: a signal event, 24 background events, a signal event, a background event, 75 of them.
    scores = np.repeat([4, 3, 2, 1, 0], [1, 24, 1, 1, 75]).astype(np.float32)
    labels = np.repeat([1, 0, 1, 0, 0], [1, 24, 1, 1, 75])
    found = curves(scores, labels)
    np.testing.assert_array_equal(found.efficiency, [0, 0.5, 0.5, 1, 1, 1])
    np.testing.assert_array_equal(found.improvement, [0, 1, 1, 2, 2, 1])
    best = evaluate(scores, labels, 1.5, seed=1)["max_sic"]
    # Of two equal points it is the one that 25 background events do pass.
    assert best == {"value": 2, "error": None, "tpr": 1, "fpr": 0.25, "min_background": 25}


def test_error_of_the_auc_is_that_of_hanley_and_mcneil() -> None:
    # Radiology 143 (1982) 29, whose Q1 and Q2 are exact for exponential scores.
    random = np.random.default_rng(5)
    labels = np.repeat([0, 1], [BACKGROUND, SIGNAL])
    result = evaluate(random.exponential(1 + 3 * labels), labels, 1.0, seed=1)
    area = result["auc"]["value"]
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (SIGNAL - 1) * (q1 - area**2) + (BACKGROUND - 1) * (q2 - area**2)
    assert result["auc"]["error"] == pytest.approx(np.sqrt(variance / SIGNAL / BACKGROUND), rel=0.15)


def test_errors_of_rates_are_binomial(result: dict) -> None:
    for name, number in (("tpr", SIGNAL), ("tnr", BACKGROUND)):
        rate = result[name]["value"]
        # 200 resamplings know a standard deviation to 5 %.
        assert result[name]["error"] == pytest.approx(np.sqrt(rate * (1 - rate) / number), rel=0.2)


def test_errors_are_the_spread_of_repeated_experiments() -> None:
    experiments = [evaluate(*sample(seed=seed), seed=1, resamplings=2) for seed in range(100, 250)]
    result = evaluate(*sample(), seed=1)
    for name in ("auc", "accuracy", "precision", "f1"):
        spread = np.std([experiment[name]["value"] for experiment in experiments])
        assert result[name]["error"] == pytest.approx(spread, rel=0.25), name


def test_by_hand() -> None:
    # Background 0, 1, 1, +inf and signal 1, 2, +inf: of 12 pairs 2 + 1 + 1 + 3 * 1 are in order where background is
    # below, two of signal 1 and one of +inf tie.
    scores = np.array([0, 1, 1, np.inf, 1, 2, np.inf])
    labels = np.array([0, 0, 0, 0, 1, 1, 1])
    result = evaluate(scores, labels, 1.5, seed=1)
    in_order = {1: 1 + 2 / 2, 2: 3, np.inf: 3 + 1 / 2}
    assert result["auc"]["value"] == pytest.approx(sum(in_order.values()) / 12)
    assert result["confusion"] == {"true_positive": 2, "false_positive": 1, "true_negative": 3, "false_negative": 1}
    assert result["max_sic"] == {"value": None, "error": None, "tpr": None, "fpr": None, "min_background": 25}
    found = curves(scores, labels)
    np.testing.assert_allclose(found.fpr, [0, 1 / 4, 1 / 4, 3 / 4, 1])
    np.testing.assert_allclose(found.tpr, [0, 1 / 3, 2 / 3, 1, 1])
    assert found.efficiency.size == found.improvement.size == 0


def test_without_a_flagged_event_precision_is_not_defined() -> None:
    scores, labels = sample(50, 100)
    result = evaluate(scores, labels, float(scores.max()), seed=1)
    assert result["precision"] == {"value": None, "error": None}
    assert result["recall"]["value"] == 0
    assert result["tnr"] == {"value": 1, "error": 0}


@pytest.mark.parametrize(("signal", "background"), [(4, 60), (60, 4), (5, 60), (60, 5)])
def test_fewer_than_five_events_of_a_kind_have_no_errors(signal: int, background: int) -> None:
    result = evaluate(*sample(signal, background), 0.5, seed=1)
    enough = min(signal, background) == 5
    for name in ("auc", "accuracy", "recall", "tpr", "tnr"):
        assert result[name]["value"] is not None
        assert (result[name]["error"] is not None) == enough, name


def test_flags_need_not_follow_the_score() -> None:
    # As those of an ensemble that counts votes: here every other event is flagged.
    scores, labels = sample(100, 200)
    flagged = np.arange(300) % 2 == 0
    result = asdict(figures_of_merit(scores, labels, flagged, seed=1))
    assert result["accuracy"]["value"] == pytest.approx((flagged == (labels == 1)).mean())
    rate = flagged[labels == 1].mean()
    assert result["tpr"]["value"] == pytest.approx(rate)
    assert result["tpr"]["error"] == pytest.approx(np.sqrt(rate * (1 - rate) / 100), rel=0.2)
    assert result["auc"] == evaluate(scores, labels, seed=1)["auc"]


def test_seed_decides() -> None:
    events = sample(100, 200)
    first, again, other = (evaluate(*events, 1.0, seed=seed, resamplings=20) for seed in (1, 1, 2))
    assert first == again
    assert first["auc"]["error"] != other["auc"]["error"]
    assert first["auc"]["value"] == other["auc"]["value"]


@pytest.mark.parametrize("labels", [[0, 0, 0], [1, 1, 1], [0, 1, 2]])
def test_other_labels_are_refused(labels: list[int]) -> None:
    with pytest.raises(ValueError, match="needs signal"):
        evaluate(np.arange(3.0), np.array(labels), 1.0, seed=1)


def test_a_score_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="1 scores are not a number"):
        curves(np.array([0.0, np.nan]), np.array([0, 1]))


def test_thinned_curves_keep_their_shape(events: tuple[np.ndarray, np.ndarray], result: dict) -> None:
    found: Curves = curves(*events)
    fpr, tpr, _ = reference.roc_curve(events[1], events[0], drop_intermediate=False)
    assert len(found.fpr) <= CURVE_POINTS
    assert (found.fpr[0], found.tpr[0], found.fpr[-1], found.tpr[-1]) == (0, 0, 1, 1)
    exact = set(zip(fpr.round(12).tolist(), tpr.round(12).tolist(), strict=True))
    assert set(zip(found.fpr.round(12).tolist(), found.tpr.round(12).tolist(), strict=True)) <= exact
    # A straight line between two points misses the curve by four of 600 signal events at most, wherever ten background
    # events pass; below, each of them is a step of its own.
    shown = fpr >= 10 / BACKGROUND
    np.testing.assert_allclose(np.interp(fpr[shown], found.fpr, found.tpr), tpr[shown], atol=4 / SIGNAL)
    assert reference.auc(found.fpr, found.tpr) == pytest.approx(result["auc"]["value"], abs=2e-4)
    assert found.improvement.max() == result["max_sic"]["value"]
    assert len(found.improvement) <= CURVE_POINTS
    assert found.improvement[-1] == found.efficiency[-1] == 1
