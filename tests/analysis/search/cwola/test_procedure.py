"""What the procedure finds in open data, and what it makes of data without a signal; small parts of the ensembles."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.ensembles.samples import declared, diluted_continuum, olympics, upsilon
from tests.ensembles.weak_supervision import background_only, found_excesses
from tests.rdf.statistics.counted import by_scipy

pytestmark = pytest.mark.compiler


def test_a_cut_brings_the_anti_isolated_upsilon_out(opendata: Path) -> None:
    """Eight seeds of the folds have a mean of 4.67 at 10 %, and none is below 4.0; without a cut scipy counts too."""
    sample = upsilon(opendata)
    z = found_excesses(sample, [0, 1])
    (window,) = sample.configuration.windows().values()
    edges = window.edges()
    counts = np.histogram(sample.values, edges)[0].astype(np.float64)
    region = int(np.flatnonzero(edges == 9.3)[0])
    np.testing.assert_allclose(z[:, 0], by_scipy(counts, edges, region, 2).z, rtol=0.005)
    assert z[:, 2].mean() >= 4
    assert z.min(axis=0)[1:].min() >= 3


def test_signals_of_the_lhc_olympics_are_found_without_labels(opendata: Path) -> None:
    """In a third of the background 800 signals lie, 2 %: an excess of 1.4 standard deviations before any cut, or less.

    The whole background with 1,500 and with 772 signals is a table of the ensembles.
    """
    sample = olympics(opendata, 800)
    kept = (np.arange(len(sample.values)) % 3 == 0) | (np.arange(len(sample.values)) >= len(sample.values) - 800)
    (z,) = found_excesses(replace(sample, values=sample.values[kept], X=sample.X[kept]), [0])
    assert z[0] < 3
    assert z[2] >= 5


def test_nothing_is_gained_where_features_hardly_tell_the_signal(opendata: Path) -> None:
    """Of 7,350 dimuons above 10.6 GeV, 120 are events of the Upsilon(1S), which a cut of 10 % makes no clearer."""
    (z,) = found_excesses(diluted_continuum(opendata, 120, 0), [0])
    assert 1 < z[0] < 4
    assert z[2] < z[0] + 1


def test_background_only_sets_have_no_excess(opendata: Path) -> None:
    """Of 40 sets the mean has an error of 0.18, and more than six of 20 below 0.05 have a probability of 3e-5."""
    sample = upsilon(opendata)
    halves = declared("dimu_mass", (9.0, 9.9), (9.3, 9.6), (0.25, 0.1), folds=2)
    null = background_only(replace(sample, configuration=halves), 40, 1)
    assert null.refused <= 4
    for cut in null.cuts:
        assert abs(cut.mean) < 0.65
        assert 0.7 < cut.width < 1.7
        assert cut.below <= 6
        assert cut.ks > 1e-4
