"""Systematic errors of a signal in fits, limits and exports, against iminuit, pyhf and HistFactory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyhf
import pytest
from iminuit import Minuit
from scipy.stats import norm

from rdf.statistics.fits import SpectrumFits
from rdf.statistics.fitted import Templates
from rdf.statistics.functions import Family, SignalShape, Systematic
from rdf.statistics.histfactory import cross_check, measurement, minimum, workspace
from rdf.statistics.likelihoods import pyhf_workspace, read_pyhf, write_pyhf
from rdf.statistics.significance import asymptotic_p, freedom
from rdf.statistics.spectrum import Spectrum
from tests.rdf.statistics.spectra import MASS, RESOLUTION, dijet_edges, dijet_expectation, gaussian

pytestmark = pytest.mark.compiler

F4 = 1
SCALE = Systematic("scale", log_yield=0.1, peak=0.4 * RESOLUTION)
SMEARING = Systematic("smearing", width=0.15)


def made(*systematics: Systematic) -> SpectrumFits:
    shape = SignalShape(RESOLUTION, None, systematics)
    return SpectrumFits(dijet_edges(), Family("dijet", 3, 6, 13_000), shape, [MASS])


def opened(templates: Templates) -> tuple[pyhf.Model, list[float]]:
    """Return pyhf's model of a fit, and its data."""
    described = pyhf_workspace(templates)
    pyhf.schema.validate(described, "workspace.json")
    model = pyhf.Workspace(described).model(poi_name="signal_events")
    return model, pyhf.Workspace(described).data(model)


def moved_spectrum() -> Spectrum:
    """Return data with a signal that lies half a width above its place, and is wider than it should be."""
    edges = dijet_edges()
    signal = 150 * gaussian(edges, MASS * (1 + 0.5 * RESOLUTION), 1.2 * RESOLUTION * MASS)
    counts = np.random.default_rng(5).poisson(dijet_expectation(1e5) + signal).astype(np.float64)
    return Spectrum(edges, counts, dijet_expectation(1e5) >= 1)


def test_errors_of_a_signal_are_pulled_as_iminuit_pulls_them() -> None:
    """The same likelihood is written here anew: the background by its linear templates, the signal by its formula."""
    spectrum, fits = moved_spectrum(), made(SCALE, SMEARING)
    templates = fits.templates(spectrum, F4, 0, True)
    edges, used, counts = spectrum.edges, spectrum.used, spectrum.counts
    sigma = RESOLUTION * MASS
    shifts = [
        (gaussian(edges, MASS + 0.4 * sigma, sigma) - gaussian(edges, MASS - 0.4 * sigma, sigma)) / 2,
        (gaussian(edges, MASS, 1.15 * sigma) - gaussian(edges, MASS, 0.85 * sigma)) / 2,
    ]
    nominal = gaussian(edges, MASS, sigma)

    def nll(values: np.ndarray) -> float:  # type: ignore[type-arg]
        signal, scale, smearing, *moves = values
        shape = nominal + scale * shifts[0] + smearing * shifts[1]
        mu = templates.background + np.asarray(moves) @ templates.shifts + signal * np.exp(0.1 * scale) * shape
        if (mu[used] <= 0).any():
            return 1e9
        logs = np.where(counts > 0, counts * np.log(np.maximum(counts, 1) / mu), 0)
        return float((mu - counts + logs)[used].sum() + 0.5 * (scale**2 + smearing**2))

    minuit = Minuit(nll, np.array([150.0, 0, 0, 0, 0, 0, 0]))
    minuit.errordef = Minuit.LIKELIHOOD
    minuit.strategy = 2
    minuit.migrad()
    minuit.hesse()
    scan = fits.scan(spectrum, F4)
    assert scan.signal[0] == pytest.approx(minuit.values[0], rel=2e-3)
    assert scan.signal_error[0] == pytest.approx(minuit.errors[0], rel=0.05)  # expected second derivatives
    assert templates.half_deviance == pytest.approx(minuit.fval, abs=0.01)
    plain = made().scan(spectrum, F4)
    assert scan.z[0] > plain.z[0] + 0.1  # the data lie where the pulls lead
    assert scan.signal_error[0] > 1.1 * plain.signal_error[0]


def test_an_error_of_the_yield_alone_changes_no_significance() -> None:
    """It has an effect on the events alone: their error grows by its part of the signal, in quadrature."""
    spectrum = moved_spectrum()
    plain, varied = (fits.scan(spectrum, F4) for fits in (made(), made(Systematic("yield", log_yield=0.2))))
    assert varied.z[0] == pytest.approx(plain.z[0], abs=1e-5)
    assert varied.signal[0] == pytest.approx(plain.signal[0], rel=1e-5)
    assert varied.signal_error[0] == pytest.approx(np.hypot(plain.signal_error[0], 0.2 * plain.signal[0]), rel=1e-3)


