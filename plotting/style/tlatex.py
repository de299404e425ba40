"""Titles in ROOT's TLatex, taken apart: into text, symbols, indices, fractions and the like.

What TLatex knows is listed in ROOT's reference of the class. A title is the user's own: whatever it holds, it can be
written as text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

GREEK = {
    **dict(zip(("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"), "αβγδεζηθ", strict=True)),
    **dict(zip(("iota", "kappa", "lambda", "mu", "nu", "xi", "omicron", "pi", "rho"), "ικλμνξοπρ", strict=True)),
    **dict(zip(("sigma", "tau", "upsilon", "phi", "chi", "psi", "omega"), "στυφχψω", strict=True)),
    **dict(zip(("varepsilon", "vartheta", "varomega", "varsigma", "varphi", "varUpsilon"), "εϑϖςϕϒ", strict=True)),
    **dict(zip(("Alpha", "Beta", "Gamma", "Delta", "Epsilon", "Zeta", "Eta", "Theta"), "ΑΒΓΔΕΖΗΘ", strict=True)),
    **dict(zip(("Iota", "Kappa", "Lambda", "Mu", "Nu", "Xi", "Omicron", "Pi", "Rho"), "ΙΚΛΜΝΞΟΠΡ", strict=True)),
    **dict(zip(("Sigma", "Tau", "Upsilon", "Phi", "Chi", "Psi", "Omega"), "ΣΤΥΦΧΨΩ", strict=True)),
}
"""Greek letters by their names."""

_TABLE = """
leq ≤ geq ≥ neq ≠ approx ≈ equiv ≡ propto ∝ LT ⟨ GT ⟩ in ∈ notin ∉ subset ⊂ notsubset ⊄ supset ⊃ subseteq ⊆ supseteq ⊇
cap ∩ cup ∪ wedge ∧ vee ∨ forall ∀ exists ∃ corner ¬ angle ∠ perp ⊥ parallel ∥ times × divide ÷ pm ± mp ∓ plus +
minus − / / upoint ⋅ cdot ⋅ otimes ⊗ oplus ⊕ odot ⊙ oslash ⊘ circ ∘ bullet • ast ∗ Box □ infty ∞ nabla ∇ partial ∂
surd √ prod ∏ sum ∑ int ∫ 3dots … leftarrow ← uparrow ↑ rightarrow → downarrow ↓ leftrightarrow ↔ downleftarrow ↵
Leftarrow ⇐ Uparrow ⇑ Rightarrow ⇒ Downarrow ⇓ Leftrightarrow ⇔ club ♣ diamond ♦ heart ♥ spade ♠ aleph ℵ Jgothic ℑ
Rgothic ℜ voidn ℘ voidb ƒ hbar ℏ ell ℓ AA Å aa å copyright © ocopyright © oright ® void1 ® trademark ™ void3 ™
doublequote ″ backslash ∖ ; ;
cbar | lbar | void8 | void06 | arctop ( arcbottom ( arcbar { ltbar { topbar ‾ bottombar _
"""  # the last line has the pieces of large brackets and bars
_WORDS = _TABLE.split()
SYMBOLS = GREEK | dict(zip(_WORDS[::2], _WORDS[1::2], strict=True))
"""Symbols by their names, as characters."""

ACCENTS = dict(
    zip(
        ("hat", "check", "acute", "grave", "dot", "ddot", "tilde", "bar", "vec", "slash"),
        "\u0302\u030c\u0301\u0300\u0307\u0308\u0303\u0304\u20d7\u0338",
        strict=True,
    )
)
"""Accents by the names of their commands, as characters that combine with the one before."""

_WITH_ARGUMENTS = {"frac": 2, "splitline": 2, "sqrt": 1, "bf": 1, "it": 1, **dict.fromkeys(ACCENTS, 1)}
_ONLY_CONTENT = ("color", "font", "scale", "kern", "lower", "mbox", "hbox", "url")
_ARGUMENTS = {**_WITH_ARGUMENTS, **dict.fromkeys(_ONLY_CONTENT, 1)}
_NAMES = sorted({*SYMBOLS, *_ARGUMENTS}, key=len, reverse=True)
_BRACKETS = re.compile(r"(\(\)|\[\]|\{\}|\|\|)\{")
_SIDE = re.compile(r"(?:left|right)([\[\](){}|])")
_OPTION = re.compile(r"\[([^\[\]{}]*)\]")
_SHORT_INDEX = re.compile(r"[A-Za-z0-9](?![A-Za-z0-9_])")
_WORD_BEFORE = re.compile(r"\w*$")
_LONGEST_WORD = 50
_DEEPEST = 20


@dataclass(frozen=True)
class Symbol:
    """A character that stands for itself in a formula.

    Attributes:
        name: of its command.
    """

    name: str


@dataclass(frozen=True)
class Command:
    """What is more than a row of characters.

    Attributes:
        kind: "sub" or "sup" for an index of what stands before; otherwise the name of the command.
        arguments: what it is made of.
        option: in brackets after the name; empty without one.
        short: of an index, whether it is a single character without braces.
    """

    kind: str
    arguments: tuple[tuple[Element, ...], ...]
    option: str = ""
    short: bool = False


Element = str | Symbol | Command


def parse(title: str) -> tuple[Element, ...]:
    """Take a title apart.

    Raises:
        ValueError: braces do not match, or lie too deep within each other.
    """
    elements, end = _sequence(title, 0, 0)
    if end < len(title):
        raise ValueError(f"a brace is closed that was not opened: {title[:100]!r}")
    return elements


def _sequence(text: str, at: int, depth: int) -> tuple[tuple[Element, ...], int]:
    """Read up to the end or to a brace that closes; return what was read and where that is."""
    if depth > _DEEPEST:
        raise ValueError("too many braces within each other")
    elements: list[Element] = []
    while at < len(text) and text[at] != "}":
        character = text[at]
        found: Sequence[Element]
        if character == "{":
            found, at = _braced(text, at, depth)
        elif character in "_^":
            found, at = _index(text, at, depth)
        elif character in "#\\":
            found, at = _command(text, at, depth)
        else:
            found, at = [character], at + 1
        for element in found:
            if isinstance(element, str) and elements and isinstance(elements[-1], str):
                elements[-1] += element
            else:
                elements.append(element)
    return tuple(elements), at


def _braced(text: str, at: int, depth: int) -> tuple[tuple[Element, ...], int]:
    elements, end = _sequence(text, at + 1, depth + 1)
    if end >= len(text):
        raise ValueError("a brace is not closed")
    return elements, end + 1


def _index(text: str, at: int, depth: int) -> tuple[Sequence[Element], int]:
    kind = "sub" if text[at] == "_" else "sup"
    if text[at + 1 : at + 2] == "{":
        content, end = _braced(text, at + 1, depth)
        return [Command(kind, (content,))], end
    before = _WORD_BEFORE.search(text[max(0, at - _LONGEST_WORD) : at])
    in_name = kind == "sub" and before is not None and "_" in before[0]
    found = None if in_name else _SHORT_INDEX.match(text, at + 1)
    if found:
        return [Command(kind, ((found[0],),), short=True)], found.end()
    return [text[at]], at + 1  # of a name such as my_var_x


def _command(text: str, at: int, depth: int) -> tuple[Sequence[Element], int]:
    """Read a command, or leave the character that would begin one as it is."""
    if brackets := _BRACKETS.match(text, at + 1):
        content, end = _braced(text, brackets.end() - 1, depth)
        return [brackets[1][0], *content, brackets[1][1]], end
    if side := _SIDE.match(text, at + 1):
        return [side[1]], side.end()
    # As in ROOT a name ends where it is one: #DeltaR is a Delta and an R.
    name = next((name for name in _NAMES if text.startswith(name, at + 1)), None)
    if name is None:
        return [text[at]], at + 1
    end = at + 1 + len(name)
    if name in _ARGUMENTS:
        option = _OPTION.match(text, end)
        arguments: list[tuple[Element, ...]] = []
        after = option.end() if option else end
        while len(arguments) < _ARGUMENTS[name] and text[after : after + 1] == "{":
            content, after = _braced(text, after, depth)
            arguments.append(content)
        if len(arguments) == _ARGUMENTS[name]:
            if name in _ONLY_CONTENT:
                return arguments[0], after
            if name == "splitline":
                return [*arguments[0], " ", *arguments[1]], after
            return [Command(name, tuple(arguments), option[1] if option else "")], after
    return ([Symbol(name)], end) if name in SYMBOLS else ([text[at]], at + 1)


def plain(elements: Sequence[Element]) -> str:
    """Write a title as text alone."""
    return "".join(map(_plain, elements))


def _plain(element: Element) -> str:
    if isinstance(element, str):
        return element
    if isinstance(element, Symbol):
        return SYMBOLS[element.name]
    first, *others = (plain(argument) for argument in element.arguments)
    if element.kind in ("sub", "sup"):
        mark = "_" if element.kind == "sub" else "^"
        return f"{mark}{first}" if first.isalnum() else f"{mark}({first})"
    if element.kind == "frac":
        return f"{_factor(first)}/{_factor(others[0])}"
    if element.kind == "sqrt":
        return f"{element.option}√{_factor(first)}"
    return accented(first, element.kind) if element.kind in ACCENTS else first


def _factor(text: str) -> str:
    return text if text.isalnum() else f"({text})"


def accented(text: str, accent: str) -> str:
    """Return a letter with its accent as one character; where there is no such character, the text alone."""
    joined = unicodedata.normalize("NFC", text + ACCENTS[accent])
    return joined if len(joined) == len(text) == 1 else text
