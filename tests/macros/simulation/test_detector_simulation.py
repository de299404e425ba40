"""The simulated detector: resolutions, acceptance, b tagging and missing momentum, against their formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from rdf.code.interpreter import ROOT, declare, include_kernels

pytestmark = pytest.mark.compiler

include_kernels("simulation/detector_simulation")
declare(
    """
namespace detector_simulation_test {
using namespace detector_simulation;

// One object at a given pT and eta, measured n times: what is written (0 if nothing is), pT, discriminator or charge,
// and MET. kind: 1 light jet, 5 b jet, 11 electron, 13 muon.
void measure(int kind, double pt, double eta, int n, double *out)
{
   TRandom3 random(3);
   for (int i = 0; i < n; ++i) {
      Particles particles;
      const Momentum momentum(ROOT::Math::PtEtaPhiMVector(pt, eta, 0.5, 0.1));
      if (kind < 10)
         particles.jets.push_back({momentum, kind == 5});
      else
         particles.leptons.push_back({momentum, kind, -1});
      const auto event = detect(random, particles, 0);
      const auto &lepton = kind == 13 ? event.muons : event.electrons;
      const bool written = kind < 10 ? !event.jets.pt.empty() : !lepton.pt.empty();
      const double measured = !written ? 0 : kind < 10 ? event.jets.pt[0] : lepton.pt[0];
      const double extra = !written ? 0 : kind < 10 ? event.jets.btag[0] : lepton.charge[0];
      for (const double x : {double(written), measured, extra, double(event.met_pt * std::cos(event.met_phi - 0.5f))})
         *out++ = x;
   }
}

Event make_event()
{
   TRandom3 random(4);
   Particles particles;
   for (const double pt : {50., 200., 90., 130.})
      particles.jets.push_back({Momentum(ROOT::Math::PtEtaPhiMVector(pt, 0.3, pt, 5.)), false});
   for (const double pt : {20., 60.})
      particles.leptons.push_back({Momentum(ROOT::Math::PtEtaPhiMVector(pt, -1., pt, 0.1)), 13, 1});
   particles.leptons.push_back({Momentum(ROOT::Math::PtEtaPhiMVector(40., 1., 2., 0.001)), 11, -1});
   return detect(random, particles, 1);
}
}
""",
    "the test's loop",
)
N = 20_000
LIGHT, BOTTOM, ELECTRON, MUON = 1, 5, 11, 13


def measure(kind: int, pt: float, eta: float) -> NDArray[np.float64]:
    """Written or not, pT, discriminator or charge, and MET along the object."""
    out = np.empty(4 * N)
    ROOT.detector_simulation_test.measure(kind, pt, eta, N, out)
    return out.reshape(N, 4).T


def central_width(values: NDArray[np.float64]) -> float:
    """Standard deviation of a Gaussian with this central 68.27 %."""
    low, high = np.quantile(values, [0.15865, 0.84135])
    return float(high - low) / 2


@pytest.mark.parametrize(
    ("kind", "pt", "resolution"),
    [
        (LIGHT, 40.0, math.hypot(0.8 / math.sqrt(40), 0.045)),
        (LIGHT, 1000.0, math.hypot(0.8 / math.sqrt(1000), 0.045)),
        (ELECTRON, 45.0, math.hypot(0.1 / math.sqrt(45), 0.015)),
        (MUON, 45.0, 0.0102506),
        (MUON, 750.0, 0.0388104),
    ],
)
def test_resolutions(kind: int, pt: float, resolution: float) -> None:
    written, measured, _, _ = measure(kind, pt, 0.8)
    assert written.all()
    assert np.median(measured) == pytest.approx(pt, rel=4 * resolution / math.sqrt(N))
    assert central_width(measured / pt) == pytest.approx(resolution, rel=0.03)


@pytest.mark.parametrize(
    ("kind", "pt", "eta", "written", "seen"),
    [
        (LIGHT, 100.0, 4.9, True, True),
        (LIGHT, 100.0, 5.1, False, False),
        (LIGHT, 4.0, 1.0, False, True),
        (ELECTRON, 50.0, 2.45, True, True),
        (ELECTRON, 50.0, -2.6, False, True),
        (MUON, 50.0, 2.35, True, True),
        (MUON, 50.0, 2.45, False, False),
        (MUON, 4.0, 1.0, False, True),
    ],
)
def test_acceptance(kind: int, pt: float, eta: float, written: bool, seen: bool) -> None:
    is_written, _, _, met_along = measure(kind, pt, eta)
    assert set(is_written) == {float(written)}
    # MET is opposite to what is seen; what is not leaves none but for the resolution of 8 GeV.
    assert met_along.mean() == pytest.approx(-pt if seen else 0, abs=0.02 * pt + 0.3)
    if not seen:
        assert met_along.std() == pytest.approx(8, rel=0.03)


def test_discriminator_has_the_efficiencies_of_the_working_points() -> None:
    for kind, cut, efficiency in (
        (LIGHT, 0.049, 0.10),
        (LIGHT, 0.2783, 0.01),
        (BOTTOM, 0.049, 0.93),
        (BOTTOM, 0.2783, 0.80),
    ):
        btag = measure(kind, 100, 1.0)[2]
        assert 0 <= btag.min() < btag.max() <= 1
        assert abs((btag > cut).mean() - efficiency) < 5 * math.sqrt(efficiency * (1 - efficiency) / N)
    assert not measure(BOTTOM, 100, 3.0)[2].any()  # there is no tracker


def test_b_jets_lose_neutrinos() -> None:
    light, bottom = measure(LIGHT, 200, 1.0)[1].mean(), measure(BOTTOM, 200, 1.0)[1].mean()
    assert bottom / light == pytest.approx(1 - 0.35 * 0.12, abs=0.005)


def test_objects_are_sorted_and_leptons_of_both_kinds_are_joined() -> None:
    event = ROOT.detector_simulation_test.make_event()
    jets, muons = (np.array(list(objects.pt)) for objects in (event.jets, event.muons))
    assert len(jets) == 4
    assert np.all(np.diff(jets) < 0)
    assert np.all(np.diff(muons) < 0)
    np.testing.assert_allclose(list(event.muons.mass), 0.1056583755, rtol=1e-6)
    all_leptons = ROOT.detector_simulation.compute_all_leptons(event)
    assert list(all_leptons.flavour) == [13, 11, 13]
    assert list(all_leptons.charge) == [1, -1, 1]
    assert list(all_leptons.pt) == [event.muons.pt[0], event.electrons.pt[0], event.muons.pt[1]]
    energy = np.array(list(ROOT.detector_simulation.compute_energy(event.jets)))
    eta, mass = (np.array(list(part)) for part in (event.jets.eta, event.jets.mass))
    np.testing.assert_allclose(energy, np.hypot(jets * np.cosh(eta), mass), rtol=1e-6)


def test_btag_quantiles() -> None:
    values = ROOT.RVec["float"]([0.0, 0.2, 0.4, 0.6, 0.9])
    assert list(ROOT.detector_simulation.compute_btag_quantile(values)) == [1, 2, 3, 4, 5]
    for quantile, efficiency in ((2, 0.85), (3, 0.77), (4, 0.70), (5, 0.60)):
        btag = ROOT.RVec["float"](measure(BOTTOM, 100, 1.0)[2].astype(np.float32))
        passed = np.array(list(ROOT.detector_simulation.compute_btag_quantile(btag))) >= quantile
        assert abs(passed.mean() - efficiency) < 5 * math.sqrt(efficiency * (1 - efficiency) / N)
