"""Titles in ROOT's TLatex as matplotlib draws them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import groupby
from operator import itemgetter
from typing import TypeGuard

from plotting.style.house import FAMILY, house_style
from plotting.style.tlatex import ACCENTS, GREEK, SYMBOLS, Command, Element, Symbol, accented, parse, plain

_BASE = re.compile(r"(?:[^\W\d_]+|\d+|\S)$")
"""What at the end of a text carries an index."""
_UPRIGHT = re.compile(r"(?<![\\A-Za-z])(?:[A-Za-z]{2,}|T)(?![A-Za-z])|[0-9]+")
_IN_FORMULA = {character: f"\\{character}" for character in " $%#&{}_"} | {"^": "\\^{}", "~": "\\sim ", "\\": "∖"}
_LIKE_LATIN = "omicron Alpha Beta Epsilon Zeta Eta Iota Kappa Mu Nu Omicron Rho Tau Chi"
_IN_MATHTEXT = frozenset(GREEK) - frozenset(_LIKE_LATIN.split())
"""Greek letters that matplotlib knows by name."""
_NAME_THEN_LETTER = re.compile(r"(\\[A-Za-z]+)\0(?=[A-Za-z])")
_LETTERS = {"varomega": "varpi", "varUpsilon": "Upsilon"}
"""Greek letters that matplotlib calls otherwise than ROOT."""
_ACCENTS = frozenset({"hat", "acute", "grave", "dot", "ddot", "tilde", "bar", "vec"})
_LONGEST = 100
"""Characters of a title that are drawn."""


@cache
def axis_text(title: str) -> str:
    """Turn an axis title in ROOT's TLatex into matplotlib text; what matplotlib cannot set is written plainly.

    Words, numbers and the T of "transverse" stand upright, variables in italics: "p_{T}^{miss} [GeV]" becomes
    "$p_{\\mathrm{T}}^{\\mathrm{miss}}$ [GeV]".
    """
    title = drawable(title)
    try:
        elements = parse(title)
    except ValueError:
        return literal(shortened(title, _LONGEST))
    text = plain(elements)
    if len(text) > _LONGEST:
        return literal(shortened(text, _LONGEST))
    formula = _formula(elements)
    return formula if _can_be_set(formula) else literal(text)


def literal(text: str) -> str:
    """Return a text as matplotlib draws it as it is, without formulas."""
    return text.replace("\\", "∖").replace("$", r"\$")


def shortened(text: str, longest: int) -> str:
    """Return a text cut to a number of characters; a text that was longer ends with an ellipsis."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def drawable(text: str) -> str:
    """Return a text on one line, with a square in place of each character that the font does not have."""
    return "".join(character if ord(character) in _glyphs() else "□" for character in " ".join(text.split()))


@cache
def _glyphs() -> frozenset[int]:
    from matplotlib.font_manager import FontProperties, findfont, get_font

    with house_style():
        return frozenset(get_font(findfont(FontProperties(family=FAMILY))).get_charmap())


def _can_be_set(text: str) -> bool:
    if "$" not in text:
        return True
    from matplotlib.mathtext import MathTextParser

    try:
        with house_style():
            MathTextParser("path").parse(text)
    except Exception:  # noqa: BLE001 - titles are the users', and not all that goes wrong is a ValueError
        return False
    return True


def _formula(elements: Sequence[Element]) -> str:
    """Write a title with what is a formula in it between dollars, and text as it is."""
    pieces: list[tuple[bool, str]] = []
    for element, written, following in zip(elements, _row(elements), (*elements, "")[1:], strict=True):
        if not isinstance(element, str):
            pieces.append((True, written))
            continue
        base = _BASE.search(element) if _is_index(following) else None
        text = element[: base.start()] if base else element
        pieces += [(False, literal(text))] * bool(text) + ([(True, _math(base[0]))] if base else [])
    return "".join(
        f"${_joined(piece for _, piece in group)}$" if is_math else "".join(piece for _, piece in group)
        for is_math, group in groupby(pieces, key=itemgetter(0))
    )


def _row(elements: Sequence[Element]) -> list[str]:
    """Write elements that stand side by side; a second index of one kind gets an empty base of its own."""
    written = []
    seen: set[str] = set()
    for element in elements:
        again = _is_index(element) and element.kind in seen
        if again or not _is_index(element):
            seen.clear()
        if _is_index(element):
            seen.add(element.kind)
        written.append("{}" * again + _math(element))
    return written


def _is_index(element: Element) -> TypeGuard[Command]:
    return isinstance(element, Command) and element.kind in ("sub", "sup")


def _joined(pieces: Iterable[str]) -> str:
    """Put pieces of a formula together; a name that letters would go on is set apart from them."""
    return _NAME_THEN_LETTER.sub(r"\1 ", "\0".join(pieces)).replace("\0", "")


def _math(element: Element) -> str:
    """Write a part of a title as it stands in a formula."""
    if isinstance(element, str):
        return _UPRIGHT.sub(_upright, "".join(_IN_FORMULA.get(character, character) for character in element))
    if isinstance(element, Symbol):
        if element.name in _IN_MATHTEXT:
            return rf"\{_LETTERS.get(element.name, element.name)}"
        return _IN_FORMULA.get(SYMBOLS[element.name], SYMBOLS[element.name])
    arguments = [_joined(_row(argument)) for argument in element.arguments]
    if _is_index(element):
        mark = "_" if element.kind == "sub" else "^"
        return f"{mark}{arguments[0]}" if element.short else f"{mark}{{{arguments[0]}}}"
    if element.kind in ("bf", "it"):
        return rf"\math{element.kind}{{{arguments[0]}}}"
    if element.kind in ACCENTS and element.kind not in _ACCENTS:
        return _math(accented(plain(element.arguments[0]), element.kind))
    option = f"[{element.option}]" if element.kind == "sqrt" and element.option.isalnum() else ""
    return rf"\{element.kind}{option}" + "".join(f"{{{argument}}}" for argument in arguments)


def _upright(word: re.Match[str]) -> str:
    return rf"\mathrm{{{word.group()}}}"
