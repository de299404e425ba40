"""Spectra for tests, and the same fits by scipy, whose functions are written here anew."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.integrate import quad_vec
from scipy.optimize import minimize
from scipy.stats import norm

from rdf.statistics.fits import SpectrumFits
from rdf.statistics.functions import Family, SignalShape, mass_grid
from rdf.statistics.spectrum import Spectrum

Numbers = npt.NDArray[np.float64]

SQRT_S = 13_000.0
RESOLUTION = 0.04
MASS = 3000.0


def dijet_edges(bins: int = 100) -> Numbers:
    """Return bins from 1.5 to 8 TeV, each wider than the one before."""
    return np.geomspace(1500.0, 8000.0, bins + 1)


@cache
def _dijet_shape(bins: int) -> tuple[float, ...]:
    edges = dijet_edges(bins)

    def density(m: float) -> float:
        x = m / SQRT_S
        return float((1 - x) ** 10 / x ** (7 + 0.1 * np.log(x)))

    parts = np.array([quad_vec(density, low, high, epsrel=1e-12)[0] for low, high in itertools.pairwise(edges)])
    return tuple(parts / parts.sum())


def dijet_expectation(events: float, bins: int = 100) -> Numbers:
    """Return expected events of a falling spectrum of dijets, which f4 describes."""
    return events * np.array(_dijet_shape(bins))


def gaussian(edges: Numbers, mass: float, sigma: float) -> Numbers:
    """Return the fraction of a Gaussian in each bin."""
    return np.asarray(np.diff(norm.cdf(edges, mass, sigma)))


@cache
def dijet_fits(bins: int = 100, last: int = 6) -> SpectrumFits:
    """Return fits of falling spectra of dijets."""
    family = Family("dijet", 3, last, SQRT_S)
    return SpectrumFits(dijet_edges(bins), family, SignalShape(RESOLUTION), mass_grid(1700, 6500, RESOLUTION))


@dataclass(frozen=True)
class Reference:
    """A fit by scipy: parameters and half the deviance."""

    parameters: Numbers
    half_deviance: float


def reference_fit(spectrum: Spectrum, parameters: int, shape: Numbers | None = None) -> Reference:
    """Fit the dijet function, and a signal where there is a shape, by scipy's minimiser.

    The integral over a bin is Gauss-Legendre's of five points, the parameters are those of the formula after a change
    of variables that centres its terms.
    """
    nodes, weights = np.polynomial.legendre.leggauss(5)
    low, high = spectrum.edges[:-1, None], spectrum.edges[1:, None]
    x = ((low + high) / 2 + (high - low) / 2 * nodes) / SQRT_S
    terms = [np.ones_like(x), np.log(1 - x), *(np.log(x) ** k for k in range(1, parameters - 1))]
    flat, _ = np.linalg.qr(np.array([term.ravel() for term in terms]).T)
    design = (flat * np.sqrt(len(flat))).T.reshape(parameters, *x.shape)
    counts, used = spectrum.counts, spectrum.used

    def expected(values: Numbers) -> Numbers:
        density = np.exp(np.tensordot(values[:parameters], design, 1))
        background = (density * weights * (high - low) / 2).sum(axis=1)
        return background if shape is None else background + values[parameters] * 100 * shape

    def half_deviance(values: Numbers) -> Any:
        mu = expected(values)
        if (mu[used] <= 0).any():
            return 1e12
        logs = np.where(counts > 0, counts * np.log(np.maximum(counts, 1) / mu), 0)
        return float((mu - counts + logs)[used].sum())

    start = np.linalg.lstsq(
        design.mean(axis=2).T, np.log(np.maximum(counts, 0.5) / np.diff(spectrum.edges)), rcond=None
    )[0]
    values = start if shape is None else np.append(start, 0.0)
    for method in ("BFGS", "Nelder-Mead", "BFGS", "Nelder-Mead"):
        options = {"xatol": 1e-10, "fatol": 1e-11, "maxiter": 40_000, "maxfev": 40_000} if method != "BFGS" else {}
        found = minimize(half_deviance, values, method=method, options=options)
        values = found.x
    return Reference(values, float(found.fun))
