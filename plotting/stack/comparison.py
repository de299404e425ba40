"""Whether data are what simulated processes lead to expect: chi2, bin by bin, and an overall ratio."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plotting.results.histograms import Spectrum
from plotting.results.moments import FloatArray
from plotting.stack.processes import Stack

LEAST = 10.0
"""Expected and simulated events of a bin with which a difference is nearly normal; bins are merged up to these."""


@dataclass(frozen=True)
class Comparison:
    """Data against the sum of simulated processes in m merged bins.

    Attributes:
        edges: shape (m + 1,), a subset of the histogram's; empty if m is 0.
        ratio: data over simulation, shape (m,).
        ratio_errors: of the data alone, one standard deviation, shape (m,).
        simulation_errors: relative ones of the simulation's number of events, shape (m,).
        pulls: difference over its standard deviation, shape (m,); the squares add up to chi2.
        scale: data over simulation in all of the axis, the most likely factor of the whole simulation.
        scale_error: one standard deviation, by the number of data and of simulated events.
    """

    edges: FloatArray
    ratio: FloatArray
    ratio_errors: FloatArray
    simulation_errors: FloatArray
    pulls: FloatArray
    scale: float
    scale_error: float

    @property
    def chi2(self) -> float:
        """Sum of the squared pulls."""
        return float((self.pulls**2).sum())

    @property
    def ndf(self) -> int:
        """Degrees of freedom: one a bin, since nothing is fitted."""
        return len(self.pulls)

    @property
    def probability(self) -> float:
        """Probability of a chi2 as large or larger."""
        from scipy.special import gammaincc

        return float(gammaincc(self.ndf / 2, self.chi2 / 2)) if self.ndf else 1.0


def compare(stack: Stack) -> Comparison:
    """Compare data with the sum of simulated processes.

    The variance of a number of data is the number that is expected, or, of data with weights, the sum of their squares.
    That of the simulation is the sum of its squared weights, which is what a finite number of simulated events leaves
    unknown. Systematic variations are not part of chi2.
    """
    data, expected = stack.data, stack.expected
    bins = _merged_bins(expected)
    counts = np.array_equal(data.values, data.variances)
    found, simulated, data_variance, variance = (
        _merged(contents, bins) for contents in (data.values, expected.values, data.variances, expected.variances)
    )
    spread = np.sqrt((simulated if counts else data_variance) + variance)
    observed, whole = float(data.values.sum()), float(expected.values.sum())
    scale = observed / whole if whole > 0 else np.nan
    relative = float(data.variances.sum()) / observed**2 if observed else 0.0
    error = scale * np.sqrt(relative + float(expected.variances.sum()) / whole**2) if whole > 0 else np.nan
    return Comparison(
        edges=data.edges[bins],
        ratio=found / simulated,
        ratio_errors=np.sqrt(data_variance) / simulated,
        simulation_errors=np.sqrt(variance) / simulated,
        pulls=(found - simulated) / spread,
        scale=scale,
        scale_error=float(error),
    )


def _merged_bins(expected: Spectrum) -> NDArray[np.intp]:
    """Return where in the edges merged bins begin, and where the last ends; what remains at the end joins the last."""
    starts, start = [0], 0
    for stop in range(1, len(expected.values) + 1):
        events, variance = float(expected.values[start:stop].sum()), float(expected.variances[start:stop].sum())
        if events >= LEAST and events**2 >= LEAST * variance:
            starts.append(stop)
            start = stop
    if len(starts) > 1:
        starts[-1] = len(expected.values)
        return np.array(starts, dtype=np.intp)
    return np.array([], dtype=np.intp)


def _merged(contents: FloatArray, bins: NDArray[np.intp]) -> FloatArray:
    sums: FloatArray = np.add.reduceat(contents, bins[:-1]) if bins.size else np.empty(0)
    return sums
