"""Names of columns in C++ expressions: where they stand, and how they are replaced."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

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

RESERVED = frozenset(
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
        and token[0] not in RESERVED
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
        return after not in RESERVED or after in ("const", "auto")
    if before in _NUMBER_TYPES or before in ("const", "<"):
        return before != "<" or after == ">"
    return before == "(" and after == ")" and (words[i + 2] == "(" or words[i + 2][:1].isalnum())


def names_in(expression: str) -> set[str]:
    """Return the names in a C++ expression that can be those of columns."""
    return {token[0] for token in _names(expression)}


def rename(expression: str, names: Mapping[str, str]) -> str:
    """Return a C++ expression in which columns have other names.

    Args:
        expression: names columns.
        names: of columns -> what they are called instead.
    """
    pieces, done = [], 0
    for token in _names(expression):
        pieces += [expression[done : token.start()], names.get(token[0], token[0])]
        done = token.end()
    return "".join([*pieces, expression[done:]])
