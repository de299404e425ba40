"""Whether models of one format may score a sample of another: what is canonical and made alike, and what is not."""

from __future__ import annotations

from typing import Any

import pytest

from rdf.schema.model import load_schema
from rdf.schema.other_schema import OtherSchema
from rdf.schema.tables import Definition, Objects

MASSES = ["mll", "pt_ll", "MET"]


def between(
    trained: str,
    sample: str,
    define: dict[str, str] | None = None,
    objects: dict[str, dict[str, Any]] | None = None,
    select: dict[str, str] | None = None,
    without: str = "",
) -> OtherSchema:
    """Models and a sample of two formats; of the sample's columns those are missing that begin with `without`."""
    schema = load_schema(sample)
    present = [name for name in schema.columns if not (without and name.startswith(without))]
    return OtherSchema(
        load_schema(trained),
        schema,
        schema.resolve(present, "file"),
        {name: Definition(expression=expression) for name, expression in (define or {}).items()},
        {kind: Objects(**which) for kind, which in (objects or {}).items()},
        select or {},
    )


@pytest.mark.parametrize(
    ("trained", "sample"),
    [("atlas2020", "atlas2025"), ("atlas2025", "cms_nanoaod"), ("cms_nanoaod", "atlas2020")],
)
def test_what_is_canonical_carries_over(trained: str, sample: str) -> None:
    other = between(
        trained,
        sample,
        define={"imbalance": "(lepton1_pt - lepton2_pt) / lepton_pt_sum", "leading": "jet_pt[0] + met_pt"},
        select={"window": "mll > 60 && mll < 120", "low": "imbalance < 0.5"},
    )
    assert other.reasons([*MASSES, "imbalance", "leading", "sphericity", "n_jets"]) == []


@pytest.mark.parametrize(
    ("trained", "sample", "brought", "features", "reason"),
    [
        ("cms_razor", "cms_nanoaod", {}, ["MR", "Rsq"], "Rsq is taken from the file in cms_razor"),
        ("atlas2025", "cms_fourmuon", {}, MASSES, "cms_fourmuon has no MET"),
        ("higgs", "higgs_csv", {}, None, "is a column of higgs"),
        ("cms_nanoaod", "atlas2025", {"select": {"good": "PV_npvsGood > 3"}}, MASSES, "PV_npvsGood"),
        ("cms_nanoaod", "atlas2025", {"define": {"own": "met_pt / MET_pt"}}, ["own"], "MET_pt"),
        (
            "cms_nanoaod",
            "atlas2025",
            {"define": {"b": "jet_btag[0]"}},
            ["b"],
            "jet_btag is a number of each format's own",
        ),
        ("cms_nanoaod", "atlas2025", {"define": {"e": "electron_pt[0]"}}, ["e"], "cms_nanoaod has no electron_pt"),
        (
            "cms_nanoaod",
            "atlas2025",
            {"objects": {"muon": {"where": "Muon_tightId"}}},
            MASSES,
            "objects.muon.where: 'Muon_tightId' is over the columns of one format",
        ),
    ],
)
def test_what_is_not_is_named(
    trained: str, sample: str, brought: dict[str, Any], features: list[str] | None, reason: str
) -> None:
    other = between(trained, sample, **brought)
    names = features or list(load_schema(trained).feature_sets["higgs"].features)
    assert any(reason in found for found in other.reasons(names))


def test_a_sample_without_jets_makes_the_shape_of_an_event_otherwise() -> None:
    other = between("cms_nanoaod", "cms_nanoaod", without="Jet_")
    assert other.differences("sphericity") == ["visible is made of other columns in cms_nanoaod"]
    assert other.differences("mll") == []


def test_numbers_of_the_training_and_conditions_of_the_sample_select_objects() -> None:
    other = between("atlas2025", "cms_nanoaod", objects={"jet": {"pt": 25.0}})
    conditions = {kind: said.where[0] for kind, said in load_schema("cms_nanoaod").objects.items()}
    expected = {kind: Objects(where=where) for kind, where in conditions.items()}
    assert other.selection() == expected | {"jet": Objects(pt=25.0, where="Jet_jetId >= 2")}
    assert other.overlap() == load_schema("cms_nanoaod").overlap
    back = between("cms_nanoaod", "atlas2025", objects={"jet": {"pt": 30.0, "eta": 2.4, "where": "Jet_jetId >= 2"}})
    assert back.reasons(MASSES) == []
    identified = {kind: Objects(where=said.where[0]) for kind, said in load_schema("atlas2025").objects.items()}
    assert back.selection() == {"jet": Objects(pt=30.0, eta=2.4), **identified}
