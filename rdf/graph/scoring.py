"""Scoring: detectors as columns of the graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rdf import RNode
from rdf.code.interpreter import ROOT
from rdf.code.library import graph_library
from rdf.code.sofie import CompiledDetector
from rdf.graph.fields import FOLD, cpp_fields, score_fields

SCORES = "recorded_scores"
"""Column with all that the detectors say of an event, from which the others are read."""


@dataclass(frozen=True)
class Ensemble:
    """Detectors that vote, and the votes that flag an event."""

    detectors: tuple[str, ...]
    min_votes: int


def make_ensemble(detectors: Mapping[str, Sequence[CompiledDetector]], ensemble: Ensemble, folds: int) -> Any:
    """Return detectors as one C++ object, a `scoring::Ensemble`, whose declarations have to be loaded.

    Args:
        detectors: name -> its network for each fold.
        ensemble: which of them vote.
        folds: number of them.
    """
    together = ROOT.scoring.Ensemble(folds, ensemble.min_votes)
    for name, networks in detectors.items():
        fold_detectors = ROOT.std.vector["scoring::Detector"]()
        for network in networks:
            fold_detectors.push_back(network.instance)
        together.add(fold_detectors, name in ensemble.detectors)
    return together


def define_scores(
    events: RNode,
    detectors: Mapping[str, Sequence[CompiledDetector]],
    ensemble: Ensemble,
    folds: int = 1,
    stopwatch: Any = None,
) -> RNode:
    """Define what each detector, and the ensemble of them, say of an event.

    Adds, for each detector D, score_D (higher is more anomalous), rank_D (fraction of the training events that are less
    anomalous) and flag_D; then votes (number of flags), score_ensemble (mean rank) and flag_ensemble. With more than
    one fold also `fold`, the event number modulo their number: a detector's network of that fold was trained on the
    other folds. All of them are computed at once, in the column `recorded_scores`.

    Args:
        events: node with `recorded_event`.
        detectors: name -> its network for each fold; in the order in which their columns are written.
        ensemble: which of them vote.
        folds: number of them.
        stopwatch: the event loop's stopwatch, or None.
    """
    graph_library("scores").load()
    together = make_ensemble(detectors, ensemble, folds)
    fields = score_fields(tuple(detectors))
    columns = event_columns((), tuple(detectors), folds)
    return ROOT.graph.define_scores(
        events, together, stopwatch or ROOT.nullptr, columns, cpp_fields(fields[name] for name in columns)
    )


def event_columns(recorded: Sequence[str], detectors: Sequence[str], folds: int = 1) -> list[str]:
    """Return the columns of `events.root`, in order, after those that name the event."""
    scored = [name for name in score_fields(detectors) if name != FOLD or folds > 1]
    return [*recorded, *scored]
