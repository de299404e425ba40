"""Systematic variations: scales that the graph is computed for once more up and once more down, next to the nominal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rdf.errors import SchemaError
from rdf.schema.names import names_in


@dataclass(frozen=True)
class Variation:
    """A scale: the column that stands for it, of nominal value 1, and by how much it is varied if nothing else is said.

    Attributes:
        column: of the scale.
        size: relative.
        what: for messages.
    """

    column: str
    size: float
    what: str


VARIATIONS: Mapping[str, Variation] = {
    "jes": Variation("jet_scale", 0.03, "jet energy scale"),
    "lepton": Variation("lepton_scale", 0.005, "lepton momentum scale"),
    "met": Variation("met_scale", 0.05, "MET scale"),
}
"""Variations by name. The sizes are typical of the LHC experiments at moderate pT and no calibration of any sample."""


def check_variations(names: Iterable[str], recorded: Mapping[str, str]) -> None:
    """Refuse variations that nothing would follow.

    Args:
        names: of the variations.
        recorded: the columns that a run computes, with their expressions.

    Raises:
        SchemaError: names the variation.
    """
    made_of = {name for expression in recorded.values() for name in names_in(expression)}
    for name in names:
        if VARIATIONS[name].column not in made_of:
            raise SchemaError(f"--vary {name}: nothing of what is recorded depends on the {VARIATIONS[name].what}")


def scales(names: Iterable[str]) -> dict[str, str]:
    """Return the columns of the scales of these variations, with their C++ type."""
    return {VARIATIONS[name].column: "double" for name in names}
