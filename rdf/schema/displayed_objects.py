"""Which objects of an event a display shows, and the expression of the column that has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rdf.schema.names import names_in

OBJECTS = "recorded_objects"
"""Column with the objects of an event, for a display of it."""

_OBJECTS: Mapping[str, Mapping[str, str]] = {
    "jets": {part: f"jet_{part}" for part in ("pt", "eta", "phi")},
    "leptons": {part: f"lepton_{part}" for part in ("pt", "eta", "phi", "charge", "flavour")},
    "megajets": {
        part: f"ROOT::RVec<double>{{megajets.first.{get}(), megajets.second.{get}()}}"
        for part, get in (("px", "Px"), ("py", "Py"), ("pz", "Pz"), ("energy", "E"))
    },
    "met": {"pt": "met_pt", "phi": "met_phi"},
}
"""Kind of object -> what there is of each, with the expression that has it for all of an event."""


@dataclass(frozen=True)
class ObjectParts:
    """What a sample has of its events' objects.

    Attributes:
        names: (kind, part) of each.
        expression: of the column `recorded_objects`.
    """

    names: tuple[tuple[str, str], ...]
    expression: str


def object_parts(columns: Mapping[str, str]) -> ObjectParts | None:
    """Return what a sample has of its events' objects; None where it has none that can be drawn.

    Megajets are taken where there are no jets to make them of.

    Args:
        columns: as `rdf.schema.columns.physics_columns` gives them.
    """
    found = {
        (kind, part): expression
        for kind, parts in _OBJECTS.items()
        for part, expression in parts.items()
        if names_in(expression) & {*columns, "megajets", *parts.values()} <= columns.keys()
    }
    kinds = {kind for kind, part in found if part in ("pt", "px")}
    if "jets" in kinds or "leptons" in kinds:
        kinds.discard("megajets")
    if not kinds - {"met"}:
        return None
    found = {(kind, part): expression for (kind, part), expression in found.items() if kind in kinds}
    return ObjectParts(tuple(found), f"recorded::collect_objects({', '.join(found.values())})")
