"""The leading objects of a kind, by hand."""

from __future__ import annotations

import math

import pytest

from rdf.code.interpreter import ROOT, include_kernels
from tests.macros.momenta import EMPTY, massless, momenta, reals

pytestmark = pytest.mark.compiler

include_kernels("physics/leading")
leading = ROOT.leading
# pz = pT sinh(eta).
UP, DOWN = massless(40, 0, 40 * math.sinh(1.5)), massless(0, 30, 30 * math.sinh(-0.5))


def test_difference_in_eta() -> None:
    assert leading.compute_pair_delta_eta(momenta(UP, DOWN)) == pytest.approx(2, rel=1e-14)
    assert leading.compute_pair_delta_eta(momenta(DOWN, UP, UP)) == pytest.approx(2, rel=1e-14)


def test_objects_of_two_kinds() -> None:
    assert leading.compute_delta_r_of_two_kinds(momenta(UP, UP), momenta(DOWN, UP)) == pytest.approx(
        math.hypot(2, math.pi / 2), rel=1e-14
    )
    assert math.isnan(leading.compute_delta_r_of_two_kinds(EMPTY, momenta(UP)))
    assert math.isnan(leading.compute_delta_r_of_two_kinds(momenta(UP), EMPTY))


def test_mass_and_attribute_of_the_first() -> None:
    heavy = ROOT.objects.momentum(300, 1, 2, 91)
    assert leading.compute_mass_of_first(momenta(heavy, UP)) == pytest.approx(91, rel=1e-12)
    # A mass below 0 stands for a space-like momentum.
    assert leading.compute_mass_of_first(momenta(ROOT.objects.momentum(300, 1, 2, -1))) == 0
    assert math.isnan(leading.compute_mass_of_first(EMPTY))
    assert leading.compute_first_of(reals([0.3, 0.7])) == 0.3
    assert math.isnan(leading.compute_first_of(reals([])))


def test_number_of_marked_objects() -> None:
    assert ROOT.objects.count_marked(reals([1, 0, 1, math.nan, -1])) == 3
    assert ROOT.objects.count_marked(reals([])) == 0
