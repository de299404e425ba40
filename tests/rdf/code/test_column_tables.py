"""The tables of columns themselves: their order and their words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rdf.errors import SchemaError
from rdf.schema.columns import physics_columns, rounded
from rdf.schema.features import FEATURES
from rdf.schema.model import SCHEMAS, Schema, load_schema
from rdf.schema.names import names_in
from rdf.schema.object_selection import effective_selection
from rdf.schema.physics import PHYSICS
from rdf.schema.tables import Definition
from rdf.schema.variations import VARIATIONS
from rdf.sources.source import open_source

STATED = ("stated_", "defined_")
"""How the names of columns begin whose expressions schemas and users have written."""


def words_that_are_no_columns(expression: str) -> set[str]:
    """Names of functions, namespaces and members, as they stand in an expression."""
    return set(re.findall(r"[A-Za-z_]\w*", expression)) - names_in(expression)


def columns_of_a_whole_file(schema: Schema, varied: tuple[str, ...]) -> dict[str, str]:
    """All columns that a file with everything in the schema can have."""
    available = schema.resolve(schema.columns, "file")
    selection = effective_selection(schema, available, {})
    return physics_columns(schema, available, selection, {}, varied, overlap=schema.overlap)


@pytest.mark.parametrize("name", sorted(path.stem for path in SCHEMAS.glob("*.yaml")))
@pytest.mark.parametrize("varied", [(), tuple(VARIATIONS)])
def test_no_function_has_the_name_of_a_column(name: str, varied: tuple[str, ...]) -> None:
    """So that none is taken for the other, by a reader either."""
    schema = load_schema(name)
    columns = columns_of_a_whole_file(schema, varied)
    columns = rounded(columns, [column for column in columns if column in FEATURES])
    scales = {variation.column for variation in VARIATIONS.values()}
    known = {*columns, *schema.columns, *PHYSICS, *FEATURES, *scales, "feature_vector", "source_row"}
    # What stands in quotes is text, for the message of an error.
    ours = {column: expression for column, expression in columns.items() if not column.startswith(STATED)}
    found = {c: words_that_are_no_columns(re.sub(r'"\w*"', "", e)) & known for c, e in ours.items()}
    assert {column: words for column, words in found.items() if words} == {}


def test_no_kernel_of_the_tables_has_the_name_of_a_column() -> None:
    every = {*PHYSICS, *FEATURES, *(name for path in SCHEMAS.glob("*.yaml") for name in load_schema(path.stem).columns)}
    for name, expressions in PHYSICS.items():
        for expression in expressions:
            assert not words_that_are_no_columns(expression) & every, (name, expression)


@pytest.mark.parametrize("name", sorted(path.stem for path in SCHEMAS.glob("*.yaml")))
def test_every_column_comes_after_what_it_is_made_of(name: str) -> None:
    columns = columns_of_a_whole_file(load_schema(name), tuple(VARIATIONS))
    place = {column: i for i, column in enumerate(columns)}
    for column, expression in columns.items():
        if not column.startswith("stated_"):
            for used in names_in(expression) & columns.keys() - {column.removeprefix("defined_")}:
                assert place[used] < place[column], (used, column)


@pytest.mark.parametrize("name", ["higgs", "higgs_csv", "lhco", "tracks"])
def test_columns_of_a_formats_own_are_all_there(name: str) -> None:
    """Also those that are called like a canonical quantity, as HIGGS's lepton_eta."""
    schema = load_schema(name)
    assert schema.define.keys() <= columns_of_a_whole_file(schema, ()).keys()


@pytest.mark.parametrize("name", ["MR", "jets", "lepton_pt", "event", "megajet1", "stored_HT", "source_jet_pt"])
def test_a_definition_takes_no_others_place(name: str) -> None:
    schema = load_schema("cms_nanoaod")
    with pytest.raises(SchemaError, match=rf"^define '{name}': there is a column of that name already; choose another"):
        physics_columns(schema, schema.resolve(schema.columns, "f"), {}, {name: Definition(expression="1.")})


@pytest.mark.parametrize(
    "name",
    [*("votes", "score_isolation_forest", "recorded_event", "source_x", "stated_x", "defined_x", "jet_order", "HT")],
)
def test_a_definition_cannot_take_a_name_that_is_ours(name: str, nano: Path) -> None:
    schema = load_schema("cms_nanoaod")
    source = open_source([str(nano)], schema, nano.parent, [None])
    with pytest.raises(SchemaError, match=f"^define '{name}': there is a column of that name already"):
        physics_columns(schema, source.available, {}, {name: Definition(expression="HT / 2")})
