"""From a significance at one mass to a probability: local, and global over all that was looked at."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import norm

from rdf.statistics.fits import SpectrumFits
from rdf.statistics.fitted import Choice, Toys
from rdf.statistics.spectrum import Numbers, Spectrum

LEVEL = math.sqrt(0.5)
"""Significance whose crossings are counted: low, so that a few toys count many (Gross and Vitells, arXiv:1005.1891)."""

FEWEST_EVENTS = 10.0
"""Background events within two standard deviations of a signal, below which no asymptotic formula is used."""

FEWEST_ABOVE = 10
"""Toys at least as extreme as the data, below which the formula of Gross and Vitells stands beside them."""

LOCAL_TOYS = 10_000

SMALLEST = 1e-300
"""Probability below which none is quoted: doubles end there."""


@dataclass(frozen=True)
class LocalP:
    """Probability of at least this significance at this mass, without a signal.

    Attributes:
        p: the probability.
        by: "asymptotic", or "toys" where few events are expected.
        toys: their number, 0 for the asymptotic formula.
        above: of these, those at least as extreme as the data.
    """

    p: float
    by: Literal["asymptotic", "toys"]
    toys: int
    above: int


@dataclass(frozen=True)
class GlobalP:
    """Probability of at least this significance anywhere, over all masses, cuts and functions.

    Attributes:
        p: the probability that is quoted.
        by: "toys"; or "Gross-Vitells", an extrapolation, where fewer than ten toys are as extreme.
        toys: that went through the whole procedure and were not refused.
        above: of these, those at least as extreme as the data.
        toys_p: (1 + above) / (1 + toys), below which toys resolve nothing.
        gross_vitells_p: extrapolation by the crossings of the toys; None where few events are expected.
    """

    p: float
    by: Literal["toys", "Gross-Vitells"]
    toys: int
    above: int
    toys_p: float
    gross_vitells_p: float | None


def z_of(p: float) -> float | None:
    """Return the significance, in standard deviations on one side, of a probability; None where that is 1."""
    return float(norm.isf(p)) if p < 1 else None


def expected_near(fits: SpectrumFits, expectation: Spectrum, mass: int) -> float:
    """Return the background events within two standard deviations of a mass; of bins at the ends their share.

    Args:
        fits: with the masses and the width of the signal.
        expectation: background events of each bin; bins that no fit looks at do not count.
        mass: index of the mass.
    """
    centre, edges = float(fits.masses[mass]), expectation.edges
    low, high = centre * (1 - 2 * fits.shape.resolution), centre * (1 + 2 * fits.shape.resolution)
    share = np.clip(np.minimum(edges[1:], high) - np.maximum(edges[:-1], low), 0, None) / np.diff(edges)
    return float((share * expectation.counts)[expectation.used].sum())


def freedom(fits: SpectrumFits, order: int, expected: Numbers, mass: int) -> Numbers:
    """Return how far systematic errors move the shape of a signal, beside the signal itself and the background.

    Args:
        fits: of the spectrum.
        order: of the function.
        expected: events of each bin without a signal.
        mass: index of the mass.

    Returns:
        Products of their shifts over that of the signal's shape with itself, in the metric of the fit, of shape
        (errors, errors); no rows where no error moves the shape.
    """
    shifts = fits.shifts[:, mass]
    if not shifts.any():
        return np.empty((0, 0))
    flat = fits.templates(Spectrum(fits.edges, expected), order, mass, False)
    rows = np.vstack([fits.shapes[mass], shifts])
    rows = rows - (rows / flat.background @ flat.shifts.T) @ flat.shifts
    products = rows / flat.background @ rows.T
    signal = products[0, 0]
    return np.asarray((products[1:, 1:] - np.outer(products[1:, 0], products[1:, 0]) / signal) / signal)


def _more_often(free: Numbers, z: float) -> float:
    """Return by how much more often a significance is reached if the signal's shape can move.

    To a signal of z standard deviations each shift d adds z^2 d^2 / (1 + z^2 d^2) of the square of another normal
    deviate, which makes large values more frequent by sqrt(1 + z^2 d^2).
    """
    return float(np.sqrt(np.linalg.det(np.eye(len(free)) + z * z * free)))


def asymptotic_p(free: Numbers, z: float) -> float:
    """Return the probability of at least this significance at one mass, by the asymptotic formula.

    Args:
        free: as `freedom` gives it.
        z: signed root of the likelihood ratio.
    """
    return max(float(norm.sf(z)) * (_more_often(free, z) if z > 0 else 1.0), SMALLEST)


def local_p(fits: SpectrumFits, choice: Choice, expectation: Spectrum, *, mass: int, z: float, seed: int) -> LocalP:
    """Return the local probability of a significance.

    Args:
        fits: of the spectrum.
        choice: the function.
        expectation: events without a signal, in the bins that the scan looks at.
        mass: index of the mass.
        z: signed root there.
        seed: of the toys.
    """
    assert choice.order is not None
    if expected_near(fits, expectation, mass) >= FEWEST_EVENTS:
        return LocalP(asymptotic_p(freedom(fits, choice.order, expectation.counts, mass), z), "asymptotic", 0, 0)
    thrown = fits.toys_at(
        choice.order,
        expectation.counts,
        mass,
        spurious=choice.spurious if len(choice.spurious) else None,
        used=expectation.used,
        seed=seed,
        toys=range(LOCAL_TOYS),
    )
    good = thrown.z[np.isfinite(thrown.z)]
    above = int((good >= z).sum())
    return LocalP((1 + above) / (1 + len(good)), "toys", len(good), above)


def global_p(
    toys: Toys, z: float, cuts: int, free: Numbers | None = None, *, local: float = 0.0, asymptotic: bool = True
) -> GlobalP:
    """Return the global probability of the largest significance of a scan.

    Args:
        toys: of the same scans. Toys that the procedure refuses make no statement and do not count.
        z: largest signed root of the data.
        cuts: number of declared cuts that were scanned.
        free: as `freedom` gives it at the mass of the data; none by default.
        local: probability at that mass, below which the global one cannot be.
        asymptotic: whether enough events are expected at all masses for the formula of Gross and Vitells; where they
            are not, toys have large significances far more often than it says.
    """
    free = np.empty((0, 0)) if free is None else free
    counted = ~toys.refused & np.isfinite(toys.z)
    number, above = int(counted.sum()), int((toys.z[counted] >= z).sum())
    by_toys = (1 + above) / (1 + number)
    if not asymptotic:
        return GlobalP(max(by_toys, local), "toys", number, above, by_toys, None)
    crossings = float(toys.crossings[counted].mean()) if number else math.inf
    rise = _more_often(free, z) / _more_often(free, LEVEL)
    by_crossings = cuts * asymptotic_p(free, z) + crossings * math.exp(-(z * z - LEVEL * LEVEL) / 2) * rise
    bound = min(1.0, max(by_crossings, local, SMALLEST))
    if above >= FEWEST_ABOVE:
        return GlobalP(by_toys, "toys", number, above, by_toys, bound)
    return GlobalP(bound, "Gross-Vitells", number, above, by_toys, bound)
