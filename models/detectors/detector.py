"""The base class of all detectors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from models.detectors.settings import NoSettings
from models.errors import TrainingError
from models.rounding import FEW, UNIT_ROUNDOFF
from models.tables import History, Reconstruction
from models.thresholds import RANK_TABLE_POINTS, RankTable, Rounding, ThresholdRule, rank_table

if TYPE_CHECKING:  # a class is checked and registered without it
    import torch

Features = npt.NDArray[np.float32]
Scores = npt.NDArray[np.float32]
Ranks = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.integer]
Progress = Callable[[int, int], None]
"""Called with the steps done and the steps in all, where a training has steps."""


def _tell_nobody(done: int, total: int) -> None:
    """Take note of progress that nobody wants to see."""


@dataclass(frozen=True)
class Diagnostics:
    """How a training went, for models.json and the figures.

    Attributes:
        history: loss after each epoch; None for trainings without epochs.
        reconstruction: how well each feature is reconstructed; None for detectors that reconstruct nothing.
    """

    history: History | None = None
    reconstruction: Reconstruction | None = None


class Detector(ABC):
    """Learns what events usually look like and says how unusual an event is; or, from labels, how like the signal.

    A detector has a `name`, and the methods `learn`, `score` and `network`; all else has a default here. One that is
    written outside of this toolkit is made known by `models.detectors.registry.register_detector`.

    Attributes:
        name: of the detector, as in the columns `score_<name>`, `rank_<name>` and `flag_<name>`.
        supervised: whether it learns from labels.
        default_rule: for the threshold.
        Settings: what can be set of it, each with a default.
        rank_points: points of its rank table.
        settings: what is set, an instance of `Settings`.
        threshold: events with a higher score are flagged; set by `fit` and `calibrate`.
        scores: of the events that the threshold and ranks refer to, shape (events,); set by `fit` and `calibrate`.
        scores_rounding: what rounding in the event loop can change of them, likewise.
        rank_table: of these scores, likewise.
        means: of the training features, shape (features,); set by `fit`.
        notes: what the user should know of the training, a sentence each; set by `fit`.
        abstention: why it has no vote beside other detectors, or None; set by `fit`.
        ties: what the user should know of events that score alike, or None; set by `fit` and `calibrate`.
    """

    name: ClassVar[str]
    supervised: ClassVar[bool] = False
    default_rule: ClassVar[ThresholdRule] = ThresholdRule(contamination=0.05)
    Settings: ClassVar[type[BaseModel]] = NoSettings
    rank_points: ClassVar[int] = RANK_TABLE_POINTS
    threshold: float
    scores: Scores
    scores_rounding: Rounding
    rank_table: RankTable
    means: Features
    notes: list[str]
    abstention: str | None
    ties: str | None

    def __init__(
        self,
        features: Sequence[str],
        *,
        settings: BaseModel | None = None,
        rule: ThresholdRule | None = None,
        seed: int = 42,
    ) -> None:
        """Prepare a detector.

        Args:
            features: their names, in the order of the columns of X.
            settings: an instance of `Settings`; the defaults if it is None.
            rule: for the threshold, in place of the detector's default.
            seed: of whatever is random in the training.
        """
        self.features = tuple(features)
        self.settings = self.Settings() if settings is None else settings
        self.rule = (rule or self.default_rule).completed(self.default_rule)
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
        self.notes, self.abstention = [], None
        self._check_events(X, labels)
        self.means = X.mean(axis=0, dtype=np.float64).astype(np.float32)
        try:
            self.learn(X, labels, progress or _tell_nobody)
        except (ValueError, ArithmeticError) as error:  # as scikit-learn and numpy say what they cannot compute
            reason = " ".join(str(error).split())
            raise TrainingError(f"{self.name}: {reason}; take other features or events, or another detector") from error
        return self.calibrate(X)

    def calibrate(self, X: Features, weights: npt.NDArray[np.floating] | None = None) -> Self:
        """Let the threshold and ranks refer to these events, in place of those that it was trained on.

        Args:
            X: features, shape (events, features), at least one event.
            weights: of the events, shape (events,), for a threshold that goes by them; ranks count events.

        Raises:
            TrainingError: some of these events have no finite score.
        """
        self.scores = self.score(X)
        if self.scores.shape != (len(X),):
            raise TrainingError(
                f"{self.name}: the scores of {len(X)} events have the shape {self.scores.shape}, where ({len(X)},) is "
                "expected; mend the method `score` of the detector"
            )
        if wrong := int(np.count_nonzero(~np.isfinite(self.scores))):
            raise TrainingError(
                f"{self.name}: the scores of {wrong} of {len(X)} training events are beyond the range of float32, as "
                "these are too far from the others; leave such events out, or take other features"
            )
        self.scores_rounding = self.rounding(X, self.scores)
        self.threshold = self.rule.threshold(self.scores, self.scores_rounding, weights)
        self.rank_table = rank_table(self.scores, self.scores_rounding, self.rank_points)
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
    def learn(self, X: Features, labels: Labels | None, progress: Progress) -> None:
        """Train; `fit` calls it with checked events.

        Args:
            X: features, shape (events, features), all finite, none constant.
            labels: 0 and 1, shape (events,), for detectors that are supervised; others ignore them.
            progress: to be called during a training that has steps.
        """

    @abstractmethod
    def score(self, X: Features) -> Scores:
        """Return the score of each event, shape (events,); higher is more anomalous, or more like the signal."""

    def predict(self, X: Features) -> Flags:
        """Return whether the score of each event is above the threshold, shape (events,)."""
        flags: Flags = self.score(X) > np.float32(self.threshold)
        return flags

    def rank(self, X: Features) -> Ranks:
        """Return the fraction of training events that are less anomalous than each event, shape (events,)."""
        return self.rank_table.rank(self.score(X)).astype(np.float32)

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

    def contributions(self) -> torch.nn.Module:
        """Return a torch module that maps raw features to what each of them contributes to the score.

        Input and output have the shape (events, features). What the contributions mean, and what they add up to, the
        detector says; a greater one made the event more anomalous. A detector that does not say it has those of every
        network: by how much the score falls when the feature is put to its training mean, and the others are kept.
        """
        from models.detectors.occlusion import NetworkOcclusion

        return NetworkOcclusion(self.network(), self.means)

    def describe_training(self, X: Features) -> Diagnostics:
        """Return how the training went, as far as the detector can say it; by default nothing.

        Args:
            X: the events that the threshold was set with, shape (events, features).
        """
        return Diagnostics()

    def encode(self, X: Features) -> npt.NDArray[np.float64] | None:
        """Return the coordinates of events in a latent space, shape (events, latent); None for detectors without one.

        Args:
            X: features, shape (events, features).
        """
        return None
