"""The MLP against scikit-learn used directly, and its network and contributions against numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from onnx.reference import ReferenceEvaluator
from sklearn.metrics import roc_auc_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from models.errors import TrainingError
from models.mlp import MLP
from models.onnx_export import export_onnx

FEATURES = ("a", "b", "c")


def labelled(events: int, seed: int = 4) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Two normal distributions whose means are 2 apart in `b`, at a large offset; `a` and `c` say nothing."""
    random = np.random.default_rng(seed)
    labels = np.arange(events) % 2
    X = random.normal(size=(events, 3)) * [1.0, 100.0, 1e-3] + [5.0, 1e4, 0.0]
    X[:, 1] += 200 * labels
    return X.astype(np.float32), labels


@pytest.fixture(scope="module")
def mlp() -> MLP:
    return MLP(FEATURES).fit(*labelled(2000))


def through(network: torch.nn.Module, X: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    with torch.no_grad():
        return network(torch.from_numpy(X)).numpy()


def test_score_is_scikit_learns_probability(mlp: MLP) -> None:
    X, labels = labelled(2000)
    direct = make_pipeline(
        StandardScaler(), MLPClassifier((128, 64), alpha=2.0, early_stopping=True, random_state=42)
    ).fit(X.astype(np.float64), labels)
    unseen, truth = labelled(4000, seed=5)
    expected = direct.predict_proba(unseen.astype(np.float64))[:, 1]
    scores = mlp.score(unseen)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-5)
    # Two normal distributions two standard deviations apart: AUC = Phi(2 / sqrt(2)).
    assert roc_auc_score(truth, scores) == pytest.approx(0.9214, abs=0.012)
    np.testing.assert_allclose(through(mlp.network(), unseen)[:, 0], expected, rtol=0, atol=1e-5)


def test_threshold_is_an_even_chance(mlp: MLP) -> None:
    assert mlp.threshold == 0.5
    assert mlp.notes == []


def test_contribution_is_what_the_score_loses_when_a_feature_is_put_to_its_mean(mlp: MLP, tmp_path: Path) -> None:
    X, _ = labelled(60, seed=6)
    contributions = through(mlp.contributions(), X)
    scores = mlp.score(X)
    means = labelled(2000)[0].astype(np.float64).mean(axis=0)
    for feature in range(3):
        without = X.copy()
        without[:, feature] = means[feature]
        np.testing.assert_allclose(contributions[:, feature], scores - mlp.score(without), rtol=0, atol=1e-5)
    assert np.abs(contributions[:, 1]).mean() > 3 * np.abs(contributions[:, [0, 2]]).mean()
    export_onnx(mlp.contributions(), FEATURES, tmp_path / "contributions.onnx")
    evaluator = ReferenceEvaluator(str(tmp_path / "contributions.onnx"))
    for event, expected in zip(X[:10], contributions, strict=False):
        (found,) = evaluator.run(None, {"features": event[np.newaxis]})
        np.testing.assert_allclose(found, expected[np.newaxis], rtol=0, atol=1e-6)


def test_extreme_events_have_a_probability(mlp: MLP) -> None:
    X = np.tile(labelled(2)[0][0], (4, 1))
    X[0, 1], X[1, 1], X[2], X[3] = 1e30, -1e30, 3e38, -3e38
    scores = through(mlp.network(), X)[:, 0]
    np.testing.assert_allclose(scores, mlp.score(X), rtol=0, atol=1e-6)
    assert scores[0] > 0.99
    assert scores[1] < 0.01


def test_seed_decides(mlp: MLP) -> None:
    X, labels = labelled(2000)
    np.testing.assert_array_equal(MLP(FEATURES).fit(X, labels).score(X), mlp.score(X))
    assert np.mean(MLP(FEATURES, seed=1).fit(X, labels).score(X) != mlp.score(X)) > 0.9


def test_a_training_that_has_not_settled_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.mlp.EPOCHS", 2)
    assert MLP(FEATURES).fit(*labelled(200)).notes == [
        "mlp: training ended after 2 epochs, before the accuracy had settled."
    ]


def test_few_events_and_few_of_a_kind() -> None:
    X, labels = labelled(20)
    assert np.isfinite(MLP(FEATURES).fit(X, labels).score(X)).all()
    with pytest.raises(TrainingError, match=r"^mlp: 19 training events, at least 20 are needed"):
        MLP(FEATURES).fit(X[:19], labels[:19])
    for few, kind in ((1, "signal"), (0, "background")):
        with pytest.raises(TrainingError, match=rf"^mlp: 1 of 20 training events is {kind}, at least 2 are needed"):
            MLP(FEATURES).fit(X, np.where(np.arange(20) == 0, few, 1 - few))
    with pytest.raises(TrainingError, match=r"^mlp learns signal from background, .+ no labels"):
        MLP(FEATURES).fit(X)


def test_two_events_of_a_kind_are_enough() -> None:
    X, _ = labelled(100)
    assert np.isfinite(MLP(FEATURES).fit(X, (np.arange(100) < 2).astype(int)).score(X)).all()
