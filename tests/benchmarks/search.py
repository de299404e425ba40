"""Toys of a search, each scanned at a hundred masses, against the same fits by iminuit and numpy."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from iminuit import Minuit

from rdf.statistics.fits import SpectrumFits
from rdf.statistics.fitted import Choice, Cut
from rdf.statistics.functions import Family, SignalShape
from rdf.statistics.spectrum import Numbers
from tests.benchmarks.measure import Line, alternate, compare, timed
from tests.rdf.statistics.spectra import MASS, RESOLUTION, SQRT_S, dijet_edges, dijet_expectation, gaussian

MASSES, TOYS, FITS = 100, 1000, 20
F4 = 1


def _scans(fits: SpectrumFits, cut: Cut) -> None:
    fits.toys([cut], 0.5, 1, range(TOYS), 1)


def _fits_by_minuit(edges: Numbers, expected: Numbers) -> None:
    """Fit a function of four parameters and a signal; the integral of a bin is that at its centre times the width."""
    x = (edges[1:] + edges[:-1]) / 2 / SQRT_S
    terms = np.array([np.ones_like(x), np.log1p(-x), np.log(x), np.log(x) ** 2])
    design = np.linalg.qr(terms.T)[0] * np.sqrt(len(x))
    shape = gaussian(edges, MASS, RESOLUTION * MASS)
    random = np.random.default_rng(1)
    for _ in range(FITS):
        counts = random.poisson(expected)

        def deviance(values: Numbers, counts: Numbers) -> float:
            mu = np.exp(design @ values[:4]) * np.diff(edges) + values[4] * shape
            return float(2 * (mu - counts * np.log(np.maximum(mu, 1e-300))).sum())

        start = np.linalg.lstsq(design, np.log(np.maximum(counts, 0.5) / np.diff(edges)), rcond=None)[0]
        Minuit(partial(deviance, counts=counts), np.append(start, 0.0), name=[*"abcd", "signal"]).migrad()


def measure(_folder: Path) -> list[Line]:
    """Measure a fit of each."""
    edges, expected = dijet_edges(), dijet_expectation(1e5)
    masses = np.geomspace(1700, 6500, MASSES)
    fits = SpectrumFits(edges, Family("dijet", 3, 6, SQRT_S), SignalShape(RESOLUTION), masses)
    used = np.ones(len(expected), dtype=np.bool_)
    chosen = Choice(F4, "dijet f4", np.empty(0), (), np.full(3, np.inf))
    ways = {
        "search": timed(partial(_scans, fits, Cut(expected, used, used, chosen, fixed=True))),
        "minuit": timed(partial(_fits_by_minuit, edges, expected)),
    }
    taken = alternate(ways)
    per_fit = {"search": TOYS * (MASSES + 1), "minuit": FITS}
    each = {name: [seconds / per_fit[name] for seconds in taken[name]] for name in ways}
    what = "a fit of 100 bins with a signal: iminuit and numpy / a scan of toys"
    return [compare("search", what, each["minuit"], each["search"], TOYS * MASSES)]
