"""The significance of each cut in each of several windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from plotting.figures.search.cwola.figure import CwolaFigure, share_words
from plotting.figures.search.cwola.nulls import calibrated_cuts
from plotting.figures.search.figure import axis_title, caption_of
from plotting.results.search.cwola import Calibrated, CwolaRecord
from plotting.style.canvas import new_figure
from plotting.style.colours import sequence_colour
from plotting.style.house import house_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NOTABLE = 3.0
"""Significance from which physicists speak of evidence."""

MARKERS = "osD^vP"


@dataclass(frozen=True)
class ScanFigure(CwolaFigure):
    """Significances against the centre of the window."""

    @property
    def name(self) -> str:
        """Name of its files, without ending."""
        return "significances"

    def is_in(self, data: CwolaRecord) -> bool:
        """Tell whether the significance is known in several windows."""
        return sum(bool(calibrated_cuts(window)) for window in data.windows) > 1

    def title(self, facts: CwolaRecord) -> Markup:
        """Say in a few words what is drawn."""
        return Markup("Calibrated significance in each window")

    def caption(self, facts: CwolaRecord) -> Markup:
        """State the result."""
        return Markup.escape(facts.quote)

    def draw(self, data: CwolaRecord) -> Figure:
        """Draw it."""
        return draw_scan(data)


@house_style()
def draw_scan(record: CwolaRecord) -> Figure:
    """Draw the significance of each cut, with its error, against the centre of the region."""
    figure = new_figure(caption_of(record), 7.0, 5.2)
    axes = figure.subplots()
    found: dict[str, list[tuple[float, Calibrated]]] = {}
    for window in record.windows:
        for cut, calibrated in calibrated_cuts(window):
            found.setdefault(share_words(cut), []).append(((window.low + window.high) / 2, calibrated))
    drawn = []
    for number, (label, rows) in enumerate(found.items()):
        centres, z, errors = np.array([(centre, each.z, each.z_error) for centre, each in rows]).T
        marker, colour = MARKERS[number % len(MARKERS)], sequence_colour(number)
        axes.errorbar(centres, z, errors, fmt=marker, ms=6, lw=1.3, color=colour, label=label)
        drawn += [*(z - errors), *(z + errors)]
    axes.axhline(0, color="0.3", lw=1)
    axes.axhline(NOTABLE, color="0.3", lw=1, ls="--")
    axes.set_ylim(min(-3.5, 1.1 * min(drawn)), max(4.0, 1.1 * max(drawn)))
    axes.set_xlim(min(window.begin for window in record.windows), max(window.end for window in record.windows))
    axes.set_xlabel(axis_title(record))
    axes.set_ylabel("Calibrated $Z$")
    figure.legend(loc="outside lower center", ncols=2)
    return figure
