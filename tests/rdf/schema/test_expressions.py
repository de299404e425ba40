"""Expressions that come with models: formulas pass, and nothing that could do more than compute."""

from __future__ import annotations

import itertools
import random
import re

import pytest

from rdf.schema.expressions import (
    DEPTH,
    FUNCTIONS,
    LENGTH,
    MEMBERS,
    TYPES,
    OutsideGrammar,
    check_expression,
    outside_grammar,
)
from rdf.schema.tables import Definition, Objects

COLUMNS = frozenset(
    (
        *(
            "HT",
            "MR",
            "Rsq",
            "MET",
            "jets",
            "leptons",
            "megajets",
            "jet_pt",
            "jet_eta",
            "jet_phi",
            "jet_mass",
            "a",
            "b",
        ),
        *("lepton_pt", "lepton_eta", "lepton1_pt", "lepton2_pt", "lepton_pt_sum", "n_jets", "met_pt", "met_phi"),
        *("b", "jet_btag", "Jet_pt", "Jet_jetId", "Muon_tightId", "PuppiMET_phi"),
    )
)

FORMULAS = (
    # Of README, of the room's README, and of the tests.
    *("(lepton1_pt - lepton2_pt) / lepton_pt_sum", "Muon_tightId", "Jet_jetId >= 2", "Jet_jetId[0] >= 2", "HT / MR"),
    *("jet_pt[5]", "jet_pt[0] / HT", "MR / 2", "a + 1", "2 * MET", "jet_pt[5] / HT", "Sum(jet_pt[jet_eta > 0])", "1."),
    *("jets.empty() ? -1. : jet_pt[0]", "static_cast<double>(PuppiMET_phi)", "jet_pt[n_jets - 1] + leptons[0].Pt()"),
    *("jet_pt[abs(jet_eta) < 0.5][0]", "(jet_pt * 2)[1]", "Max(lepton_pt)"),
    # What physicists write.
    *(
        "megajets.first.Pt() + megajets.second.M()",
        "(jets[0] + jets[1]).M()",
        "std::abs(DeltaPhi(jet_phi[0], met_phi))",
    ),
    *("Sum(jet_pt[jet_pt > 30 && abs(jet_eta) < 2.4])", "jet_pt[Argsort(jet_btag)][0]", "TMath::Pi() - met_phi"),
    *("Where(jet_eta > 0, jet_pt, -jet_pt)[0]", "ROOT::VecOps::Sum(jet_pt)", "std::max(HT, MR)", "std::hypot(a, b)"),
    *("(Jet_jetId & 0x2) != 0", "!(a > 1) || b <= 1e-3f", "- -a + +b - ~n_jets", "a ? b ? 1 : 2 : 3", "true"),
    *(
        "InvariantMass(jet_pt, jet_eta, jet_phi, jet_mass)",
        "jets.at(0).Eta()",
        "float(n_jets) / jets.size()",
        ".5e+2 * a",
    ),
    *("sqrt(2 * lepton_pt[0] * MET * (1 - cos(met_phi)))", "n_jets % 2 == 1 ^ 1", "Any(jet_pt > 100)", "10u * 3L << 1"),
)


@pytest.mark.parametrize("expression", FORMULAS)
def test_a_formula_passes(expression: str) -> None:
    check_expression(expression, COLUMNS)


