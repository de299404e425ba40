"""Scoring: detectors as columns of the graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rdf import RNode
from rdf.columns import VECTOR, define
from rdf.sofie import CompiledDetector

ENSEMBLE = "score_ensemble"
FOLD = "fold"


@dataclass(frozen=True)
class Ensemble:
    """Detectors that vote, and the votes that flag an event."""

    detectors: tuple[str, ...]
    min_votes: int


def define_scores(
    events: RNode, detectors: Mapping[str, Sequence[CompiledDetector]], ensemble: Ensemble, folds: int = 1
) -> RNode:
    """Define what each detector, and the ensemble of them, say of an event.

    Adds, for each detector D, score_D (higher is more anomalous), rank_D (fraction of the training events that are less
    anomalous) and flag_D; then votes (number of flags), score_ensemble (mean rank) and flag_ensemble. With more than
    one fold also `fold`, the event number modulo their number: a detector's network of that fold was trained on the
    other folds.

    Args:
        events: node with the feature vector.
        detectors: name -> its network for each fold; in the order in which their columns are written.
        ensemble: which of them vote.
        folds: number of them.
    """
    if folds > 1:
        events = define(events, FOLD, f"static_cast<int>(event % {folds})")
    for name, networks in detectors.items():
        score = f"score_{name}"
        events = define(events, score, _of_fold(networks, f"score(rdfslot_, {VECTOR}.data())"))
        events = define(events, f"rank_{name}", _of_fold(networks, f"rank({score})"))
        events = define(events, f"flag_{name}", _of_fold(networks, f"flag({score})"))
    votes = " + ".join(f"static_cast<int>(flag_{name})" for name in ensemble.detectors)
    ranks = " + ".join(f"rank_{name}" for name in ensemble.detectors)
    events = define(events, "votes", votes)
    events = define(events, ENSEMBLE, f"({ranks}) / {len(ensemble.detectors)}.f")
    return define(events, "flag_ensemble", f"votes >= {ensemble.min_votes}")


def _of_fold(networks: Sequence[CompiledDetector], call: str) -> str:
    """Return the expression that asks the network of the event's fold."""
    *others, last = networks
    return "".join(f"{FOLD} == {k} ? {n.variable}.{call} : " for k, n in enumerate(others)) + f"{last.variable}.{call}"


def event_columns(recorded: Sequence[str], detectors: Sequence[str], folds: int = 1) -> list[str]:
    """Return the columns of `events.root`, in order, after those that name the event."""
    of_detectors = [f"{kind}_{name}" for kind in ("score", "rank", "flag") for name in detectors]
    return [*recorded, *(FOLD,) * (folds > 1), *of_detectors, "votes", ENSEMBLE, "flag_ensemble"]
