"""Processes: the proton collisions that can be simulated. Tables alone, so that a program's help needs no ROOT."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

FileFormat = Literal["rntuple", "ttree"]
"""What a tree of simulated events can be written as."""


@dataclass(frozen=True)
class Process:
    """A process of collisions that a user can simulate.

    Attributes:
        title: in words, with a place for each parameter.
        function: that makes its generator, in `macros/simulation/collision_simulation.hxx`; of the energy of the
            collisions and `arguments`.
        arguments: numbers [GeV] or names of parameters.
        parameters: name -> value where none is given [GeV].
        signal: whether its events have the label 1.
    """

    title: str
    function: str
    arguments: tuple[float | str, ...] = ()
    parameters: Mapping[str, float] = field(default_factory=dict)
    signal: bool = False


PROCESSES: Mapping[str, Process] = {
    "qcd": Process("QCD multijets, pT above 100 GeV", "multijet", (100.0,)),
    "zjets": Process("Z -> ll + jets", "z_boson"),
    "ttbar": Process("top pairs with two leptons", "top_pair"),
    "squark": Process(
        "pairs of squarks of {mass:g} GeV, each to a jet and an invisible particle of {lsp:g} GeV",
        "squark_pair",
        ("mass", "lsp"),
        {"mass": 700.0, "lsp": 100.0},
        signal=True,
    ),
    "zprime": Process("Z' of {mass:g} GeV -> ll", "z_prime", ("mass",), {"mass": 1500.0}, signal=True),
}
"""Collisions by the name that a user gives."""

TRACKS = "tracks"
"""What is simulated track by track, displaced ones among prompt ones."""

SIGNAL_FRACTION = 0.01
"""Part of a mixture that is signal, where none is given."""

MIN_MASS, MAX_MASS = 50.0, 6000.0
"""Of squarks and Z' [GeV]; a pair of more has not enough energy in collisions of 13 TeV."""
