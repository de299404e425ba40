"""Multilayer perceptron: from labelled events it learns the probability of being signal; trained by scikit-learn."""

from __future__ import annotations

import warnings
from typing import ClassVar

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from models.dense import BOUND, BoundedStandardise, linear
from models.detector import Detector, Features, Labels, Progress, Scores
from models.errors import TrainingError
from models.thresholds import ThresholdRule

EPOCHS = 200
"""At most."""


class MLP(Detector):
    """StandardScaler and scikit-learn's MLPClassifier of 128 and 64 rectified units; the score is P(signal), in (0, 1).

    A tenth of the events is kept for validation, and training ends when their accuracy has not grown for ten epochs.
    """

    name: ClassVar[str] = "mlp"
    supervised: ClassVar[bool] = True
    default_rule: ClassVar[ThresholdRule] = ThresholdRule(score=0.5)

    @property
    def minimum_events(self) -> int:
        """Twenty, a tenth of which can hold one event of either kind."""
        return 20

    def _fit(self, X: Features, labels: Labels | None, progress: Progress) -> None:
        kinds, counts = np.unique(np.asarray(labels), return_counts=True)
        if counts.min() < 2:
            kind = "signal" if kinds[counts.argmin()] else "background"
            raise TrainingError(
                f"mlp: 1 of {len(X)} training events is {kind}, at least 2 are needed; read more of the sample"
            )
        exact = X.astype(np.float64)
        self.scaler = StandardScaler().fit(exact)
        # The penalty of large weights is strong, as samples are small: with scikit-learn's own, 10,000 events of 28
        # features are learned by heart before they are understood.
        self.classifier = MLPClassifier(
            (128, 64), alpha=2.0, max_iter=EPOCHS, early_stopping=True, random_state=self.seed
        )
        with warnings.catch_warnings(), threadpool_limits(1):  # sums come out the same on any machine
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.classifier.fit(self.scaler.transform(exact), labels)
        if self.classifier.n_iter_ == EPOCHS:
            self.notes.append(f"training ended after {EPOCHS} epochs, before the accuracy had settled")

    def score(self, X: Features) -> Scores:
        """Return the probability of being signal, shape (events,), by scikit-learn in float64."""
        scaled = self.scaler.transform(np.asarray(X, dtype=np.float64)).clip(-BOUND, BOUND)
        with threadpool_limits(1):
            scores: Scores = self.classifier.predict_proba(scaled)[:, 1].astype(np.float32)
        return scores

    def network(self) -> torch.nn.Module:
        """Return the scaling and the layers."""
        return torch.nn.Sequential(BoundedStandardise(self.scaler), self._layers())

    def contributions(self) -> torch.nn.Module:
        """Return by how much the score falls when the feature is put to its training mean, and the others are kept.

        They do not add up to the score. A negative one made the event less like the signal.
        """
        return Occlusion(BoundedStandardise(self.scaler), self._layers())

    def _layers(self) -> torch.nn.Sequential:
        net = torch.nn.Sequential()
        for weight, bias in zip(self.classifier.coefs_, self.classifier.intercepts_, strict=True):
            net.extend([linear(weight.T, bias), torch.nn.ReLU()])
        net[-1] = torch.nn.Sigmoid()
        return net


class Occlusion(torch.nn.Module):
    """What a score loses when one feature after the other is put to its training mean."""

    others: torch.Tensor

    def __init__(self, scaling: BoundedStandardise, net: torch.nn.Module) -> None:
        """Put together the scaling, after which the means are 0, and the net that makes a score of scaled features."""
        super().__init__()
        self.scaling = scaling
        self.net = net
        self.register_buffer("others", 1 - torch.eye(len(scaling.mean)))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map raw features to contributions, both of shape (events, features)."""
        scaled = self.scaling(features)
        without = self.net(scaled[:, None, :] * self.others)[:, :, 0]
        contributions: torch.Tensor = self.net(scaled) - without
        return contributions
