"""Detectors tested on events of known kind: scores with labels, figures of merit, curves."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from analysis.configuration import EvaluationConfiguration
from analysis.console.program import error_console
from analysis.console.progress import progress_bar, spinner
from analysis.errors import DataError
from analysis.output.provenance import git_commit
from analysis.steps.collection import refuse_unknown_labels
from analysis.steps.compilation import Compiled
from analysis.steps.prepared import PreparedSample
from analysis.steps.recording import recorded_weights
from analysis.steps.scoring import ScoredColumns, collect_scores
from models.folder import ModelFolder
from plotting.results.metrics import Confusion, DetectorMetrics, LargestImprovement, Metric
from plotting.results.record_tables import TestedSample
from plotting.results.root_file import CURVES_ROOT, EVENTS_ROOT
from plotting.results.run_record import as_table
from rdf.graph.fields import LABEL, TYPES, WEIGHT, score_fields

if TYPE_CHECKING:
    from models.importance import Drop
    from models.metrics import Estimate, FiguresOfMerit
    from rdf.provenance import Provenance

ENSEMBLE = "ensemble"

Values = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Tested:
    """Scored events of known kind.

    Attributes:
        columns: name -> values, shape (events,).
        labels: 1 for signal and 0 for background, shape (events,).
        ids: run, luminosityBlock and event, shape (events, 3).
        samples: what they were taken from, each with its cutflow.
        weights: of the events, shape (events,); None where each counts as one.
    """

    columns: Mapping[str, Values]
    labels: npt.NDArray[np.int8]
    ids: npt.NDArray[np.uint64]
    samples: tuple[TestedSample, ...]
    weights: npt.NDArray[np.float64] | None


def score_samples(prepared: Sequence[PreparedSample], compiled: Compiled) -> Tested:
    """Score all samples, and put them together with their labels."""
    scored = [collect_scores(sample, compiled) for sample in prepared]
    if len(prepared) == 1:
        labels = scored[0].columns[LABEL]
        refuse_unknown_labels(labels, prepared[0].data.title)
    else:
        labels = np.concatenate(
            [
                labels_of_role(kind, _events(part), part.columns.get(LABEL), sample.data.title)
                for kind, (sample, part) in enumerate(zip(prepared, scored, strict=True))
            ]
        )
    if len(kinds := set(labels.tolist())) < 2:
        kind = "signal" if 1 in kinds else "background"
        raise DataError(
            f"{prepared[0].data.title}: all {len(labels)} events are {kind}; an evaluation needs both kinds"
        )
    names = [name for name in scored[0].columns if name != LABEL]
    return Tested(
        {name: np.concatenate([part.columns[name] for part in scored]) for name in names},
        labels.astype(np.int8),
        np.concatenate([part.ids for part in scored]),
        tuple(
            TestedSample.of(sample.data.describe(), part.cutflow, recorded_weights(sample.graph.weighting))
            for sample, part in zip(prepared, scored, strict=True)
        ),
        _weights(scored, labels),
    )


def _weights(scored: Sequence[ScoredColumns], labels: npt.NDArray[Any]) -> npt.NDArray[np.float64] | None:
    """Return the weights of all events, of which some may have none and count as one; None where all count as one."""
    if all(part.weights is None for part in scored):
        return None
    weights = np.concatenate([np.ones(_events(part)) if part.weights is None else part.weights for part in scored])
    for label, kind in enumerate(("background", "signal")):
        if (total := float(weights[labels == label].sum())) <= 0:
            raise DataError(
                f"the weights of the {kind} events add up to {total:g}, of which no part is an efficiency; evaluate "
                "more of them, or with --weights false"
            )
    return weights


def labels_of_role(kind: int, events: int, labels: npt.NDArray[Any] | None, title: str) -> npt.NDArray[np.int8]:
    """Return the labels of a sample that was named as background (0) or signal (1); its own may not contradict."""
    if labels is not None and (other := int(np.count_nonzero(labels == 1 - kind))):
        named, found = ("background", "signal") if kind == 0 else ("signal", "background")
        raise DataError(
            f"{title}, named as {named}, has {other} events that its labels call {found}; evaluate it alone, with "
            "--sample"
        )
    return np.full(events, kind, dtype=np.int8)


def _events(scored: ScoredColumns) -> int:
    return len(next(iter(scored.columns.values())))


def write_metrics(
    configuration: EvaluationConfiguration, models: ModelFolder, compiled: Compiled, tested: Tested, staging: Path
) -> dict[str, DetectorMetrics]:
    """Return the figures of merit of each detector and of the ensemble, and write the curves."""
    with spinner(error_console(), "starting the evaluation"):
        from models.importance import permutation_importance
        from models.metrics import curves, figures_of_merit
        from rdf.graph.curves import write_curves
        from rdf.provenance import Provenance

    names = (*compiled.detectors, *(ENSEMBLE,) * (len(compiled.ensemble.detectors) > 1))
    scores = {name: tested.columns[f"score_{name}"] for name in names}
    X = np.stack([tested.columns[feature] for feature in models.features], axis=1)
    fold_of = tested.columns["fold"] if compiled.folds > 1 else np.zeros(len(X), dtype=np.float32)
    metrics: dict[str, DetectorMetrics] = {}
    with progress_bar(error_console(), "evaluating", "detectors") as move:
        for done, name in enumerate(names):
            flagged = tested.columns[f"flag_{name}"] > 0
            found = figures_of_merit(
                scores[name], tested.labels, flagged, seed=configuration.seed, weights=tested.weights
            )
            has_one = name in models.detectors and compiled.folds == 1
            threshold = models.detectors[name].networks[0].threshold if has_one else None
            importance = None
            if name in models.detectors and models.detectors[name].supervised:
                fold_importances = [
                    permutation_importance(
                        network.scores,
                        *(X[fold_of == fold], tested.labels[fold_of == fold], models.features),
                        seed=configuration.seed,
                        weights=None if tested.weights is None else tested.weights[fold_of == fold],
                    )
                    for fold, network in enumerate(compiled.detectors[name])  # asked about what it has not seen
                    if len(np.unique(tested.labels[fold_of == fold])) == 2
                ]
                if fold_importances:
                    importance = _average(fold_importances)
            metrics[name] = _recorded(found, threshold, importance)
            move(done + 1, len(names))
    simulated, uncertified = (any(getattr(s, mark) for s in tested.samples) for mark in ("simulated", "uncertified"))
    origin = {"samples": as_table(tested.samples), "commit": as_table(git_commit())}
    provenance = Provenance(json.dumps(origin), simulated, uncertified)
    drawn = {name: curves(values, tested.labels, tested.weights) for name, values in scores.items()}
    write_curves(staging / CURVES_ROOT, drawn, scores, tested.labels, provenance, tested.weights)
    _write_events(staging / EVENTS_ROOT, tested, tuple(compiled.detectors), provenance)
    return metrics


def _write_events(path: Path, tested: Tested, detectors: Sequence[str], provenance: Provenance) -> None:
    """Write what the detectors say of each event, beside its label and features, as a run does."""
    from rdf.graph.events import TABLE, write_columns

    fields = score_fields(detectors)
    kinds = {name: TYPES.get(fields[name].kind, "float32") if name in fields else "float32" for name in tested.columns}
    write_columns(
        path,
        TABLE,
        {
            "run": tested.ids[:, 0].astype(np.uint32),
            "luminosityBlock": tested.ids[:, 1].astype(np.uint32),
            "event": tested.ids[:, 2],
            **({} if tested.weights is None else {WEIGHT: tested.weights}),
            LABEL: tested.labels.astype(np.int32),
            **{name: values.astype(kinds[name]) for name, values in tested.columns.items()},
        },
        provenance,
    )


def _recorded(found: FiguresOfMerit, threshold: float | None, importance: dict[str, Metric] | None) -> DetectorMetrics:
    """Return what metrics.json says of a detector."""
    best, decisions = found.max_sic, found.confusion
    return DetectorMetrics(
        auc=_metric(found.auc),
        max_sic=LargestImprovement(
            value=best.value, error=best.error, tpr=best.tpr, fpr=best.fpr, min_background=best.min_background
        ),
        accuracy=_metric(found.accuracy),
        precision=_metric(found.precision),
        recall=_metric(found.recall),
        f1=_metric(found.f1),
        tpr=_metric(found.tpr),
        tnr=_metric(found.tnr),
        confusion=Confusion(
            true_positive=decisions.true_positive,
            false_positive=decisions.false_positive,
            true_negative=decisions.true_negative,
            false_negative=decisions.false_negative,
        ),
        signal=found.signal,
        background=found.background,
        threshold=threshold,
        importance=importance,
    )


def _metric(estimate: Estimate) -> Metric:
    return Metric(value=estimate.value, error=estimate.error)


def _average(importances: Sequence[Mapping[str, Drop]]) -> dict[str, Metric]:
    """Return the mean importance of each feature over the folds."""
    return {
        feature: Metric(
            value=float(np.mean([fold[feature].value for fold in importances])),
            error=float(np.sqrt(np.sum([fold[feature].error ** 2 for fold in importances]))) / len(importances),
        )
        for feature in importances[0]
    }
