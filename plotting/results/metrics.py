"""metrics.json: how well the detectors of an evaluation tell signal from background, as types.

The file is written and read here, and nowhere else. A key whose default is None stands in the file only where it has a
value; all other keys are always there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from plotting.results.record_tables import Table
from plotting.results.records import read_typed
from plotting.results.run_record import as_table

if TYPE_CHECKING:
    from pydantic import TypeAdapter

METRICS_JSON = "metrics.json"


@dataclass(frozen=True, kw_only=True)
class Metric(Table):
    """A number and its error, one standard deviation; None for what is not known: the error of a few events, say."""

    value: float | None
    error: float | None


@dataclass(frozen=True, kw_only=True)
class LargestImprovement(Metric):
    """Maximum of the significance improvement.

    Attributes:
        tpr: signal efficiency at the maximum; None without one.
        fpr: background efficiency there; None without one.
        min_background: background events that a significance improvement is computed with, at least.
    """

    tpr: float | None
    fpr: float | None
    min_background: int


@dataclass(frozen=True, kw_only=True)
class Confusion(Table):
    """Events by what they are and by what they were taken for."""

    true_positive: int
    false_positive: int
    true_negative: int
    false_negative: int

    @property
    def right(self) -> int:
        """Events that were taken for what they are."""
        return self.true_positive + self.true_negative

    @property
    def events(self) -> int:
        """All of them."""
        return self.right + self.false_positive + self.false_negative


@dataclass(frozen=True, kw_only=True)
class DetectorMetrics(Table):
    """Figures of merit of a detector, or of the "ensemble".

    Attributes:
        auc: area under the ROC curve.
        max_sic: maximum of the significance improvement.
        accuracy, precision, recall, f1, tpr, tnr: of the decision whether an event is flagged.
        confusion: of the events that are flagged.
        signal: events.
        background: events.
        threshold: events with a higher score are flagged; None where that is decided by votes, or differs by fold.
        importance: of each feature to a supervised detector, as the AUC lost without it; None if not measured.
    """

    auc: Metric
    max_sic: LargestImprovement
    accuracy: Metric
    precision: Metric
    recall: Metric
    f1: Metric
    tpr: Metric
    tnr: Metric
    confusion: Confusion
    signal: int
    background: int
    threshold: float | None = None
    importance: dict[str, Metric] | None = None


def metrics_text(metrics: Mapping[str, DetectorMetrics]) -> str:
    """Return the text of metrics.json.

    Args:
        metrics: by the name of the detector.
    """
    return json.dumps(as_table(metrics), indent=1, allow_nan=False) + "\n"


def read_metrics(path: Path, remedy: str) -> dict[str, DetectorMetrics]:
    """Read a metrics.json: the figures of merit by the name of the detector.

    Args:
        path: of the file.
        remedy: for the messages of errors.

    Raises:
        UnreadableResult: the file is truncated or not what its name says; names it, and what to do.
    """
    return read_typed(path, _form(), remedy)


@cache
def _form() -> TypeAdapter[dict[str, DetectorMetrics]]:
    from pydantic import TypeAdapter

    return TypeAdapter(dict[str, DetectorMetrics])
