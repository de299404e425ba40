"""Training: from a snapshot to a model folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from models.detectors.autoencoder import Autoencoder
from models.detectors.detector import Detector, Features, Labels, Scores
from models.detectors.registry import SUPERVISED, detector_class
from models.detectors.settings import AutoencoderSettings
from models.errors import TrainingError
from models.folder import (
    Axis,
    Columns,
    DetectorEntry,
    ErrorSummary,
    History,
    ModelFolder,
    Network,
    Quantiles,
    RankPoints,
    Reconstruction,
    Reference,
    Training,
    file_sha256,
)
from models.onnx_export import export_onnx
from models.thresholds import ThresholdRule, rank_table

BINS = 100
REFERENCE_EVENTS = 64
QUANTILES = 257
"""Points of a feature's distribution: a distance between two of them is off by hardly more than 1/256."""
RECONSTRUCTED_EVENTS = 50_000
"""Events whose reconstruction errors are summed up, at most; drawn at random."""


@dataclass(frozen=True)
class TrainingEvents:
    """What detectors learn from.

    Attributes:
        features: their names.
        X: shape (events, features), float32.
        numbers: event numbers, which say an event's fold, shape (events,).
        labels: 1 for signal and 0 for background, shape (events,); None where there are none.
    """

    features: tuple[str, ...]
    X: Features
    numbers: npt.NDArray[np.uint64]
    labels: Labels | None

    def without(self, constant: Mapping[str, float]) -> TrainingEvents:
        """Return the events without these features."""
        kept = [i for i, name in enumerate(self.features) if name not in constant]
        return TrainingEvents(tuple(self.features[i] for i in kept), self.X[:, kept], self.numbers, self.labels)


@dataclass(frozen=True)
class Recipe:
    """How detectors are trained.

    Attributes:
        rules: for the thresholds, by detector; those not named have their own default.
        autoencoder: its settings.
        train_on: whether unsupervised detectors see all events, or those with label 0 only.
        folds: with more than one, detectors are trained as often, each time without the events of one fold.
        seed: of whatever is random.
    """

    rules: Mapping[str, ThresholdRule]
    autoencoder: AutoencoderSettings
    train_on: Literal["all", "background"]
    folds: int
    seed: int

    def training_rows(self, events: TrainingEvents, fold: int, supervised: bool) -> npt.NDArray[np.bool_]:
        """Say which events the network of a fold is trained on, shape (events,)."""
        rows = np.ones(len(events.X), dtype=np.bool_)
        if self.folds > 1:
            rows = events.numbers % np.uint64(self.folds) != fold
        return self._learned_from(events, rows, supervised)

    def calibration_rows(self, events: TrainingEvents, fold: int, supervised: bool) -> npt.NDArray[np.bool_]:
        """Say which events the threshold and ranks of a fold refer to, shape (events,).

        With one fold those that it is trained on; with more, those of the fold, which its network has not seen.
        """
        if self.folds == 1:
            return self.training_rows(events, fold, supervised)
        return self._learned_from(events, events.numbers % np.uint64(self.folds) == fold, supervised)

    def _learned_from(
        self, events: TrainingEvents, rows: npt.NDArray[np.bool_], supervised: bool
    ) -> npt.NDArray[np.bool_]:
        if self.train_on == "background" and not supervised:
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


def constant_features(events: TrainingEvents, detectors: Sequence[str], recipe: Recipe) -> dict[str, float]:
    """Return the features that some network could not learn from, as they are the same in all of its events.

    Args:
        events: to learn from.
        detectors: names of those that will.
        recipe: how.

    Returns:
        Name of the feature -> its value.

    Raises:
        TrainingError: a feature is the same in all background events, from which some detectors learn, and those with
            labels could tell the signal by it.
    """
    of_kinds = {kind: _constant(events, recipe, kind) for kind in {name in SUPERVISED for name in detectors}}
    if len(of_kinds) == 2 and (only := of_kinds[False].keys() - of_kinds[True].keys()):
        feature = min(only)
        raise TrainingError(
            f"the feature {feature} is {of_kinds[False][feature]:g} in all background events: detectors that learn "
            "from the background alone cannot use it, those with labels can; train them apart (--detectors), or with "
            "--train-on all, or name --features without it"
        )
    return {name: value for constant in of_kinds.values() for name, value in constant.items()}


def _constant(events: TrainingEvents, recipe: Recipe, supervised: bool) -> dict[str, float]:
    constant: dict[str, float] = {}
    for fold in range(recipe.folds):
        X = events.X[recipe.training_rows(events, fold, supervised)]
        constant |= {
            name: float(values[0])
            for name, values in zip(events.features, X.T, strict=True)
            if len(values) and (values == values[0]).all()
        }
    return constant


