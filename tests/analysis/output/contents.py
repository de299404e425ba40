"""What stands in an output folder, read without the code that merges."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import uproot

from rdf.code.interpreter import ROOT


def ordered_events(folder: Path) -> dict[str, np.ndarray]:
    """Return events.root in the order of what names the events; where two files use a name, in that of their values."""
    columns = read_columns(folder)
    order = np.lexsort([columns[name] for name in ("MR", "event", "luminosityBlock", "run")])
    return {name: values[order] for name, values in columns.items()}


def record(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "run.json").read_text())
    return found


def bins(folder: Path) -> dict[str, dict[str, Any]]:
    """Return what is in each histogram, by its path."""
    with uproot.open(folder / "histograms.root") as file:
        paths = [path for path, kind in file.classnames(cycle=False).items() if kind.startswith(("TH", "TProfile"))]
    with ROOT.TFile.Open(str(folder / "histograms.root")) as file:
        return {path: contents(file.Get(path)) for path in paths}


def contents(histogram: Any) -> dict[str, Any]:
    cells, axes = histogram.GetNcells(), [histogram.GetXaxis(), histogram.GetYaxis()]
    squares = histogram.GetSumw2()
    found: dict[str, Any] = {
        "title": str(histogram.GetTitle()),
        "axes": [(axis.GetNbins(), axis.GetXmin(), axis.GetXmax(), str(axis.GetTitle())) for axis in axes],
        "labels": [[str(axis.GetBinLabel(i)) for i in range(1, axis.GetNbins() + 1)] for axis in axes],
        "sums": np.frombuffer(histogram.GetArray(), count=cells).tolist(),
        "sumw2": [squares[i] for i in range(squares.GetSize())],
    }
    if isinstance(histogram, ROOT.TProfile2D):
        found["entries of bins"] = [histogram.GetBinEntries(i) for i in range(cells)]
    return found


def read_columns(folder: Path) -> dict[str, np.ndarray]:
    with uproot.open(folder / "events.root") as file:
        columns: dict[str, np.ndarray] = file["events"].arrays(library="np")
    return columns


def read_histograms(folder: Path) -> list[Any]:
    def below(directory: Any) -> list[Any]:
        objects = [key.ReadObj() for key in directory.GetListOfKeys()]
        return [
            *objects,
            *(found for folder in objects if isinstance(folder, ROOT.TDirectory) for found in below(folder)),
        ]

    with ROOT.TFile.Open(str(folder / "histograms.root")) as file:
        return below(file)
