"""Schemas: for one experiment's format, which expression over its columns gives each canonical quantity.

A schema is a table, `rdf/schema/schemas/<name>.yaml`, or a file of the user's own in the same form. Behind it all is
canonical: GeV, radians and the names of `rdf.schema.quantities`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from rdf.errors import MissingColumn, SchemaError, UnknownSchema, near_names
from rdf.faults import first_fault
from rdf.printable import shortened
from rdf.schema.names import RESERVED, names_in
from rdf.schema.physics import INTERMEDIATE, NOT_NUMBERS, PHYSICS
from rdf.schema.quantities import (
    BESIDE,
    CANONICAL,
    COORDINATES,
    EXTRAS,
    IDENTITY,
    MASSES,
    MASSLESS,
    OBJECTS,
    OPTIONAL_EXTRAS,
    SOURCE_ROW,
    STORED,
)
from rdf.schema.tables import (
    Available,
    ColumnType,
    DefaultObjects,
    Definition,
    Definitions,
    FeatureSet,
    Kind,
    Name,
    Normalisation,
    Overlaps,
    Quantity,
    Table,
)
from rdf.yaml_tables import TableError, read_table

SCHEMAS = Path(__file__).parent / "schemas"


def _word(name: str) -> str:
    """Return a name for expressions that is like another name."""
    word = re.sub(r"\W+", "_", name).strip("_") or "column"
    return f"{word}_" if word in RESERVED else word if word[0].isalpha() else f"_{word}"


def _alias(name: str, branch: str, kind: str) -> str:
    """Return how a schema gives a name to a column of a file that is called otherwise there."""
    return f"{name}: {{branch: {json.dumps(branch)}, type: {json.dumps(kind)}}}"


_NUMBERS = frozenset(PHYSICS) - {*NOT_NUMBERS}
"""Physics columns that are a number each."""

_MADE_OF = frozenset({*CANONICAL, *INTERMEDIATE, *PHYSICS})
"""What an expression of a physics column can name."""


def _names_made_of(quantities: Collection[str]) -> set[str]:
    """Return the names of the canonical and physics columns that can be made of these quantities."""
    kinds = {name.partition("_")[0] for name in quantities if name not in IDENTITY}
    if kinds & {"electron", "muon"}:
        kinds.add("lepton")
    made = {*IDENTITY, *(f"stored_{name}" for name in STORED if name in quantities)}
    optional = {f"{kind}_{extra}" for kind in OBJECTS for extra in OPTIONAL_EXTRAS} - {*quantities}
    made |= {name for name in CANONICAL if name.partition("_")[0] in kinds & {*OBJECTS}} - optional
    made |= {f"{kind}s" for kind in ("jet", "lepton", "photon", "tau", "largeRjet") if kind in kinds}
    made |= {f"megajet{i}" for i in (1, 2) if f"megajet{i}" in kinds}
    made |= {"met_pt", "met_phi"} if "met_px" in quantities else {"met_pt", "met_phi"} & {*quantities}
    for name, expressions in PHYSICS.items():
        if any(names_in(expression) & _MADE_OF <= made for expression in expressions):
            made.add(name)
    return made


class Schema(Table):
    """The table of one format: its columns with their types, and the canonical quantities made of them.

    Attributes:
        layout: of a text file: a table, or one that the module `rdf.sources.darkmachines` describes.
        dataset: of an HDF5 file: path of the data set of two dimensions, or of the group with a data set for each
            column; see `rdf.sources.hdf5_table`.
        columns: every column that an expression uses, with its type; for numpy and HDF5 tables without names, all of
            them in their order. In the table of a schema `name: {branch: ..., type: ...}` is an alias, which gives a
            name to a column that is called otherwise in the files.
        objects, overlap: which objects count, and are dropped near others, unless the configuration says otherwise.
        filters: columns of noise filters, true for events to keep, unless the configuration names others.
        feature_sets: sets that only this format has.
        define: physics columns that only this format has. Columns of the file that a feature set names are among them
            as they are, each with its name as title, also where the quantities would make a physics column of that
            name; unless there is a definition of that name, or a quantity is made of the column.
        features: names of the feature sets that suit its samples, best first; normalisation: what files of simulated
            events say of how many are produced.
    """

    name: str
    title: str
    tree: str
    layout: Literal["table", "darkmachines"] = "table"
    dataset: Annotated[str, Field(min_length=1)] | None = None
    columns: dict[str, ColumnType]
    quantities: dict[str, Quantity]
    objects: dict[Kind, DefaultObjects] = Field(default_factory=dict)
    overlap: Overlaps = ()
    filters: tuple[Name, ...] = ()
    feature_sets: dict[str, FeatureSet] = Field(default_factory=dict)
    define: Definitions = Field(default_factory=dict, validate_default=True)
    features: tuple[str, ...] = Field(min_length=1)
    normalisation: Normalisation | None = None

    _branches: dict[str, str] = PrivateAttr(default_factory=dict)

    @model_validator(mode="wrap")
    @classmethod
    def _with_branches(cls, table: Any, read: ModelWrapValidatorHandler[Schema]) -> Schema:
        """Keep which columns are aliases, and of what."""
        schema = read(table)
        if isinstance(table, Mapping):
            schema._branches = {n: c["branch"] for n, c in table["columns"].items() if isinstance(c, Mapping)}
        return schema

    @field_validator("columns", mode="before")
    @classmethod
    def _types_of_columns(cls, columns: Any) -> Any:
        """Return the types alone, once it is known that names and aliases are good."""
        if not isinstance(columns, Mapping):
            return columns
        stored: dict[str, str] = {}
        for name, column in columns.items():
            if isinstance(column, Mapping) and (
                {*column} != {"branch", "type"} or not all(isinstance(text, str) and text for text in column.values())
            ):
                form = _alias(str(name), "NAME IN THE FILE", "float32[]")
                raise ValueError(f"{name}: an alias has a branch and a type; write {form}")
            branch = column["branch"] if isinstance(column, Mapping) else name
            if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_]\w*", name) or name in RESERVED:
                kind = column["type"] if isinstance(column, Mapping) else column
                form = _alias(_word(str(name)), str(branch), str(kind))
                raise ValueError(f"an expression cannot name a column {str(name)!r}; give it a name: {form}")
            if branch in stored:
                raise ValueError(f"{stored[branch]} and {name} are the same column, {branch!r}; leave one of them out")
            stored[branch] = name
        return {name: c["type"] if isinstance(c, Mapping) else c for name, c in columns.items()}

    @field_validator("features", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("quantities")
    @classmethod
    def _known_quantities(cls, quantities: dict[str, Quantity]) -> dict[str, Quantity]:
        for name, quantity in quantities.items():
            if name not in CANONICAL:
                raise ValueError(f"unknown canonical quantity {name!r}; {near_names(name, CANONICAL)}")
            if quantity.background is not None and name != "label":
                raise ValueError(f"{name}.background: only label can have it; remove it")
        return quantities

    @field_validator("filters")
    @classmethod
    def _known_filters(cls, filters: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        columns: Mapping[str, str] = info.data.get("columns", {})
        for name in filters:
            if columns and columns.get(name, "[]").endswith("[]"):
                raise ValueError(f"{name!r} is no column of one value an event; add `{name}: bool` to the columns")
        return filters

    @field_validator("define")
    @classmethod
    def _with_columns_of_feature_sets(
        cls, define: dict[str, Definition], info: ValidationInfo
    ) -> dict[str, Definition]:
        """Add definitions of the file's columns that feature sets name."""
        columns: Mapping[str, str] = info.data.get("columns", {})
        sets: Mapping[str, FeatureSet] = info.data.get("feature_sets", {})
        named = dict.fromkeys(name for s in sets.values() for name in (*s.features, *s.observables, *(s.plane or ())))
        quantities: Mapping[str, Quantity] = info.data.get("quantities", {})
        made_of = {name for q in quantities.values() for expression in q.expression for name in names_in(expression)}
        taken = {*define, *(name for name in _names_made_of(quantities) if name not in _NUMBERS or name in made_of)}
        plain = [name for name in named if name in columns and name not in taken]
        for name in plain:
            if columns[name].endswith("[]"):
                raise ValueError(
                    f"a feature set names {name!r}, of which an event has several; define a number of them"
                )
        # In TLatex an underscore begins an index.
        added = {name: Definition(expression=name, title=name.replace("_", " ")) for name in plain}
        return {**added, **define}  # these first: the others may be made of them

    def digest(self) -> str:
        """Return a sha256 of what is converted, which changes when converted files have to be converted anew."""
        what = (self.tree, list(self.columns.items()), *([self.dataset] if self.dataset else []))
        if self._branches:
            what = (*what, sorted(self._branches.items()))
        return hashlib.sha256(repr(what).encode()).hexdigest()

    def meaning(self) -> str:
        """Return a sha256 of what the quantities and the format's own columns are, for models to be tied to."""
        table = self.model_dump_json(include={"quantities", "define"})
        if self._branches:
            table += json.dumps(self._branches, sort_keys=True)
        return hashlib.sha256(table.encode()).hexdigest()

    def conditions(self) -> list[str]:
        """Return the schema's own conditions on jets and leptons, also those of which others may take the place."""
        return [where for kind, objects in self.objects.items() if kind not in BESIDE for where in objects.where]

    @property
    def aliases(self) -> Mapping[str, str]:
        """Names of columns that are called otherwise in the files -> what they are called there."""
        return self._branches

    def stored(self, name: str) -> str:
        """Return what a column is called in the files."""
        return self._branches.get(name, name)

    def as_stored(self) -> Schema:
        """Return the schema with the columns by the names that they have in the files."""
        return self.model_copy(update={"columns": {self.stored(name): kind for name, kind in self.columns.items()}})

    def named(self, stored: Collection[str], file: object) -> set[str]:
        """Return the names by which expressions know the columns of a file.

        Args:
            stored: names of the columns in the file.
            file: named in errors.

        Raises:
            MissingColumn: a column of the file has the name of an alias for another one.
        """
        if SOURCE_ROW in stored:  # a converted table, which has the columns by their aliases
            return {*stored}
        for name, branch in self._branches.items():
            if name in stored:
                raise MissingColumn(
                    f"{file} has a column {name!r}, which schema {self.name} says of {branch!r}; choose another name "
                    "for that"
                )
        return {*stored, *(name for name, branch in self._branches.items() if branch in stored)}

    def used_columns(self, expression: str) -> set[str]:
        """Return the file's columns in an expression."""
        return names_in(expression) & self.columns.keys()

    def resolve(self, present: Collection[str], file: object) -> Available:
        """Find out what a file with these columns offers.

        Args:
            present: names of the file's columns.
            file: named in errors.

        Raises:
            MissingColumn: a quantity that is not optional cannot be made, or an object only in part.
        """
        present = frozenset(present)
        resolved = {}
        for name, quantity in self.quantities.items():
            i = self._first_fitting(name, present)
            if i is not None:
                resolved[name] = (quantity.expression[i], quantity.unit)
            elif not quantity.optional:
                raise self._missing(file, self.used_columns(quantity.expression[0]) - present, present, name)
        for name, definition in self.define.items():
            if missing := self.used_columns(definition.expression) - present:
                raise self._missing(file, missing, present, name)
        for kind in OBJECTS:
            if kind in BESIDE:
                self._leave_out_in_part(kind, resolved)
            else:
                self._check_whole(kind, resolved, present, file)
        return Available(resolved, present)

    def _first_fitting(self, name: str, present: Collection[str]) -> int | None:
        """Return which expression of a quantity counts; None where the file has the columns of none."""

        def fitting(quantity: Quantity) -> set[int]:
            return {i for i, e in enumerate(quantity.expression) if self.used_columns(e) <= set(present)}

        wanted = self.quantities[name]
        possible = fitting(wanted)
        if len(wanted.expression) > 1:  # no MET of the one kind with the direction of the other
            for other, quantity in self.quantities.items():
                if other.partition("_")[0] == name.partition("_")[0] and len(quantity.expression) == len(
                    wanted.expression
                ):
                    possible &= fitting(quantity) or possible
        return min(possible, default=None)

    def _needed(self, kind: str) -> set[str]:
        """Return the quantities of what makes an object's four-vector, and of what else it has to have."""
        names = (name for name in self.quantities if name.startswith(f"{kind}_"))
        return {name for name in names if name.removeprefix(f"{kind}_") not in OPTIONAL_EXTRAS}

    def _leave_out_in_part(self, kind: str, resolved: dict[str, Any]) -> None:
        """Leave out objects of which a file has some of what makes a four-vector, but not all of it."""
        if self._needed(kind) - resolved.keys():
            for name in [name for name in resolved if name.startswith(f"{kind}_")]:
                del resolved[name]

    def _check_whole(self, kind: str, resolved: Collection[str], present: frozenset[str], file: object) -> None:
        """Refuse a file that has some of what makes an object's four-vector, but not all of it."""
        needed = self._needed(kind)
        missing = needed - set(resolved)
        if missing and missing != needed:
            name = min(missing, key=list(self.quantities).index)
            columns = self.used_columns(self.quantities[name].expression[0])
            raise self._missing(file, columns - present, present, name)

    def _missing(self, file: object, columns: Iterable[str], present: Collection[str], quantity: str) -> MissingColumn:
        column = min(columns)
        return MissingColumn(
            f"{file}: no column {self.stored(column)!r}, which schema {self.name} needs for {quantity}; "
            f"{self._near(column, present)}"
        )

    def _near(self, column: str, present: Collection[str]) -> str:
        """Say which of a file's columns may have been meant, and how an expression can name it."""
        stored = self.stored(column)
        # Of these: Jets.fPt, AnalysisJetsAuxDyn.pt, "jet pt".
        ends = [name for name in present if re.search(rf"(?<!\w){re.escape(stored)}\W*$", name)]
        hint = near_names(stored, ends or present)
        odd = next((name for name in sorted(ends or present) if not name.isidentifier() and name in hint), None)
        if odd is None or not hint.startswith("did you mean"):
            return hint
        return f"{hint} then write in `columns` {_alias(column, odd, self.columns[column])}"


