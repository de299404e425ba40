"""Events in two dimensions: the features, and the latent space of an autoencoder, projected by PCA and t-SNE."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from plotting.results.caption import Caption
from plotting.results.moments import FloatArray
from plotting.results.tables import LatentSpace, Projection
from plotting.style.house import ANOMALOUS, NORMAL, house_style, new_figure
from plotting.style.wording import count_text

_CENTRE = (0.5, 99.5)  # percentiles; events far out would squeeze all others into a spot


@house_style()
def draw_latent_ranks(latent: LatentSpace, caption: Caption) -> Figure:
    """Draw each projection with the events coloured by their mean rank, the most anomalous on top."""
    figure, panels = _panels(latent, caption, 1.1)
    order = np.argsort(latent.ranks)
    for axes, projection in zip(panels, latent.projections, strict=True):
        x, y = projection.points[order].T
        dots = axes.scatter(
            x, y, c=latent.ranks[order], s=_size(x), vmin=0, vmax=1, cmap="viridis_r", lw=0, rasterized=True
        )
    figure.colorbar(dots, ax=panels, label="Mean rank (1: most anomalous)", shrink=0.9, aspect=35)
    text = f"{count_text(len(latent.ranks))} of the training events"
    dot = Line2D([], [], color=dots.cmap(0.5), marker="o", ls="", label=text)
    figure.legend(handles=[dot], loc="outside lower center")
    return figure


@house_style()
def draw_latent_labels(latent: LatentSpace, labels: NDArray[np.int64], caption: Caption) -> Figure:
    """Draw each projection with the events coloured by what they are, the signal on top.

    Args:
        latent: of n events.
        labels: 1 for signal and 0 for background, shape (n,).
        caption: of the sample.
    """
    figure, panels = _panels(latent, caption, 0.0)
    kinds = ((0, NORMAL, "background"), (1, ANOMALOUS, "signal"))
    for axes, projection in zip(panels, latent.projections, strict=True):
        for kind, colour, _ in kinds:
            x, y = projection.points[labels == kind].T
            axes.scatter(x, y, color=colour, s=_size(labels), lw=0, alpha=0.7, rasterized=True)
    handles = [
        Line2D([], [], color=colour, marker="o", ls="", label=f"{name} ({count_text((labels == kind).sum())})")
        for kind, colour, name in kinds
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


def _panels(latent: LatentSpace, caption: Caption, beside: float) -> tuple[Figure, list[Axes]]:
    """Return a figure with a panel for each projection, two in a row, their axes set; `beside` them inches are free."""
    rows = math.ceil(len(latent.projections) / 2)
    figure = new_figure(caption, 9.4 + beside, 4.5 * rows + 0.5)
    grid = figure.subplots(rows, 2, squeeze=False)
    for axes, projection in zip(grid.flat, latent.projections, strict=True):
        _set_axes(axes, projection)
    return figure, list(grid.flat)


def _set_axes(axes: Axes, projection: Projection) -> None:
    names = [f"{projection.method} {axis} of the {_SPACES[projection.space]}" for axis in (1, 2)]
    for axis, fraction in enumerate(projection.explained):
        names[axis] += f" ({100 * fraction:.3g} % of variance)"
    limits = [_limits(coordinates) for coordinates in projection.points.T]
    axes.set_xlim(*limits[0])
    axes.set_ylim(*limits[1])
    axes.set_xlabel(names[0], size=13)
    axes.set_ylabel(names[1], size=13)
    axes.tick_params(labelsize=12)
    beyond = np.zeros(len(projection.points), dtype=bool)
    for (low, high), coordinates in zip(limits, projection.points.T, strict=True):
        beyond |= (coordinates < low) | (coordinates > high)
    if beyond.any():
        number = int(beyond.sum())
        axes.set_title(f"{count_text(number)} event{'s' * (number > 1)} beyond the axes", size=12, loc="right")


_SPACES = {"features": "features", "latent": "latent space"}


def _limits(coordinates: FloatArray) -> tuple[float, float]:
    """Return an axis that holds nearly all events, and far ones as long as the others stay visible."""
    low, high = np.percentile(coordinates, _CENTRE)
    width = (high - low) or 1.0
    reach = max(float(coordinates.min()), low - width), min(float(coordinates.max()), high + width)
    margin = 0.04 * (reach[1] - reach[0] or 1.0)
    return reach[0] - margin, reach[1] + margin


def _size(events: NDArray[np.generic]) -> float:
    """Return the area of a dot, in square points: the more events, the smaller."""
    return float(np.clip(20_000 / max(len(events), 1), 3, 25))
