"""The forest against scikit-learn used directly, and its network against the forest."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
import torch
from sklearn.ensemble import IsolationForest as SklearnIsolationForest
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from models.errors import TrainingError
from models.isolation_forest import IsolationForest, average_path_length, raw_cuts

INFINITY = np.float32(np.inf)


def direct(X: npt.NDArray[np.floating]) -> Pipeline:
    """Train what the detector stands for, without it; to be given float64, as it scales float32 in float32."""
    return make_pipeline(StandardScaler(), SklearnIsolationForest(contamination=0.05, random_state=42)).fit(
        X.astype(np.float64)
    )


def network_scores(forest: IsolationForest, X: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    with torch.no_grad():
        return forest.network()(torch.from_numpy(X))[:, 0].numpy()


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
    forest = IsolationForest().fit(X)
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
    network = forest.network()
    inner = (network.left != torch.arange(len(network.left))).numpy()
    features, cuts = network.feature.numpy()[inner], network.cut.numpy()[inner]
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
        pytest.param(np.array([[1.0, 2.0], [3.0, 2.0]]), id="two events"),
    ],
)
def test_unusual_scales_are_scored_as_by_scikit_learn(X: npt.NDArray[np.float64]) -> None:
    X = X.astype(np.float32)
    forest, expected = IsolationForest().fit(X), -direct(X).score_samples(X.astype(np.float64))
    np.testing.assert_allclose(forest.score(X), expected, rtol=0, atol=1e-7)
    np.testing.assert_allclose(network_scores(forest, X), expected, rtol=0, atol=1e-6)


def test_constant_feature_changes_nothing_but_the_draws() -> None:
    X = np.random.default_rng(6).normal(size=(500, 3)).astype(np.float32)
    X[:, 1] = 7.5
    forest = IsolationForest().fit(X)
    expected = -direct(X).score_samples(X.astype(np.float64))
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(network_scores(forest, X), expected, rtol=0, atol=1e-6)
    # No cut can be on it, so its value does not matter.
    moved = X.copy()
    moved[:, 1] = -1e9
    np.testing.assert_array_equal(forest.score(moved), forest.score(X))


def test_seed_decides_the_forest(forest: IsolationForest, made_up: npt.NDArray[np.float32]) -> None:
    again, other = IsolationForest(seed=42).fit(made_up), IsolationForest(seed=43).fit(made_up)
    np.testing.assert_array_equal(again.score(made_up), forest.score(made_up))
    assert again.threshold == forest.threshold
    assert np.mean(other.score(made_up) != forest.score(made_up)) > 0.9


@pytest.mark.parametrize("contamination", [0.01, 0.1, 0.5])
def test_contamination_is_the_fraction_flagged(made_up: npt.NDArray[np.float32], contamination: float) -> None:
    forest = IsolationForest(contamination=contamination).fit(made_up)
    # One more or less where the two scores around the quantile are neighbours in float32.
    assert abs(int((forest.score(made_up) > forest.threshold).sum()) - 3000 * contamination) <= 1


@pytest.mark.parametrize(
    ("X", "fault"),
    [
        (np.array([[1.0, 2.0], [np.nan, 2.0]]), "isolation_forest: a training feature is not finite"),
        (np.array([[1.0, 2.0], [3.0, np.inf]]), "isolation_forest: a training feature is not finite"),
        (np.empty((0, 2)), "isolation_forest: 0 training events, at least 2 are needed"),
        (np.array([[1.0, 2.0]]), "isolation_forest: 1 training events, at least 2 are needed"),
        (np.tile([1.0, 2.0], (9, 1)), "isolation_forest: the 9 training events are all alike"),
    ],
    ids=["nan", "inf", "none", "one", "alike"],
)
def test_sample_that_cannot_be_learned_from_is_refused(X: npt.NDArray[np.float64], fault: str) -> None:
    with pytest.raises(TrainingError, match=f"^{fault}"):
        IsolationForest().fit(X.astype(np.float32))


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


def passes(raw: np.float32, cut: float, mean: float, scale: float) -> bool:
    """Say whether scikit-learn would send a raw value left at a cut: scaled in float64, then rounded to float32."""
    with np.errstate(over="ignore"):
        return bool(np.float32((np.float64(raw) - mean) / scale) <= cut)


def check_raw_cuts(cuts: npt.ArrayLike, means: npt.ArrayLike, scales: npt.ArrayLike) -> None:
    cuts, means, scales = (np.asarray(values, dtype=np.float64) for values in (cuts, means, scales))
    for raw, cut, mean, scale in zip(raw_cuts(cuts, means, scales), cuts, means, scales, strict=True):
        assert raw.dtype == np.float32
        case = f"cut {cut!r}, mean {mean!r}, scale {scale!r}: {raw!r}"
        assert passes(raw, cut, mean, scale), case
        assert not passes(np.nextafter(raw, INFINITY), cut, mean, scale), case


def test_raw_cut_is_the_largest_float_that_passes() -> None:
    random = np.random.default_rng(7)
    count = 3000
    means = random.normal(size=count) * 10.0 ** random.uniform(-6, 9, count)
    scales = 10.0 ** random.uniform(-6, 6, count)
    cuts = random.normal(size=count)
    # Half of them on numbers that float32 holds, as those of a trained tree often are.
    cuts[::2] = cuts[::2].astype(np.float32)
    check_raw_cuts(cuts, means, scales)


@pytest.mark.parametrize(
    ("cut", "mean", "scale"),
    [
        pytest.param(0.0, 0.0, 1.0, id="zero"),
        pytest.param(-0.0, 0.0, 1.0, id="negative zero"),
        pytest.param(0.0, 5.0, 2.0, id="at the mean"),
        pytest.param(0.3, 1e6, 0.06, id="huge mean, tiny scale"),
        pytest.param(-0.3, -1e6, 0.06, id="huge negative mean, tiny scale"),
        pytest.param(1e5, 1e30, 1e25, id="astronomic mean"),
        pytest.param(0.7, 1e-41, 3e-42, id="denormal"),
        pytest.param(-0.7, 0.0, 1e-44, id="a few denormals"),
        pytest.param(1e-40, 0.0, 1.0, id="denormal cut"),
        pytest.param(-1.0, 1e3, 1e3, id="at zero, where floats are dense"),
        pytest.param(-(1 + 2**-25), (1 + 2**-25) * 1e9, 1e9, id="below zero, a thousand million floats off"),
        pytest.param(-(1 + 2**-25), (1 + 2**-25) * 1e38, 1e38, id="below zero, nearly all floats off"),
        pytest.param(3.4, 0.0, 1e38, id="largest values"),
        pytest.param(-3.4, 0.0, 1e38, id="lowest values"),
        pytest.param(0.5, 0.0, 1e-10, id="scaled values that overflow beside the cut"),
    ],
)
def test_raw_cut_at_the_edges_of_float32(cut: float, mean: float, scale: float) -> None:
    check_raw_cuts([cut], [mean], [scale])


def test_raw_cut_is_the_cut_where_there_is_no_scaling() -> None:
    assert raw_cuts(np.array([math.pi]), np.zeros(1), np.ones(1))[0] == np.float32(3.1415925)
    assert raw_cuts(np.array([-math.pi]), np.zeros(1), np.ones(1))[0] == np.float32(-3.1415927)
