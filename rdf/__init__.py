"""Everything that touches RDataFrame: sources, columns, selections, snapshot, scoring, histograms, execution."""

from __future__ import annotations

from typing import Any, TypeAlias

RNode: TypeAlias = Any
"""A node of an RDataFrame graph (`ROOT::RDF::RNode`), which has no Python type of its own."""
