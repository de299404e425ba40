"""Axes of figures: their limits and scales, and the numbers beside them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def unit_of(title: str) -> str:
    """Return the unit that an axis title ends with in brackets, or an empty string."""
    found = re.search(r"\[([^\]]+)\]\s*$", title)
    return found.group(1) if found else ""


def number_text(value: float, digits: int = 3) -> str:
    """Return a number, rounded to a number of digits, as matplotlib text; 64000 stands as 6.4×10⁴, not as 6.4e+04."""
    mantissa, _, exponent = f"{value:.{digits}g}".partition("e")
    mantissa = mantissa.replace("-", "−")
    return rf"{mantissa}$\times\mathdefault{{10^{{{int(exponent)}}}}}$" if exponent else mantissa


def ratio_axis(axes: Axes, low: float, high: float) -> None:
    """Make the vertical axis of a small panel logarithmic, from half of the least to twice the greatest ratio."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_yscale("log")
    axes.set_ylim(0.5 * low, 2 * high)
    # One number alone would leave the scale untold; many would touch.
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 3) if high / low < 25 else (1,), numticks=5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def set_score_axis(axes: Axes, title: str) -> None:
    """Give the horizontal axis its title, on the right, and room on the left to a common factor of its numbers."""
    axes.set_xlabel(title)
    factor = axes.xaxis.get_offset_text()
    factor.set_x(0)
    factor.set_horizontalalignment("left")


def log_counts(axes: Axes, peak: float, smallest: float = 1.0, headroom: float = 0.5) -> None:
    """Make the vertical axis logarithmic, from half of the smallest content up, with room for a legend on top.

    Args:
        axes: where the histogram is.
        peak: the largest content.
        smallest: the smallest content above zero; one event, unless events have weights.
        headroom: what the legend takes, as a fraction of the height of the histogram.
    """
    floor = 0.5 * smallest
    ceiling = max(peak, 10 * floor)
    # Limits first: a logarithmic axis that has to find its own complains where no event is.
    axes.set_ylim(floor, ceiling * (ceiling / floor) ** headroom)
    axes.set_yscale("log")


def central(edges: NDArray[np.float64], contents: NDArray[np.float64], share: float) -> tuple[float, float]:
    """Return the part of an axis that is left when few contents are cut off at both ends, alike.

    Args:
        edges: of the n bins, shape (n + 1,).
        contents: shape (n,), not negative.
        share: of the contents that stay, at least.
    """
    sums = np.cumsum(contents)
    if not sums[-1] > 0:
        return float(edges[0]), float(edges[-1])
    beyond = (1 - share) / 2 * sums[-1]
    first = int(np.searchsorted(sums, beyond, side="right"))
    last = int(np.searchsorted(sums, sums[-1] - beyond, side="left"))
    return float(edges[first]), float(edges[last + 1])


def occupied(edges: NDArray[np.float64], contents: NDArray[Any]) -> tuple[float, float]:
    """Return the part of an axis from the first to the last bin that holds something, or all of an empty one.

    Args:
        edges: of the n bins, shape (n + 1,).
        contents: shape (n,).
    """
    filled = np.flatnonzero(contents)
    first, last = (filled[0], filled[-1]) if filled.size else (0, len(contents) - 1)
    return float(edges[first]), float(edges[last + 1])