_HOSTILE = r"""
Calls of what is no function of the list:
system("touch /tmp/mark")   1.0 + 0 * system("touch /tmp/mark")   std::system("touch /tmp/mark")   ::system(a)
gSystem->Exec('touch /tmp/mark')   gROOT->ProcessLine(a)   gInterpreter->Declare(a)   popen(a, b)   abort()   exit(0)
std::exit(0)   TPython::Exec(a)   fork()   getenv(a)   malloc(1)   free(jets)   raise(11)   (system)(a)   (&system)(a)
(*system)(a)   jet_pt[0](a)   std :: system(a)   R__LOAD_LIBRARY(a)   dlopen(a, 1)   rand()   lgamma(a)   frexp(a, b)

Functions as arguments, and functions that call or grow what they are given:
Map(jet_pt, system)   Filter(jet_pt, system)   Max(system)   abs(abs)   std::apply(system, a)   Sum(std::abs)
Combinations(jet_pt, 2)   Combinations(Combinations(jet_pt, 2)[0], 2)   Concatenate(jet_pt, jet_pt)   Enumerate(a)
Range(1000000000)   Take(jet_pt, 1000000000, 0.f)   ROOT::VecOps::RVec<double>(1000000000, 1.)   ROOT::RVecF(9)
Argsort(jet_pt, system)   Sort(jet_pt, a)   Construct(a, b)

Lambdas, statements, commas, blocks:
[]{ return 1.; }()   [&] { return HT; }()   [=](auto x) { return x; }(HT)   ({ int i = 1; i; })   HT; MR   HT, MR
(HT, MR)   jet_pt[a, b]   a ? b, 1 : 2   HT) + (MR   HT); system(0); (HT   return 1   throw 1   HT {}   double{HT}
if (a) b   goto a   co_await a   for (;;) a   while (true) a   try { a } catch (...) {}

Macros, the preprocessor, comments, other ways to write a character:
__FILE__   __LINE__   __COUNTER__   M_PI   NULL   assert(a)   _Pragma(a)   #include <a>   HT ## MR   # a   HT /* MR */
HT // MR   HT /**/ MR   HT \   HT ??/ MR   a ??! b   ??=define a   jet_pt<:0:>   <%HT%>   %:define a   %:%:
\u0073ystem(a)   \U00000073ystem(a)   \N{LATIN SMALL LETTER S}ystem(a)   $a   @a   `a`   a.b   a'b   1'000

asm, templates, strings, literals:
asm("nop")   asm(a)   __asm__(a)   __builtin_trap()   __extension__ a   std::min<double>(a, b)   foo<a>(b)   template a
typename a   decltype(a)   requires a   "text"   'j'   '\x41'   R"(a)"   u8"a"   L"a"   L'a'   std::string("a").size()
"a"[0]   "\x73ystem"   ""_x   1.0_km   12_a   0x1p3   0x1.8p1   1e   1..2   0b11   1.0L   1.e   0x   1a

new, casts, pointers, members, types:
new int   new (a) int   delete jets   (int)HT   (int*)8   *(int *)8   *reinterpret_cast<int*>(8)   int *(8)
static_cast<int*>(8)   static_cast<int&>(a)   static_cast<void>(a)   static_cast<unsigned char>(a)
const_cast<int&>(a)   dynamic_cast<int>(a)   sizeof(a)   sizeof a   alignof(a)   typeid(a)   noexcept(a)   &HT
&jets[0]   *jets   &&a   a.*b   a->*b   jets->size()   this   nullptr   operator+(a, b)   HT.operator+(1)   jets.~RVec()
jets.~a()   a::b   ::a   jets.data()   jets.data()[100]   jets.begin()   *jets.end()   jet_pt.push_back(1)
jet_pt.resize(1000)   jet_pt.clear()   jet_pt.swap(jet_eta)   jet_pt.emplace_back(1)   jets[0].SetPt(1)
jets.front()   jets.back()   jet_pt.operator[](5)   jets.size   jets.Pt   jets.first()   jets.size(1)   jets.at()
jets.at(1, 2, 3)   jets. size()

Assignments:
HT = 1   HT += 1   HT -= 1   HT *= 1   HT /= 1   HT %= 1   HT |= 1   HT &= 1   HT ^= 1   HT <<= 1   HT >>= 1   HT++
++HT   HT--   --HT   a --b   a ++b   a <=> b   a ...   auto a = 1   a ?: b

No expressions at all:
()   (   )   [   ]   HT MR   HT +   +   * HT   a ? b   a : b   abs(   abs()   abs(a, b)   jets.   .   abs(a,)   jet_pt[]
jet_pt[0   1[jet_pt]   2.Pt()   unknown   system   gROOT   and   not a   a and b   int   std::abs   TMath::Pi   abs
Sum   std   TMath::Pi(a)   pow(a)   Where(a, b)   static_cast<double>   double
"""
HOSTILE = (
    *(e for line in _HOSTILE.splitlines() if not line.endswith(":") for e in re.split(" {3}", line) if e),
    # Line breaks and the like, and characters that look like others.
    *(
        "HT\n+ MR",
        "HT\n); system(0); (HT",
        "HT\r+ MR",
        "HT\t+ MR",
        "HT\v+ MR",
        "HT\f+ MR",
        "HT\0",
        "HT \\\n + MR",
        "",
        " ",
    ),
    *("HT\x1b[2J", "HT\u2028MR", "\u202eHT", "HT\u00a0+ MR", "HT \uff0b MR", "H\u0422", "\u0455ystem(a)", "a\u0301"),
    *("std::\u200bsystem(a)", "\uff53ystem(a)", "jet_pt\u02d0", "\u0661 + HT"),
)


