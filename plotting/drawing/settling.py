"""Numbers, places and ticks of a figure, worked out once for all files that it is written to.

Left to itself, matplotlib works them out anew for each file, sets each number as a formula, and makes an object of
each tick: together half of the processor's time of all figures of a run, in the median of three pairs.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, Locator, NullLocator, ScalarFormatter


class _Numbers(ScalarFormatter):
    """Writes the numbers of a linear axis as text, and only what they have in common as a formula."""

    def __init__(self) -> None:
        super().__init__(useMathText=False)

    def get_offset(self) -> str:
        """Return the common factor, such as ×10^−3, and the common summand."""
        return re.sub(r"1e(\S?\d+)", r"$\\times\\mathdefault{10^{\1}}$", super().get_offset())


def settle(figure: Figure) -> None:
    """Work out where all things of a figure are; call it inside `house_style`, when nothing is to be added any more.

    Args:
        figure: with the layout engine that it was made with; afterwards it has none.
    """
    engine = figure.get_layout_engine()
    if engine is None:
        return
    minor: list[tuple[Axes, Axis, Locator]] = []
    for axes, axis in _axes(figure):
        if type(axis.get_major_formatter()) is ScalarFormatter:
            axis.set_major_formatter(_Numbers())
        minor.append((axes, axis, axis.get_minor_locator()))
        axis.set_minor_locator(NullLocator())
    with warnings.catch_warnings():
        # Long labels may leave no room to axes; these keep the place that a new figure gives them.
        warnings.filterwarnings("ignore", "constrained_layout not applied", UserWarning)
        engine.execute(figure)
    figure.set_layout_engine(None)
    for axes, axis, locator in minor:
        axis.set_major_locator(FixedLocator(axis.get_majorticklocs().tolist()))
        if not isinstance(locator, NullLocator):
            _draw_minor_ticks(axes, axis, locator)


def _axes(figure: Figure) -> Iterator[tuple[Axes, Axis]]:
    for axes in figure.axes:
        yield axes, axes.xaxis
        yield axes, axes.yaxis


def _draw_minor_ticks(axes: Axes, axis: Axis, locator: Locator) -> None:
    """Draw all minor ticks on one side of an axis as one line of markers, with the look of a single tick."""
    axis.set_minor_locator(locator)
    low, high = sorted(axis.get_view_interval())
    places = [place for place in axis.get_minorticklocs() if low <= place <= high]
    (tick,) = axis.get_minor_ticks(1)
    axis.set_minor_locator(NullLocator())
    for mark in (tick.tick1line, tick.tick2line):
        if mark.get_visible():
            x, y = (np.full(len(places), side) for side in mark.get_data())
            line = Line2D(places, y) if axis is axes.xaxis else Line2D(x, places)
            line.update_from(mark)
            line.set(transform=mark.get_transform(), zorder=axis.get_zorder(), in_layout=False)
            axes.add_artist(line)
            line.set_clip_on(False)
