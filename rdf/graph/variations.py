"""The scales of systematic variations in the graph: nominal, and varied up and down."""

from __future__ import annotations

from collections.abc import Mapping

from rdf import RNode
from rdf.code.interpreter import ROOT
from rdf.code.library import graph_library
from rdf.schema.variations import VARIATIONS

DIRECTIONS = ("up", "down")


def vary_scales(events: RNode, sizes: Mapping[str, float]) -> RNode:
    """Define the columns of the scales, 1 and varied up and down by their relative sizes.

    Whatever is computed from them downstream follows, scores and flags included. To be called before these are defined.
    """
    for name, size in sizes.items():
        column = VARIATIONS[name].column
        graph_library("columns").load()
        events = ROOT.graph.vary_scale(events, column, 1 + size, 1 - size, list(DIRECTIONS), name)
    return events
