"""Simulated events: which physics can be simulated, and which of it stands in for a sample that cannot be had.

The physics itself is in `macros/simulation/`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rdf.code.interpreter import ROOT, include_kernels
from rdf.simulation.layouts import ATLAS2020, ATLAS2025, DIMUON, LOW_MASS, NANOAOD, RAZOR, TRACKS, Layout
from rdf.simulation.processes import PROCESSES

ENERGY, ENERGY_2010 = 13_000.0, 7_000.0
"""Of the simulated proton collisions, now and for samples of 2010 and 2011 [GeV]."""


@dataclass(frozen=True)
class Simulation:
    """Events that can be simulated.

    Attributes:
        title: the physics with its parameters, in words; each title has random numbers of its own.
        layout: of the file.
        make_generator: returns the C++ generator, once its header is included.
    """

    title: str
    layout: Layout
    make_generator: Callable[[], Any]

    def stream(self, seed: int) -> Any:
        """Return the C++ stream of events that belongs to a seed."""
        include_kernels("simulation/simulation_stream")
        include_kernels(f"simulation/{self.layout.generator.partition('::')[0]}")
        digest = hashlib.sha256(f"{self.title}, seed {seed}".encode()).digest()
        own_seed = int.from_bytes(digest[:4], "big") or 1  # 0 would be a seed from the clock
        return ROOT.simulation_stream.Stream[self.layout.generator](own_seed, self.make_generator())


def _collisions(function: str, *arguments: Any) -> Any:
    """Return the C++ generator that a function of `macros/simulation/collision_simulation.hxx` makes."""
    return getattr(ROOT.collision_simulation, function)(*arguments)


def _process(name: str, parameters: Mapping[str, float]) -> Any:
    process = PROCESSES[name]
    values = (parameters[value] if isinstance(value, str) else value for value in process.arguments)
    return _collisions(process.function, ENERGY, *values)


def simulated_collisions(
    name: str, parameters: Mapping[str, float], background: str | None = None, signal_fraction: float = 1.0
) -> Simulation:
    """Return the simulation of a process, or of a signal in a background, as NanoAOD.

    Args:
        name: a name out of `PROCESSES`.
        parameters: a value for each of the process's parameters [GeV].
        background: name of the process that gives the other events.
        signal_fraction: fraction of the events that `name` gives, if there is a background.
    """
    title = PROCESSES[name].title.format_map(parameters)
    if background is None:
        return Simulation(f"{title}, 13 TeV", NANOAOD, lambda: _process(name, parameters))
    other = PROCESSES[background]
    return Simulation(
        f"{100 * signal_fraction:.6g} % {title}, the rest {other.title}, 13 TeV",
        NANOAOD,
        lambda: _collisions(
            "mixture", signal_fraction, _process(name, parameters), _process(background, other.parameters)
        ),
    )


def simulated_tracks(signal_fraction: float) -> Simulation:
    """Return the simulation of displaced tracks among prompt ones."""
    return Simulation(
        f"{100 * signal_fraction:.6g} % displaced tracks, the rest prompt ones",
        TRACKS,
        lambda: ROOT.track_simulation.Tracks(signal_fraction),
    )


def _razor_multijet() -> Any:
    """Return the razor filter's events: squark pairs in QCD multijets."""
    kernels = ROOT.razor_filter_simulation
    signal = kernels.passing(_collisions("squark_pair", ENERGY_2010, 700.0, 100.0))
    background = kernels.passing(_collisions("multijet", ENERGY_2010, 50.0))
    return kernels.RazorFilter(_collisions("mixture", 0.03, signal, background))


def _dileptons(selection: str, energy: float = ENERGY) -> Any:
    """Return collisions with two leptons: Z, a tenth of top pairs, and one in a hundred a heavier resonance."""
    z, top, z_prime = (
        _collisions(selection, _collisions(function, energy, *masses))
        for function, *masses in (("z_boson",), ("top_pair",), ("z_prime", 500.0))
    )
    return _collisions("mixture", 0.01, z_prime, _collisions("mixture", 0.1, top, z))


STAND_INS: Mapping[str, Simulation] = {
    "razor_multijet": Simulation(
        "CMS razor filter: 3 % squark pairs (700 GeV, LSP 100 GeV) in QCD multijets, 7 TeV", RAZOR, _razor_multijet
    ),
    "multijet_nanoaod": simulated_collisions("squark", {"mass": 700.0, "lsp": 100.0}, "qcd", 0.03),
    "dilepton_nanoaod": Simulation(
        "two muons: 1 % Z' of 500 GeV in Z and top pairs, 13 TeV", NANOAOD, lambda: _dileptons("with_two_muons")
    ),
    "dilepton_atlas2020": Simulation(
        "two leptons: 1 % Z' of 500 GeV in Z and top pairs, 13 TeV, ATLAS 2020",
        ATLAS2020,
        lambda: _dileptons("with_two_leptons"),
    ),
    "dilepton_atlas2025": Simulation(
        "two leptons: 1 % Z' of 500 GeV in Z and top pairs, 13 TeV, ATLAS 2025",
        ATLAS2025,
        lambda: _dileptons("with_two_leptons"),
    ),
    "dimuon": Simulation(
        "two muons: 1 % Z' of 500 GeV in Z and top pairs, 7 TeV",
        DIMUON,
        lambda: _dileptons("with_two_muons", ENERGY_2010),
    ),
    "upsilon_nanoaod": Simulation(
        "two muons of 4.5 to 17 GeV: 0.4 % Upsilon(1S) in heavy flavour and Drell-Yan, 13 TeV",
        LOW_MASS,
        lambda: ROOT.dimuon_simulation.Dimuons(0.004),
    ),
}
"""What stands in for samples, by the name that a sample gives."""
