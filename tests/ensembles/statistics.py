"""Whether p-values are what they say: many data sets, each with toys of its own, go through the whole procedure.

The spectrum is a falling one of dijets, 1.5 to 8 TeV in 100 bins, that a function of four parameters describes; a
signal is a Gaussian of 4 %. All numbers follow from the seeds here.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import kstest

from rdf.statistics.fits import SpectrumFits
from rdf.statistics.fitted import Cut, Rule
from rdf.statistics.functions import Family, SignalShape
from rdf.statistics.significance import LEVEL, expected_near
from rdf.statistics.spectrum import Spectrum
from tests.rdf.statistics.spectra import (
    MASS,
    RESOLUTION,
    SQRT_S,
    dijet_edges,
    dijet_expectation,
    dijet_fits,
    gaussian,
)

Numbers = npt.NDArray[np.float64]

F4 = 1
"""Index of the function of four parameters."""


@dataclass(frozen=True)
class Pulls:
    """Toys without a signal at one mass.

    Attributes:
        background: expected events within two standard deviations.
        mean: of signal / error.
        width: standard deviation of that.
        root_mean: of the signed root.
        root_width: standard deviation of that.
        beyond: fractions of toys with Z above 1, 2 and 3.
    """

    background: float
    mean: float
    width: float
    root_mean: float
    root_width: float
    beyond: tuple[float, float, float]


def pulls(events: float, mass: float, toys: int, seed: int) -> Pulls:
    """Fit toys of a spectrum of so many events at one mass."""
    fits = SpectrumFits(dijet_edges(), Family("dijet", 3, 6, SQRT_S), SignalShape(RESOLUTION), [mass])
    expected = dijet_expectation(events)
    found = fits.toys_at(F4, expected, 0, seed=seed, toys=range(toys))
    good = found.converged
    pull, root = found.signal[good] / found.signal_error[good], found.z[good]
    inside = np.abs(np.sqrt(fits.edges[1:] * fits.edges[:-1]) - mass) < 2 * RESOLUTION * mass
    beyond = tuple(float((root > z).mean()) for z in (1, 2, 3))
    return Pulls(
        float(expected[inside].sum()),
        pull.mean(),
        pull.std(),
        root.mean(),
        root.std(),
        (beyond[0], beyond[1], beyond[2]),
    )


def coverage(events: float, signal: float, toys: int, seed: int) -> float:
    """Return the fraction of toys in which a signal of 3 TeV is found within its error."""
    fits = SpectrumFits(dijet_edges(), Family("dijet", 3, 6, SQRT_S), SignalShape(RESOLUTION), [MASS])
    found = fits.toys_at(F4, dijet_expectation(events), 0, signal=signal, seed=seed, toys=range(toys))
    return float((np.abs(found.signal - signal) < found.signal_error)[found.converged].mean())


@dataclass(frozen=True)
class Covered:
    """Upper limits on a signal of data sets that hold it.

    Attributes:
        background: expected events within two standard deviations.
        signal: expected events.
        share: of data sets whose limit is not below it.
    """

    background: float
    signal: float
    share: float


def covered_limits(
    events: float, mass: float, strength: float, sets: int, seed: int, *, toys: int = 0, threads: int = 1
) -> Covered:
    """Set limits on a signal that data sets hold.

    Args:
        events: expected of a data set, besides the signal.
        mass: of the signal.
        strength: of the signal, in units of the error that is expected without one.
        sets: number of data sets.
        seed: of all.
        toys: of each number of signal events; 0 for the asymptotic formula.
        threads: of the toys.
    """
    fits = SpectrumFits(dijet_edges(), Family("dijet", 3, 6, SQRT_S), SignalShape(RESOLUTION), [mass])
    random = np.random.default_rng(seed)
    background = dijet_expectation(events)
    signal = strength * float(fits.scan(Spectrum(fits.edges, background), F4).signal_error[0])
    covered = 0
    for number in range(sets):
        counts = random.poisson(background + signal * fits.shapes[0]).astype(np.float64)
        spectrum = Spectrum(fits.edges, counts)
        if toys:
            found = fits.toy_limits(spectrum, F4, 0, seed=seed + number, toys=toys, threads=threads)
        else:
            found = fits.limits(spectrum, F4)
        covered += int(found.observed[0] >= signal)
    near = expected_near(fits, Spectrum(fits.edges, background), 0)
    return Covered(near, signal, covered / sets)


def global_p_values(
    events: float, sets: int, toys: int, seed: int, fractions: tuple[float, ...] = (1.0,), threads: int = 1
) -> Iterator[float]:
    """Yield the global p-value of data sets without a signal, the function chosen anew in each set and in each toy.

    Args:
        events: expected of a data set.
        sets: number of data sets.
        toys: of each.
        seed: of all.
        fractions: that nested cuts keep, at random.
        threads: of the toys.
    """
    fits = dijet_fits()
    random = np.random.default_rng(seed)
    used = np.ones(len(fits.edges) - 1, dtype=np.bool_)
    for number in range(sets):
        counts = [random.poisson(dijet_expectation(events) * fractions[0])]
        for looser, fraction in itertools.pairwise(fractions):
            counts.append(random.binomial(counts[-1], fraction / looser))
        cuts, z = [], -np.inf
        for cut, thrown in enumerate(counts):
            spectrum = Spectrum(fits.edges, thrown.astype(np.float64))
            choice = fits.choose(spectrum, Rule(), seed + 100 * number + cut)
            if choice.order is None:
                continue
            scan = fits.scan(spectrum, choice.order, choice.spurious)
            z = max(z, float(scan.z[scan.best]))
            cuts.append(Cut(fits.fit(spectrum, choice.order).expected, used, used, choice))
        if not cuts:
            continue
        found = fits.toys(cuts, LEVEL, (seed << 20) + number, range(toys), threads)
        counted = found.z[~found.refused]
        yield (1 + (counted >= z).sum()) / (1 + len(counted))


def template_p_values(events: float, sets: int, toys: int, seed: int) -> Iterator[float]:
    """Yield what a fixed template gives: toys are thrown around a fit to the data and compared with it, not refitted.

    The statistic is the largest Poisson significance of two neighbouring bins over the template.
    """
    fits = dijet_fits()
    random = np.random.default_rng(seed)
    for _ in range(sets):
        counts = random.poisson(dijet_expectation(events)).astype(np.float64)
        template = fits.fit(Spectrum(fits.edges, counts), F4).expected
        thrown = random.poisson(template, size=(toys, len(template)))
        yield (1 + (_largest(thrown, template) >= _largest(counts[None], template)[0]).sum()) / (1 + toys)


def _largest(counts: npt.NDArray[np.generic], template: Numbers) -> Numbers:
    """Return the largest signed root of the deviance of two neighbouring bins, of each spectrum."""
    n = (counts[:, 1:] + counts[:, :-1]).astype(np.float64)
    b = template[1:] + template[:-1]
    logs = np.where(n > 0, n * np.log(np.maximum(n, 1) / b), 0)
    return np.asarray((np.sign(n - b) * np.sqrt(2 * np.maximum(b - n + logs, 0))).max(axis=1))


@dataclass(frozen=True)
class Found:
    """Signals that were put into data sets.

    Attributes:
        significant: fraction of data sets with a global p-value below 0.01.
        mass_rms: of the mass of the largest excess around the true one, in standard deviations of the signal.
    """

    significant: float
    mass_rms: float


def found_signals(events: float, signal: float, sets: int, toys: int, seed: int, threads: int = 1) -> Found:
    """Put a signal at 3 TeV into data sets, and look for it with the whole procedure."""
    fits = dijet_fits()
    random = np.random.default_rng(seed)
    expected = dijet_expectation(events) + signal * gaussian(fits.edges, MASS, RESOLUTION * MASS)
    used = np.ones(len(fits.edges) - 1, dtype=np.bool_)
    significant, masses = 0, []
    for number in range(sets):
        spectrum = Spectrum(fits.edges, random.poisson(expected).astype(np.float64))
        choice = fits.choose(spectrum, Rule(), seed + number)
        if choice.order is None:
            continue
        scan = fits.scan(spectrum, choice.order, choice.spurious)
        thrown = fits.toys(
            [Cut(fits.fit(spectrum, choice.order).expected, used, used, choice)],
            LEVEL,
            (seed << 20) + number,
            range(toys),
            threads,
        )
        counted = thrown.z[~thrown.refused]
        above = int((counted >= scan.z[scan.best]).sum())
        significant += (1 + above) / (1 + len(counted)) < 0.01
        masses.append((scan.masses[scan.best] - MASS) / (RESOLUTION * MASS))
    return Found(significant / sets, float(np.sqrt(np.mean(np.square(masses)))))


def uniformity(values: list[float]) -> tuple[float, float]:
    """Return the Kolmogorov-Smirnov probability that p-values are uniform, and the fraction below 0.05."""
    return float(kstest(values, "uniform").pvalue), float((np.array(values) < 0.05).mean())
