"""Physics columns of the graph against numpy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot

from rdf.code.columns import (
    check_conditions,
    define_columns,
    dropped_conditions,
    effective_selection,
    physics_columns,
    rounded,
)
from rdf.code.interpreter import ROOT, define
from rdf.errors import CompileError, EventLoopFailed, SchemaError
from rdf.execution.event_loop import EventLoop, use_threads
from rdf.graph.selection import book_non_finite, select_finite
from rdf.schema.features import FEATURES, choose_features
from rdf.schema.model import ID_QUANTITIES, SCHEMAS, Definition, Objects, Schema, load_schema, names_in
from rdf.schema.physics import PHYSICS
from rdf.schema.variations import VARIATIONS
from rdf.sources.source import Source, open_source
from tests.rdf import reference
from tests.rdf.trees import (
    NANOAOD_KINDS,
    WRITERS,
    Values,
    arrays,
    columns_of,
    graph_of,
    nanoaod,
    opened,
    write_rntuple,
    write_ttree,
)

N = 400


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    use_threads(1)
    yield
    use_threads(1)


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


def table_schema(**parts: Any) -> Schema:
    return Schema.model_validate(
        {"name": "table", "title": "", "tree": "events", "columns": {}, "quantities": {}, "features": "razor", **parts}
    )


# Words of our own expressions.

STATED = ("stated_", "defined_")
"""How the names of columns begin whose expressions schemas and users have written."""


def words_that_are_no_columns(expression: str) -> set[str]:
    """Names of functions, namespaces and members, as they stand in an expression."""
    return set(re.findall(r"[A-Za-z_]\w*", expression)) - names_in(expression)


def columns_of_a_whole_file(schema: Schema, varied: tuple[str, ...]) -> dict[str, str]:
    """All columns that a file with everything in the schema can have."""
    available = schema.resolve(schema.columns, "file")
    return physics_columns(schema, available, schema.objects, {}, varied)


@pytest.mark.parametrize("name", sorted(path.stem for path in SCHEMAS.glob("*.yaml")))
@pytest.mark.parametrize("varied", [(), tuple(VARIATIONS)])
def test_no_function_has_the_name_of_a_column(name: str, varied: tuple[str, ...]) -> None:
    """So that none is taken for the other, by a reader either."""
    schema = load_schema(name)
    columns = columns_of_a_whole_file(schema, varied)
    columns = rounded(columns, [column for column in columns if column in FEATURES])
    scales = {variation.column for variation in VARIATIONS.values()}
    known = {*columns, *schema.columns, *PHYSICS, *FEATURES, *scales, "feature_vector", "source_row"}
    # What stands in quotes is text, for the message of an error.
    ours = {column: expression for column, expression in columns.items() if not column.startswith(STATED)}
    found = {c: words_that_are_no_columns(re.sub(r'"\w*"', "", e)) & known for c, e in ours.items()}
    assert {column: words for column, words in found.items() if words} == {}


def test_no_kernel_of_the_tables_has_the_name_of_a_column() -> None:
    every = {*PHYSICS, *FEATURES, *(name for path in SCHEMAS.glob("*.yaml") for name in load_schema(path.stem).columns)}
    for name, expressions in PHYSICS.items():
        for expression in expressions:
            assert not words_that_are_no_columns(expression) & every, (name, expression)


@pytest.mark.parametrize("name", sorted(path.stem for path in SCHEMAS.glob("*.yaml")))
def test_every_column_comes_after_what_it_is_made_of(name: str) -> None:
    columns = columns_of_a_whole_file(load_schema(name), tuple(VARIATIONS))
    place = {column: i for i, column in enumerate(columns)}
    for column, expression in columns.items():
        if not column.startswith("stated_"):
            for used in names_in(expression) & columns.keys() - {column.removeprefix("defined_")}:
                assert place[used] < place[column], (used, column)


@pytest.mark.parametrize("name", ["higgs", "higgs_csv", "lhco", "tracks"])
def test_columns_of_a_formats_own_are_all_there(name: str) -> None:
    """Also those that are called like a canonical quantity, as HIGGS's lepton_eta."""
    schema = load_schema(name)
    assert schema.define.keys() <= columns_of_a_whole_file(schema, ()).keys()


# What is refused, in the words of Cling and clang, or of g++.

NO_EXPRESSION = "expected (expression|primary-expression .*)"


def unknown(name: str) -> str:
    return f"(use of undeclared identifier '{name}'|'{name}' was not declared in this scope)"


