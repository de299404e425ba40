"""The files of an evaluation, read once and checked before anything is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from plotting.results.caption import Caption
from plotting.results.checksums import check_results
from plotting.results.histograms import Spectrum
from plotting.results.metrics import METRICS_JSON, Confusion, DetectorMetrics, Metric, read_metrics
from plotting.results.moments import FloatArray
from plotting.results.record_tables import History, Reconstruction
from plotting.results.records import check_files
from plotting.results.root_file import CURVES_ROOT, Reader, read_root
from plotting.results.run_record import RUN_JSON, read_evaluation_record
from plotting.results.tables import LATENT_CSV, LatentSpace, read_latent
from rdf.graph.histogram_keys import CurveKey, CurveKind

_REMEDY = "repeat the evaluation that wrote it (python -m analysis.evaluate)"


@dataclass(frozen=True)
class Curve:
    """Points of a curve, both of shape (n,)."""

    x: FloatArray
    y: FloatArray


@dataclass(frozen=True)
class Evaluated:
    """How well one detector, or the "ensemble", tells signal from background.

    Attributes:
        numbers: what metrics.json says of it.
        roc: signal efficiency (y) against background efficiency (x).
        significance: significance improvement (y) against signal efficiency (x); no points where it is not defined.
        background: scores of the background events.
        signal: scores of the signal events, with the same edges.
    """

    numbers: DetectorMetrics
    roc: Curve
    significance: Curve
    background: Spectrum
    signal: Spectrum

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """Figures of merit by name: auc, max_sic, accuracy, precision, recall, f1, tpr and tnr."""
        numbers = self.numbers
        return {
            "auc": numbers.auc,
            "max_sic": numbers.max_sic,
            "accuracy": numbers.accuracy,
            "precision": numbers.precision,
            "recall": numbers.recall,
            "f1": numbers.f1,
            "tpr": numbers.tpr,
            "tnr": numbers.tnr,
        }

    @property
    def min_background(self) -> int:
        """Background events that a significance improvement is computed with, at least."""
        return self.numbers.max_sic.min_background

    @property
    def threshold(self) -> float | None:
        """Events with a higher score are flagged; None where that is decided by votes, or differs by fold."""
        return self.numbers.threshold

    @property
    def confusion(self) -> Confusion:
        """Confusion matrix of the events that it flags."""
        return self.numbers.confusion

    @property
    def importance(self) -> Mapping[str, Metric]:
        """Importance of each feature by name, for a supervised detector; otherwise empty."""
        return self.numbers.importance or {}


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
    return (folder / METRICS_JSON).exists()


def read_evaluation(folder: Path) -> Evaluation:
    """Read `metrics.json`, `curves.root`, `run.json` and, where it is there, `latent.csv`.

    Raises:
        MissingResult: the folder, a file, or something in a file is not there.
        UnreadableResult: a file is truncated or not what its name says.
    """
    check_files(folder, (METRICS_JSON, CURVES_ROOT, RUN_JSON), _REMEDY)
    check_results(folder, (METRICS_JSON, CURVES_ROOT, RUN_JSON, LATENT_CSV), _REMEDY)
    metrics = read_metrics(folder / METRICS_JSON, _REMEDY)
    record = read_evaluation_record(folder / RUN_JSON, _REMEDY)
    with read_root(folder / CURVES_ROOT, _REMEDY) as reader:
        detectors = {name: _evaluated(name, numbers, reader) for name, numbers in metrics.items()}
    return Evaluation(
        Caption.of(record.sample),
        {feature.name: feature.title for feature in record.features},
        detectors,
        record.history,
        record.reconstruction,
        read_latent(folder / LATENT_CSV, record.latent, _REMEDY),
    )


def _evaluated(name: str, numbers: DetectorMetrics, reader: Reader) -> Evaluated:
    return Evaluated(
        numbers=numbers,
        roc=Curve(*reader.graph(CurveKey(CurveKind.ROC, name).path)),
        significance=Curve(*reader.graph(CurveKey(CurveKind.SIGNIFICANCE, name).path)),
        background=reader.spectrum(CurveKey(CurveKind.BACKGROUND_SCORES, name).path),
        signal=reader.spectrum(CurveKey(CurveKind.SIGNAL_SCORES, name).path),
    )
