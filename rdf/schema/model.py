"""Schemas: for one experiment's format, which expression over its columns gives each canonical quantity.

A schema is a table, `rdf/schema/schemas/<name>.yaml`, or a file of the user's own in the same form. Behind it all is
canonical: GeV, radians and the names below.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from rdf.errors import MissingColumn, SchemaError, UnknownSchema, near_names
from rdf.printable import shortened
from rdf.schema.physics import MADE_ON_THE_WAY, NOT_NUMBERS, PHYSICS
from rdf.yaml_tables import TableError, read_table

SCHEMAS = Path(__file__).parent / "schemas"

UNITS: Mapping[str, float] = {"": 1.0, "MeV": 1e-3, "GeV": 1.0, "TeV": 1e3, "rad": 1.0}
"""Unit of a column -> the factor that brings it to GeV or radians."""

ID_QUANTITIES: Mapping[str, str] = {
    "run": "unsigned int",
    "luminosityBlock": "unsigned int",
    "event": "unsigned long long",
}
"""What names an event -> its C++ type."""

IDENTITY = (*ID_QUANTITIES, "weight", "label")
"""Quantities that keep their names: they are what they are, whatever is selected or varied."""

REALS, INTEGERS = "objects::Reals", "ROOT::RVec<int>"
"""C++ types of the quantities that an event has several of."""

_FOUR_VECTOR = ("pt", "eta", "phi", "mass", "px", "py", "pz", "energy")
_EXTRAS: Mapping[str, Mapping[str, str]] = {
    "jet": {"btag": REALS},
    "electron": {"charge": INTEGERS},
    "muon": {"charge": INTEGERS},
    "lepton": {"charge": INTEGERS, "flavour": INTEGERS},
}
OBJECTS = tuple(_EXTRAS)
"""What an event has several of; `lepton` is electrons and muons together, for formats that hold them so."""

STORED = ("MR", "Rsq", "HT")
"""Physics columns that a schema can take from the file, as quantities; they are computed where it does not."""

CANONICAL: Mapping[str, str] = {
    **ID_QUANTITIES,
    "weight": "double",
    "label": "int",
    **{f"{kind}_{part}": REALS for kind in OBJECTS for part in _FOUR_VECTOR},
    **{f"{kind}_{part}": cpp for kind, extras in _EXTRAS.items() for part, cpp in extras.items()},
    **{f"megajet{i}_{part}": "double" for i in (1, 2) for part in ("px", "py", "pz", "energy")},
    **{f"met_{part}": "double" for part in ("pt", "phi", "px", "py")},
    **dict.fromkeys(STORED, "double"),
}
"""Canonical quantity -> its C++ type.

Four-vectors are given by pt, eta, phi or by px, py, pz, and by mass or energy.
"""

_COORDINATES = (frozenset({"pt", "eta", "phi"}), frozenset({"px", "py", "pz"}))
_MASSES = frozenset({"mass", "energy"})

ALIASED = "aliased_"
"""Begins the name that a graph has for a column that the schema gives a name; that name itself may be defined."""

SOURCE_ROW = "source_row"
"""Column that a converted table gains: the number of the row in the file as published, from 0."""

_TYPES = ("bool", *(f"{u}int{bits}" for u in ("", "u") for bits in (8, 16, 32, 64)), "float32", "float64")


def _known_type(kind: str) -> str:
    if kind.removesuffix("[]") not in _TYPES:
        raise ValueError(f"unknown type {kind!r}; {near_names(kind, _TYPES)}, with [] for several values")
    return kind


ColumnType = Annotated[str, AfterValidator(_known_type)]
"""Type of a column; with `[]` for one that has any number of values in an event."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$")]
"""What can be the name of a column that is defined."""

_TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?(?:\*/|\Z))
    |(?P<text>(?:u8|[uUL])?R"(?P<mark>[^()\\\s]{0,16})\(.*?\)(?P=mark)"
    |(?:u8|[uUL])?"(?:\\.|[^"\\\n])*"?
    |(?:u8|[uUL])?'(?:\\.|[^'\\\n])*'?)
    |(?P<number>\.?\d(?:[eEpP][+-]|'\w|[\w.])*)
    |(?P<word>[A-Za-z_]\w*)
    |(?P<sign>::|->|\S)""",
    re.VERBOSE | re.DOTALL,
)
"""A piece of C++ between which blanks do not count."""

_NO_NAMES = frozenset(
    (
        *("and", "and_eq", "bitand", "bitor", "compl", "not", "not_eq", "or", "or_eq", "xor", "xor_eq"),
        *("true", "false", "nullptr", "return", "if", "else", "for", "while", "do", "break", "continue", "switch"),
        *("case", "goto", "throw", "try", "catch", "auto", "const", "constexpr", "static", "mutable", "typename"),
        *("template", "using", "namespace", "sizeof", "alignof", "typeid", "decltype", "noexcept", "operator"),
        *("static_cast", "dynamic_cast", "const_cast", "reinterpret_cast"),
    )
)
"""Words of C++ that are never the name of a column in an expression."""

_NUMBER_TYPES = frozenset(
    ("bool", "char", "short", "int", "long", "signed", "unsigned", "float", "double", "void"),
)
"""Words of C++ that are the name of a column where a number can stand, and a type elsewhere."""

_IN_TEMPLATES = frozenset(("*", "::", "<", ">"))


def _names(expression: str) -> list[re.Match[str]]:
    """Return where the names in a C++ expression stand that can be those of columns.

    No function, member, namespace or type is one, and no word in a string, a character or a comment.
    """
    tokens = [token for token in _TOKEN.finditer(expression) if not token["comment"]]
    words = ["", *(token[0] for token in tokens), "", ""]  # with neighbours for the first and the last
    types = _places_in_templates(words)
    return [
        token
        for i, token in enumerate(tokens, start=1)
        if token["word"]
        and token[0] not in _NO_NAMES
        and i not in types
        and words[i - 1] not in (".", "->", "::")
        and words[i + 1] not in ("(", "::")
        and not (token[0] in _NUMBER_TYPES and _is_type(words, i))
    ]


def _places_in_templates(words: Sequence[str]) -> set[int]:
    """Return the places of templates' names and arguments, as in `ROOT::RVec<unsigned int>{...}`."""
    places: set[int] = set()
    for i, word in enumerate(words):
        if word != "<" or not words[i - 1][:1].isidentifier():
            continue
        # Of a name that is not qualified, the arguments could be two comparisons: f(a < b, c > (d)).
        inside = {*_IN_TEMPLATES, ","} if words[i - 2] == "::" else _IN_TEMPLATES
        depth, end = 1, i + 1
        while (
            depth and end < len(words) and (words[end] in inside or words[end].isidentifier() or words[end].isdigit())
        ):
            depth += {"<": 1, ">": -1}.get(words[end], 0)
            end += 1
        if not depth and end > i + 2 and words[end] in ("(", "{", "::"):
            places |= {*range(i - 1, end)}
    return places


def _is_type(words: Sequence[str], i: int) -> bool:
    """Say whether the name of a type of numbers stands where a type does: in a declaration, a cast or a template."""
    before, after = words[i - 1], words[i + 1]
    if after[:1].isidentifier() or after == "&":
        return after not in _NO_NAMES or after in ("const", "auto")
    if before in _NUMBER_TYPES or before in ("const", "<"):
        return before != "<" or after == ">"
    return before == "(" and after == ")" and (words[i + 2] == "(" or words[i + 2][:1].isalnum())


def _word(name: str) -> str:
    """Return a name for expressions that is like another name."""
    word = re.sub(r"\W+", "_", name).strip("_") or "column"
    return f"{word}_" if word in _NO_NAMES else word if word[0].isalpha() else f"_{word}"


def _alias(name: str, branch: str, kind: str) -> str:
    """Return how a schema gives a name to a column of a file that is called otherwise there."""
    return f"{name}: {{branch: {json.dumps(branch)}, type: {json.dumps(kind)}}}"


def names_in(expression: str) -> set[str]:
    """Return the names in a C++ expression that can be those of columns."""
    return {token[0] for token in _names(expression)}


def rename(expression: str, names: Mapping[str, str]) -> str:
    """Return a C++ expression in which columns have other names.

    Args:
        expression: names columns.
        names: of columns -> what they are called instead.
    """
    parts, done = [], 0
    for token in _names(expression):
        parts += [expression[done : token.start()], names.get(token[0], token[0])]
        done = token.end()
    return "".join([*parts, expression[done:]])


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


_WholeNumber = Annotated[int, Field(strict=True, ge=-(2**53), le=2**53)]  # a double holds each exactly


class Quantity(_Table):
    """One canonical quantity: a C++ expression over the file's columns, and the unit that expression is in.

    Of several expressions the first counts whose columns the file has; quantities of one object that have equally many
    count together. One that is `optional` may be missing.

    `label` is 1 for signal and 0 for background, as its expression says, be that a bool, an integer or a real number.
    With `background`, a list of whole numbers, it is 0 where the expression is one of them and 1 where it is another.
    What is neither, NaN in particular, becomes -1 and so neither signal nor background.
    """

    expression: Annotated[
        tuple[str, ...], BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)
    ] = Field(min_length=1)
    unit: str = ""
    optional: bool = False
    # Left out of what models are tied to where it is not given: older models stay valid.
    background: Annotated[tuple[_WholeNumber, ...], Field(min_length=1)] | None = Field(
        default=None, exclude_if=lambda value: value is None
    )

    @field_validator("unit")
    @classmethod
    def _known_unit(cls, unit: str) -> str:
        if unit not in UNITS:
            raise ValueError(f"unknown unit {unit!r}; known: {', '.join(filter(None, UNITS))}")
        return unit


class Definition(_Table):
    """A physics column of a format's or a user's own: a C++ expression over canonical columns.

    Attributes:
        expression: gives a number.
        title: in ROOT's TLatex, as in "#Delta R_{ll}".
        unit: "GeV", "rad" or whatever it is in.
    """

    expression: str
    title: str | None = None
    unit: str = ""


class Objects(_Table):
    """Which objects of one kind count: pT above `pt` [GeV], |eta| below `eta`, and where a C++ expression says so.

    The expression is over the file's own columns and gives one truth value for each object of the file.
    """

    pt: Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)] | None = None
    eta: Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)] | None = None
    where: str | None = None


