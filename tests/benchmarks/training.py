"""What training the detectors costs, against bare fits by scikit-learn and torch on the same events."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.covariance import EllipticEnvelope
from sklearn.ensemble import IsolationForest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from models.detectors.autoencoder import Autoencoder, layers
from models.detectors.settings import AutoencoderSettings
from models.training import TrainingEvents, train
from tests.benchmarks import numba_columns
from tests.benchmarks.events import FEATURES, made_events
from tests.benchmarks.measure import Line, Way, alternate, compare, timed
from tests.benchmarks.notebook import finite
from tests.benchmarks.trained import RECIPE

EVENTS = 10_000


def fit_autoencoder(X: NDArray[np.float32], settings: AutoencoderSettings, epochs: int) -> None:
    """Fit the simplest loop over the events that are not kept for validation."""
    scaled = torch.from_numpy(StandardScaler().fit_transform(X))
    training = scaled[round(len(X) * settings.validation) :]
    net = torch.nn.Sequential(*layers(X.shape[1], settings))
    optimiser = torch.optim.Adam(net.parameters(), lr=settings.learning_rate)
    for _ in range(epochs):
        for batch in torch.split(training[torch.randperm(len(training))], settings.batch_size):
            optimiser.zero_grad()
            torch.autograd.backward(torch.nn.functional.mse_loss(net(batch), batch))
            optimiser.step()


def measure(folder: Path) -> list[Line]:
    """Measure the toolkit's training, with the scores of its events, and the bare fits."""
    X32 = finite(numba_columns.columns(made_events("rntuple", 100_000, folder)))[:EVENTS]
    X, settings = X32.astype(float), RECIPE.settings[Autoencoder.name]
    assert isinstance(settings, AutoencoderSettings)
    events = TrainingEvents(FEATURES, X32, np.arange(len(X), dtype=np.uint64), None)
    trained, _ = train(events, [Autoencoder.name], RECIPE, lambda *_: None)
    (autoencoder,) = trained[Autoencoder.name]
    assert isinstance(autoencoder, Autoencoder)
    epochs = len(autoencoder.history.training)
    bare: dict[str, Way] = {
        "isolation_forest": timed(lambda: make_pipeline(StandardScaler(), IsolationForest(random_state=1)).fit(X)),
        "autoencoder": timed(lambda: fit_autoencoder(X32, settings, epochs)),
        "one_class_svm": timed(lambda: make_pipeline(StandardScaler(), OneClassSVM(nu=0.05, gamma="scale")).fit(X)),
        "elliptic_envelope": timed(lambda: make_pipeline(StandardScaler(), EllipticEnvelope(random_state=1)).fit(X)),
    }
    lines = []
    for name, fit in bare.items():
        taken = alternate({"ours": timed(partial(train, events, [name], RECIPE, lambda *_: None)), "bare": fit})
        what = f"{name}: trained by the toolkit / by a bare fit"
        lines.append(compare("training", what, taken["ours"], taken["bare"], EVENTS))
    return lines
