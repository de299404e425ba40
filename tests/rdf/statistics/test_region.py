"""The excess of a region against scipy's minimum of the Poisson likelihood."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from rdf.statistics.functions import Family
from rdf.statistics.region import RegionFits
from tests.rdf.statistics.counted import by_scipy

pytestmark = pytest.mark.compiler

Numbers = npt.NDArray[np.float64]

EDGES = np.array([*np.linspace(9.0, 9.3, 11), *np.linspace(9.6, 9.9, 11)])
REGION = 10


def thrown(events: float, signal: float, seed: int) -> Numbers:
    """Return counts of a falling spectrum with a signal in the region."""
    heights = np.exp(-(EDGES - 9.0) / 0.8)
    expected = events * -np.diff(heights) / (heights[0] - heights[-1])
    expected[REGION] += signal
    return np.random.default_rng(seed).poisson(expected).astype(np.float64)


@pytest.mark.parametrize(
    ("events", "signal", "seed", "order"),
    [(1000, 60, 1, 0), (100, 30, 2, 0), (60, 0, 3, 0), (50_000, 600, 4, 0), (50_000, 600, 5, 1), (1000, -80, 6, 0)],
)
def test_an_excess_is_that_of_scipy(events: float, signal: float, seed: int, order: int) -> None:
    counts = thrown(events, signal, seed)
    found = RegionFits(EDGES, REGION, Family("exp-polynomial")).excess(counts, order)
    assert found is not None
    reference = by_scipy(counts, EDGES, REGION, 2 + order)
    assert found.z == pytest.approx(reference.z, rel=0.005)
    assert found.background == pytest.approx(reference.background, rel=1e-4)
    assert found.background_error == pytest.approx(reference.error, rel=0.01)
    assert found.signal == pytest.approx(counts[REGION] - reference.background, rel=1e-3, abs=1e-2)
    assert found.ndf == 20 - 2 - order


@pytest.mark.parametrize("spurious", [5.0, 20.0])
def test_a_spurious_signal_makes_an_excess_less_significant(spurious: float) -> None:
    counts = thrown(1000, 60, 1)
    found = RegionFits(EDGES, REGION, Family("exp-polynomial")).excess(counts, 0, np.array([spurious]))
    assert found is not None
    assert found.z == pytest.approx(by_scipy(counts, EDGES, REGION, 2, spurious).z, rel=0.005)
