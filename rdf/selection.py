"""Selections: each cut has a name and its place in the cutflow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rdf import RNode
from rdf.columns import VECTOR, define
from rdf.interpreter import include_kernels

ALL, FINITE = "all", "finite"
"""First and last cut: every event read, and every event whose features are all finite."""


@dataclass(frozen=True)
class Cut:
    """A step of the cutflow: the name of the cut and the events that passed it."""

    name: str
    events: int


def define_non_finite(events: RNode) -> RNode:
    """Define `non_finite`, the indices of an event's features that are NaN or infinite."""
    include_kernels("selection")
    return define(events, "non_finite", f"selection::non_finite({VECTOR})")


def select_finite(events: RNode) -> RNode:
    """Keep events whose features are all finite: the same cut for training and for scoring."""
    return events.Filter("non_finite.empty()", FINITE)


def cutflow(report: Any) -> list[Cut]:
    """Return the cutflow of a graph after its loop.

    Args:
        report: result of `Report()` of a node below the last cut.
    """
    return [Cut(str(cut.GetName()), int(cut.GetPass())) for cut in report.GetValue()]


def non_finite_counts(histogram: Any, features: Sequence[str]) -> dict[str, int]:
    """Return how many events each feature was not finite in; an event can count for several."""
    return {name: int(histogram.GetBinContent(i + 1)) for i, name in enumerate(features)}
