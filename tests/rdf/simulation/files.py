"""Simulated files, as they are written and as uproot reads them."""

from __future__ import annotations

from pathlib import Path

import awkward as ak
import uproot

from rdf.provenance import Provenance
from rdf.simulation.generators import Simulation, simulated_collisions
from rdf.simulation.processes import PROCESSES, FileFormat
from rdf.simulation.writing import write_simulation


def write(
    simulation: Simulation, path: Path, events: int = 2000, seed: int = 1, file_format: FileFormat = "rntuple"
) -> Path:
    write_simulation(simulation, path, events, seed, Provenance("made by a test", simulated=True), file_format)
    return path


def collisions(name: str, **masses: float) -> Simulation:
    return simulated_collisions(name, {**PROCESSES[name].parameters, **masses})


def read(path: Path) -> ak.Array:
    """The file's only tree, read by uproot."""
    with uproot.open(path) as file:
        (tree,) = {*file.keys(cycle=False)} - {"SIMULATED", "provenance"}
        return file[tree].arrays()
