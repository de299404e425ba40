"""Files whose branches are called like words of our own C++, or as no expression can call them."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import uproot

from rdf.code.columns import define_columns
from rdf.code.interpreter import ROOT
from rdf.errors import MissingColumn
from rdf.execution.event_loop import use_threads
from rdf.schema.columns import rounded
from rdf.schema.model import Schema, load_schema
from rdf.schema.tables import Definition, Objects
from rdf.sources.source import Source, open_source
from tests.rdf.trees import NANOAOD_KINDS, Values, arrays, columns_of, graph_of, nanoaod, opened, write_ttree

pytestmark = pytest.mark.compiler

N = 50

WORDS = (
    *(
        "int",
        "unsigned",
        "double",
        "float",
        "class",
        "const",
        "auto",
        "static_cast",
        "reinterpret_cast",
        "true",
        "ROOT",
    ),
    *("std", "RVec", "VecOps", "Math", "PxPyPzEVector", "HUGE_VAL", "objects", "columns", "identifiers", "razor"),
    *("dilepton", "event_shape", "missing_pt", "recorded", "checked", "view", "evaluate", "graph", "compute", "size"),
    *("begin", "number", "note", "part", "slot", "entry_numbers", "hypot", "first", "second", "Pt", "jets", "leptons"),
    *("jet_pt", "lepton_flavour", "met_pt", "MR", "HT", "visible", "order", "stated_jet_pt", "source_jet_pt", "row"),
    *("column_jet_pt", "file_Jet_pt", "megajets", "charge", "values", "event_", "made", "background", "this", "new"),
)
"""Names of branches that stand in our own C++ for something else, or for a column of ours."""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    use_threads(1)
    yield
    use_threads(1)


def test_branches_that_are_called_like_words_of_ours(tmp_path: Path) -> None:
    """With all of them in the file every column is as without, varied and with event numbers of our own too."""
    plain, kinds = nanoaod(N, 5), dict(NANOAOD_KINDS)
    for name in ("run", "luminosityBlock", "event"):
        del plain[name], kinds[name]
    random = np.random.default_rng(2)
    odd: dict[str, Values] = {**plain, **{name: random.normal(0, 1, N) for name in WORDS}}
    schema = load_schema("cms_nanoaod")
    names = [
        "MR",
        "Rsq",
        "HT",
        "MET",
        "n_jets",
        "n_electrons",
        "mll",
        "mz1",
        "centrality",
        "run",
        "event",
        "third",
        "own",
    ]
    definitions = {
        "third": Definition(expression='jet_pt[2] + static_cast<int>(0.5) + std::string("MR").size()'),
        "own": Definition(expression="int_ + 2 * PuppiMET_pt"),
    }
    found = []
    for path, columns in (("plain", plain), ("odd", odd)):
        columns = {**columns, "int_": np.arange(N)}
        every = {**kinds, **dict.fromkeys(WORDS, "float64"), "int_": "float64"}
        source = opened(write_ttree(tmp_path / f"{path}.root", "Events", columns, every), schema)
        objects = {"jet": Objects(where="Jet_jetId >= 2 && Jet_pt > static_cast<float>(31)")}
        events = graph_of(source, schema, names, objects, definitions, {"jes": 0.1})
        found.append(arrays(events, names))
        varied = ROOT.RDF.Experimental.VariationsFor(events.Sum("HT"))
        found[-1]["varied"] = np.array([varied[key] for key in ("nominal", "jes:up", "jes:down")])
    for name, values in found[0].items():
        np.testing.assert_array_equal(found[1][name], values, err_msg=name)
    assert len(set(found[0]["varied"])) == 3
    assert found[0]["event"].tolist() == list(range(N))
    np.testing.assert_allclose(found[0]["own"], np.arange(N) + 2 * np.float32(plain["PuppiMET_pt"]), rtol=1e-6)


def test_expressions_of_a_schema_see_the_columns_that_they_name(tmp_path: Path) -> None:
    names = ["class", "new", "int", "gamma", "y0", "log", "max", "pt", "objects", "HUGE_VAL", "float"]
    random = np.random.default_rng(3)
    columns: dict[str, Values] = {name: random.normal(0, 1, N) for name in names}
    define = {
        "lg": "std::log(std::abs(log)) + std::max(max, gamma)",
        "mixed": "class * 2 + int - static_cast<int>(3.7) * new + objects / HUGE_VAL",
        "cast": "(int) (2.5 + 0 * pt) + float",
    }
    table = dict.fromkeys(names, "float64")
    schema = Schema.model_validate(
        {
            "name": "words",
            "title": "",
            "tree": "t",
            "columns": table,
            "quantities": {},
            "define": define,
            "feature_sets": {"mine": {"features": [*names, *define], "plane": ["class", "lg"]}},
            "features": "mine",
        }
    )
    source = opened(write_ttree(tmp_path / "t.root", "t", columns, table), schema)
    wanted = [*names, *define]
    found = arrays(graph_of(source, schema, wanted), wanted)
    c: dict[str, Any] = columns
    for name in names:
        np.testing.assert_array_equal(found[name], c[name])
    np.testing.assert_allclose(found["lg"], np.log(np.abs(c["log"])) + np.maximum(c["max"], c["gamma"]))
    np.testing.assert_allclose(found["mixed"], c["class"] * 2 + c["int"] - 3 * c["new"] + c["objects"] / c["HUGE_VAL"])
    np.testing.assert_allclose(found["cast"], 2 + c["float"])


# Names that no expression can have.


def write_odd_tree(path: Path, first: int = 0, kind: str = "F") -> Path:
    """A TTree by ROOT with leaf lists, vectors and numbers under such names; values count from `first`."""
    file = ROOT.TFile(str(path), "recreate")
    tree = ROOT.TTree("t", "t")
    leaves = {name: array("f", [0, 0]) for name in ("el1", "el2")}
    for name, buffer in leaves.items():
        tree.Branch(name, buffer, "pt/F:eta/F")
    code = {"F": "f", "D": "d"}[kind]
    numbers = {name: array(code, [0]) for name in ("mu-pt", "mu pt", "m[1]", " lead ")}
    for name, buffer in numbers.items():
        tree.Branch(name, buffer, f"v/{kind}")
    vector = ROOT.std.vector["float"]()
    tree.Branch("AnalysisJetsAuxDyn.pt", vector)
    for i in range(first, first + N):
        for k, buffer in enumerate(leaves.values()):
            buffer[0], buffer[1] = 100 * k + i, 0.5 * k - i
        for k, buffer in enumerate(numbers.values()):
            buffer[0] = 1000 * (k + 1) + i
        vector.clear()
        for k in range(i % 4):
            vector.push_back(10 * i + k)
        tree.Fill()
    tree.Write()
    file.Close()
    return path


ODD = {
    "el2_pt": ("el2.pt", "float32"),
    "el1_eta": ("el1.eta", "float32"),
    "dash": ("mu-pt", "float32"),
    "blank": ("mu pt", "float32"),
    "bracket": ("m[1]", "float32"),
    "lead": (" lead ", "float32"),
    "jet_pt_raw": ("AnalysisJetsAuxDyn.pt", "float32[]"),
}
"""Alias -> name in the file, and type."""


def odd_schema(columns: Mapping[str, Any], **keys: Any) -> Schema:
    return Schema.model_validate(
        {"name": "odd", "title": "", "tree": "t", "columns": columns, "quantities": {}, "features": "razor", **keys}
    )


def aliases(names: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
    return {name: {"branch": branch, "type": kind} for name, (branch, kind) in names.items()}


DEFINE = {
    **{name: name for name, (_, kind) in ODD.items() if not kind.endswith("[]")},
    "second": "jet_pt_raw[1]",
    "sum": "Sum(jet_pt_raw[jet_pt_raw > 20]) + el2_pt",
}


@pytest.mark.parametrize("threads", [1, 2])
def test_aliases_in_ttrees_of_several_files(threads: int, tmp_path: Path) -> None:
    paths = [write_odd_tree(tmp_path / f"{i}.root", i * N) for i in range(2)]
    # As a feature set names them, too: a column of the name of the alias.
    schema = odd_schema(aliases(ODD), define=DEFINE)
    use_threads(threads)
    source = opened(paths, schema)
    assert source.aliases == {name: branch for name, (branch, _) in ODD.items()}
    assert source.types["jet_pt_raw"] == "ROOT::VecOps::RVec<float>"
    columns = rounded(columns_of(source, schema), DEFINE)
    found = arrays(define_columns(source.open(), columns, ["event"], list(DEFINE)), [*DEFINE, "event"])
    i = found["event"].astype(np.int64)
    assert sorted(i.tolist()) == list(range(2 * N))
    jets = [[10.0 * n + k for k in range(n % 4)] for n in i.tolist()]
    expected = {
        "el2_pt": 100.0 + i,
        "el1_eta": -1.0 * i,
        "dash": 1000.0 + i,
        "blank": 2000.0 + i,
        "bracket": 3000.0 + i,
        "lead": 4000.0 + i,
        "second": np.array([pt[1] if len(pt) > 1 else np.nan for pt in jets]),
        "sum": np.array([sum(p for p in pt if p > 20) for pt in jets]) + 100 + i,
    }
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)


def test_a_leaf_whose_name_two_branches_have_is_named_by_its_branch(tmp_path: Path) -> None:
    path = write_odd_tree(tmp_path / "t.root")
    plain = odd_schema({"pt": "float32"}, define={"x": "2 * pt"})
    with pytest.raises(
        MissingColumn, match=r"no column 'pt', .*; did you mean .*el2\.pt.*\? then write in `columns` pt: "
    ):
        opened(path, plain)
    for branch, first in (("el1.pt", 0), ("el2.pt", 100)):
        schema = odd_schema({"x": {"branch": branch, "type": "float32"}}, define={"y": "x"})
        found = arrays(graph_of(opened(path, schema), schema, ["y"]), ["y"])
        assert found["y"].tolist() == [first + i for i in range(N)]


@pytest.mark.parametrize(
    ("alias", "kind", "message"),
    [
        ("el2.pt", "float32[]", r"column 'x' is a Float_t, where schema odd says float32\[\]"),
        (
            "AnalysisJetsAuxDyn.pt",
            "float32",
            r"column 'x' is a ROOT::VecOps::RVec<float>, where schema odd says float32",
        ),
        ("mu-pt", "int32", r"column 'x' is a Float_t, where schema odd says int32"),
        (
            "el3.pt",
            "float32",
            r"no column 'el3\.pt', .* did you mean el\d\.pt, .*then write in `columns` x: \{branch: ",
        ),
    ],
)
def test_aliases_of_another_kind_or_of_nothing(alias: str, kind: str, message: str, tmp_path: Path) -> None:
    schema = odd_schema({"x": {"branch": alias, "type": kind}}, define={"y": "x"})
    with pytest.raises(MissingColumn, match=message):
        opened(write_odd_tree(tmp_path / "t.root"), schema)


def test_an_alias_that_is_the_name_of_another_branch(tmp_path: Path) -> None:
    path = write_ttree(tmp_path / "t.root", "t", {"pt": np.ones(2), "x": np.ones(2)}, {"pt": "float32", "x": "float32"})
    schema = odd_schema({"pt": {"branch": "x", "type": "float32"}}, define={"y": "pt"})
    with pytest.raises(
        MissingColumn, match=r"t\.root has a column 'pt', which schema odd says of 'x'; choose another name"
    ):
        opened(path, schema)


def test_files_that_store_an_alias_in_unlike_ways(tmp_path: Path) -> None:
    paths = [write_odd_tree(tmp_path / f"{kind}.root", kind=kind) for kind in "FD"]
    schema = odd_schema(aliases(ODD), define={"y": "dash"})
    with pytest.raises(
        MissingColumn, match=r"D\.root: 'mu-pt' is stored as Double_t, in .*F\.root as Float_t; analyse"
    ):
        opened(paths, schema)
    # One that nobody uses is not there.
    schema = odd_schema({**aliases(ODD), "x": {"branch": "el2.eta", "type": "float32"}}, define={"y": "x"})
    source = opened(paths, schema)
    assert "dash" in source.available.partly
    assert "dash" not in source.aliases
    assert arrays(graph_of(source, schema, ["y"]), ["y"])["y"].tolist() == [0.5 - i for i in range(N)] * 2


def test_aliases_in_an_rntuple(tmp_path: Path) -> None:
    path = tmp_path / "t.root"
    with uproot.recreate(path) as file:
        file.mkrntuple("t", {"mu-pt": np.arange(N, dtype=np.float32), "z": np.ones(N)})
    schema = odd_schema({"x": {"branch": "mu-pt", "type": "float32"}}, define={"y": "x"})
    assert arrays(graph_of(opened(path, schema), schema, ["y"]), ["y"])["y"].tolist() == list(range(N))


def write_csv(path: Path, columns: Mapping[str, np.ndarray]) -> Path:
    path = path.with_suffix(".csv")
    rows = zip(*(values.tolist() for values in columns.values()), strict=True)
    path.write_text("\n".join([",".join(columns), *(",".join(map(str, row)) for row in rows), ""]))
    return path


def write_npz(path: Path, columns: Mapping[str, np.ndarray]) -> Path:
    np.savez(path.with_suffix(".npz"), **columns)  # type: ignore[arg-type]
    return path.with_suffix(".npz")


def write_records(path: Path, columns: Mapping[str, np.ndarray]) -> Path:
    np.save(path.with_suffix(".npy"), np.rec.fromarrays(list(columns.values()), names=list(columns)))
    return path.with_suffix(".npy")


def write_hdf5(path: Path, columns: Mapping[str, np.ndarray]) -> Path:
    with h5py.File(path.with_suffix(".h5"), "w") as file:
        for name, values in columns.items():
            file[name] = values
    return path.with_suffix(".h5")


@pytest.mark.parametrize("write", [write_csv, write_npz, write_records, write_hdf5])
def test_aliases_in_tables(write: Callable[..., Path], tmp_path: Path) -> None:
    columns = {"mu pt": np.arange(4.0), "x": np.arange(4.0) + 10, "mu-eta": np.arange(4.0) - 5}
    path = write(tmp_path / "table", columns)
    schema = odd_schema(
        {
            "eta": {"branch": "mu-eta", "type": "float64"},
            "x": "float64",
            "pt": {"branch": "mu pt", "type": "float64"},
        },
        define={"y": "pt + 100 * eta + 10000 * x"},
    )
    source = opened(path, schema)
    expected = sorted((columns["mu pt"] + 100 * columns["mu-eta"] + 10000 * columns["x"]).tolist())
    assert sorted(arrays(graph_of(source, schema, ["y"]), ["y"])["y"].tolist()) == expected
    # A batch job reads what was converted.
    again = open_source(list(source.files), schema, tmp_path, [None])
    assert again.aliases == {}
    assert sorted(arrays(graph_of(again, schema, ["y"]), ["y"])["y"].tolist()) == expected
    other = odd_schema({"pt": {"branch": "mu-pt", "type": "float64"}}, define={"y": "pt"})
    with pytest.raises(MissingColumn, match=r"no column 'mu-pt', which schema odd needs; did you mean .*mu.pt"):
        opened(path, other)


def test_the_definitions_of_a_source_with_aliases_travel(tmp_path: Path) -> None:
    """As to a worker of a Dask cluster."""
    import cloudpickle

    schema = odd_schema({"x": {"branch": "el2.pt", "type": "float32"}}, define={"y": "x"})
    source: Source = cloudpickle.loads(cloudpickle.dumps(opened(write_odd_tree(tmp_path / "t.root"), schema)))
    copied: Schema = cloudpickle.loads(cloudpickle.dumps(schema))
    assert copied.aliases == schema.aliases
    assert arrays(graph_of(source, copied, ["y"]), ["y"])["y"].tolist() == [100.0 + i for i in range(N)]
