"""Schemas: what is refused, and the published one against the file's header."""

from __future__ import annotations

from pathlib import Path

import pytest

from rdf.errors import SchemaError, UnknownSchema
from rdf.schema import UNITS, Schema, load_schema

TABLE = """\
title: a format
tree: Events
columns: {met: float32}
quantities:
  met_pt: {expression: met, unit: MeV}
features: razor
"""


@pytest.fixture
def schemas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("rdf.schema.SCHEMAS", tmp_path)
    (tmp_path / "format.yaml").write_text(TABLE)
    return tmp_path


def test_a_schema_is_read_from_its_file(schemas: Path) -> None:
    schema = load_schema("format")
    assert (schema.name, schema.tree, schema.columns) == ("format", "Events", {"met": "float32"})
    assert (schema.quantities["met_pt"].expression, schema.quantities["met_pt"].unit) == ("met", "MeV")


def test_units_bring_to_gev() -> None:
    assert [5e4 * UNITS["MeV"], 50 * UNITS["GeV"], 0.05 * UNITS["TeV"]] == pytest.approx([50, 50, 50])
    assert UNITS["rad"] == UNITS[""] == 1


def test_unknown_schema(schemas: Path) -> None:
    with pytest.raises(UnknownSchema, match=r"unknown schema 'fromat'; did you mean format\?"):
        load_schema("fromat")
    with pytest.raises(UnknownSchema, match=r"unknown schema 'zzz'; known: format"):
        load_schema("zzz")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("met_pt:", "met_pT:", r"key 'quantities': .*unknown canonical quantity 'met_pT'; did you mean met_pt"),
        ("MeV", "keV", r"key 'quantities\.met_pt\.unit': .*unknown unit 'keV'; known: MeV, GeV, TeV, rad"),
        ("float32", "float16", r"key 'columns\.met': .*'float32' or 'float64'"),
        ("tree:", "tre:", r"key 'tree': Field required"),
        ("unit:", "units:", r"key 'quantities\.met_pt\.units': Extra inputs are not permitted"),
        ("title: a format", "- a\n- list", "not a table of keys and values"),
        ("columns: {met", "columns: {met: {", "not a table of keys and values"),
    ],
)
def test_malformed_schemas_name_the_file_and_the_key(schemas: Path, old: str, new: str, message: str) -> None:
    path = schemas / "format.yaml"
    path.write_text(TABLE.replace(old, new, 1))
    with pytest.raises(SchemaError, match=message) as caught:
        load_schema("format")
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("text", ["", "just text", "- a\n- b\n", "title: [a, b"])
def test_files_that_are_no_table(schemas: Path, text: str) -> None:
    (schemas / "format.yaml").write_text(text)
    with pytest.raises(SchemaError, match="not a table of keys and values"):
        load_schema("format")


def test_the_razor_schema_lists_the_published_columns(opendata: Path, schema: Schema) -> None:
    with (opendata / "cms2010b" / "MultiJetRun2010B.csv").open() as file:
        header = file.readline().strip().split(",")
    assert list(schema.columns) == header


def test_the_digest_changes_with_the_columns_alone(schema: Schema) -> None:
    assert schema.model_copy(update={"title": "another", "quantities": {}}).digest() == schema.digest()
    assert schema.model_copy(update={"tree": "another"}).digest() != schema.digest()
    assert schema.model_copy(update={"columns": {**schema.columns, "MR": "float32"}}).digest() != schema.digest()
