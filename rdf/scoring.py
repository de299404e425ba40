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
    """Return the columns of `events.root`, in order."""
    of_detectors = [f"{kind}_{name}" for kind in ("score", "rank", "flag") for name in detectors]
    return [*ID_QUANTITIES, *features, *observables, *of_detectors, "votes", ENSEMBLE, "flag_ensemble"]


@dataclass(frozen=True)
class TopEvents:
    """Booked columns of the most anomalous events."""

    columns: dict[str, Any]
    key: tuple[str, ...]
    size: int
    running_top: Any
    """The C++ object that the graph refers to; it has to live as long as the loop runs."""

    def results(self) -> list[Any]:
        """Return what the event loop has to run."""
        return list(self.columns.values())

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the columns of the `size` most anomalous events, most anomalous first."""
        columns = {name: np.asarray(result.GetValue()) for name, result in self.columns.items()}
        # lexsort sorts by its last key first; the numbers of the event decide between equals.
        ids = [columns[name] for name in reversed(ID_QUANTITIES)]
        order = np.lexsort([*ids, *(-columns[name] for name in reversed(self.key))])[: self.size]
        return {name: values[order] for name, values in columns.items()}


def book_top_events(
    events: RNode, columns: Sequence[str], detectors: Sequence[str], size: int, slots: int
) -> TopEvents:
    """Book the most anomalous events: by score_ensemble, and by the scores where that is equal.

    Args:
        events: node with scores.
        columns: what to keep of them.
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
    taken = {name: candidates.Take[str(events.GetColumnType(name))](name) for name in columns}
    return TopEvents(taken, key, size, running_top)
