"""Scoring: detectors as columns of the graph."""

from __future__ import annotations

from collections.abc import Sequence

from rdf import RNode
from rdf.columns import VECTOR, define
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
