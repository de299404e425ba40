"""Weights and bins of windows against numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from models.weak_supervision.window import Window
from tests.ensembles.samples import olympics

WINDOW = Window(observable="mass", low=100, high=110, begin=90, end=120, cuts=[1.0, 0.1])


def falling(events: int, seed: int) -> npt.NDArray[np.float64]:
    """Return masses between 90 and 120 that fall exponentially."""
    return 90 - 15 * np.log(1 - np.random.default_rng(seed).random(events) * (1 - np.exp(-30 / 15)))


def test_region_and_sidebands_count_alike_and_have_the_same_mean_mass() -> None:
    mass = falling(20_000, 1)
    weights = WINDOW.weights(mass)
    region = (mass >= 100) & (mass < 110)
    lower, upper = mass < 100, mass >= 110
    assert weights[region].sum() == pytest.approx(10_000, rel=1e-12)
    assert weights[~region].sum() == pytest.approx(10_000, rel=1e-12)
    assert np.average(mass[~region], weights=weights[~region]) == pytest.approx(105, rel=1e-12)
    # The two weights of the sidebands by linear equations: their sum, and their moment about the centre.
    moments = [(mass[side] - 105).sum() for side in (lower, upper)]
    below, above = np.linalg.solve([[lower.sum(), upper.sum()], moments], [10_000, 0])
    np.testing.assert_allclose(weights[lower], below, rtol=1e-9)
    np.testing.assert_allclose(weights[upper], above, rtol=1e-9)
    np.testing.assert_allclose(weights[region], 10_000 / region.sum(), rtol=1e-12)


def test_sidebands_of_the_lhc_olympics_have_nearly_the_mean_of_the_region(opendata: Path) -> None:
    """The spectrum falls in the region too: its mean lies 5 GeV below the centre, where that of the sidebands lies."""
    sample = olympics(opendata, 0)
    (window,) = sample.configuration.windows().values()
    weights, region = window.weights(sample.values), (sample.values >= 3.4) & (sample.values < 3.6)
    inside, beside = (np.average(sample.values[kept], weights=weights[kept]) for kept in (region, ~region))
    assert beside == pytest.approx(3.5, abs=1e-12)
    assert inside == pytest.approx(beside, abs=0.006)


def test_bins_are_a_tenth_of_the_region_and_the_region_is_one() -> None:
    expected = [*range(90, 101), *range(110, 121)]
    np.testing.assert_allclose(WINDOW.edges(), expected, rtol=1e-12)
    narrow = Window(observable="mass", low=100, high=110, begin=99, end=112, cuts=[1.0])
    np.testing.assert_allclose(np.diff(narrow.edges()), [1 / 3] * 3 + [10] + [2 / 3] * 3, rtol=1e-9)
