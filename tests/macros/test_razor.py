"""Razor variables against hand-worked values, numpy and the published file."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from rdf.interpreter import ROOT, include_kernels

include_kernels("razor")
razor = ROOT.razor
Megajet = ROOT.Math.PxPyPzEVector


def massless(px: float, py: float, pz: float) -> object:
    return Megajet(px, py, pz, math.sqrt(px * px + py * py + pz * pz))


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
