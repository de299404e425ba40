"""Quantities by the columns that a file has: the first of several, optional ones, and parts of objects."""

from __future__ import annotations

import pytest

from rdf.errors import MissingColumn
from rdf.schema.model import load_schema
from rdf.schema.quantities import UNITS


def test_units_bring_to_gev() -> None:
    assert [5e4 * UNITS["MeV"], 50 * UNITS["GeV"], 0.05 * UNITS["TeV"]] == pytest.approx([50, 50, 50])
    assert UNITS["rad"] == UNITS[""] == 1


JETS = ["Jet_pt", "Jet_eta", "Jet_phi", "Jet_mass"]
MUONS = ["Muon_pt", "Muon_eta", "Muon_phi", "Muon_mass", "Muon_charge"]


@pytest.mark.parametrize(
    ("present", "met"),
    [
        (["PuppiMET", "MET", "PFMET"], "PuppiMET"),
        (["MET", "PFMET"], "MET"),
        (["PFMET"], "PFMET"),
        (["PFMET", "PuppiMET"], "PuppiMET"),
        ([], None),
    ],
)
def test_the_first_expression_counts_whose_columns_the_file_has(present: list[str], met: str | None) -> None:
    columns = [f"{name}_{part}" for name in present for part in ("pt", "phi")]
    available = load_schema("cms_nanoaod").resolve([*columns, *MUONS], "file.root")
    if met:
        assert available.quantities["met_pt"] == (f"{met}_pt", "GeV")
        assert available.quantities["met_phi"] == (f"{met}_phi", "rad")
    else:
        assert not {"met_pt", "met_phi"} & available.quantities.keys()
    assert available.columns == {*columns, *MUONS}


@pytest.mark.parametrize("tags", [["DeepFlavB", "PNetB", "DeepB", "CSVV2"], ["PNetB", "CSVV2"], ["DeepB"], ["CSVV2"]])
def test_b_tags_by_the_best_discriminator_that_there_is(tags: list[str]) -> None:
    available = load_schema("cms_nanoaod").resolve([*JETS, *(f"Jet_btag{tag}" for tag in reversed(tags))], "file.root")
    assert available.quantities["jet_btag"] == (f"Jet_btag{tags[0]}", "")


def test_optional_quantities() -> None:
    schema = load_schema("cms_nanoaod")
    assert schema.resolve([], "file.root").quantities == {}
    muons = set(schema.resolve(MUONS, "file.root").quantities)
    assert muons == {f"muon_{part}" for part in ("pt", "eta", "phi", "mass", "charge")}
    # Jets need no b tag.
    assert set(schema.resolve(JETS, "f").quantities) == {f"jet_{part}" for part in ("pt", "eta", "phi", "mass")}


@pytest.mark.parametrize(
    ("present", "message"),
    [
        (
            JETS[:3],
            r"^file\.root: no column 'Jet_mass', which schema cms_nanoaod needs for jet_mass; did you mean Jet_",
        ),
        (JETS[1:], r"no column 'Jet_pt', .* needs for jet_pt; did you mean Jet_phi, Jet_eta"),
        (JETS[:1], r"no column 'Jet_eta', .* needs for jet_eta"),
        ([*JETS, *MUONS[:4]], r"no column 'Muon_charge', .* needs for muon_charge; did you mean Muon_"),
        ([*MUONS, "Electron_pt"], r"no column 'Electron_eta', .* needs for electron_eta; did you mean Electron_pt"),
        (["Jets_pt", *JETS[1:]], r"no column 'Jet_pt', .* did you mean Jets_pt"),
    ],
)
def test_an_object_of_which_the_file_has_a_part(present: list[str], message: str) -> None:
    with pytest.raises(MissingColumn, match=message):
        load_schema("cms_nanoaod").resolve(present, "file.root")


def test_a_quantity_that_is_not_optional() -> None:
    schema = load_schema("atlas2025")
    columns = set(schema.columns) - {"mcWeight", "jet_btag_quantile"}
    assert set(schema.quantities) - set(schema.resolve(columns, "f").quantities) == {
        "weight",
        "jet_btag",
        "jet_btagged",
    }
    message = (
        r"^data\.root: no column 'lep_e', which schema atlas2025 needs for lepton_energy; did you mean lep_eta, lep_E"
    )
    with pytest.raises(MissingColumn, match=message):
        schema.resolve(columns - {"lep_e"} | {"lep_E"}, "data.root")
    # An own column of a format, here HIGGS, needs what it is made of.
    higgs = load_schema("higgs")
    with pytest.raises(MissingColumn, match=r"no column 'm_bb', which schema higgs needs for m_bb; did you mean m_wbb"):
        higgs.resolve(set(higgs.columns) - {"m_bb"}, "higgs.root")
