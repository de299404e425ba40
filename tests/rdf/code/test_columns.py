"""Physics columns of the graph against numpy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot

from rdf.code.columns import define_columns
from rdf.code.interpreter import ROOT, define
from rdf.errors import CompileError, EventLoopFailed
from rdf.execution.event_loop import EventLoop, use_threads
from rdf.schema.columns import rounded
from rdf.schema.features import choose_features
from rdf.schema.model import Schema, load_schema
from rdf.schema.quantities import ID_QUANTITIES
from rdf.sources.source import open_source
from tests.rdf.tables import in_order, table_of, table_schema
from tests.rdf.trees import arrays, columns_of, graph_of, opened

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.compiler]


N = 400


@pytest.fixture(scope="module")
def computed(razor: Any) -> dict[str, np.ndarray]:
    """Columns of the published sample, in its order."""
    use_threads(1)
    names = ["MR", "Rsq", "HT", "MET", "pt1", "pt2", "pt_ratio", "MET_over_HT", "dijet_mass", "centrality"]
    names += ["run", "luminosityBlock", "event"]
    schema = load_schema("cms_razor")
    assert "MTR" not in columns_of(razor.source, schema)  # MET has no direction in this file
    return arrays(graph_of(razor.source, schema, names), names)


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
    source = opened(path, schema)
    names = ["MR", "MTR", "Rsq", "HT", "MET", "met_pt", "pt1", "pt2", "MET_over_HT", "dijet_mass", "run", "event"]
    use_threads(1)
    return columns, arrays(graph_of(source, schema, names), names)


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
    source = opened(path, schema)
    assert not {"MR", "MET_over_HT", "megajets"} & columns_of(source, schema).keys()
    found = arrays(graph_of(source, schema, ["event", "MET"]), ["event", "MET"])
    assert found["event"].tolist() == [0, 1, 2]
    assert found["MET"].tolist() == [10, 20, 30]


@pytest.mark.parametrize("threads", [1, 2])
def test_rows_are_those_of_the_sample_where_it_has_several_tables(threads: int, tmp_path: Path) -> None:
    """Each table has rows from 0 in the cache; events of two tables must not share a number."""
    use_threads(threads)
    paths = [tmp_path / f"{name}.csv" for name in ("first", "second", "third")]
    for i, path in enumerate(paths):
        path.write_text("met,eta\n" + "".join(f"{5 * i + j},1\n" for j in range(5)))
    schema = table_schema(define={"x": "met"}, columns={"met": "float64", "eta": "float64"})
    source = open_source([str(path) for path in paths], schema, tmp_path / "cache", [None] * 3)
    found = arrays(graph_of(source, schema, ["event", "x"]), ["event", "x"])
    assert sorted(found["event"].tolist()) == list(range(15))
    np.testing.assert_array_equal(found["x"], found["event"])
    use_threads(1)


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


def test_features_are_rounded_once_to_float32_and_stand_in_order_side_by_side(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("a,b\n0.1,1e39\n1.1,7\n")
    schema = table_schema(define={"x": "a", "y": "b", "sum": "x + 2 * x"}, columns={"a": "float64", "b": "float64"})
    source = opened(path, schema)
    columns = rounded(columns_of(source, schema), ["y", "x", "sum"])
    events = define_columns(source.open(), columns, ID_QUANTITIES, ["y", "x", "sum"])
    for i, name in enumerate(("first", "second", "third")):
        events = define(events, name, f"static_cast<double>(recorded_event.values[{i}])")
    found = arrays(events, ["x", "y", "sum", "first", "second", "third"])
    assert found["x"].dtype == found["y"].dtype == found["sum"].dtype == np.float32
    assert found["first"].tolist() == [np.inf, 7]
    assert found["second"].tolist() == [float(np.float32(0.1)), float(np.float32(1.1))]
    # Of the unrounded 0.1, and rounded once.
    assert found["third"].tolist() == [float(np.float32(0.1 + 2 * 0.1)), float(np.float32(1.1 + 2 * 1.1))]


@pytest.mark.parametrize("name", ["Run", "run"])
def test_a_negative_run_number_is_no_other_run(name: str, tmp_path: Path) -> None:
    """An Int_t of a user's tree where the canonical run is unsigned: -5 would come out as 4294967291."""
    path = tmp_path / "signed.root"
    ROOT.RDataFrame(3).Define(name, "static_cast<int>(rdfentry_) * 5 - 5").Snapshot("events", str(path), [name])
    schema = table_schema(columns={name: "int32"}, quantities={"run": {"expression": name}})
    source = opened(path, schema)
    loop = EventLoop(source, (0, 3))
    result = define_columns(loop.events, columns_of(source, schema), ["run"]).Sum("run")
    with pytest.raises(EventLoopFailed, match=r"signed\.root broke off: run -5 is not a number of its kind"):
        loop.run([result])


