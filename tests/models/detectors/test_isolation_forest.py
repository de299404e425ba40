"""The forest against scikit-learn used directly, and its network against the forest."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.ensemble import IsolationForest as SklearnIsolationForest
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from models.detectors.isolation_forest import IsolationForest, average_path_length
from models.detectors.tree_tables import TreeTables
from models.errors import TrainingError
from models.thresholds import ThresholdRule
from tests.models.conftest import FEATURES, by_numpy, evaluated

INFINITY = np.float32(np.inf)
RAZOR = ("MR", "Rsq", "HT", "MET", "pt1", "pt2", "MET_over_HT", "pt_ratio")


def direct(X: npt.NDArray[np.floating]) -> Pipeline:
    """Train what the detector stands for, without it; to be given float64, as it scales float32 in float32."""
    return make_pipeline(StandardScaler(), SklearnIsolationForest(contamination=0.05, random_state=42)).fit(
        X.astype(np.float64)
    )


def network_scores(forest: IsolationForest, X: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return evaluated(forest.network(), X)[:, 0]


def test_scores_and_threshold_are_scikit_learns(forest: IsolationForest, made_up: npt.NDArray[np.float32]) -> None:
    pipeline = direct(made_up)
    scores = forest.score(made_up)
    assert scores.dtype == np.float32
    assert scores.shape == (3000,)
    np.testing.assert_allclose(scores, -pipeline.score_samples(made_up.astype(np.float64)), rtol=0, atol=1e-7)
    flagged = scores > forest.threshold
    # scikit-learn cuts at the same quantile, and calls an outlier -1.
    np.testing.assert_array_equal(flagged, pipeline.predict(made_up.astype(np.float64)) == -1)
    assert flagged.sum() == 150


def test_unseen_events_score_as_in_scikit_learn(forest: IsolationForest, made_up: npt.NDArray[np.float32]) -> None:
    unseen = np.random.default_rng(5).permuted(made_up, axis=0)
    expected = -direct(made_up).score_samples(unseen.astype(np.float64))
    np.testing.assert_allclose(forest.score(unseen), expected, rtol=0, atol=1e-7)


def test_razor_sample_is_scored_as_by_scikit_learn(razor: npt.NDArray[np.float64], table: npt.NDArray[np.void]) -> None:
    assert razor.shape == (21726, 8)
    X = razor.astype(np.float32)
    forest = IsolationForest(RAZOR).fit(X)
    scores, expected = forest.score(X), -direct(razor).score_samples(razor)
    # The one forest learned from float32 features and the other from float64: few events sit between their cuts.
    assert np.mean(np.abs(scores - expected) < 1e-5) >= 0.9995
    flagged = scores > forest.threshold
    assert abs(int(flagged.sum()) - 1087) <= 2
    assert (flagged != (expected > np.quantile(expected, 0.95))).sum() <= 5
    for top in (np.argmax(scores), np.argmax(expected)):
        assert (table["Run"][top], table["Event"][top]) == (149181, 970943320)
    means = razor[flagged].mean(axis=0) / razor[~flagged].mean(axis=0)
    np.testing.assert_allclose(means[:4], [1.74, 2.11, 1.71, 2.31], rtol=0, atol=0.01)
    np.testing.assert_allclose(network_scores(forest, X), scores, rtol=0, atol=1e-6)


def on_cuts(forest: IsolationForest) -> npt.NDArray[np.float32]:
    """Return events that lie on a cut of the forest, and one float32 to each side of it."""
    tables = TreeTables([tree.tree_ for tree in forest.forest.estimators_], forest.scaler.mean_, forest.scaler.scale_)
    inner = tables.left != np.arange(len(tables.left))
    features, cuts = tables.feature[inner], tables.cut[inner]
    events = []
    for values in (cuts, np.nextafter(cuts, INFINITY), np.nextafter(cuts, -INFINITY)):
        on = np.tile(forest.scaler.mean_.astype(np.float32), (len(cuts), 1))
        on[np.arange(len(cuts)), features] = values
        events.append(on)
    return np.concatenate(events)


def test_network_scores_as_the_forest_even_on_a_cut(forest: IsolationForest, made_up: npt.NDArray[np.float32]) -> None:
    X = np.concatenate([made_up, on_cuts(forest)])
    assert len(X) > 15_000
    # A wrong branch in one of 100 trees changes a score by about 1e-3.
    expected = -direct(made_up).score_samples(X.astype(np.float64))
    np.testing.assert_allclose(network_scores(forest, X), expected, rtol=0, atol=1e-6)


def test_events_on_either_side_of_a_cut_differ(forest: IsolationForest) -> None:
    """Unless they did, the test above would prove nothing."""
    on, above, _ = np.split(on_cuts(forest), 3)
    assert np.mean(forest.score(on) != forest.score(above)) > 0.1


@pytest.mark.parametrize(
    "X",
    [
        pytest.param(1e6 + np.random.default_rng(1).normal(size=(500, 2)), id="large offset"),
        pytest.param(1e-41 * np.random.default_rng(2).normal(size=(500, 2)), id="denormal"),
        pytest.param(1e38 * np.random.default_rng(3).uniform(-3, 3, size=(500, 2)), id="nearly overflowing"),
        pytest.param(np.random.default_rng(4).integers(0, 3, size=(500, 2)), id="few values"),
        pytest.param(np.random.default_rng(5).normal(size=(500, 1)), id="one feature"),
        pytest.param(np.array([[1.0, 2.0], [3.0, 4.0]]), id="two events"),
    ],
)
def test_unusual_scales_are_scored_as_by_scikit_learn(X: npt.NDArray[np.float64]) -> None:
    X = X.astype(np.float32)
    forest, expected = IsolationForest(FEATURES[: X.shape[1]]).fit(X), -direct(X).score_samples(X.astype(np.float64))
    np.testing.assert_allclose(forest.score(X), expected, rtol=0, atol=1e-7)
    np.testing.assert_allclose(network_scores(forest, X), expected, rtol=0, atol=1e-6)


def test_seed_decides_the_forest(forest: IsolationForest, made_up: npt.NDArray[np.float32]) -> None:
    again, other = (IsolationForest(FEATURES, seed=seed).fit(made_up) for seed in (42, 43))
    np.testing.assert_array_equal(again.score(made_up), forest.score(made_up))
    assert again.threshold == forest.threshold
    assert np.mean(other.score(made_up) != forest.score(made_up)) > 0.9


@pytest.mark.parametrize("contamination", [0.01, 0.1, 0.5])
def test_contamination_is_the_fraction_flagged(made_up: npt.NDArray[np.float32], contamination: float) -> None:
    forest = IsolationForest(FEATURES, rule=ThresholdRule(contamination=contamination)).fit(made_up)
    # One more or less where the two scores around the quantile are neighbours in float32.
    assert abs(int((forest.score(made_up) > forest.threshold).sum()) - 3000 * contamination) <= 1


@pytest.mark.parametrize(
    ("X", "fault"),
    [
        (np.array([[1.0, 2.0], [np.nan, 2.0]]), "isolation_forest: the training feature MR is not finite"),
        (np.array([[1.0, 2.0], [3.0, np.inf]]), "isolation_forest: the training feature Rsq is not finite"),
        (np.empty((0, 2)), "isolation_forest: 0 training events, at least 2 are needed"),
        (np.array([[1.0, 2.0]]), "isolation_forest: 1 training events, at least 2 are needed"),
        (
            np.column_stack([np.arange(9), np.full(9, 2.5)]),
            "isolation_forest: the feature Rsq is 2.5 in all 9 training",
        ),
    ],
    ids=["nan", "inf", "none", "one", "constant"],
)
def test_sample_that_cannot_be_learned_from_is_refused(X: npt.NDArray[np.float64], fault: str) -> None:
    with pytest.raises(TrainingError, match=f"^{fault}"):
        IsolationForest(FEATURES[:2]).fit(X.astype(np.float32))


def test_average_path_length_is_equation_1_of_the_paper() -> None:
    # c(n) = 2 H(n - 1) - 2 (n - 1) / n with H(i) = ln(i) + 0.5772156649; by hand for n = 3, 10 and 256.
    expected = [
        0.0,
        0.0,
        1.0,
        2 * 0.6931471806 + 2 * 0.5772156649 - 4 / 3,
        2 * 2.1972245773 + 2 * 0.5772156649 - 18 / 10,
        2 * 5.5412635452 + 2 * 0.5772156649 - 510 / 256,
    ]
    np.testing.assert_allclose(average_path_length(np.array([0, 1, 2, 3, 10, 256])), expected, rtol=0, atol=1e-9)
    assert expected[-1] == pytest.approx(10.2447709, abs=1e-7)


def path_changes(tree: Any, events: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float64], float]:
    """Return the changes of a tree's expected path length at the cuts on each feature, and its root's, by recursion."""

    @cache
    def expected(node: int, depth: int) -> float:
        left, right = int(tree.children_left[node]), int(tree.children_right[node])
        if left < 0:
            return depth + float(average_path_length(tree.n_node_samples[node : node + 1])[0])
        weights = [tree.n_node_samples[child] for child in (left, right)]
        return float(np.average([expected(left, depth + 1), expected(right, depth + 1)], weights=weights))

    changes = np.zeros(events.shape)
    for event, change in zip(events, changes, strict=True):
        node, depth = 0, 0
        while tree.children_left[node] >= 0:
            feature = tree.feature[node]
            goes_left = event[feature] <= tree.threshold[node]
            child = int(tree.children_left[node] if goes_left else tree.children_right[node])
            change[feature] += expected(child, depth + 1) - expected(node, depth)
            node, depth = child, depth + 1
    return changes, expected(0, 0)


def test_contributions_are_what_shortened_the_paths(
    forest: IsolationForest, made_up: npt.NDArray[np.float32], tmp_path: Path
) -> None:
    X = made_up[np.argsort(forest.scores)[[-1, -2, 1500, 0]]]
    scaled = forest.scaler.transform(X.astype(np.float64)).astype(np.float32)
    changes, roots = zip(*(path_changes(tree.tree_, scaled) for tree in forest.forest.estimators_), strict=True)
    normalisation = 100 * 10.2447709  # trees times c(256)
    contributions = evaluated(forest.contributions(), X)
    np.testing.assert_allclose(contributions, -sum(changes) / normalisation, rtol=0, atol=1e-6)
    np.testing.assert_allclose(by_numpy(forest.contributions(), X, tmp_path / "why.onnx"), contributions, atol=1e-6)
    at_roots = -sum(roots) / normalisation
    np.testing.assert_allclose(contributions.sum(axis=1), np.log2(forest.score(X)) - at_roots, rtol=0, atol=1e-5)
    assert contributions[0].sum() > 0.1 > 0 > contributions[3].sum()


def test_the_feature_that_is_unusual_contributes_most(
    forest: IsolationForest, made_up: npt.NDArray[np.float32]
) -> None:
    typical = np.median(made_up, axis=0)
    for feature, value in enumerate((4000.0, 0.9, -9e4)):
        event = typical.copy()
        event[feature] = value
        assert np.argmax(evaluated(forest.contributions(), event[np.newaxis])[0]) == feature


def test_enormous_values_have_a_score(forest: IsolationForest) -> None:
    X = np.array([[1e30, -1e30, 1e30], [-3e38, 3e38, 0]], dtype=np.float32)
    for network in (forest.network(), forest.contributions()):
        assert np.isfinite(evaluated(network, X)).all()