def test_significance_and_limits_with_errors_are_those_of_pyhf() -> None:
    systematics = (SCALE, SMEARING)
    spectrum, fits = moved_spectrum(), made(*systematics)
    limits = fits.limits(spectrum, F4)
    pyhf.set_backend("numpy", pyhf.optimize.minuit_optimizer(tolerance=1e-3))
    # Each hypothesis by the templates around its own minimum; each constraint adds log(2 pi) to the fit that has it.
    (null, zero), (model, data) = (opened(fits.templates(spectrum, F4, 0, which)) for which in (False, True))
    free = pyhf.infer.mle.fit(data, model, return_fitted_val=True)[1]
    fixed = pyhf.infer.mle.fixed_poi_fit(0.0, zero, null, return_fitted_val=True)[1]
    q0 = fixed + len(systematics) * np.log(2 * np.pi) - free
    assert fits.scan(spectrum, F4).z[0] == pytest.approx(float(np.sqrt(q0)), rel=3e-3)

    def cls(events: float, which: int) -> float:
        found = pyhf.infer.hypotest(events, data, model, test_stat="qtilde", return_expected=True)
        return float(found[which])

    # CLs falls with the events: pyhf's limits lie within 1 % of the observed one, and within 3 % of the median.
    assert cls(0.99 * limits.observed[0], 0) > 0.05 > cls(1.01 * limits.observed[0], 0)
    assert cls(0.97 * limits.expected[0][2], 1) > 0.05 > cls(1.03 * limits.expected[0][2], 1)
    assert limits.expected[0][2] > made().limits(spectrum, F4).expected[0][2]


def test_histfactory_finds_the_same_and_so_does_what_was_written(tmp_path: Path) -> None:

    spectrum, fits = moved_spectrum(), made(SCALE, SMEARING)
    without, with_signal = (fits.templates(spectrum, F4, 0, which) for which in (False, True))
    scan = fits.scan(spectrum, F4)
    found = cross_check(without, with_signal)
    assert found.z == pytest.approx(scan.z[0], rel=3e-3)
    assert found.signal == pytest.approx(scan.signal[0], rel=0.01)
    path = tmp_path / "pyhf.json"
    write_pyhf(with_signal, path)
    again = read_pyhf(path, MASS)
    assert [error.name for error in again.errors] == ["scale", "smearing"]
    values = [minimum(workspace(measurement(templates, True)))[0] for templates in (with_signal, again)]
    assert values[1] == pytest.approx(values[0], rel=1e-6)


def test_toys_of_a_signal_are_thrown_with_its_errors() -> None:
    """Signals whose yield is thrown anew in each toy are covered by their errors as often as they should be."""
    fits = made(Systematic("yield", log_yield=0.15))
    put = fits.toys_at(F4, dijet_expectation(1e5), 0, signal=300, seed=12, toys=range(1000))
    covered = (np.abs(put.signal - 300) < put.signal_error).mean()
    assert covered == pytest.approx(0.683, abs=0.045)  # three standard deviations of 1,000 toys
    assert put.signal.std() == pytest.approx(put.signal_error.mean(), rel=0.1)


def test_a_shape_that_moves_makes_large_significances_more_frequent() -> None:
    """10,000 toys without a signal exceed 2 as often as is said, a fifth more often than a normal deviate does."""
    fits, expected = made(SCALE, SMEARING), dijet_expectation(1e5)
    free = freedom(fits, F4, expected, 0)
    z = fits.toys_at(F4, expected, 0, seed=5, toys=range(10_000)).z
    for level in (1.0, 1.5, 2.0):
        error = 3 / np.sqrt(1e4 * norm.sf(level))  # three standard deviations of the toys
        assert (z > level).mean() == pytest.approx(asymptotic_p(free, level), rel=0.05 + error)
    assert asymptotic_p(free, 2.0) > 1.15 * norm.sf(2)
    assert asymptotic_p(free, -1.0) == norm.sf(-1)
    # What is left of a shift beside the signal and the background, whose rows change by b times each term.
    edges, root = dijet_edges(), np.sqrt(expected)
    x, sigma = (edges[1:] + edges[:-1]) / 26_000, RESOLUTION * MASS
    up, down = (gaussian(edges, MASS + side * 0.4 * sigma, sigma) for side in (1, -1))
    background = np.stack([root, root * np.log(1 - x), root * np.log(x), root * np.log(x) ** 2], axis=1)
    signal = gaussian(edges, MASS, sigma) / root
    signal = signal - background @ np.linalg.lstsq(background, signal)[0]
    shift = (up - down) / 2 / root
    both = np.column_stack([background, signal])
    left = shift - both @ np.linalg.lstsq(both, shift)[0]
    assert free[0, 0] == pytest.approx(left @ left / (signal @ signal), rel=1e-3)
    assert freedom(made(Systematic("yield", log_yield=0.2)), F4, expected, 0).shape == (0, 0)
