"""Multilayer perceptron: from labelled events it learns the probability of being signal; trained by scikit-learn."""

from __future__ import annotations

import copy
import math
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from models.detectors.dense import BOUND, DEVIATIONS, BoundedStandardise, Dense, one_thread, rounded_through
from models.detectors.detector import Detector, Features, Labels, Progress, Scores
from models.errors import TrainingError
from models.rounding import UNIT_ROUNDOFF
from models.thresholds import Rounding, ThresholdRule

EPOCHS = 200
"""At most."""

EPOCH_EVENTS = 4000
"""Events of either kind that are drawn for an epoch: an epoch is as long for a small sample as for a large one, and for
rare signal as for frequent."""

PATIENCE = 10
"""Epochs without a lower validation loss after which training ends."""

VALIDATION = 0.2
"""Fraction of the events of either kind that is kept for validation."""

PENALTY = 2.0
"""Of large weights, for samples of up to `PENALTY_EVENTS`. It is strong: with scikit-learn's own, 10,000 events of 28
features are learned by heart before they are understood."""

PENALTY_EVENTS = 10_000
"""Of more events than these, less is learned by heart: the penalty falls as one over their number."""

GUESS = math.log(2)
"""Loss where every score is 0.5."""

Rows = npt.NDArray[np.intp]


class MLP(Detector):
    """StandardScaler and scikit-learn's MLPClassifier of 128 and 64 rectified units.

    The score is the probability of being signal, in (0, 1), were there as many signal events as background events. The
    training draws as many of either for each epoch, however rare the signal is in the sample; with a fraction f of
    signal in a sample, an event of score p is signal with probability f p / (f p + (1 - f) (1 - p)).

    A fifth of either kind is kept for validation. Training ends when the log-loss on these events, either kind having
    the same weight, has not fallen for ten epochs, and the weights of the lowest loss are kept.
    """

    name: ClassVar[str] = "mlp"
    supervised: ClassVar[bool] = True
    default_rule: ClassVar[ThresholdRule] = ThresholdRule(score=0.5)

    @property
    def minimum_events(self) -> int:
        """Twenty: of fewer, no fifth is worth the name of a validation sample."""
        return 20

    def fit(self, X: Features, labels: Labels | None = None, progress: Progress | None = None) -> Self:
        """Train, and set the threshold, as every detector; `progress` is called after each epoch.

        Raises:
            TrainingError: as of every detector; or there is only one event of a kind.
        """
        super().fit(X, labels, progress)
        if not (self.scores > self.threshold).any():
            self.notes.append(f"no training event has a score above the threshold {self.threshold:g}")
        return self

    def learn(self, X: Features, labels: Labels | None, progress: Progress) -> None:
        """Train the perceptron, with a part of the events of either kind kept for validation."""
        truth = np.asarray(labels)
        kinds, counts = np.unique(truth, return_counts=True)
        if counts.min() < 2:
            kind = "signal" if kinds[counts.argmin()] else "background"
            raise TrainingError(
                f"mlp: 1 of {len(X)} training events is {kind}, at least 2 are needed; read more of the sample"
            )
        exact = X.astype(np.float64)
        self.scaler = StandardScaler().fit(exact)
        self.classifier = MLPClassifier(
            (128, 64), alpha=PENALTY * min(1.0, PENALTY_EVENTS / len(X)), random_state=self.seed
        )
        with threadpool_limits(1):  # sums come out the same on any machine
            self._train(self.scaler.transform(exact).astype(np.float32), truth, progress)

    def _train(self, scaled: Features, labels: Labels, progress: Progress) -> None:
        """Train the classifier until the validation loss falls no more, and keep the best of its weights."""
        random = np.random.default_rng(self.seed)
        background, signal = (random.permutation(np.flatnonzero(labels == kind)) for kind in (0, 1))
        kept = [max(round(VALIDATION * len(rows)), 1) for rows in (background, signal)]
        validation = np.concatenate([background[: kept[0]], signal[: kept[1]]])
        weights = np.repeat(1 / np.array(kept), kept)
        lowest, best_epoch = math.inf, 0
        for epoch in range(1, EPOCHS + 1):
            rows = np.concatenate([_draw(random, background[kept[0] :]), _draw(random, signal[kept[1] :])])
            self.classifier.partial_fit(scaled[rows], labels[rows], classes=(0, 1))
            probabilities = self.classifier.predict_proba(scaled[validation])[:, 1]
            loss = log_loss(labels[validation], probabilities, sample_weight=weights)
            if loss < lowest:
                lowest, best_epoch = loss, epoch
                best = copy.deepcopy((self.classifier.coefs_, self.classifier.intercepts_))
            stops = epoch - best_epoch >= PATIENCE
            progress(epoch, epoch if stops else EPOCHS)
            if stops:
                break
        else:
            self.notes.append(f"training ended after {EPOCHS} epochs, before the validation loss had settled")
        if lowest >= GUESS:
            self.notes.append("the log-loss of the validation events is no lower than that of a guess")
        self.classifier.coefs_, self.classifier.intercepts_ = best

    def score(self, X: Features) -> Scores:
        """Return the score, shape (events,), by scikit-learn in float64."""
        scaled = self.scaler.transform(np.asarray(X, dtype=np.float64)).clip(-BOUND, BOUND)
        with threadpool_limits(1):
            scores: Scores = self.classifier.predict_proba(scaled)[:, 1].astype(np.float32)
        return scores

    def rounding(self, X: Features, scores: Scores) -> Rounding:
        """Return what rounding can change of the score, by way of all layers."""
        scaled = self.scaler.transform(np.asarray(X, dtype=np.float64)).clip(-BOUND, BOUND)
        with one_thread(), torch.no_grad():
            _, variance = rounded_through(self._layers(), torch.from_numpy(scaled))
        return np.asarray(DEVIATIONS * (np.sqrt(variance.numpy()[:, 0]) + UNIT_ROUNDOFF), dtype=np.float64)

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
            net.extend([Dense(weight, bias), torch.nn.ReLU()])
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


def _draw(random: np.random.Generator, rows: Rows) -> Rows:
    """Return `EPOCH_EVENTS` of the rows, each as often as any other or once more."""
    return np.resize(random.permutation(rows), EPOCH_EVENTS)
