"""Simulated tracks: the geometry of the helix, and how far prompt and displaced ones pass the beam."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from rdf.code.interpreter import ROOT, declare, include_kernels

pytestmark = pytest.mark.compiler

include_kernels("simulation/track_simulation")
declare(
    """
namespace track_simulation_test {
void tracks(double signal_fraction, int n, double *out)
{
   TRandom3 random(5);
   const track_simulation::Tracks make(signal_fraction);
   for (int i = 0; i < n; ++i) {
      const auto track = make(random);
      for (const double x : {track.pt, track.eta, track.phi, track.d0, track.dz, float(track.label)})
         *out++ = x;
   }
}
}
""",
    "the test's loop",
)
N = 50_000


def tracks(signal_fraction: float) -> NDArray[np.float64]:
    out = np.empty(6 * N)
    ROOT.track_simulation_test.tracks(signal_fraction, N, out)
    return out.reshape(N, 6).T


@pytest.mark.parametrize("charge", [1, -1])
@pytest.mark.parametrize("pt", [2.0, 500.0])
def test_helix_against_steps_along_it(charge: int, pt: float) -> None:
    """Followed backwards in small steps, the point nearest to the beam has the impact parameters of the closed form."""
    x, y, z, eta, phi = 4.0, -7.0, 3.0, 0.9, -0.4
    found = ROOT.track_simulation.make_track(x, y, z, pt, eta, phi, charge, 1)
    radius = pt / (0.3 * 0.999308 * 3.8) * 100  # p = 0.2998 B R, in cm
    length = np.linspace(-40, 40, 2_000_001)  # transverse, from the point on
    turned = phi - charge * length / radius  # a positive charge turns clockwise in a field along z
    xs = x + charge * radius * (np.sin(phi) - np.sin(turned))
    ys = y - charge * radius * (np.cos(phi) - np.cos(turned))
    nearest = int(np.argmin(np.hypot(xs, ys)))
    direction = turned[nearest]
    d0 = -xs[nearest] * math.sin(direction) + ys[nearest] * math.cos(direction)
    assert found.d0 == pytest.approx(d0, rel=1e-4)
    assert found.phi == pytest.approx(direction, abs=1e-5)
    assert found.dz == pytest.approx(z + length[nearest] * math.sinh(eta), rel=1e-3)


def test_prompt_tracks_come_from_the_beam() -> None:
    pt, eta, phi, d0, dz, label = tracks(0.0)
    assert not label.any()
    assert pt.min() > 0.9
    assert np.abs(eta).max() <= 2.5
    assert np.abs(phi).max() <= math.pi * (1 + 1e-7)
    # dN/dpT ~ pT^-4: each doubling leaves an eighth.
    above = (pt > 2).sum(), (pt > 4).sum()
    assert above[1] / above[0] == pytest.approx(1 / 8, abs=5 * math.sqrt(1 / 8 / above[0]))
    pull = d0 / np.hypot(20e-4, 90e-4 / pt)
    assert pull.std() == pytest.approx(1, rel=0.02)
    assert np.abs(d0).max() < 0.1  # cm
    # A fifth comes from other collisions, 3.5 cm sqrt(2) away; 1.6 % of these are hidden below 1 mm.
    far = np.abs(dz) > 0.1
    assert far.mean() == pytest.approx(0.2 * 0.984, abs=0.01)
    assert dz[far].std() == pytest.approx(3.5 * math.sqrt(2), rel=0.03)


def test_displaced_tracks_follow_lifetime_and_decay() -> None:
    """The impact parameters of straight tracks, thrown by numpy with the same masses and lifetime."""
    pt, _, _, d0, _, label = tracks(1.0)
    assert label.all()
    random = np.random.default_rng(2)
    n = 400_000
    parent_pt, parent_eta = random.exponential(60, n), random.normal(0, 1.2, n)
    pz = parent_pt * np.sinh(parent_eta)
    parent = np.hypot(parent_pt, pz)
    flight = random.exponential(1.0, n) / 40  # c tau = 1 cm, mass 40 GeV
    cosine, azimuth = random.uniform(-1, 1, n), random.uniform(-math.pi, math.pi, n)
    sine = np.sqrt(1 - cosine**2)
    own = 20 * np.stack([sine * np.cos(azimuth), sine * np.sin(azimuth), cosine])  # in the frame of the parent
    axis = np.stack([parent_pt, np.zeros(n), pz]) / parent
    gamma, along = np.hypot(parent, 40) / 40, (own * axis).sum(axis=0)
    muon = own + axis * ((gamma - 1) * along + parent / 40 * 20)
    muon_pt = np.hypot(muon[0], muon[1])
    x = parent_pt * flight
    kept = (x < 40) & (np.abs(pz * flight) < 100) & (muon_pt > 1) & (np.abs(np.arcsinh(muon[2] / muon_pt)) < 2.5)
    expected = np.abs(x * muon[1] / muon_pt)[kept]
    for quantile in (0.25, 0.5, 0.75, 0.9):
        assert np.quantile(np.abs(d0), quantile) == pytest.approx(np.quantile(expected, quantile), rel=0.04)
    assert np.median(pt) == pytest.approx(np.median(muon_pt[kept]), rel=0.03)


def test_displaced_fraction() -> None:
    label = tracks(0.02)[5]
    assert abs(label.mean() - 0.02) < 5 * math.sqrt(0.02 * 0.98 / N)
