"""The detectors by name, so that they can be named without importing what they are made of."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.detector import Detector

DETECTORS: Mapping[str, str] = {"isolation_forest": "models.isolation_forest.IsolationForest"}
"""Name of a detector -> its class, in the order in which they are trained and written."""


def detector_class(name: str) -> type[Detector]:
    """Return the class of the detector of that name, importing its libraries."""
    module, _, attribute = DETECTORS[name].rpartition(".")
    found: type[Detector] = getattr(import_module(module), attribute)
    return found
