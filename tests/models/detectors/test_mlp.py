"""The MLP against numpy, logistic regression and the distributions that the events are drawn from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from onnx.reference import ReferenceEvaluator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from models.detectors.mlp import MLP
from models.errors import TrainingError
from models.onnx_export import export_onnx
from models.thresholds import ThresholdRule

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


def direct_score(mlp: MLP, X: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """The trained layers one after the other, in float64."""
    values = (X.astype(np.float64) - mlp.scaler.mean_) / mlp.scaler.scale_
    *hidden, last = zip(mlp.classifier.coefs_, mlp.classifier.intercepts_, strict=True)
    for weight, bias in hidden:
        values = np.maximum(values @ weight.astype(np.float64) + bias, 0)
    return 1 / (1 + np.exp(-(values @ last[0].astype(np.float64) + last[1])[:, 0]))


def test_score_and_network_are_those_of_the_trained_layers(mlp: MLP) -> None:
    training, _ = labelled(2000)
    np.testing.assert_allclose(mlp.scaler.mean_, training.astype(np.float64).mean(axis=0), rtol=1e-9)
    unseen, truth = labelled(4000, seed=5)
    expected = direct_score(mlp, unseen)
    scores = mlp.score(unseen)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(through(mlp.network(), unseen)[:, 0], expected, rtol=0, atol=1e-5)
    # Two normal distributions two standard deviations apart: AUC = Phi(2 / sqrt(2)).
    assert roc_auc_score(truth, scores) == pytest.approx(0.9214, abs=0.012)


def rare(events: int, signal: int, seed: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Ten normal features, the means of signal at 0.6: its distance from background is 0.6 sqrt(10) = 1.9."""
    labels = (np.arange(events) < signal).astype(int)
    X = np.random.default_rng(seed).normal(size=(events, 10)) + 0.6 * labels[:, np.newaxis]
    return X.astype(np.float32), labels


@pytest.mark.parametrize("signal", [100, 1000, 4000, 10000])
def test_learns_from_rare_and_from_frequent_signal(signal: int) -> None:
    X, labels = rare(20000, signal, seed=8)
    mlp = MLP([f"f{i}" for i in range(10)]).fit(X, labels)
    unseen, truth = rare(20000, 10000, seed=9)
    scores = mlp.score(unseen)
    linear = LogisticRegression().fit(X, labels)  # the best there is here: the two have the same covariance
    auc = roc_auc_score(truth, scores)
    assert auc >= roc_auc_score(truth, linear.decision_function(unseen)) - 0.02
    # The best AUC is Phi(1.897 / sqrt(2)) = 0.910. Cut at 0.5, where the densities are equal, either kind is told
    # rightly with probability Phi(1.897 / 2) = 0.829.
    assert auc <= 0.915
    assert mlp.threshold == 0.5
    assert np.mean(scores[truth == 1] > 0.5) == pytest.approx(0.829, abs=0.12 if signal == 100 else 0.06)
    assert np.mean(scores[truth == 0] <= 0.5) == pytest.approx(0.829, abs=0.12 if signal == 100 else 0.06)
    assert mlp.notes == []


def test_the_best_weights_are_kept_and_every_epoch_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    X, labels = rare(4000, 2000, seed=10)
    names = [f"f{i}" for i in range(10)]
    told: list[tuple[int, int]] = []
    mlp = MLP(names).fit(X, labels, lambda *steps: told.append(steps))
    assert [done for done, _ in told] == list(range(1, len(told) + 1))
    assert {total for _, total in told[:-1]} == {200}
    assert told[-1][0] == told[-1][1]
    assert 11 < len(told) < 200
    # What ten epochs did not better is the same as if these epochs had not been.
    monkeypatch.setattr("models.detectors.mlp.EPOCHS", len(told) - 10)
    np.testing.assert_array_equal(MLP(names).fit(X, labels).score(X), mlp.score(X))
    monkeypatch.setattr("models.detectors.mlp.EPOCHS", len(told) - 11)
    assert np.mean(MLP(names).fit(X, labels).score(X) != mlp.score(X)) > 0.9


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
    monkeypatch.setattr("models.detectors.mlp.EPOCHS", 2)
    assert MLP(FEATURES).fit(*labelled(200)).notes == [
        "training ended after 2 epochs, before the validation loss had settled"
    ]


def test_nothing_learned_and_nothing_above_the_threshold_are_notes() -> None:
    X, labels = labelled(400)
    labels = np.random.default_rng(1).permutation(labels)  # they say nothing now
    notes = MLP(FEATURES, rule=ThresholdRule(score=0.999)).fit(X, labels).notes
    assert notes == [
        "the log-loss of the validation events is no lower than that of a guess",
        "no training event has a score above the threshold 0.999",
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
