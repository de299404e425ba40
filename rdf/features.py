"""The physics columns that detectors learn from, and how they are written on an axis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rdf.errors import UnknownFeature, near_names


@dataclass(frozen=True)
class Feature:
    """A physics column.

    Attributes:
        name: of the column.
        title: in the part of TLatex that matplotlib reads too (no '#').
        unit: "GeV", "rad" or "" for none.
    """

    name: str
    title: str
    unit: str = ""

    @property
    def axis_title(self) -> str:
        """Title and unit as they stand on an axis."""
        return f"{self.title} [{self.unit}]" if self.unit else self.title


FEATURES: Mapping[str, Feature] = {
    feature.name: feature
    for feature in (
        Feature("MR", "M_{R}", "GeV"),
        Feature("Rsq", "R^{2}"),
        Feature("HT", "H_{T}", "GeV"),
        Feature("MET", "p_{T}^{miss}", "GeV"),
        Feature("pt1", "p_{T,1}", "GeV"),
        Feature("pt2", "p_{T,2}", "GeV"),
        Feature("MET_over_HT", "p_{T}^{miss} / H_{T}"),
        Feature("pt_ratio", "p_{T,2} / p_{T,1}"),
        Feature("dijet_mass", "m_{12}", "GeV"),
        Feature("centrality", "centrality"),
    )
}
"""Every column that a detector can learn from."""


@dataclass(frozen=True)
class FeatureSet:
    """What the detectors learn from for one kind of sample, and what is recorded beside it.

    Attributes:
        features: columns that the detectors see, in order.
        observables: columns that are only recorded and drawn.
        plane: the two features (horizontal, vertical) in which events are drawn.
    """

    features: tuple[str, ...]
    observables: tuple[str, ...]
    plane: tuple[str, str]


FEATURE_SETS: Mapping[str, FeatureSet] = {
    "razor": FeatureSet(
        features=("MR", "Rsq", "HT", "MET", "pt1", "pt2", "MET_over_HT", "pt_ratio"),
        observables=("dijet_mass", "centrality"),
        plane=("MR", "Rsq"),
    ),
}
"""Feature sets by name; a schema names the one that fits its samples."""


def check_features(names: Iterable[str], available: Iterable[str]) -> None:
    """Refuse features that nobody defined.

    Raises:
        UnknownFeature: with the nearest names.
    """
    available = set(available)
    for name in names:
        if name not in FEATURES:
            raise UnknownFeature(f"unknown feature {name!r}; {near_names(name, FEATURES)}")
        if name not in available:
            raise UnknownFeature(
                f"feature {name!r} needs objects that this sample does not have; "
                f"{near_names(name, FEATURES.keys() & available)}"
            )