class FeatureSet(_Table):
    """What the detectors learn from for one kind of sample, and what is recorded beside it.

    Attributes:
        features: columns that the detectors see, in order.
        observables: columns that are only recorded and drawn.
        plane: the two columns (horizontal, vertical) in which events are drawn; a set of one feature needs none.
    """

    features: tuple[str, ...] = Field(min_length=1)
    observables: tuple[str, ...] = ()
    plane: tuple[str, str] | None = Field(default=None, validate_default=True)

    @field_validator("plane")
    @classmethod
    def _check_plane(cls, plane: tuple[str, str] | None, info: ValidationInfo) -> tuple[str, str] | None:
        if plane is None and len(info.data.get("features", ())) > 1:
            raise ValueError("name the two columns in which events are drawn")
        return plane


SELECTABLE = ("jet", "electron", "muon")
"""Kinds of objects that can be selected; electrons and muons also where a format holds them together."""


def _known_kind(kind: str) -> str:
    if kind not in SELECTABLE:
        raise ValueError(f"unknown kind of object {kind!r}; {near_names(kind, SELECTABLE)}")
    return kind


def _as_definition(value: Any) -> Any:
    return {"expression": value} if isinstance(value, str) else value


Selection = dict[Annotated[str, AfterValidator(_known_kind)], Objects]
"""Kind of object -> which of them count; all of those that are not named."""

Definitions = dict[Name, Annotated[Definition, BeforeValidator(_as_definition)]]
"""Name of a column -> what it is."""


_NUMBERS = frozenset(PHYSICS) - {*NOT_NUMBERS}
"""Physics columns that are a number each."""

_MADE_OF = frozenset({*CANONICAL, *MADE_ON_THE_WAY, *PHYSICS})
"""What an expression of a physics column can name."""


