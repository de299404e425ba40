"""Arrays whose missing elements are NaN: what no NaN can stand for, and what an expression keeps of ROOT's arrays.

What expressions give is in tests/rdf/test_missing_elements.py.
"""

from __future__ import annotations

import math

import pytest

from rdf.code.interpreter import ROOT, declare, include_kernels

pytestmark = pytest.mark.compiler

include_kernels("graph/checked")

REFUSED = {
    "three[one > 0][0]": "a mask has 1 values for an array of 3; correct the expression",
    "one[three > 0][0]": "a mask has 3 values for an array of 1; correct the expression",
    "Sum(three + one)": "an array has 1 values for an array of 3; correct the expression",
    "Sum(atan2(three, one))": "an array has 1 values for an array of 3; correct the expression",
    "Sum(Where(three > 0, one, 0.))": "what Where chooses from has 1 values for an array of 3; correct the expression",
    "Sum(Take(three, 1000000000))": "Take of 1000000000 elements; correct the expression",
    "Sum(Take(three, -1e300))": "elements; correct the expression",
    "*std::max_element(none.begin(), none.end())": "cannot be NaN; make it a real one, as in 1. * (...)",
}
MISSING = (
    "none[0] + 1",
    "1. * *std::max_element(none.begin(), none.end())",
    "three[std::numeric_limits<float>::infinity()]",
    "three[-1e300]",
    "[&] { auto copy = three; copy.clear(); return *copy.begin(); }()",
    "(vectors[1] + vectors[0]).Pt()",
    "vectors[7].M()",
    "Max(Take(three, 4))",
    "three[ArgMin(Take(three, 4))]",
    "Combinations(one, 2)[1][0]",
    "Combinations(one, three)[0][3]",
    "ROOT::RVecI{1, 2}[2]",
    "ROOT::RVec<float>(2)[2]",
)


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    """A function that gives the value of each expression by its number."""
    cases = "\n".join(f"case {i}: return ({text});" for i, text in enumerate([*REFUSED, *MISSING]))
    integral = list(REFUSED).index("*std::max_element(none.begin(), none.end())")
    declare(
        f"""
        namespace test_checked {{
        double value(int number) {{
           const ROOT::RVec<double> x{{1., 2., 3.}}, y{{1.}};
           const ROOT::RVec<int> z;
           const ROOT::RVec<ROOT::Math::PxPyPzEVector> v{{{{3, 4, 0, 10}}}};
           const auto three = checked::view(x), one = checked::view(y);
           const auto none = checked::view(z);
           const auto vectors = checked::view(v);
           if (number == {integral})
              return checked::evaluate([&] {{ return {list(REFUSED)[integral]}; }});
           return checked::evaluate([&]() -> double {{
              namespace ROOT = checked::root;
              switch (number) {{ {cases} }}
              return 0;
           }});
        }}
        }}""",
        "the test",
    )


@pytest.mark.parametrize("expression", REFUSED)
def test_what_no_nan_can_stand_for_is_refused(expression: str) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - cppyy's own
        ROOT.test_checked.value(list(REFUSED).index(expression))
    assert REFUSED[expression] in str(caught.value)


@pytest.mark.parametrize("expression", MISSING)
def test_what_is_not_there_is_nan(expression: str) -> None:
    assert math.isnan(ROOT.test_checked.value(len(REFUSED) + MISSING.index(expression)))


def test_a_view_is_no_copy_and_what_is_kept_of_it_is_one() -> None:
    values = ROOT.RVec["float"]([1, 2, 3])
    view = ROOT.checked.view(values)
    assert list(view.plain()) == [1, 2, 3]
    kept = ROOT.checked.RVec["float"](view)
    values[0] = 7
    assert (view[0], view.plain()[0], kept[0]) == (7, 7, 1)


def test_truth_values_of_a_column_are_seen_as_they_are() -> None:
    """A view of an array of bool is no array of its address and its size."""
    declare(
        """
        double count_true(const ROOT::RVec<bool> &flags) {
           const auto seen = checked::view(flags);
           double number = 0;
           for (std::size_t i = 0; i < seen.size(); ++i)
              number += seen[i];
           return 100 * seen.size() + number;
        }""",
        "test of truth values",
    )
    assert ROOT.count_true(ROOT.RVec["bool"]([True, False, False, True, True])) == 503
    assert ROOT.count_true(ROOT.RVec["bool"]([False])) == 100
    assert ROOT.count_true(ROOT.RVec["bool"]()) == 0
