"""The best mix of what there is in Python: scikit-learn's forest, and ONNX Runtime for the other detectors."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
import torch
from skl2onnx import to_onnx
from sklearn.pipeline import make_pipeline

from models.detectors.detector import Detector
from models.detectors.isolation_forest import IsolationForest
from models.detectors.one_class_svm import OneClassSVM
from models.detectors.scaling import Standardise
from tests.benchmarks.notebook import Score, Scores, scorer

BATCH = 1024


def scorers(detectors: Mapping[str, Detector], folder: Path) -> dict[str, Score]:
    """Return what scores events of shape (events, features), as in the notebook way.

    The SVM goes to ONNX by skl2onnx, the converter that scikit-learn's users have. Of autoencoders and elliptic
    envelopes that knows nothing; these are the toolkit's own networks.
    """
    made = {}
    for name, detector in detectors.items():
        if isinstance(detector, IsolationForest):
            made[name] = scorer(detector)
        elif isinstance(detector, OneClassSVM):
            made[name] = converted_svm(detector)
        else:
            made[name] = onnx_runtime(detector, folder)
    return made


def with_svm_by_products(detectors: Mapping[str, Detector], folder: Path) -> dict[str, Score]:
    """Return the same with an SVM that nobody has but who writes it: the fastest that ONNX Runtime can have."""
    svm = {n: onnx_runtime(d, folder, KernelByProducts(d)) for n, d in detectors.items() if isinstance(d, OneClassSVM)}
    return scorers(detectors, folder) | svm


class KernelByProducts(torch.nn.Module):
    """A one-class SVM by |z|^2 - 2 z.s + |s|^2: a product of matrices in place of the differences, for batches."""

    def __init__(self, detector: OneClassSVM) -> None:
        """Put the width of the kernel into the vectors."""
        super().__init__()
        self.standardise = Standardise(detector.scaler)
        self.gamma, machine = detector.gamma, detector.machine
        vectors = machine.support_vectors_
        self.twice = torch.tensor((2 * self.gamma * vectors).T, dtype=torch.float32)
        self.squares = torch.tensor(-self.gamma * (vectors**2).sum(axis=1), dtype=torch.float32)
        self.alpha = torch.tensor(machine.dual_coef_.T, dtype=torch.float32)
        self.rho = torch.tensor(-machine.intercept_, dtype=torch.float32)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map raw features, shape (events, features), to scores, shape (events, 1)."""
        z = self.standardise(features)
        exponent = torch.addmm(self.squares, z, self.twice) - self.gamma * (z * z).sum(dim=1, keepdim=True)
        score: torch.Tensor = self.rho - torch.exp(exponent) @ self.alpha
        return score


def converted_svm(detector: OneClassSVM) -> Score:
    """Return a one-class SVM in ONNX Runtime as skl2onnx converts it."""
    pipeline = make_pipeline(detector.scaler, detector.machine)
    width = len(detector.features)
    model = to_onnx(pipeline, np.zeros((1, width), dtype=np.float32), target_opset={"": 17, "ai.onnx.ml": 3})
    session = _session(model.SerializeToString())

    def score(X: npt.NDArray[np.float32]) -> Scores:
        starts = range(0, len(X), BATCH)
        return -np.concatenate([session.run(["scores"], {"X": X[i : i + BATCH]})[0][:, 0] for i in starts])

    return score


def onnx_runtime(detector: Detector, folder: Path, network: torch.nn.Module | None = None) -> Score:
    """Return a detector's network in ONNX Runtime, on one thread, in batches of any size up to 1024 events."""
    path = folder / f"{detector.name}_batches.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            (network or detector.network()).eval(),
            (torch.zeros(BATCH, len(detector.features)),),
            str(path),
            dynamo=False,
            opset_version=17,
            input_names=["features"],
            output_names=["score"],
            dynamic_axes={"features": {0: "events"}, "score": {0: "events"}},
        )
    session = _session(path.read_bytes())

    def score(X: npt.NDArray[np.float32]) -> Scores:
        starts = range(0, len(X), BATCH)
        return np.concatenate([session.run(None, {"features": X[i : i + BATCH]})[0][:, 0] for i in starts])

    return score


def _session(model: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
