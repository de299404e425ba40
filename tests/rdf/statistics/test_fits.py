"""Fits, scans and limits of spectra against scipy, pyhf and the asymptotic formulas."""

from __future__ import annotations

import numpy as np
import pyhf
import pytest

from rdf.errors import SpectrumError
from rdf.statistics.fits import SpectrumFits
from rdf.statistics.fitted import Choice, Cut, Rule, Toys
from rdf.statistics.functions import Family, SignalShape, Tails, mass_grid
from rdf.statistics.likelihoods import pyhf_workspace
from rdf.statistics.significance import LEVEL, global_p
from rdf.statistics.spectrum import Spectrum
from tests.rdf.statistics.spectra import (
    MASS,
    RESOLUTION,
    dijet_edges,
    dijet_expectation,
    dijet_fits,
    gaussian,
    reference_fit,
)

pytestmark = pytest.mark.compiler

F4 = 1
"""Index of the function of four parameters."""


def thrown(events: float, signal: float, seed: int, bins: int = 100) -> Spectrum:
    edges = dijet_edges(bins)
    expected = dijet_expectation(events, bins) + signal * gaussian(edges, MASS, RESOLUTION * MASS)
    return Spectrum(edges, np.random.default_rng(seed).poisson(expected).astype(np.float64))


@pytest.mark.parametrize(("events", "signal", "seed"), [(1e5, 150, 1), (1e5, 0, 2), (3e3, 40, 3)])
def test_fits_are_those_of_scipy(events: float, signal: float, seed: int) -> None:
    spectrum = thrown(events, signal, seed)
    fits = SpectrumFits(spectrum.edges, Family("dijet", 3, 6, 13_000), SignalShape(RESOLUTION), [MASS])
    alone = fits.fit(spectrum, F4)
    reference = reference_fit(spectrum, 4)
    assert alone.deviance / 2 == pytest.approx(reference.half_deviance, abs=2e-5)
    shape = gaussian(spectrum.edges, MASS, RESOLUTION * MASS)
    np.testing.assert_allclose(fits.shapes[0], shape, rtol=1e-9, atol=1e-15)
    both = reference_fit(spectrum, 4, shape)
    found = fits.scan(spectrum, F4)
    assert found.signal[0] == pytest.approx(100 * both.parameters[4], abs=0.02)
    root = np.sqrt(2 * (reference.half_deviance - both.half_deviance))
    assert abs(found.z[0]) == pytest.approx(root, abs=1e-4)


