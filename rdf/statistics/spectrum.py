"""A spectrum: counts of events in bins of a mass or of another observable."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from rdf.errors import SpectrumError

Numbers = npt.NDArray[np.float64]

FEWEST_BINS = 10
"""Bins of a spectrum, at least: fewer hold no function and no signal."""


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Counts of events in bins.

    Attributes:
        edges: of the bins, rising, shape (bins + 1,), in the unit of the observable.
        counts: events, shape (bins,); whole numbers for data, any numbers above 0 for expectations.
        used: whether a fit looks at a bin, shape (bins,); by default it looks at all.
    """

    edges: Numbers
    counts: Numbers
    used: npt.NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, dtype=np.bool_))

    def __post_init__(self) -> None:
        """Check the numbers, and bring them to their types.

        Raises:
            SpectrumError: names what is wrong with them.
        """
        edges, counts = np.array(self.edges, dtype=np.float64), np.array(self.counts, dtype=np.float64)
        used = np.array(self.used, dtype=np.bool_) if len(self.used) else np.ones(len(counts), dtype=np.bool_)
        if edges.ndim != 1 or counts.shape != (len(edges) - 1,) or used.shape != counts.shape:
            raise SpectrumError(
                f"{len(edges)} edges, {len(counts)} counts and {len(used)} marks do not fit; n bins have n + 1 edges"
            )
        if len(counts) < FEWEST_BINS:
            raise SpectrumError(f"{len(counts)} bins; a search needs {FEWEST_BINS} at least: give a finer resolution")
        if not (np.isfinite(edges).all() and (np.diff(edges) > 0).all()):
            raise SpectrumError("the edges of the bins do not rise; give them in order, each once")
        if not np.isfinite(counts).all() or (counts < 0).any():
            raise SpectrumError("a bin holds a negative or no number of events; fill the spectrum without weights")
        for name, value in (("edges", edges), ("counts", counts), ("used", used)):
            value.flags.writeable = False
            object.__setattr__(self, name, value)

    @classmethod
    def of_values(cls, values: npt.ArrayLike, edges: npt.ArrayLike) -> Spectrum:
        """Fill a spectrum; values outside the range are left out.

        Args:
            values: one for each event, shape (events,).
            edges: of the bins; a value on an edge belongs to the bin above.

        Raises:
            SpectrumError: a value is NaN, or the edges are wrong.
        """
        values, edges = np.asarray(values, dtype=np.float64), np.asarray(edges, dtype=np.float64)
        if missing := int(np.isnan(values).sum()):
            raise SpectrumError(
                f"{missing:,} of {len(values):,} events have no value of the observable; select the others"
            )
        places = np.searchsorted(edges, values, side="right") - 1
        inside = (places >= 0) & (places < len(edges) - 1)
        return cls(edges, np.bincount(places[inside], minlength=len(edges) - 1).astype(np.float64))

    @classmethod
    def of_histogram(cls, histogram: Any) -> Spectrum:
        """Take the counts of a histogram: a TH1 of ROOT, or one of scikit-hep (`hist`, `boost_histogram`, uproot).

        Raises:
            SpectrumError: it has another number of axes, or weights.
        """
        if hasattr(histogram, "GetNbinsX"):
            return cls._of_root(histogram)
        axes = histogram.axes
        if len(axes) != 1:
            raise SpectrumError(f"a histogram of {len(axes)} axes is no spectrum; project it on one of them")
        axis = axes[0]
        edges = getattr(axis, "edges", None)
        edges = edges() if callable(edges) else edges
        if edges is None:  # the protocol demands no more than intervals
            edges = [axis[0][0], *(axis[i][1] for i in range(len(axis)))]
        counts, variances = np.asarray(histogram.values(), dtype=np.float64), histogram.variances()
        return cls._unweighted(np.asarray(edges, dtype=np.float64), counts, variances)

    @classmethod
    def _of_root(cls, histogram: Any) -> Spectrum:
        if histogram.GetDimension() != 1:
            raise SpectrumError(
                f"a histogram of {histogram.GetDimension()} axes is no spectrum; project it on one of them"
            )
        bins = range(1, histogram.GetNbinsX() + 1)
        edges = [histogram.GetXaxis().GetBinLowEdge(i) for i in (*bins, len(bins) + 1)]
        counts = [histogram.GetBinContent(i) for i in bins]
        return cls._unweighted(
            np.array(edges), np.array(counts), np.array([histogram.GetBinError(i) ** 2 for i in bins])
        )

    @classmethod
    def _unweighted(cls, edges: Numbers, counts: Numbers, variances: npt.ArrayLike | None) -> Spectrum:
        if variances is not None and not np.allclose(np.asarray(variances), counts, rtol=1e-6, atol=1e-6):
            raise SpectrumError(
                "the histogram has weights, whose counts follow no Poisson distribution; fill it without"
            )
        return cls(edges, counts)

    @property
    def total(self) -> float:
        """Events of the bins that a fit looks at."""
        return float(self.counts[self.used].sum())

    def masked(self, low: float, high: float) -> Spectrum:
        """Return the spectrum without the bins that a window touches."""
        touched = (self.edges[1:] > low) & (self.edges[:-1] < high)
        return Spectrum(self.edges, self.counts, self.used & ~touched)


def mass_edges(low: float, high: float, resolution: float) -> Numbers:
    """Return edges of bins that are no wider than half the resolution, each by the same factor above the one before.

    Args:
        low: begin of the range, above 0.
        high: its end.
        resolution: standard deviation of a narrow signal, relative to its mass.

    Raises:
        SpectrumError: the range is empty or begins at 0 or below, or the resolution is none.
    """
    if not 0 < low < high < math.inf:
        raise SpectrumError(f"{low:g} to {high:g} is no range above 0; give its begin and its end")
    if not 0 < resolution < 1:
        raise SpectrumError(f"{resolution:g} is no relative resolution; give sigma / mass, between 0 and 1")
    bins = math.ceil(math.log(high / low) / (resolution / 2))
    return np.geomspace(low, high, bins + 1)