@dataclass(frozen=True)
class Available:
    """What files offer of a schema.

    Attributes:
        quantities: canonical quantity -> the expression that counts, and its unit.
        columns: names of the columns, of those that are alike in all files.
        partly: names of columns that some files have, or have otherwise.
    """

    quantities: Mapping[str, tuple[str, str]]
    columns: frozenset[str]
    partly: frozenset[str] = frozenset()


def _names_made_of(quantities: Collection[str]) -> set[str]:
    """Return the names of the canonical and physics columns that can be made of these quantities."""
    kinds = {name.partition("_")[0] for name in quantities if name not in IDENTITY}
    if kinds & {"electron", "muon"}:
        kinds.add("lepton")
    made = {*IDENTITY, *(f"stored_{name}" for name in STORED if name in quantities)}
    made |= {name for name in CANONICAL if name.partition("_")[0] in kinds & {*OBJECTS}}
    made |= {f"{kind}s" for kind in ("jet", "lepton") if kind in kinds}
    made |= {f"megajet{i}" for i in (1, 2) if f"megajet{i}" in kinds}
    made |= {"met_pt", "met_phi"} if "met_px" in quantities else {"met_pt", "met_phi"} & {*quantities}
    for name, expressions in PHYSICS.items():
        if any(names_in(expression) & _MADE_OF <= made for expression in expressions):
            made.add(name)
    return made


class Schema(_Table):
    """The table of one format: its columns with their types, and the canonical quantities made of them.

    Attributes:
        layout: of a text file: a table, or one that the module `rdf.sources.darkmachines` describes.
        dataset: of an HDF5 file: path of the data set of two dimensions, or of the group with a data set for each
            column; see `rdf.sources.hdf5_table`.
        columns: every column that an expression uses, with its type; for numpy and HDF5 tables without names, all of
            them in their order. In the table of a schema `name: {branch: ..., type: ...}` is an alias, which gives a
            name to a column that is called otherwise in the files.
        objects: which objects count unless the configuration says otherwise.
        feature_sets: sets that only this format has.
        define: physics columns that only this format has. Columns of the file that a feature set names are among them
            as they are, each with its name as title, also where the quantities would make a physics column of that
            name; unless there is a definition of that name, or a quantity is made of the column.
        features: names of the feature sets that suit its samples, best first.
    """

    name: str
    title: str
    tree: str
    layout: Literal["table", "darkmachines"] = "table"
    dataset: Annotated[str, Field(min_length=1)] | None = None
    columns: dict[str, ColumnType]
    quantities: dict[str, Quantity]
    objects: Selection = Field(default_factory=dict)
    feature_sets: dict[str, FeatureSet] = Field(default_factory=dict)
    define: Definitions = Field(default_factory=dict, validate_default=True)
    features: tuple[str, ...] = Field(min_length=1)

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
            if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_]\w*", name) or name in _NO_NAMES:
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
        """Return the schema's own conditions on objects."""
        return [objects.where for objects in self.objects.values() if objects.where]

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

    def _check_whole(self, kind: str, resolved: Collection[str], present: frozenset[str], file: object) -> None:
        """Refuse a file that has some of what makes an object's four-vector, but not all of it."""
        needed = {
            name for name in self.quantities if name.startswith(f"{kind}_") and name.removeprefix(f"{kind}_") != "btag"
        }
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
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise SchemaError(f"{path}: key {key!r}: {shortened(first['msg'].removeprefix('Value error, '))}") from error
    _check_four_vectors(schema, path)
    return schema


def _check_four_vectors(schema: Schema, path: Path) -> None:
    """Refuse objects that no four-vector can be made of."""
    for kind in OBJECTS:
        parts = {name.removeprefix(f"{kind}_") for name in schema.quantities if name.startswith(f"{kind}_")}
        if not parts:
            continue
        if not any(coordinates <= parts for coordinates in _COORDINATES) or not parts & _MASSES:
            raise SchemaError(
                f"{path}: {kind}s need {kind}_pt, _eta, _phi or _px, _py, _pz, and {kind}_mass or _energy; "
                f"it has {', '.join(sorted(f'{kind}_{part}' for part in parts))}"
            )
        for part in set(_EXTRAS[kind]) - {"btag"} - parts:
            raise SchemaError(f"{path}: {kind}s need {kind}_{part} too; add it to the quantities")
