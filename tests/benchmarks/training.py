"""What training the detectors costs, against bare fits by scikit-learn and torch on the same events."""

from __future__ import annotations

import statistics
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.table import Table
from sklearn.covariance import EllipticEnvelope
from sklearn.ensemble import IsolationForest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from models.autoencoder import Autoencoder, layers
from models.registry import UNSUPERVISED
from models.settings import AutoencoderSettings
from models.training import train
from tests.benchmarks.scoring import RECIPE, collect, seconds, simulated_source

EVENTS, REPEATS = 50_000, 3


def fit_autoencoder(X: NDArray[np.float32], settings: AutoencoderSettings, epochs: int) -> None:
    """Fit the simplest loop over the events that are not kept for validation."""
    scaled = torch.from_numpy(StandardScaler().fit_transform(X))
    training = scaled[round(len(X) * settings.validation) :]
    net = torch.nn.Sequential(*layers(X.shape[1], settings))
    optimiser = torch.optim.Adam(net.parameters(), lr=settings.learning_rate)
    for _ in range(epochs):
        for batch in training[torch.randperm(len(training))].split(settings.batch_size):
            optimiser.zero_grad()
            torch.nn.functional.mse_loss(net(batch), batch).backward()
            optimiser.step()


def measure_training() -> Table:
    """Measure our training and the bare fits one after the other, and return the table of medians."""
    with tempfile.TemporaryDirectory() as folder:
        events = collect(simulated_source(EVENTS, Path(folder)))
    X, settings, epochs = events.X.astype(float), RECIPE.autoencoder, 0

    def fit(name: str) -> None:
        nonlocal epochs
        (detector,) = train(events, [name], RECIPE, lambda *_: None)[name]
        if isinstance(detector, Autoencoder):
            epochs = len(detector.history.training)

    bare: dict[str, Callable[[], object]] = {
        "isolation_forest": lambda: make_pipeline(StandardScaler(), IsolationForest(random_state=1)).fit(X),
        "autoencoder": lambda: fit_autoencoder(events.X, settings, epochs),
        "one_class_svm": lambda: make_pipeline(StandardScaler(), OneClassSVM(nu=0.05, gamma="scale")).fit(X),
        "elliptic_envelope": lambda: make_pipeline(StandardScaler(), EllipticEnvelope(random_state=1)).fit(X),
    }
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in UNSUPERVISED}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of a covariance that is nearly singular
        for _ in range(REPEATS):
            for name, times in measured.items():
                times.append((seconds(lambda name=name: fit(name)), seconds(bare[name])))

    medians = {
        name: [statistics.median(column) for column in zip(*times, strict=True)] for name, times in measured.items()
    }
    medians["all"] = [sum(column) for column in zip(*medians.values(), strict=True)]
    shown = Table(title=f"Training on {EVENTS:,} simulated events, s, medians of {REPEATS} ({epochs} epochs)")
    for heading in ("detector", "ours, with the training scores", "bare fit", "ratio"):
        shown.add_column(heading, justify="left" if heading == "detector" else "right")
    for name, (ours, theirs) in medians.items():
        shown.add_row(name, f"{ours:.2f}", f"{theirs:.2f}", f"{ours / theirs:.2f}")
    return shown
