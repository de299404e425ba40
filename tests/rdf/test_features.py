"""Features and what they need."""

from __future__ import annotations

import pytest

from rdf.errors import UnknownFeature, near_names
from rdf.features import FEATURE_SETS, FEATURES, Feature, check_features


def test_axis_titles_name_the_unit() -> None:
    assert Feature("MR", "M_{R}", "GeV").axis_title == "M_{R} [GeV]"
    assert Feature("Rsq", "R^{2}").axis_title == "R^{2}"


def test_feature_sets_are_made_of_known_features() -> None:
    for chosen in FEATURE_SETS.values():
        assert {*chosen.features, *chosen.observables} <= FEATURES.keys()
        assert set(chosen.plane) <= set(chosen.features)
        assert not set(chosen.features) & set(chosen.observables)


def test_the_razor_features_are_those_of_the_published_analysis() -> None:
    assert FEATURE_SETS["razor"].features == ("MR", "Rsq", "HT", "MET", "pt1", "pt2", "MET_over_HT", "pt_ratio")


def test_features_that_cannot_be_had() -> None:
    check_features(["MR", "Rsq"], ["MR", "Rsq", "whatever"])
    with pytest.raises(UnknownFeature, match=r"unknown feature 'RM'; did you mean MR\?"):
        check_features(["MR", "RM"], ["MR", "RM"])
    with pytest.raises(UnknownFeature, match=r"unknown feature 'aplanarity_0'; known: HT, MET, .*pt_ratio"):
        check_features(["aplanarity_0"], ["aplanarity_0"])
    with pytest.raises(UnknownFeature, match=r"'pt2' needs objects that this sample does not have; did you mean pt1"):
        check_features(["pt1", "pt2"], ["pt1", "MET", "whatever"])


def test_near_names() -> None:
    assert near_names("Ht", ["HT", "MET", "MR"]) == "did you mean HT?"
    assert near_names("luminosity", ["b", "a"]) == "known: a, b"
    assert near_names("pt", ["pt1", "pt2", "pt3", "pt4"]).count("pt") == 3
