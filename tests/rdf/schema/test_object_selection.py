"""Which objects count, and which are dropped near others, by a schema and by a configuration."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from rdf.errors import SchemaError
from rdf.schema.expressions import check_expression
from rdf.schema.model import SCHEMAS, Schema, load_schema
from rdf.schema.object_selection import dropped_conditions, effective_overlap, effective_selection
from rdf.schema.tables import Available, Objects, Overlap


def offer(schema: Schema, *without: str) -> Available:
    """What a file offers that has all columns of a schema but these."""
    return schema.resolve(schema.columns.keys() - {*without}, "file")


def test_pt_and_eta_of_leptons_are_those_of_electrons_and_of_muons() -> None:
    schema = load_schema("cms_nanoaod")
    found = effective_selection(schema, offer(schema), {"lepton": Objects(pt=25), "muon": Objects(eta=2.1)})
    assert "lepton" not in found
    assert (found["electron"].pt, found["electron"].eta, found["electron"].where) == (25, 2.5, "Electron_cutBased >= 2")
    assert (found["muon"].pt, found["muon"].eta) == (25, 2.1)
    # What is said of muons themselves counts.
    found = effective_selection(schema, offer(schema), {"lepton": Objects(pt=25, eta=2.0), "muon": Objects(pt=5)})
    assert (found["muon"].pt, found["muon"].eta, found["electron"].pt) == (5, 2.0, 25)
    muons_only = offer(schema, *(name for name in schema.columns if name.startswith("Electron")))
    assert effective_selection(schema, muons_only, {"lepton": Objects(pt=25)})["electron"].pt == 10


def test_a_condition_on_leptons_needs_leptons_that_are_held_together() -> None:
    schema = load_schema("cms_nanoaod")
    with pytest.raises(
        SchemaError, match=r"lepton\.where 'Muon_tightId': the sample has electrons and muons apart; wr"
    ):
        effective_selection(schema, offer(schema), {"lepton": Objects(where="Muon_tightId")})
    atlas = load_schema("atlas2025")
    found = effective_selection(atlas, offer(atlas), {"lepton": Objects(pt=20)})
    assert found["lepton"] == Objects(pt=20, where="lep_isLooseID && lep_isLooseIso")
    with pytest.raises(SchemaError, match=r"the sample has no leptons; leave them out"):
        effective_selection(load_schema("lhco"), offer(load_schema("lhco")), {"lepton": Objects(pt=20)})


def test_the_first_condition_counts_whose_columns_the_file_has() -> None:
    schema = load_schema("cms_nanoaod")
    reduced = offer(schema, "Muon_looseId", "Photon_cutBased", "Tau_idDeepTau2018v2p5VSjet")
    found = effective_selection(schema, reduced, {})
    assert found["muon"].where == "abs(Muon_pfRelIso04_all) < 0.4"
    assert found["photon"].where == "(Photon_cutBasedBitmap & 2) != 0 && Photon_electronVeto"
    assert found["tau"].where == "(Tau_idDeepTau2017v2p1VSjet & 16) != 0"
    assert dropped_conditions(schema, reduced, {}) == {}
    without = offer(schema, "Muon_looseId", "Muon_pfRelIso04_all")
    assert effective_selection(schema, without, {})["muon"] == Objects(pt=10, eta=2.4, where=None)
    first = "Muon_looseId && Muon_pfRelIso04_all < 0.25"
    assert dropped_conditions(schema, without, {}) == {"muon": (first, "Muon_looseId")}


def test_objects_none_is_everything_in_the_file() -> None:
    for name in ("atlas2025", "cms_nanoaod"):
        schema = load_schema(name)
        assert effective_selection(schema, offer(schema), None) == {}
        assert effective_overlap(schema, offer(schema), None, None) == ()
        assert effective_overlap(schema, offer(schema), {}, None) == schema.overlap != ()
        assert dropped_conditions(schema, offer(schema), None) == {}


def test_steps_between_objects_that_a_sample_does_not_have() -> None:
    schema = load_schema("atlas2025")
    without = offer(schema, "photon_pt", "photon_eta", "photon_phi", "tau_e")
    assert {(step.drop, step.near) for step in effective_overlap(schema, without, {}, None)} == {
        *(("electron", "electron"), ("electron", "muon"), ("jet", "lepton"), ("lepton", "jet")),
    }
    mine = (Overlap(drop="jet", near="photon", within=0.4),)
    with pytest.raises(SchemaError, match="--overlap: the sample has no photons; leave them out"):
        effective_overlap(schema, without, {}, mine)
    assert effective_overlap(schema, offer(schema), None, mine) == mine


def test_objects_that_a_file_has_in_part() -> None:
    """Photons, taus and large-radius jets are then left out; of jets it is an error."""
    schema = load_schema("cms_nanoaod")
    found = offer(schema, "Tau_mass", "FatJet_tau1").quantities
    assert not [name for name in found if name.startswith("tau_")]
    assert "largeRjet_mass" in found
    assert "largeRjet_tau21" not in found


@pytest.mark.parametrize("name", sorted(path.stem for path in SCHEMAS.glob("*.yaml")))
def test_conditions_of_schemas_are_formulas_that_models_may_bring(name: str) -> None:
    schema = load_schema(name)
    for where in (where for objects in schema.objects.values() for where in objects.where):
        check_expression(where, schema.columns)
        assert schema.used_columns(where)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"drop": "electron", "near": "lepton", "within": 0.1}, "each electron is near itself as a lepton; name elec"),
        ({"drop": "lepton", "near": "muon", "within": 0.1}, "near itself"),
        ({"drop": "jet", "near": "leptons", "within": 0.1}, "unknown kind of object 'leptons'; did you mean lepton"),
        ({"drop": "jet", "near": "lepton", "within": 0}, "greater than 0"),
        ({"drop": "jet", "near": "lepton"}, "Field required"),
    ],
)
def test_steps_that_are_none(step: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Overlap.model_validate(step)
