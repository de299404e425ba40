"""The first event loop of a run: the rows that detectors learn from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from analysis.errors import DataError
from analysis.steps.engine import Engine
from analysis.steps.prepared import PreparedSample
from models.folder import TrainingSample
from rdf.code.library import graph_library
from rdf.errors import NoEvents
from rdf.graph.fields import LABEL
from rdf.schema.quantities import ID_QUANTITIES

if TYPE_CHECKING:
    from rdf.graph.selection import Cut


@dataclass(frozen=True)
class TrainingRows:
    """Events that detectors learn from.

    Attributes:
        ids: run, luminosityBlock and event, shape (events, 3), uint64.
        X: features, shape (events, features), float32.
        labels: 1 for signal, 0 for background, -1 for neither, shape (events,); None where there are none.
        observables: shape (events, observables), float32.
        sample: that they were taken from.
        weights: shape (events,), float32; None where each event counts as one.
    """

    ids: npt.NDArray[np.uint64]
    X: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int8] | None
    observables: npt.NDArray[np.float32]
    sample: TrainingSample
    weights: npt.NDArray[np.float32] | None = None


def unknown_labels(labels: npt.NDArray[np.generic]) -> int:
    """Return how many labels are neither 1 for signal nor 0 for background."""
    return int(np.count_nonzero((labels != 0) & (labels != 1)))


def refuse_unknown_labels(labels: npt.NDArray[np.generic], title: str, events: str = "events") -> None:
    """Refuse labels where one is neither 1 for signal nor 0 for background.

    Args:
        labels: of events, shape (events,).
        title: of the sample, for the message.
        events: for the message, which events they are.

    Raises:
        DataError: says how many there are, and how labels are listed in a schema.
    """
    if wrong := unknown_labels(labels):
        raise DataError(
            f"{title}: {wrong} of {len(labels)} {events} have a label that is neither 0 nor 1; mend the labels, or "
            f"list the ids of the background in the schema ({LABEL}: {{expression: ..., background: [...]}})"
        )


def collect_training_rows(sample: PreparedSample, engine: Engine, limit: int | None) -> TrainingRows:
    """Run an event loop that collects the rows that detectors learn from.

    Args:
        sample: that they are taken from.
        engine: runs the event loop.
        limit: events at most, drawn at random; None for all.

    Raises:
        NoEvents: none is left after the cuts.
    """
    graph = sample.graph
    rows = engine.collect(sample, limit)
    graph_library("scores")  # the second event loop's, compiled during the training
    ids, values = rows.arrays()
    if not len(values):
        otherwise = f"no event {graph.conditions} is left to train on"
        why = graph.explain_no_events(_cutflow(sample), otherwise, sample.entries)
        raise NoEvents(f"{sample.data.title}: {why}; check the sample")
    label = int(graph.weighted)
    first, width = label + graph.labelled, len(graph.recipe.features)
    return TrainingRows(
        ids=ids[:, -len(ID_QUANTITIES) :],
        X=values[:, first : first + width],
        labels=values[:, label].astype(np.int8) if graph.labelled else None,
        observables=values[:, first + width :],
        sample=sample.training_sample(rows.seen),
        weights=values[:, 0] if graph.weighted else None,
    )


def _cutflow(sample: PreparedSample) -> list[Cut]:
    """Run an event loop in this process that counts the events after each cut, to tell which cut took the last one."""
    from rdf.execution.event_loop import EventLoop, use_threads

    use_threads(sample.threads)
    loop = EventLoop(sample.source, sample.entries)
    cutflow = sample.graph.book_cutflow(loop)
    loop.run([cutflow.booked])
    return cutflow.cuts()
