"""The file of curves against the arrays that went into it, read by uproot."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import uproot

from rdf.code.interpreter import ROOT
from rdf.errors import EventLoopFailed
from rdf.graph.curves import write_curves
from rdf.provenance import Provenance

pytestmark = pytest.mark.compiler


@dataclass(frozen=True)
class Points:
    fpr: np.ndarray
    tpr: np.ndarray
    efficiency: np.ndarray
    improvement: np.ndarray


NONE = np.empty(0)
CURVES = {
    "autoencoder": Points(
        np.array([0, 0.25, 1]), np.array([0, 0.5, 1]), np.array([0.5, 1]), np.array([0.5 / np.sqrt(0.25), 1])
    ),
    "ensemble": Points(np.array([0.0, 1]), np.array([0.0, 1]), NONE, NONE),
}
RANDOM = np.random.default_rng(3)
LABELS = np.repeat([0, 1], [2000, 300])
SCORES = {
    "autoencoder": (RANDOM.exponential(size=2300) + LABELS).astype(np.float32),
    "ensemble": np.full(2300, 0.5, dtype=np.float32),
}
SCORES["autoencoder"][[5, 2100]] = np.inf


@pytest.fixture(scope="module", params=[False, True], ids=["real", "simulated"])
def path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("curves") / "curves.root"
    write_curves(path, CURVES, SCORES, LABELS, Provenance('{"sample": "x"}', request.param))
    return path


def test_graphs_hold_the_points(path: Path) -> None:
    with uproot.open(path) as file:
        simulated = "SIMULATED" in file
        for name, curve in CURVES.items():
            for place, points, title in (
                ("roc", (curve.fpr, curve.tpr), "ROC curve"),
                ("significance", (curve.efficiency, curve.improvement), "Significance improvement"),
            ):
                graph = file[f"{place}/{name}"]
                assert graph.classname == "TGraph"
                np.testing.assert_array_equal(graph.values(), points)
                assert graph.member("fTitle") == f"{'SIMULATED ' if simulated else ''}{title}, {name}"
                assert graph.member("fName") == name


def test_axes_have_titles_where_root_looks_for_them(path: Path) -> None:
    with ROOT.TFile.Open(str(path)) as file:
        titles = [
            (file.Get(place).GetXaxis().GetTitle(), file.Get(place).GetYaxis().GetTitle())
            for place in ("roc/autoencoder", "significance/autoencoder")
        ]
    assert titles == [
        ("background efficiency", "signal efficiency"),
        ("signal efficiency", "signal efficiency / #sqrt{background efficiency}"),
    ]


def test_histograms_hold_all_events_with_the_tail_in_the_overflow(path: Path) -> None:
    with uproot.open(path) as file:
        found = {kind: file[f"scores/autoencoder_{kind}"] for kind in ("background", "signal")}
        constant = file["scores/ensemble_signal"].values(flow=True)
    for label, (kind, histogram) in enumerate(found.items()):
        scores = SCORES["autoencoder"][label == LABELS].astype(float)
        edges = histogram.axis().edges()
        width = f"{edges[1] - edges[0]:.8g}"
        assert float(width) == float(f"{float(width):.2g}")
        np.testing.assert_array_equal(histogram.values(), np.histogram(scores, edges)[0])
        assert histogram.values(flow=True).sum() == len(scores)
        assert histogram.values(flow=True)[-1] == (scores >= edges[-1]).sum() >= 1
        assert histogram.axis().member("fTitle") == "autoencoder score"
        assert histogram.member("fYaxis").member("fTitle") == "events"
        assert histogram.title.endswith(f"autoencoder, {kind}")
    edges = found["signal"].axis().edges()
    np.testing.assert_array_equal(edges, found["background"].axis().edges())
    beyond = (SCORES["autoencoder"] >= edges[-1]).mean()
    assert 0 < beyond < 0.003
    assert constant.sum() == constant[1:-1].sum() == 300


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(EventLoopFailed, match=r"curves\.root cannot be written"):
        write_curves(tmp_path / "none" / "curves.root", CURVES, SCORES, LABELS, Provenance("", simulated=False))
