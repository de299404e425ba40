"""Features and what they need."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from rdf.errors import UnknownFeature, near_names
from rdf.schema.features import FEATURE_SETS, FEATURES, Feature, check_features, choose_features
from rdf.schema.model import Schema
from rdf.schema.tables import Definition, FeatureSet


def test_axis_titles_name_the_unit() -> None:
    assert Feature("MR", "M_{R}", "GeV").axis_title == "M_{R} [GeV]"
    assert Feature("Rsq", "R^{2}").axis_title == "R^{2}"


def test_feature_sets_are_made_of_known_features() -> None:
    for chosen in FEATURE_SETS.values():
        assert {*chosen.features, *chosen.observables} <= FEATURES.keys()
        assert chosen.plane is not None
        assert set(chosen.plane) <= set(chosen.features)
        assert not set(chosen.features) & set(chosen.observables)


def test_the_razor_features_are_those_of_the_published_analysis() -> None:
    assert FEATURE_SETS["razor"].features == ("MR", "Rsq", "HT", "MET", "pt1", "pt2", "MET_over_HT", "pt_ratio")


RAZOR, DILEPTON = FEATURE_SETS["razor"], FEATURE_SETS["dilepton"]
JETS_AND_MET = {"MR", "Rsq", "HT", "MET", "pt1", "pt2", "MET_over_HT", "pt_ratio", "dijet_mass", "centrality", "n_jets"}
LEPTONS = {"mll", "pt_ll", "delta_r_ll", "delta_phi_ll", "lepton_pt_sum", "n_leptons", "centrality", "mz1"}
OWN_SET = FeatureSet(features=("mjj", "MET"), observables=("tau21",), plane=("mjj", "MET"))


def schema_of(
    *features: str, define: dict[str, Definition] | None = None, feature_sets: dict[str, FeatureSet] | None = None
) -> Schema:
    return Schema(
        name="format",
        title="",
        tree="Events",
        columns={},
        quantities={},
        define=define or {},
        feature_sets=feature_sets or {},
        features=features,
    )


def test_features_that_cannot_be_had() -> None:
    check_features(["MR", "Rsq"], FEATURES, ["MR", "Rsq", "whatever"])
    with pytest.raises(UnknownFeature, match=r"unknown feature 'RM'; did you mean MR\?"):
        check_features(["MR", "RM"], ["MR", "HT"], ["MR", "RM"])
    with pytest.raises(UnknownFeature, match=r"unknown feature 'xyz_0'; known: HT, .*m4l, .* in all"):
        check_features(["xyz_0"], FEATURES, ["xyz_0"])
    with pytest.raises(UnknownFeature, match=r"'pt2' needs objects that this sample does not have; did you mean pt1"):
        check_features(["pt1", "pt2"], FEATURES, ["pt1", "MET", "whatever"])
    with pytest.raises(UnknownFeature, match=r"features 'pt2', 'MR' need objects that this sample does not have; did"):
        check_features(["pt1", "pt2", "MR"], FEATURES, ["pt1", "MET"])


def test_by_default_it_is_the_set_of_which_the_sample_has_most_less_what_it_has_not() -> None:
    schema = schema_of("razor", "dilepton")
    jets = choose_features(None, schema, {}, JETS_AND_MET)
    assert (jets.chosen, jets.left_out) == (RAZOR, ())
    # Of dilepton 7 of 13, of razor none.
    leptons = choose_features(None, schema, {}, LEPTONS)
    assert leptons.chosen == FeatureSet(
        features=("mll", "pt_ll", "delta_r_ll", "delta_phi_ll", "lepton_pt_sum", "centrality", "n_leptons"),
        observables=("mz1",),
        plane=("mll", "pt_ll"),
    )
    assert leptons.left_out == (
        *("MET", "MET_over_ST", "MET_over_pt_ll", "transverse_mass", "HT", "n_jets", "sphericity"),
    )
    # All of both: the schema's first.
    every = {*RAZOR.features, *RAZOR.observables, *DILEPTON.features, *DILEPTON.observables}
    assert choose_features(None, schema, {}, every).chosen == RAZOR
    assert choose_features(None, schema_of("dilepton", "razor"), {}, every).chosen == DILEPTON
    assert choose_features(None, schema_of("dilepton"), {}, JETS_AND_MET).chosen.features == (
        *("MET", "HT", "centrality", "n_jets"),
    )


def test_the_plane_of_a_set_in_part_is_of_features_that_there_are() -> None:
    found = choose_features(None, schema_of("razor"), {}, {"Rsq", "HT", "MET"})
    assert found.chosen == FeatureSet(features=("Rsq", "HT", "MET"), plane=("Rsq", "HT"))
    assert found.left_out == ("MR", "pt1", "pt2", "MET_over_HT", "pt_ratio", "dijet_mass", "centrality")


@pytest.mark.parametrize("available", [set(), {"mll"}, {"MET", "mll", "pt_ll"}])
def test_fewer_than_two_features_are_none(available: set[str]) -> None:
    listed = ", ".join(sorted(available)) or "it has none"
    with pytest.raises(UnknownFeature, match=rf"made of; name others with --features: {listed}$"):
        choose_features(None, schema_of("razor"), {}, available)


def test_of_a_named_set_what_the_sample_has_not_is_left_out() -> None:
    found = choose_features("razor", schema_of("dilepton"), {}, JETS_AND_MET - {"dijet_mass"})
    assert found.chosen == FeatureSet(features=RAZOR.features, observables=("centrality",), plane=RAZOR.plane)
    assert found.left_out == ("dijet_mass",)
    without_met = choose_features("razor", schema_of("dilepton"), {}, JETS_AND_MET - {"Rsq", "MET", "MET_over_HT"})
    assert without_met.chosen.features == ("MR", "HT", "pt1", "pt2", "pt_ratio")
    assert without_met.left_out == ("Rsq", "MET", "MET_over_HT")
    with pytest.raises(UnknownFeature, match=r"not what the features MR, Rsq, .* are made of; name others with --feat"):
        choose_features("razor", schema_of("razor"), {}, LEPTONS)
    with pytest.raises(UnknownFeature, match=r"unknown feature set or feature 'raser'; did you mean razor\?"):
        choose_features("raser", schema_of("razor"), {}, JETS_AND_MET)


def test_a_single_feature() -> None:
    for wanted in ("MET", ("MET",)):
        found = choose_features(wanted, schema_of("razor"), {}, JETS_AND_MET)
        assert (found.chosen, found.left_out) == (FeatureSet(features=("MET",)), ())
        assert found.chosen.plane is None
    own = {"own": FeatureSet(features=("MET",), observables=("HT",), plane=("MET", "HT"))}
    assert choose_features(None, schema_of("own", feature_sets=own), {}, JETS_AND_MET).chosen.plane == ("MET", "HT")
    # A set has precedence over a column of its name.
    own = {"MET": FeatureSet(features=("HT", "MR"), plane=("HT", "MR"))}
    assert choose_features("MET", schema_of("razor", feature_sets=own), {}, JETS_AND_MET).chosen == own["MET"]
    with pytest.raises(UnknownFeature, match=r"feature 'mll' needs objects that this sample does not have"):
        choose_features("mll", schema_of("razor"), {}, JETS_AND_MET)
    for wanted, near in (("METS", "MET"), ("rasor", "razor")):
        with pytest.raises(UnknownFeature, match=rf"unknown feature set or feature '{wanted}'; did you mean {near}"):
            choose_features(wanted, schema_of("razor"), {}, JETS_AND_MET)


def test_a_set_of_several_features_needs_a_plane() -> None:
    with pytest.raises(ValidationError, match=r"plane\n  Value error, name the two columns in which events are drawn"):
        FeatureSet(features=("MET", "HT"))


def test_features_one_by_one() -> None:
    found = choose_features(("HT", "MR", "n_jets"), schema_of("razor"), {}, JETS_AND_MET)
    assert (found.chosen, found.left_out) == (FeatureSet(features=("HT", "MR", "n_jets"), plane=("HT", "MR")), ())
    with pytest.raises(UnknownFeature, match=r"feature 'mll' needs objects that this sample does not have"):
        choose_features(("HT", "mll"), schema_of("razor"), {}, JETS_AND_MET)
    with pytest.raises(UnknownFeature, match=r"unknown feature 'njets'; did you mean n_jets"):
        choose_features(("HT", "njets"), schema_of("razor"), {}, JETS_AND_MET)


def test_columns_of_the_users_and_of_the_schemas_own() -> None:
    schema = schema_of(
        "own",
        define={
            "mjj": Definition(expression="m * 1000", title="m_{jj}", unit="GeV"),
            "tau21": Definition(expression="t"),
        },
        feature_sets={"own": OWN_SET},
    )
    definitions = {"hardness": Definition(expression="HT / MR", title="H_{T} / M_{R}")}
    available = {"mjj", "tau21", "MET", "hardness"}
    found = choose_features(None, schema, definitions, available)
    assert (found.chosen, found.left_out) == (OWN_SET, ())
    assert choose_features("own", schema, {}, available).chosen == OWN_SET
    assert found.described["mjj"] == Feature("mjj", "m_{jj}", "GeV")
    assert found.described["tau21"] == Feature("tau21", "tau21")
    assert found.described["hardness"] == Feature("hardness", "H_{T} / M_{R}")
    assert found.described["MR"] == FEATURES["MR"]
    chosen = choose_features(("hardness", "mjj"), schema, definitions, available).chosen
    assert chosen == FeatureSet(features=("hardness", "mjj"), plane=("hardness", "mjj"))
    with pytest.raises(UnknownFeature, match=r"unknown feature 'hardnes'; did you mean hardness"):
        choose_features(("hardnes", "mjj"), schema, definitions, available)


def test_a_schemas_set_takes_the_place_of_one_of_its_name() -> None:
    own = FeatureSet(features=("MET", "HT"), plane=("MET", "HT"))
    assert choose_features(None, schema_of("razor", feature_sets={"razor": own}), {}, JETS_AND_MET).chosen == own


def test_near_names() -> None:
    assert near_names("Ht", ["HT", "MET", "MR"]) == "did you mean HT?"
    assert near_names("luminosity", ["b", "a"]) == "known: a, b"
    assert near_names("pt", ["pt1", "pt2", "pt3", "pt4"]).count("pt") == 3