def train(
    events: TrainingEvents,
    detectors: Sequence[str],
    recipe: Recipe,
    progress: Callable[[str, int, int], None],
) -> tuple[Trained, dict[str, str]]:
    """Train detectors. One that cannot be trained is left out.

    Args:
        events: to learn from.
        detectors: names out of `models.detectors.registry.DETECTORS`.
        recipe: how.
        progress: called with what is being trained, and with steps done and steps in all where its training has steps.

    Returns:
        The trained detectors, one at least; and for each that is left out the reason.

    Raises:
        TrainingError: the events do not allow to train any of them.
    """
    recipe.check_folds(events)
    trained: Trained = {}
    left_out: dict[str, str] = {}
    for name in detectors:
        try:
            trained[name] = [_train_fold(events, name, recipe, fold, progress) for fold in range(recipe.folds)]
        except TrainingError as error:
            left_out[name] = str(error).removeprefix(name).removeprefix(":").strip()
    if not trained:
        of_reasons: dict[str, list[str]] = {}
        for name, reason in left_out.items():
            of_reasons.setdefault(reason, []).append(name)
        raise TrainingError("; ".join(f"{', '.join(names)}: {reason}" for reason, names in of_reasons.items()))
    return trained, left_out


def _train_fold(
    events: TrainingEvents, name: str, recipe: Recipe, fold: int, progress: Callable[[str, int, int], None]
) -> Detector:
    """Train the detector that scores the events of a fold."""
    supervised = name in SUPERVISED
    title = f"{name}, fold {fold}" if recipe.folds > 1 else name
    progress(title, 0, 0)
    rows = recipe.training_rows(events, fold, supervised)
    labels = None if events.labels is None else events.labels[rows]
    detector = _new_detector(name, events.features, recipe)
    detector.fit(events.X[rows], labels, partial(progress, title))
    if recipe.folds > 1:  # what it has not seen is what it will score
        detector.calibrate(events.X[recipe.calibration_rows(events, fold, supervised)])
    return detector


def _new_detector(name: str, features: Sequence[str], recipe: Recipe) -> Detector:
    options: dict[str, Any] = {"rule": recipe.rules.get(name), "seed": recipe.seed}
    if name == Autoencoder.name:
        options["settings"] = recipe.autoencoder
    return detector_class(name)(features, **options)


