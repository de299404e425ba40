"""Writing a model folder: the networks of trained detectors, and what scoring needs to know of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from models.axes import axis, quantiles, score_axis
from models.collinearity import collinear
from models.detectors.detector import Detector, Features
from models.folder import Columns, ModelFolder, Reference, Training, file_sha256
from models.onnx_export import export_onnx
from models.tables import DetectorEntry, Network
from models.training import Trained, TrainingEvents, TrainingRecipe, voting_detectors
from models.weak_supervision.window import Window

REFERENCE_EVENTS = 64


def write_model_folder(
    folder: Path,
    trained: Trained,
    events: TrainingEvents,
    observables: Features,
    columns: Columns,
    *,
    training_recipe: TrainingRecipe,
    training: Training,
    versions: Mapping[str, str],
    left_out: Mapping[str, str] | None = None,
    windows: Mapping[str, Window] | None = None,
) -> ModelFolder:
    """Export trained detectors and describe them.

    Args:
        folder: made if need be.
        trained: detectors, for each fold.
        events: the training events.
        observables: further columns that are drawn, shape (events, observables).
        columns: names of all these, and how they were computed.
        training_recipe: by which they were trained.
        training: what the events were taken from.
        versions: of the libraries.
        left_out: detectors that could not be trained, with the reasons.
        windows: of detectors that were trained to tell a region of an observable from what lies beside it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn = dict(zip((*columns.features, *columns.observables), (*events.X.T, *observables.T), strict=True))
    ensemble = voting_detectors(trained)
    models = ModelFolder(
        **columns.model_dump(by_alias=True),
        feature_axes={name: axis(values) for name, values in drawn.items()},
        feature_quantiles={name: quantiles(values) for name, values in zip(events.features, events.X.T, strict=True)},
        training=training,
        seed=training_recipe.seed,
        ensemble=ensemble,
        min_votes=(len(ensemble) + 1) // 2,
        detectors={
            name: _write_detector(folder, name, detectors, events, training_recipe)
            for name, detectors in trained.items()
        },
        left_out=dict(left_out or {}),
        windows=dict(windows or {}),
        collinear=collinear(events.features, events.X),
        reference=_reference(events, trained, training_recipe),
        versions=dict(versions),
    )
    return models.write(folder)


def _write_detector(
    folder: Path,
    name: str,
    detectors: Sequence[Detector],
    events: TrainingEvents,
    training_recipe: TrainingRecipe,
) -> DetectorEntry:
    """Export a detector of a name, trained for each fold, and describe it."""
    first = detectors[0]
    networks = []
    for fold, detector in enumerate(detectors):
        trained_on = int(training_recipe.training_rows(events, fold, name).sum())
        calibrated_on = events.X[training_recipe.calibration_rows(events, fold, name)]
        stem = f"{name}_fold{fold}" if len(detectors) > 1 else name
        networks.append(_write_network(folder, stem, detector, events.features, trained_on, calibrated_on))
    notes = {
        note: None for detector in detectors for note in (*detector.notes, detector.abstention, detector.ties) if note
    }
    return DetectorEntry(
        supervised=first.supervised,
        rule=first.rule,
        settings=first.settings.model_dump(),
        notes=list(notes),
        score_axis=score_axis(detectors),
        networks=networks,
    )


def _write_network(
    folder: Path, stem: str, detector: Detector, features: Sequence[str], trained_on: int, calibrated_on: Features
) -> Network:
    """Export a detector and its contributions to files of this stem, and describe them.

    Args:
        folder: that the files are written to.
        stem: of their names.
        detector: trained.
        features: their names.
        trained_on: number of events.
        calibrated_on: the events that the threshold was set with, shape (events, features).
    """
    score, contributions = folder / f"{stem}.onnx", folder / f"{stem}_contributions.onnx"
    export_onnx(detector.network(), features, score)
    export_onnx(detector.contributions(), features, contributions)
    diagnostics = detector.describe_training(calibrated_on)
    return Network(
        file=score.name,
        sha256=file_sha256(score),
        contributions=contributions.name,
        contributions_sha256=file_sha256(contributions),
        events=trained_on,
        threshold=detector.threshold,
        rank_table=detector.rank_table,
        history=diagnostics.history,
        reconstruction=diagnostics.reconstruction,
    )


def _reference(events: TrainingEvents, trained: Trained, training_recipe: TrainingRecipe) -> Reference:
    """Pick events from the least to the most anomalous by each detector, in equal steps of rank."""
    share, picked = max(REFERENCE_EVENTS // len(trained), 2), set[int]()
    for name, (first, *_) in trained.items():
        order = np.flatnonzero(training_recipe.calibration_rows(events, 0, name))
        order = order[np.argsort(first.scores, kind="stable")]
        picked |= set(order[np.linspace(0, len(order) - 1, min(len(order), share)).round().astype(int)].tolist())
    chosen = events.X[sorted(picked)]
    scores: dict[str, list[list[float]]] = {}
    rounding: dict[str, list[list[float]]] = {}
    for name, detectors in trained.items():
        expected = [detector.score(chosen) for detector in detectors]
        scores[name] = [values.astype(float).tolist() for values in expected]
        rounding[name] = [
            detector.rounding(chosen, values).tolist() for detector, values in zip(detectors, expected, strict=True)
        ]
    return Reference(features=chosen.astype(float).tolist(), scores=scores, rounding=rounding)
