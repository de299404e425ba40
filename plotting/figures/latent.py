"""Events in two dimensions: the features, and the latent space of an autoencoder, projected by PCA and t-SNE."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from plotting.figures.facts import AnyFacts
from plotting.figures.figure import NamedFigure
from plotting.results.caption import Caption
from plotting.results.evaluation import Evaluation
from plotting.results.moments import FloatArray
from plotting.results.run import Results
from plotting.results.run_record import AnyRecord
from plotting.results.tables import LatentSpace, Projection
from plotting.style.canvas import new_figure
from plotting.style.colours import ANOMALOUS, NORMAL
from plotting.style.house import house_style
from plotting.style.wording import count_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_CENTRE = (0.5, 99.5)  # percentiles; events far out would squeeze all others into a spot


class LatentRanksFigure(NamedFigure[Results | Evaluation, AnyFacts]):
    """Events in two dimensions, by their ranks."""

    section = "training"
    name = "latent_ranks"

    def is_in(self, data: Results | Evaluation) -> bool:
        """Tell whether events were projected."""
        return data.latent is not None

    def title(self, facts: AnyFacts) -> Markup:
        """Say in a few words what is drawn."""
        return Markup("Events in two dimensions, coloured by their mean rank")

    def caption(self, facts: AnyFacts) -> Markup:
        """State how much of the variance the axes of PCA carry."""
        return _explained(facts.record)

    def draw(self, data: Results | Evaluation) -> Figure:
        """Draw it."""
        assert data.latent is not None
        return draw_latent_ranks(data.latent, data.caption)


class LatentLabelsFigure(NamedFigure[Results | Evaluation, AnyFacts]):
    """Events in two dimensions, by their labels."""

    section = "training"
    name = "latent_labels"

    def is_in(self, data: Results | Evaluation) -> bool:
        """Tell whether events with labels were projected."""
        return data.latent is not None and data.latent.labels is not None

    def title(self, facts: AnyFacts) -> Markup:
        """Say in a few words what is drawn."""
        return Markup("Events in two dimensions, coloured by what they are")

    def caption(self, facts: AnyFacts) -> Markup:
        """State how much of the variance the axes of PCA carry."""
        return _explained(facts.record)

    def draw(self, data: Results | Evaluation) -> Figure:
        """Draw it."""
        assert data.latent is not None
        assert data.latent.labels is not None
        return draw_latent_labels(data.latent, data.latent.labels, data.caption)


def _explained(record: AnyRecord) -> Markup:
    spaces = {"features": "the features", "latent": "the latent space of the autoencoder"}
    variances = [
        Markup("{:.1f} % and {:.1f} % of the variance of {}").format(
            *(100 * fraction for fraction in record.latent[space]), name
        )
        for space, name in spaces.items()
        if record.latent.get(space)
    ]
    return Markup("The axes of PCA carry {}.").format(Markup("; ").join(variances)) if variances else Markup("")


@house_style()
def draw_latent_ranks(latent: LatentSpace, caption: Caption) -> Figure:
    """Draw each projection with the events coloured by their mean rank, the most anomalous on top."""
    from matplotlib.lines import Line2D

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
def draw_latent_labels(latent: LatentSpace, labels: NDArray[np.integer], caption: Caption) -> Figure:
    """Draw each projection with the events coloured by what they are, the signal on top.

    Args:
        latent: of n events.
        labels: 1 for signal and 0 for background, shape (n,).
        caption: of the sample.
    """
    from matplotlib.lines import Line2D

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
