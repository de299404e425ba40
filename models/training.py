"""Training: from a snapshot to a model folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from models.detector import Detector, Features, Scores
from models.folder import Axis, Columns, DetectorEntry, ModelFolder, RankPoints, Reference, TrainingSample, file_sha256
from models.onnx_export import export_onnx
from models.registry import detector_class
from models.thresholds import rank_table

BINS = 100
REFERENCE_EVENTS = 64


def train(
    X: Features,
    detectors: Sequence[str],
    *,
    seed: int,
    progress: Callable[[str], None],
) -> list[Detector]:
    """Train detectors on events without labels.

    Args:
        X: features, shape (events, features), float32.
        detectors: names out of `models.registry.DETECTORS`.
        seed: of whatever is random.
        progress: called with a detector's name before its training.

    Raises:
        TrainingError: the sample does not allow to train a detector.
    """
    trained = []
    for name in detectors:
        progress(name)
        trained.append(detector_class(name)(seed=seed).fit(X))
    return trained


def write_model_folder(
    folder: Path,
    detectors: Sequence[Detector],
    X: Features,
    observables: Features,
    columns: Columns,
    *,
    training: TrainingSample,
    versions: Mapping[str, str],
) -> ModelFolder:
    """Export trained detectors and describe them.

    Args:
        folder: made if need be.
        detectors: trained on X.
        X: the training events, shape (events, features).
        observables: further columns that are drawn, shape (events, observables).
        columns: names of all these, and how they were computed.
        training: what X was taken from.
        versions: of the libraries.
    """
    folder.mkdir(parents=True, exist_ok=True)
    scores = {detector.name: detector.score(X) for detector in detectors}
    entries = {}
    for detector in detectors:
        path = folder / f"{detector.name}.onnx"
        export_onnx(detector.network(), columns.features, path)
        entries[detector.name] = DetectorEntry(
            file=path.name,
            sha256=file_sha256(path),
            threshold=detector.threshold,
            score_axis=_axis(scores[detector.name]),
            rank_table=RankPoints(**asdict(rank_table(scores[detector.name]))),
        )
    drawn = dict(zip((*columns.features, *columns.observables), (*X.T, *observables.T), strict=True))
    models = ModelFolder(
        **columns.model_dump(by_alias=True),
        feature_axes={name: _axis(values) for name, values in drawn.items()},
        training=training,
        contamination=detectors[0].contamination,
        seed=detectors[0].seed,
        min_votes=(len(detectors) + 1) // 2,
        detectors=entries,
        reference=_reference(X, scores),
        versions=dict(versions),
    )
    models.write(folder)
    return models


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


def _rounded(edge: float) -> float:
    return float(f"{edge:.12g}")


def _reference(X: Features, scores: Mapping[str, Scores]) -> Reference:
    """Pick events from the least to the most anomalous, in equal steps of rank."""
    order = np.argsort(next(iter(scores.values())), kind="stable")
    picked = order[np.linspace(0, len(order) - 1, min(len(order), REFERENCE_EVENTS)).round().astype(int)]
    return Reference(
        features=X[picked].astype(float).tolist(),
        scores={name: values[picked].astype(float).tolist() for name, values in scores.items()},
    )
