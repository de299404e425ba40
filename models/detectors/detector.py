"""The base class of all detectors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch

from models.errors import TrainingError
from models.rounding import FEW, UNIT_ROUNDOFF
from models.thresholds import Rounding, ThresholdRule

Features = npt.NDArray[np.float32]
Scores = npt.NDArray[np.float32]
Labels = npt.NDArray[np.integer]
Progress = Callable[[int, int], None]
"""Called with the steps done and the steps in all, where a training has steps."""


def _tell_nobody(done: int, total: int) -> None:
    """Take note of progress that nobody wants to see."""


class Detector(ABC):
    """Learns what events usually look like and says how unusual an event is; or, from labels, how like the signal.

    Attributes:
        name: of the detector, as in the columns `score_<name>`, `rank_<name>` and `flag_<name>`.
        supervised: whether it learns from labels.
        default_rule: for the threshold.
        threshold: events with a higher score are flagged; set by `fit` and `calibrate`.
        scores: of the events that the threshold and ranks refer to, shape (events,); set by `fit` and `calibrate`.
        scores_rounding: what rounding in the event loop can change of them, likewise.
        notes: what the user should know of the training, a sentence each; set by `fit`.
        ties: what the user should know of events that score alike, or None; set by `fit` and `calibrate`.
    """

    name: ClassVar[str]
    supervised: ClassVar[bool] = False
    default_rule: ClassVar[ThresholdRule] = ThresholdRule(contamination=0.05)
    threshold: float
    scores: Scores
    scores_rounding: Rounding
    notes: list[str]
    ties: str | None

    def __init__(self, features: Sequence[str], *, rule: ThresholdRule | None = None, seed: int = 42) -> None:
        """Prepare a detector.

        Args:
            features: their names, in the order of the columns of X.
            rule: for the threshold, in place of the detector's default.
            seed: of whatever is random in the training.
        """
        self.features = tuple(features)
        self.rule = rule or self.default_rule
        self.seed = seed

    def fit(self, X: Features, labels: Labels | None = None, progress: Progress | None = None) -> Self:
        """Train, and set the threshold.

        Args:
            X: features, shape (events, features), all finite.
            labels: 1 for signal and 0 for background, shape (events,); detectors that are not supervised ignore them.
            progress: called during a training that has steps.

        Raises:
            TrainingError: there are too few events, a feature is constant or not finite, labels are missing, or what
                is made of the features is beyond what numbers can hold.
        """
        X = np.asarray(X, dtype=np.float32)
        self.notes = []
        self._check_events(X, labels)
        try:
            self._fit(X, labels, progress or _tell_nobody)
        except (ValueError, ArithmeticError) as error:  # as scikit-learn and numpy say what they cannot compute
            reason = " ".join(str(error).split())
            raise TrainingError(f"{self.name}: {reason}; take other features or events, or another detector") from error
        return self.calibrate(X)

    def calibrate(self, X: Features) -> Self:
        """Let the threshold and ranks refer to these events, in place of those that it was trained on.

        Args:
            X: features, shape (events, features), at least one event.

        Raises:
            TrainingError: some of these events have no finite score.
        """
        self.scores = self.score(X)
        if wrong := int(np.count_nonzero(~np.isfinite(self.scores))):
            raise TrainingError(
                f"{self.name}: the scores of {wrong} of {len(X)} training events are beyond the range of float32, as "
                "these are too far from the others; leave such events out, or take other features"
            )
        self.scores_rounding = self.rounding(X, self.scores)
        self.threshold = self.rule.threshold(self.scores, self.scores_rounding)
        self.ties = self.rule.ties(self.scores, self.scores_rounding)
        return self

    def _check_events(self, X: Features, labels: Labels | None) -> None:
        """Refuse what no detector can learn from."""
        if not np.isfinite(X).all():
            feature = self.features[int(np.argmin(np.isfinite(X).all(axis=0)))]
            raise TrainingError(f"{self.name}: the training feature {feature} is not finite; drop such events first")
        if len(X) < (minimum := self.minimum_events):
            raise TrainingError(
                f"{self.name}: {len(X)} training events, at least {minimum} are needed; read more of the sample"
            )
        for feature, values in zip(self.features, X.T, strict=True):
            if (values == values[0]).all():
                raise TrainingError(
                    f"{self.name}: the feature {feature} is {values[0]:g} in all {len(X)} training events; leave it "
                    "out of --features, or take other events"
                )
        if self.supervised:
            kinds = set() if labels is None else set(np.unique(labels).tolist())
            if kinds != {0, 1}:
                found = "no labels" if labels is None else f"labels {', '.join(map(str, sorted(kinds)))} only"
                raise TrainingError(
                    f"{self.name} learns signal from background, and the {len(X)} training events have {found}; "
                    "take a sample with labels 0 and 1, or leave it out of --detectors"
                )

    @property
    def minimum_events(self) -> int:
        """Fewest events that can be learned from."""
        return 2

    @abstractmethod
    def _fit(self, X: Features, labels: Labels | None, progress: Progress) -> None:
        """Train on checked float32 features of shape (events, features)."""

    @abstractmethod
    def score(self, X: Features) -> Scores:
        """Return the score of each event, shape (events,); higher is more anomalous, or more like the signal."""

    def rounding(self, X: Features, scores: Scores) -> Rounding:
        """Return how much the rounding of float32 in the event loop can change the scores of these events.

        It goes by what is added up to a score. A detector whose terms cancel, so that they are larger than the score,
        says it otherwise than here.

        Args:
            X: features, shape (events, features).
            scores: of these events, shape (events,).
        """
        return FEW * UNIT_ROUNDOFF * np.abs(scores.astype(np.float64))

    @abstractmethod
    def network(self) -> torch.nn.Module:
        """Return the trained detector as a torch module.

        It maps raw features, shape (events, features), to scores, shape (events, 1), with scaling inside, and consists
        of tensor operations that SOFIE has.
        """

    @abstractmethod
    def contributions(self) -> torch.nn.Module:
        """Return a torch module that maps raw features to what each of them contributes to the score.

        Input and output have the shape (events, features). What the contributions mean, and what they add up to, the
        detector says; a greater one made the event more anomalous.
        """
