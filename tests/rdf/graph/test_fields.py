"""Fields: the same kinds in Python and in C++, found by the names of columns."""

from __future__ import annotations

import pytest

from rdf.code.interpreter import ROOT
from rdf.code.library import graph_library
from rdf.errors import SchemaError
from rdf.graph.fields import ENSEMBLE, ENSEMBLE_FLAG, FOLD, LABEL, VOTES, Field, Fields, Kind, cpp_fields

pytestmark = pytest.mark.compiler

CPP_NAMES = {
    Kind.VALUE: "kValue",
    Kind.LABEL: "kLabel",
    Kind.FOLD: "kFold",
    Kind.SCORE: "kScore",
    Kind.RANK: "kRank",
    Kind.FLAG: "kFlag",
    Kind.VOTES: "kVotes",
    Kind.ENSEMBLE: "kEnsemble",
    Kind.ENSEMBLE_FLAG: "kEnsembleFlag",
    Kind.WEIGHT: "kWeight",
}


def test_kinds_have_the_numbers_that_they_have_in_cpp() -> None:
    graph_library("events").load()
    assert {kind: int(getattr(ROOT.fields, CPP_NAMES[kind])) for kind in Kind} == {kind: int(kind) for kind in Kind}


def test_columns_and_their_fields() -> None:
    fields = Fields(("MR", "Rsq"), ("mlp", "forest"))
    expected = {
        LABEL: Field(Kind.LABEL),
        "MR": Field(Kind.VALUE, 0),
        "Rsq": Field(Kind.VALUE, 1),
        FOLD: Field(Kind.FOLD),
        "score_mlp": Field(Kind.SCORE, 0),
        "score_forest": Field(Kind.SCORE, 1),
        "rank_forest": Field(Kind.RANK, 1),
        "flag_mlp": Field(Kind.FLAG, 0),
        VOTES: Field(Kind.VOTES),
        ENSEMBLE: Field(Kind.ENSEMBLE),
        ENSEMBLE_FLAG: Field(Kind.ENSEMBLE_FLAG),
    }
    assert {name: fields[name] for name in expected} == expected


@pytest.mark.parametrize("name", ["Rsq2", "score_svm", "value:0", "", "rank_"])
def test_a_name_that_no_column_has_is_an_error(name: str) -> None:
    with pytest.raises(SchemaError, match="no field of an event is called"):
        Fields(("MR", "Rsq"), ("mlp",)).of(["MR", name])


def test_cpp_refuses_a_kind_that_it_does_not_know() -> None:
    graph_library("events").load()
    assert int(cpp_fields([Field(Kind.SCORE, 3), Field(Kind.VOTES)]).size()) == 2
    with pytest.raises(Exception, match="no field of an event is of the kind 10"):
        ROOT.fields.Fields().add(len(Kind), 0)
