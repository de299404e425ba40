"""The keys of histograms: each has one path, and each path is of one; words in names and titles change nothing."""

from __future__ import annotations

import itertools
import subprocess
import sys
from dataclasses import replace

import pytest

from rdf.code.interpreter import ROOT
from rdf.graph.histogram_keys import (
    CUTFLOW,
    FLAGGED,
    LABELS,
    NON_FINITE,
    SELECTIONS,
    VOTED,
    Direction,
    HistogramKey,
    Kind,
    Selection,
    variation,
)
from rdf.graph.histograms import complete, titles

JES_UP = variation("jes", Direction.UP)
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
        HistogramKey(kind, selection, name, varied, remainder)
        for kind, name, selection, varied, remainder in itertools.product(
            (Kind.FEATURES, Kind.PLANES),
            NAMES,
            (Selection.ALL, *SELECTIONS),
            ("", JES_UP),
            (False, True),
        )
    ]
    keys += [HistogramKey(Kind.SCORES, label, f"score_{name}") for name in NAMES for label in (Selection.ALL, *LABELS)]
    keys += [HistogramKey(Kind.MOMENTS, selection) for selection in (Selection.ALL, *SELECTIONS)]
    keys += [CUTFLOW, NON_FINITE, VOTED, FLAGGED, replace(FLAGGED, variation=variation("met", Direction.DOWN))]
    paths = [key.path for key in keys]
    assert len(set(paths)) == len(paths)
    assert [HistogramKey.of_path(path) for path in paths] == keys
    assert not {"features/normal", "features/anomalous", "planes/normal"} & set(paths)


@pytest.mark.parametrize(
    ("key", "path"),
    [
        (HistogramKey(Kind.FEATURES, Selection.ALL, "MR"), "features/MR"),
        (HistogramKey(Kind.FEATURES, Selection.NORMAL, "MR", JES_UP), "variations/jes_up/features/normal/MR"),
        (HistogramKey(Kind.PLANES, Selection.ANOMALOUS, "MR_Rsq"), "planes/anomalous/MR_Rsq"),
        (HistogramKey(Kind.MOMENTS, Selection.NORMAL, remainder=True), "remainders/moments/normal"),
        (HistogramKey(Kind.SCORES, Selection.SIGNAL, "score_mlp"), "scores/signal/score_mlp"),
        (HistogramKey(Kind.FEATURES, Selection.ALL, "normal"), "features/normal_"),
        (replace(VOTED, variation="met_down"), "variations/met_down/agreement/votes"),
        (CUTFLOW, "cutflow/cutflow"),
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
        for selection, events in ((Selection.NORMAL, place), (Selection.ANOMALOUS, 100)):
            key = HistogramKey(Kind.FEATURES, selection, name)
            filled[key.path] = spectrum(key, f"{title}, {selection} events", events)
    whole = complete(filled)
    assert len(whole) == 3 * len(NAMES)
    for place, name in enumerate(NAMES):
        total = whole[HistogramKey(Kind.FEATURES, Selection.ALL, name).path]
        assert total.GetBinContent(1) == place + 100
        assert str(total.GetTitle()) == f"{title}, all events"
        assert str(total.GetXaxis().GetTitle()) == "x"


@pytest.mark.parametrize("path", ["", "figures/MR", "variations/jes_up/curves/MR", "moments/signals"])
def test_a_path_of_something_else_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="is not a valid"):
        HistogramKey.of_path(path)


def test_keys_need_no_root() -> None:
    program = "import sys, rdf.graph.histogram_keys; sys.exit('ROOT' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
