"""Schemas: for one experiment's format, which expression over its columns gives each canonical quantity.

A schema is a table, `rdf/schemas/<name>.yaml`. Behind it all is canonical: GeV, radians and the names below.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from rdf.errors import SchemaError, UnknownSchema, near_names

SCHEMAS = Path(__file__).parent / "schemas"

UNITS: Mapping[str, float] = {"": 1.0, "MeV": 1e-3, "GeV": 1.0, "TeV": 1e3, "rad": 1.0}
"""Unit of a column -> the factor that brings it to GeV or radians."""

ID_QUANTITIES: Mapping[str, str] = {
    "run": "unsigned int",
    "luminosityBlock": "unsigned int",
    "event": "unsigned long long",
}
"""What names an event -> its C++ type."""

CANONICAL: Mapping[str, str] = {
    **ID_QUANTITIES,
    **{f"megajet{i}_{part}": "double" for i in (1, 2) for part in ("px", "py", "pz", "energy")},
    "met_pt": "double",
    "met_phi": "double",
    "HT": "double",
    "Rsq": "double",
}
"""Canonical quantity -> its C++ type. HT and Rsq stand here for files that hold them and not what they are made of."""

ODD_IN_ROOT = frozenset("?#*$")
"""Characters in a path that ROOT takes for options, anchors, wildcards and variables."""

SOURCE_ROW = "source_row"
"""Column that a converted table gains: the number of the row in the file as published, from 0."""


class Quantity(BaseModel):
    """One canonical quantity: a C++ expression over the file's columns, and the unit that expression is in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    expression: str
    unit: str = ""

    @field_validator("unit")
    @classmethod
    def _known_unit(cls, unit: str) -> str:
        if unit not in UNITS:
            raise ValueError(f"unknown unit {unit!r}; known: {', '.join(filter(None, UNITS))}")
        return unit


class Schema(BaseModel):
    """The table of one format: its columns with their types, and the canonical quantities made of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    title: str
    tree: str
    columns: dict[str, Literal["int32", "uint32", "int64", "uint64", "float32", "float64"]]
    quantities: dict[str, Quantity]
    features: str

    @field_validator("quantities")
    @classmethod
    def _known_quantities(cls, quantities: dict[str, Quantity]) -> dict[str, Quantity]:
        for name in quantities:
            if name not in CANONICAL:
                raise ValueError(f"unknown canonical quantity {name!r}; {near_names(name, CANONICAL)}")
        return quantities

    def digest(self) -> str:
        """Return a sha256 of the columns, which changes when converted files have to be converted anew."""
        return hashlib.sha256(repr((self.tree, sorted(self.columns.items()))).encode()).hexdigest()


def load_schema(name: str) -> Schema:
    """Read the schema of that name.

    Raises:
        UnknownSchema: with the nearest names.
        SchemaError: if the table is malformed; names the file and the key.
    """
    path = SCHEMAS / f"{name}.yaml"
    if not path.is_file():
        known = (file.stem for file in SCHEMAS.glob("*.yaml"))
        raise UnknownSchema(f"unknown schema {name!r}; {near_names(name, known)}")
    try:
        return Schema(name=name, **yaml.safe_load(path.read_text()))
    except (yaml.YAMLError, TypeError) as error:
        raise SchemaError(f"{path}: not a table of keys and values: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise SchemaError(f"{path}: key {key!r}: {first['msg']}") from error
