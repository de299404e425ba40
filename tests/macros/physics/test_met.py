"""MET against what is visible, by hand."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest

from rdf.code.interpreter import ROOT, include_kernels
from tests.macros.momenta import EMPTY, massless, momenta, reals

pytestmark = pytest.mark.compiler

include_kernels("physics/met")
missing_pt = ROOT.missing_pt
NAN = math.nan


@pytest.mark.parametrize("ratio", ["MET_over_HT", "MET_over_ST", "MET_over_pt_ll"])
def test_ratios(ratio: str) -> None:
    compute = getattr(missing_pt, f"compute_{ratio}")
    assert compute(50, 200) == 0.25
    assert compute(0, 200) == 0
    # Not finite without a denominator, so that the event is counted out.
    assert compute(50, 0) == math.inf
    assert math.isnan(compute(0, 0))
    assert math.isnan(compute(NAN, 200))
    assert math.isnan(compute(50, NAN))


def test_met_over_the_root_of_ht() -> None:
    assert missing_pt.compute_MET_over_sqrt_HT(50, 400) == 2.5
    assert missing_pt.compute_MET_over_sqrt_HT(0, 400) == 0
    assert missing_pt.compute_MET_over_sqrt_HT(50, 0) == math.inf
    assert math.isnan(missing_pt.compute_MET_over_sqrt_HT(0, 0))
    assert math.isnan(missing_pt.compute_MET_over_sqrt_HT(50, NAN))


def test_angle_to_the_leading_jet() -> None:
    jets = momenta(massless(-30, 0, 12), massless(0, 20, 0))  # at phi = pi
    assert missing_pt.compute_delta_phi_met_jet(math.pi / 2, jets) == pytest.approx(math.pi / 2, rel=1e-15)
    assert missing_pt.compute_delta_phi_met_jet(-3, jets) == pytest.approx(math.pi - 3, rel=1e-12)
    assert missing_pt.compute_delta_phi_met_jet(-math.pi, jets) == 0
    assert missing_pt.compute_delta_phi_met_jet(0, jets) == math.pi
    assert math.isnan(missing_pt.compute_delta_phi_met_jet(0, EMPTY))
    assert math.isnan(missing_pt.compute_delta_phi_met_jet(NAN, jets))


def test_angle_to_the_lepton_pair() -> None:
    # (-30, 40) + (-10, -40) = (-40, 0), at phi = pi; the third does not count.
    leptons = momenta(massless(-30, 40, 3), massless(-10, -40, 4), massless(5, 5, 5))
    assert missing_pt.compute_delta_phi_met_ll(1, leptons) == pytest.approx(math.pi - 1, rel=1e-14)
    assert missing_pt.compute_delta_phi_met_ll(-1, leptons) == pytest.approx(math.pi - 1, rel=1e-14)
    assert missing_pt.compute_delta_phi_met_ll(-math.pi, leptons) == 0
    assert math.isnan(missing_pt.compute_delta_phi_met_ll(1, EMPTY))
    assert math.isnan(missing_pt.compute_delta_phi_met_ll(1, momenta(massless(30, 0, 0))))


def test_met_follows_the_jets_that_gain() -> None:
    # Jets of (40, 0) and (0, 30) gain a tenth: (4, 3) less of (10, 0) is (6, -3).
    found = missing_pt.with_jets_scaled(10, 0, reals([40, 30]), reals([0, math.pi / 2]), 1.1)
    assert found.pt == pytest.approx(math.sqrt(45), rel=1e-13)
    assert found.phi == pytest.approx(math.atan2(-3, 6), rel=1e-13)
    # And lose a tenth: (14, 3).
    found = missing_pt.with_jets_scaled(10, 0, reals([40, 30]), reals([0, math.pi / 2]), 0.9)
    assert found.pt == pytest.approx(math.sqrt(205), rel=1e-13)
    assert found.phi == pytest.approx(math.atan2(3, 14), rel=1e-13)
    # MET that was not there before points away from the jet that gained.
    found = missing_pt.with_jets_scaled(0, 0, reals([50]), reals([1]), 1.2)
    assert (found.pt, found.phi) == pytest.approx((10, 1 - math.pi), rel=1e-13)


def test_met_with_a_factor_of_one_keeps_every_bit() -> None:
    random = np.random.default_rng(6)
    for met_pt, met_phi in zip(random.exponential(40, 200), random.uniform(-math.pi, math.pi, 200), strict=True):
        found = missing_pt.with_jets_scaled(met_pt, met_phi, reals([40, 30]), reals([2, -1]), 1)
        assert struct.pack("2d", found.pt, found.phi) == struct.pack("2d", met_pt, met_phi)
    assert missing_pt.with_jets_scaled(30, -math.pi, reals([40]), reals([1]), 1).phi == -math.pi
    # Also where a jet is broken; with any other factor MET is broken too.
    assert missing_pt.with_jets_scaled(30, 1, reals([NAN]), reals([1]), 1).pt == 30
    assert math.isnan(missing_pt.with_jets_scaled(30, 1, reals([NAN]), reals([1]), 1.1).pt)


def test_met_without_jets() -> None:
    found = missing_pt.with_jets_scaled(30, 1, reals([]), reals([]), 1.1)
    assert (found.pt, found.phi) == pytest.approx((30, 1), rel=1e-15)
