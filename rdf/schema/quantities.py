"""Canonical quantities: what an event has, by names that do not depend on the format, in GeV and radians."""

from __future__ import annotations

from collections.abc import Mapping

UNITS: Mapping[str, float] = {"": 1.0, "MeV": 1e-3, "GeV": 1.0, "TeV": 1e3, "rad": 1.0}
"""Unit of a column -> the factor that brings it to GeV or radians."""

ID_QUANTITIES: Mapping[str, str] = {
    "run": "unsigned int",
    "luminosityBlock": "unsigned int",
    "event": "unsigned long long",
}
"""What names an event -> its C++ type."""

IDENTITY = (*ID_QUANTITIES, "weight", "label")
"""Quantities that keep their names: they are what they are, whatever is selected or varied."""

REALS, INTEGERS = "objects::Reals", "ROOT::RVec<int>"
"""C++ types of the quantities that an event has several of."""

_FOUR_VECTOR = ("pt", "eta", "phi", "mass", "px", "py", "pz", "energy")
EXTRAS: Mapping[str, Mapping[str, str]] = {
    "jet": {"btag": REALS, "btagged": REALS},
    "electron": {"charge": INTEGERS},
    "muon": {"charge": INTEGERS},
    "lepton": {"charge": INTEGERS, "flavour": INTEGERS},
    "photon": {},
    "tau": {},
    "largeRjet": {"tau21": REALS},
}
"""Kind of object -> what it has besides its four-vector."""

OPTIONAL_EXTRAS = frozenset({"btag", "btagged", "tau21"})
"""What objects may lack."""

OBJECTS = tuple(EXTRAS)
"""What an event has several of; `lepton` is electrons and muons together, for formats that hold them so."""

BESIDE = ("photon", "tau", "largeRjet")
"""Objects that no column but those of their own is made of: a file may have them in part."""

MASSLESS = frozenset({"photon"})
"""Objects that need neither mass nor energy: their mass is 0."""

STORED = ("MR", "Rsq", "HT")
"""Physics columns that a schema can take from the file, as quantities; they are computed where it does not."""

CANONICAL: Mapping[str, str] = {
    **ID_QUANTITIES,
    "weight": "double",
    "label": "int",
    **{f"{kind}_{attribute}": REALS for kind in OBJECTS for attribute in _FOUR_VECTOR},
    **{f"{kind}_{attribute}": cpp for kind, extras in EXTRAS.items() for attribute, cpp in extras.items()},
    **{f"megajet{i}_{attribute}": "double" for i in (1, 2) for attribute in ("px", "py", "pz", "energy")},
    **{f"met_{attribute}": "double" for attribute in ("pt", "phi", "px", "py")},
    **dict.fromkeys(STORED, "double"),
}
"""Canonical quantity -> its C++ type.

Four-vectors are given by pt, eta, phi or by px, py, pz, and by mass or energy.
"""

COORDINATES = (frozenset({"pt", "eta", "phi"}), frozenset({"px", "py", "pz"}))
MASSES = frozenset({"mass", "energy"})

ALIASED = "aliased_"
"""Begins the name that a graph has for a column that the schema gives a name; that name itself may be defined."""

SOURCE_ROW = "source_row"
"""Column that a converted table gains: the number of the row in the file as published, from 0."""

ENTRY = "recorded_entry"
"""Column of a graph that has the place of an event in the sample, from 0."""
