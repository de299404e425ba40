"""Each detector on real events: in the event loop and in ONNX Runtime as it scores by itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest

from models.detectors.decision_tree import DecisionTree
from models.detectors.detector import Detector
from models.detectors.elliptic_envelope import EllipticEnvelope
from models.detectors.extra_trees import ExtraTrees
from models.detectors.gradient_boosting import GradientBoosting
from models.detectors.hbos import HBOS
from models.detectors.isolation_forest import IsolationForest
from models.detectors.one_class_svm import OneClassSVM
from models.onnx_export import export_onnx
from rdf.code.sofie import compile_detector, translate_network
from rdf.schema.features import FEATURE_SETS

pytestmark = pytest.mark.compiler

FEATURES = FEATURE_SETS["razor"].features
Features = npt.NDArray[np.float32]


def large_rsq(X: Features) -> npt.NDArray[np.int64]:
    """Label the tenth with the largest Rsq, and by mistake every twentieth event."""
    labels = X[:, 1] > np.quantile(X[:, 1], 0.9)
    labels[::20] ^= True
    return labels.astype(int)


TRAINED: dict[str, Callable[[Features], Detector]] = {
    "isolation_forest": lambda X: IsolationForest(FEATURES).fit(X),
    "elliptic_envelope": lambda X: EllipticEnvelope(FEATURES).fit(X),
    "hbos": lambda X: HBOS(FEATURES).fit(X),
    "one_class_svm": lambda X: OneClassSVM(FEATURES).fit(X),
    "decision_tree": lambda X: DecisionTree(FEATURES).fit(X, large_rsq(X)),
    "extra_trees": lambda X: ExtraTrees(FEATURES).fit(X, large_rsq(X)),
    "gradient_boosting": lambda X: GradientBoosting(FEATURES).fit(X, large_rsq(X)),
}
"""Name of a detector -> one that is trained on these events."""


@pytest.fixture(scope="module", name="X")
def razor_features(razor: Any) -> Features:
    """3,000 events from all over the published sample."""
    return np.random.default_rng(2010).permutation(razor.matrix(FEATURES))[:3000]


@pytest.mark.parametrize("name", TRAINED)
def test_scores_are_the_same_in_scikit_learn_sofie_and_onnxruntime(name: str, X: Features, tmp_path: Path) -> None:
    detector = TRAINED[name](X)
    assert detector.name == name
    path = tmp_path / f"{name}.onnx"
    export_onnx(detector.network(), FEATURES, path)
    in_cpp = compile_detector(name, translate_network(path), detector.threshold, [0.0, 1.0], [0.0, 1.0], 1)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    expected = detector.scores.astype(np.float64)
    scores = {
        "SOFIE": in_cpp.scores(X),
        "ONNX Runtime": np.array([session.run(None, {"features": x[np.newaxis]})[0].item() for x in X]),
    }
    for found in scores.values():
        assert np.mean(np.abs(found - expected) < 1e-5 * np.ptp(expected)) >= 0.9995
        flagged = expected > detector.threshold
        assert ((found > detector.threshold) != flagged).sum() <= 0.005 * flagged.sum()
