"""Where in the detector the leading objects of flagged events are: a map of the flagged share in eta and phi."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from plotting.figures.facts import RunFacts
from plotting.figures.figure import NamedFigure
from plotting.figures.planes import draw_mesh
from plotting.figures.sentences import flagged_text
from plotting.results.caption import Caption
from plotting.results.histograms import Plane, compare_shares
from plotting.results.moments import FloatArray
from plotting.results.run import Results
from plotting.style.axes import number_text
from plotting.style.canvas import new_figure
from plotting.style.house import house_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MERGED = 2
"""Bins of each axis that make a cell of the map."""
LEAST_EXPECTED = 3.0
"""Flagged events that a cell would have by chance, below which its share says nothing."""


class DirectionsFigure(NamedFigure[Results, RunFacts]):
    """The flagged share in cells of pseudorapidity and azimuth."""

    section = "detectors"
    name = "flagged_by_direction"

    def is_in(self, data: Results) -> bool:
        """Tell whether events have leading objects, and some are flagged."""
        return data.directions is not None and bool(data.directions[1].values.any())

    def title(self, facts: RunFacts) -> Markup:
        """Say in a few words what is drawn."""
        return Markup("Flagged share by the direction of the leading object")

    def caption(self, facts: RunFacts) -> Markup:
        """State the events, and those of them that are flagged."""
        return Markup(
            "{}. A cell that stands out from its neighbours at the same η is a faulty part of the detector first."
        ).format(flagged_text(facts.record.counts))

    def draw(self, data: Results) -> Figure:
        """Draw it."""
        assert data.directions is not None
        return draw_directions(*data.directions, data.caption)


@house_style()
def draw_directions(everything: Plane, flagged: Plane, caption: Caption) -> Figure:
    """Draw the flagged share of each cell; cells that say nothing stay white.

    Args:
        everything: all events, by eta and phi.
        flagged: those that are flagged.
        caption: of the sample.
    """
    from matplotlib.colors import Normalize

    all_events, some = (_merged(plane.values) for plane in (everything, flagged))
    average = some.sum() / all_events.sum()
    shown = all_events * average >= LEAST_EXPECTED
    share = 100 * np.divide(some, all_events, out=np.zeros_like(some), where=all_events > 0)
    figure = new_figure(caption, 7.0, 5.0)
    axes = figure.subplots()
    cells = replace(everything, xedges=everything.xedges[::MERGED], yedges=everything.yedges[::MERGED], values=share)
    top = float(share[shown].max(initial=100 * average))
    mesh = draw_mesh(axes, cells, shown, Normalize(0, top), "viridis_r")
    figure.colorbar(mesh, ax=axes, label="Flagged by the ensemble [%]")
    filled = np.flatnonzero((shown if shown.any() else all_events > 0).any(axis=1))
    axes.set_xlim(cells.xedges[filled[0]], cells.xedges[filled[-1] + 1])
    azimuth = compare_shares(all_events.sum(axis=0).tolist(), some.sum(axis=0).tolist())
    along = f"; against $\\phi$: $\\chi^2$ = {azimuth.chi2:.1f} for {azimuth.freedom}" if azimuth else ""
    axes.set_title(f"all: {number_text(100 * average)} %{along}", fontsize=13, loc="left")
    return figure


def _merged(values: FloatArray) -> FloatArray:
    """Return the sums of neighbouring bins of both axes."""
    rows, columns = values.shape
    return np.asarray(values.reshape(rows // MERGED, MERGED, columns // MERGED, MERGED).sum(axis=(1, 3)))
