"""Razor variables against hand-worked values, numpy and the published file; megajets against every partition."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from rdf.code.interpreter import ROOT, include_kernels
from tests.macros.momenta import EMPTY, components, massless, momenta

pytestmark = pytest.mark.compiler

include_kernels("physics/razor")
razor = ROOT.razor
Megajet = ROOT.Math.PxPyPzEVector
PROJECT = Path(__file__).parents[3]


@pytest.mark.parametrize("direction", [(1, 0, 0), (0, 1, 0), (3 / 5, 4 / 5, 0), (2 / 7, 3 / 7, 6 / 7), (0, 0, 1)])
def test_mr_of_back_to_back_jets_is_twice_their_momentum(direction: tuple[float, float, float]) -> None:
    x, y, z = (250 * part for part in direction)
    assert razor.compute_MR(massless(x, y, z), massless(-x, -y, -z)) == pytest.approx(500, rel=1e-14)


@pytest.mark.parametrize("sign", [1, -1])
def test_mr_with_one_jet_along_the_beam(sign: int) -> None:
    # |p1| = 4 along z, |p2| = 1 across: sqrt((4 + 1)^2 - 4^2) = 3.
    along, across = massless(0, 0, sign * 4), massless(1, 0, 0)
    assert razor.compute_MR(along, across) == pytest.approx(3, rel=1e-14)
    assert razor.compute_MR(across, along) == pytest.approx(3, rel=1e-14)


def test_mr_takes_megajets_as_massless() -> None:
    # |p1| = 5, |p2| = 13, pz1 + pz2 = 4 + 12 = 16: sqrt(18^2 - 16^2) = sqrt(68), whatever the energies say.
    expected = math.sqrt(68)
    for energy1, energy2 in ((5, 13), (50, 20), (500, 1300)):
        found = razor.compute_MR(Megajet(3, 0, 4, energy1), Megajet(0, 5, 12, energy2))
        assert found == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("beta", [-0.99, -0.5, 0.1, 0.6, 0.999])
def test_mr_does_not_change_under_boosts_along_the_beam(beta: float) -> None:
    gamma = 1 / math.sqrt(1 - beta * beta)
    jets = [(120.0, -35.0, 80.0), (-60.0, 90.0, -310.0)]
    at_rest = [massless(*jet) for jet in jets]
    # pz' = gamma (pz + beta E) with E = |p|, written out here so as not to lean on ROOT's boost.
    boosted = [massless(px, py, gamma * (pz + beta * math.sqrt(px * px + py * py + pz * pz))) for px, py, pz in jets]
    assert razor.compute_MR(*boosted) == pytest.approx(razor.compute_MR(*at_rest), rel=1e-11)


def test_mr_of_two_jets_down_the_same_beam_keeps_its_digits() -> None:
    # pT = 1 and pz = 1e8 each: E - |pz| = pT^2 / (2 pz) = 5e-9 each, and MR^2 = (E - pz)(E + pz) = 1e-8 * 4e8 = 4.
    # The momentum itself is a double of spacing 1.5e-8, so that 5e-9 is all rounding: MR is only bounded, and real.
    found = razor.compute_MR(massless(1, 0, 1e8), massless(0, 1, 1e8))
    assert 0 <= found < 5
    # At pz = 1e4 the same product, 1e-4 * 4e4 = 4, has seven digits.
    assert razor.compute_MR(massless(1, 0, 1e4), massless(0, 1, 1e4)) == pytest.approx(2, rel=1e-6)


@pytest.mark.parametrize(
    ("met_phi", "squared"),
    [
        # pT1 = (40, 0), pT2 = (0, 30), MET = 50: MTR^2 = 50 (70 - (40, 30) . (cos, sin)) / 2.
        (0, 750),  # 50 (70 - 40) / 2
        (math.pi / 2, 1000),  # 50 (70 - 30) / 2
        (math.pi, 2750),  # 50 (70 + 40) / 2
        (-math.pi / 2, 2500),  # 50 (70 + 30) / 2
        (math.atan2(3, 4), 500),  # along the sum, of length 50: 50 (70 - 50) / 2
        (math.atan2(-3, -4), 3000),  # against it: 50 (70 + 50) / 2
    ],
)
def test_mtr_and_rsq_at_known_angles(met_phi: float, squared: float) -> None:
    jet1, jet2 = massless(40, 0, 30), massless(0, 30, -40)
    assert razor.compute_MTR(jet1, jet2, 50, met_phi) == pytest.approx(math.sqrt(squared), rel=1e-13)
    # |p1| = |p2| = 50 and pz1 + pz2 = -10: MR^2 = 100^2 - 10^2 = 9900.
    mr = razor.compute_MR(jet1, jet2)
    assert razor.compute_Rsq(math.sqrt(squared), mr) == pytest.approx(squared / 9900, rel=1e-13)


def test_mtr_is_zero_and_never_imaginary_where_all_points_one_way() -> None:
    for met_phi in np.linspace(-math.pi, math.pi, 1001):
        x, y = math.cos(met_phi), math.sin(met_phi)
        found = razor.compute_MTR(massless(70 * x, 70 * y, 5), massless(33 * x, 33 * y, -9), 80, met_phi)
        # What is left of 103 (1 - 1) GeV is a few spacings of doubles, 1e-14: sqrt(80 * 5e-14 / 2) = 1.4e-6.
        assert 0 <= found < 2e-6


def test_nan_stays_nan() -> None:
    good, nan = massless(40, 0, 30), math.nan
    for broken in (Megajet(nan, 1, 1, 2), Megajet(1, nan, 1, 2), Megajet(1, 1, nan, 2)):
        assert math.isnan(razor.compute_MR(broken, good))
        assert math.isnan(razor.compute_MR(good, broken))
    for broken in (Megajet(nan, 1, 1, 2), Megajet(1, nan, 1, 2)):
        assert math.isnan(razor.compute_MTR(broken, good, 50, 1))
        assert math.isnan(razor.compute_MTR(good, broken, 50, 1))
    assert math.isnan(razor.compute_MTR(good, good, nan, 1))
    assert math.isnan(razor.compute_MTR(good, good, 50, nan))
    assert math.isnan(razor.compute_Rsq(nan, 100))
    assert math.isnan(razor.compute_Rsq(100, nan))


def test_no_momenta() -> None:
    nothing = Megajet(0, 0, 0, 0)
    assert razor.compute_MR(nothing, nothing) == 0
    assert razor.compute_MTR(nothing, nothing, 50, 1) == 0
    assert math.isnan(razor.compute_Rsq(0, 0))
    assert razor.compute_Rsq(10, 0) == math.inf


def test_published_rsq_lies_between_those_of_met_along_and_against_the_megajets(opendata: Path) -> None:
    table = np.genfromtxt(opendata / "cms2010b" / "MultiJetRun2010B.csv", delimiter=",", names=True, max_rows=4000)
    px, py = table["Px1"] + table["Px2"], table["Py1"] + table["Py2"]
    pt_sum = np.hypot(table["Px1"], table["Py1"]) + np.hypot(table["Px2"], table["Py2"])
    along, against = (table["MET"] * (pt_sum - sign * np.hypot(px, py)) / 2 / table["MR"] ** 2 for sign in (1, -1))
    found_along, found_against = np.empty(len(table)), np.empty(len(table))
    for i, row in enumerate(table):
        jets = [Megajet(*(float(row[f"{part}{j}"]) for part in ("Px", "Py", "Pz", "E"))) for j in (1, 2)]
        mr, phi = razor.compute_MR(*jets), math.atan2(py[i], px[i])
        for found, angle in ((found_along, phi), (found_against, phi + math.pi)):
            found[i] = razor.compute_Rsq(razor.compute_MTR(*jets, float(row["MET"]), angle), mr)
    # MR of the file has six digits, Rsq follows with twice its rounding.
    np.testing.assert_allclose(found_along, along, rtol=2e-5, atol=1e-9)
    np.testing.assert_allclose(found_against, against, rtol=2e-5)
    assert np.all(table["Rsq"] >= found_along - 2e-5)
    assert np.all(table["Rsq"] <= found_against + 2e-5)
    # The bounds mean something: they exclude most of the range in most events.
    assert np.median(found_against - found_along) < 0.05


def test_mr_2010_by_hand() -> None:
    # E1 = 5, E2 = 5: 2 sqrt((5 * 0 - 5 * 4)^2 / (4^2 - 0)) = 2 * 20 / 4.
    assert razor.compute_MR_2010(massless(3, 0, 4), massless(0, 5, 0)) == pytest.approx(10, rel=1e-14)
    # E1 = 5, E2 = 13: 2 sqrt((5 * 12 + 13 * 4)^2 / ((-4 - 12)^2 - (5 - 13)^2)) = 2 * 112 / sqrt(192).
    expected = 2 * 112 / math.sqrt(192)
    assert razor.compute_MR_2010(massless(3, 0, -4), massless(0, 5, 12)) == pytest.approx(expected, rel=1e-14)
    # Megajets count as massless: E is |p|, whatever they have.
    assert razor.compute_MR_2010(Megajet(3, 0, -4, 99), Megajet(0, 5, 12, 50)) == pytest.approx(expected, rel=1e-14)


def test_mr_2010_of_back_to_back_jets_is_twice_their_momentum() -> None:
    assert razor.compute_MR_2010(massless(60, 80, 240), massless(-60, -80, -240)) == pytest.approx(520, rel=1e-14)


@pytest.mark.parametrize("beta", [-0.9, 0.3, 0.99])
def test_mr_2010_does_not_change_under_boosts_along_the_beam(beta: float) -> None:
    gamma = 1 / math.sqrt(1 - beta * beta)
    jets = [(120.0, -35.0, 80.0), (-60.0, 90.0, -310.0)]
    boosted = [massless(px, py, gamma * (pz + beta * math.sqrt(px * px + py * py + pz * pz))) for px, py, pz in jets]
    at_rest = [massless(*jet) for jet in jets]
    assert razor.compute_MR_2010(*boosted) == pytest.approx(razor.compute_MR_2010(*at_rest), rel=1e-11)


def test_mr_2010_is_nan_where_no_boost_makes_the_momenta_equal() -> None:
    # |pz1 - pz2| = 1 < |E1 - E2| = sqrt(26) - 1: the boost would have to be faster than light.
    assert math.isnan(razor.compute_MR_2010(massless(3, 4, 1), massless(1, 0, 0)))
    assert math.isnan(razor.compute_MR_2010(massless(3, 4, 0), massless(0, 5, 0)))  # 0 / 0
    assert math.isnan(razor.compute_MR_2010(Megajet(math.nan, 1, 1, 2), massless(1, 0, 0)))


def test_two_back_to_back_massless_jets() -> None:
    """MR = 2 p. For MET across them MTR^2 = MET (2 pT - 0) / 2 = MET p, so Rsq = MET / (4 p), whatever its angle."""
    p, met = 100.0, 60.0
    pair = razor.compute_megajets(momenta(massless(60, 80, 0), massless(-60, -80, 0)))
    mr = razor.compute_MR(pair.first, pair.second)
    assert mr == pytest.approx(2 * p, rel=1e-14)
    for met_phi in (0, 1, math.pi, -2):
        mtr = razor.compute_MTR(pair.first, pair.second, met, met_phi)
        assert mtr == pytest.approx(math.sqrt(met * p), rel=1e-14)
        assert razor.compute_Rsq(mtr, mr) == pytest.approx(met / (4 * p), rel=1e-14)


def test_megajets_of_two_jets_are_these_the_harder_first() -> None:
    soft, hard = (3, 4, 50, 80), (0, -12, 1, 13)
    for jets in ((soft, hard), (hard, soft)):
        pair = razor.compute_megajets(momenta(*jets))
        assert components(pair.first) == pytest.approx(hard, rel=1e-13)
        assert components(pair.second) == pytest.approx(soft, rel=1e-13)


def test_megajets_of_three_jets_by_hand() -> None:
    # (100, 0, 0) against (-60, 8, 0) and (-40, -8, 0): those two make
    # m^2 = 2 (sqrt(3664) sqrt(1664) - (2400 - 64)) = 266.3; any other pair is wider and harder by far:
    # 100 with sqrt(3664) 2 * 100 (60.53 + 60) = 24106, with sqrt(1664) 2 * 100 (40.79 + 40) = 16158.
    jets = [massless(-60, 8, 0), massless(100, 0, 0), massless(-40, -8, 0)]
    pair = razor.compute_megajets(momenta(*jets))
    # Both have a pT of 100 but for rounding, so either may be the first.
    found = sorted((components(pair.first).tolist(), components(pair.second).tolist()))
    assert found[0] == pytest.approx([-100, 0, 0, math.sqrt(3664) + math.sqrt(1664)], abs=1e-12)
    assert found[1] == pytest.approx([100, 0, 0, 100], abs=1e-12)


@pytest.mark.parametrize("jets", [EMPTY, momenta((30, 0, 4, 50))], ids=["none", "one"])
def test_no_megajets_of_fewer_than_two_jets(jets: Any) -> None:
    pair = razor.compute_megajets(jets)
    assert np.isnan([components(pair.first), components(pair.second)]).all()
    assert math.isnan(razor.compute_MR(pair.first, pair.second))
    assert math.isnan(razor.compute_MR_2010(pair.first, pair.second))
    assert math.isnan(razor.compute_MTR(pair.first, pair.second, 50, 1))


@pytest.mark.parametrize("size", [2, 5, 20, 21, 30])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_jet_that_is_not_finite_leaves_no_megajets(size: int, value: float) -> None:
    random = np.random.default_rng(size)
    for component in range(4):
        jets = random_jets(random, size)
        jets[size // 2, component] = value
        pair = razor.compute_megajets(momenta(*jets))
        assert np.isnan([components(pair.first), components(pair.second)]).all()


def random_jets(random: np.random.Generator, n: int, massive: bool = True) -> NDArray[np.float64]:
    """px, py, pz, E of jets with falling spectra, shape (n, 4)."""
    pt, eta = 30 + random.exponential(60, n), random.normal(0, 1.2, n)
    phi = random.uniform(-math.pi, math.pi, n)
    p = np.column_stack([pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)])
    mass = random.exponential(12, n) if massive else np.zeros(n)
    return np.column_stack([p, np.sqrt((p**2).sum(axis=1) + mass**2)])


def mass_squared(p: NDArray[np.float64]) -> NDArray[np.float64]:
    squared: NDArray[np.float64] = p[..., 3] ** 2 - (p[..., :3] ** 2).sum(axis=-1)
    return squared


def every_sum(jets: NDArray[np.float64]) -> NDArray[np.float64]:
    """m1^2 + m2^2 of each of the 2^(n-1) - 1 partitions, by adding up both sides of each."""
    n = len(jets)
    in_first = (np.arange(1, 2 ** (n - 1))[:, np.newaxis] >> np.arange(n)) & 1
    return mass_squared(in_first @ jets) + mass_squared((1 - in_first) @ jets)


def sum_of(pair: Any) -> float:
    return float(mass_squared(components(pair.first)) + mass_squared(components(pair.second)))


def rounding(jets: NDArray[np.float64]) -> float:
    """What a squared mass, the difference of squared energies, can be off by."""
    return 1e-13 * float(jets[:, 3].sum() ** 2)


@pytest.mark.parametrize("massive", [True, False])
@pytest.mark.parametrize("n", range(2, 13))
def test_megajets_have_the_least_sum_of_squared_masses_of_all_partitions(n: int, massive: bool) -> None:
    random = np.random.default_rng(100 * n + massive)
    for _ in range(20):
        jets = random_jets(random, n, massive)
        pair = razor.compute_megajets(momenta(*jets))
        first, second = components(pair.first), components(pair.second)
        np.testing.assert_allclose(first + second, jets.sum(axis=0), rtol=1e-12, atol=1e-10)
        assert math.hypot(*first[:2]) >= math.hypot(*second[:2])
        assert sum_of(pair) == pytest.approx(every_sum(jets).min(), abs=rounding(jets))
        # They are sums of jets: one of the partitions has this first megajet.
        in_first = (np.arange(1, 2**n - 1)[:, np.newaxis] >> np.arange(n)) & 1
        assert np.abs(in_first @ jets - first).max(axis=1).min() < 1e-10


def test_fifteen_jets_are_exact() -> None:
    random = np.random.default_rng(15)
    for _ in range(5):
        jets = random_jets(random, 15)
        pair = razor.compute_megajets(momenta(*jets))
        assert sum_of(pair) == pytest.approx(every_sum(jets).min(), abs=rounding(jets))


def identified(jets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Jets whose px is a whole number and 2^-(i+1) for the i-th: a sum of them, which is exact, says of which."""
    px = np.round(jets[:, 0]) + 0.5 ** (1 + np.arange(len(jets)))
    mass_squared_before = mass_squared(jets)
    p = np.column_stack([px, jets[:, 1:3]])
    return np.column_stack([p, np.sqrt((p**2).sum(axis=1) + mass_squared_before)])


