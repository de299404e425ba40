"""Simulated pairs of muons of low mass: masses, impact parameters, isolation and charges against their densities."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm

from rdf.code.interpreter import ROOT, declare, include_kernels

pytestmark = pytest.mark.compiler

include_kernels("simulation/dimuon_simulation")
declare(
    """
namespace dimuon_simulation_test {
void dimuons(double signal_fraction, int n, double *out)
{
   TRandom3 random(7);
   const dimuon_simulation::Dimuons make(signal_fraction);
   for (int i = 0; i < n; ++i) {
      const auto event = make(random);
      const auto &muons = event.muons;
      *out++ = event.label;
      *out++ = muons.pt.size();
      for (std::size_t m = 0; m < 3; ++m) {
         const bool is_there = m < muons.pt.size();
         for (const auto *column : {&muons.pt, &muons.eta, &muons.phi, &muons.mass, &muons.isolation, &muons.ip3d})
            *out++ = is_there ? (*column)[m] : NAN;
         *out++ = is_there ? muons.charge[m] : NAN;
         *out++ = is_there ? muons.tight[m] : NAN;
      }
   }
}
}
""",
    "the test's loop",
)
N = 40_000
Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Pairs:
    """Events with two muons, both tight, since the third one of some events is not.

    Arrays of muons are of shape (2, pairs), of pairs of shape (pairs,).
    Label and number of muons are those of all events, of shape (events,); `tight` is the share of tight muons where
    there are two.
    """

    label: Array
    counts: Array
    pt: Array
    eta: Array
    isolation: Array
    ip3d: Array
    charge: Array
    tight: float
    mass: Array
    pair_pt: Array


def pairs(signal_fraction: float) -> Pairs:
    out = np.empty((N, 26))
    ROOT.dimuon_simulation_test.dimuons(signal_fraction, N, out.reshape(-1))
    label, counts = out[:, 0], out[:, 1]
    muons = out[counts == 2, 2:].reshape(-1, 3, 8)[:, :2]
    tight = muons[:, :, 7]
    pt, eta, phi, mass, isolation, ip3d, charge, _ = np.moveaxis(muons[tight.all(axis=1)], 2, 0).swapaxes(1, 2)
    px, py, pz = pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)
    energy = np.sqrt(px**2 + py**2 + pz**2 + mass**2)
    sums = [part.sum(axis=0) for part in (energy, px, py, pz)]
    pair_mass = np.sqrt(sums[0] ** 2 - sums[1] ** 2 - sums[2] ** 2 - sums[3] ** 2)
    return Pairs(
        label,
        counts,
        pt,
        eta,
        isolation,
        ip3d,
        charge,
        tight=float(tight.mean()),
        mass=pair_mass,
        pair_pt=np.hypot(sums[1], sums[2]),
    )


@pytest.fixture(scope="module")
def continuum() -> Pairs:
    return pairs(0)


@pytest.fixture(scope="module")
def resonance() -> Pairs:
    return pairs(1)


def binomial(share: float, events: int) -> float:
    """Five standard deviations of a share that is counted."""
    return 5 * math.sqrt(share * (1 - share) / events)


def test_the_resonance_is_as_wide_as_the_detector_makes_it(resonance: Pairs) -> None:
    assert resonance.mass.mean() == pytest.approx(9.4604, abs=5 * 0.085 / math.sqrt(len(resonance.mass)))
    assert resonance.mass.std() / 9.4604 == pytest.approx(0.009, rel=0.03)
    assert resonance.label.all()


def test_the_continuum_falls_exponentially(continuum: Pairs) -> None:
    within = continuum.mass[(continuum.mass > 5) & (continuum.mass < 16)]
    edges = np.linspace(5, 16, 12)
    below = 1 - np.exp(-(edges - 5) / 6)
    shares = np.diff(below) / below[-1]
    counted = np.histogram(within, edges)[0] / len(within)
    for share, found in zip(shares, counted, strict=True):
        assert found == pytest.approx(share, abs=binomial(share, len(within)))
    assert not continuum.label.any()


@pytest.mark.parametrize("distance", [0.001, 0.003, 0.01, 0.03])
def test_impact_parameters_are_those_of_prompt_and_displaced_muons(
    continuum: Pairs, resonance: Pairs, distance: float
) -> None:
    prompt = norm.cdf(math.log(distance / 0.002) / 0.5)
    displaced = norm.cdf(math.log(distance / 0.02))
    # Of opposite sign, 10 of 75 pairs are prompt ones of Drell-Yan; of the same sign, none is.
    same = continuum.charge.sum(axis=0) != 0
    kinds = ((resonance.ip3d, prompt), (continuum.ip3d[:, same], displaced))
    for ip3d, expected in (*kinds, (continuum.ip3d[:, ~same], (10 * prompt + 65 * displaced) / 75)):
        found = (ip3d < distance).mean(axis=1)
        assert found == pytest.approx(expected, abs=binomial(expected, ip3d.shape[1]))


def test_shares_of_signs_identification_and_isolation(continuum: Pairs, resonance: Pairs) -> None:
    same = continuum.charge.sum(axis=0) != 0
    assert same.mean() == pytest.approx(0.25, abs=binomial(0.25, len(same)))
    assert (resonance.charge.sum(axis=0) == 0).all()
    for share, muons in ((0.7, resonance), (65 / 75 * 0.7 + 10 / 75 * 0.35, continuum)):
        opposite = muons.charge.sum(axis=0) == 0
        found = (muons.isolation[:, opposite] > 0.55).mean(axis=1)
        assert found == pytest.approx(share, abs=binomial(share, int(opposite.sum())))
        assert muons.tight == pytest.approx(0.9, abs=0.02)  # some have lost one of the pair, and have a third one
        beyond = muons.isolation[muons.isolation > 0.55] - 0.55
        assert beyond.mean() == pytest.approx(0.8, rel=0.03)


def test_neither_momentum_nor_impact_parameters_tell_the_mass(continuum: Pairs) -> None:
    kept = (continuum.pt[0] > 17) & (continuum.pt[1] > 8) & (continuum.mass > 5) & (continuum.mass < 16)
    assert kept.mean() > 0.7
    for feature in (continuum.pair_pt, *np.log(continuum.ip3d)):
        correlation = np.corrcoef(feature[kept], continuum.mass[kept])[0, 1]
        assert abs(correlation) < 0.03


def test_pairs_have_their_momentum_and_lie_in_the_chambers(continuum: Pairs, resonance: Pairs) -> None:
    for muons, mean in ((continuum, 15), (resonance, 30)):
        assert (muons.pt[0] >= muons.pt[1]).all()
        assert muons.pt.min() >= 5
        assert np.abs(muons.eta).max() <= 2.4
        assert np.median(muons.pair_pt) == pytest.approx(40 + mean * math.log(2), rel=0.03)
    # A tenth has a third muon, which is rarely out of sight; where one of the pair is, two are left.
    assert 0.05 < (continuum.counts == 3).mean() < 0.1


def test_the_share_of_the_resonance() -> None:
    label = pairs(0.02).label
    assert label.mean() == pytest.approx(0.02, abs=binomial(0.02, N))
