"""MET against HT, by hand."""

from __future__ import annotations

import math

from rdf.interpreter import ROOT, include_kernels

include_kernels("met")
missing_pt = ROOT.missing_pt


def test_met_over_ht() -> None:
    assert missing_pt.compute_MET_over_HT(50, 200) == 0.25
    assert missing_pt.compute_MET_over_HT(0, 200) == 0


def test_met_over_ht_is_not_finite_without_jets() -> None:
    assert missing_pt.compute_MET_over_HT(50, 0) == math.inf
    assert math.isnan(missing_pt.compute_MET_over_HT(0, 0))
    assert math.isnan(missing_pt.compute_MET_over_HT(math.nan, 200))
    assert math.isnan(missing_pt.compute_MET_over_HT(50, math.nan))
