"""From columns to selected, sorted four-vectors, by hand."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from rdf.code.interpreter import ROOT, include_kernels
from tests.macros.momenta import EMPTY, Momentum, components, integers, massless, momenta, reals

pytestmark = pytest.mark.compiler

include_kernels("physics/objects")
objects = ROOT.objects
NAN, INF = math.nan, math.inf


def test_numbers_of_any_kind_become_float64_in_gev() -> None:
    assert list(objects.as_reals(ROOT.RVec["float"]([30000, -500]), 1e-3)) == [30000 * 1e-3, -500 * 1e-3]
    assert list(objects.as_reals(ROOT.std.vector["unsigned char"]([200, 3]), 1.0)) == [200, 3]
    assert list(objects.as_reals(ROOT.RVec["double"]([0.1]), 1.0)) == [0.1]
    assert list(objects.as_reals(reals([]), 1e-3)) == []


@pytest.mark.parametrize("kind", ["short", "float", "double", "long long", "signed char"])
def test_codes_that_are_known(kind: str) -> None:
    assert list(objects.as_charges(ROOT.RVec[kind]([-1, 1, 0]), "muon_charge")) == [-1, 1, 0]
    assert list(objects.as_flavours(ROOT.RVec[kind]([11, -13, 13, -11]), "lepton_flavour")) == [11, 13, 13, 11]
    assert list(objects.as_charges(ROOT.RVec[kind](), "q")) == list(objects.as_flavours(ROOT.RVec[kind](), "f")) == []


@pytest.mark.parametrize("code", [0, 1, 12, 15, -15, 1000011, 22, 211, -1, 2**31 - 11, 11.5, -12.9, math.nan, math.inf])
def test_a_number_that_is_no_flavour_is_refused(code: float) -> None:
    text = str(code) if not math.isfinite(code) or code == int(code) else f"{code:.6f}"
    with pytest.raises(
        Exception, match=rf"lepton_flavour {re.escape(text)} is neither an electron's, 11 or -11, nor a"
    ):
        objects.as_flavours(ROOT.RVec["double"]([11, code]), "lepton_flavour")


@pytest.mark.parametrize("code", [3, -3, 2, 127, 0.5, math.nan])
def test_a_number_that_is_no_charge_is_refused(code: float) -> None:
    text = str(code) if not math.isfinite(code) or code == int(code) else f"{code:.6f}"
    with pytest.raises(Exception, match=rf"muon_charge {text} is none of -1, 0 and 1; correct its expression"):
        objects.as_charges(ROOT.RVec["double"]([1, code]), "muon_charge")


def test_a_negative_code_that_was_stored_without_its_sign_is_refused() -> None:
    wrapped = ROOT.RVec["unsigned int"]([2**32 - 11])
    with pytest.raises(Exception, match="lepton_flavour 4294967285 is neither"):
        objects.as_flavours(wrapped, "lepton_flavour")
    with pytest.raises(Exception, match="muon_charge 4294967295 is none"):
        objects.as_charges(ROOT.RVec["unsigned int"]([2**32 - 1]), "muon_charge")


def test_cylindrical_coordinates() -> None:
    px, py = reals([3, -5, 0, 0]), reals([4, 0, -2, 0])
    assert list(objects.compute_pt(px, py)) == [5, 5, 2, 0]
    assert list(objects.compute_phi(px, py)) == pytest.approx([math.atan2(4, 3), math.pi, -math.pi / 2, 0], rel=1e-15)
    # asinh(pz / pT): asinh(3/4) = ln 2, asinh(-4/3) = -ln 3; along the beam it is infinite.
    eta = list(objects.compute_eta(reals([4, 3, 7, 0, 0]), reals([3, -4, 0, 2, -2])))
    assert eta == pytest.approx([math.log(2), -math.log(3), 0, INF, -INF], rel=1e-14)
    for compute in (objects.compute_pt, objects.compute_phi, objects.compute_eta):
        assert list(compute(reals([]), reals([]))) == []
        with pytest.raises(Exception, match="2 values of another component for 1 of pt"):
            compute(reals([1]), reals([1, 2]))


def test_mass_of_a_stored_energy_has_the_sign_of_its_square() -> None:
    # eta = ln 2: cosh = 5/4, so |p| = 5 for pT = 4. E = 13 makes 12; E = 5 makes 0; E = 3 makes -4.
    eta = [math.log(2)] * 5
    mass = list(objects.compute_mass(reals([13, 5, 3, -13, NAN]), reals([4] * 5), reals(eta)))
    assert mass[:3] == pytest.approx([12, 0, -4], abs=1e-7)
    assert math.isnan(mass[3])  # a negative energy
    assert math.isnan(mass[4])
    assert list(objects.compute_mass(reals([]), reals([]), reals([]))) == []
    with pytest.raises(Exception, match="1 values of energy for 2 of pt"):
        objects.compute_mass(reals([1]), reals([1, 2]), reals([1, 2]))
    with pytest.raises(Exception, match="3 values of eta for 2 of pt"):
        objects.compute_mass(reals([1, 2]), reals([1, 2]), reals([1, 2, 3]))


def test_the_four_vector_gives_the_stored_energy_back() -> None:
    random = np.random.default_rng(4)
    pt, eta, phi = random.exponential(40, 500), random.uniform(-4.5, 4.5, 500), random.uniform(-math.pi, math.pi, 500)
    # As files store it: rounded to float32, and so often below |p|.
    energy = np.float32(pt * np.cosh(eta) * np.where(np.arange(500) % 2, 1, 1.02)).astype(float)
    assert np.count_nonzero(energy < pt * np.cosh(eta)) > 100
    mass = objects.compute_mass(reals(energy), reals(pt), reals(eta))
    every = objects.by_falling_pt(reals(pt), integers([1] * 500))
    found = np.array([components(p) for p in objects.make_momenta(reals(pt), reals(eta), reals(phi), mass, every)])
    order = np.argsort(-pt, kind="stable")
    np.testing.assert_allclose(found[:, 3], energy[order], rtol=1e-12)
    np.testing.assert_allclose(found[:, 2], (pt * np.sinh(eta))[order], rtol=1e-12)
    np.testing.assert_allclose(found[:, 0], (pt * np.cos(phi))[order], rtol=1e-12)
    np.testing.assert_allclose(found[:, 1], (pt * np.sin(phi))[order], rtol=1e-12)


def test_a_four_vector_by_hand() -> None:
    # pT = 4, eta = ln 2: pz = 4 * 3/4 = 3. E^2 = 16 + 9 + m |m|.
    assert components(objects.momentum(4, math.log(2), 0, 12)) == pytest.approx([4, 0, 3, 13], rel=1e-14)
    assert components(objects.momentum(4, math.log(2), math.pi / 2, 0)) == pytest.approx([0, 4, 3, 5], abs=1e-14)
    assert components(objects.momentum(4, math.log(2), math.pi, -4)) == pytest.approx([-4, 0, 3, 3], abs=1e-14)
    assert components(objects.momentum(0, 1, 2, 7)).tolist() == [0, 0, 0, 7]


@pytest.mark.parametrize("pt", [NAN, -1.0, -INF])
def test_no_length_no_four_vector(pt: float) -> None:
    assert np.isnan(components(objects.momentum(pt, 0.5, 1, 2))).all()


def test_an_energy_that_is_nan_leaves_the_momentum() -> None:
    p = objects.momentum(4, math.log(2), 0, NAN)
    assert components(p)[:3] == pytest.approx([4, 0, 3], rel=1e-14)
    assert math.isnan(p.E())
    assert not objects.is_finite(p)


def test_columns_of_different_lengths_are_refused() -> None:
    three, two, order = reals([1, 2, 3]), reals([1, 2]), objects.by_falling_pt(reals([1, 2, 3]), integers([1, 1, 1]))
    for columns, name in (((two, three, three), "eta"), ((three, two, three), "phi"), ((three, three, two), "mass")):
        with pytest.raises(Exception, match=f"2 values of {name} for 3 of pt"):
            objects.make_momenta(three, *columns, order)
    with pytest.raises(Exception, match="2 values of eta for 3 of pt"):
        objects.passes(three, two, 30, 2.4)
    with pytest.raises(Exception, match=r"2 values of the selection \(`where`\) for 3 of pt"):
        objects.by_falling_pt(three, integers([1, 1]))


def test_passes_is_open_at_the_cuts_and_keeps_nan() -> None:
    pt = [30, 30.0001, 31, 31, 31, 31, NAN, 31, NAN, NAN, -5]
    eta = [0, 0, 2.4, -2.4, 2.3999, -2.3999, 0, NAN, NAN, 5, 0]
    assert list(objects.passes(reals(pt), reals(eta), 30, 2.4)) == [0, 1, 0, 0, 1, 1, 1, 1, 1, 0, 0]
    assert list(objects.passes(reals(pt), reals(eta), -INF, INF)) == [1] * 11
    assert list(objects.passes(reals([]), reals([]), 30, 2.4)) == []


def test_order_is_stable_with_nan_first() -> None:
    def order(pt: list[float], mask: list[int]) -> list[int]:
        return list(objects.by_falling_pt(reals(pt), integers(mask)))

    assert order([10, 30, 20], [1, 1, 1]) == [1, 2, 0]
    assert order([5, 7, 5, 7, 5], [1] * 5) == [1, 3, 0, 2, 4]
    assert order([10, NAN, 50, NAN, INF], [1] * 5) == [1, 3, 4, 2, 0]
    assert order([10, 30, 20, 40], [1, 0, 1, 0]) == [2, 0]
    assert order([1, 2], [0, 0]) == order([], []) == []
    pt = np.random.default_rng(2).integers(0, 9, 60).astype(float)
    assert order(pt.tolist(), [1] * 60) == np.argsort(-pt, kind="stable").tolist()


def test_sum_and_single_pts() -> None:
    jets = momenta((3, 4, 7, 20), (0, -12, 1, 20))
    assert objects.compute_pt_sum(jets) == 17
    assert objects.compute_pt_sum(EMPTY) == 0
    assert [objects.compute_pt_of(jets, i) for i in (0, 1)] == [5, 12]
    assert math.isnan(objects.compute_pt_of(jets, 2))
    assert math.isnan(objects.compute_pt_of(EMPTY, 0))
    assert math.isnan(objects.compute_pt_sum(momenta((3, 4, 7, 20), (NAN, 1, 1, 20))))


@pytest.mark.parametrize(
    ("phi1", "phi2", "expected"),
    [
        (0, 0, 0),
        (1, -1, 2),
        (math.pi, -math.pi, 0),
        (3, -3, 2 * math.pi - 6),
        (-3, 3, 2 * math.pi - 6),
        (math.pi / 2, -math.pi / 2, math.pi),
        (0, math.pi, math.pi),
        (5, 0, 2 * math.pi - 5),  # an angle out of 0 to 2 pi
        (-0.1, 4 * math.pi, 0.1),
    ],
)
def test_delta_phi_wraps_around(phi1: float, phi2: float, expected: float) -> None:
    assert objects.delta_phi(phi1, phi2) == pytest.approx(expected, abs=1e-14)
    assert objects.delta_phi(phi2, phi1) == objects.delta_phi(phi1, phi2)


def test_delta_phi_of_nan() -> None:
    assert math.isnan(objects.delta_phi(NAN, 1))
    assert math.isnan(objects.delta_phi(1, INF))


def test_invariant_mass() -> None:
    # Back to back, 10 each: m = 2 E.
    assert objects.invariant_mass(massless(0, 0, 10) + massless(0, 0, -10)) == 20
    # At right angles: m^2 = 2 E1 E2 (1 - cos 90) = 2 * 30 * 40.
    assert objects.invariant_mass(massless(30, 0, 0) + massless(0, 40, 0)) == pytest.approx(math.sqrt(2400), rel=1e-14)
    # Massive: (E, p) sum to (10 + 15, 3 - 1, 4 + 2, 0 + 7): m^2 = 625 - 4 - 36 - 49 = 536.
    both = Momentum(3, 4, 0, 10) + Momentum(-1, 2, 7, 15)
    assert objects.invariant_mass(both) == pytest.approx(math.sqrt(536), rel=1e-14)


def test_invariant_mass_of_a_slightly_space_like_sum_is_zero() -> None:
    both = Momentum(3, 4, 0, 5 - 1e-12) + Momentum(6, 8, 0, 10)
    assert both.M2() < 0
    assert objects.invariant_mass(both) == 0


@pytest.mark.parametrize("broken", range(4))
def test_invariant_mass_of_nan_stays_nan(broken: int) -> None:
    parts = [3.0, 4.0, 0.0, 5.0]
    parts[broken] = NAN
    assert math.isnan(objects.invariant_mass(Momentum(*parts) + Momentum(6, 8, 0, 10)))


def test_flavours() -> None:
    flavours = integers([11, 13, 13, 11, 15])
    assert objects.count_flavour(flavours, 11) == objects.count_flavour(flavours, 13) == 2
    assert objects.count_flavour(integers([]), 11) == 0
    # Of the muons those that the mask lets through, and all that are none.
    assert list(objects.where_flavour(flavours, 13, integers([0, 0, 1, 0, 0]))) == [1, 0, 1, 1, 1]
    assert list(objects.where_flavour(integers([]), 13, integers([]))) == []


def test_a_condition_counts_where_it_is_not_zero() -> None:
    mask = objects.passes(reals([10, 20, 30, 40]), reals([0, 0, 0, 3]), 15, 2.4)
    assert list(objects.passes_also(mask, reals([1, 0.3, 0, 1]))) == [0, 1, 0, 0]
    with pytest.raises(Exception, match=r"the condition \(`where`\) has 3 values for 4 objects; correct it"):
        objects.passes_also(mask, reals([1, 1, 1]))
