"""The simulated razor filter: which jets it counts, and which events it lets through."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rdf.code.interpreter import ROOT, declare, include_kernels

pytestmark = pytest.mark.compiler

include_kernels("simulation/razor_filter_simulation")
declare(
    """
namespace razor_filter_simulation_test {
using namespace razor_filter_simulation;

Process always(detector_simulation::Event event)
{
   return {[event](TRandom &) { return event; }};
}

detector_simulation::Event make_event(const std::vector<float> &pt, const std::vector<float> &eta)
{
   detector_simulation::Event event;
   for (std::size_t i = 0; i < pt.size(); ++i) {
      event.jets.pt.push_back(pt[i]);
      event.jets.eta.push_back(eta[i]);
      event.jets.phi.push_back(3. * i);
      event.jets.mass.push_back(10);
      event.jets.btag.push_back(i == 1 ? 0.9 : 0.1);
   }
   return event;
}

// Events that pass, and the sum of their HT.
void pass_filter(int n, double *out)
{
   TRandom3 random(6);
   const auto process = passing(collision_simulation::multijet(7000, 50));
   for (int i = 0; i < n; ++i) {
      const auto jets = count_jets(process(random).jets);
      *out++ = jets.hard;
      *out++ = jets.HT;
   }
}
}
""",
    "the test's events",
)
TEST = ROOT.razor_filter_simulation_test


def test_jets_above_40_gev_within_3_count() -> None:
    event = TEST.make_event([200.0, 150.0, 61.0, 59.0, 39.0, 300.0], [0.1, -1.0, 2.9, -2.0, 0.0, 3.1])
    jets = ROOT.razor_filter_simulation.count_jets(event.jets)
    assert len(jets.momenta) == 4
    assert math.isclose(jets.HT, 200 + 150 + 61 + 59, rel_tol=1e-6)
    assert (jets.hard, jets.tagged) == (3, 1)
    filtered = ROOT.razor_filter_simulation.RazorFilter(TEST.always(event))(ROOT.TRandom3(1))
    assert (filtered.n_jets, filtered.n_bjets) == (4, 1)
    # Jets of any megajets: their momenta add up to the event's.
    total = filtered.megajets.first + filtered.megajets.second
    px = 200 + 150 * math.cos(3) + 61 * math.cos(6) + 59 * math.cos(9)
    assert total.Px() == pytest.approx(px, rel=1e-5)


def test_two_hard_jets_and_the_turn_on() -> None:
    out = np.empty(2 * 3000)
    TEST.pass_filter(3000, out)
    hard, HT = out.reshape(3000, 2).T
    assert hard.min() == 2
    # Two widths below the middle of its turn-on the trigger keeps (1 + erf(-2)) / 2 = 0.2 % of the events.
    assert (HT < 130).mean() < 0.005
    assert 0.1 < (HT < 180).mean() < 0.5
