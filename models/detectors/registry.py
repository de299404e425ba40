"""The detectors by name, so that they can be named without importing what they are made of."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.detectors.detector import Detector

UNSUPERVISED: Mapping[str, str] = {
    "isolation_forest": "models.detectors.isolation_forest.IsolationForest",
    "autoencoder": "models.detectors.autoencoder.Autoencoder",
    "one_class_svm": "models.detectors.one_class_svm.OneClassSVM",
    "elliptic_envelope": "models.detectors.elliptic_envelope.EllipticEnvelope",
}
"""Name of a detector that needs no labels -> its class."""

SUPERVISED: Mapping[str, str] = {
    "decision_tree": "models.detectors.decision_tree.DecisionTree",
    "mlp": "models.detectors.mlp.MLP",
}
"""Name of a detector that learns from labels -> its class."""

DETECTORS: Mapping[str, str] = {**UNSUPERVISED, **SUPERVISED}
"""All of them, in the order in which they are trained and written."""


def detector_class(name: str) -> type[Detector]:
    """Return the class of the detector of that name, importing its libraries."""
    module, _, attribute = DETECTORS[name].rpartition(".")
    found: type[Detector] = getattr(import_module(module), attribute)
    return found
