"""What noise filters stand for."""

from __future__ import annotations

import pytest

from rdf.errors import SchemaError
from rdf.schema.filters import filter_cut
from rdf.schema.model import load_schema

COLUMNS = {"Flag_a", "Flag_b", "MET_pt"}


def test_all_that_there_are_have_to_pass() -> None:
    cut = filter_cut(["Flag_b", "Flag_c", "Flag_a"], COLUMNS, asked=True)
    assert (cut.demanded, cut.missing, cut.expression) == (("Flag_b", "Flag_a"), ("Flag_c",), "Flag_b && Flag_a")


def test_a_schemas_may_all_be_missing_but_not_those_that_somebody_asks_for() -> None:
    cut = filter_cut(["Flag_c"], COLUMNS, asked=False)
    assert (cut.demanded, cut.missing) == ((), ("Flag_c",))
    with pytest.raises(SchemaError, match="filters: the sample has no Flag_c, Flag_d; did you mean Flag_"):
        filter_cut(["Flag_c", "Flag_d"], COLUMNS, asked=True)
    assert filter_cut([], COLUMNS, asked=True).demanded == ()


def test_the_filters_that_cms_recommends_are_columns_of_its_schema() -> None:
    schema = load_schema("cms_nanoaod")
    assert len(schema.filters) == 8
    assert {schema.columns[name] for name in schema.filters} == {"bool"}
    assert load_schema("atlas2020").filters == ()
