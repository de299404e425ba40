"""Two quantities against each other: where the events are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from plotting.figures.facts import RunFacts
from plotting.figures.figure import NamedFigure, Names
from plotting.figures.sentences import flagged_text, quantity_title
from plotting.results.caption import Caption
from plotting.results.histograms import Plane
from plotting.results.run import Results
from plotting.results.run_record import RunRecord
from plotting.style.axes import occupied
from plotting.style.canvas import new_figure
from plotting.style.formulas import axis_text
from plotting.style.house import house_style
from plotting.style.wording import count_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Pair:
    """Two quantities whose plane a run may have filled."""

    x: str
    y: str

    @property
    def plane(self) -> str:
        """Name of the plane."""
        return f"{self.x}_{self.y}"

    def title(self, record: RunRecord) -> Markup:
        """Name both quantities."""
        quantities = (*record.features, *record.observables)
        return Markup("{} and {}").format(*(quantity_title(quantities, name) for name in (self.x, self.y)))


def pairs(names: Names) -> list[Pair]:
    """Return all pairs of quantities, by the names of their planes; of pairs that share a name, the first."""
    named: dict[str, Pair] = {}
    for x in names.quantities:
        for y in names.quantities:
            named.setdefault(Pair(x, y).plane, Pair(x, y))
    return [named[plane] for plane in sorted(named)]


@dataclass(frozen=True)
class PlaneFigure(NamedFigure[Results, RunFacts]):
    """The density of events over two quantities."""

    pair: Pair

    section = "planes"

    @property
    def name(self) -> str:
        """Name of its files, without ending."""
        return f"plane_{self.pair.plane}"

    @classmethod
    def all(cls, names: Names) -> Iterator[Self]:
        """Return the figure of each pair of quantities."""
        return map(cls, pairs(names))

    def is_in(self, data: Results) -> bool:
        """Tell whether the run filled this plane."""
        return self.pair.plane in data.planes

    def title(self, facts: RunFacts) -> Markup:
        """Say in a few words what is drawn."""
        return self.pair.title(facts.record)

    def caption(self, facts: RunFacts) -> Markup:
        """State the events, and those of them that are flagged."""
        return Markup("{}.").format(flagged_text(facts.record.counts))

    def draw(self, data: Results) -> Figure:
        """Draw it."""
        return draw_plane(data.planes[self.pair.plane].all, data.caption)


@house_style()
def draw_plane(events: Plane, caption: Caption) -> Figure:
    """Draw the density of events, in a logarithmic colour scale; bins without events stay blank."""
    from matplotlib.colors import LogNorm
    from matplotlib.lines import Line2D

    figure = new_figure(caption, 7.0, 5.6)
    axes = figure.subplots()
    filled = events.values[events.values > 0]
    # An empty plane has no colours, but a colour bar needs a scale; one event a bin needs two ends.
    low = filled.min(initial=1.0)
    mesh = draw_mesh(axes, events, events.values > 0, LogNorm(low, max(filled.max(initial=low), 10 * low)), "viridis")
    axes.set_xlim(*occupied(events.xedges, events.values.sum(axis=1)))
    axes.set_ylim(*occupied(events.yedges, events.values.sum(axis=0)))
    figure.colorbar(mesh, ax=axes, label="Events / bin")
    beyond = f" and {count_text(events.outside)} beyond the axes" if events.outside else ""
    text = f"{count_text(events.values.sum())} events{beyond}"
    figure.legend(
        handles=[Line2D([], [], ls="", marker="s", ms=9, color=mesh.cmap(0.5), label=text)], loc="outside lower center"
    )
    return figure


def draw_mesh(axes: Axes, plane: Plane, shown: NDArray[np.bool_], norm: Normalize, colours: str) -> QuadMesh:
    """Colour the bins of a plane, and name its axes.

    Args:
        axes: to be drawn on.
        plane: of nx * ny bins.
        shown: bins that get a colour, shape (nx, ny).
        norm: what turns a number into a place in the colours.
        colours: name of matplotlib's colour map.
    """
    mesh = axes.pcolormesh(
        plane.xedges,
        plane.yedges,
        np.ma.masked_where(~shown, plane.values).T,
        norm=norm,
        cmap=colours,
        # As vectors, the cells of a large plane would make a slow PDF with hairlines between them.
        rasterized=True,
    )
    axes.set_xlabel(axis_text(plane.xtitle))
    axes.set_ylabel(axis_text(plane.ytitle))
    return mesh
