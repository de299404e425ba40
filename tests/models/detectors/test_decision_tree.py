"""The decision tree against scikit-learn, against counting by hand, and its network against the tree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import uproot
from sklearn.metrics import roc_auc_score
from sklearn.tree import DecisionTreeClassifier

from models.detectors.decision_tree import DecisionTree
from models.errors import TrainingError
from tests.models.conftest import FEATURES, by_numpy, evaluated

INFINITY = np.float32(np.inf)
Labels = npt.NDArray[np.int64]


@pytest.fixture(scope="module")
def tree(made_up: npt.NDArray[np.float32], labels: Labels) -> DecisionTree:
    return DecisionTree(FEATURES).fit(made_up, labels)


def on_cuts(tree: DecisionTree, made_up: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return events that lie on a cut of the tree, rounded to float32, and one float32 to each side of it."""
    nodes = tree.tree.tree_
    events = []
    for node in np.flatnonzero(nodes.children_left >= 0):
        cut = np.float32(nodes.threshold[node])
        for value in (cut, np.nextafter(cut, INFINITY), np.nextafter(cut, -INFINITY)):
            near = made_up[:40].copy()
            near[:, nodes.feature[node]] = value
            events.append(near)
    return np.concatenate(events)


def test_score_is_scikit_learns_probability_even_on_a_cut(
    tree: DecisionTree, made_up: npt.NDArray[np.float32], labels: Labels
) -> None:
    direct = DecisionTreeClassifier(max_depth=8, min_samples_leaf=15, class_weight="balanced", random_state=42).fit(
        made_up, labels
    )
    X = np.concatenate([made_up, on_cuts(tree, made_up)])
    assert len(X) > 5000
    expected = direct.predict_proba(X)[:, 1].astype(np.float32)
    assert len(np.unique(expected)) > 10
    assert tree.score(X).dtype == np.float32
    np.testing.assert_array_equal(tree.score(X), expected)
    np.testing.assert_array_equal(evaluated(tree.network(), X)[:, 0], expected)


def test_an_event_is_flagged_that_is_signal_rather_than_background(tree: DecisionTree) -> None:
    assert tree.threshold == 0.5


def test_leaves_and_contributions_by_hand() -> None:
    # 4 of 8 events are signal. The cut on a leaves 1 of 5 below it, and 3 of 3 above; that on b then 0 of 4 and 1 of 1.
    X = np.array([[0, 0], [0, 1], [0, 2], [0, 3], [0, 9], [5, 0], [5, 1], [5, 9]], dtype=np.float32)
    tree = DecisionTree(("a", "b")).fit(X, np.array([0, 0, 0, 0, 1, 1, 1, 1]))
    events = np.array([[2.5, 6.0], [2.5, 6.5], [3.0, 6.0]], dtype=np.float32)
    np.testing.assert_allclose(tree.score(events), [0, 1, 1])
    # From 1/2 to 1/5 to 0 or 1; from 1/2 to 1.
    expected = [[-0.3, -0.2], [-0.3, 0.8], [0.5, 0]]
    np.testing.assert_allclose(evaluated(tree.contributions(), events), expected, atol=1e-7)


def test_contributions_follow_the_path(tree: DecisionTree, made_up: npt.NDArray[np.float32], tmp_path: Path) -> None:
    X, nodes = made_up[::100], tree.tree.tree_
    expected = np.zeros(X.shape)
    for event, total in zip(X, expected, strict=True):
        path = np.flatnonzero(tree.tree.decision_path(event[np.newaxis]).toarray()[0])
        signal = nodes.value[path, 0, 1]
        for node, change in zip(path, np.diff(signal), strict=False):
            total[nodes.feature[node]] += change
    contributions = evaluated(tree.contributions(), X)
    np.testing.assert_allclose(contributions, expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(contributions.sum(axis=1), tree.score(X) - nodes.value[0, 0, 1], rtol=0, atol=1e-6)
    np.testing.assert_allclose(by_numpy(tree.contributions(), X, tmp_path / "why.onnx"), contributions, atol=1e-7)


def test_higgs_is_told_from_background(opendata: Path) -> None:
    with uproot.open(opendata / "higgs" / "Higgs_data.root") as file:
        trees = [file[name].arrays(library="np") for name in ("bkg_tree", "sig_tree")]
    X = np.concatenate([np.column_stack(list(columns.values())) for columns in trees]).astype(np.float32)
    labels = np.repeat([0, 1], 10_000)
    tree = DecisionTree(list(trees[0])).fit(X[::2], labels[::2])
    assert roc_auc_score(labels[1::2], tree.score(X[1::2])) >= 0.72
    np.testing.assert_array_equal(evaluated(tree.network(), X)[:, 0], tree.score(X))


@pytest.mark.parametrize("labels", [None, np.zeros(3000, dtype=int), np.repeat([0, 2], 1500)], ids=["none", "0", "0 2"])
def test_without_signal_and_background_there_is_nothing_to_learn(
    made_up: npt.NDArray[np.float32], labels: Labels | None
) -> None:
    with pytest.raises(TrainingError, match=r"^decision_tree learns signal from background, and the 3000 .* labels"):
        DecisionTree(FEATURES).fit(made_up, labels)
