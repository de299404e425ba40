"""Peak, width and tails of a signal, from simulated events or from a histogram of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.stats import chi2

from rdf.errors import SpectrumError
from rdf.statistics.fits import signal_fractions
from rdf.statistics.functions import Tails
from rdf.statistics.spectrum import Numbers

GOOD = 0.01
"""Probability of the fit of a Gaussian below which a signal has tails."""

FEWEST_EVENTS = 100.0
"""Least effective number of events of a signal, (sum of weights)^2 / sum of squared weights, that can be fitted."""

FINENESS = 10
"""Bins in one width of a signal: the fit integrates over them, and is as good as one event by event."""

MOST_BINS = 2000

EXPECTED = 10.0
"""Events that a bin of the goodness of fit expects at least; neighbours are put together until it does."""

_STEPS = np.array([0.2, 0.2, 0.3, 0.5, 0.3, 0.5])
"""First steps of the minimiser: peak and logarithm of the width in widths, then the two tails."""

_BOUNDS = ((-5.0, 5.0), (-2.0, 2.0), (0.2, 6.0), (-3.0, 5.0), (0.2, 6.0), (-3.0, 5.0))
"""Bounds of the parameters of the tails: where a tail begins, and the logarithm of its power less 1."""


@dataclass(frozen=True)
class FittedSignal:
    """What a signal looks like.

    Attributes:
        mass: of its peak, in the unit of the observable.
        mass_error: its standard deviation.
        resolution: standard deviation of its core, relative to the mass.
        resolution_error: its standard deviation.
        tails: of a two-sided Crystal Ball; None where a Gaussian describes it.
        gaussian_p: probability of as large a chi-squared of a Gaussian.
        p: the same for what was taken.
        effective: events of the same statistical weight that all weigh the same.
    """

    mass: float
    mass_error: float
    resolution: float
    resolution_error: float
    tails: Tails | None
    gaussian_p: float
    p: float
    effective: float


@dataclass(frozen=True)
class _Place:
    """Where a fit begins: parameters are 0 there, and in units of its width."""

    mass: float
    sigma: float

    def core(self, parameters: Numbers) -> tuple[float, float]:
        """Return mass and standard deviation."""
        return self.mass + self.sigma * float(parameters[0]), self.sigma * math.exp(float(parameters[1]))


def fit_signal(values: Numbers, weights: Numbers, low: float, high: float) -> FittedSignal:
    """Fit a Gaussian, and a two-sided Crystal Ball where that one is improbable, to the events of a signal.

    The likelihood is that of the fractions of the events in fine bins. Errors are those of weighted events.

    Args:
        values: of the observable, shape (events,).
        weights: of the events, shape (events,).
        low: begin of the range; events outside are left out.
        high: its end.

    Raises:
        SpectrumError: there are too few events, or the peak does not lie within the range.
        CompileError: the functions do not compile.
    """
    inside = (values >= low) & (values < high)
    values, weights = values[inside], weights[inside]
    total, squares = float(weights.sum()), float((weights**2).sum())
    effective = total**2 / squares if total > 0 else 0.0
    if effective < FEWEST_EVENTS:
        raise SpectrumError(
            f"{effective:.3g} events of a signal between {low:g} and {high:g}, fewer than {FEWEST_EVENTS:g}; "
            "take a larger sample or a wider range"
        )
    below, middle, above = np.quantile(values, (0.159, 0.5, 0.841))
    place = _Place(float(middle), max(float(above - below) / 2, (high - low) / MOST_BINS))
    bins = min(math.ceil((high - low) / place.sigma * FINENESS), MOST_BINS)
    counts, edges = np.histogram(values, bins=bins, range=(low, high), weights=weights)
    per_event = squares / total
    found = _minimise(counts, edges, place, 2)
    gaussian_p = p = _goodness(counts, edges, place, found, per_event)
    if gaussian_p < GOOD:
        found = _minimise(counts, edges, place, 6)
        p = _goodness(counts, edges, place, found, per_event)
    mass, sigma = place.core(found)
    if not (low < mass - 2 * sigma and mass + 2 * sigma < high):
        raise SpectrumError(
            f"a signal at {mass:.4g} of width {sigma:.3g} does not lie within {low:g} to {high:g}; take a wider range"
        )
    covariance = _covariance(counts, edges, place, found, effective) * per_event
    resolution = sigma / mass
    # The relative width changes with the logarithm of the width and with the mass.
    slope = resolution * np.array([-place.sigma / mass, 1.0])
    return FittedSignal(
        mass=mass,
        mass_error=place.sigma * math.sqrt(covariance[0, 0]),
        resolution=resolution,
        resolution_error=float(np.sqrt(slope @ covariance[:2, :2] @ slope)),
        tails=_tails(found),
        gaussian_p=gaussian_p,
        p=p,
        effective=effective,
    )


def fit_peak(counts: Numbers, edges: Numbers, signal: FittedSignal) -> tuple[float, float]:
    """Fit mass and standard deviation to a histogram of a signal, whose tails are known.

    Args:
        counts: of events, shape (bins,).
        edges: of the bins, shape (bins + 1,).
        signal: without variation.
    """
    place = _Place(signal.mass, signal.resolution * signal.mass)
    return place.core(_minimise(counts, edges, place, 2, signal.tails))


def _tails(parameters: Numbers) -> Tails | None:
    if len(parameters) == 2:
        return None
    alpha_low, power_low, alpha_high, power_high = map(float, parameters[2:])
    return Tails(alpha_low, 1 + math.exp(power_low), alpha_high, 1 + math.exp(power_high))


def _fractions(edges: Numbers, place: _Place, parameters: Numbers, tails: Tails | None = None) -> Numbers:
    """Return the fraction of what lies within the edges in each bin."""
    mass, sigma = place.core(parameters)
    shape = signal_fractions(edges, np.array([mass]), np.array([sigma]), _tails(parameters) or tails)[0]
    return np.asarray(np.maximum(shape, 1e-300) / max(float(shape.sum()), 1e-300))


def _nll(counts: Numbers, edges: Numbers, place: _Place, parameters: Numbers, tails: Tails | None = None) -> float:
    return -float(counts @ np.log(_fractions(edges, place, parameters, tails)))


def _minimise(counts: Numbers, edges: Numbers, place: _Place, number: int, tails: Tails | None = None) -> Numbers:
    """Return the parameters of the largest likelihood: two of them, or six with tails."""
    best = np.array([0.0, 0.0, 1.5, 1.0, 1.5, 1.0])[:number]
    options = {"xatol": 1e-6, "fatol": 1e-6, "maxiter": 4000, "maxfev": 4000}
    for size in (1.0, 0.3):  # again from where it came to rest, since a simplex may have collapsed
        simplex = np.vstack([best, best + size * np.diag(_STEPS[:number])])
        best = minimize(
            lambda parameters: _nll(counts, edges, place, parameters, tails),
            best,
            method="Nelder-Mead",
            bounds=_BOUNDS[:number],
            options={**options, "initial_simplex": simplex},
        ).x
    return np.asarray(best)


def _covariance(counts: Numbers, edges: Numbers, place: _Place, at: Numbers, effective: float) -> Numbers:
    """Return the inverse of the second derivatives, shape (parameters, parameters); parameters at a bound are fixed."""
    step = 1 / math.sqrt(effective)
    limits = np.array(_BOUNDS[: len(at)])
    free = [i for i in range(len(at)) if limits[i, 0] + 2 * step < at[i] < limits[i, 1] - 2 * step]
    moves = step * np.eye(len(at))[free]

    def value(move: Numbers) -> float:
        return _nll(counts, edges, place, at + move)

    second = np.array(
        [
            [(value(a + b) - value(a - b) - value(b - a) + value(-a - b)) / (4 * step * step) for b in moves]
            for a in moves
        ]
    )
    covariance = np.zeros((len(at), len(at)))
    covariance[np.ix_(free, free)] = np.linalg.pinv(second, hermitian=True)
    return covariance


def _goodness(counts: Numbers, edges: Numbers, place: _Place, found: Numbers, per_event: float) -> float:
    """Return the probability of as large a chi-squared, in bins that expect enough events."""
    expected = counts.sum() * _fractions(edges, place, found)
    merged, sums = [], np.zeros(2)
    for pair in zip(counts, expected, strict=True):
        sums = sums + pair
        if sums[1] / per_event >= EXPECTED:
            merged.append(sums)
            sums = np.zeros(2)
    merged[-1] = merged[-1] + sums
    seen, wanted = np.array(merged).T
    value = float((((seen - wanted) ** 2) / (wanted * per_event)).sum())
    return float(chi2.sf(value, max(len(merged) - 1 - len(found), 1)))
