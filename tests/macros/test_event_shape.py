"""Shape variables against hand-worked values."""

from __future__ import annotations

import math

import pytest

from rdf.interpreter import ROOT, include_kernels

include_kernels("event_shape")
shape = ROOT.event_shape
Vector = ROOT.Math.PxPyPzEVector


def test_centrality_is_one_for_massless_jets_across_the_beam() -> None:
    jets = Vector(30, 40, 0, 50), Vector(-60, 80, 0, 100)
    found = shape.compute_centrality(sum(jet.Pt() for jet in jets), sum(jet.E() for jet in jets))
    assert found == pytest.approx(1, rel=1e-15)


def test_centrality_of_a_slanted_and_of_a_forward_jet() -> None:
    assert shape.compute_centrality(3, 5) == 0.6  # pT = 3, pz = 4, E = 5
    assert shape.compute_centrality(0, 7) == 0
    assert math.isnan(shape.compute_centrality(0, 0))
    assert math.isnan(shape.compute_centrality(math.nan, 1))
    assert math.isnan(shape.compute_centrality(1, math.nan))


def test_dijet_mass() -> None:
    # Back to back, 10 each: m = 2 E.
    assert shape.compute_dijet_mass(Vector(0, 0, 10, 10), Vector(0, 0, -10, 10)) == 20
    # At right angles: m^2 = 2 E1 E2 (1 - cos 90) = 2 * 30 * 40.
    assert shape.compute_dijet_mass(Vector(30, 0, 0, 30), Vector(0, 40, 0, 40)) == pytest.approx(
        math.sqrt(2400), rel=1e-14
    )
    # Massive: (E, p) sum to (10 + 15, 3 - 1, 4 + 2, 0 + 7): m^2 = 625 - 4 - 36 - 49 = 536.
    assert shape.compute_dijet_mass(Vector(3, 4, 0, 10), Vector(-1, 2, 7, 15)) == pytest.approx(
        math.sqrt(536), rel=1e-14
    )


def test_dijet_mass_of_a_slightly_space_like_sum_is_zero() -> None:
    jet1, jet2 = Vector(3, 4, 0, 5 - 1e-12), Vector(6, 8, 0, 10)
    assert (jet1 + jet2).M2() < 0
    assert shape.compute_dijet_mass(jet1, jet2) == 0


@pytest.mark.parametrize("broken", range(4))
def test_dijet_mass_of_nan_stays_nan(broken: int) -> None:
    parts = [3.0, 4.0, 0.0, 5.0]
    parts[broken] = math.nan
    assert math.isnan(shape.compute_dijet_mass(Vector(*parts), Vector(6, 8, 0, 10)))
    assert math.isnan(shape.compute_dijet_mass(Vector(6, 8, 0, 10), Vector(*parts)))


def test_pt_ratio() -> None:
    assert shape.compute_pt_ratio(80, 20) == 0.25
    assert shape.compute_pt_ratio(80, 0) == 0
    assert shape.compute_pt_ratio(0, 20) == math.inf
    assert math.isnan(shape.compute_pt_ratio(0, 0))
    assert math.isnan(shape.compute_pt_ratio(math.nan, 20))
