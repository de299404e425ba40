"""The plane of a search by four regions, with the cuts, and the rectangles in which the prediction is tested."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from plotting.figures.figure import NamedFigure
from plotting.results.caption import Caption
from plotting.results.search.abcd import AbcdRecord, Axis
from plotting.style.canvas import new_figure
from plotting.style.colours import ANOMALOUS, EVERYTHING
from plotting.style.formulas import axis_text
from plotting.style.house import house_style
from plotting.style.wording import count_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAP = "Blues"


@dataclass(frozen=True)
class PlaneFigure(NamedFigure[AbcdRecord, AbcdRecord]):
    """A figure of a search in a plane."""

    section = "search"


@dataclass(frozen=True)
class RegionsFigure(PlaneFigure):
    """Events of the plane and its regions."""

    @property
    def name(self) -> str:
        """Name of its files, without ending."""
        return "plane"

    def is_in(self, data: AbcdRecord) -> bool:
        """Tell whether the search was not refused."""
        return data.plane is not None

    def title(self, facts: AbcdRecord) -> Markup:
        """Say in a few words what is drawn."""
        return Markup("The plane and its regions")

    def caption(self, facts: AbcdRecord) -> Markup:
        """State the number of events, and what is hidden."""
        hidden = " Those above the loosest cut on both axes are not shown." if facts.status == "blinded" else ""
        return Markup(
            "{} events.{} Lines are the cuts; dashed are the rectangles in which the prediction is tested. One event "
            "in a thousand lies beyond the end of each axis."
        ).format(count_text(facts.events or 0), hidden)

    def draw(self, data: AbcdRecord) -> Figure:
        """Draw it."""
        return draw_plane(data)


def title_of(axis: Axis) -> str:
    """Return the title of an axis with its unit."""
    return axis_text(f"{axis.title} [{axis.unit}]" if axis.unit else axis.title)


@house_style()
def draw_plane(record: AbcdRecord) -> Figure:
    """Draw the events of the plane in colours; what is hidden while blinded is hatched."""
    from matplotlib.colors import LogNorm

    plane = record.plane
    assert plane is not None
    counts = np.array([[np.nan if count is None else count for count in row] for row in plane.counts])
    first, second = np.array(plane.first_edges), np.array(plane.second_edges)
    figure = new_figure(Caption.of(record.sample), 8.0, 6.2)
    axes = figure.subplots()
    most = float(np.nanmax(counts, initial=2.0))
    image = axes.pcolormesh(
        first, second, np.where(counts > 0, counts, np.nan).T, norm=LogNorm(1, most), cmap=MAP, rasterized=True
    )
    figure.colorbar(image, ax=axes, label="Events / bin")
    if np.isnan(counts).any():
        _fill(axes, (record.cuts[0].first, first[-1]), (record.cuts[0].second, second[-1]))
    _draw_rings(axes, record, (first[-1], second[-1]))
    loosest, *tighter = record.cuts
    axes.axvline(loosest.first, color=ANOMALOUS, lw=1.8, label="loosest cut" if tighter else "cut")
    axes.axhline(loosest.second, color=ANOMALOUS, lw=1.8)
    for cut in tighter:
        corner = [cut.first, cut.first, first[-1]], [second[-1], cut.second, cut.second]
        axes.plot(*corner, color=ANOMALOUS, lw=1.2, ls=":", label="tighter cuts" if cut is tighter[0] else None)
    for name, x, y in (("A", 1, 1), ("B", 1, 0), ("C", 0, 1), ("D", 0, 0)):
        axes.annotate(
            name,
            (x, y),
            xycoords="axes fraction",
            xytext=(16 - 32 * x, 16 - 32 * y),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=16,
            bbox={"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.85},
        )
    axes.set_xlim(first[0], first[-1])
    axes.set_ylim(second[0], second[-1])
    axes.set_xlabel(title_of(record.axes[0]))
    axes.set_ylabel(title_of(record.axes[1]))
    figure.legend(loc="outside lower center", ncols=3, fontsize=13)
    return figure


def _fill(axes: Axes, across: tuple[float, float], up: tuple[float, float]) -> None:
    low, high = across
    axes.fill_between([low, high], *up, fc="white", ec=EVERYTHING, hatch="//", lw=0, label="blinded")


def _draw_rings(axes: Axes, record: AbcdRecord, ends: tuple[float, float]) -> None:
    """Draw the rectangles beside A that count."""
    closure = record.closure
    assert closure is not None
    label: str | None = "tested rectangles"
    for ring in closure.rings:
        if not ring.counted:
            continue
        (x, x_end), (y, y_end) = ring.first_values, ring.second_values
        right, top = ends[0] if x_end is None else x_end, ends[1] if y_end is None else y_end
        axes.plot([x, right, right, x, x], [y, y, top, top, y], color="black", lw=1.1, ls="--", label=label)
        label = None
