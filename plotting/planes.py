"""Two quantities against each other: where the events are, and where the anomalous ones are."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, QuadMesh
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from plotting.moments import FloatArray
from plotting.results import Plane, Split
from plotting.style import Caption, axis_text, house_style, new_figure, occupied, words


@house_style()
def draw_plane(events: Plane, caption: Caption) -> Figure:
    """Draw the density of events, in a logarithmic colour scale; bins without events stay blank."""
    figure = new_figure(caption, 7.0, 5.2)
    axes = figure.subplots()
    filled = events.values[events.values > 0]
    # An empty plane has no colours, but a colour bar needs a scale; one event a bin needs two ends.
    low = filled.min(initial=1.0)
    mesh = _draw_mesh(axes, events, events.values > 0, LogNorm(low, max(filled.max(initial=low), 10 * low)))
    figure.colorbar(mesh, ax=axes, label="Events / bin")
    return figure


@house_style()
def draw_score_plane(name: str, score: Plane, events: Split[Plane], caption: Caption) -> Figure:
    """Draw the mean score in each bin, with the flagged events on top.

    A dot marks a bin that holds flagged events; a line surrounds the bins in which they are the majority.

    Args:
        name: of the detector, or "ensemble".
        score: NaN where there are no events.
        events: with the same edges.
        caption: of the sample.
    """
    figure = new_figure(caption, 7.0, 5.2)
    axes = figure.subplots()
    known = score.values[np.isfinite(score.values)]
    low, high = (known.min(), known.max()) if known.size else (0.0, 1.0)
    mesh = _draw_mesh(axes, score, np.isfinite(score.values), Normalize(low, high if high > low else low + 1))
    flagged = events.anomalous.values > 0
    xcentres, ycentres = ((edges[1:] + edges[:-1]) / 2 for edges in (score.xedges, score.yedges))
    columns, rows = np.nonzero(flagged)
    axes.plot(xcentres[columns], ycentres[rows], ".", color="black", ms=2.2, mew=0, label="flagged events")
    mostly = flagged & (events.anomalous.values > 0.5 * events.all.values)
    axes.add_collection(
        LineCollection(
            list(outline(mostly, score.xedges, score.yedges)), colors="black", lw=0.9, label="most are flagged"
        ),
        autolim=False,
    )
    mean = "ensemble score (mean rank)" if name == "ensemble" else f"{words(name)} score"
    figure.colorbar(mesh, ax=axes, label=f"Mean {mean}")
    axes.legend(loc="upper right", markerscale=3, frameon=True, framealpha=0.85, edgecolor="none")
    return figure


def _draw_mesh(axes: Axes, plane: Plane, shown: NDArray[np.bool_], norm: Normalize) -> QuadMesh:
    mesh = axes.pcolormesh(
        plane.xedges,
        plane.yedges,
        np.ma.masked_where(~shown, plane.values).T,
        norm=norm,
        cmap="viridis",
        # As vectors, the cells of a large plane would make a slow PDF with hairlines between them.
        rasterized=True,
    )
    axes.set_xlim(*occupied(plane.xedges, np.count_nonzero(shown, axis=1)))
    axes.set_ylim(*occupied(plane.yedges, np.count_nonzero(shown, axis=0)))
    axes.set_xlabel(axis_text(plane.xtitle))
    axes.set_ylabel(axis_text(plane.ytitle))
    return mesh


def outline(inside: NDArray[np.bool_], xedges: FloatArray, yedges: FloatArray) -> FloatArray:
    """Return the borders between the bins inside a region and those outside it.

    Args:
        inside: shape (nx, ny).
        xedges: shape (nx + 1,).
        yedges: shape (ny + 1,).

    Returns:
        Straight lines from bin corner to bin corner, shape (n, 2, 2): line, end, (x, y).
    """
    padded = np.pad(inside, 1)
    column, row = np.nonzero(padded[1:, 1:-1] != padded[:-1, 1:-1])
    vertical = [[xedges[column], yedges[row]], [xedges[column], yedges[row + 1]]]
    column, row = np.nonzero(padded[1:-1, 1:] != padded[1:-1, :-1])
    horizontal = [[xedges[column], yedges[row]], [xedges[column + 1], yedges[row]]]
    return np.concatenate([np.moveaxis(np.array(lines), -1, 0) for lines in (vertical, horizontal)])
