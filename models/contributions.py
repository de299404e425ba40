"""What made an event unusual: the contribution of each feature to a detector's score, without torch or scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx.reference import ReferenceEvaluator

from models.folder import ModelFolder

TOP_REASONS = 3
"""Features that are named as the reasons for an event."""


def feature_contributions(
    models: ModelFolder, folder: Path, detector: str, X: npt.NDArray[np.float32], folds: npt.NDArray[np.integer]
) -> npt.NDArray[np.float32]:
    """Return what each feature contributes to a detector's score of these events; greater is more anomalous.

    Args:
        models: the model folder's table.
        folder: the models folder.
        detector: name of the detector.
        X: features, shape (events, features).
        folds: of the events, which say the network that scored them, shape (events,).

    Returns:
        Shape (events, features). What they add up to is said by each detector's `contributions`.
    """
    return contributions_of(read_contributions(models, folder, detector), X, folds)


def read_contributions(models: ModelFolder, folder: Path, detector: str) -> list[onnx.ModelProto]:
    """Return the networks, one a fold, that say what each feature contributes to a detector's score."""
    return [onnx.load(folder / network.contributions) for network in models.detectors[detector].networks]


def contributions_of(
    networks: Sequence[onnx.ModelProto], X: npt.NDArray[np.float32], folds: npt.NDArray[np.integer]
) -> npt.NDArray[np.float32]:
    """Return what each feature contributes by these networks, shape (events, features).

    Args:
        networks: one a fold.
        X: features, shape (events, features).
        folds: of the events, shape (events,).
    """
    out = np.empty(X.shape, dtype=np.float32)
    for fold, network in enumerate(networks):
        evaluator: Any = ReferenceEvaluator(network)
        for row in np.flatnonzero(folds == fold):
            (contributions,) = evaluator.run(None, {"features": X[row : row + 1]})
            out[row] = contributions[0]
    return out


def shares(contributions: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Return each feature's share of what made events more anomalous, shape (events, features); rows add up to 1.

    Features that made an event less anomalous have none; where there is no contribution at all, all are 0.
    """
    positive = np.clip(np.nan_to_num(contributions.astype(np.float64)), 0, None)
    total = positive.sum(axis=1, keepdims=True)
    share: npt.NDArray[np.float64] = np.divide(positive, total, out=np.zeros_like(positive), where=total > 0)
    return share


def reasons(features: Sequence[str], mean_shares: npt.NDArray[np.float64]) -> str:
    """Say in words which features made an event unusual: "MET_over_HT 61%, MR 20%, HT 9%"."""
    order = np.argsort(-mean_shares, kind="stable")[:TOP_REASONS]
    return ", ".join(f"{features[i]} {mean_shares[i]:.0%}" for i in order if mean_shares[i] > 0)
