"""Ranks and flags of detectors whose scores are simply features."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models.thresholds import RankTable
from rdf.code.interpreter import ROOT
from tests.macros.networks import network_of

pytestmark = pytest.mark.compiler


def detector(threshold: float, scores: list[float], ranks: list[float], slots: int = 1) -> Any:
    """Scores an event by the difference of its first two features."""
    make = network_of("difference", "features[0] - features[1]")
    return ROOT.scoring.Detector(make, "weights", slots, threshold, scores, ranks)


def test_scores() -> None:
    made = detector(0.5, [0.0], [0.0], slots=2)
    X = np.array([[3, 1, 100], [5, 7, 100]], dtype=np.float32)
    out = np.empty(2, dtype=np.float32)
    made.scores(2, 3, X.ravel(), out)
    assert out.tolist() == [2, -2]
    assert made.score(1, X[0]) == 2


def test_only_a_score_above_the_threshold_is_flagged() -> None:
    threshold = np.float32(0.6)
    made = detector(float(threshold), [0.0], [0.0])
    assert not made.flag(float(threshold))
    assert made.flag(float(np.nextafter(threshold, np.float32(1))))
    assert not made.flag(float(np.nextafter(threshold, np.float32(0))))
    assert not made.flag(float("nan"))


@pytest.mark.parametrize(
    ("score", "rank"),
    [
        (0.0, 0.0),  # below all of training
        (1.0, 0.0),  # the least of training: nothing is less anomalous
        (2.0, 0.25),
        (2.5, 0.5),  # half way from 0.25 to 0.75
        (3.0, 0.75),
        (4.5, 0.9375),  # three quarters of the way from 0.75 to 1
        (5.0, 1.0),
        (5.1, 1.0),  # above all of training
    ],
)
def test_rank_is_exact_at_the_points_and_linear_between(score: float, rank: float) -> None:
    made = detector(0, [1.0, 2.0, 3.0, 5.0], [0.0, 0.25, 0.75, 1.0])
    assert made.rank(score) == rank


def test_rank_is_the_empirical_fraction_of_less_anomalous_scores() -> None:
    training = np.random.default_rng(5).normal(size=400).round(1).astype(np.float32)  # with ties
    points = np.unique(training)
    ranks = [float((training < point).mean()) for point in points]
    made = detector(0, points.tolist(), ranks)
    for score in points:
        assert made.rank(float(score)) == np.float32((training < score).mean())
    between = (points[1:] + points[:-1]) / 2
    found = np.array([made.rank(float(score)) for score in between])
    # Between two neighbouring scores of training a rank lies between theirs.
    assert np.all(found >= np.float32(ranks[:-1]))
    assert np.all(found <= np.float32(ranks[1:]))
    assert made.rank(float(points[-1]) + 1) == 1


@pytest.mark.parametrize("size", [*range(1, 20), 31, 32, 33, 64, 100])
def test_rank_in_tables_of_any_size_is_numpys_interpolation_and_that_of_the_training(size: int) -> None:
    random = np.random.default_rng(size)
    scores = np.unique(random.normal(size=3 * size).astype(np.float32))[:size]
    ranks = np.sort(random.random(size)).astype(np.float32)
    ranks[0] = 0  # nothing is less anomalous than the least
    made = detector(0, scores.tolist(), ranks.tolist())
    for asked in (scores, np.linspace(scores[0] - 1, scores[-1] + 1, 101, dtype=np.float32)):
        found = [made.rank(float(score)) for score in asked]
        expected = np.where(asked > scores[-1], 1, np.interp(asked.astype(float), scores, ranks))
        np.testing.assert_allclose(found, expected, atol=1e-6)
        of_training = RankTable(scores=scores.astype(float).tolist(), ranks=ranks.astype(float).tolist()).rank(asked)
        np.testing.assert_allclose(found, of_training, atol=1e-6)
    assert made.rank(-np.inf) == 0
    assert made.rank(np.inf) == 1


def test_an_ensemble_has_a_network_for_each_fold_and_not_too_many_detectors() -> None:
    one = detector(0, [0.0], [0.0])
    ensemble = ROOT.scoring.Ensemble(2, 1)
    for networks in ([], [one], [one] * 3):
        with pytest.raises(Exception, match="one network a fold"):
            ensemble.add(ROOT.std.vector["scoring::Detector"](networks), True)
    for i in range(16):
        assert ensemble.size() == i
        ensemble.add(ROOT.std.vector["scoring::Detector"]([one, one]), True)
    with pytest.raises(Exception, match="at most 16 detectors"):
        ensemble.add(ROOT.std.vector["scoring::Detector"]([one, one]), True)


def test_a_network_that_cannot_read_its_weights_is_an_error() -> None:
    with pytest.raises(Exception, match="no weights"):
        ROOT.scoring.Detector(network_of("difference", "features[0] - features[1]"), "", 1, 0.0, [0.0], [0.0])
