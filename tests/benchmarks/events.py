"""Files of made-up events with NanoAOD's layout, kept in a folder between the parts of a run."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from tests.benchmarks.compiled import program

SEED = 1
Format = Literal["ttree", "rntuple"]
FORMATS: Mapping[Format, str] = {"ttree": "TTree", "rntuple": "RNTuple"}

TREE = "Events"
BRANCHES = (
    *(f"Jet_{part}" for part in ("pt", "eta", "phi", "mass")),
    *(f"Muon_{part}" for part in ("pt", "eta", "phi", "mass")),
    *("MET_pt", "MET_phi"),
)
"""What the columns are made of."""

FEATURES = ("MR", "Rsq", "HT", "MET", "MET_over_HT", "MET_over_sqrt_HT", "mll", "centrality")
"""The columns, in the order in which every way gives them."""

MIN_JET_PT, MAX_JET_ETA, MIN_MUON_PT, MAX_MUON_ETA = 30.0, 2.4, 10.0, 2.4
"""Which objects count, as in schema cms_nanoaod."""


def made_events(file_format: Format, events: int, folder: Path) -> Path:
    """Return a file of so many events, made if the folder does not have it, and read once so that it is cached."""
    path = folder / f"{file_format}_{events}.root"
    if not path.exists():
        part = path.with_suffix(".part")
        command = [str(program("make_events", folder)), file_format, str(events), str(SEED), str(part)]
        subprocess.run(command, check=True, capture_output=True)
        part.replace(path)
    with path.open("rb") as file:
        while file.read(1 << 24):
            pass
    return path
