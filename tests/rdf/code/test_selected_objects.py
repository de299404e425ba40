"""Which objects count, by the schema and by the configuration."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rdf.code.columns import define_columns
from rdf.code.interpreter import define
from rdf.errors import SchemaError
from rdf.schema.columns import rounded
from rdf.schema.model import load_schema
from rdf.schema.object_selection import check_conditions, dropped_conditions, effective_selection
from rdf.schema.tables import Objects
from rdf.sources.source import open_source
from tests.rdf.code.nano import graph, selected_jets
from tests.rdf.tables import table_schema
from tests.rdf.trees import NANOAOD_KINDS, WRITERS, Values, arrays, columns_of, graph_of, nanoaod, opened, write_ttree

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.compiler]


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
    # What there is of electrons and muons says nothing of their identification.
    others = {
        "electron": ("Electron_cutBased >= 2", "Electron_cutBased"),
        "muon": ("Muon_looseId && Muon_pfRelIso04_all < 0.25", "Muon_looseId"),
    }
    assert dropped_conditions(schema, whole, {}) == others
    assert dropped_conditions(schema, lacking, {}) == {"jet": ("Jet_jetId >= 2", "Jet_jetId"), **others}
    assert effective_selection(schema, lacking, {})["jet"] == Objects(pt=30, eta=2.4)
    # A condition of the user's own takes its place, also an empty one.
    assert dropped_conditions(schema, lacking, {"jet": Objects(where="Jet_mass > 5")}) == others
    assert dropped_conditions(schema, lacking, {"jet": Objects(where=None)}) == others
    assert dropped_conditions(schema, lacking, {"jet": Objects(pt=50)})["jet"] == ("Jet_jetId >= 2", "Jet_jetId")
    assert dropped_conditions(schema, lacking, None) == {}
    message = r"^jets are selected by 'Jet_jetId >= 2', and the sample has no column 'Jet_jetId'; take "
    with pytest.raises(SchemaError, match=message):
        check_conditions(schema, lacking, effective_selection(schema, whole, {}))
    check_conditions(schema, lacking, effective_selection(schema, lacking, {}))
