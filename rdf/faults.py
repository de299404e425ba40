"""Faults that pydantic finds in a table of keys and values, in the words of a message: the first one, in a line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


@dataclass(frozen=True)
class Fault:
    """What does not fit in a table of keys and values.

    Attributes:
        place: keys and numbers of list items that lead to the value, the outermost first; empty for the whole table.
        kind: pydantic's name of the fault, as "missing" or "extra_forbidden".
        reason: what is wrong with the value, in words.
    """

    place: tuple[str, ...]
    kind: str
    reason: str

    @property
    def key(self) -> str:
        """The place as one text with dots: "detectors.mlp.rule"."""
        return ".".join(self.place)


def first_fault(error: ValidationError) -> Fault:
    """Return the first of the faults that pydantic found in a table: a message names one, which is to be mended."""
    found = error.errors()[0]
    return Fault(tuple(map(str, found["loc"])), found["type"], found["msg"].removeprefix("Value error, "))
