"""The HIGGS data set as a ROOT file and as a CSV file: 28 features of the same names, against independent readings."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import uproot
from numpy.typing import NDArray

from rdf import RNode
from rdf.schema.model import load_schema
from rdf.schema.tables import Definition
from rdf.sources.source import open_source

pytestmark = pytest.mark.compiler

# As the UCI Machine Learning Repository describes them.
FEATURES = (
    *("lepton_pT", "lepton_eta", "lepton_phi", "missing_energy_magnitude", "missing_energy_phi"),
    *(f"jet_{i}_{part}" for i in (1, 2, 3, 4) for part in ("pt", "eta", "phi", "btag")),
    *("m_jj", "m_jjj", "m_lv", "m_jlv", "m_bb", "m_wbb", "m_wwbb"),
)


def features(events: RNode, definitions: Mapping[str, Definition]) -> dict[str, NDArray[np.float64]]:
    """The defined columns, in the order of the file."""
    for name, definition in definitions.items():
        events = events.Define(f"defined_{name}", f"double({definition.expression})")
    found = events.AsNumpy(["source_row", *(f"defined_{name}" for name in definitions)])
    order = np.argsort(found["source_row"])
    return {name: found[f"defined_{name}"][order] for name in definitions}


@pytest.mark.parametrize("name", ["higgs", "higgs_csv"])
def test_all_features_are_one_set(name: str) -> None:
    schema = load_schema(name)
    assert tuple(schema.define) == FEATURES
    assert schema.feature_sets["higgs"].features == FEATURES
    assert schema.features == ("higgs",)
    assert len({definition.title for definition in schema.define.values()}) == 28
    assert {definition.unit for definition in schema.define.values()} == {""}


@pytest.mark.parametrize("tree", ["sig_tree", "bkg_tree"])
def test_features_of_the_root_file(tree: str, opendata: Path, tmp_path: Path) -> None:
    path = opendata / "higgs" / "Higgs_data.root"
    schema = load_schema("higgs").model_copy(update={"tree": tree})
    source = open_source([str(path)], schema, tmp_path, [None])
    assert source.events == 10_000
    found = features(source.open(), schema.define)
    with uproot.open(path) as file:
        for name in FEATURES:
            branch = name.replace("jet_", "jet") if name.startswith("jet_") else name
            assert found[name].tobytes() == file[tree][branch].array(library="np").astype(float).tobytes()


def test_features_and_label_of_the_csv_file(opendata: Path, tmp_path: Path) -> None:
    path = opendata / "higgs" / "sas_higgs.csv"
    schema = load_schema("higgs_csv")
    source = open_source([str(path)], schema, tmp_path, [None])
    assert source.events == 10_984
    found = features(source.open(), schema.define)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for name in FEATURES:
        assert found[name].tolist() == [float(row[name]) for row in rows]
    with uproot.open(source.files[0]) as file:
        assert file["events"]["label"].array(library="np").tolist() == [int(row["label"]) for row in rows]
