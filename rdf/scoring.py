"""Scoring: detectors as columns of the graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rdf import RNode
from rdf.columns import VECTOR, define
from rdf.interpreter import ROOT
from rdf.schema import ID_QUANTITIES
from rdf.snapshot import Snapshot, book_snapshot
from rdf.sofie import CompiledDetector

ENSEMBLE = "score_ensemble"


def define_scores(events: RNode, detectors: Sequence[CompiledDetector], min_votes: int) -> RNode:
    """Define what each detector, and all of them together, say of an event.

    Adds, for each detector D, score_D (higher is more anomalous), rank_D (fraction of the training events that are less
    anomalous) and flag_D; then votes (number of flags), score_ensemble (mean rank) and flag_ensemble.

    Args:
        events: node with the feature vector.
        detectors: in the order in which their columns are written.
        min_votes: flags that make flag_ensemble.
    """
    for detector in detectors:
        score = f"score_{detector.name}"
        events = define(events, score, f"{detector.variable}.score(rdfslot_, {VECTOR}.data())")
        events = define(events, f"rank_{detector.name}", f"{detector.variable}.rank({score})")
        events = define(events, f"flag_{detector.name}", f"{detector.variable}.flag({score})")
    votes = " + ".join(f"static_cast<int>(flag_{detector.name})" for detector in detectors)
    ranks = " + ".join(f"rank_{detector.name}" for detector in detectors)
    events = define(events, "votes", votes)
    events = define(events, ENSEMBLE, f"({ranks}) / {len(detectors)}.f")
    return define(events, "flag_ensemble", f"votes >= {min_votes}")


def event_columns(features: Sequence[str], observables: Sequence[str], detectors: Sequence[str]) -> list[str]:
    """Return the columns of `events.root`, in order, after those that name the event."""
    of_detectors = [f"{kind}_{name}" for kind in ("score", "rank", "flag") for name in detectors]
    return [*features, *observables, *of_detectors, "votes", ENSEMBLE, "flag_ensemble"]


@dataclass(frozen=True)
class TopEvents:
    """The booked most anomalous events.

    Attributes:
        snapshot: candidates, among them the most anomalous events.
        key: columns by which the most anomalous events are told, most significant first.
        size: number of events wanted.
        running_top: C++ object that the graph refers to; it has to live as long as the loop runs.
    """

    snapshot: Snapshot
    key: tuple[str, ...]
    size: int
    running_top: Any

    def results(self) -> list[Any]:
        """Return what the event loop has to run."""
        return self.snapshot.results()

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the columns of the `size` most anomalous events, most anomalous first."""
        ids = self.snapshot.id_arrays()
        columns = dict(zip(self.snapshot.names, self.snapshot.matrix().T, strict=True))
        # lexsort sorts by its last key first; the numbers of the event decide between equals.
        keys = [*reversed(ids.values()), *(-columns[name] for name in reversed(self.key))]
        order = np.lexsort(keys)[: self.size]
        return {name: values[order] for name, values in {**ids, **columns}.items()}


def book_top_events(events: RNode, columns: Sequence[str], detectors: Sequence[str], size: int, slots: int) -> TopEvents:
    """Book the most anomalous events: by score_ensemble, and by the scores where that is equal.

    Args:
        events: node with scores.
        columns: what to keep of them, beside run, luminosityBlock and event.
        detectors: names, in order of precedence.
        size: number of events.
        slots: of the event loop.
    """
    key = (ENSEMBLE, *(f"score_{name}" for name in detectors))
    running_top = ROOT.scoring.RunningTop[len(key)](size, slots)
    kind = f"scoring::RunningTop<{len(key)}>"
    candidates = events.Filter(
        f"reinterpret_cast<{kind} *>({ROOT.addressof(running_top)}ull)->enters(rdfslot_, {{{', '.join(key)}}})"
    )
    return TopEvents(book_snapshot(candidates, columns, tuple(ID_QUANTITIES)), key, size, running_top)
