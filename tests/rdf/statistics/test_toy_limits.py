"""Limits by toys against exact sums over Poisson counts, pyhf's toys, the asymptotic formula, and their own promise."""

from __future__ import annotations

import numpy as np
import pyhf
import pytest
from scipy.optimize import brentq
from scipy.stats import norm, poisson

from rdf.errors import SpectrumError
from rdf.statistics.fits import SpectrumFits
from rdf.statistics.functions import Family, SignalShape, Systematic
from rdf.statistics.likelihoods import pyhf_workspace
from rdf.statistics.spectrum import Spectrum
from tests.rdf.statistics.spectra import Numbers

pytestmark = pytest.mark.compiler

EXPONENTIAL = Family("exp-polynomial", 2, 6)


def counting(background: float, observed: int) -> tuple[SpectrumFits, Spectrum]:
    """Return a spectrum of twelve bins, of which the signal has one: a million events beside it tell its background."""
    edges = np.linspace(100.0, 220.0, 13)
    expected = background * np.exp(np.log(1e6 / background) / 9 * (10 - np.arange(12)))
    counts = np.round(expected)
    counts[10] = observed
    return SpectrumFits(edges, EXPONENTIAL, SignalShape(0.007), [205.0]), Spectrum(edges, counts)


def steep(events: float) -> tuple[Numbers, Numbers]:
    """Return edges and expected events of an exponential in 14 bins."""
    edges = np.geomspace(50.0, 150.0, 15)
    return edges, events * -np.diff(np.exp(-0.12 * (edges - 50)))


def exact_limit(count: int, share: float, background: float) -> float:
    """Return the number of signal events at which CLs of a count is 0.05, by Poisson sums.

    Args:
        count: events that were observed.
        share: fraction of the probability of the same count that is added to that of smaller counts.
        background: expected events.
    """

    def tail(mean: float) -> float:
        return float(poisson.cdf(count - 1, mean) + share * poisson.pmf(count, mean))

    return float(brentq(lambda s: tail(s + background) / tail(background) - 0.05, 1e-3, 60))


def test_without_any_event_the_limit_is_three_even_where_many_are_expected() -> None:
    """Such data are rarer than one of 1e13 toys without a signal."""
    fits, spectrum = counting(30.0, 0)
    assert fits.toy_limits(spectrum, 0, 0, seed=1, toys=300).observed[0] == pytest.approx(-np.log(0.05), rel=0.05)


def test_data_that_end_where_the_function_goes_on_have_a_limit() -> None:
    """Next to no toy has an end like that; the limit is that of no event."""
    edges, expected = steep(1000)
    counts = np.where(np.arange(14) < 8, np.round(expected), 0)
    fits = SpectrumFits(edges, EXPONENTIAL, SignalShape(0.03), [112.0])
    limit = fits.toy_limits(Spectrum(edges, counts), 0, 0, seed=1, toys=300)
    assert limit.observed[0] == pytest.approx(-np.log(0.05), rel=0.06)


@pytest.mark.parametrize("background", [1.0, 3.0])
def test_limits_are_those_of_exact_sums(background: float) -> None:
    """Without any event the limit is -ln 0.05 = 3.0, whatever the background; expected ones follow the Poisson counts.

    A background that is known to a per mille sets equal counts apart, so that a quantile lies within one of them.
    """
    fits, spectrum = counting(background, 0)
    found = fits.toy_limits(spectrum, 0, 0, seed=1, toys=1000)
    assert found.observed[0] == pytest.approx(-np.log(0.05), rel=0.03)
    for value, below in zip(found.expected[0], norm.cdf([-2, -1, 0, 1, 2]), strict=True):
        count = int(poisson.ppf(below, background))
        share = (below - poisson.cdf(count - 1, background)) / poisson.pmf(count, background)
        assert value == pytest.approx(exact_limit(count, share, background), rel=0.04)


def test_observed_limit_lies_between_those_of_one_event_less_and_none_less() -> None:
    fits, spectrum = counting(3.0, 3)
    observed = fits.toy_limits(spectrum, 0, 0, seed=1, toys=1000).observed[0]
    assert 0.97 * exact_limit(3, 0, 3.0) < observed < 1.03 * exact_limit(3, 1, 3.0)


def test_limits_are_those_of_pyhfs_toys() -> None:
    """At the limit CLs by pyhf's toys is 0.05 within their error."""
    edges, expected = steep(500)
    counts = np.round(expected)
    fits, spectrum = SpectrumFits(edges, EXPONENTIAL, SignalShape(0.06), [105.0]), Spectrum(edges, counts)
    assert 2 < expected[7:10].sum() < 10
    limits = fits.toy_limits(spectrum, 0, 0, seed=1, toys=1000)
    workspace = pyhf.Workspace(pyhf_workspace(fits.templates(spectrum, 0, 0, False)))
    model = workspace.model(poi_name="signal_events")
    pyhf.set_backend("numpy")
    np.random.seed(1)  # noqa: NPY002 - that is where pyhf takes its random numbers from
    toys = 300
    calculator = pyhf.infer.calculators.ToyCalculator(
        workspace.data(model), model, ntoys=toys, test_stat="qtilde", track_progress=False
    )
    at = float(limits.observed[0])
    _, below, cls = calculator.pvalues(calculator.teststatistic(at), *calculator.distributions(at))
    error = np.sqrt(0.05 / (toys * float(below)))
    assert float(cls) == pytest.approx(0.05, abs=3 * error)


