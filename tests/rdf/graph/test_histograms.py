"""The histogram file against numpy, read by uproot."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot

from rdf.code.interpreter import ROOT, define
from rdf.code.sofie import CompiledDetector
from rdf.execution.event_loop import use_threads
from rdf.graph.fields import Field, Kind, cpp_fields
from rdf.graph.scoring import Ensemble, define_scores
from tests.macros.networks import network_of
from tests.rdf.trees import events_of

pytestmark = pytest.mark.compiler

DETECTOR = "isolation_forest"
RAZOR = ("MR", "Rsq", "HT", "MET", "pt1", "pt2", "MET_over_HT", "pt_ratio")
DRAWN = (*RAZOR, "dijet_mass", "centrality")


@pytest.fixture(scope="module")
def events(scored: Any) -> dict[str, np.ndarray]:
    with uproot.open(scored[1].folder / "events.root") as file:
        table = file["events"]
        return {name: table[name].array(library="np") for name in table.keys()}  # noqa: SIM118 - not a dict


@pytest.fixture(scope="module")
def parts(events: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Path in the file below features/ and planes/ -> which events are in there."""
    flagged = events["flag_ensemble"].astype(bool)
    assert 20 < flagged.sum() < 500
    return {"": np.ones(len(flagged), dtype=bool), "normal/": ~flagged, "anomalous/": flagged}


def with_flows(axis: Any) -> np.ndarray:
    """Edges with underflow and overflow; numpy closes the last bin, ROOT does not."""
    edges = axis.low + np.arange(axis.bins + 1) * (axis.high - axis.low) / axis.bins
    return np.concatenate([[-np.inf], edges, [np.inf]])


