"""What the base class of the detectors gives to each: flags, ranks, settings, and contributions by occlusion."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from models.detectors.detector import Detector, Diagnostics, Features, Labels, Progress, Scores
from models.detectors.isolation_forest import IsolationForest
from models.errors import TrainingError
from tests.models.conftest import FEATURES, by_numpy, evaluated


class Sum(torch.nn.Module):
    """The first feature, and twice the product of the others."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features[:, :1] + 2 * features[:, 1:2] * features[:, 2:3]


class Product(Detector):
    name = "product"

    def learn(self, X: Features, labels: Labels | None, progress: Progress) -> None:
        self.learned_from = X, labels
        progress(1, 1)

    def score(self, X: Features) -> Scores:
        return np.asarray(X[:, 0] + 2 * X[:, 1] * X[:, 2], dtype=np.float32)

    def network(self) -> torch.nn.Module:
        return Sum()


class Column(Product):
    def score(self, X: Features) -> Scores:
        return super().score(X)[:, np.newaxis]


def test_flags_are_scores_above_the_threshold(forest: IsolationForest, made_up: npt.NDArray[np.float32]) -> None:
    flags = forest.predict(made_up)
    assert flags.dtype == np.bool_
    np.testing.assert_array_equal(flags, forest.score(made_up) > forest.threshold)
    assert flags.sum() == 150  # 5 % of 3,000


def test_ranks_are_fractions_of_the_training(forest: IsolationForest, made_up: npt.NDArray[np.float32]) -> None:
    scores = forest.score(made_up)
    ranks = forest.rank(made_up)
    assert ranks.dtype == np.float32
    np.testing.assert_allclose(ranks, [(scores < score).mean() for score in scores], atol=1e-6)


def test_ranks_refer_to_what_the_threshold_refers_to(made_up: npt.NDArray[np.float32]) -> None:
    detector = Product(FEATURES).fit(made_up)
    half = made_up[:1500]
    detector.calibrate(half)
    scores = detector.score(half)
    np.testing.assert_allclose(detector.rank(half), [(scores < score).mean() for score in scores], atol=1e-6)


def test_a_detector_that_says_nothing_of_its_training_has_the_contributions_of_every_network(
    made_up: npt.NDArray[np.float32], tmp_path: Path
) -> None:
    detector = Product(FEATURES).fit(made_up)
    X, means = made_up[:20], made_up.astype(float).mean(axis=0)
    expected = np.empty((20, 3))
    for feature in range(3):
        without = X.astype(float)
        without[:, feature] = means[feature]
        expected[:, feature] = _product(X.astype(float)) - _product(without)
    found = evaluated(detector.contributions(), X)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
    np.testing.assert_allclose(by_numpy(detector.contributions(), X, tmp_path / "c.onnx"), found, rtol=1e-5, atol=1e-2)
    assert detector.describe_training(X) == Diagnostics(None, None)
    assert detector.encode(X) is None
    assert detector.settings.model_dump() == {}


def _product(X: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return X[:, 0] + 2 * X[:, 1] * X[:, 2]


def test_scores_of_another_shape_are_refused_with_the_method_to_mend(made_up: npt.NDArray[np.float32]) -> None:
    with pytest.raises(TrainingError, match=r"have the shape \(3000, 1\), where \(3000,\) is expected; mend .*score"):
        Column(FEATURES).fit(made_up)
