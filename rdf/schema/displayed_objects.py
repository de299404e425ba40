"""Which objects of an event a display shows, and which direction a map; the expressions of the columns with these."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from rdf.schema.names import names_in

OBJECTS = "recorded_objects"
"""Column with the objects of an event, for a display of it."""

DIRECTION = "recorded_direction"
"""Column with the direction of an event's leading object, for a map of all events."""

_OBJECTS: Mapping[str, Mapping[str, str]] = {
    "jets": {attribute: f"jet_{attribute}" for attribute in ("pt", "eta", "phi")},
    "leptons": {attribute: f"lepton_{attribute}" for attribute in ("pt", "eta", "phi", "charge", "flavour")},
    "megajets": {
        attribute: f"ROOT::RVec<double>{{megajets.first.{get}(), megajets.second.{get}()}}"
        for attribute, get in (("px", "Px"), ("py", "Py"), ("pz", "Pz"), ("energy", "E"))
    },
    "met": {"pt": "met_pt", "phi": "met_phi"},
}
"""Kind of object -> attribute -> the expression that gives it for all objects of the kind in an event."""


@dataclass(frozen=True)
class ObjectAttributes:
    """What a sample has of its events' objects.

    Attributes:
        names: (kind, attribute) of each.
        expression: of the column `recorded_objects`.
    """

    names: tuple[tuple[str, str], ...]
    expression: str


def object_attributes(columns: Mapping[str, str]) -> ObjectAttributes | None:
    """Return what a sample has of its events' objects; None where it has none that can be drawn.

    Megajets are taken where there are no jets to make them of.

    Args:
        columns: as `rdf.schema.columns.physics_columns` gives them.
    """
    found = {
        (kind, attribute): expression
        for kind, attributes in _OBJECTS.items()
        for attribute, expression in attributes.items()
        if names_in(expression) & {*columns, "megajets", *attributes.values()} <= columns.keys()
    }
    kinds = {kind for kind, attribute in found if attribute in ("pt", "px")}
    if "jets" in kinds or "leptons" in kinds:
        kinds.discard("megajets")
    if not kinds - {"met"}:
        return None
    found = {(kind, attribute): expression for (kind, attribute), expression in found.items() if kind in kinds}
    return ObjectAttributes(tuple(found), f"recorded::collect_objects({', '.join(found.values())})")


def direction_expression(computed: Collection[str]) -> str | None:
    """Return the C++ that gives the direction of an event's leading object; None where nothing is made of objects.

    Only kinds of objects count that are computed anyway: a map must not have a loop read more.

    Args:
        computed: names of all columns that are computed.
    """
    kinds = [kind for kind in ("jets", "leptons", "photons") if kind in computed]
    if not kinds and "megajets" in computed:
        kinds = ["std::array{megajets.first}", "std::array{megajets.second}"]
    return f"leading::compute_direction({', '.join(kinds)})" if kinds else None
