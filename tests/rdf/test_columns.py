"""Physics columns of the graph against numpy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot

from rdf.columns import define, define_feature_vector, define_physics, define_quantities
from rdf.errors import CompileError, EventLoopFailed
from rdf.execution import EventLoop, use_threads
from rdf.interpreter import ROOT
from rdf.schema import Schema, load_schema
from rdf.sources import open_source

N = 400


def arrays(events: Any, names: list[str]) -> dict[str, np.ndarray]:
    use_threads(1)
    return {name: np.asarray(values) for name, values in events.AsNumpy(names).items()}


@pytest.fixture(scope="module")
def computed(razor: Any) -> dict[str, np.ndarray]:
    """Columns of the published sample, in its order."""
    use_threads(1)
    names = ["MR", "Rsq", "HT", "MET", "pt1", "pt2", "pt_ratio", "MET_over_HT", "dijet_mass", "centrality"]
    events = define_physics(razor.source.open(), load_schema("cms_razor"))
    assert not events.HasColumn("MTR")  # MET has no direction in this file
    return arrays(events, [*names, "run", "luminosityBlock", "event"])


def test_mr_is_the_published_one_in_every_event(razor: Any, computed: dict[str, np.ndarray]) -> None:
    assert len(computed["MR"]) == 21_726
    difference = np.abs(computed["MR"] / razor.columns["MR"] - 1)
    assert difference.max() < 1e-5
    # Computed and not copied: the file has six digits.
    assert np.count_nonzero(difference) > 20_000


def test_columns_of_the_published_sample(razor: Any, computed: dict[str, np.ndarray]) -> None:
    columns = razor.columns
    pt1, pt2 = (np.hypot(columns[f"Px{i}"], columns[f"Py{i}"]) for i in "12")
    mass_squared = (columns["E1"] + columns["E2"]) ** 2 - sum(
        (columns[f"P{axis}1"] + columns[f"P{axis}2"]) ** 2 for axis in "xyz"
    )
    expected = {
        "pt1": pt1,
        "pt2": pt2,
        "pt_ratio": pt2 / pt1,
        "MET_over_HT": columns["MET"] / columns["HT"],
        "dijet_mass": np.sqrt(mass_squared),
        "centrality": (pt1 + pt2) / (columns["E1"] + columns["E2"]),
        "Rsq": columns["Rsq"],
        "HT": columns["HT"],
        "MET": columns["MET"],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(computed[name], values, rtol=1e-11, err_msg=name)
    for name, column in (("run", "Run"), ("luminosityBlock", "Lumi"), ("event", "Event")):
        np.testing.assert_array_equal(computed[name], columns[column])
    # HT is the sum of two jets' pT where there are two, as published.
    two = columns["nJets"] == 2
    np.testing.assert_allclose((computed["pt1"] + computed["pt2"])[two], computed["HT"][two], rtol=1e-5)


def momenta() -> dict[str, np.ndarray]:
    random = np.random.default_rng(8)
    columns = {f"j{i}_{part}": random.normal(0, 1e5, N) for i in (1, 2) for part in ("px", "py", "pz")}  # MeV
    for i in (1, 2):
        columns[f"j{i}_e"] = np.sqrt(sum(columns[f"j{i}_{part}"] ** 2 for part in ("px", "py", "pz"))) * 1.1
    return columns


@pytest.fixture(scope="module")
def detached(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """A made-up format in MeV and TeV, whose columns collide with canonical and physics names: file and graph."""
    random = np.random.default_rng(9)
    columns = momenta() | {
        "met_pt": random.exponential(4e4, N),  # MeV
        "met_phi": random.uniform(-np.pi, np.pi, N),
        "jets": random.uniform(0.1, 0.5, N),  # TeV
        "MR": np.full(N, -1.0),
        "pt1": np.full(N, -2.0),
        "MET": np.full(N, -3.0),
        "megajet1": np.full(N, -4.0),
        "met": np.full(N, -5.0),
        "number": np.arange(N, dtype=np.float64),
    }
    path = tmp_path_factory.mktemp("detached") / "tree.root"
    with uproot.recreate(path) as file:
        file.mktree("mini", {name: values.dtype for name, values in columns.items()})
        file["mini"].extend(columns)
    quantities: dict[str, Any] = {
        f"megajet{i}_{part}": {"expression": f"j{i}_{column}", "unit": "MeV"}
        for i in (1, 2)
        for part, column in (("px", "px"), ("py", "py"), ("pz", "pz"), ("energy", "e"))
    }
    quantities |= {
        "event": {"expression": "number"},
        "met_pt": {"expression": "met_pt", "unit": "MeV"},
        "met_phi": {"expression": "met_phi", "unit": "rad"},
        # met_pt is the file's, in MeV: 1e-6 brings it to the TeV of this quantity.
        "HT": {"expression": "jets + met_pt * 1e-6", "unit": "TeV"},
    }
    schema = Schema.model_validate(
        {
            "name": "detached",
            "title": "",
            "tree": "mini",
            "columns": dict.fromkeys(columns, "float64"),
            "quantities": quantities,
            "features": "razor",
        }
    )
    source = open_source([path], schema, path.parent, [None])
    events = define_physics(source.open(), schema)
    names = ["MR", "MTR", "Rsq", "HT", "MET", "met_pt", "pt1", "pt2", "MET_over_HT", "dijet_mass", "run", "event"]
    return columns, arrays(events, names)


def test_units_become_gev(detached: Any) -> None:
    columns, found = detached
    pt1 = np.hypot(columns["j1_px"], columns["j1_py"]) / 1000
    np.testing.assert_allclose(found["pt1"], pt1, rtol=1e-12)
    np.testing.assert_allclose(found["MET"], columns["met_pt"] / 1000, rtol=1e-12)
    total = {part: (columns[f"j1_{part}"] + columns[f"j2_{part}"]) / 1000 for part in ("px", "py", "pz", "e")}
    mass = np.sqrt(total["e"] ** 2 - total["px"] ** 2 - total["py"] ** 2 - total["pz"] ** 2)
    np.testing.assert_allclose(found["dijet_mass"], mass, rtol=1e-11)


def test_an_expression_sees_the_columns_of_the_file_and_not_canonical_ones_of_that_name(detached: Any) -> None:
    columns, found = detached
    HT = columns["jets"] * 1000 + columns["met_pt"] / 1000
    np.testing.assert_allclose(found["HT"], HT, rtol=1e-12)
    np.testing.assert_allclose(found["MET_over_HT"], columns["met_pt"] / 1000 / HT, rtol=1e-12)


def test_rsq_is_computed_where_met_has_a_direction(detached: Any) -> None:
    columns, found = detached
    p = [np.stack([columns[f"j{i}_{part}"] for part in ("px", "py", "pz")]) / 1000 for i in (1, 2)]
    size = [np.linalg.norm(momentum, axis=0) for momentum in p]
    MR = np.sqrt((size[0] + size[1]) ** 2 - (p[0][2] + p[1][2]) ** 2)
    met = columns["met_pt"] / 1000 * np.stack([np.cos(columns["met_phi"]), np.sin(columns["met_phi"])])
    pts = [np.hypot(*momentum[:2]) for momentum in p]
    MTR = np.sqrt((columns["met_pt"] / 1000 * (pts[0] + pts[1]) - (met * (p[0][:2] + p[1][:2])).sum(axis=0)) / 2)
    np.testing.assert_allclose(found["MR"], MR, rtol=1e-11)
    np.testing.assert_allclose(found["MTR"], MTR, rtol=1e-9)
    np.testing.assert_allclose(found["Rsq"], (MTR / MR) ** 2, rtol=1e-9)


def test_ids_that_a_file_lacks(detached: Any) -> None:
    _, found = detached
    assert found["event"].tolist() == list(range(N))
    assert set(found["run"].tolist()) == {0}
    assert found["event"].dtype == np.uint64


def test_rows_name_the_events_of_a_table_without_numbers(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("met\n10\n20\n30\n")
    schema = Schema.model_validate(
        {
            "name": "table",
            "title": "",
            "tree": "events",
            "columns": {"met": "float64"},
            "quantities": {"met_pt": {"expression": "met"}},
            "features": "razor",
        }
    )
    events = define_physics(open_source([path], schema, tmp_path, [None]).open(), schema)
    assert not events.HasColumn("MR")
    assert not events.HasColumn("MET_over_HT")
    found = arrays(events, ["event", "MET"])
    assert found["event"].tolist() == [0, 1, 2]
    assert found["MET"].tolist() == [10, 20, 30]


def test_an_expression_that_does_not_compile_names_the_column_and_the_compilers_reason() -> None:
    events = ROOT.RDataFrame(3)
    with pytest.raises(CompileError, match=r"column 'HT' = 'jet_sum \* 2': use of undeclared identifier 'jet_sum'"):
        define(events, "HT", "jet_sum * 2")
    with pytest.raises(CompileError, match=r"column 'MR' = 'std::sqrt\(': expected expression"):
        define(events, "MR", "std::sqrt(")
    with pytest.raises(CompileError, match="column 'not a name'"):
        define(events, "not a name", "1.")
    # The session goes on.
    assert define(events, "HT", "rdfentry_ * 2.").Sum("HT").GetValue() == 6


def test_features_are_rounded_once_to_float32_and_stand_in_order_in_the_vector() -> None:
    use_threads(1)
    events = define(define(ROOT.RDataFrame(2), "HT", "0.1 + rdfentry_"), "MET", "1e39")
    events = define(events, "pt1", "2.")
    events = define_feature_vector(events, ["MET", "HT"], ["pt1"])
    events = define(events, "first", "static_cast<double>(feature_vector[0])")
    events = define(events, "second", "static_cast<double>(feature_vector[1])")
    found = arrays(events, ["HT", "pt1", "first", "second"])
    assert found["HT"].dtype == found["pt1"].dtype == np.float32
    assert found["first"].tolist() == [np.inf, np.inf]
    assert found["second"].tolist() == [float(np.float32(0.1)), float(np.float32(1.1))]


def test_a_negative_run_number_is_no_other_run(tmp_path: Path) -> None:
    """An Int_t of a user's tree where the canonical run is unsigned: -5 would come out as 4294967291."""
    path = tmp_path / "signed.root"
    ROOT.RDataFrame(3).Define("Run", "static_cast<int>(rdfentry_) * 5 - 5").Snapshot("events", str(path), ["Run"])
    schema = Schema(
        name="signed", title="", tree="events", columns={"Run": "int32"}, quantities={"run": {"expression": "Run"}},
        features="razor",
    )  # fmt: skip
    source = open_source([path], schema, tmp_path, [None])
    loop = EventLoop(source, (0, 3))
    result = define_quantities(loop.events, schema).Sum("run")
    with pytest.raises(EventLoopFailed, match=r"signed\.root broke off: run -5 is not a number of its kind"):
        loop.run([result])
