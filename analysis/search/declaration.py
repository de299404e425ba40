"""What a search of any method declares: hashed, so that a blinded and an unblinded search are known to be the same."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from rdf.statistics.functions import FamilyName

FINEST_CUT = 0.001
"""Smallest fraction of events that a declared cut may keep."""

_FOLDERS = {"run", "signal", "control"}

_OF_THE_MACHINE = {"threads", "output", "unblind", "engine", "cluster"}
"""Keys that change nothing of what is declared."""


BackgroundFamily = Annotated[
    FamilyName,
    Field(
        description="functions of the background: exp-polynomial (default), or dijet for falling spectra of jets, with "
        "--sqrt-s"
    ),
]
FamilyParameters = Annotated[
    tuple[int, int] | None,
    Field(
        description="A:B, numbers of parameters of the functions; the last one only tests those before it (default: "
        "all of the family)"
    ),
]
CentreOfMassEnergy = Annotated[
    float | None, Field(gt=0, description="centre-of-mass energy, in the unit of the observable")
]


class Declaration(BaseModel):
    """Base of the configurations of all methods."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def declared(self) -> dict[str, Any]:
        """Return what is declared, as JSON has it."""
        return self.model_dump(mode="json", exclude=_OF_THE_MACHINE)

    def sha256(self) -> str:
        """Return a sha256 of what is declared.

        Folders are left out: what lies in them is known by the checksums of its files.
        """
        declared = {key: value for key, value in self.declared().items() if key not in _FOLDERS}
        return hashlib.sha256(json.dumps(declared, sort_keys=True).encode()).hexdigest()


def split_list(value: Any) -> Any:
    """Return the parts of a text that commas separate, or a list of YAML, as a tuple; anything else as it is."""
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",")]
    return tuple(value) if isinstance(value, list) else value


def nested_cuts(value: tuple[float, ...]) -> tuple[float, ...]:
    """Return fractions that cuts keep, the largest first.

    Raises:
        ValueError: one is out of range, or there twice.
    """
    if not value or any(not FINEST_CUT <= fraction <= 1 for fraction in value):
        raise ValueError(f"a cut keeps a fraction from {FINEST_CUT} to 1 of the events")
    if len(set(value)) < len(value):
        raise ValueError("name each cut once")
    return tuple(sorted(value, reverse=True))


def whole_number(value: Any) -> Any:
    """Return a text such as 1e6 as a number; anything else as it is."""
    if isinstance(value, str) and "e" in value.lower():
        with suppress(ValueError):
            return float(value)
    return value


def split_interval(text: str) -> tuple[str, str]:
    """Return the two ends of an interval that is written as A:B.

    Raises:
        ValueError: it is not written so.
    """
    low, separator, high = text.partition(":")
    if not separator:
        raise ValueError(f"{text!r} is not of the form A:B")
    return low.strip(), high.strip()