def test_expected_events_of_the_fit_are_integrals_of_its_formula() -> None:
    spectrum = thrown(1e5, 0, 2)
    found = dijet_fits().fit(spectrum, F4)
    assert found.converged
    assert found.ndf == 96
    x, p = spectrum.edges / 13_000, found.parameters
    grid = np.linspace(x[:-1], x[1:], 41)
    density = np.exp(p[0] + p[1] * np.log(1 - grid) + p[2] * np.log(grid) + p[3] * np.log(grid) ** 2)
    trapezoids = np.trapezoid(density, grid * 13_000, axis=0)
    np.testing.assert_allclose(found.expected, trapezoids, rtol=1e-4)
    # Of a maximum of a Poisson likelihood with a free normalisation: as many events as there are.
    assert found.expected.sum() == pytest.approx(spectrum.total, rel=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_significance_and_limits_are_those_of_pyhf(seed: int) -> None:
    spectrum = thrown(1e5, (60, 80, 100, 150, 200)[seed], 100 + seed)
    # Where a bin expects less than an event, templates that are linear in the parameters make negative rates.
    spectrum = Spectrum(spectrum.edges, spectrum.counts, dijet_expectation(1e5) >= 1)
    fits = SpectrumFits(spectrum.edges, Family("dijet", 3, 6, 13_000), SignalShape(RESOLUTION), [MASS])
    z = fits.scan(spectrum, F4).z[0]
    limits = fits.limits(spectrum, F4)
    workspace = pyhf.Workspace(pyhf_workspace(fits.templates(spectrum, F4, 0, True)))
    pyhf.set_backend("numpy", pyhf.optimize.minuit_optimizer(tolerance=1e-3))
    model, data = workspace.model(poi_name="signal_events"), workspace.data(workspace.model(poi_name="signal_events"))
    free, fixed = (
        pyhf.infer.mle.fit(data, model, return_fitted_val=True)[1],
        pyhf.infer.mle.fixed_poi_fit(0.0, data, model, return_fitted_val=True)[1],
    )
    assert abs(z) == pytest.approx(float(np.sqrt(max(fixed - free, 0))), rel=3e-3, abs=2e-3)
    observed, expected = pyhf.infer.intervals.upper_limits.upper_limit(data, model, scan=None, rtol=1e-3)
    assert limits.observed[0] == pytest.approx(float(observed), rel=0.01)
    assert limits.expected[0][2] == pytest.approx(float(expected[2]), rel=0.03)


def test_fits_come_to_an_end_where_a_function_falls_to_nothing() -> None:
    """With 100 events a function of five parameters follows their end, beyond which it expects less than 1e-300."""
    fits = SpectrumFits(dijet_edges(), Family("dijet", 3, 6, 13_000), SignalShape(RESOLUTION), [MASS])
    assert fits.toys_at(2, dijet_expectation(100), 0, seed=1, toys=range(500)).converged.mean() > 0.995


def test_half_of_a_signal_has_to_be_seen() -> None:
    spectrum = thrown(1e5, 0, 2).masked(2500, 3500)
    scan = dijet_fits().scan(spectrum, F4)
    assert not scan.visible[(scan.masses > 2600) & (scan.masses < 3400)].any()
    assert np.isnan(scan.z[~scan.visible]).all()
    assert scan.visible[(scan.masses < 2400) | (scan.masses > 3600)].all()


def test_an_error_of_the_signal_takes_off_significance() -> None:
    """With an error as large as the signal's own, sqrt(q0) falls by the square root of two, as for two Gaussians."""
    spectrum = thrown(1e5, 150, 1)
    fits = SpectrumFits(spectrum.edges, Family("dijet", 3, 6, 13_000), SignalShape(RESOLUTION), [MASS])
    plain = fits.scan(spectrum, F4)
    shifted = fits.scan(spectrum, F4, np.array([plain.signal[0] / plain.z[0]]))
    assert shifted.z[0] == pytest.approx(plain.z[0] / np.sqrt(2), rel=0.03)


def test_toys_are_thrown_with_the_error_of_a_signal() -> None:
    """Whatever the error, the signed root of toys is a normal deviate, and the pull has width 1."""
    fits = SpectrumFits(dijet_edges(), Family("dijet", 3, 6, 13_000), SignalShape(RESOLUTION), [MASS])
    expected = dijet_expectation(1e5)
    error = fits.scan(Spectrum(fits.edges, expected), F4).signal_error
    found = fits.toys_at(F4, expected, 0, spurious=error, seed=3, toys=range(2000))
    assert found.z.std() == pytest.approx(1, abs=0.05)
    assert (found.z > 1).mean() == pytest.approx(0.159, abs=0.025)
    assert (found.signal / found.signal_error).std() == pytest.approx(1, abs=0.05)
    chosen = Choice(F4, "dijet f4", error, (), np.full(3, np.inf))
    used = np.ones(len(expected), dtype=np.bool_)
    scanned = fits.toys([Cut(expected, used, used, chosen, fixed=True)], LEVEL, 3, range(2000), 1)
    np.testing.assert_allclose(np.sort(scanned.z), np.sort(found.z), atol=0.2)


def test_tails_of_a_signal() -> None:
    tails = Tails(1.5, 3.0, 2.0, 5.0)
    fits = SpectrumFits(dijet_edges(), Family("dijet", 3, 6, 13_000), SignalShape(RESOLUTION, tails), [MASS])
    gauss = gaussian(dijet_edges(), MASS, RESOLUTION * MASS)
    low = dijet_edges()[1:] < MASS * (1 - 3 * RESOLUTION)
    assert fits.shapes[0][low].sum() > 10 * gauss[low].sum()
    assert fits.shapes[0].sum() == pytest.approx(1, abs=0.02)


def test_a_function_of_too_few_parameters_is_not_chosen() -> None:
    """A spectrum with a strong term in the square of the logarithm is not described without it."""
    edges = dijet_edges()
    x = np.sqrt(edges[1:] * edges[:-1]) / 13_000
    shape = np.diff(edges) * np.exp(10 * np.log(1 - x) - 5 * np.log(x) - 1.5 * np.log(x) ** 2)
    spectrum = Spectrum(edges, np.random.default_rng(4).poisson(1e6 * shape / shape.sum()).astype(np.float64))
    choice = dijet_fits().choose(spectrum, Rule(), 1)
    assert choice.order is not None
    assert choice.order >= 1
    assert choice.verdicts[0].likelihood_ratio_p < 1e-6
    assert choice.label in ("dijet f4", "dijet f5")


def test_toys_are_the_same_in_any_number_of_threads_and_jobs() -> None:
    fits = dijet_fits()
    spectrum = thrown(1e4, 0, 5)
    choice = fits.choose(spectrum, Rule(), 1)
    assert choice.order is not None
    cut = Cut(fits.fit(spectrum, choice.order).expected, spectrum.used, spectrum.used, choice)
    whole = fits.toys([cut], LEVEL, 9, range(40), 1)
    parts = Toys.joined([fits.toys([cut], LEVEL, 9, range(15), 2), fits.toys([cut], LEVEL, 9, range(15, 40), 3)])
    for name in ("z", "mass", "cut", "order", "crossings", "failed", "refused"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(parts, name))
    with pytest.raises(SpectrumError, match="toys end at 15 and go on at 20; merge all of them"):
        Toys.joined([fits.toys([cut], LEVEL, 9, range(15), 1), fits.toys([cut], LEVEL, 9, range(20, 25), 1)])


def test_nested_cuts_keep_events_of_the_looser_one() -> None:
    """The largest of three nested cuts is larger than that of the loosest alone in the same toys, never smaller."""
    fits = dijet_fits()
    spectrum = thrown(1e5, 0, 6)
    choice = fits.choose(spectrum, Rule(), 1)
    assert choice.order is not None
    expected = fits.fit(spectrum, choice.order).expected
    cuts = [Cut(fraction * expected, spectrum.used, spectrum.used, choice, fixed=True) for fraction in (1, 0.1)]
    alone, both = (fits.toys(chosen, LEVEL, 3, range(60), 1) for chosen in (cuts[:1], cuts))
    assert (both.z >= alone.z).all()
    assert 0.2 < both.cut.mean() < 0.8


def test_pulls_and_probabilities_of_toys() -> None:
    """2,000 toys without a signal: pull 0 within 0.1 with width 1 within 0.05, P(Z > 1) = 0.159, P(Z > 2) = 0.023."""
    fits = SpectrumFits(dijet_edges(), Family("dijet", 3, 6, 13_000), SignalShape(RESOLUTION), [2000.0, MASS])
    found = fits.toys_at(F4, dijet_expectation(1e5), 0, seed=11, toys=range(2000))
    assert found.converged.all()
    pulls = found.signal / found.signal_error
    assert abs(pulls.mean()) < 0.1
    assert pulls.std() == pytest.approx(1, abs=0.05)
    assert (found.z > 1).mean() == pytest.approx(0.159, abs=0.025)  # three standard deviations of 2,000 toys
    assert (found.z > 2).mean() == pytest.approx(0.0228, abs=0.010)
    put = fits.toys_at(F4, dijet_expectation(1e5), 1, signal=150, seed=12, toys=range(1000))
    covered = (np.abs(put.signal - 150) < put.signal_error).mean()
    assert covered == pytest.approx(0.68, abs=0.045)


def test_global_probability_is_that_of_toys_or_of_their_crossings() -> None:
    zeros = np.zeros(100, dtype=np.int64)
    z = np.linspace(0.5, 3.0, 100)
    toys = Toys(0, z, zeros, zeros, zeros, zeros + 4, zeros, np.zeros(100, dtype=np.bool_))
    many = global_p(toys, 2.0, 1)
    assert many.by == "toys"
    assert many.p == (1 + (z >= 2.0).sum()) / 101
    few = global_p(toys, 5.0, 1)
    assert few.by == "Gross-Vitells"
    assert few.toys_p == 1 / 101
    # p(5 sigma) + 4 exp(-(25 - 0.5) / 2)
    assert few.p == pytest.approx(2.8665e-7 + 4 * np.exp(-12.25), rel=1e-4)


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (lambda: Family("dijet", 3, 6), "needs the centre-of-mass energy; give sqrt_s"),
        (lambda: Family("dijet", 5, 5, 13_000), "5 to 5 parameters; give two numbers from 3 to 6"),
        (lambda: Tails(0, 3, 1, 3), "above 0 standard deviations"),
        (lambda: SpectrumFits(dijet_edges(), Family("dijet", 3, 6, 7000), SignalShape(0.04), [2000]), "ends at 8000"),
        (lambda: mass_grid(1, 2, 0.1) is None or Spectrum(np.arange(12.0), np.full(11, -1.0)), "negative or no number"),
        (lambda: Spectrum(np.arange(5.0), np.ones(4)), "4 bins; a search needs 10 at least"),
        (lambda: Spectrum(np.ones(12), np.ones(11)), "edges of the bins do not rise"),
        (lambda: Spectrum(np.arange(12.0), np.ones(12)), "n bins have n \\+ 1 edges"),
        (lambda: Spectrum.of_values([1, np.nan], np.arange(12.0)), "1 of 2 events have no value"),
    ],
)
def test_what_cannot_be_fitted_is_refused(build: object, reason: str) -> None:
    assert callable(build)
    with pytest.raises(SpectrumError, match=reason):
        build()
