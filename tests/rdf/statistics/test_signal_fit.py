"""Peak, width and tails of simulated signals: against unbinned fits by iminuit, and against the truth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from iminuit import Minuit
from scipy.stats import crystalball, norm

from rdf.errors import SpectrumError
from rdf.statistics.signal_fit import fit_peak, fit_signal

pytestmark = pytest.mark.compiler

Numbers = npt.NDArray[np.float64]

MASS, SIGMA, LOW, HIGH = 100.0, 3.0, 60.0, 150.0


def unbinned(values: Numbers, density: Callable[..., Numbers], start: list[float]) -> Minuit:
    """Fit a density, normalised within the range by a trapezoidal sum, to single events."""
    grid = np.linspace(LOW, HIGH, 4001)

    def nll(parameters: Numbers) -> float:
        return -float(np.log(density(values, *parameters) / np.trapezoid(density(grid, *parameters), grid)).sum())

    minuit = Minuit(nll, np.array(start))
    minuit.errordef = Minuit.LIKELIHOOD
    minuit.limits = [(90, 110), (1, 10), *((0.2, 6), (1.05, 150)) * ((len(start) - 2) // 2)]
    minuit.migrad()
    minuit.hesse()
    return minuit


def two_sided(x: Numbers, mean: float, sigma: float, *tails: float) -> Numbers:
    """Return a two-sided Crystal Ball of two of scipy's one-sided ones, which agree at the peak."""
    alpha_low, power_low, alpha_high, power_high = tails
    t = (x - mean) / sigma
    low = crystalball.pdf(t, alpha_low, power_low) / crystalball.pdf(0, alpha_low, power_low)
    high = crystalball.pdf(-t, alpha_high, power_high) / crystalball.pdf(0, alpha_high, power_high)
    return np.where(t < 0, low, high)


def thrown_with_tails(events: int, seed: int) -> Numbers:
    grid = np.linspace(LOW - 100, HIGH + 100, 400_001)
    sums = np.cumsum(two_sided(grid, MASS, SIGMA, 1.2, 3.0, 1.7, 6.0))
    return np.interp(np.random.default_rng(seed).uniform(0, sums[-1], events), sums, grid)


def test_a_gaussian_is_fitted_as_event_by_event() -> None:
    values = np.random.default_rng(1).normal(MASS, SIGMA, 4000)
    found = fit_signal(values, np.ones(4000), LOW, HIGH)
    minuit = unbinned(values, norm.pdf, [99.0, 2.5])
    assert found.tails is None
    assert found.p == found.gaussian_p > 0.01
    assert found.effective == 4000
    assert found.mass == pytest.approx(minuit.values[0], abs=0.1 * minuit.errors[0])
    assert found.resolution * found.mass == pytest.approx(minuit.values[1], abs=0.1 * minuit.errors[1])
    assert found.mass_error == pytest.approx(minuit.errors[0], rel=0.02)
    assert found.resolution_error * MASS == pytest.approx(minuit.errors[1], rel=0.02)


def test_tails_are_fitted_as_event_by_event() -> None:
    values = thrown_with_tails(20_000, 2)
    values = values[(values >= LOW) & (values < HIGH)]
    found = fit_signal(values, np.ones(len(values)), LOW, HIGH)
    minuit = unbinned(values, two_sided, [99.0, 2.5, 1.5, 4.0, 1.5, 4.0])
    assert found.gaussian_p < 1e-10
    assert found.p > 0.01
    assert found.tails is not None
    assert found.mass == pytest.approx(minuit.values[0], abs=0.15 * minuit.errors[0])
    assert found.resolution * found.mass == pytest.approx(minuit.values[1], abs=0.15 * minuit.errors[1])
    assert found.mass_error == pytest.approx(minuit.errors[0], rel=0.05)
    for place, name in enumerate(("alpha_low", "power_low", "alpha_high", "power_high"), start=2):
        assert getattr(found.tails, name) == pytest.approx(minuit.values[place], abs=0.3 * minuit.errors[place])
    assert found.mass == pytest.approx(MASS, abs=4 * found.mass_error)
    assert found.resolution == pytest.approx(SIGMA / MASS, abs=4 * found.resolution_error)


def test_errors_of_weighted_events_are_those_of_their_spread() -> None:
    """Of 100 samples whose weights differ by a factor of nine: pulls of mass and width are as wide as 1."""
    random = np.random.default_rng(3)
    pulls = []
    for _ in range(100):
        values, weights = random.normal(MASS, SIGMA, 600), random.uniform(0.2, 1.8, 600)
        found = fit_signal(values, weights, LOW, HIGH)
        pulls.append(
            (
                (found.mass - MASS) / found.mass_error,
                (found.resolution - SIGMA / MASS) / found.resolution_error,
            )
        )
        assert found.effective == pytest.approx(weights.sum() ** 2 / (weights**2).sum())
    assert np.std(pulls, axis=0) == pytest.approx([1, 1], abs=0.21)  # three standard deviations of 100
    assert np.abs(np.mean(pulls, axis=0)).max() < 0.3


def test_a_gaussian_is_seldom_said_to_have_tails() -> None:
    random = np.random.default_rng(4)
    p = [fit_signal(random.normal(MASS, SIGMA, 1000), np.ones(1000), LOW, HIGH).gaussian_p for _ in range(100)]
    assert np.less(p, 0.01).sum() <= 5
    assert 0.35 < np.mean(p) < 0.65


def test_a_peak_that_moves_in_a_coarse_histogram() -> None:
    """Bins of one width: the same events, all moved by half a width and spread by a tenth, show just that."""
    values = thrown_with_tails(200_000, 5)
    found = fit_signal(values, np.ones(len(values)), LOW, HIGH)
    edges = np.arange(LOW, HIGH + 1, 3.0)
    moved = found.mass + (values - found.mass) * 1.1 + 1.5
    (mass, sigma), (other_mass, other_sigma) = (
        fit_peak(np.histogram(each, edges)[0].astype(np.float64), edges, found) for each in (values, moved)
    )
    assert other_mass - mass == pytest.approx(1.5, abs=0.02)
    assert other_sigma / sigma == pytest.approx(1.1, abs=0.01)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.linspace(90, 110, 99), "99 events of a signal between 60 and 150, fewer than 100; take a larger sample"),
        (np.random.default_rng(6).normal(147, 3, 5000), "does not lie within 60 to 150; take a wider range"),
    ],
)
def test_what_is_no_signal_is_refused(values: Numbers, reason: str) -> None:
    with pytest.raises(SpectrumError, match=reason):
        fit_signal(values, np.ones(len(values)), LOW, HIGH)
