"""The tables that a schema is made of: quantities, definitions, objects that count, feature sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WrapSerializer,
    field_validator,
    model_validator,
)

from rdf.errors import near_names
from rdf.schema.physics import FLAVOURS
from rdf.schema.quantities import OBJECTS, UNITS

_TYPES = ("bool", *(f"{u}int{bits}" for u in ("", "u") for bits in (8, 16, 32, 64)), "float32", "float64")


def _known_type(kind: str) -> str:
    if kind.removesuffix("[]") not in _TYPES:
        raise ValueError(f"unknown type {kind!r}; {near_names(kind, _TYPES)}, with [] for several values")
    return kind


ColumnType = Annotated[str, AfterValidator(_known_type)]
"""Type of a column; with `[]` for one that has any number of values in an event."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$")]
"""What can be the name of a column that is defined."""


class Table(BaseModel):
    """A table whose keys are all known."""

    model_config = ConfigDict(frozen=True, extra="forbid")


_WholeNumber = Annotated[int, Field(strict=True, ge=-(2**53), le=2**53)]  # a double holds each exactly


class Quantity(Table):
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


class Normalisation(Table):
    """What files of simulated events say of how many are produced.

    Attributes:
        expression: over the columns of an event, the cross section in pb over the sum of all generated weights.
        tree: name of a tree beside that of the events.
        sum_of_weights: columns of that tree, of which the first counts that a file has; its rows are added up.
    """

    expression: str | None = None
    tree: str | None = None
    sum_of_weights: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _of_one_form(self) -> Self:
        if (self.tree is None) == (not self.sum_of_weights) != (self.expression is None):
            return self
        raise ValueError("give either an `expression`, or both `tree` and `sum_of_weights`")


class Definition(Table):
    """A physics column of a format's or a user's own: a C++ expression over canonical columns.

    Attributes:
        expression: gives a number.
        title: in ROOT's TLatex, as in "#Delta R_{ll}".
        unit: "GeV", "rad" or whatever it is in.
    """

    expression: str
    title: str | None = None
    unit: str = ""


_LowestPt = Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)]
_LargestEta = Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)]


class Objects(Table):
    """Which objects of one kind count: pT above `pt` [GeV], |eta| below `eta`, and where a C++ expression says so.

    The expression is over the file's own columns and gives one truth value for each object of the file.
    """

    pt: _LowestPt | None = None
    eta: _LargestEta | None = None
    where: str | None = None


class DefaultObjects(Table):
    """Which objects of one kind count by a schema: as `Objects` says.

    Of several conditions the first counts whose columns the file has, as versions of a format name them otherwise.
    """

    pt: _LowestPt | None = None
    eta: _LargestEta | None = None
    where: Annotated[tuple[str, ...], BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)] = ()


class FeatureSet(Table):
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


SELECTABLE = OBJECTS
"""Kinds of objects that can be selected; electrons and muons also where a format holds them together, and leptons where
it holds them apart."""


def _known_kind(kind: str) -> str:
    if kind not in SELECTABLE:
        raise ValueError(f"unknown kind of object {kind!r}; {near_names(kind, SELECTABLE)}")
    return kind


NONE = "none"
"""What is chosen for no selection of objects, and for no removal of overlaps."""


def _all_for_none(value: Any) -> Any:
    if value is None:
        raise ValueError(f"nothing; name kinds of objects, or write {NONE} for all in the file")
    return None if value == NONE else value


def _as_definition(value: Any) -> Any:
    return {"expression": value} if isinstance(value, str) else value


Kind = Annotated[str, AfterValidator(_known_kind)]
"""Kind of object."""

Selection = dict[Kind, Objects]
"""Kind of object -> which of them count; all of those that are not named."""


class Overlap(Table):
    """A step of the removal of overlaps: objects of one kind are dropped that lie near an object of another.

    Attributes:
        drop: kind of the objects that are dropped. If it is `near` too, the one of lower pT is dropped of two.
        near: kind of the objects that stay.
        within: Delta R up to which they are near, with pseudorapidities.
    """

    drop: Kind
    near: Kind
    within: Annotated[float, Field(gt=0, allow_inf_nan=False, strict=True)]

    @model_validator(mode="after")
    def _two_kinds(self) -> Self:
        if self.drop != self.near and "lepton" in (self.drop, self.near) and {self.drop, self.near} & {*FLAVOURS}:
            raise ValueError(f"each {self.drop} is near itself as a {self.near}; name electrons and muons")
        return self


Overlaps = tuple[Overlap, ...]
"""Steps of the removal of overlaps, in their order; each is about the objects that are left."""

Definitions = dict[Name, Annotated[Definition, BeforeValidator(_as_definition)]]
"""Name of a column -> what it is."""


def _free_name(name: str) -> str:
    if name in (ALL, FINITE):
        raise ValueError(f"{name!r} is a cut of every cutflow; choose another name")
    return name


ChosenObjects = Annotated[
    Selection | None,
    BeforeValidator(_all_for_none),
    WrapSerializer(lambda value, write: NONE if value is None else write(value)),
]
"""Which objects count, as it is configured; None, written as `none`, for all in the file."""

ChosenOverlaps = Annotated[Overlaps | None, BeforeValidator(lambda value: () if value == NONE else value)]
"""Removal of overlaps, as it is configured; None for what the schema says."""

ALL, FINITE = "all", "finite"
"""First and last cut of every cutflow: every event read, and every event whose features are all finite."""

Cuts = dict[
    Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=60), AfterValidator(_free_name)],
    Annotated[str, Field(min_length=1)],
]
"""Name of a cut -> C++ expression that is true for the events that pass, over what definitions are over; in order."""


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