def counted(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    found = np.searchsorted(edges[1:-1], values.astype(np.float64), side="right")
    return np.bincount(found, minlength=len(edges) - 1)


@pytest.mark.parametrize("threads", [1, 2])
def test_features_of_normal_anomalous_and_all_events(
    threads: int, scored: Any, trained: Any, events: Any, parts: Any
) -> None:
    with uproot.open(scored[threads].folder / "histograms.root") as file:
        for name in DRAWN:
            edges = with_flows(trained.models.feature_axes[name])
            found = {}
            for part, chosen in parts.items():
                histogram = file[f"features/{part}{name}"]
                expected = counted(events[name][chosen], edges)
                found[part] = histogram.values(flow=True)
                np.testing.assert_array_equal(found[part], expected, err_msg=f"{part}{name}")
                np.testing.assert_array_equal(
                    found[part][1:-1], np.histogram(events[name][chosen].astype(float), edges[1:-1])[0]
                )
                np.testing.assert_array_equal(histogram.variances(flow=True), expected)
                assert found[part].sum() == chosen.sum()
            np.testing.assert_array_equal(found[""], found["normal/"] + found["anomalous/"])
        # Three quarters of the events were not in the training, so some lie beyond its axes.
        beyond = sum(file[f"features/{name}"].values(flow=True)[[0, -1]].sum() for name in DRAWN)
        assert beyond > 0


def test_planes(scored: Any, trained: Any, events: Any, parts: Any) -> None:
    x, y = (with_flows(trained.models.feature_axes[name]) for name in ("MR", "Rsq"))
    with uproot.open(scored[1].folder / "histograms.root") as file:
        for part, chosen in parts.items():
            expected, _, _ = np.histogram2d(
                events["MR"][chosen].astype(float), events["Rsq"][chosen].astype(float), [x, y]
            )
            np.testing.assert_array_equal(file[f"planes/{part}MR_Rsq"].values(flow=True), expected)
        sums, _, _ = np.histogram2d(
            events["MR"].astype(float),
            events["Rsq"].astype(float),
            [x, y],
            weights=events[f"score_{DETECTOR}"].astype(float),
        )
        count, _, _ = np.histogram2d(events["MR"].astype(float), events["Rsq"].astype(float), [x, y])
        profile = file[f"planes/score_{DETECTOR}_MR_Rsq"]
        filled = count[1:-1, 1:-1] > 0
        np.testing.assert_allclose(
            profile.values()[filled], (sums[1:-1, 1:-1] / np.maximum(count[1:-1, 1:-1], 1))[filled], rtol=1e-6
        )


def test_scores_and_votes(scored: Any, trained: Any, events: Any) -> None:
    with uproot.open(scored[1].folder / "histograms.root") as file:
        edges = with_flows(trained.models.detectors[DETECTOR].score_axis)
        found = file[f"scores/score_{DETECTOR}"].values(flow=True)
        np.testing.assert_array_equal(found, counted(events[f"score_{DETECTOR}"], edges))
        edges = np.concatenate([[-np.inf], np.arange(101) / 100, [np.inf]])
        found = file["scores/score_ensemble"].values(flow=True)
        np.testing.assert_array_equal(found, counted(events["score_ensemble"], edges))
        assert found[-1] == (events["score_ensemble"] == 1).sum() > 0  # above all of training
        votes = events["votes"]
        assert file["agreement/votes"].values(flow=True).tolist() == [0, (votes == 0).sum(), (votes == 1).sum(), 0]
        flagged = file["agreement/flagged"]
        assert flagged.values().tolist() == [[votes.sum()]]
        assert flagged.axis(0).labels() == flagged.axis(1).labels() == [DETECTOR]


def test_moments_are_the_sums_of_outer_products(scored: Any, events: Any, parts: Any) -> None:
    X = np.column_stack([np.ones(len(events["MR"])), *(events[name].astype(np.float64) for name in RAZOR)])
    with uproot.open(scored[1].folder / "histograms.root") as file:
        for path, part in (("all", ""), ("normal", "normal/"), ("anomalous", "anomalous/")):
            found = file[f"moments/{path}"]
            expected = X[parts[part]].T @ X[parts[part]]
            np.testing.assert_allclose(found.values(), expected, rtol=1e-12)
            assert found.axis(0).labels() == found.axis(1).labels() == ["1", *RAZOR]


def summed_products(X: np.ndarray, threads: int, with_one: bool = True) -> tuple[list[Any], list[int]]:
    """Products of all columns but the last, of all, normal and anomalous events: these have a last column above 0."""
    slots = use_threads(threads)
    make = network_of("last", f"features[{X.shape[1] - 1}]")
    detector = CompiledDetector("last", ROOT.scoring.Detector(make, "weights", slots, 0.0, [0.0], [0.0]))
    events = define_scores(events_of(X), {"last": [detector]}, Ensemble(("last",), 1))
    filling = ROOT.graph.Histograms()
    fields = cpp_fields(Field(Kind.VALUE, i) for i in range(X.shape[1] - 1))
    size = X.shape[1] - 1 + with_one
    selections = (filling.kAll, filling.kNormal, filling.kAnomalous)
    numbers = [
        filling.add_products(ROOT.TH2D("", "", size, 0, size, size, 0, size), fields, with_one, selection)
        for selection in selections
    ]
    ROOT.RDF.RunGraphs([filling.book(events, slots, False, ROOT.nullptr)])
    use_threads(1)
    return [filling.filled("nominal", number).Clone() for number in numbers], numbers


@pytest.mark.parametrize("threads", [1, 2])
def test_events_by_their_labels(threads: int) -> None:
    random = np.random.default_rng(3)
    X = np.column_stack([random.integers(-1, 2, 3000), random.uniform(-1, 5, 3000)]).astype(np.float32)
    slots = use_threads(threads)
    label = "recorded::Event event = recorded_event; event.label = int(event.values[0]); return event;"
    events = define(events_of(X), "recorded_event", label)
    make = network_of("second", "features[1]")
    detector = CompiledDetector("second", ROOT.scoring.Detector(make, "weights", slots, 0.0, [0.0], [0.0]))
    filling = ROOT.graph.Histograms()
    empty = ROOT.TH1D("", "", 40, 0, 4)
    selections = {None: filling.kAll, 1: filling.kSignal, 0: filling.kBackground}
    numbers = {
        of: filling.add_counts(empty, cpp_fields([Field(Kind.SCORE)]), selection)
        for of, selection in selections.items()
    }
    scored = define_scores(events, {"second": [detector]}, Ensemble(("second",), 1))
    ROOT.RDF.RunGraphs([filling.book(scored, slots, False, ROOT.nullptr)])
    use_threads(1)
    edges = np.concatenate([[-np.inf], np.arange(41) / 10, [np.inf]])
    for of, number in numbers.items():
        histogram = filling.filled("nominal", number)
        chosen = X[:, 1] if of is None else X[X[:, 0] == of, 1]
        assert 900 < len(chosen) == histogram.GetEntries()
        assert [histogram.GetBinContent(i) for i in range(42)] == counted(chosen, edges).tolist()


def contents(matrix: Any, of_bin: str = "GetBinContent") -> np.ndarray:
    size = matrix.GetNbinsX()
    return np.array([[getattr(matrix, of_bin)(i + 1, j + 1) for j in range(size)] for i in range(size)])


def test_products_and_where_they_go() -> None:
    matrices, numbers = summed_products(np.float32([[2, 3, 1]]), 1)
    assert numbers == [0, 1, 2]
    products = [[1, 2, 3], [2, 4, 6], [3, 6, 9]]  # of (1, 2, 3) with itself
    assert [contents(matrix).tolist() for matrix in matrices] == [products, np.zeros((3, 3)).tolist(), products]
    without_one, _ = summed_products(np.float32([[2, 3, 1]]), 1, with_one=False)
    assert contents(without_one[0]).tolist() == [[4, 6], [6, 9]]


@pytest.mark.parametrize("threads", [1, 2])
def test_sums_of_products_over_events_are_the_matrix_of_second_moments(threads: int) -> None:
    X = np.random.default_rng(1).normal(10, 300, (2000, 6)).astype(np.float32)
    extended = np.column_stack([np.ones(len(X)), X[:, :5].astype(np.float64)])
    anomalous = X[:, 5] > 0
    found, _ = summed_products(X, threads)
    for matrix, chosen in zip(found, (slice(None), ~anomalous, anomalous), strict=True):
        expected = np.einsum("ni,nj->ij", extended[chosen], extended[chosen])
        np.testing.assert_allclose(contents(matrix), expected, rtol=1e-12, atol=1e-6)
        squares = np.einsum("ni,nj->ij", extended[chosen] ** 2, extended[chosen] ** 2)
        np.testing.assert_allclose(contents(matrix, "GetBinError"), np.sqrt(squares), rtol=1e-12)


def test_sums_are_rounded_once_with_any_threads(scored: Any, events: Any, parts: Any) -> None:
    """The sums of real numbers in the file, and of their squares, against exactly rounded ones."""
    columns = {name: events[name].astype(np.float64) for name in RAZOR}
    for threads in (1, 2):
        with uproot.open(scored[threads].folder / "histograms.root") as file:
            for path in ("normal", "anomalous"):
                chosen, found = parts[f"{path}/"], file[f"moments/{path}"]
                for i, one in enumerate(RAZOR, start=1):
                    for j, other in enumerate(RAZOR, start=1):
                        products = columns[one][chosen] * columns[other][chosen]
                        assert found.values()[i, j] == math.fsum(products)
                        assert found.variances()[i, j] == math.fsum(products**2)
            profile = file[f"planes/score_{DETECTOR}_MR_Rsq"]
            x, y = (axis.edges(flow=True) for axis in profile.axes)
            bins = [
                np.searchsorted(edges[1:-1], columns[name], side="right") for edges, name in ((x, "MR"), (y, "Rsq"))
            ]
            score = events[f"score_{DETECTOR}"].astype(np.float64)
            width = profile.member("fXaxis").member("fNbins") + 2
            for i, j in set(zip(*bins, strict=True)):
                in_bin = score[(bins[0] == i) & (bins[1] == j)]
                assert profile.member("fBinEntries")[i + width * j] == len(in_bin)
                assert profile.values(flow=True)[i, j] == math.fsum(in_bin) / len(in_bin)
                assert profile.member("fSumw2")[i + width * j] == math.fsum(in_bin**2)


def test_products_are_in_double_precision() -> None:
    # 3e30^2 = 9e60 does not fit a float32.
    value = float(np.float32(3e30))
    matrices, _ = summed_products(np.float32([[value, 1]]), 1)
    assert contents(matrices[0]).tolist() == [[1, value], [value, value * value]]


@pytest.mark.parametrize("number", [0, 3])
def test_counts_are_of_one_field_or_two(number: int) -> None:
    fields = cpp_fields([Field(Kind.SCORE)] * number)
    with pytest.raises(Exception, match="a histogram counts one field, or pairs of two"):
        ROOT.graph.Histograms().add_counts(ROOT.TH1D("", "", 1, 0, 1), fields, 0)


@pytest.mark.parametrize("number", [1, 2, 4])
def test_means_are_of_one_field_in_bins_of_two(number: int) -> None:
    fields = cpp_fields([Field(Kind.SCORE)] * number)
    with pytest.raises(Exception, match="a mean is that of one field in bins of two"):
        ROOT.graph.Histograms().add_means(ROOT.TH1D("", "", 1, 0, 1), fields, 0)


def test_cutflow_and_non_finite(scored: Any) -> None:
    with uproot.open(scored[1].folder / "histograms.root") as file:
        cutflow = file["cutflow/cutflow"]
        assert cutflow.axis().labels() == ["all", "finite"]
        assert cutflow.values().tolist() == [2000, 1990]
        non_finite = file["cutflow/non_finite"]
        assert non_finite.axis().labels() == list(RAZOR)
        assert non_finite.values(flow=True).tolist() == [0, 2, 2, 2, 3, 2, 0, 5, 2, 0]


def test_titles_name_quantity_and_unit_and_whether_the_events_are_simulated(scored: Any) -> None:
    for threads, mark in ((1, ""), (2, "SIMULATED ")):
        with uproot.open(scored[threads].folder / "histograms.root") as file:
            histogram = file["features/anomalous/MR"]
            assert histogram.title == f"{mark}M_{{R}}, anomalous events"
            assert histogram.axis().member("fTitle") == "M_{R} [GeV]"
            assert file["planes/MR_Rsq"].member("fZaxis").member("fTitle") == "events"
            assert file[f"scores/score_{DETECTOR}"].title == f"{mark}Isolation forest score"
            assert file[f"scores/score_{DETECTOR}"].axis().member("fTitle") == "isolation forest score"
            assert file["features/MR"].title == f"{mark}M_{{R}}, all events"
            assert file["planes/MR_Rsq"].title == f"{mark}R^{{2}} against M_{{R}}, all events"
            titles = [file[path].title for path, kind in file.classnames().items() if kind.startswith(("TH", "TProf"))]
            assert len(titles) > 40
            assert all(title.startswith("SIMULATED ") is bool(mark) for title in titles)


def test_they_say_how_they_are_drawn(scored: Any) -> None:
    with ROOT.TFile.Open(str(scored[1].folder / "histograms.root")) as file:
        options = {
            "features/MR": "HIST E",
            "scores/score_ensemble": "HIST E",
            "planes/MR_Rsq": "COLZ",
            f"planes/score_{DETECTOR}_MR_Rsq": "COLZ",
            "moments/all": "COLZ",
            "agreement/flagged": "COLZ TEXT",
            "agreement/votes": "HIST TEXT0",
            "cutflow/cutflow": "HIST TEXT0",
        }
        assert {path: str(file.Get(path).GetOption()) for path in options} == options
        colours = {"": "#94a4a2", "normal/": "#3f90da", "anomalous/": "#e76300"}  # those of the figures
        for part, colour in colours.items():
            histogram = file.Get(f"features/{part}MR")
            assert ROOT.gROOT.GetColor(histogram.GetLineColor()).AsHexString() == colour
            assert histogram.GetFillColor() not in (0, histogram.GetLineColor())


def test_events_without_labels_have_no_signal(scored: Any) -> None:
    with uproot.open(scored[1].folder / "histograms.root") as file:
        assert set(file["scores"].keys(cycle=False)) == {f"score_{DETECTOR}", "score_ensemble"}


def test_the_file_opens_in_root_with_its_directories(scored: Any) -> None:
    path: Path = scored[1].folder / "histograms.root"
    with ROOT.TFile.Open(str(path)) as file:
        assert not file.TestBit(ROOT.TFile.kRecovered)
        directories = {key.GetName() for key in file.GetListOfKeys() if key.GetClassName() == "TDirectoryFile"}
        assert directories == {"cutflow", "features", "planes", "moments", "scores", "agreement", "shares"}
        assert file.Get("features/normal/MR").GetEntries() + file.Get("features/anomalous/MR").GetEntries() == 1990
