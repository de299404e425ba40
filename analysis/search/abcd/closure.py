"""Whether the prediction holds beside A: rings of rectangles from the bulk outwards, and the correlation of the axes.

The part of the plane below the loosest cut on both axes is divided by nested corners at declared quantiles. Between two
of them lies a ring, whose outer corner is predicted from the rest of the ring and all that it surrounds, as A is from
B, C and D. Two more rectangles lie where one axis is above the loosest cut and the other one just below it, next to A.
No event of A is in any of them. Such tables of one plane are independent of each other (H. O. Lancaster, Biometrika 36
(1949) 117), so that their chi2 counts each of them once.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from scipy.stats import chi2, spearmanr

from analysis.errors import SearchRefused
from analysis.search.abcd.events import PlaneEvents
from analysis.search.events import Truths, Values
from plotting.results.search.abcd import Closure, Correlation, Ring

QUANTILES = (0.25, 0.5, 0.8, 0.9, 0.95, 0.98)
"""Quantiles at which rings begin and end, as far as they lie below the loosest cut."""

FEWEST_EXPECTED = 5.0
"""Events that are expected in a rectangle, below which its pull is no normal deviate, and it does not count."""

LEAST_SHARE = 0.5
"""Part of the declared fraction of events that a cut on an axis of few values keeps, at least."""

NEXT_TO_A = 3
"""Rectangles that touch A, which come last."""

LARGEST_PULL = 3.0
LEAST_PROBABILITY = 0.01
LARGEST_CORRELATION = 0.01
"""Rank correlation beyond two errors that is not taken: 0.02 moves the prediction of a 5 % cut by 9 %."""


def threshold(values: Values, quantile: float) -> float:
    """Return the value of an event above which the fraction 1 - quantile of the events lies.

    It is the value of an event below the cut, so that it does not depend on how large those above it are.
    """
    return float(np.quantile(values, quantile, method="lower"))


def measure_closure(events: PlaneEvents, fraction: float) -> Closure:
    """Measure how well the prediction holds beside A.

    Args:
        events: of the plane.
        fraction: of events that the loosest cut keeps on each axis.

    Raises:
        SearchRefused: too few events lie beside A.
    """
    loosest = 1 - fraction
    for axis, values in zip(events.axes, (events.first, events.second), strict=True):
        cut = threshold(values, loosest)
        if (values > cut).mean() < LEAST_SHARE * fraction:
            raise SearchRefused(
                f"axis {axis.name}: {int((values == cut).sum()):,} of {len(values):,} events have the same value "
                f"{cut:g}, so that no cut keeps {100 * fraction:g} % of them; take another axis, or other cuts"
            )
    steps = [*(quantile for quantile in QUANTILES if quantile < loosest - 1e-9), loosest]
    spans = [((low, high), (low, high)) for low, high in pairwise(steps)]
    spans += [((steps[-2], loosest), (loosest, 1.0)), ((loosest, 1.0), (steps[-2], loosest))]
    rings = tuple(_ring(events, first, second) for first, second in spans)
    counting = [ring for ring in rings if ring.counted]
    if not counting:
        raise SearchRefused(
            f"no rectangle beside the cuts has {FEWEST_EXPECTED:g} expected events, so that the prediction cannot be "
            "tested; take looser cuts"
        )
    weights = np.array([(ring.expected / ring.error) ** 2 for ring in counting])
    ratios = np.array([ring.observed / ring.expected for ring in counting])
    ratio, error = float(weights @ ratios / weights.sum()), float(1 / np.sqrt(weights.sum()))
    near = np.array([ring in rings[-NEXT_TO_A:] for ring in counting])
    beside = float(weights[near] @ ratios[near] / weights[near].sum()) if near.any() else ratio
    distances = np.array([_distance(ring, loosest) for ring in counting])
    drift, drift_error = _drift(distances, ratios, weights)
    at_cuts = ratio + drift * float(weights @ distances / weights.sum())
    deviance = sum(ring.pull**2 for ring in counting)
    first, second = (threshold(values, loosest) for values in (events.first, events.second))
    return Closure(
        rings=rings,
        chi2=deviance,
        ndf=len(counting),
        probability=float(chi2.sf(deviance, len(counting))),
        ratio=ratio,
        ratio_error=error,
        beside=beside,
        drift=drift,
        drift_error=drift_error if math.isfinite(drift_error) else None,
        error=max(abs(ratio - 1), error, abs(beside - 1), abs(at_cuts - 1)),
        # Independent axes stay so where one of them is cut. In all events but those of A they would be correlated.
        correlations=(
            _correlation(events, events.first <= first, events.axes[0].name),
            _correlation(events, events.second <= second, events.axes[1].name),
        ),
    )


def _distance(ring: Ring, loosest: float) -> float:
    """Return how far a rectangle lies from A: half the sum of the logarithms of the events that lie further out."""
    return sum(math.log((1 - min(low, loosest)) / (1 - loosest)) for low, _ in (ring.first, ring.second)) / 2


def _drift(distances: Values, ratios: Values, weights: Values) -> tuple[float, float]:
    """Return by how much the ratio rises from a distance of 1 to A, by a straight line, and the error of that."""
    if len(np.unique(distances)) < 2:
        return 0.0, math.inf
    centred = distances - weights @ distances / weights.sum()
    squares = float(weights @ centred**2)
    return -float(weights @ (centred * ratios)) / squares, 1 / math.sqrt(squares)


def check_closure(closure: Closure) -> None:
    """Refuse axes that are not independent.

    Raises:
        SearchRefused: says by how much they are not.
    """
    remedy = "take another pair of axes"
    for found in closure.correlations:
        if not abs(found.value) - 2 * found.error <= LARGEST_CORRELATION:
            raise SearchRefused(
                f"the axes are correlated: Spearman's {found.value:.3f} ± {found.error:.3f} below the cut on "
                f"{found.below}; {remedy}"
            )
    worst = max((ring for ring in closure.rings if ring.counted), key=lambda ring: abs(ring.pull))
    if abs(worst.pull) > LARGEST_PULL:
        raise SearchRefused(
            f"the prediction does not hold beside the cuts: {worst.observed:,} events where {worst.expected:,.1f} ± "
            f"{worst.error:,.1f} are expected; {remedy}"
        )
    if closure.drift_error is not None and abs(closure.drift) > LARGEST_PULL * closure.drift_error:
        raise SearchRefused(
            f"the prediction drifts towards the cuts: the ratio of observed to expected events changes by "
            f"{closure.drift:.3f} ± {closure.drift_error:.3f} with each factor e of events that lie further out; "
            f"{remedy}"
        )
    if closure.probability < LEAST_PROBABILITY:
        raise SearchRefused(
            f"the prediction does not hold beside the cuts: chi2 {closure.chi2:.1f} for {closure.ndf} rectangles; "
            f"{remedy}"
        )


def _ring(events: PlaneEvents, first: tuple[float, float], second: tuple[float, float]) -> Ring:
    """Return the corner between quantiles of both axes, predicted from the plane below and beside it."""
    (x, x_end), (y, y_end) = _values(events.first, first), _values(events.second, second)
    kept = np.ones(len(events.first), dtype=np.bool_)
    if x_end is not None:
        kept &= events.first <= x_end
    if y_end is not None:
        kept &= events.second <= y_end
    right, above = events.first[kept] > x, events.second[kept] > y
    a, b, c = int((right & above).sum()), int((right & ~above).sum()), int((~right & above).sum())
    d = int(kept.sum()) - a - b - c
    expected = b * c / d if d else 0.0
    counted = expected >= FEWEST_EXPECTED
    error = math.sqrt(expected + expected**2 * (1 / b + 1 / c + 1 / d)) if expected else 0.0
    return Ring(
        first=first,
        second=second,
        first_values=(x, x_end),
        second_values=(y, y_end),
        observed=a,
        expected=expected,
        error=error,
        pull=(a - expected) / error if counted else 0.0,
        counted=counted,
    )


def _values(values: Values, quantiles: tuple[float, float]) -> tuple[float, float | None]:
    low, high = quantiles
    return threshold(values, low), None if high == 1 else threshold(values, high)


def _correlation(events: PlaneEvents, kept: Truths, below: str) -> Correlation:
    first, second = events.first[kept], events.second[kept]
    number = len(first)
    if number < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        raise SearchRefused(
            f"the {number:,} events below the cut on {below} have no correlation; take another pair of axes"
        )
    value = float(spearmanr(first, second).statistic)
    return Correlation(below=below, value=value, error=1 / math.sqrt(number - 1), events=number)
