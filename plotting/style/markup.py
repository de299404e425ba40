"""Titles and numbers as HTML: TLatex with its indices, powers of ten, shares of a whole."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from plotting.style.tlatex import ACCENTS, SYMBOLS, Node, Symbol, parse
from plotting.style.wording import with_error

_TAGS = {"sub": "sub", "sup": "sup", "bf": "b", "it": "i"}


def title_markup(title: str) -> Markup:
    """Turn a title in ROOT's TLatex into HTML: "p_{T}^{miss}" gets its indices, "#Delta#phi" its Greek letters.

    What is no TLatex stands there as it is.
    """
    try:
        nodes = parse(title)
    except ValueError:
        return Markup.escape(title)
    return _markup(nodes)


def _markup(nodes: Sequence[Node]) -> Markup:
    return Markup("").join(map(_node_markup, nodes))


def _node_markup(node: Node) -> Markup:
    if isinstance(node, str):
        return Markup.escape(node)
    if isinstance(node, Symbol):
        return Markup.escape(SYMBOLS[node.name])
    first, *others = map(_markup, node.arguments)
    if node.kind in _TAGS:
        return Markup("<{0}>{1}</{0}>").format(_TAGS[node.kind], first)
    if node.kind == "frac":
        return Markup("<sup>{}</sup>⁄<sub>{}</sub>").format(first, others[0])
    if node.kind == "sqrt":
        return Markup("<sup>{}</sup>√({})" if node.option else "{}√({})").format(node.option, first)
    return first + ACCENTS[node.kind]


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


def share_text(part: float, whole: float) -> str:
    """Write a part of a whole in percent, as "5.00 %" with a space that does not break; "–" of nothing."""
    return f"{100 * part / whole:.2f}\u00a0%" if whole else "–"
