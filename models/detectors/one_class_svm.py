"""One-class support vector machine: unusual events have few training events near them.

B. Schölkopf et al., "Estimating the Support of a High-Dimensional Distribution", Neural Computation 13 (2001) 1443;
trained by scikit-learn (libsvm).
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM as SklearnOneClassSVM

from models.detectors.detector import Detector, Features, Labels, Progress, Scores
from models.detectors.scaling import Standardise
from models.rounding import FEW, UNIT_ROUNDOFF, roundings_of_sum
from models.thresholds import Rounding

MAX_EVENTS = 60_000
"""Most events that it is trained on: the time of a training grows with their square."""
OUTSIDE = 0.05
"""nu: the largest fraction of the training events outside of the support."""
BLOCK = 65_536
"""Events that are scaled and scored at a time, so that millions need no more memory."""
SAME = 1e-6
"""Squared scaled distance below which a support vector is the event itself."""
SMALLEST_SHARE = 1e-307
"""Of the sum of all weights, in the sum of the kernels."""
FARTHEST = 1e15
"""Scaled features are cut off there, so that their squares stay finite."""


class OneClassSVM(Detector):
    """StandardScaler and scikit-learn's OneClassSVM with a Gaussian kernel; the score is minus its decision function.

    It is rho - sum_i alpha_i exp(-gamma |z - s_i|^2) with the support vectors s_i, and greater than 0 outside of the
    support.
    """

    name: ClassVar[str] = "one_class_svm"

    @property
    def minimum_events(self) -> int:
        """Ten: the support of fewer is no more than their places."""
        return 10

    def learn(self, X: Features, labels: Labels | None, progress: Progress) -> None:
        """Train the support vector machine, on `MAX_EVENTS` events at most."""
        self.scaler = StandardScaler().fit(X.astype(np.float64))
        scaled = self._scaled(self._drawn(X))
        # What scikit-learn calls gamma="scale".
        self.gamma = float(1 / (scaled.shape[1] * scaled.var()))
        machine = SklearnOneClassSVM(kernel="rbf", gamma=self.gamma, nu=OUTSIDE)
        self.machine = _beside(lambda: machine.fit(scaled))

    def _drawn(self, X: Features) -> Features:
        """Return no more events than can be trained on, drawn at random, and say so."""
        if len(X) <= MAX_EVENTS:
            return X
        self.notes.append(
            f"trained on {MAX_EVENTS} of the {len(X)} training events, drawn at random, as its training "
            "time grows with their square"
        )
        drawn = np.random.default_rng(self.seed).choice(len(X), MAX_EVENTS, replace=False)
        return X[np.sort(drawn)]

    def _scaled(self, X: Features) -> npt.NDArray[np.float64]:
        scaled: npt.NDArray[np.float64] = self.scaler.transform(X.astype(np.float64))
        return scaled

    def score(self, X: Features) -> Scores:
        """Return minus the decision function, shape (events,); higher is more anomalous, at most rho."""
        scores = np.empty(len(X), dtype=np.float32)
        for start in range(0, len(X), BLOCK):
            block = slice(start, start + BLOCK)
            scores[block] = -self.machine.decision_function(self._scaled(X[block]))
        return scores

    def rounding(self, X: Features, scores: Scores) -> Rounding:
        """Return what rounding can change of rho less the sum of kernels, each of which can be larger than the score.

        With K the sum of the weighted kernels, A that of the weights and L = log(A / K), the weighted kernels times
        their exponents add up to L K at most, and times the roots of these to sqrt(L) K: both functions are concave.
        """
        rho = abs(float(self.machine.intercept_[0]))
        total = float(self.machine.dual_coef_.sum())
        # Far from all support vectors nothing is left of the sum; its logarithm is to be finite all the same.
        least = max(float(np.finfo(np.float64).tiny), SMALLEST_SHARE * total)
        kernels = (-float(self.machine.intercept_[0]) - scores.astype(np.float64)).clip(least, total)
        exponents = np.log(total / kernels)
        # An exponent has the roundings of its squares, and those of the scaled features in the differences squared.
        with np.errstate(over="ignore"):
            radius = np.linalg.norm(self._scaled(X).clip(-FARTHEST, FARTHEST), axis=1)
        in_exponents = (FEW + X.shape[1]) * exponents + 2 * (FEW - 2) * radius * np.sqrt(self.gamma * exponents)
        in_sum = roundings_of_sum(self.machine.dual_coef_.size)
        return np.asarray(UNIT_ROUNDOFF * (FEW * rho + kernels * (in_sum + FEW + in_exponents)), dtype=np.float64)

    def network(self) -> torch.nn.Module:
        """Return the decision function as a torch module of distances, exponentials and a sum."""
        return KernelNetwork(self.scaler, self.machine, self.gamma)

    def contributions(self) -> torch.nn.Module:
        """Return the distance from the nearby support vectors along each feature, as a torch module.

        A contribution is sum_i w_i (z_j - s_ij)^2, with w_i the share of a support vector in the kernel sum. It is how
        fast the logarithm of that sum falls with a gamma of that feature alone. The gradient of the score itself
        vanishes far from all support vectors, where there is most to explain; this does not. An event that is a
        support vector, as unusual ones of the training are, is compared with the others.
        """
        return KernelDistances(self.scaler, self.machine, self.gamma)


class KernelNetwork(torch.nn.Module):
    """A one-class support vector machine's score as tensor operations."""

    vectors: torch.Tensor
    alpha: torch.Tensor
    rho: torch.Tensor

    def __init__(self, scaler: StandardScaler, machine: SklearnOneClassSVM, gamma: float) -> None:
        super().__init__()
        self.standardise = Standardise(scaler)
        self.gamma = gamma
        # Feature by feature, so that neighbours in memory are those of neighbouring support vectors.
        self.register_buffer("vectors", torch.tensor(machine.support_vectors_.T[np.newaxis], dtype=torch.float32))
        self.register_buffer("alpha", torch.tensor(machine.dual_coef_.T, dtype=torch.float32))
        self.register_buffer("rho", torch.tensor(-machine.intercept_[np.newaxis], dtype=torch.float32))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map raw features, shape (events, features), to scores, shape (events, 1)."""
        # The differences themselves: |z|^2 - 2 z.s + |s|^2, as one product of matrices, would lose small distances to
        # rounding, and round all kernels of an event to the same side.
        difference = self.standardise(features)[:, :, None] - self.vectors
        kernel = torch.exp((difference * difference).sum(dim=1) * -self.gamma)
        score: torch.Tensor = self.rho - kernel @ self.alpha
        return score


class KernelDistances(torch.nn.Module):
    """Squared distances from the support vectors, each weighted by its share in the kernel sum."""

    vectors: torch.Tensor
    log_alpha: torch.Tensor

    def __init__(self, scaler: StandardScaler, machine: SklearnOneClassSVM, gamma: float) -> None:
        super().__init__()
        self.standardise = Standardise(scaler)
        self.gamma = gamma
        self.register_buffer("vectors", torch.tensor(machine.support_vectors_[np.newaxis], dtype=torch.float32))
        self.register_buffer("log_alpha", torch.tensor(np.log(machine.dual_coef_), dtype=torch.float32))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map raw features to their weighted squared distances, both of shape (events, features)."""
        scaled: torch.Tensor = self.standardise(features).clamp(-FARTHEST, FARTHEST)
        squared = (scaled[:, None, :] - self.vectors) ** 2
        distance = squared.sum(dim=2)
        # Finite, so that a support vector that has no others is left with the whole share.
        exponent = torch.where(distance < SAME, -(FARTHEST**2), self.log_alpha - distance * self.gamma)
        share = torch.softmax(exponent, dim=1)
        return (squared * share[:, :, None]).sum(dim=1)


def _beside(fit: Callable[[], SklearnOneClassSVM]) -> SklearnOneClassSVM:
    """Return what a fit returns; a Ctrl-C ends the wait for it, where it would only be heard after the fit.

    libsvm does not come back to Python until it is done, which takes it up to a minute; it is left alone then.
    """
    ended: Future[SklearnOneClassSVM] = Future()

    def run() -> None:
        try:
            ended.set_result(fit())
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised where the result is asked for
            ended.set_exception(error)

    Thread(target=run, name="libsvm", daemon=True).start()
    return ended.result()
