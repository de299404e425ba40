"""What titles and captions of figures are made of: no histograms, but what the records and tables of a run say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from plotting.results.metrics import DetectorMetrics
from plotting.results.objects import EventObjects
from plotting.results.run_record import EvaluationRecord, RunRecord
from plotting.results.tables import Contributions


@dataclass(frozen=True)
class ShownEvent:
    """One of the most anomalous events.

    Attributes:
        rank: the mean rank; None where it is not known.
        objects: jets and the like; None where objects.json does not know the event.
    """

    rank: Markup | None
    objects: EventObjects | None


@dataclass(frozen=True)
class RunFacts:
    """What is said of the figures of a run.

    Attributes:
        record: run.json.
        contributions: of the features to the scores of the most anomalous events, by detector.
        events: the most anomalous ones, by their place.
    """

    record: RunRecord
    contributions: Mapping[str, Contributions]
    events: Mapping[int, ShownEvent]


@dataclass(frozen=True)
class EvaluationFacts:
    """What is said of the figures of an evaluation.

    Attributes:
        record: run.json.
        metrics: metrics.json, by detector.
    """

    record: EvaluationRecord
    metrics: Mapping[str, DetectorMetrics]


AnyFacts = RunFacts | EvaluationFacts
