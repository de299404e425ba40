"""Systematic variations: scales that the graph is computed for once more up and once more down, next to the nominal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rdf import RNode
from rdf.errors import SchemaError, near_names

DIRECTIONS = ("up", "down")


@dataclass(frozen=True)
class Variation:
    """A scale: the column that stands for it, of nominal value 1, and by how much it is varied if nothing else is said.

    Attributes:
        column: of the scale.
        size: relative.
        needs: canonical columns, one of which a sample must have.
        what: for messages.
    """

    column: str
    size: float
    needs: tuple[str, ...]
    what: str


VARIATIONS: Mapping[str, Variation] = {
    "jes": Variation("jet_scale", 0.03, ("jets", "megajets"), "jet energy scale"),
    "lepton": Variation("lepton_scale", 0.005, ("leptons",), "lepton momentum scale"),
    "met": Variation("met_scale", 0.05, ("met_pt",), "MET scale"),
}
"""Variations by name. The sizes are typical of the LHC experiments at moderate pT and no calibration of any sample."""


def check_variations(names: Iterable[str], available: Iterable[str]) -> None:
    """Refuse variations of what a sample does not have.

    Raises:
        SchemaError: names the variation.
    """
    available = set(available)
    for name in names:
        if not available & set(VARIATIONS[name].needs):
            possible = [other for other, v in VARIATIONS.items() if available & set(v.needs)]
            raise SchemaError(
                f"--vary {name}: this sample has nothing that a {VARIATIONS[name].what} would change; "
                f"{near_names(name, possible)}"
            )


def vary_scales(events: RNode, sizes: Mapping[str, float]) -> RNode:
    """Define the columns of the scales, 1 and varied up and down by their relative sizes.

    Whatever is computed from them downstream follows, scores and flags included. To be called before these are defined.
    """
    for name, size in sizes.items():
        column = VARIATIONS[name].column
        events = events.Define(column, "1.")
        events = events.Vary(column, f"ROOT::RVec<double>{{{1 + size!r}, {1 - size!r}}}", list(DIRECTIONS), name)
    return events
