"""Everything that touches RDataFrame: sources, columns, selections, snapshot, scoring, histograms, execution."""

TYPE_CHECKING = False
if TYPE_CHECKING:  # the module costs a program as much time as all that comes before its first line
    from typing import Any, TypeAlias

    RNode: TypeAlias = Any
else:
    RNode = object
"""A node of an RDataFrame graph (`ROOT::RDF::RNode`), which has no Python type of its own."""