@pytest.fixture(scope="module")
def nano(tmp_path_factory: pytest.TempPathFactory) -> Path:
    use_threads(1)
    return write_ttree(tmp_path_factory.mktemp("nano") / "nano.root", "Events", nanoaod(40, 1), NANOAOD_KINDS)


def graph(path: Path, wanted: str, objects: dict[str, Objects] | None = None, **definitions: str) -> Any:
    schema = load_schema("cms_nanoaod")
    defined = {name: Definition(expression=expression) for name, expression in definitions.items()}
    return graph_of(opened(path, schema), schema, [wanted], objects, defined)


def test_a_definition_that_is_no_cpp(nano: Path) -> None:
    with pytest.raises(SchemaError, match=rf"^column 'x' = 'MR \+\* \)': {NO_EXPRESSION}; correct the expression$"):
        graph(nano, "x", x="MR +* )")
    with pytest.raises(SchemaError, match=rf"^column 'x' = 'HTT / MR': {unknown('HTT')}; did you mean HT\?$"):
        graph(nano, "x", x="HTT / MR")
    with pytest.raises(SchemaError, match=rf"{unknown('Jet_nuonIdx')}; did you mean Jet_"):
        graph(nano, "x", x="Jet_nuonIdx[0]")
    with pytest.raises(
        SchemaError, match=r"^column 'x' = 'jets\.pt\(\)': .*(no member .*'pt' in .*RVec|RVec.* no member .*'pt')"
    ):
        graph(nano, "x", x="jets.pt()")
    # One that nobody asks for is not compiled.
    assert graph(nano, "MR", x="MR +* )").Count().GetValue() == 40


def test_a_condition_on_objects_that_is_no_cpp(nano: Path) -> None:
    message = rf"^selection of jets \(`where`, .*\), 'Jet_jetID >= 2': {unknown('Jet_jetID')}; did you mean J"
    with pytest.raises(SchemaError, match=message):
        graph(nano, "HT", {"jet": Objects(where="Jet_jetID >= 2")})
    with pytest.raises(SchemaError, match=rf"^selection of jets \(`where`, .*\), 'Jet_jetId >=': {NO_EXPRESSION}"):
        graph(nano, "HT", {"jet": Objects(where="Jet_jetId >=")})
    with pytest.raises(SchemaError, match=r"^selection of jets \(`where`, .*\), 'Jet_pt\[0\] > 30': .*'size'"):
        graph(nano, "HT", {"jet": Objects(where="Jet_pt[0] > 30")})
    with pytest.raises(
        SchemaError, match=rf"^selection of muons \(`where`, .*\), .*: {unknown('Muon_pt_')}; did you mean Muon_pt,"
    ):
        graph(nano, "mll", {"muon": Objects(where="Muon_pt_ > 2")})


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        (
            "Jet_pt +* )",
            rf"^quantity 'jet_pt' of the schema, 'Jet_pt \+\* \)': {NO_EXPRESSION}",
        ),
        (
            "Jet_ptt",
            rf"^quantity 'jet_pt' of the schema, .*: {unknown('Jet_ptt')}; did you mean Jet_pt",
        ),
        ("PuppiMET_pt", r"^quantity 'jet_pt' of the schema, 'PuppiMET_pt': "),  # no array
    ],
)
def test_a_schemas_expression_that_is_no_cpp(expression: str, message: str, nano: Path) -> None:
    schema = load_schema("cms_nanoaod")
    quantity = schema.quantities["jet_pt"].model_copy(update={"expression": (expression,)})
    schema = schema.model_copy(update={"quantities": {**schema.quantities, "jet_pt": quantity}})
    with pytest.raises(SchemaError, match=message) as caught:
        graph_of(opened(nano, schema), schema, ["HT"])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["MR", "jets", "lepton_pt", "event", "megajet1", "stored_HT", "source_jet_pt"])
def test_a_definition_takes_no_others_place(name: str) -> None:
    schema = load_schema("cms_nanoaod")
    with pytest.raises(SchemaError, match=rf"^define '{name}': there is a column of that name already; choose another"):
        physics_columns(schema, schema.resolve(schema.columns, "f"), {}, {name: Definition(expression="1.")})