def test_negative_event_numbers_are_those_of_32_bits_beyond_2_to_the_31(tmp_path: Path) -> None:
    """As in 4mu_2011.csv and in ATLAS's trees of 2020: by programs that keep them in 32 bits with a sign."""
    numbers = [1057623, -1740574263, -1, -(2**31), 0, 2**31 - 1, 2**31, 2**32, 2**63 - 1]
    expected = [1057623, 2554393033, 2**32 - 1, 2**31, 0, 2**31 - 1, 2**31, 2**32, 2**63 - 1]
    path = tmp_path / "4mu_2011.csv"
    path.write_text("Run,Event \n" + "".join(f"1,{number}\n" for number in numbers))
    schema = table_schema(columns={"Event": "int64"}, quantities={"event": {"expression": "Event"}})
    source = opened(path, schema)
    events = define_columns(source.open(), columns_of(source, schema), ["event"])
    assert arrays(events, ["event"])["event"].tolist() == expected
    for name in ("cms_dimuon", "cms_fourmuon"):
        assert load_schema(name).columns["Event"] == "int64"
    path.write_text(f"Event\n7\n{-(2**31) - 1}\n")
    source = opened(path, schema)
    loop = EventLoop(source, (0, 2))
    result = define_columns(loop.events, columns_of(source, schema), ["event"]).Sum("event")
    with pytest.raises(EventLoopFailed, match="event -2147483649 is not a number of its kind"):
        loop.run([result])


def test_what_a_schema_takes_from_the_file_is_used_where_objects_could_make_it(tmp_path: Path) -> None:
    random = np.random.default_rng(8)
    names = ("MR", "Rsq", "HT", "MET", "x", "a_pt", "b_pt")
    sets = {name: random.uniform(1, 100, 40) for name in names}
    jets = {
        "jet_pt": {"expression": "ROOT::RVec<double>{a_pt, b_pt}"},
        "jet_eta": {"expression": "ROOT::RVec<double>{0.5, -1.0}"},
        "jet_phi": {"expression": "ROOT::RVec<double>{0.1, -2.5}"},
        "jet_mass": {"expression": "ROOT::RVec<double>{1.0, 2.0}"},
    }
    met = {"met_pt": {"expression": "MET", "unit": "MeV"}, "met_phi": {"expression": "0.3"}}
    stored = {"Rsq": {"expression": "Rsq"}, "HT": {"expression": "HT", "unit": "MeV"}}
    mine = {"mine": {"features": names[:5], "plane": names[:2]}}
    everything = {
        "nothing": {},
        "MET alone": met,
        "MET, Rsq and HT": met | stored,
        "objects too": met | stored | jets,
        "MR too": met | stored | jets | {"MR": {"expression": "MR", "unit": "TeV"}},
        "objects and no quantities of these names": met | jets,
    }
    for which, quantities in everything.items():
        source, schema = table_of(tmp_path, sets, quantities=quantities, feature_sets=mine, features="mine")
        found = in_order(source, schema, *names[:5])
        expected = {name: sets[name] for name in names[:5]}
        expected["MET"] = sets["MET"] * (1e-3 if "met_pt" in quantities else 1)
        expected["HT"] = sets["HT"] * (1e-3 if "HT" in quantities else 1)
        expected["MR"] = sets["MR"] * (1e3 if "MR" in quantities else 1)
        for name, values in expected.items():
            np.testing.assert_allclose(found[name], values, rtol=1e-14, err_msg=f"{name} of {which}")


def test_the_razor_schema_computes_mr_although_the_file_has_it(opendata: Path, tmp_path: Path) -> None:
    schema = load_schema("cms_razor")
    source = open_source([str(opendata / "cms2010b" / "MultiJetRun2010B.csv")], schema, tmp_path, [None])
    assert columns_of(source, schema)["MR"] == "razor::compute_MR(megajets.first, megajets.second)"


def test_columns_that_a_feature_set_names_as_they_are(tmp_path: Path) -> None:
    sets = {"input_1": np.array([0.1, 0.2]), "n": np.array([3, 5]), "MET": np.array([7.0, 8.0])}
    features = {"mine": {"features": ["n", "input_1", "sum"], "plane": ["n", "sum"]}}
    define = {"sum": {"expression": "n + input_1 + MET", "title": "#Sigma"}}
    source, schema = table_of(tmp_path, sets, define=define, feature_sets=features, features="mine")
    chosen = choose_features(None, schema, {}, columns_of(source, schema))
    assert chosen.chosen.features == ("n", "input_1", "sum")
    assert [chosen.described[name].title for name in chosen.chosen.features] == ["n", "input 1", "#Sigma"]
    columns = rounded(columns_of(source, schema), chosen.chosen.features)
    found = arrays(define_columns(source.open(), columns, chosen.chosen.features), chosen.chosen.features)
    order = np.argsort(found["n"])
    assert [found[name].dtype for name in found] == [np.float32] * 3
    assert found["n"][order].tolist() == [3, 5]
    assert found["input_1"][order].tolist() == np.float32([0.1, 0.2]).tolist()
    assert found["sum"][order].tolist() == np.float32([10.1, 13.2]).tolist()
