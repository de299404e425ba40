"""Merging: 200 parts of a sample become one result, checks included, against reading them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import uproot

from analysis.output.folder import write_checksums, write_record
from analysis.output.merging import merge_parts
from rdf.code.interpreter import ROOT
from tests.benchmarks import toolkit
from tests.benchmarks.child import run_analysis
from tests.benchmarks.events import made_events
from tests.benchmarks.measure import Line, alternate, compare, timed
from tests.benchmarks.trained import trained_detectors

PARTS, EVENTS = 200, 10_000
"""How many parts there are, and the events of each."""

HISTOGRAMS, CHECKED = "histograms.root", ("cutflow/cutflow", "features/MR", "agreement/flagged")


def made_parts(folder: Path) -> list[Path]:
    """Return copies of what one job leaves, each said to be of the entries after those of the one before."""
    path = made_events("rntuple", EVENTS, folder)
    models = toolkit.write_models(trained_detectors(folder), made_events("rntuple", 100_000, folder), folder)
    options = ("--sample", str(path), "--schema", "cms_nanoaod", "--models", str(models), "--threads", "1")
    run_analysis(folder / "part", *options)
    record: dict[str, Any] = json.loads((folder / "part" / "run.json").read_text())
    parts = [folder / "parts" / str(i) for i in range(PARTS)]
    for i, part in enumerate(parts):
        shutil.copytree(folder / "part", part, dirs_exist_ok=True)
        write_record(part, record | {"entries": [i * EVENTS, (i + 1) * EVENTS]})
        write_checksums(part)
    return parts


def read_columns(part: Path) -> dict[str, npt.NDArray[Any]]:
    """Return all columns of a part's events."""
    with uproot.open(part / "events.root") as file:
        columns: dict[str, npt.NDArray[Any]] = file["events"].arrays(library="np")
    return columns


def read_histograms(part: Path) -> int:
    """Read all histograms of a part, and return how many there are."""

    def read_below(directory: Any) -> int:
        objects = [key.ReadObj() for key in directory.GetListOfKeys()]
        below = [read_below(found) for found in objects if isinstance(found, ROOT.TDirectory)]
        return sum(below) + sum(isinstance(found, ROOT.TH1) for found in objects)

    with ROOT.TFile.Open(str(part / HISTOGRAMS)) as file:
        return read_below(file)


def read(parts: Sequence[Path]) -> None:
    """Read all columns and histograms of parts, one after the other."""
    for part in parts:
        read_columns(part)
        read_histograms(part)


def check_merged(parts: Sequence[Path], merged: Path) -> None:
    """Make sure that a merge holds the events of all parts, in their order, and the sums of their histograms."""
    expected, found = read_columns(parts[0]), read_columns(merged)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], np.tile(values, len(parts)), err_msg=name)
    with uproot.open(parts[0] / HISTOGRAMS) as one, uproot.open(merged / HISTOGRAMS) as all_parts:
        for name in CHECKED:
            np.testing.assert_array_equal(all_parts[name].values(), len(parts) * one[name].values(), err_msg=name)


def measure(folder: Path) -> list[Line]:
    """Measure the merge in this process, on one thread."""
    parts, merged = made_parts(folder), folder / "merged"
    merge = partial(merge_parts, parts, merged, "merge")
    merge()
    check_merged(parts, merged)
    taken = alternate({"merge": timed(merge), "read": timed(partial(read, parts))})
    what = f"{PARTS} parts: merged, checks included / read"
    return [compare("merging", what, taken["merge"], taken["read"], PARTS * EVENTS, 1.5)]