def test_there_are_many_kinds_of_them() -> None:
    assert len(set(HOSTILE)) == len(HOSTILE) > 200


@pytest.mark.parametrize("expression", HOSTILE, ids=ascii)
def test_anything_else_is_refused(expression: str) -> None:
    with pytest.raises(OutsideGrammar) as caught:
        check_expression(expression, COLUMNS)
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()


def test_length_and_depth_are_bounded() -> None:
    check_expression("+".join(["a"] * (LENGTH // 2)), COLUMNS)
    check_expression("(" * (DEPTH - 1) + "a" + ")" * (DEPTH - 1), COLUMNS)
    for expression in (
        "+".join(["a"] * (LENGTH // 2 + 1)),
        "(" * DEPTH + "a" + ")" * DEPTH,
        "abs(" * DEPTH + "a" + ")" * DEPTH,
        "jet_pt[" * DEPTH + "0" + "]" * DEPTH,
        "a ? a : " * DEPTH + "a",
        "(" * 10**6,
    ):
        with pytest.raises(OutsideGrammar, match=r"characters|within each other"):
            check_expression(expression, COLUMNS)


# An independent judge of what passes, which knows nothing of the parser.

_WORD = re.compile(
    r"static_cast<[a-z ]+>|\.?[A-Za-z_]\w*(?:::\w+)*|(?:0x[0-9a-fA-F]+|\d+\.?\d*(?:e[-+]?\d+)?|\.\d+)\w?\w?|\S", re.A
)
_SIGNS = {*"+-*/%<>&|^!~()[],?:=", "."}
_NEVER = re.compile(
    r"\+\+|--|//|/\*|\*/|->|\.\*|<:|:>|<%|%>|%:|\?\?|\.\.|(?<![=!<>])=(?!=)"
    r"|[-+*/%&|^]=|<<=|>>=|<=>|::[^A-Za-z]|[^A-Za-z]::"
)


def judged_harmless(expression: str) -> bool:
    """Whether an expression consists of words that are allowed, each where it may stand."""
    if not re.fullmatch(r"[A-Za-z0-9_ .,:?()\[\]+\-*/%<>=!&|^~]+", expression) or _NEVER.search(expression):
        return False
    words = [*_WORD.findall(expression), ""]
    for word, following in itertools.pairwise(words):
        if word.startswith("static_cast<"):
            fine = word[len("static_cast<") : -1] in TYPES and following == "("
        elif word[0] == "." and word[1:2].isalpha():
            fine = word in (".first", ".second") or (word[1:] in MEMBERS and following == "(")
        elif word[0].isalpha() or word[0] == "_":
            called = following == "("
            fine = word in (FUNCTIONS.keys() | set(TYPES) if called else COLUMNS | {"true", "false"})
        else:
            fine = word[0].isdigit() or word[:2].replace(".", "").isdigit() or word in _SIGNS
        if not fine:
            return False
    return True


def test_the_judge_knows_good_from_bad() -> None:
    assert all(map(judged_harmless, FORMULAS))
    dangerous = [e for e in HOSTILE if re.search(r"[^\s\w]system|gROOT|__|data|new |=[^=]|\+\+|\"|\\", e)]
    assert len(dangerous) > 50
    assert not any(map(judged_harmless, dangerous))


WORDS = (
    *COLUMNS,
    *FUNCTIONS,
    *("system", "gROOT", "__FILE__", "std::system", "asm", "new", "int", "sizeof", "data", "NULL", "static_cast<int>("),
    *(
        "+",
        "-",
        "*",
        "/",
        "%",
        "<",
        ">",
        "<=",
        ">=",
        "==",
        "!=",
        "&&",
        "||",
        "&",
        "|",
        "^",
        "!",
        "~",
        "(",
        ")",
        "[",
        "]",
    ),
    *(
        ",",
        "?",
        ":",
        ".",
        "::",
        "->",
        "++",
        "--",
        "=",
        "+=",
        "{",
        "}",
        ";",
        "#",
        "\\",
        '"',
        "'",
        "//",
        "/*",
        "*/",
        "<:",
    ),
    *("0", "1", "2.5", ".5", "1e3", "0x1f", "1f", "1.0_km", "0x1p3", ".Pt()", ".size()", ".at(", ".data()", ".first"),
    *("static_cast<int*>(", "%>", "??/", " ", "\n", "\t", "\u0455", "\x00"),
)


def test_whatever_passes_consists_of_what_is_allowed() -> None:
    """Formulas in which words are replaced, left out, added and joined, and words thrown together."""
    random_ = random.Random(14)
    passed = set()
    for _ in range(60_000):
        if random_.random() < 0.7:
            words = re.findall(r"\w+(?:::\w+)?|\s|\W", random_.choice(FORMULAS))
            for _ in range(random_.randint(1, 3)):
                place = random_.randrange(len(words) + 1)
                words[place : place + random_.randint(0, 2)] = random_.choices(WORDS, k=random_.randint(0, 2))
        else:
            words = random_.choices(WORDS, k=random_.randint(1, 7))
        expression = random_.choice(("", "", " ")).join(words)
        try:
            check_expression(expression, COLUMNS)
        except OutsideGrammar:
            continue
        assert judged_harmless(expression), expression
        passed.add(expression)
    assert len(passed) > 500  # the judge was asked


def test_what_is_outside_is_said_in_printable_ascii() -> None:
    definitions = {
        "good": Definition(expression="HT / later"),
        "later": Definition(expression="MR"),
        "bad\x1b[2J": Definition(expression="syst\u0435m('\x1b]0;title\x07')"),
        "itself": Definition(expression="itself"),
        "\u0435": Definition(expression="1."),
        "long": Definition(expression="x" * 3000),
    }
    selection = {"jet": Objects(where="Jet_jetId >= 2"), "muon": Objects(where="HT > 1"), "electron": Objects(pt=5)}
    said = outside_grammar(definitions, selection, {"Jet_jetId"}, ())
    assert [line.partition(":")[0] for line in said] == [
        r"define 'bad\x1b[2J'",
        "define 'itself'",
        r"define '\u0435'",
        "define 'long'",
        "objects.muon.where",
    ]
    assert all(line.isascii() and line.isprintable() and len(line) < 300 for line in said)
    # Before a file is opened, any name may be that of a column.
    assert [line.partition(":")[0] for line in outside_grammar(definitions, selection)] == [
        r"define 'bad\x1b[2J'",
        r"define '\u0435'",
        "define 'long'",
    ]
    # A function's name that stands for a column is one; a column of the name of its own definition is the file's.
    named = {"x": Definition(expression="abs + abs(x)")}
    assert outside_grammar(named, {}, {"abs", "x"}) == []
    assert outside_grammar(named, {}, {"abs"}) != []
    assert outside_grammar(named, {}, {"x"}) != []


def test_how_many_definitions_there_may_be() -> None:
    many = {f"x{i}": Definition(expression="HT") for i in range(501)}
    assert outside_grammar(many, {}) == ["define: 501 columns, 500 are allowed"]
