"""The embedded generator: cuts, balance and spectra that its physics demands."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rdf.interpreter import ROOT, declare, include_kernels

include_kernels("multijet_simulation")
PARTS = ("heavy_pair", "px1", "py1", "pz1", "e1", "px2", "py2", "pz2", "e2", "met", "phi", "HT", "n_jets", "n_bjets")
declare(
    """
namespace multijet_simulation_test {
void generate(unsigned int seed, unsigned long long first, std::size_t events, double *out)
{
   for (std::size_t i = 0; i < events; ++i) {
      const auto e = multijet_simulation::generate(seed, first + i);
      const auto &a = e.megajet1, &b = e.megajet2;
      for (const double part : {double(e.heavy_pair), a.Px(), a.Py(), a.Pz(), a.E(), b.Px(), b.Py(), b.Pz(), b.E(),
                                e.met_pt, e.met_phi, e.HT, double(e.n_jets), double(e.n_bjets)})
         *out++ = part;
   }
}
}
""",
    "the test's loop over events",
)
EVENTS = 40_000
# p of either decay product of a particle of 700 GeV into something massless and something of 100 GeV:
# (700^2 - 100^2) / (2 * 700) = 342.857 GeV.
DECAY_MOMENTUM = 480_000 / 1400


def generate(seed: int, first: int, events: int) -> dict[str, np.ndarray]:
    out = np.empty(events * len(PARTS))
    ROOT.multijet_simulation_test.generate(seed, first, events, out)
    return dict(zip(PARTS, out.reshape(events, len(PARTS)).T, strict=True))


@pytest.fixture(scope="module")
def events() -> dict[str, np.ndarray]:
    return generate(42, 0, EVENTS)


@pytest.fixture(scope="module")
def heavy(events: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {part: values[events["heavy_pair"] == 1] for part, values in events.items()}


def test_an_event_depends_on_seed_and_number_alone(events: dict[str, np.ndarray]) -> None:
    for part, values in generate(42, 1000, 500).items():
        assert values.tobytes() == np.ascontiguousarray(events[part][1000:1500]).tobytes()
    other = generate(43, 1000, 500)
    assert not np.isin(other["HT"], events["HT"]).any()


def test_no_event_comes_twice(events: dict[str, np.ndarray]) -> None:
    # 40,000 numbers are spread over 2^32 - 1 seeds: 40,000^2 / 2 / 2^32 = 0.19 pairs of equal events are expected.
    assert len(np.unique(events["HT"])) >= EVENTS - 3


def test_cuts(events: dict[str, np.ndarray]) -> None:
    pts = []
    for i in "12":
        pt = np.hypot(events[f"px{i}"], events[f"py{i}"])
        assert pt.min() > 60 * (1 - 1e-12)
        assert np.abs(np.arcsinh(events[f"pz{i}"] / pt)).max() < 3 * (1 + 1e-12)
        momentum = np.hypot(pt, events[f"pz{i}"])
        assert np.all(events[f"e{i}"] >= momentum * (1 - 1e-12))
        pts.append(pt)
    assert np.all(pts[0] >= pts[1])
    # Two widths below the middle of its turn-on the trigger keeps (1 + erf(-2)) / 2 = 0.2 % of the events.
    assert (events["HT"] < 130).mean() < 0.002
    # The cut on pT bites: what it leaves begins at it.
    assert pts[1].min() < 61
    assert set(np.unique(events["n_jets"])) <= {2, 3, 4, 5, 6, 7}
    assert set(np.unique(events["n_bjets"])) <= {0, 1, 2}
    assert np.abs(events["phi"]).max() <= math.pi


def test_three_per_cent_are_heavy_pairs(events: dict[str, np.ndarray]) -> None:
    # Five standard deviations of a binomial of 40,000 and 0.03.
    assert abs(events["heavy_pair"].mean() - 0.03) < 5 * math.sqrt(0.03 * 0.97 / EVENTS)


def test_met_balances_a_heavy_pair_within_its_resolution(heavy: dict[str, np.ndarray]) -> None:
    resolution = 0.75 * np.sqrt(heavy["HT"])
    n = len(heavy["HT"])
    for component, angle in (("px", np.cos), ("py", np.sin)):
        left = heavy[f"{component}1"] + heavy[f"{component}2"] + heavy["met"] * angle(heavy["phi"])
        pull = left / resolution
        assert abs(pull.mean()) < 5 / math.sqrt(n)
        assert abs(pull.std() - 1) < 5 / math.sqrt(2 * n)
    pt = [np.hypot(heavy[f"px{i}"], heavy[f"py{i}"]) for i in "12"]
    np.testing.assert_allclose(heavy["HT"], pt[0] + pt[1], rtol=1e-12)


def razor_mass(p1: np.ndarray, p2: np.ndarray) -> np.ndarray:
    """MR of momenta of shape (3, events)."""
    size = np.linalg.norm(p1, axis=0) + np.linalg.norm(p2, axis=0)
    return np.sqrt(size**2 - (p1[2] + p2[2]) ** 2)


def test_mr_of_heavy_pairs_ends_at_its_edge(heavy: dict[str, np.ndarray]) -> None:
    p1, p2 = (np.stack([heavy[f"{part}{i}"] for part in ("px", "py", "pz")]) for i in "12")
    mr = razor_mass(p1, p2)
    # MR^2 = (2p)^2 - (pz1 + pz2)^2 in the frame of the pair: at most 2p = (M^2 - m^2) / M = 685.714 GeV.
    edge = (700**2 - 100**2) / 700
    assert mr.max() <= edge * (1 + 1e-9)
    assert mr.max() > 0.999 * edge
    # The spectrum below the edge, from decays thrown by numpy with the same boost and cuts.
    random = np.random.default_rng(9)
    n = 200_000
    jets = []
    gamma_y = random.normal(0, 0.6, n)
    for _ in range(2):
        cos, phi = random.uniform(-1, 1, n), random.uniform(-math.pi, math.pi, n)
        pt, pz = DECAY_MOMENTUM * np.sqrt(1 - cos**2), DECAY_MOMENTUM * cos
        pz = np.cosh(gamma_y) * pz + np.sinh(gamma_y) * DECAY_MOMENTUM
        jets.append(np.stack([pt * np.cos(phi), pt * np.sin(phi), pz]))
    pts = [np.hypot(jet[0], jet[1]) for jet in jets]
    kept = np.logical_and.reduce(
        [(pt > 60) & (np.abs(np.arcsinh(jet[2] / pt)) < 3) for pt, jet in zip(pts, jets, strict=True)]
    )
    kept &= random.uniform(size=n) < [0.5 * (1 + math.erf((HT - 180) / 25)) for HT in pts[0] + pts[1]]
    expected = razor_mass(*jets)[kept]
    error = expected.std() * math.sqrt(1 / len(mr) + 1 / len(expected))
    assert abs(mr.mean() - expected.mean()) < 5 * error


def test_multijets_fall_and_have_no_true_met(events: dict[str, np.ndarray]) -> None:
    light = events["heavy_pair"] == 0
    pt = np.hypot(events["px1"], events["py1"])[light]
    # Well above the cuts dN/dpT ~ pT^-5.2: each doubling of pT leaves 2^-4.2 = 5.4 % of the events above it. Smearing
    # by 6 % scales a power law as a whole and does not turn it.
    above = (pt > 150).sum(), (pt > 300).sum()
    fraction = above[1] / above[0]
    expected = 2**-4.2
    assert abs(fraction - expected) < 5 * math.sqrt(expected / above[0]) + 0.1 * expected
    # MET is resolution alone: (MET / resolution)^2 / 2 is exponential with mean 1.
    square = (events["met"] / (0.75 * np.sqrt(events["HT"])))[light] ** 2 / 2
    assert abs(square.mean() - 1) < 5 / math.sqrt(light.sum())
