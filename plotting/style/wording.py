"""How names and numbers read in figures and in the report."""

from __future__ import annotations

import math
from typing import TypeVar

Text = TypeVar("Text", bound=str)

_SPELLED = {"one_class_svm": "one-class SVM", "mlp": "MLP"}


def words(name: str) -> str:
    """Return the name of a detector as it stands in a sentence: "isolation_forest" is an isolation forest."""
    return _SPELLED.get(name, name.replace("_", " "))


def capitalised(text: Text) -> Text:
    """Return a text as it stands at the beginning of a line; acronyms in it stay as they are."""
    return type(text)(text[:1].upper() + text[1:])


def with_error(value: float | None, error: float | None) -> str:
    """Return a value with its error, to two digits of the error, as "0.812 ± 0.005"; "–" for an unknown value."""
    if value is None:
        return "–"
    if not error:
        return f"{value:.4g}"
    decimals = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:.{decimals}f} ± {error:.{decimals}f}"


def count_text(events: float) -> str:
    """Return a number of events with thousands set apart; a sum of weights keeps one decimal."""
    return f"{events:,.0f}" if float(events).is_integer() else f"{events:,.1f}"


def luminosity_in_unit(inverse_femtobarn: float) -> tuple[float, str]:
    """Return a luminosity with the unit that the field counts it in: inverse "fb", below one of these inverse "pb"."""
    return (inverse_femtobarn, "fb") if inverse_femtobarn >= 1 else (1000 * inverse_femtobarn, "pb")