def members(total: NDArray[np.float64], n: int) -> NDArray[np.bool_]:
    """Which of n identified jets a sum is made of."""
    fraction = total[0] - math.floor(total[0])
    return np.array([int(fraction * 2 ** (i + 1)) % 2 == 1 for i in range(n)])


@pytest.mark.parametrize("n", [19, 20, 21, 40])
def test_no_jet_of_many_can_change_sides_for_the_better(n: int) -> None:
    random = np.random.default_rng(n)
    for massive in (True, False, True):
        jets = identified(random_jets(random, n, massive))
        event = momenta(*jets)
        pair = razor.compute_megajets(event)
        in_first = members(components(pair.first), n)
        np.testing.assert_array_equal(members(components(pair.second), n), ~in_first)
        for side, found in ((in_first, pair.first), (~in_first, pair.second)):
            np.testing.assert_allclose(side @ jets, components(found), rtol=1e-11, atol=1e-9)
        least = sum_of(pair)
        for i in range(n):
            moved = in_first.copy()
            moved[i] = not moved[i]
            if 0 < moved.sum() < n:
                assert mass_squared(moved @ jets) + mass_squared(~moved @ jets) >= least - rounding(jets)


def test_the_search_for_many_jets_finds_the_best_of_all_partitions() -> None:
    """In events with few enough jets to try them all: in 99 of 100 events at least, and nowhere a better one."""
    random = np.random.default_rng(21)
    events, equal = 0, 0
    for n in range(2, 13):
        for massive in (True, False):
            for _ in range(40):
                jets = random_jets(random, n, massive)
                event, total = momenta(*jets), Megajet(*map(float, jets.sum(axis=0)))
                first = components(razor.descend_to_partition(event, total))
                found = mass_squared(first) + mass_squared(jets.sum(axis=0) - first)
                excess = found - every_sum(jets).min()
                assert excess > -rounding(jets)
                events += 1
                equal += excess < rounding(jets)
    assert events == 880
    assert equal >= 0.99 * events


def test_the_search_ends_for_space_like_jets_with_empty_ones_among_them() -> None:
    """Energies below |p|, as rounding leaves them, along one line: every product of two groups is negative."""
    code = """
import numpy as np
from rdf.code.interpreter import ROOT, include_kernels
include_kernels("physics/razor")
momenta = np.random.default_rng(0).exponential(50, 24)
momenta[::7] = 0
jets = ROOT.objects.Momenta()
for p in momenta:
    jets.push_back(ROOT.objects.Momentum(p, 0, 0, p * (1 - 1e-6)))
print(ROOT.razor.compute_megajets(jets).first.Px() > 0)
"""
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
        cwd=PROJECT,
    )
    assert ended.stdout.strip() == "True"
