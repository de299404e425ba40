"""Simulated collisions: momentum conservation, resonances and spectra that their physics demands."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from rdf.code.interpreter import ROOT, declare, include_kernels

pytestmark = pytest.mark.compiler

include_kernels("simulation/collision_simulation")
include_kernels("simulation/simulation_stream")
declare(
    """
namespace collision_simulation_test {
using namespace collision_simulation;

// Daughters' px, py, pz, E of a mother decayed n times.
void decay(unsigned int seed, double px, double py, double pz, double e, double m1, double m2, int n, double *out)
{
   TRandom3 random(seed);
   for (int i = 0; i < n; ++i) {
      const auto [a, b] = collision_simulation::decay(random, {px, py, pz, e}, m1, m2);
      for (const double x : {a.Px(), a.Py(), a.Pz(), a.E(), b.Px(), b.Py(), b.Pz(), b.E()})
         *out++ = x;
   }
}

void heavy_pairs(double sqrt_s, double threshold, int n, double *out)
{
   TRandom3 random(7);
   for (int i = 0; i < n; ++i) {
      const auto [mass, y] = heavy_pair(random, sqrt_s, threshold);
      *out++ = mass;
      *out++ = y;
   }
}

// Two numbers of jets, the sum of the jets' transverse momentum and of what is too soft, and the recoil.
void radiation(double scale, int n, double *out)
{
   TRandom3 random(8);
   for (int i = 0; i < n; ++i) {
      Particles particles;
      const auto recoil = radiate(random, particles, scale, 0.1, 0.);
      double px = particles.unclustered_px, py = particles.unclustered_py, hard = 0;
      for (const auto &jet : particles.jets) {
         px += jet.momentum.Px();
         py += jet.momentum.Py();
         hard += jet.momentum.Pt() > 30;
      }
      for (const double x : {double(particles.jets.size()), hard, px, py, recoil.px, recoil.py})
         *out++ = x;
   }
}

// Sum of the jets of a parton, and how many they are.
void partons(double px, double py, double pz, int n, double *out)
{
   TRandom3 random(9);
   for (int i = 0; i < n; ++i) {
      Particles particles;
      add_parton(random, particles, {px, py, pz, std::sqrt(px * px + py * py + pz * pz)}, true);
      Momentum sum;
      for (const auto &jet : particles.jets)
         sum += jet.momentum;
      for (const double x : {sum.Px(), sum.Py(), sum.Pz(), double(particles.jets.size())})
         *out++ = x;
   }
}

void labels(simulation_stream::Stream<Process> &stream, int n, double *out)
{
   for (int i = 0; i < n; ++i) {
      const auto event = stream.next();
      *out++ = event.label;
      *out++ = event.muons.pt.size();
      *out++ = event.electrons.pt.size();
   }
}
}
""",
    "the test's loops",
)
TEST = ROOT.collision_simulation_test


def rows(loop: str, *arguments: float, n: int, columns: int) -> NDArray[np.float64]:
    out = np.empty(n * columns)
    getattr(TEST, loop)(*arguments, n, out)
    return out.reshape(n, columns).T


def decays(seed: int, n: int = 20_000) -> NDArray[np.float64]:
    """Top quarks of 172 GeV in flight, to 80 and 5 GeV."""
    p = np.array([30.0, -40.0, 120.0])
    return rows("decay", seed, *p, math.hypot(*p, 172.0), 80.0, 5.0, n=n, columns=8)


def test_decays_conserve_momentum_and_are_isotropic() -> None:
    first, second = np.split(decays(1), 2)
    p, energy = np.array([30.0, -40.0, 120.0]), math.hypot(30, 40, 120, 172)
    np.testing.assert_allclose(first + second, np.tile([*p, energy], (20_000, 1)).T, rtol=1e-9)
    for daughter, mass in ((first, 80.0), (second, 5.0)):
        found = np.sqrt(daughter[3] ** 2 - (daughter[:3] ** 2).sum(axis=0))
        np.testing.assert_allclose(found, mass, rtol=1e-4)
    # In the rest frame the energy is fixed, so the energy in flight is flat: gamma (E* + beta p* cos).
    momentum = math.sqrt((172**2 - 85**2) * (172**2 - 75**2)) / (2 * 172)
    own_energy = math.hypot(momentum, 80)
    gamma, flight = energy / 172, np.linalg.norm(p) / 172
    cosine = (first[3] - gamma * own_energy) / (flight * momentum)
    assert np.abs(cosine).max() <= 1 + 1e-9
    assert abs(cosine.mean()) < 5 * math.sqrt(1 / 3 / 20_000)
    assert cosine.std() == pytest.approx(math.sqrt(1 / 3), rel=0.02)


def test_decays_draw_from_the_random_numbers_given_and_leave_the_global_ones_alone() -> None:
    before = ROOT.gRandom
    ROOT.gRandom.SetSeed(5)
    first = decays(1, n=100)
    untouched = ROOT.gRandom.Rndm()
    ROOT.gRandom.SetSeed(5)
    assert ROOT.gRandom.Rndm() == untouched
    assert ROOT.gRandom == before
    np.testing.assert_array_equal(decays(1, n=100), first)
    assert not np.isin(decays(2, n=100)[0], first[0]).any()


@pytest.mark.parametrize("threshold", [345.0, 1800.0])
def test_heavy_pairs_follow_their_density(threshold: float) -> None:
    """dN/dM dy ~ M^-6 beta ((1 - x1) (1 - x2))^4, integrated by numpy on a grid."""
    mass, y = rows("heavy_pairs", 13_000.0, threshold, n=50_000, columns=2)
    assert mass.min() >= threshold
    M, Y = np.meshgrid(np.linspace(threshold, 13_000, 6001)[:-1] + 0.1, np.linspace(-5, 5, 401), indexing="ij")
    x1, x2 = M / 13_000 * np.exp(Y), M / 13_000 * np.exp(-Y)
    density = np.where((x1 < 1) & (x2 < 1), ((1 - x1) * (1 - x2)) ** 4, 0)
    density *= M**-6 * np.sqrt(1 - (threshold / M) ** 2)
    density /= density.sum()
    assert mass.mean() == pytest.approx((density * M).sum(), rel=0.01)
    assert y.std() == pytest.approx(math.sqrt((density * Y**2).sum()), rel=0.015)
    assert abs(y.mean()) < 5 * y.std() / math.sqrt(len(y))


@pytest.mark.parametrize("scale", [91.2, 900.0])
def test_radiation_is_balanced_and_double_logarithmic(scale: float) -> None:
    jets, hard, px, py, recoil_px, recoil_py = rows("radiation", scale, n=50_000, columns=6)
    np.testing.assert_allclose(px, -recoil_px, atol=1e-9)
    np.testing.assert_allclose(py, -recoil_py, atol=1e-9)
    # A quarter of log(scale / pT)^2 / 2 jets above a pT, less what a system of a tenth of the energy damps.
    for found, pt in ((jets, 15), (hard, 30)):
        expected = 0.25 * 0.9**8 * math.log(scale / pt) ** 2 / 2
        assert abs(found.mean() - expected) < 5 * math.sqrt(expected / len(found))


def test_a_partons_jets_have_its_momentum() -> None:
    px, py, pz, jets = rows("partons", 300.0, -100.0, 500.0, n=20_000, columns=4)
    for found, expected in ((px, 300), (py, -100), (pz, 500)):
        np.testing.assert_allclose(found, expected, atol=1e-9)
    # Splitting: 0.1 for each factor of e between 15 GeV and half the pT.
    probability = 0.1 * math.log(math.hypot(300, 100) / 2 / 15)
    assert set(np.unique(jets)) == {1, 2}
    assert abs((jets == 2).mean() - probability) < 5 * math.sqrt(probability / 20_000)


def labels(process: object, n: int = 20_000) -> NDArray[np.float64]:
    stream = ROOT.simulation_stream.Stream["collision_simulation::Process"](11, process)
    out = np.empty(3 * n)
    TEST.labels(stream, n, out)
    return out.reshape(n, 3).T


def test_signals_are_labelled_also_in_a_mixture() -> None:
    make = ROOT.collision_simulation
    for process, label in (
        (make.multijet(13_000, 100), 0),
        (make.z_boson(13_000), 0),
        (make.top_pair(13_000), 0),
        (make.squark_pair(13_000, 700, 100), 1),
        (make.z_prime(13_000, 500), 1),
    ):
        assert set(labels(process, 1000)[0]) == {label}
    mixed = labels(make.mixture(0.05, make.z_prime(13_000, 500), make.z_boson(13_000)))
    assert abs(mixed[0].mean() - 0.05) < 5 * math.sqrt(0.05 * 0.95 / 20_000)


def test_selections_of_leptons() -> None:
    make = ROOT.collision_simulation
    _, muons, electrons = labels(make.z_boson(13_000))
    assert (muons + electrons).min() == 0
    _, muons, electrons = labels(make.with_two_leptons(make.z_boson(13_000)))
    assert (muons + electrons).min() == 2
    assert 0.45 < (muons == 2).mean() < 0.55
    assert labels(make.with_two_muons(make.top_pair(13_000)), 2000)[1].min() == 2
