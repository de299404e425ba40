"""The grammar of expressions that come with models: arithmetic over columns, which cannot do anything but compute.

A model folder may come from a stranger, and its definitions and conditions become C++. What this grammar has is
numbers, columns, operators, calls of pure functions, elements and masks of arrays, and what four-vectors and arrays say
of themselves. It has no strings, assignments or names of other things, and no function that makes an array longer than
those it is given: the time that an event takes grows with the length of an expression and no faster.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from rdf.errors import ToolkitError
from rdf.schema.physics import INTERMEDIATE, PHYSICS
from rdf.schema.quantities import CANONICAL
from rdf.schema.tables import Definition, Objects

LENGTH = 2_000
"""Characters of an expression, at most."""

DEPTH = 40
"""Brackets, signs and conditions within each other, at most."""

EXPRESSIONS = 500
"""Expressions of one model folder, at most."""

_VECTOR_MATH = (
    *("abs", "sqrt", "cbrt", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "asin"),
    *("acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "floor", "ceil", "trunc", "round", "erf"),
    *("erfc", "tgamma"),
)
"""Functions of one number, which ROOT has for arrays too."""

_SCALAR_MATH: Mapping[str, range] = {
    **dict.fromkeys((*_VECTOR_MATH, "fabs", "rint", "nearbyint"), range(1, 2)),
    **dict.fromkeys(("pow", "atan2", "fmod", "remainder", "copysign", "fdim", "fmin", "fmax"), range(2, 3)),
    "hypot": range(2, 4),
}
"""Function of the C++ library -> how many arguments it takes."""

_OF_ARRAYS: Mapping[str, range] = {
    **dict.fromkeys((*_VECTOR_MATH, "lround"), range(1, 2)),
    **dict.fromkeys(("pow", "atan2", "fmod", "remainder", "hypot", "fdim"), range(2, 3)),
    **dict.fromkeys(("Mean", "Var", "StdDev", "Max", "Min", "ArgMax", "ArgMin", "Any", "All"), range(1, 2)),
    **dict.fromkeys(("Nonzero", "Reverse", "Sort", "StableSort", "Argsort", "StableArgsort"), range(1, 2)),
    **dict.fromkeys(("Sum", "Product"), range(1, 3)),
    **dict.fromkeys(("Take", "Drop", "DeltaPhi", "Intersect"), range(2, 3)),
    "Where": range(3, 4),
    **dict.fromkeys(("DeltaR", "DeltaR2", "InvariantMass"), range(4, 5)),
    "InvariantMasses": range(8, 9),
}
"""Function of ROOT::VecOps -> how many arguments it takes. None of them returns more elements than it was given."""

_TMATH: Mapping[str, range] = {
    **dict.fromkeys(("Pi", "TwoPi", "PiOver2", "E", "DegToRad", "RadToDeg"), range(1)),
    **dict.fromkeys(("Abs", "Sqrt", "Sq", "Exp", "Log", "Log2", "Log10", "Sin", "Cos", "Tan", "ASin"), range(1, 2)),
    **dict.fromkeys(("ACos", "ATan", "SinH", "CosH", "TanH", "ASinH", "ACosH", "ATanH"), range(1, 2)),
    **dict.fromkeys(("Floor", "Ceil", "Erf", "Erfc"), range(1, 2)),
    **dict.fromkeys(("ATan2", "Power", "Hypot", "Max", "Min"), range(2, 3)),
}

FUNCTIONS: Mapping[str, range] = {
    **{f"std::{name}": count for name, count in _SCALAR_MATH.items()},
    **dict.fromkeys(("std::min", "std::max"), range(2, 3)),
    **dict.fromkeys(("std::isnan", "std::isfinite", "std::isinf", "std::signbit"), range(1, 2)),
    **{f"TMath::{name}": count for name, count in _TMATH.items()},
    **{f"ROOT::VecOps::{name}": count for name, count in _OF_ARRAYS.items()},
    **_OF_ARRAYS,
    **_SCALAR_MATH,
}
"""Function, as it may be called -> how many arguments it takes."""

MEMBERS: Mapping[str, range] = {
    **dict.fromkeys(("Pt", "Eta", "Phi", "M", "E", "P", "Px", "Py", "Pz", "X", "Y", "Z", "T", "R", "Rho"), range(1)),
    **dict.fromkeys(("M2", "P2", "Perp2", "Mt", "Mt2", "Et", "Et2", "Theta", "Rapidity", "Beta", "Gamma"), range(1)),
    **dict.fromkeys(("pt", "eta", "phi", "mass", "energy", "px", "py", "pz", "mt"), range(1)),
    **dict.fromkeys(("size", "empty"), range(1)),
    "at": range(1, 3),
}
"""What four-vectors and arrays can be asked -> how many arguments that takes."""

PARTS = ("first", "second")
"""Parts of a pair, as of the megajets."""

TYPES = (
    "bool",
    "short",
    "int",
    "long",
    "float",
    "double",
    "unsigned",
    "unsigned int",
    "long long",
    "unsigned long long",
)
"""Types that `static_cast` may convert to; those of one word may be called like functions."""

_BINARY = frozenset(("+", "-", "*", "/", "%", "<", ">", "<=", ">=", "==", "!=", "&&", "||", "&", "|", "^", "<<", ">>"))
_UNARY = frozenset(("+", "-", "!", "~"))
_OTHER = frozenset(("(", ")", "[", "]", ",", "?", ":"))

_TOKEN = re.compile(
    r"""(?P<blank>\ +)
    | (?P<cast>static_cast<(?P<type>[a-z]+(?:\ [a-z]+)*)>)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*(?:::[A-Za-z_][A-Za-z0-9_]*)*)
    | (?P<number>(?:0[xX][0-9a-fA-F]+[uU]?[lL]{0,2}
        | (?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[fF]?
        | [0-9]+[eE][+-]?[0-9]+[fF]?
        | [0-9]+[uU]?[lL]{0,2})(?![A-Za-z0-9_.]))
    | (?P<member>\.[A-Za-z_][A-Za-z0-9_]*)
    # As C++ does, the longest that there is: `a --b` is no subtraction of a negative number.
    | (?P<sign><<=|>>=|<=>|->\*|\.\.\.|\+\+|--|->|\.\*|[-+*/%^&|]=|==|!=|<=|>=|&&|\|\||<<|>>|::|//|/\*|<:|:>|<%|%>|%:
        |\?\?|[-+*/%^&|!~<>()\[\],?:])""",
    re.VERBOSE,
)


class OutsideGrammar(ToolkitError):
    """An expression is none of those that models may bring; the message says what in it is not."""


@dataclass(frozen=True)
class Token:
    """A word of an expression.

    Attributes:
        kind: "cast", "name", "number", "member", "sign" or "end".
        text: as it is written.
    """

    kind: str
    text: str


def tokens(expression: str) -> Iterator[Token]:
    """Yield the words of an expression.

    Raises:
        OutsideGrammar: a character, or a sign, is none of the grammar's.
    """
    place = 0
    while place < len(expression):
        found = _TOKEN.match(expression, place)
        if not found:
            raise OutsideGrammar(f"{expression[place : place + 12]!a} is not understood")
        place = found.end()
        kind, text = str(found.lastgroup if found["cast"] is None else "cast"), found[0]
        if kind == "sign" and text not in _BINARY | _UNARY | _OTHER:
            raise OutsideGrammar(f"{text!a} is no operator that models may bring")
        if kind != "blank":
            yield Token(kind, text)


def check_expression(expression: str, columns: Collection[str] | None) -> None:
    """Refuse an expression that is not of the grammar.

    Args:
        expression: of a definition or a condition.
        columns: names that it may have; None if any name may be that of a column.

    Raises:
        OutsideGrammar: it is not; says why.
    """
    if len(expression) > LENGTH:
        raise OutsideGrammar(f"it has {len(expression)} characters, {LENGTH} are allowed")
    _Parser(expression, columns).parse()


class _Parser:
    """Recursive descent. What binds how strongly is left to C++: it does not matter here."""

    def __init__(self, expression: str, columns: Collection[str] | None) -> None:
        self._columns = columns
        self._tokens = [*tokens(expression), Token("end", "")]
        self._place = 0
        self._depth = 0

    def parse(self) -> None:
        self._expression()
        if self._next.kind != "end":
            raise self._unexpected()

    @property
    def _next(self) -> Token:
        return self._tokens[self._place]

    def _take(self) -> Token:
        self._place += 1
        return self._tokens[self._place - 1]

    def _takes(self, *signs: str) -> bool:
        if self._next.kind == "sign" and self._next.text in signs:
            self._place += 1
            return True
        return False

    def _require(self, sign: str) -> None:
        if not self._takes(sign):
            raise self._unexpected(f", {sign} is expected")

    def _unexpected(self, instead: str = "") -> OutsideGrammar:
        what = "it ends too early" if self._next.kind == "end" else f"{self._next.text!a} stands where it cannot"
        return OutsideGrammar(f"{what}{instead}")

    def _expression(self) -> None:
        """Condition ? expression : expression, or operands with operators between them."""
        self._depth += 1
        if self._depth > DEPTH:
            raise OutsideGrammar(f"more than {DEPTH} brackets or conditions lie within each other")
        self._operand()
        while self._takes(*_BINARY):
            self._operand()
        if self._takes("?"):
            self._expression()
            self._require(":")
            self._expression()
        self._depth -= 1

    def _operand(self) -> None:
        """Signs, what they stand before, and elements and members of that."""
        while self._takes(*_UNARY):
            pass
        if self._next.kind == "number":
            self._take()
            return
        self._primary()
        while True:
            if self._takes("["):
                self._expression()
                self._require("]")
            elif self._next.kind == "member":
                self._member(self._take().text[1:])
            else:
                return

    def _member(self, name: str) -> None:
        if name in PARTS:
            return
        if name not in MEMBERS:
            raise OutsideGrammar(f"{f'.{name}'!a} is no member that models may ask for")
        self._call(f".{name}", MEMBERS[name])

    def _primary(self) -> None:
        if self._takes("("):
            self._expression()
            self._require(")")
            return
        if self._next.kind == "cast":
            kind = self._take().text.removeprefix("static_cast<").removesuffix(">")
            if kind not in TYPES:
                raise OutsideGrammar(f"{kind!a} is no type that models may convert to")
            self._call("static_cast", range(1, 2))
            return
        if self._next.kind != "name":
            raise self._unexpected()
        name = self._take().text
        if self._next == Token("sign", "("):
            if name not in FUNCTIONS and name not in TYPES:
                raise OutsideGrammar(f"{name!a} is no function that models may call")
            self._call(name, FUNCTIONS.get(name, range(1, 2)))
        elif "::" in name or (self._columns is not None and name not in (*self._columns, "true", "false")):
            raise OutsideGrammar(f"{name!a} is no column")

    def _call(self, name: str, counts: range) -> None:
        self._require("(")
        arguments = 0
        if not self._takes(")"):
            self._expression()
            arguments = 1
            while self._takes(","):
                self._expression()
                arguments += 1
            self._require(")")
        if arguments not in counts:
            raise OutsideGrammar(f"{name!a} is given {arguments} arguments")


def outside_grammar(
    definitions: Mapping[str, Definition],
    selection: Mapping[str, Objects],
    file_columns: Collection[str] | None = None,
    schema_columns: Collection[str] = (),
    cuts: Mapping[str, str] | None = None,
) -> list[str]:
    """Return what in models is not of the grammar: each expression, with the reason; in ASCII that can be printed.

    Args:
        definitions: columns that the models bring.
        selection: their conditions on objects.
        file_columns: names of the file's columns; None where they are not known yet, and any name may be a column's.
        schema_columns: columns that the schema defines.
        cuts: their cuts on events.
    """
    cuts = cuts or {}
    made = {*CANONICAL, *PHYSICS, *INTERMEDIATE, *schema_columns}
    found = []
    for name, definition in definitions.items():
        if not name.isascii():
            found.append(f"define {name[:_SHOWN]!a}: a name has no other letters than a to z")
        columns = None if file_columns is None else {*file_columns, *made, *definitions.keys() - {name}}
        found += _fault(f"define {name!a}", definition.expression, columns)
    for kind, objects in selection.items():
        found += _fault(f"objects.{kind}.where", objects.where, file_columns) if objects.where else []
    for name, expression in cuts.items():
        columns = None if file_columns is None else {*file_columns, *made, *definitions}
        found += _fault(f"select {name!a}", expression, columns)
    for key, number in (("define", len(definitions)), ("select", len(cuts))):
        if number > EXPRESSIONS:
            found.append(f"{key}: {number} {'columns' if key == 'define' else 'cuts'}, {EXPRESSIONS} are allowed")
    return found


_SHOWN = 160
"""Characters of an expression that a message shows."""


def _fault(place: str, expression: str, columns: Collection[str] | None) -> list[str]:
    try:
        check_expression(expression, columns)
    except OutsideGrammar as reason:
        shown = ascii(expression[:_SHOWN]) + ("..." if len(expression) > _SHOWN else "")
        return [f"{place}: {shown} ({reason})"]
    return []
