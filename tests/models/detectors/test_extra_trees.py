"""Extra trees against scikit-learn, against paths followed one by one, and their network against the trees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import uproot
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import QuantileTransformer

from models.detectors.extra_trees import ExtraTrees
from models.errors import TrainingError
from tests.models.conftest import FEATURES, by_numpy, evaluated

INFINITY = np.float32(np.inf)
Labels = npt.NDArray[np.int64]


@pytest.fixture(scope="module")
def detector(made_up: npt.NDArray[np.float32], labels: Labels) -> ExtraTrees:
    return ExtraTrees(FEATURES).fit(made_up, labels)


@pytest.fixture(scope="module")
def direct(made_up: npt.NDArray[np.float32], labels: Labels) -> Pipeline:
    """Train what the detector stands for, without it."""
    trees = ExtraTreesClassifier(100, min_samples_leaf=10, max_features=None, class_weight="balanced", random_state=42)
    quantiles = QuantileTransformer(n_quantiles=1000, subsample=None)
    return make_pipeline(quantiles, trees).fit(made_up.astype(np.float64), labels)


def test_score_is_scikit_learns_probability(
    detector: ExtraTrees, direct: Pipeline, made_up: npt.NDArray[np.float32]
) -> None:
    unseen = np.random.default_rng(5).permuted(made_up, axis=0)
    X = np.concatenate([made_up, unseen, 50 * made_up[:20], -50 * made_up[:20]])
    expected = direct.predict_proba(X.astype(np.float64))[:, 1]
    assert detector.score(X).dtype == np.float32
    np.testing.assert_allclose(detector.score(X), expected, rtol=0, atol=1e-7)
    assert detector.threshold == 0.5


def test_network_scores_as_the_trees_even_on_a_cut(detector: ExtraTrees, made_up: npt.NDArray[np.float32]) -> None:
    inner = np.flatnonzero(detector.tables.left != np.arange(len(detector.tables.left)))[::3]
    cuts, rows = detector.tables.cut[inner], np.arange(len(inner))
    on, above = np.resize(made_up, (len(inner), 3)), np.resize(made_up, (len(inner), 3))
    on[rows, detector.tables.feature[inner]] = cuts
    above[rows, detector.tables.feature[inner]] = np.nextafter(cuts, INFINITY)
    # Unless these two differed, the comparison would prove nothing.
    assert np.mean(detector.score(on) != detector.score(above)) > 0.1
    X = np.concatenate([made_up, on, above])
    found = evaluated(detector.network(), X)[:, 0]
    # A wrong branch in one of 100 trees changes a score by about 1e-3.
    np.testing.assert_allclose(found, detector.score(X), rtol=0, atol=1e-6)
    assert (np.abs(found - detector.score(X)) <= detector.rounding(X, detector.score(X))).all()


def test_contributions_follow_the_paths(
    detector: ExtraTrees, direct: Pipeline, made_up: npt.NDArray[np.float32], tmp_path: Path
) -> None:
    X = made_up[::250]
    expected = np.zeros(X.shape)
    for tree in direct[-1].estimators_:
        for event, total in zip(direct[0].transform(X.astype(np.float64)), expected, strict=True):
            path = np.flatnonzero(tree.decision_path(event[np.newaxis].astype(np.float32)).toarray()[0])
            signal = tree.tree_.value[path, 0, 1]
            np.add.at(total, tree.tree_.feature[path[:-1]], np.diff(signal) / 100)
    contributions = evaluated(detector.contributions(), X)
    np.testing.assert_allclose(contributions, expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(contributions.sum(axis=1), detector.score(X) - 0.5, rtol=0, atol=1e-6)
    exported = by_numpy(detector.contributions(), X[:3], tmp_path / "why.onnx")
    np.testing.assert_allclose(exported, contributions[:3], atol=1e-6)


def test_higgs_is_told_from_background_better_than_by_one_tree_or_a_perceptron(opendata: Path) -> None:
    with uproot.open(opendata / "higgs" / "Higgs_data.root") as file:
        trees = [file[name].arrays(library="np") for name in ("bkg_tree", "sig_tree")]
    X = np.concatenate([np.column_stack(list(columns.values())) for columns in trees]).astype(np.float32)
    labels = np.repeat([0, 1], 10_000)
    detector = ExtraTrees(list(trees[0])).fit(X[::2], labels[::2])
    # A single tree reaches 0.73 there, the perceptron 0.74.
    assert roc_auc_score(labels[1::2], detector.score(X[1::2])) >= 0.77


def test_nothing_is_learned_without_labels_or_from_less_than_two_leaves(
    made_up: npt.NDArray[np.float32], labels: Labels
) -> None:
    with pytest.raises(TrainingError, match=r"^extra_trees learns signal from background, and the 3000 .* no labels"):
        ExtraTrees(FEATURES).fit(made_up)
    with pytest.raises(TrainingError, match=r"^extra_trees: 19 training events, at least 20 are needed"):
        ExtraTrees(FEATURES).fit(made_up[:19], labels[:19])
