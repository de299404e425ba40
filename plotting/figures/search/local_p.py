"""The local p-value of a signal at each mass, and the global one of the largest excess."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from plotting.figures.search.figure import SearchFigure, axis_title, caption_of, cut_words
from plotting.results.search.record import SearchRecord
from plotting.style.canvas import new_figure
from plotting.style.colours import ANOMALOUS, sequence_colour
from plotting.style.house import house_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIGMAS = (1, 2, 3, 4, 5)
SMALLEST = 1e-30
"""Probability below which the axis does not go: what is smaller stands at its end."""


@dataclass(frozen=True)
class LocalPFigure(SearchFigure):
    """Local p-values of all cuts."""

    @property
    def name(self) -> str:
        """Name of its files, without ending."""
        return "local_p"

    def is_in(self, data: SearchRecord) -> bool:
        """Tell whether the data were looked at."""
        return data.largest is not None

    def title(self, facts: SearchRecord) -> Markup:
        """Say in a few words what is drawn."""
        return Markup("Local p-value at each mass")

    def caption(self, facts: SearchRecord) -> Markup:
        """State the largest excess."""
        return Markup.escape(facts.quote)

    def draw(self, data: SearchRecord) -> Figure:
        """Draw it."""
        return draw_local_p(data)


@house_style()
def draw_local_p(record: SearchRecord) -> Figure:
    """Draw the local p-values of all cuts against the mass; a dot marks the global one of the largest excess."""
    from scipy.stats import norm

    figure = new_figure(caption_of(record), 7.0, 5.2)
    axes = figure.subplots()
    least = 1e-7
    for number, cut in enumerate(cut for cut in record.cuts if cut.masses):
        masses = np.array([row.mass for row in cut.masses])
        z = np.array([np.nan if row.z is None else row.z for row in cut.masses])
        given = np.array([np.nan if row.p is None else row.p for row in cut.masses])
        p = np.maximum(np.where(np.isnan(given), norm.sf(z), given), SMALLEST)
        least = min(least, float(np.nanmin(p, initial=1.0)))
        axes.plot(masses, p, color=sequence_colour(number), lw=1.8, label=cut_words(cut))
    largest = record.largest
    assert largest is not None
    shown = max(largest.global_p, SMALLEST)
    least = min(least, shown)
    label = f"global p of the largest, {largest.global_p:.2g}"
    axes.plot([largest.mass], [shown], "o", ms=8, color=ANOMALOUS, mec="black", label=label)
    axes.set_yscale("log")
    axes.set_ylim(max(least / 30, SMALLEST / 1e3), 3)
    axes.set_xlim(record.edges[0], record.edges[-1])
    for sigma in SIGMAS:
        axes.axhline(norm.sf(sigma), color="0.6", lw=0.8, ls=":")
        axes.annotate(
            f"{sigma}σ", (1.005, norm.sf(sigma)), xycoords=("axes fraction", "data"), va="center", fontsize=12
        )
    axes.set_xlabel(axis_title(record))
    axes.set_ylabel("Local p-value")
    figure.legend(loc="outside lower center", ncols=1)
    return figure
