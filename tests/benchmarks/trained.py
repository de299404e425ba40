"""The four detectors of the scores, trained once a run on 50,000 events of the suite's files."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np

from models.detectors.detector import Detector
from models.detectors.settings import AutoencoderSettings
from models.training import TrainingEvents, TrainingRecipe, train
from tests.benchmarks import numba_columns
from tests.benchmarks.events import FEATURES, made_events
from tests.benchmarks.notebook import finite

DETECTORS = ("isolation_forest", "autoencoder", "one_class_svm", "elliptic_envelope")
TRAINING_EVENTS = 50_000
PICKLE = "detectors.pickle"
RECIPE = TrainingRecipe(
    rules={}, settings={"autoencoder": AutoencoderSettings.model_validate("dense")}, train_on="all", folds=1, seed=1
)


def trained_detectors(folder: Path) -> dict[str, Detector]:
    """Return the detectors, trained if the folder does not have them."""
    path = folder / PICKLE
    if not path.exists():
        X = finite(numba_columns.columns(made_events("rntuple", 100_000, folder)))[:TRAINING_EVENTS]
        events = TrainingEvents(FEATURES, X, np.arange(len(X), dtype=np.uint64), None)
        trained, _ = train(events, DETECTORS, RECIPE, lambda *_: None)
        path.write_bytes(pickle.dumps({name: detector for name, (detector,) in trained.items()}))
    detectors: dict[str, Detector] = pickle.loads(path.read_bytes())
    return detectors