def test_definitions_are_made_of_canonical_columns_and_of_each_other(nano: Path) -> None:
    definitions = {
        "twice": "2 * MET",
        "again": "twice + 1",
        "leading_btag": "jets.empty() ? -1. : jet_pt[0]",
        "PuppiMET_phi_": "static_cast<double>(PuppiMET_phi)",  # of the file's own
    }
    names = list(definitions)
    schema = load_schema("cms_nanoaod")
    defined = {name: Definition(expression=expression) for name, expression in definitions.items()}
    found = arrays(graph_of(opened(nano, schema), schema, [*names, "MET"], None, defined), [*names, "MET"])
    columns = nanoaod(40, 1)
    met = np.asarray(columns["PuppiMET_pt"], dtype=np.float64)
    np.testing.assert_array_equal(found["MET"], met)
    np.testing.assert_array_equal(found["twice"], 2 * met)
    np.testing.assert_array_equal(found["again"], 2 * met + 1)
    np.testing.assert_array_equal(found["PuppiMET_phi_"], np.asarray(columns["PuppiMET_phi"], dtype=np.float64))
    leading = [max((pt for pt, _ in jets), default=-1) for jets in selected_jets(columns)]
    np.testing.assert_array_equal(found["leading_btag"], leading)


def selected_jets(columns: dict[str, Values], with_id: bool = True) -> list[list[tuple[float, int]]]:
    """(pT, place in the file) of the jets of each event that pass NanoAOD's default selection, in the file's order."""
    identity = columns["Jet_jetId"] if with_id else [[6] * len(pt) for pt in columns["Jet_pt"]]
    return [
        [(pt, i) for i, (pt, eta, j) in enumerate(zip(*event, strict=True)) if pt > 30 and abs(eta) < 2.4 and j >= 2]
        for event in zip(columns["Jet_pt"], columns["Jet_eta"], identity, strict=True)
    ]


@pytest.mark.parametrize("limit", ["limit", "HT"])
def test_a_condition_on_objects_sees_the_columns_of_the_file(limit: str, tmp_path: Path) -> None:
    """Also one that has the name of a feature."""
    kinds = {**{f"j_{part}": "float32[]" for part in ("pt", "eta", "phi", "mass")}, limit: "float32"}
    columns: dict[str, Values] = {f"j_{part}": [[0.5, -1.0, 0.0]] * 2 for part in ("eta", "phi", "mass")}
    columns |= {"j_pt": [[50.0, 40.0, 30.0]] * 2, limit: np.array([45, 35])}
    schema = table_schema(
        columns=kinds,
        quantities={f"jet_{part}": {"expression": f"j_{part}"} for part in ("pt", "eta", "phi", "mass")},
        objects={"jet": {"where": f"j_pt > {limit}"}},
    )
    source = opened(write_ttree(tmp_path / "a.root", "events", columns, kinds), schema)
    names = ["HT", "n_jets"]
    for table in (columns_of(source, schema), rounded(columns_of(source, schema), names)):
        found = arrays(define_columns(source.open(), table, names), names)
        assert found["HT"].tolist() == [50, 90]
        assert found["n_jets"].tolist() == [1, 2]


# NanoAOD of other versions.


@pytest.mark.parametrize(("met", "kind"), [("PuppiMET", "rntuple"), ("MET", "ttree"), ("PFMET", "ttree")])
def test_versions_of_nanoaod(met: str, kind: str, tmp_path: Path) -> None:
    """MET by its other names, b tags by theirs, no Jet_jetId."""
    columns, kinds = nanoaod(60, 3), dict(NANOAOD_KINDS)
    random = np.random.default_rng(1)
    for part in ("pt", "phi"):
        columns[f"{met}_{part}"] = columns.pop(f"PuppiMET_{part}")
        kinds[f"{met}_{part}"] = "float32"
    tag = {"PuppiMET": "Jet_btagPNetB", "MET": "Jet_btagDeepB", "PFMET": "Jet_btagCSVV2"}[met]
    columns[tag] = [np.float32(random.uniform(0, 1, len(pt))).tolist() for pt in columns["Jet_pt"]]
    columns["Jet_btagOther"] = [[-1.0] * len(pt) for pt in columns["Jet_pt"]]
    kinds |= {tag: "float32[]", "Jet_btagOther": "float32[]"}
    has_id = met == "MET"
    if not has_id:
        del columns["Jet_jetId"]
    schema = load_schema("cms_nanoaod")
    source = opened(WRITERS[kind](tmp_path / "nano.root", "Events", columns, kinds), schema)
    events = graph_of(source, schema, ["MET", "n_jets", "HT", "jet_btag", "event"])
    found = arrays(define(events, "btag_sum", "Sum(jet_btag)"), ["MET", "n_jets", "HT", "btag_sum", "event"])
    jets = selected_jets(columns, has_id)
    assert found["n_jets"].tolist() == [len(event) for event in jets]
    np.testing.assert_allclose(found["HT"], [sum(pt for pt, _ in event) for event in jets], rtol=1e-12)
    tags = [sum(values[i] for _, i in event) for values, event in zip(columns[tag], jets, strict=True)]
    np.testing.assert_allclose(found["btag_sum"], tags, rtol=1e-12)
    np.testing.assert_array_equal(found["MET"], np.asarray(columns[f"{met}_pt"], dtype=np.float64))
    np.testing.assert_array_equal(found["event"], columns["event"])


