"""Titles and numbers as HTML: TLatex with its indices, powers of ten, shares of a whole."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from plotting.style.tlatex import ACCENTS, SYMBOLS, Element, Symbol, parse
from plotting.style.wording import with_error

_TAGS = {"sub": "sub", "sup": "sup", "bf": "b", "it": "i"}


def title_markup(title: str) -> Markup:
    """Turn a title in ROOT's TLatex into HTML: "p_{T}^{miss}" gets its indices, "#Delta#phi" its Greek letters.

    What is no TLatex stands there as it is.
    """
    try:
        elements = parse(title)
    except ValueError:
        return Markup.escape(title)
    return _markup(elements)


def _markup(elements: Sequence[Element]) -> Markup:
    return Markup("").join(map(_element_markup, elements))


def _element_markup(element: Element) -> Markup:
    if isinstance(element, str):
        return Markup.escape(element)
    if isinstance(element, Symbol):
        return Markup.escape(SYMBOLS[element.name])
    first, *others = map(_markup, element.arguments)
    if element.kind in _TAGS:
        return Markup("<{0}>{1}</{0}>").format(_TAGS[element.kind], first)
    if element.kind == "frac":
        return Markup("<sup>{}</sup>⁄<sub>{}</sub>").format(first, others[0])
    if element.kind == "sqrt":
        return Markup("<sup>{}</sup>√({})" if element.option else "{}√({})").format(element.option, first)
    return first + ACCENTS[element.kind]


def number_markup(value: float | None) -> Markup:
    """Write a number with four digits, as 1,003 or 0.007745 or 8.141 × 10¹⁰; "–" for an unknown one."""
    if value is None or not math.isfinite(value):
        return Markup("–") if value is None or math.isnan(value) else Markup("∞" if value > 0 else "−∞")
    if float(value).is_integer() and abs(value) < 1e6:
        return Markup(f"{value:,.0f}".replace("-", "−"))
    value = float(f"{value:.4g}")
    sign = "−" if value < 0 else ""
    exponent = math.floor(math.log10(abs(value)))
    if not -4 < exponent < 6:
        digits = f"{abs(value) / 10.0**exponent:.3f}"
        power = f"−{-exponent}" if exponent < 0 else str(exponent)
        return Markup("{}{}\u00a0×\u00a010<sup>{}</sup>").format(sign, digits, power)
    return Markup(f"{sign}{abs(value):,.{max(0, 3 - exponent)}f}")


def quantity_markup(value: float | None, unit: str) -> Markup:
    """Write a number with its unit, which may be empty."""
    return Markup("{}\u00a0{}").format(number_markup(value), unit) if unit else number_markup(value)


def metric_text(value: float | None, error: float | None) -> str:
    """Write a figure of merit with its error, in one piece."""
    return with_error(value, error).replace(" ", "\u00a0")


def share_text(number: float, whole: float) -> str:
    """Write a share of a whole in percent, as "5.00 %" with a space that does not break; "–" of nothing."""
    return f"{100 * number / whole:.2f}\u00a0%" if whole else "–"
