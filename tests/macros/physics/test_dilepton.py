"""Pairs of leptons, by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from rdf.code.interpreter import ROOT, include_kernels
from tests.macros.momenta import EMPTY, components, integers, massless, momenta

pytestmark = pytest.mark.compiler

include_kernels("physics/four_leptons")
dilepton, four_leptons, leading = ROOT.dilepton, ROOT.four_leptons, ROOT.leading
Z = 91.1876  # GeV, Particle Data Group
NAN = math.nan
PAIR = [f"compute_pair_{what}" for what in ("mass", "pt", "delta_r", "delta_phi", "delta_eta")]


def back_to_back(mass: float, direction: tuple[float, float, float]) -> tuple[Any, Any]:
    """Two massless leptons of half the mass each: m^2 = (E1 + E2)^2."""
    x, y, z = (mass / 2 * part / math.hypot(*direction) for part in direction)
    return massless(x, y, z), massless(-x, -y, -z)


def test_a_pair_at_the_z_mass() -> None:
    leptons = momenta(*back_to_back(Z, (3, 4, 12)))
    assert leading.compute_pair_mass(leptons) == pytest.approx(Z, rel=1e-14)
    assert leading.compute_pair_pt(leptons) == pytest.approx(0, abs=1e-13)
    assert leading.compute_pair_delta_phi(leptons) == pytest.approx(math.pi, rel=1e-14)
    # Opposite directions have opposite eta: |delta eta| = 2 asinh(12/5).
    expected = math.hypot(2 * math.asinh(12 / 5), math.pi)
    assert leading.compute_pair_delta_r(leptons) == pytest.approx(expected, rel=1e-13)


def test_a_pair_at_right_angles() -> None:
    # m^2 = 2 * 30 * 40 (1 - cos 90), pT = 50.
    leptons = momenta(massless(0, 40, 0), massless(30, 0, 0))
    assert leading.compute_pair_mass(leptons) == pytest.approx(math.sqrt(2400), rel=1e-14)
    assert leading.compute_pair_pt(leptons) == pytest.approx(50, rel=1e-15)
    assert leading.compute_pair_delta_r(leptons) == pytest.approx(math.pi / 2, rel=1e-14)
    assert leading.compute_pair_delta_phi(leptons) == pytest.approx(math.pi / 2, rel=1e-14)


def test_a_collinear_pair_has_no_mass_and_no_distance() -> None:
    leptons = momenta(massless(6, 8, 24), massless(3, 4, 12))
    assert leading.compute_pair_delta_r(leptons) == pytest.approx(0, abs=1e-14)
    assert leading.compute_pair_delta_phi(leptons) == 0
    assert leading.compute_pair_mass(leptons) == 0
    assert leading.compute_pair_pt(leptons) == 15


def test_delta_phi_of_leptons_on_either_side_of_pi() -> None:
    leptons = momenta(*(massless(10 * math.cos(phi), 10 * math.sin(phi), 5) for phi in (3.1, -3.1)))
    expected = 2 * math.pi - 6.2
    assert leading.compute_pair_delta_phi(leptons) == pytest.approx(expected, rel=1e-12)
    assert leading.compute_pair_delta_r(leptons) == pytest.approx(expected, rel=1e-12)


def test_only_the_two_hardest_leptons_are_the_pair() -> None:
    hardest = back_to_back(100, (1, 0, 0))
    leptons = momenta(*hardest, massless(0, 20, 7), massless(1, 1, 1))
    assert leading.compute_pair_mass(leptons) == pytest.approx(100, rel=1e-14)
    assert components(leading.pair(leptons)) == pytest.approx([0, 0, 0, 100], abs=1e-13)


@pytest.mark.parametrize("leptons", [EMPTY, momenta(massless(30, 0, 0))], ids=["none", "one"])
def test_fewer_than_two_leptons(leptons: Any) -> None:
    for compute in PAIR:
        assert math.isnan(getattr(leading, compute)(leptons))
    assert math.isnan(four_leptons.compute_m4l(leptons))
    assert math.isnan(dilepton.compute_mz1(leptons, integers([1]), integers([13])))
    assert np.isnan(components(leading.pair(leptons))).all()


@pytest.mark.parametrize("place", [0, 1])
def test_a_broken_lepton_is_nan_everywhere(place: int) -> None:
    parts = [massless(30, 0, 0), massless(0, 40, 0)]
    parts[place] = ROOT.objects.momentum(NAN, 0, 0, 0)
    leptons = momenta(*parts)
    for compute in PAIR:
        assert math.isnan(getattr(leading, compute)(leptons))
    assert math.isnan(dilepton.compute_mz1(leptons, integers([1, -1]), integers([13, 13])))
    assert math.isnan(four_leptons.compute_m4l(momenta(*parts, *parts)))


# Four leptons along the axes, so that the mass of any pair is sqrt(2 E1 E2 (1 - cos)): E1 + E2 back to back for equal
# energies, else 2 sqrt(E1 E2); sqrt(2 E1 E2) at right angles.
FOUR = [massless(50, 0, 0), massless(0, 45, 0), massless(-41, 0, 0), massless(0, -30, 0)]
MASSES = {
    (0, 1): math.sqrt(2 * 50 * 45),  # 67.08
    (0, 2): 2 * math.sqrt(50 * 41),  # 90.55, closest to the Z
    (0, 3): math.sqrt(2 * 50 * 30),  # 54.77
    (1, 2): math.sqrt(2 * 45 * 41),  # 60.75
    (1, 3): 2 * math.sqrt(45 * 30),  # 73.48
    (2, 3): math.sqrt(2 * 41 * 30),  # 49.60
}


@pytest.mark.parametrize(
    ("charges", "flavours", "pair"),
    [
        ((1, 1, -1, -1), (13, 13, 13, 13), (0, 2)),  # of (0,2) (0,3) (1,2) (1,3)
        ((1, -1, 1, -1), (13, 13, 13, 13), (0, 1)),  # of (0,1) (0,3) (1,2) (2,3)
        ((1, 1, -1, -1), (11, 13, 13, 13), (1, 3)),  # (0,2) and (0,3) are of two flavours
        ((1, 1, -1, -1), (11, 13, 13, 11), (1, 2)),  # (0,3) 54.77 and (1,2) 60.75
        ((-1, 1, -1, 1), (11, 11, 13, 13), (0, 1)),  # 67.08 and (2,3) 49.60
        ((1, 1, 1, -1), (13, 13, 13, 11), None),
        ((1, 1, 1, 1), (13, 13, 13, 13), None),
        ((0, 0, 0, 0), (13, 13, 13, 13), None),
        ((1, -1, 1, -1), (11, 13, 13, 11), (1, 2)),  # likewise
    ],
)
def test_mz1_is_the_best_pair_of_opposite_charge_and_same_flavour(
    charges: tuple[int, ...], flavours: tuple[int, ...], pair: tuple[int, int] | None
) -> None:
    found = dilepton.compute_mz1(momenta(*FOUR), integers(charges), integers(flavours))
    allowed = [mass for (i, j), mass in MASSES.items() if charges[i] * charges[j] < 0 and flavours[i] == flavours[j]]
    if pair is None:
        assert not allowed
        assert math.isnan(found)
    else:
        assert found == pytest.approx(min(allowed, key=lambda mass: abs(mass - Z)), rel=1e-13)
        assert found == pytest.approx(MASSES[pair], rel=1e-13)


def test_mz1_takes_a_pair_above_the_z_that_is_closer_than_one_below() -> None:
    # 2 sqrt(48 * 44) = 91.91 is 0.73 above, 2 sqrt(45 * 45) = 90 is 1.19 below.
    leptons = momenta(massless(48, 0, 0), massless(0, 45, 0), massless(0, -45, 0), massless(-44, 0, 0))
    found = dilepton.compute_mz1(leptons, integers([1, 1, -1, -1]), integers([11, 13, 13, 11]))
    assert found == pytest.approx(2 * math.sqrt(48 * 44), rel=1e-13)


@pytest.mark.parametrize(
    ("charges", "flavours", "pair"),
    [
        ((1, 1, -1, -1), (13, 13, 13, 13), (1, 3)),  # Z1 is (0, 2)
        ((1, -1, 1, -1), (13, 13, 13, 13), (2, 3)),  # Z1 is (0, 1)
        ((1, 1, -1, -1), (11, 13, 13, 11), (0, 3)),  # Z1 is (1, 2), two muons
        ((1, 1, -1, -1), (11, 13, 13, 13), None),  # Z1 is (1, 3), and (0, 2) are of two flavours
        ((1, 1, -1, 1), (13, 13, 13, 13), None),
        ((1, 1, 1, 1), (13, 13, 13, 13), None),
    ],
)
def test_mz2_is_the_other_pair(
    charges: tuple[int, ...], flavours: tuple[int, ...], pair: tuple[int, int] | None
) -> None:
    found = four_leptons.compute_mz2(momenta(*FOUR), integers(charges), integers(flavours))
    assert math.isnan(found) if pair is None else found == pytest.approx(MASSES[pair], rel=1e-13)


def test_mz2_of_five_leptons_is_that_of_the_highest_sum_of_pt() -> None:
    # Z1 is (0, 2), at 90.55; of (1, 3), 75 GeV together, and (1, 4), 55 GeV, the former.
    five = momenta(*FOUR, massless(6, 8, 0))
    found = four_leptons.compute_mz2(five, integers([1, 1, -1, -1, -1]), integers([11, 13, 11, 13, 13]))
    assert found == pytest.approx(MASSES[1, 3], rel=1e-13)


def test_pt_of_four_leptons() -> None:
    assert four_leptons.compute_pt_4l(momenta(*FOUR)) == pytest.approx(math.hypot(9, 15), rel=1e-14)
    assert math.isnan(four_leptons.compute_pt_4l(momenta(*FOUR[:3])))


def test_mass_of_four_leptons() -> None:
    # Two back-to-back pairs at rest: the energies add up.
    leptons = [*back_to_back(100, (1, 2, 2)), *back_to_back(25, (2, -1, 0))]
    assert four_leptons.compute_m4l(momenta(*leptons)) == pytest.approx(125, rel=1e-14)
    assert four_leptons.compute_m4l(momenta(*leptons, massless(1, 1, 1))) == pytest.approx(125, rel=1e-14)
    assert math.isnan(four_leptons.compute_m4l(momenta(*leptons[:3])))
    assert math.isnan(four_leptons.compute_m4l(EMPTY))
    # E = 50 + 45 + 41 + 30 = 166, p = (9, 15, 0): m^2 = 166^2 - 9^2 - 15^2.
    assert four_leptons.compute_m4l(momenta(*FOUR)) == pytest.approx(math.sqrt(166**2 - 81 - 225), rel=1e-14)


@pytest.mark.parametrize(
    ("met_phi", "expected"),
    [
        (math.pi, math.sqrt(4 * 30 * 20)),  # back to back: 1 - cos = 2
        (-math.pi, math.sqrt(4 * 30 * 20)),
        (math.pi / 2, math.sqrt(2 * 30 * 20)),
        (math.pi / 3, math.sqrt(30 * 20)),  # 1 - cos 60 = 1/2
        (0, 0),
        (2 * math.pi, 0),
    ],
)
def test_transverse_mass(met_phi: float, expected: float) -> None:
    leptons = momenta(massless(30, 0, 77), massless(0, 10, 0))
    assert dilepton.compute_transverse_mass(leptons, 20, met_phi) == pytest.approx(expected, rel=1e-14, abs=1e-13)


def test_transverse_mass_without_lepton_or_met() -> None:
    assert math.isnan(dilepton.compute_transverse_mass(EMPTY, 20, 1))
    assert dilepton.compute_transverse_mass(momenta(massless(30, 0, 0)), 0, 1) == 0
    assert math.isnan(dilepton.compute_transverse_mass(momenta(massless(30, 0, 0)), NAN, 1))
    assert math.isnan(dilepton.compute_transverse_mass(momenta(massless(30, 0, 0)), 20, NAN))