def test_the_configured_selection_replaces_the_schemas_value_by_value(nano: Path) -> None:
    columns = nanoaod(40, 1)

    def number_of_jets(pt: float, eta: float, identity: int) -> list[int]:
        values = zip(*(columns[f"Jet_{part}"] for part in ("pt", "eta", "jetId")), strict=True)
        return [
            sum(p > pt and abs(e) < eta and j >= identity for p, e, j in zip(*event, strict=True)) for event in values
        ]

    for objects, expected in (
        (None, (30, 2.4, 2)),
        (Objects(pt=50), (50, 2.4, 2)),
        (Objects(eta=1.0), (30, 1.0, 2)),
        (Objects(where="Jet_jetId >= 6"), (30, 2.4, 6)),
        (Objects(where=None), (30, 2.4, 0)),
        (Objects(pt=None, eta=None, where=None), (-1, 99, 0)),
    ):
        found = arrays(graph(nano, "n_jets", {"jet": objects} if objects else None), ["n_jets"])
        assert found["n_jets"].tolist() == number_of_jets(*expected), objects


# Unusual events: none of anything, very many, and broken ones.

Jet = tuple[float, float, float, float]
Lepton = tuple[float, float, float, float, int, int]
NAN, INF = np.nan, np.inf


def random_event(random: np.random.Generator, jets: int, leptons: int) -> tuple[list[Jet], list[Lepton], float]:
    def momentum(softest: float) -> Jet:
        pt, eta = np.float32(softest + random.exponential(40)), np.float32(random.normal(0, 1.2))
        energy = np.float32(pt * np.cosh(eta) * 1.02)
        return float(pt), float(eta), float(np.float32(random.uniform(-np.pi, np.pi))), float(energy)

    flavours = random.choice([11, 13], leptons)
    charges = random.choice([-1, 1], leptons)
    return (
        [momentum(20) for _ in range(jets)],
        [(*momentum(7), int(q), int(f)) for q, f in zip(charges, flavours, strict=True)],
        float(np.float32(random.exponential(40))),
    )


GOOD: Jet = (50.0, 0.5, 1.0, 60.0)
OTHER: Jet = (40.0, -0.5, -2.0, 50.0)
MUON: Lepton = (30.0, 0.1, 0.3, 31.0, 1, 13)
BROKEN_EVENTS: dict[str, tuple[list[Jet], list[Lepton], float]] = {
    "nothing": ([], [], 30.0),
    "one jet": ([GOOD], [MUON], 30.0),
    "no MET": ([GOOD, OTHER], [MUON, MUON], 0.0),
    "NaN pT": ([GOOD, (NAN, 0.0, 1.0, 60.0), OTHER], [MUON, MUON], 30.0),
    "negative energy": ([GOOD, (50.0, 0.0, 1.0, -60.0), OTHER], [MUON, MUON], 30.0),
    "negative pT": ([GOOD, (-50.0, 0.0, 1.0, 60.0), OTHER], [MUON, MUON], 30.0),
    "infinite energy": ([GOOD, (50.0, 0.0, 1.0, INF), OTHER], [MUON, MUON], 30.0),
    "NaN phi": ([GOOD, (50.0, 0.0, NAN, 60.0), OTHER], [MUON, MUON], 30.0),
    "eta beyond all": ([GOOD, (50.0, 1e4, 1.0, 60.0), OTHER], [MUON, MUON], 30.0),
    "jet of nothing": ([GOOD, (0.0, 0.0, 0.0, 0.0), OTHER], [MUON, MUON], 30.0),
    "NaN MET": ([GOOD, OTHER], [MUON, MUON], NAN),
    "NaN lepton": ([GOOD, OTHER], [MUON, (NAN, 0.0, 0.0, 31.0, -1, 13)], 30.0),
}
# Columns that are finite, of those below, in each broken event.
LOOKED_AT = ("n_jets", "HT", "MR", "Rsq", "MET", "mll", "lepton_pt_sum", "centrality", "sphericity", "MET_over_HT")
OF_JETS, OF_LEPTONS = {"HT", "MR", "Rsq", "MET_over_HT"}, {"mll", "lepton_pt_sum"}
OF_BOTH = {"centrality", "sphericity"}
FINITE: dict[str, set[str]] = {
    "nothing": {"n_jets", "HT", "MET", "lepton_pt_sum"},  # sums of nothing
    "one jet": {"n_jets", "HT", "MET", "lepton_pt_sum", "MET_over_HT", *OF_BOTH},
    "no MET": set(LOOKED_AT),
    "NaN pT": {"n_jets", "MET", *OF_LEPTONS},
    "negative energy": {"n_jets", "MET", "HT", "MET_over_HT", *OF_LEPTONS, "sphericity"},  # momenta are whole
    "negative pT": {"n_jets", "MET", *OF_LEPTONS},
    "infinite energy": {"n_jets", "MET", "HT", "MET_over_HT", *OF_LEPTONS, "sphericity", "centrality"},
    "NaN phi": {"n_jets", "MET", *OF_LEPTONS},
    "eta beyond all": {"n_jets", "MET", "HT", "MET_over_HT", *OF_LEPTONS},
    "jet of nothing": set(LOOKED_AT),
    "NaN MET": set(LOOKED_AT) - {"MET", "Rsq", "MET_over_HT"},
    "NaN lepton": {"n_jets", "MET", *OF_JETS},
}


