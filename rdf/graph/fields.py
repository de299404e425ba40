"""Fields: the numbers of an event and of what detectors say of it, as rows and histograms take them.

The same kinds stand in `macros/graph/fields.hxx`. A field is found by the name of its column, so that a wrong name is
an error where something is booked, and not a wrong number in a figure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from rdf.errors import SchemaError, near_names

LABEL = "label"
FOLD = "fold"
VOTES = "votes"
ENSEMBLE = "score_ensemble"
ENSEMBLE_FLAG = "flag_ensemble"
WEIGHT = "weight"
WEIGHT_WORDS = (WEIGHT, "recorded_weight_middle", "recorded_weight_low")
"""Float32 words whose sum is the weight in double precision, where rows have them all."""


class Kind(IntEnum):
    """What a number is."""

    VALUE = 0
    LABEL = 1
    FOLD = 2
    SCORE = 3
    RANK = 4
    FLAG = 5
    VOTES = 6
    ENSEMBLE = 7
    ENSEMBLE_FLAG = 8
    WEIGHT = 9


TYPES: Mapping[Kind, str] = {
    **dict.fromkeys((Kind.LABEL, Kind.FOLD, Kind.VOTES), "int32"),
    **dict.fromkeys((Kind.FLAG, Kind.ENSEMBLE_FLAG), "bool"),
}
"""Type of a kind of numbers in files; float32 where there is none."""


@dataclass(frozen=True)
class Field:
    """One number of an event.

    Attributes:
        kind: of the number.
        index: place among the event's values, among the detectors or among the words of the weight.
    """

    kind: Kind
    index: int = 0


@dataclass(frozen=True)
class Fields:
    """The fields that the events of a graph have.

    Attributes:
        values: names of the columns that an event keeps side by side.
        detectors: names of the detectors that score, in their order; empty where nothing scores.
    """

    values: tuple[str, ...]
    detectors: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Field:
        """Return the field of a column.

        Raises:
            SchemaError: there is none of that name.
        """
        known = self._by_name
        if name not in known:
            raise SchemaError(f"no field of an event is called {name!r}; {near_names(name, known)}")
        return known[name]

    @property
    def _by_name(self) -> dict[str, Field]:
        values = {name: Field(Kind.VALUE, i) for i, name in enumerate(self.values)}
        weights = {name: Field(Kind.WEIGHT, i) for i, name in enumerate(WEIGHT_WORDS)}
        return {LABEL: Field(Kind.LABEL), **weights, **values, **score_fields(self.detectors)}

    def of(self, names: Iterable[str]) -> tuple[Field, ...]:
        """Return the fields of several columns."""
        return tuple(self[name] for name in names)


def score_fields(detectors: Sequence[str]) -> dict[str, Field]:
    """Return the columns of what detectors say of an event, in the order in which they are written."""
    return {
        FOLD: Field(Kind.FOLD),
        **{
            f"{prefix}_{name}": Field(kind, i)
            for prefix, kind in (("score", Kind.SCORE), ("rank", Kind.RANK), ("flag", Kind.FLAG))
            for i, name in enumerate(detectors)
        },
        VOTES: Field(Kind.VOTES),
        ENSEMBLE: Field(Kind.ENSEMBLE),
        ENSEMBLE_FLAG: Field(Kind.ENSEMBLE_FLAG),
    }


def cpp_fields(fields: Iterable[Field]) -> Any:
    """Return fields as the compiled nodes take them; the library of these has to be loaded."""
    from rdf.code.interpreter import ROOT  # fields are named before ROOT starts

    made = ROOT.fields.Fields()
    for field in fields:
        made.add(int(field.kind), field.index)
    return made
