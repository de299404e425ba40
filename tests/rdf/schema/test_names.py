"""Names in expressions: which words are columns, and where they are replaced."""

from __future__ import annotations

import pytest

from rdf.schema.names import names_in, rename


def test_names_in_an_expression() -> None:
    assert names_in("a.size() + std::abs(b) * 1e-3 + c[d == 'x']") == {"a", "b", "c", "d"}
    assert names_in("object.first.pt + x_1") == {"object", "x_1"}


WORDS = """
std::string("met_pt").size() :
std::string("a \\" met").size() + met : met
R"(met " pt)"[0] + R"x(met)" pt)x"[1] + u8"met"[0] + L'm' + b : b
'm' + '\\'' + m : m
1'000 * m + 0x1Fp3 + 1e5f + .5e-3 * n : m n
a /* met */ + b // met : a b
p->pt + q . eta + std :: max : p q
ROOT::RVec<double>{pt1, pt2} : pt1 pt2
static_cast<unsigned int>(eventNumber) : eventNumber
static_cast< int >(int) + (int) x + (int)(y) + int : int x y
std::pair<int, float>(a, b).first + std::vector<ROOT::RVec<int>>(3).size() : a b
f(a < b, c > (d)) + (pt < 30 && mass > (eta)) : a b c d pt mass eta
class * 2 + new + float / double : class new float double
not a and b or c xor true : a b c
[&](double x, const float &y) { unsigned int n = 0; for (auto z : v) n += z; return -n; }(1., w) : n v w x y z
std::log(std::abs(log)) + std::max(max, gamma) : log max gamma
"""


@pytest.mark.parametrize("line", WORDS.strip().splitlines())
def test_words_that_are_no_columns(line: str) -> None:
    """Those in strings, characters and comments; functions, members, namespaces, types and words of C++."""
    expression, _, names = line.rpartition(" :")
    assert names_in(expression) == set(names.split())
    assert rename(expression, dict.fromkeys(names_in(expression), "%")).count("%") >= len(names.split())


def test_names_are_replaced_where_they_stand_for_columns() -> None:
    written = 'static_cast<int>(int * x) + x.x() + std::x(x) + "x"[0] // x'
    assert rename(written, {"x": "X", "int": "INT"}) == ('static_cast<int>(INT * X) + X.x() + std::x(X) + "x"[0] // x')