@dataclass(frozen=True)
class Unusual:
    files: dict[str, Path]
    events: list[tuple[list[Jet], list[Lepton], float]]
    names: list[str | None]


@pytest.fixture(scope="module")
def unusual(tmp_path_factory: pytest.TempPathFactory) -> Unusual:
    """Usual events and, in several places among them, the others; in clusters that two threads share."""
    use_threads(1)
    random = np.random.default_rng(31)
    names: list[str | None] = []
    events = []
    for block in range(4):
        for jets in (0, 1, 2, 3, 7, 12, 40):
            names.append(None)
            events.append(random_event(random, jets, (block + jets) % 5))
        for name, event in BROKEN_EVENTS.items():
            names.append(name)
            events.append(event)
    schema = load_schema("atlas2025")
    columns: dict[str, Values] = {
        f"jet_{part}": [[jet[i] for jet in jets] for jets, _, _ in events]
        for i, part in enumerate(("pt", "eta", "phi", "e"))
    }
    columns |= {
        f"lep_{part}": [[lepton[i] for lepton in leptons] for _, leptons, _ in events]
        for i, part in enumerate(("pt", "eta", "phi", "e", "charge", "type"))
    }
    columns |= {
        "met": np.array([met for _, _, met in events]),
        "met_phi": np.float32(random.uniform(-np.pi, np.pi, len(events))),
        "runNumber": np.full(len(events), 5),
        "eventNumber": np.arange(len(events)),
    }
    folder = tmp_path_factory.mktemp("unusual")
    rntuple = write_rntuple(folder / "rntuple.root", "analysis", columns, schema.columns, batch=9)
    options = ROOT.RDF.RSnapshotOptions()
    options.fAutoFlush = 9
    options.fOutputFormat = ROOT.RDF.ESnapshotOutputFormat.kTTree
    ttree = folder / "ttree.root"
    ROOT.RDataFrame("analysis", str(rntuple)).Snapshot("analysis", str(ttree), list(columns), options)
    return Unusual({"ttree": ttree, "rntuple": rntuple}, events, names)


@pytest.fixture(scope="module")
def of_unusual(unusual: Unusual) -> dict[tuple[str, int], tuple[dict[str, np.ndarray], dict[str, int], int]]:
    """By format and threads: columns in the order of the file, features that are not finite, events that are left."""
    found = {}
    schema = load_schema("atlas2025")
    for kind, path in unusual.files.items():
        for threads in (1, 2):
            slots = use_threads(threads)
            assert slots == threads
            source = opened(path, schema)
            columns = columns_of(source, schema)
            names = [name for name in PHYSICS if name in columns and name not in ("megajets", "visible")]
            loop = EventLoop(source, (0, source.events))
            events = define_columns(loop.events, columns, ["event", *names])
            taken = {name: events.Take[str(events.GetColumnType(name))](name) for name in names}
            order = events.Take["ULong64_t"]("event")
            recorded = define_columns(loop.events, rounded(columns, LOOKED_AT), ID_QUANTITIES, LOOKED_AT)
            counted = book_non_finite(recorded, LOOKED_AT, slots)
            left = select_finite(recorded, len(LOOKED_AT)).Count()
            assert loop.run([*taken.values(), order, counted.booked, left]).events == len(unusual.events)
            place = np.argsort(list(order.GetValue()))
            values = {name: np.array(list(result.GetValue()))[place] for name, result in taken.items()}
            found[kind, threads] = (values, counted.counts(), int(left.GetValue()))
    use_threads(1)
    return found