def load_schema(name: str) -> Schema:
    """Read a schema: one of `rdf/schema/schemas` by its name, or a file of the user's own by its path.

    Raises:
        UnknownSchema: with the nearest names.
        SchemaError: if the table is malformed; names the file and the key.
    """
    path = SCHEMAS / f"{name}.yaml"
    # These calls take no name that is too long for an error.
    if name.endswith((".yaml", ".yml")):
        path = Path(name)
        if not os.path.isfile(path):  # noqa: PTH113
            raise UnknownSchema(f"{path} {'is no file' if os.path.lexists(path) else 'does not exist'}; check --schema")
    elif not os.path.isfile(path):  # noqa: PTH113
        known = (file.stem for file in SCHEMAS.glob("*.yaml"))
        named = shortened(name)
        raise UnknownSchema(f"unknown schema {named!r}; {near_names(named, known)} (or name a file, my_schema.yaml)")
    try:
        table = read_table(path)
    except OSError as error:
        raise SchemaError(f"{path}: {error.strerror}; check --schema") from error
    except (TableError, UnicodeDecodeError) as error:
        raise SchemaError(f"{path}: not a table of keys and values: {error}") from error
    if not isinstance(table, dict):
        raise SchemaError(f"{path}: not a table of keys and values; begin with `title: my experiment`")
    if "name" in table:
        raise SchemaError(f"{path}: key 'name': a schema has the name of its file; remove the key")
    try:
        schema = Schema.model_validate({**table, "name": path.stem})
    except ValidationError as error:
        fault = first_fault(error)
        raise SchemaError(f"{path}: key {fault.key!r}: {shortened(fault.reason)}") from error
    _check_four_vectors(schema, path)
    return schema


def _check_four_vectors(schema: Schema, path: Path) -> None:
    """Refuse objects that no four-vector can be made of."""
    for kind in OBJECTS:
        attributes = {name.removeprefix(f"{kind}_") for name in schema.quantities if name.startswith(f"{kind}_")}
        if not attributes:
            continue
        has_mass = kind in MASSLESS or attributes & MASSES
        if not any(coordinates <= attributes for coordinates in COORDINATES) or not has_mass:
            mass = "" if kind in MASSLESS else f", and {kind}_mass or _energy"
            has = ", ".join(sorted(f"{kind}_{attribute}" for attribute in attributes))
            raise SchemaError(f"{path}: {kind}s need {kind}_pt, _eta, _phi or _px, _py, _pz{mass}; it has {has}")
        for attribute in set(EXTRAS[kind]) - OPTIONAL_EXTRAS - attributes:
            raise SchemaError(f"{path}: {kind}s need {kind}_{attribute} too; add it to the quantities")
