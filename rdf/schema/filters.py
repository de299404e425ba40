"""Noise filters: the cut on events that the filters of a schema, or of a run, stand for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from rdf.errors import SchemaError, near_names

FILTERS = "filters"
"""Name of the cut."""


@dataclass(frozen=True)
class FilterCut:
    """The cut that noise filters stand for.

    Attributes:
        demanded: filters that an event has to pass, all of them; none where the files have none.
        missing: filters that stand for no column of the files.
    """

    demanded: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def expression(self) -> str:
        """True for an event that passes."""
        return " && ".join(self.demanded)


def filter_cut(filters: Sequence[str], columns: Collection[str], asked: bool) -> FilterCut:
    """Return the cut for noise filters.

    Args:
        filters: columns that are true for events to keep.
        columns: names of the files' columns, those among them that not every file has.
        asked: whether somebody has asked for these filters, and not a schema.

    Raises:
        SchemaError: no file has any of the filters that were asked for.
    """
    missing = tuple(name for name in filters if name not in columns)
    if asked and missing and len(missing) == len(filters):
        raise SchemaError(f"filters: the sample has no {', '.join(missing)}; {near_names(missing[0], columns)}")
    return FilterCut(tuple(name for name in filters if name in columns), missing)