def test_unusual_events_are_the_same_in_every_format_and_with_any_threads(of_unusual: Any) -> None:
    values, counts, left = of_unusual["ttree", 1]
    assert len(values) == len(FEATURES)
    for other, other_counts, other_left in of_unusual.values():
        assert (other_counts, other_left) == (counts, left)
        for name, column in values.items():
            np.testing.assert_array_equal(other[name], column, err_msg=name)


@pytest.mark.parametrize("name", BROKEN_EVENTS)
def test_a_broken_event_is_nan_where_it_is_broken_and_nowhere_else(
    name: str, unusual: Unusual, of_unusual: Any
) -> None:
    values, _, _ = of_unusual["rntuple", 1]
    places = [i for i, event in enumerate(unusual.names) if event == name]
    assert len(places) == 4
    for i in places:
        assert {column for column in LOOKED_AT if np.isfinite(values[column][i])} == FINITE[name]
    assert values["n_jets"][places].tolist() == [len(BROKEN_EVENTS[name][0])] * 4


def test_every_event_that_is_not_finite_is_counted_out(unusual: Unusual, of_unusual: Any) -> None:
    values, counts, left = of_unusual["rntuple", 2]
    whole = np.float32([values[name] for name in LOOKED_AT])
    assert counts == {name: int((~np.isfinite(row)).sum()) for name, row in zip(LOOKED_AT, whole, strict=True)}
    assert left == np.isfinite(whole).all(axis=0).sum()
    # Of the broken ones two kinds are whole.
    assert np.isfinite(whole[:, [n in ("no MET", "jet of nothing") for n in unusual.names]]).all()


