"""Training: from events to detectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from models.detectors.detector import Detector, Features, Labels, Ranks
from models.detectors.registry import detector_class, is_supervised
from models.errors import TrainingError
from models.thresholds import ThresholdRule


@dataclass(frozen=True)
class TrainingEvents:
    """What detectors learn from.

    Attributes:
        features: their names.
        X: shape (events, features), float32.
        numbers: event numbers, which say an event's fold, shape (events,).
        labels: 1 for signal and 0 for background, shape (events,); None where there are none.
        weights: shape (events,); None where each event counts as one. Only thresholds that ask for them go by them:
            what detectors learn from are events.
    """

    features: tuple[str, ...]
    X: Features
    numbers: npt.NDArray[np.uint64]
    labels: Labels | None
    weights: npt.NDArray[np.float32] | None = None

    def without(self, constant: Mapping[str, float]) -> TrainingEvents:
        """Return the events without these features."""
        kept = [i for i, name in enumerate(self.features) if name not in constant]
        return replace(self, features=tuple(self.features[i] for i in kept), X=self.X[:, kept])


@dataclass(frozen=True)
class TrainingRecipe:
    """How detectors are trained.

    Attributes:
        rules: for the thresholds, by detector; those not named have their own default.
        settings: of detectors, by name; those not named have their defaults.
        train_on: whether unsupervised detectors see all events, or those with label 0 only.
        folds: with more than one, detectors are trained as often, each time without the events of one fold.
        seed: of whatever is random.
    """

    rules: Mapping[str, ThresholdRule]
    settings: Mapping[str, BaseModel]
    train_on: Literal["all", "background"]
    folds: int
    seed: int

    def training_rows(self, events: TrainingEvents, fold: int, detector: str) -> npt.NDArray[np.bool_]:
        """Say which events the network of a fold of a detector is trained on, shape (events,)."""
        rows = np.ones(len(events.X), dtype=np.bool_)
        if self.folds > 1:
            rows = events.numbers % np.uint64(self.folds) != fold
        return self._learned_from(events, rows, detector)

    def calibration_rows(self, events: TrainingEvents, fold: int, detector: str) -> npt.NDArray[np.bool_]:
        """Say which events the threshold and ranks of a fold of a detector refer to, shape (events,).

        With one fold those that it is trained on; with more, those of the fold, which its network has not seen.
        """
        if self.folds == 1:
            return self.training_rows(events, fold, detector)
        return self._learned_from(events, events.numbers % np.uint64(self.folds) == fold, detector)

    def _learned_from(
        self, events: TrainingEvents, rows: npt.NDArray[np.bool_], detector: str
    ) -> npt.NDArray[np.bool_]:
        if self.train_on == "background" and not is_supervised(detector):
            if events.labels is None:
                raise TrainingError("train_on: background needs labels, which the sample does not have; leave it out")
            rows = rows & (events.labels == 0)
        return rows

    def check_folds(self, events: TrainingEvents) -> None:
        """Refuse folds without events.

        Raises:
            TrainingError: a fold has none.
        """
        for fold in range(self.folds if self.folds > 1 else 0):
            if not (events.numbers % np.uint64(self.folds) == fold).any():
                raise TrainingError(
                    f"none of the {len(events.X)} training events has event % {self.folds} == {fold}, so a fold is "
                    "empty; take another number of folds, or none"
                )


Trained = dict[str, list[Detector]]
"""Name of a detector -> the detector for each fold."""


def constant_features(
    events: TrainingEvents, detectors: Sequence[str], training_recipe: TrainingRecipe
) -> dict[str, float]:
    """Return the features that some network could not learn from, as they are the same in all of its events.

    Args:
        events: the training events.
        detectors: names of those that will.
        training_recipe: how detectors are trained.

    Returns:
        Name of the feature -> its value.

    Raises:
        TrainingError: a feature is the same in all background events, from which some detectors learn, and those with
            labels could tell the signal by it.
    """
    found = {kind: _constant(events, training_recipe, name) for kind, name in _one_of_each_kind(detectors).items()}
    if len(found) == 2 and (only := found[False].keys() - found[True].keys()):
        feature = min(only)
        raise TrainingError(
            f"the feature {feature} is {found[False][feature]:g} in all background events: detectors that learn "
            "from the background alone cannot use it, those with labels can; train them apart (--detectors), or with "
            "--train-on all, or name --features without it"
        )
    return {name: value for constant in found.values() for name, value in constant.items()}


def _one_of_each_kind(detectors: Sequence[str]) -> dict[bool, str]:
    """Return a detector that learns from labels and one that does not, as far as they are among these."""
    return {is_supervised(name): name for name in detectors}


def _constant(events: TrainingEvents, training_recipe: TrainingRecipe, detector: str) -> dict[str, float]:
    constant: dict[str, float] = {}
    for fold in range(training_recipe.folds):
        X = events.X[training_recipe.training_rows(events, fold, detector)]
        constant |= {
            name: float(values[0])
            for name, values in zip(events.features, X.T, strict=True)
            if len(values) and (values == values[0]).all()
        }
    return constant


def train(
    events: TrainingEvents,
    detectors: Sequence[str],
    training_recipe: TrainingRecipe,
    progress: Callable[[str, int, int], None],
) -> tuple[Trained, dict[str, str]]:
    """Train detectors. One that cannot be trained is left out.

    Args:
        events: the training events.
        detectors: names that `models.detectors.registry.known_detectors` returns.
        training_recipe: how detectors are trained.
        progress: called with what is being trained, and with steps done and steps in all where its training has steps.

    Returns:
        The trained detectors, one at least; and for each that is left out the reason.

    Raises:
        TrainingError: the events do not allow to train any of them.
    """
    training_recipe.check_folds(events)
    trained: Trained = {}
    left_out: dict[str, str] = {}
    for name in detectors:
        try:
            trained[name] = [
                _train_fold(events, name, training_recipe, fold, progress) for fold in range(training_recipe.folds)
            ]
        except TrainingError as error:
            left_out[name] = str(error).removeprefix(name).removeprefix(":").strip()
    if not trained:
        names_of: dict[str, list[str]] = {}
        for name, reason in left_out.items():
            names_of.setdefault(reason, []).append(name)
        raise TrainingError("; ".join(f"{', '.join(names)}: {reason}" for reason, names in names_of.items()))
    return trained, left_out


def _train_fold(
    events: TrainingEvents,
    name: str,
    training_recipe: TrainingRecipe,
    fold: int,
    progress: Callable[[str, int, int], None],
) -> Detector:
    """Train the detector that scores the events of a fold."""
    title = f"{name}, fold {fold}" if training_recipe.folds > 1 else name
    progress(title, 0, 0)
    rows = training_recipe.training_rows(events, fold, name)
    labels = None if events.labels is None else events.labels[rows]
    detector = detector_class(name)(
        events.features,
        settings=training_recipe.settings.get(name),
        rule=training_recipe.rules.get(name),
        seed=training_recipe.seed,
    )
    detector.fit(events.X[rows], labels, partial(progress, title))
    if training_recipe.folds > 1 or detector.rule.weighted:  # what it has not seen is what it will score
        referred = training_recipe.calibration_rows(events, fold, name)
        detector.calibrate(events.X[referred], None if events.weights is None else events.weights[referred])
    return detector


def voting_detectors(trained: Trained) -> list[str]:
    """Return which trained detectors vote.

    An unsupervised detector votes unless it abstains in a fold. Where every unsupervised detector abstains, all of them
    vote; where every detector is supervised, all of these vote.
    """
    unsupervised = [name for name in trained if not is_supervised(name)]
    able = [name for name in unsupervised if not any(detector.abstention for detector in trained[name])]
    return able or unsupervised or list(trained)


def mean_ranks(X: Features, numbers: npt.NDArray[np.uint64], trained: Trained) -> Ranks:
    """Return the mean rank of events over the detectors that vote, shape (events,).

    Args:
        X: features, shape (events, features).
        numbers: event numbers, which say the fold whose network ranks an event, shape (events,).
        trained: the detectors, for each fold.
    """
    voting = voting_detectors(trained)
    ranks = np.zeros((len(voting), len(X)), dtype=np.float32)
    for name, row in zip(voting, ranks, strict=True):
        for fold, detector in enumerate(trained[name]):
            rows = numbers % np.uint64(len(trained[name])) == fold
            if rows.any():
                row[rows] = detector.rank(X[rows])
    return np.asarray(ranks.mean(axis=0), dtype=np.float32)
