"""The base class of all detectors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch

from models.errors import TrainingError
from models.thresholds import quantile_threshold

Features = npt.NDArray[np.float32]
Scores = npt.NDArray[np.float32]


class Detector(ABC):
    """Learns what events usually look like and says how unusual an event is.

    Attributes:
        name: of the detector, as in the columns `score_<name>`, `rank_<name>` and `flag_<name>`.
        threshold: events with a higher score are flagged; set by `fit`.
    """

    name: ClassVar[str]
    threshold: float

    def __init__(self, *, contamination: float = 0.05, seed: int = 42) -> None:
        """Prepare a detector.

        Args:
            contamination: fraction of the training events that is to be flagged.
            seed: of whatever is random in the training.
        """
        self.contamination = contamination
        self.seed = seed

    def fit(self, X: Features) -> Self:
        """Train on events without labels and set the threshold.

        Args:
            X: features, shape (events, features), all finite.

        Raises:
            TrainingError: there are too few events, or values that are not finite.
        """
        if not np.isfinite(X).all():
            raise TrainingError(f"{self.name}: a training feature is not finite; drop such events first")
        self._fit(np.asarray(X, dtype=np.float32))
        self.threshold = quantile_threshold(self.score(X), self.contamination)
        return self

    @abstractmethod
    def _fit(self, X: Features) -> None:
        """Train on float32 features of shape (events, features)."""

    @abstractmethod
    def score(self, X: Features) -> Scores:
        """Return the anomaly score of each event, shape (events,); higher is more anomalous."""

    @abstractmethod
    def network(self) -> torch.nn.Module:
        """Return the trained detector as a torch module.

        It maps raw features, shape (events, features), to scores, shape (events, 1), with scaling inside, and consists
        of tensor operations that SOFIE has.
        """
