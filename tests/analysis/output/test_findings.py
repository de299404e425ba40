"""Numbers for run.json out of histograms that were filled by hand."""

from __future__ import annotations

from typing import Any

import pytest

from analysis.output.findings import agreement, means, variations
from plotting.results.record_tables import Agreement, Mean, Variation, VariedCounts
from rdf.code.interpreter import ROOT


def filled(name: str, contents: list[list[float]]) -> Any:
    """A two-dimensional histogram with these contents, rows first."""
    histogram = ROOT.TH2D(name, "", len(contents), 0, len(contents), len(contents[0]), 0, len(contents[0]))
    histogram.SetDirectory(ROOT.nullptr)
    for i, row in enumerate(contents, start=1):
        for j, value in enumerate(row, start=1):
            histogram.SetBinContent(i, j, value)
    return histogram


def spectrum(name: str, contents: list[float], low: float) -> Any:
    """A histogram of bins that are 1 wide; the first and the last of the contents lie beyond its axis."""
    bins = len(contents) - 2
    histogram = ROOT.TH1D(name, "", bins, low, low + bins)
    histogram.SetDirectory(ROOT.nullptr)
    for i, value in enumerate(contents):
        histogram.SetBinContent(i, value)
    return histogram


@pytest.mark.parametrize(
    ("contents", "low", "ratio"),
    [
        ([0, 3, 4, 0], 0, 4.0),
        ([1, 3, 4, 0], 0, None),  # an event below 0
        ([0, 3, 4, 0], -1, None),
        ([0, 0, 7, 0], -1, 4.0),
        ([0, 3, 4, 5], 2, 4.0),
    ],
)
def test_means_have_a_ratio_unless_the_feature_has_both_signs(
    contents: list[float], low: float, ratio: float | None
) -> None:
    # A row: number of events, sum over them.
    histograms = {
        "moments/normal": filled("normal", [[5, 10]]),
        "moments/anomalous": filled("anomalous", [[2, 16]]),
        "features/eta": spectrum("eta", contents, low),
    }
    assert means(histograms, ["eta"]) == {"eta": Mean(normal=2, anomalous=8, ratio=ratio)}


def test_means_of_no_events_are_none() -> None:
    histograms = {
        "moments/normal": filled("all_normal", [[5, 10]]),
        "moments/anomalous": filled("none", [[0, 0]]),
        "features/MR": spectrum("MR", [0, 5, 0], 0),
    }
    assert means(histograms, ["MR"]) == {"MR": Mean(normal=2, anomalous=None, ratio=None)}


def agreed(flagged: list[list[float]], votes: list[float], prefix: str = "") -> dict[str, Any]:
    return {
        f"{prefix}agreement/flagged": filled(f"{prefix}flagged", flagged),
        f"{prefix}agreement/votes": spectrum(f"{prefix}votes", [0, *votes, 0], -0.5),
    }


def test_agreement_is_what_was_counted() -> None:
    histograms = agreed([[7, 3], [3, 5]], [91, 6, 3])
    expected = Agreement(flagged={"a": {"a": 7, "b": 3}, "b": {"a": 3, "b": 5}}, votes=(91, 6, 3))
    assert agreement(histograms, ["a", "b"]) == expected


def test_variations_count_by_the_votes_that_flag() -> None:
    histograms = {
        **agreed([[7, 3], [3, 5]], [91, 6, 3]),
        **agreed([[9, 4], [4, 5]], [88, 6, 4], "variations/jes_up/"),
        **agreed([[5, 2], [2, 4]], [95, 5, 2], "variations/jes_down/"),
    }
    assert variations(histograms, {"jes": 0.03}, ["a", "b"], min_votes=2) == {
        "jes": Variation(
            size=0.03,
            up=VariedCounts(selected=98, anomalous=4, flagged={"a": 9, "b": 5}),
            nominal=VariedCounts(selected=100, anomalous=3, flagged={"a": 7, "b": 5}),
            down=VariedCounts(selected=102, anomalous=2, flagged={"a": 5, "b": 4}),
        )
    }
    assert variations(histograms, {"jes": 0.03}, ["a", "b"], min_votes=1)["jes"].up.anomalous == 10
