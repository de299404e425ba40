"""The files of an evaluation, read once and checked before anything is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plotting.results.caption import Caption
from plotting.results.checksums import check_results
from plotting.results.histograms import Spectrum
from plotting.results.moments import FloatArray
from plotting.results.record_tables import History, Reconstruction
from plotting.results.records import check_files, checked_keys, read_json
from plotting.results.root_file import Reader, read_root
from plotting.results.run_record import RUN_JSON, read_evaluation_record
from plotting.results.tables import LatentSpace, read_latent

METRICS = "metrics.json"

_REMEDY = "repeat the evaluation that wrote it (python -m analysis.evaluate)"


@dataclass(frozen=True)
class Metric:
    """A number and its error, one standard deviation; None for what is not known: the error of a few events, say."""

    value: float | None
    error: float | None


@dataclass(frozen=True)
class Confusion:
    """Events by what they are and by what they were taken for."""

    true_positive: int
    false_positive: int
    true_negative: int
    false_negative: int


@dataclass(frozen=True)
class Curve:
    """Points of a curve, both of shape (n,)."""

    x: FloatArray
    y: FloatArray


@dataclass(frozen=True)
class Evaluated:
    """How well one detector, or the "ensemble", tells signal from background.

    Attributes:
        metrics: by name: auc, max_sic, accuracy, precision, recall, f1, tpr and tnr.
        max_sic_tpr: signal efficiency at the maximum significance improvement, or None without one.
        min_background: background events that a significance improvement is computed with, at least.
        threshold: events with a higher score are flagged; None where that is decided by votes, or differs by fold.
        confusion: of the events that it flags.
        roc: signal efficiency (y) against background efficiency (x).
        significance: significance improvement (y) against signal efficiency (x); no points where it is not defined.
        background: scores of the background events.
        signal: scores of the signal events, with the same edges.
        importance: for a supervised detector, of each feature by name; otherwise empty.
    """

    metrics: Mapping[str, Metric]
    max_sic_tpr: float | None
    min_background: int
    threshold: float | None
    confusion: Confusion
    roc: Curve
    significance: Curve
    background: Spectrum
    signal: Spectrum
    importance: Mapping[str, Metric]


@dataclass(frozen=True)
class Evaluation:
    """What the figures of an evaluation are drawn from.

    Attributes:
        caption: the sample, for the header of each figure.
        feature_titles: by the name of the feature, in TLatex, without unit.
        detectors: by name.
        history: of each training in epochs, by detector; one for each fold.
        reconstruction: by detector; one for each fold.
        latent: events in two dimensions, or None if they were not projected.
    """

    caption: Caption
    feature_titles: Mapping[str, str]
    detectors: Mapping[str, Evaluated]
    history: Mapping[str, tuple[History, ...]]
    reconstruction: Mapping[str, tuple[Reconstruction, ...]]
    latent: LatentSpace | None


def is_evaluation(folder: Path) -> bool:
    """Tell whether a folder is what an evaluation left, and not a run."""
    return (folder / METRICS).exists()


def read_evaluation(folder: Path) -> Evaluation:
    """Read `metrics.json`, `curves.root`, `run.json` and, where it is there, `latent.csv`.

    Raises:
        MissingResult: the folder, a file, or something in a file is not there.
        UnreadableResult: a file is truncated or not what its name says.
    """
    check_files(folder, (METRICS, "curves.root", RUN_JSON), _REMEDY)
    check_results(folder, (METRICS, "curves.root", RUN_JSON, "latent.csv"), _REMEDY)
    metrics = read_json(folder / METRICS, _REMEDY)
    record = read_evaluation_record(folder / RUN_JSON, _REMEDY)
    with read_root(folder / "curves.root", _REMEDY) as reader, checked_keys(folder / METRICS, _REMEDY):
        detectors = {name: _evaluated(name, table, reader) for name, table in metrics.items()}
    return Evaluation(
        Caption.of(record.sample),
        {feature.name: feature.title for feature in record.features},
        detectors,
        record.history,
        record.reconstruction,
        read_latent(folder / "latent.csv", record.latent, _REMEDY),
    )


def _evaluated(name: str, table: Mapping[str, Any], reader: Reader) -> Evaluated:
    return Evaluated(
        metrics={
            metric: _metric(table[metric])
            for metric in ("auc", "max_sic", "accuracy", "precision", "recall", "f1", "tpr", "tnr")
        },
        max_sic_tpr=table["max_sic"]["tpr"],
        min_background=table["max_sic"]["min_background"],
        threshold=table.get("threshold"),
        confusion=Confusion(**table["confusion"]),
        roc=Curve(*reader.graph(f"roc/{name}")),
        significance=Curve(*reader.graph(f"significance/{name}")),
        background=reader.spectrum(f"scores/{name}_background"),
        signal=reader.spectrum(f"scores/{name}_signal"),
        importance={feature: _metric(drop) for feature, drop in table.get("importance", {}).items()},
    )


def _metric(table: Mapping[str, float | None]) -> Metric:
    return Metric(table["value"], table["error"])
