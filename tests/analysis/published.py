"""Published data and what programs left, read without this project."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot
from numpy.typing import NDArray

Columns = dict[str, NDArray[Any]]


def read_events(folder: Path) -> Columns:
    """Return events.root, in the order of the runs and the event numbers."""
    with uproot.open(folder / "events.root") as file:
        arrays = file["events"].arrays()
    columns = {name: ak.to_numpy(arrays[name]) for name in arrays.fields}
    order = np.lexsort([columns["event"], columns["run"]])
    return {name: values[order] for name, values in columns.items()}


def read_json(path: Path) -> Any:
    """Return what a JSON file holds."""
    return json.loads(path.read_text())


def read_labelled_higgs(opendata: Path) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the 28 features of sas_higgs.csv as detectors get them, and the labels; rows are event numbers."""
    table = np.loadtxt(opendata / "higgs" / "sas_higgs.csv", delimiter=",", skiprows=1)
    return table[:, :28].astype(np.float32), table[:, 28].astype(np.int64)
