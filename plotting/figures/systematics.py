"""What systematic variations do to a histogram: the band around it, and the bins in which that can be seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from plotting.results.histograms import Spectrum, Variation
from plotting.results.moments import FloatArray
from plotting.style.axes import occupied
from plotting.style.colours import SYSTEMATIC

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def systematic_error(
    nominal: FloatArray, varied: Iterable[tuple[FloatArray, FloatArray]]
) -> tuple[FloatArray, FloatArray]:
    """Add the shifts of all variations in quadrature, those below and those above the nominal numbers apart.

    Of a variation whose two directions shift a number the same way, the greater shift counts.

    Args:
        nominal: shape (n,).
        varied: the same numbers with each scale up and down.

    Returns:
        How far the numbers reach down and up, both of shape (n,), not negative.
    """
    down, up = np.zeros_like(nominal), np.zeros_like(nominal)
    for one, other in varied:
        shifts = np.stack([one - nominal, other - nominal, np.zeros_like(nominal)])
        down, up = np.hypot(down, shifts.min(axis=0)), np.hypot(up, shifts.max(axis=0))
    return down, up


def variation_text(variations: Sequence[Variation[Any]]) -> str:
    """Return what was varied, as it stands in a legend: "systematic (jes ±3 %, met ±5 %)"."""
    return f"systematic ({', '.join(f'{one.name} ±{100 * one.size:.3g} %' for one in variations)})"


def draw_band(
    axes: Axes, edges: FloatArray, values: FloatArray, error: tuple[FloatArray, FloatArray], label: str = ""
) -> None:
    """Draw how far values reach down and up, on an axis that may be logarithmic.

    Args:
        axes: to be drawn on.
        edges: of the n bins, shape (n + 1,).
        values: shape (n,).
        error: down and up, both of shape (n,).
        label: for the legend.
    """
    down, up = error
    # Zero has no place on a logarithmic axis; what is this small is below it.
    low = np.maximum(values - down, 1e-9 * np.maximum(values, 1e-9))
    axes.stairs(
        values + up, edges, baseline=low, fill=True, color=SYSTEMATIC, alpha=0.45, lw=0, label=label, zorder=1.5
    )


def merged_bins(spectra: Sequence[Spectrum], least: float) -> NDArray[np.intp]:
    """Merge bins, from the left, until each holds at least a number of events of every spectrum.

    What remains in the tail joins the last of them; empty bins at both ends are left out.

    Args:
        spectra: with the same edges.
        least: events, or for weighted ones their effective number, sum(w)^2 / sum(w^2).

    Returns:
        Where in the edges the m merged bins begin, and where the last ends, shape (m + 1,); empty if m is 0.
    """
    edges = spectra[0].edges
    low, high = occupied(edges, sum((spectrum.values for spectrum in spectra), np.zeros(len(edges) - 1)))
    first, last = (int(place) for place in np.searchsorted(edges, (low, high)))
    starts: list[int] = []
    start = first
    for stop in range(start + 1, last + 1):
        if all(_effective_events(spectrum, start, stop) >= least for spectrum in spectra):
            starts.append(start)
            start = stop
    return np.array([*starts, last] if starts else [], dtype=np.intp)


def merged(contents: FloatArray, bins: NDArray[np.intp]) -> FloatArray:
    """Return the contents of merged bins, shape (m,).

    Args:
        contents: of the bins, shape (n,).
        bins: as `merged_bins` gives them.
    """
    if not bins.size:
        return np.empty(0)
    sums: FloatArray = np.add.reduceat(contents[: bins[-1]], bins[:-1])
    return sums


def _effective_events(spectrum: Spectrum, start: int, stop: int) -> float:
    variance = spectrum.variances[start:stop].sum()
    return float(spectrum.values[start:stop].sum() ** 2 / variance) if variance > 0 else 0.0
