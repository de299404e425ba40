"""Where the axes of a figure stand: as large as their numbers and titles, measured once, leave room for.

It is here for how figures look: matplotlib's constrained layout leaves a strip beside a panel empty for the factor
above a colour bar, and its places differ in all figures. The gain in time is small: less than a tenth of the
time of the processor for all figures of a run, in the median of seven pairs.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpecBase
from matplotlib.layout_engine import LayoutEngine
from matplotlib.ticker import FixedLocator
from matplotlib.transforms import Bbox, ScaledTranslation
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

_PADDING = np.array([0.08, 0.08, 0.06, 0.06])  # inches around axes and all that belongs to them, as below
_USUAL = np.array([0.75, 0.2, 0.6, 0.15])  # inches left, right, below and above axes, as a first guess
_USUAL_BAR = 1.0  # inches that a colour bar takes, as a first guess


class Layout(LayoutEngine):
    """Places a grid of axes, a colour bar to the right of all, and the figure's legend below, under a header.

    In place of matplotlib's constrained layout, which measures everything twice and leaves the places of titles to be
    worked out again for each file.
    """

    _adjust_compatible = False
    _colorbar_gridspec = False

    def __init__(self, height: float) -> None:
        """Leave room for a header.

        Args:
            height: of the space below the header, inches.
        """
        super().__init__()
        self.height = height

    def execute(self, fig: Figure) -> None:
        """Choose the numbers on the axes, measure what is around the axes, and give all their places."""
        panels = {axes: spec for axes in fig.axes if (spec := axes.get_subplotspec())}
        grid = next(iter(panels.values())).get_gridspec()
        places = {axes: (spec.rowspan.start, spec.colspan.start) for axes, spec in panels.items()}
        bar = next((axes for axes in fig.axes if axes not in panels), None)
        shrink = _height(bar) / _height(*panels) if bar else 1.0
        legends = sum(_size(legend.get_window_extent(), fig)[1] + 2 * _PADDING[3] for legend in fig.legends)

        margins = np.tile(_USUAL, (grid.nrows, grid.ncols, 1))
        beside = _USUAL_BAR if bar else 0.0
        self._place(fig, grid, places, margins, below=legends, bar=bar, beside=beside, shrink=shrink)
        for axes in fig.axes:
            for axis in (axes.xaxis, axes.yaxis):
                # Kept: with other numbers on an axis, what is measured next would not hold.
                axis.set_major_locator(FixedLocator(axis.get_majorticklocs().tolist()))
        for axes, place in places.items():
            margins[place] = _around(axes, fig) + _PADDING
        if bar:
            around = _around(bar, fig) + _PADDING
            # The pointed ends of a bar stand in its place, though not in its axes.
            whole = bar.get_position(original=True).transformed(fig.transSubfigure)
            around[2:] -= np.array([bar.bbox.y0 - whole.y0, whole.y1 - bar.bbox.y1]) / fig.dpi
            # A factor above the bar may reach to the left, over the panel.
            beside = _PADDING[0] + _size(bar.bbox, fig)[0] + around[1]
            free = (1 / shrink - 1) / 2 * _size(whole, fig)[1]
            margins[-1, -1, 2] = max(margins[-1, -1, 2], around[2] - free)
            margins[0, -1, 3] = max(margins[0, -1, 3], around[3] - free)
        for axes in fig.axes:
            _hold_titles(axes, fig)
        self._place(fig, grid, places, margins, below=legends, bar=bar, beside=beside, shrink=shrink)

    def _place(
        self,
        figure: Figure,
        grid: GridSpecBase,
        places: Mapping[Axes, tuple[int, int]],
        margins: FloatArray,
        *,
        below: float,
        bar: Axes | None,
        beside: float,
        shrink: float,
    ) -> None:
        """Give the axes their places.

        Args:
            figure: that has the axes.
            grid: of the axes.
            places: row and column of each.
            margins: left, right, below and above each, shape (rows, columns, 4), inches.
            below: what the legend takes, inches.
            bar: the colour bar.
            beside: what it takes with its numbers and title, inches.
            shrink: its height as a fraction of that of the grid.
        """
        left, right = margins[..., 0].max(axis=0), margins[..., 1].max(axis=0)
        bottom, top = margins[..., 2].max(axis=1), margins[..., 3].max(axis=1)
        size = figure.get_size_inches()
        width = (size[0] - beside - left.sum() - right.sum()) / grid.ncols
        shares = np.array(grid.get_height_ratios())
        heights = (self.height - below - bottom.sum() - top.sum()) * shares / shares.sum()
        x = np.cumsum(left + width + right) - width - right
        y = self.height - np.cumsum(top + heights + bottom) + bottom
        for axes, (row, column) in places.items():
            axes.set_position(_box(x[column], y[row], width, heights[row], size))
        if bar:
            tall = y[0] + heights[0] - y[-1]
            start = x[-1] + width + right[-1] + _PADDING[0]
            bar.set_position(_box(start, y[-1] + tall * (1 - shrink) / 2, beside, tall * shrink, size))


def _box(x: float, y: float, width: float, height: float, size: FloatArray) -> Bbox:
    return Bbox(Bbox.from_bounds(x, y, width, height).get_points() / size)


def _height(*axes: Axes) -> float:
    return float(Bbox.union([one.get_position(original=True) for one in axes]).height)


def _size(box: Bbox, figure: Figure) -> tuple[float, float]:
    return box.width / figure.dpi, box.height / figure.dpi


def _around(axes: Axes, figure: Figure) -> FloatArray:
    """Return how far what belongs to axes reaches to their left, right, below and above, inches."""
    outside, inside = axes.get_tightbbox() or axes.bbox, axes.bbox
    pixels = [inside.x0 - outside.x0, outside.x1 - inside.x1, inside.y0 - outside.y0, outside.y1 - inside.y1]
    return np.array(pixels) / figure.dpi


def _hold_titles(axes: Axes, figure: Figure) -> None:
    """Keep the titles of both axes, wherever the axes come to stand, as far away as they were measured."""
    for axis, across in ((axes.xaxis, np.array([0, 1])), (axes.yaxis, np.array([1, 0]))):
        place = np.array(axis.label.get_position())
        far = axis.get_label_position() in ("right", "top")
        away = across * (place - (axes.bbox.max if far else axes.bbox.min)) / figure.dpi
        x, y = np.where(across, float(far), place)
        axis.set_label_coords(x, y, axes.transAxes + ScaledTranslation(away[0], away[1], figure.dpi_scale_trans))