def test_usual_events_among_unusual_ones_are_those_of_numpy(unusual: Unusual, of_unusual: Any) -> None:
    """With 0 to 12 jets; reference.py tries every partition, and 40 jets have 550 thousand million."""
    values, _, _ = of_unusual["ttree", 2]
    with uproot.open(unusual.files["rntuple"]) as file:
        phi = file["analysis"]["met_phi"].array(library="np")
    chosen = [i for i, (jets, _, _) in enumerate(unusual.events) if unusual.names[i] is None and len(jets) <= 12]
    assert len(chosen) == 24

    def objects(kind: int, *parts: str) -> Any:
        import awkward as ak

        columns = [[[o[i] for o in unusual.events[n][kind]] for n in chosen] for i in range(len(parts))]
        return reference.vector.zip(
            {p: ak.values_astype(ak.Array(c), np.float64) for p, c in zip(parts, columns, strict=True)}
        )

    met = reference.vector.array({"pt": [unusual.events[n][2] for n in chosen], "phi": phi[chosen].astype(np.float64)})
    events = reference.Events(
        {},
        objects(0, "pt", "eta", "phi", "energy"),
        objects(1, "pt", "eta", "phi", "energy", "charge", "flavour"),
        reference.vector.zip({"pt": met.pt, "phi": met.phi}),
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = reference.physics_columns(events, reference.EVERY_OBJECT)
    assert set(expected) == set(values)
    for name, column in expected.items():
        found, wanted = values[name][chosen], np.asarray(column, dtype=np.float64)
        finite = np.isfinite(wanted)
        np.testing.assert_array_equal(np.isfinite(found), finite, err_msg=name)
        np.testing.assert_allclose(found[finite], wanted[finite], rtol=1e-8, atol=1e-8, err_msg=name)


def test_forty_jets(unusual: Unusual, of_unusual: Any) -> None:
    values, _, _ = of_unusual["rntuple", 1]
    for i, (jets, _, _) in enumerate(unusual.events):
        if len(jets) == 40:
            assert values["n_jets"][i] == 40
            assert values["HT"][i] == pytest.approx(sum(jet[0] for jet in jets), rel=1e-12)
            energy = sum(jet[3] for jet in jets)
            pz = sum(jet[0] * np.sinh(jet[1]) for jet in jets)
            # MR is at least what all momenta across the beam leave, and at most the energy.
            assert 0 < values["MR"][i] < energy
            total = [sum(jet[0] * f(jet[2]) for jet in jets) for f in (np.cos, np.sin)]
            mass = np.sqrt(energy**2 - pz**2 - total[0] ** 2 - total[1] ** 2)
            assert values["dijet_mass"][i] == pytest.approx(mass, rel=1e-9)


def test_definitions_in_any_order_and_in_a_circle(nano: Path) -> None:
    schema = load_schema("cms_nanoaod")
    source = open_source([str(nano)], schema, nano.parent, [None])
    definitions = {"b": Definition(expression="a * 2"), "a": Definition(expression="HT + 1")}
    columns = physics_columns(schema, source.available, {}, definitions)
    use_threads(1)
    found = define_columns(source.open(), columns, ("HT", "b")).AsNumpy(["HT", "b"])
    np.testing.assert_array_equal(found["b"], (found["HT"] + 1) * 2)
    circle = {"a": Definition(expression="b"), "b": Definition(expression="a")}
    with pytest.raises(SchemaError, match=r"^define: a, b are made of each other; resolve that$"):
        physics_columns(schema, source.available, {}, circle)


@pytest.mark.parametrize(
    "name",
    [*("votes", "score_isolation_forest", "recorded_event", "source_x", "stated_x", "defined_x", "jet_order", "HT")],
)
def test_a_definition_cannot_take_a_name_that_is_ours(name: str, nano: Path) -> None:
    schema = load_schema("cms_nanoaod")
    source = open_source([str(nano)], schema, nano.parent, [None])
    with pytest.raises(SchemaError, match=f"^define '{name}': there is a column of that name already"):
        physics_columns(schema, source.available, {}, {name: Definition(expression="HT / 2")})


def test_a_selection_of_what_the_sample_does_not_have_is_refused(opendata: Path, tmp_path: Path) -> None:
    schema = load_schema("cms_dimuon")
    source = open_source([str(opendata / "cmscsv" / "Zmumu_Run2011A.csv")], schema, tmp_path, [None])
    with pytest.raises(SchemaError, match=r"^--objects: the sample has no jets; leave them out$"):
        effective_selection(schema, source.available, {"jet": Objects(pt=30)})


def test_a_condition_of_the_schemas_whose_column_is_missing_is_dropped_and_told(tmp_path: Path) -> None:
    """NanoAOD v15 has no Jet_jetId."""
    events = nanoaod(50, 4)
    without = {name: values for name, values in events.items() if name != "Jet_jetId"}
    schema = load_schema("cms_nanoaod")
    whole, lacking = (
        opened(write_ttree(tmp_path / name, "Events", columns, NANOAOD_KINDS), schema).available
        for name, columns in (("v12.root", events), ("v15.root", without))
    )
    assert dropped_conditions(schema, whole, {}) == {}
    assert dropped_conditions(schema, lacking, {}) == {"jet": ("Jet_jetId >= 2", "Jet_jetId")}
    assert effective_selection(schema, lacking, {})["jet"] == Objects(pt=30, eta=2.4)
    # A condition of the user's own takes its place, also an empty one.
    assert dropped_conditions(schema, lacking, {"jet": Objects(where="Jet_mass > 5")}) == {}
    assert dropped_conditions(schema, lacking, {"jet": Objects(where=None)}) == {}
    assert dropped_conditions(schema, lacking, {"jet": Objects(pt=50)}) == {"jet": ("Jet_jetId >= 2", "Jet_jetId")}
    message = r"^jets are selected by 'Jet_jetId >= 2', and the sample has no column 'Jet_jetId'; take "
    with pytest.raises(SchemaError, match=message):
        check_conditions(schema, lacking, effective_selection(schema, whole, {}))
    check_conditions(schema, lacking, effective_selection(schema, lacking, {}))


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


def table_of(path: Path, sets: dict[str, np.ndarray], **keys: Any) -> tuple[Source, Schema]:
    """A table with these columns, and a schema with these keys."""
    schema = Schema.model_validate(
        {
            "name": "made_up",
            "title": "made up",
            "tree": "events",
            "features": "razor",
            "quantities": {},
            "columns": {name: str(values.dtype) for name, values in sets.items()},
            **keys,
        }
    )
    np.savez(path / "table.npz", **sets)  # type: ignore[arg-type]
    return opened(path / "table.npz", schema), schema


def in_order(source: Source, schema: Schema, *wanted: str) -> dict[str, np.ndarray]:
    found = arrays(graph_of(source, schema, [*wanted]), ["source_row", *wanted])
    order = np.argsort(found["source_row"])
    return {name: values[order] for name, values in found.items()}


@pytest.mark.parametrize(
    ("ids", "background", "labels"),
    [
        (np.int32([0, 3, 1, -2, 3, 7]), [0, 3], [0, 0, 1, 1, 0, 1]),
        (np.int8([0, 3, 1, -1, 127, -128]), [256, 3, -1], [1, 0, 1, 0, 1, 1]),
        (np.uint64([0, 2**64 - 1, 2**63, 1, 5, 2**53]), [-1, 5, 2**53], [1, 1, 1, 1, 0, 0]),
        (np.float64([0, np.nan, np.inf, -np.inf, 2.5, 3]), [0, 3], [0, -1, -1, -1, 1, 0]),
        (np.float32([16777216, 0, 1, 2, 3, 4]), [16777217], [1, 1, 1, 1, 1, 1]),
        (np.bool_([0, 1, 1, 0, 1, 0]), [0], [0, 1, 1, 0, 1, 0]),
        (np.int32([0, 1, 2, -1, 1, 0]), None, [0, 1, -1, -1, 1, 0]),
        (np.uint8([0, 1, 2, 255, 1, 0]), None, [0, 1, -1, -1, 1, 0]),
        (np.float64([0, 1, 0.5, np.nan, np.inf, -0.0]), None, [0, 1, -1, -1, -1, 0]),
        (np.bool_([0, 1, 1, 0, 1, 0]), None, [0, 1, 1, 0, 1, 0]),
    ],
)
@pytest.mark.parametrize("column", ["Dataset_ID", "label"])
def test_labels(column: str, ids: np.ndarray, background: list[int] | None, labels: list[int], tmp_path: Path) -> None:
    label = {"expression": column, "optional": True} | ({} if background is None else {"background": background})
    source, schema = table_of(tmp_path, {"weight": np.ones(6), column: ids}, quantities={"label": label})
    found = in_order(source, schema, "label")["label"]
    assert found.dtype == np.int32
    assert found.tolist() == labels


def test_there_is_a_label_only_where_the_source_has_one(tmp_path: Path) -> None:
    label = {"label": {"expression": "Dataset_ID", "optional": True}}
    source, schema = table_of(tmp_path, {"Dataset_ID": np.arange(2)}, quantities=label)
    assert "label" in columns_of(source, schema)
    ttree = write_ttree(tmp_path / "t.root", "events", {"x": np.arange(2)}, {"x": "float64"})
    assert "label" not in columns_of(opened(ttree, schema), schema)
    source, schema = table_of(tmp_path, {"label": np.arange(2)})
    assert "label" not in columns_of(source, schema)


def test_weight_and_label_of_a_file_that_has_columns_of_these_names_for_something_else(tmp_path: Path) -> None:
    """Quantities are over the file's columns, also where a feature or another quantity has their name."""
    sets = {
        "event": np.array([5, 6, 7, 8]),
        "weight": np.array([1.5, -2.0, 3.0, -4.0]),
        "label": np.array([10.0, 11.0, 10.0, 11.0]),
        "kind": np.array([3, 4, 4, 3]),
        "mass": np.array([0.25, 0.5, 0.75, 1.0]),
    }
    quantities = {
        "event": {"expression": "event * 2"},
        "weight": {"expression": "label - 10"},
        "label": {"expression": "weight * mass > event - 7", "background": [0]},
    }
    define = {"mass": "mass * 1000", "kind": "kind"}
    source, schema = table_of(tmp_path, sets, quantities=quantities, define=define)
    columns = rounded(columns_of(source, schema), ["mass", "kind"])
    names = ["event", "weight", "label", "mass", "kind"]
    found = arrays(define_columns(source.open(), columns, names), [*names, "source_row"])
    order = np.argsort(found["source_row"])
    assert found["event"][order].tolist() == [10, 12, 14, 16]
    assert found["weight"][order].tolist() == [0, 1, 0, 1]
    assert found["label"][order].tolist() == [1, 0, 1, 0]
    assert found["mass"][order].tolist() == [250, 500, 750, 1000]
    assert found["kind"][order].tolist() == [3, 4, 4, 3]


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
