"""The keys of histograms: each has one path, and each path is of one; words in names and titles change nothing."""

from __future__ import annotations

import itertools

import pytest
import ROOT

from rdf.graph.histogram_keys import AGREEMENT, CUTFLOW, FEATURES, MOMENTS, PLANES, SCORES, HistogramKey
from rdf.graph.histograms import complete, titles

NAMES = (
    *(
        "MR",
        "normalised_MET",
        "anomalous_x",
        "normal",
        "anomalous",
        "normal_",
        "all",
        "moments",
        "signal",
        "background",
    ),
    *("features", "planes", "variations", "remainders", "agreement", "cutflow", "anomalous__"),
)


def test_paths_and_keys_are_one_to_one() -> None:
    keys = [
        HistogramKey(kind, name, selection, variation, remainder)
        for kind, name, selection, variation, remainder in itertools.product(
            (FEATURES, PLANES), NAMES, ("all", "normal", "anomalous"), ("", "jes_up"), (False, True)
        )
    ]
    keys += [
        HistogramKey(SCORES, f"score_{name}", label) for name in NAMES for label in ("all", "signal", "background")
    ]
    keys += [HistogramKey(MOMENTS, selection=selection) for selection in ("all", "normal", "anomalous")]
    keys += [HistogramKey(AGREEMENT, "flagged", variation="met_down"), HistogramKey(CUTFLOW, "cutflow")]
    paths = [key.path for key in keys]
    assert len(set(paths)) == len(paths)
    assert [HistogramKey.of_path(path) for path in paths] == keys
    assert not {"features/normal", "features/anomalous", "planes/normal"} & set(paths)


@pytest.mark.parametrize(
    ("key", "path"),
    [
        (HistogramKey(FEATURES, "MR"), "features/MR"),
        (HistogramKey(FEATURES, "MR", "normal", "jes_up"), "variations/jes_up/features/normal/MR"),
        (HistogramKey(PLANES, "MR_Rsq", "anomalous"), "planes/anomalous/MR_Rsq"),
        (HistogramKey(MOMENTS, selection="normal", remainder=True), "remainders/moments/normal"),
        (HistogramKey(SCORES, "score_mlp", "signal"), "scores/signal/score_mlp"),
        (HistogramKey(FEATURES, "normal"), "features/normal_"),
    ],
)
def test_paths_are_those_of_the_file(key: HistogramKey, path: str) -> None:
    assert key.path == path


def spectrum(key: HistogramKey, title: str, contents: float) -> ROOT.TH1:
    histogram = ROOT.TH1D(key.object_name, titles(title, "x", "events"), 1, 0, 1)
    histogram.SetDirectory(ROOT.nullptr)
    histogram.SetBinContent(1, contents)
    return histogram


@pytest.mark.parametrize("title", ["normal", "normal events", "a; b", "a #; b", "x#", "#sqrt{normal; events}", ""])
def test_all_events_are_the_sum_whatever_a_column_or_its_title_is_called(title: str) -> None:
    filled = {}
    for place, name in enumerate(NAMES):
        for selection, events in (("normal", place), ("anomalous", 100)):
            key = HistogramKey(FEATURES, name, selection)
            filled[key.path] = spectrum(key, f"{title}, {selection} events", events)
    whole = complete(filled)
    assert len(whole) == 3 * len(NAMES)
    for place, name in enumerate(NAMES):
        total = whole[HistogramKey(FEATURES, name).path]
        assert total.GetBinContent(1) == place + 100
        assert str(total.GetTitle()) == f"{title}, all events"
        assert str(total.GetXaxis().GetTitle()) == "x"