def test_where_many_events_are_expected_toys_and_formula_agree() -> None:
    edges, expected = steep(3000)  # 24 events within two standard deviations
    spectrum = Spectrum(edges, np.round(expected))
    fits = SpectrumFits(edges, EXPONENTIAL, SignalShape(0.06), [105.0])
    for spurious in (None, np.array([3.0])):
        formula = fits.limits(spectrum, 0, spurious)
        found = fits.toy_limits(spectrum, 0, 0, spurious=spurious, seed=1, toys=1000)
        assert found.observed[0] == pytest.approx(formula.observed[0], rel=0.05)
        assert found.expected[0][2] == pytest.approx(formula.expected[0][2], rel=0.05)
        np.testing.assert_allclose(found.expected[0][1:4], formula.expected[0][1:4], rtol=0.1)


def test_a_signal_is_excluded_no_more_often_than_promised() -> None:
    """Of 150 data sets with a signal the limit lies below it in at most 5 %, within three standard deviations."""
    edges, expected = steep(500)
    fits = SpectrumFits(edges, EXPONENTIAL, SignalShape(0.06), [105.0])
    random = np.random.default_rng(1)
    missed = 0
    for seed in range(150):
        spectrum = Spectrum(edges, random.poisson(expected + 12 * fits.shapes[0]).astype(np.float64))
        missed += fits.toy_limits(spectrum, 0, 0, seed=seed, toys=100).observed[0] < 12
    assert 1 <= missed <= 150 * 0.05 + 3 * np.sqrt(150 * 0.05 * 0.95)


def test_toys_are_the_same_in_any_number_of_threads() -> None:
    fits, spectrum = counting(3.0, 2)
    one, two, other = (
        fits.toy_limits(spectrum, 0, 0, spurious=np.array([1.0]), seed=seed, toys=101, threads=threads)
        for seed, threads in ((7, 1), (7, 2), (8, 1))
    )
    np.testing.assert_array_equal(one.expected, two.expected)
    np.testing.assert_array_equal(one.observed, two.observed)
    assert one.toys == two.toys
    assert one.toys % 101 == 0
    assert one.observed[0] != other.observed[0]


def test_what_has_no_limit_is_an_error_that_names_the_mass() -> None:
    """A signal that lies in bins that no fit looks at may have any number of events."""
    _, spectrum = counting(3.0, 3)
    fits = SpectrumFits(spectrum.edges, EXPONENTIAL, SignalShape(0.0006), [205.0])
    with pytest.raises(SpectrumError, match="limits by toys at 205: no upper limit within 60 numbers of signal events"):
        fits.toy_limits(spectrum.masked(200, 210), 0, 0, seed=1, toys=3)


def cls_with_error(events: float, count: int, background: float, log_yield: float) -> float:
    """Return CLs of a count by toys in numpy, each with its own measurement of the yield's error."""
    random, pulls = np.random.default_rng(8), np.linspace(-8, 8, 1601)

    def fixed(n: Numbers, measured: Numbers, signal: float) -> tuple[Numbers, Numbers]:
        """Return the least negative log-likelihood, up to a constant, and where it lies."""
        mean = signal * np.exp(log_yield * pulls) + background
        costs = mean - n[:, None] * np.log(mean) + (pulls - measured[:, None]) ** 2 / 2
        return costs.min(axis=1), pulls[costs.argmin(axis=1)]

    def statistic(n: Numbers, measured: Numbers) -> Numbers:
        best = np.maximum(n, background)  # a signal is not below 0
        free = best - n * np.log(best)
        q = 2 * (fixed(n, measured, events)[0] - free)
        return np.where((n - background) * np.exp(-log_yield * measured) > events, 0, q)

    (data,), pull = statistic(np.array([float(count)]), np.zeros(1)), fixed(np.array([count]), np.zeros(1), events)[1]
    tails = []
    for mean, centre in ((events * np.exp(log_yield * pull[0]) + background, pull[0]), (background, 0.0)):
        n, measured = random.poisson(mean, 10_000).astype(np.float64), random.normal(centre, 1, 10_000)
        tails.append((statistic(n, measured) >= data - 1e-3).mean())
    return float(tails[0] / tails[1])


def test_an_error_of_the_yield_is_measured_anew_in_each_toy() -> None:
    _, spectrum = counting(10.0, 12)
    shape = SignalShape(0.007, None, (Systematic("yield", log_yield=0.3),))
    fits = SpectrumFits(spectrum.edges, EXPONENTIAL, shape, [205.0])
    found = fits.toy_limits(spectrum, 0, 0, seed=1, toys=2000).observed[0]
    plain = SpectrumFits(spectrum.edges, EXPONENTIAL, SignalShape(0.007), [205.0])
    assert found > 1.08 * plain.toy_limits(spectrum, 0, 0, seed=1, toys=2000).observed[0]
    assert cls_with_error(found, 12, 10.0, 0.3) == pytest.approx(0.05, abs=0.006)
