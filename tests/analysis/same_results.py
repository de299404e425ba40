"""Whether two output folders hold the same results to the last bit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import uproot

IDS = ("run", "luminosityBlock", "event")


def scored_events(folder: Path) -> dict[str, np.ndarray]:
    """The columns of events.root, in the order of the event numbers, and where these are equal of all else."""
    with uproot.open(folder / "events.root") as file:
        columns = file["events"].arrays(library="np")
    rest = [column for name, column in columns.items() if name not in IDS]
    order = np.lexsort([*rest, *(columns[name] for name in IDS[::-1])])
    return {name: column[order] for name, column in columns.items()}


def assert_same_results(found: Path, expected: Path, at_least: int) -> None:
    """Compare events by their numbers, histograms with uncertainties and entries, anomalies.csv line by line."""
    ours, theirs = scored_events(found), scored_events(expected)
    assert list(ours) == list(theirs)
    assert len(ours["event"]) == len(theirs["event"]) >= at_least
    for name, column in theirs.items():
        assert ours[name].dtype == column.dtype
        np.testing.assert_array_equal(ours[name], column, err_msg=name)
    with uproot.open(found / "histograms.root") as one, uproot.open(expected / "histograms.root") as other:
        keys = other.keys(cycle=False)
        assert one.keys(cycle=False) == keys
        histograms = [key for key in keys if hasattr(other[key], "axes")]
        assert len(histograms) > 10
        for key in histograms:
            assert one[key].member("fEntries") == other[key].member("fEntries"), key
            for of_bins in ("values", "variances"):
                np.testing.assert_array_equal(
                    getattr(one[key], of_bins)(flow=True), getattr(other[key], of_bins)(flow=True), err_msg=key
                )
    assert (found / "anomalies.csv").read_bytes() == (expected / "anomalies.csv").read_bytes()
    warnings = [json.loads((folder / "run.json").read_text())["warnings"] for folder in (found, expected)]
    assert warnings[0] == warnings[1]
    for name in ("objects.json", "pick.txt"):
        files = [folder / name for folder in (found, expected)]
        assert len({path.read_bytes() if path.exists() else None for path in files}) == 1