def write_model_folder(
    folder: Path,
    trained: Trained,
    events: TrainingEvents,
    observables: Features,
    columns: Columns,
    *,
    recipe: Recipe,
    training: Training,
    versions: Mapping[str, str],
    left_out: Mapping[str, str] | None = None,
) -> ModelFolder:
    """Export trained detectors and describe them.

    Args:
        folder: made if need be.
        trained: detectors, for each fold.
        events: the training events.
        observables: further columns that are drawn, shape (events, observables).
        columns: names of all these, and how they were computed.
        recipe: by which they were trained.
        training: what the events were taken from.
        versions: of the libraries.
        left_out: detectors that could not be trained, with the reasons.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn = dict(zip((*columns.features, *columns.observables), (*events.X.T, *observables.T), strict=True))
    ensemble = [name for name in trained if name not in SUPERVISED] or list(trained)
    models = ModelFolder(
        **columns.model_dump(by_alias=True),
        feature_axes={name: _axis(values) for name, values in drawn.items()},
        feature_quantiles={name: _quantiles(values) for name, values in zip(events.features, events.X.T, strict=True)},
        training=training,
        seed=recipe.seed,
        ensemble=ensemble,
        min_votes=(len(ensemble) + 1) // 2,
        detectors={
            name: _write_networks(
                folder,
                of_folds,
                columns.features,
                [int(recipe.training_rows(events, k, name in SUPERVISED).sum()) for k in range(recipe.folds)],
                [_reconstruction(detector, events, recipe, fold) for fold, detector in enumerate(of_folds)],
            )
            for name, of_folds in trained.items()
        },
        left_out=dict(left_out or {}),
        reference=_reference(events, trained, recipe),
        versions=dict(versions),
    )
    return models.write(folder)


def _write_networks(
    folder: Path,
    of_folds: Sequence[Detector],
    features: Sequence[str],
    trained_on: Sequence[int],
    reconstructions: Sequence[Reconstruction | None],
) -> DetectorEntry:
    """Export the detectors of all folds, trained on so many events and so good at reconstructing, and describe them."""
    first, networks = of_folds[0], []
    for fold, detector in enumerate(of_folds):
        stem = f"{detector.name}_fold{fold}" if len(of_folds) > 1 else detector.name
        score, contributions = folder / f"{stem}.onnx", folder / f"{stem}_contributions.onnx"
        export_onnx(detector.network(), features, score)
        export_onnx(detector.contributions(), features, contributions)
        networks.append(
            Network(
                file=score.name,
                sha256=file_sha256(score),
                contributions=contributions.name,
                contributions_sha256=file_sha256(contributions),
                events=trained_on[fold],
                threshold=detector.threshold,
                rank_table=RankPoints(**asdict(rank_table(detector.scores, detector.scores_rounding))),
                history=History(**asdict(detector.history)) if isinstance(detector, Autoencoder) else None,
                reconstruction=reconstructions[fold],
            )
        )
    notes = {note: None for detector in of_folds for note in (*detector.notes, detector.ties) if note}
    return DetectorEntry(
        supervised=first.supervised,
        rule=first.rule,
        settings=first.settings.model_dump() if isinstance(first, Autoencoder) else {},
        notes=list(notes),
        score_axis=_score_axis(of_folds),
        networks=networks,
    )


def _reconstruction(detector: Detector, events: TrainingEvents, recipe: Recipe, fold: int) -> Reconstruction | None:
    """Sum up the reconstruction errors of an autoencoder, in the events that its threshold was set with."""
    if not isinstance(detector, Autoencoder):
        return None
    X = events.X[recipe.calibration_rows(events, fold, supervised=False)]
    picked = np.sort(np.random.default_rng(recipe.seed).permutation(len(X))[:RECONSTRUCTED_EVENTS])
    errors = detector.squared_errors(X[picked])
    flagged = errors.mean(axis=1).astype(np.float32) > detector.threshold
    return Reconstruction(normal=_error_summary(errors[~flagged]), flagged=_error_summary(errors[flagged]))


def _error_summary(errors: npt.NDArray[np.float64]) -> ErrorSummary | None:
    if not len(errors):
        return None
    low, median, high = np.percentile(errors, (16, 50, 84), axis=0).tolist()
    return ErrorSummary(events=len(errors), mean=errors.mean(axis=0).tolist(), low=low, median=median, high=high)


def _score_axis(of_folds: Sequence[Detector]) -> Axis:
    """Return a binning of the score in which its threshold can be seen.

    The scores of most detectors have no upper bound, and a few events lie far out: the axis ends where the threshold is
    a third of the way from the median, and holds all scores where they end before that.
    """
    scores = np.concatenate([detector.scores for detector in of_folds])
    median, threshold = float(np.median(scores)), max(detector.threshold for detector in of_folds)
    end = median + 3 * (threshold - median)
    return _axis(scores if of_folds[0].supervised or end <= median else np.minimum(scores, np.float32(end)))


def _axis(values: Features) -> Axis:
    """Return a binning that holds all these values, as far as they are finite.

    Edges are at round numbers; counts have a bin for each, and one to spare on either side.
    """
    finite = values[np.isfinite(values)].astype(float)
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    if len(finite) and high - low < BINS and (finite == np.rint(finite)).all():  # a count: a bin for each number
        return Axis(bins=int(high - low) + 3, low=low - 1.5, high=high + 1.5)
    if 0 <= low < 0.5 * high:
        low = 0.0
    width = (high - low) or abs(high) or 1.0
    # A bin's width is rounded up to two digits: a hundred such bins, the first starting at a multiple, span the range.
    step = width / (BINS - 2)
    digit = 10.0 ** (np.floor(np.log10(step)) - 1)
    step = np.ceil(step / digit) * digit
    first = np.floor(low / step) * step
    return Axis(bins=BINS, low=_rounded(first), high=_rounded(first + BINS * step))


def _quantiles(values: Features) -> Quantiles:
    table = rank_table(values, points=QUANTILES)
    return Quantiles(values=table.scores, ranks=table.ranks)


def _rounded(edge: float) -> float:
    return float(f"{edge:.12g}")


def _reference(events: TrainingEvents, trained: Trained, recipe: Recipe) -> Reference:
    """Pick events from the least to the most anomalous by each detector, in equal steps of rank."""
    share, picked = max(REFERENCE_EVENTS // len(trained), 2), set[int]()
    for name, (first, *_) in trained.items():
        order = np.flatnonzero(recipe.calibration_rows(events, 0, name in SUPERVISED))
        order = order[np.argsort(first.scores, kind="stable")]
        picked |= set(order[np.linspace(0, len(order) - 1, min(len(order), share)).round().astype(int)].tolist())
    chosen = events.X[sorted(picked)]
    scores = {name: [detector.score(chosen) for detector in of_folds] for name, of_folds in trained.items()}
    return Reference(
        features=chosen.astype(float).tolist(),
        scores={name: [of_fold.astype(float).tolist() for of_fold in of] for name, of in scores.items()},
        rounding={
            name: [
                detector.rounding(chosen, of_fold).tolist() for detector, of_fold in zip(trained[name], of, strict=True)
            ]
            for name, of in scores.items()
        },
    )


def mean_ranks(X: Features, numbers: npt.NDArray[np.uint64], trained: Trained) -> Scores:
    """Return the mean rank of events over the detectors that do not learn from labels, or over all; shape (events,).

    Args:
        X: features, shape (events, features).
        numbers: event numbers, which say the fold whose network ranks an event, shape (events,).
        trained: the detectors, for each fold.
    """
    voting = [of_folds for name, of_folds in trained.items() if name not in SUPERVISED] or list(trained.values())
    ranks = np.zeros((len(voting), len(X)), dtype=np.float32)
    for of_folds, of_detector in zip(voting, ranks, strict=True):
        for fold, detector in enumerate(of_folds):
            rows = numbers % np.uint64(len(of_folds)) == fold
            if rows.any():
                table = rank_table(detector.scores, detector.scores_rounding)
                of_detector[rows] = np.interp(detector.score(X[rows]), table.scores, table.ranks, right=1.0)
    return np.asarray(ranks.mean(axis=0), dtype=np.float32)
