"""Gradient boosting against scikit-learn, against paths followed one by one, and its network against its trees."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import uproot
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from models.detectors.gradient_boosting import GradientBoosting
from models.errors import TrainingError
from tests.models.conftest import FEATURES, by_numpy, evaluated

INFINITY = np.float32(np.inf)
Labels = npt.NDArray[np.int64]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Trees this small are grown many times as fast by one thread as by several that share a core."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def detector(made_up: npt.NDArray[np.float32], labels: Labels) -> GradientBoosting:
    return GradientBoosting(FEATURES).fit(made_up, labels)


def test_score_is_scikit_learns_probability_even_on_a_cut(
    detector: GradientBoosting, made_up: npt.NDArray[np.float32], labels: Labels
) -> None:
    direct = HistGradientBoostingClassifier(
        learning_rate=0.05, max_iter=200, max_leaf_nodes=15, early_stopping=False, class_weight="balanced"
    ).fit(made_up.astype(np.float64), labels)
    on_cuts = made_up[:2000].copy()
    for row, (predictor,) in enumerate(direct._predictors):
        inner = predictor.nodes[~predictor.nodes["is_leaf"].astype(bool)][:10]
        cuts = inner["num_threshold"].astype(np.float32)
        above = np.nextafter(cuts, INFINITY)
        rows = 10 * row + np.arange(len(inner))
        on_cuts[rows, inner["feature_idx"]] = np.where(rows % 2, cuts, above)
    X = np.concatenate([made_up, on_cuts])
    expected = direct.predict_proba(X.astype(np.float64))[:, 1]
    assert detector.score(X).dtype == np.float32
    np.testing.assert_allclose(detector.score(X), expected, rtol=0, atol=1e-7)
    # A wrong branch in one of 200 trees changes a score by about 1e-3.
    np.testing.assert_allclose(evaluated(detector.network(), X)[:, 0], expected, rtol=0, atol=2e-6)
    assert (np.abs(evaluated(detector.network(), made_up)[:, 0] - detector.scores) <= detector.scores_rounding).all()
    assert detector.threshold == 0.5


def test_contributions_follow_the_paths(
    detector: GradientBoosting, made_up: npt.NDArray[np.float32], tmp_path: Path
) -> None:
    X = made_up[::500]
    expected = np.zeros(X.shape)
    for (predictor,) in detector.classifier._predictors:
        nodes = predictor.nodes
        means = np.where(nodes["is_leaf"], nodes["value"], np.nan)
        for node in range(len(nodes) - 1, -1, -1):  # children lie behind their parents
            if not nodes[node]["is_leaf"]:
                below = [nodes[node]["left"], nodes[node]["right"]]
                means[node] = np.average(means[below], weights=nodes[below]["count"])
        for event, total in zip(X.astype(np.float64), expected, strict=True):
            node = 0
            while not nodes[node]["is_leaf"]:
                feature = nodes[node]["feature_idx"]
                child = int(nodes[node]["left" if event[feature] <= nodes[node]["num_threshold"] else "right"])
                total[feature] += means[child] - means[node]
                node = child
    contributions = evaluated(detector.contributions(), X)
    np.testing.assert_allclose(contributions, expected, rtol=0, atol=1e-5)
    scores = detector.classifier.decision_function(made_up.astype(np.float64))
    np.testing.assert_allclose(contributions.sum(axis=1), scores[::500] - scores.mean(), rtol=0, atol=1e-4)
    exported = by_numpy(detector.contributions(), X[:3], tmp_path / "why.onnx")
    np.testing.assert_allclose(exported, contributions[:3], atol=1e-5)


def test_higgs_is_told_from_background_better_than_by_one_tree_or_a_perceptron(opendata: Path) -> None:
    with uproot.open(opendata / "higgs" / "Higgs_data.root") as file:
        trees = [file[name].arrays(library="np") for name in ("bkg_tree", "sig_tree")]
    X = np.concatenate([np.column_stack(list(columns.values())) for columns in trees]).astype(np.float32)
    labels = np.repeat([0, 1], 10_000)
    detector = GradientBoosting(list(trees[0])).fit(X[::2], labels[::2])
    # A single tree reaches 0.73 there, the perceptron 0.74.
    assert roc_auc_score(labels[1::2], detector.score(X[1::2])) >= 0.78


def test_nothing_is_learned_without_labels_or_from_less_than_two_leaves(
    made_up: npt.NDArray[np.float32], labels: Labels
) -> None:
    with pytest.raises(TrainingError, match=r"^gradient_boosting learns signal from background, .* no labels"):
        GradientBoosting(FEATURES).fit(made_up)
    with pytest.raises(TrainingError, match=r"^gradient_boosting: 39 training events, at least 40 are needed"):
        GradientBoosting(FEATURES).fit(made_up[:39], labels[:39])
