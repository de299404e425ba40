"""The calibrated significance of each cut in each of several windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from plotting.figures.search.cwola.figure import CwolaFigure, share_words
from plotting.figures.search.figure import axis_title, caption_of
from plotting.results.search.cwola import Calibrated, CountedCut, CwolaRecord
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
    """Calibrated significances against the centre of the window."""

    @property
    def name(self) -> str:
        """Name of its files, without ending."""
        return "calibrated_z"

    def is_in(self, data: CwolaRecord) -> bool:
        """Tell whether several windows have a calibrated cut."""
        return sum(any(cut.calibrated is not None for cut in window.cuts) for window in data.windows) > 1

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
    """Draw the calibrated significance of each cut, with its error, against the centre of the window's region."""
    figure = new_figure(caption_of(record), 7.0, 5.2)
    axes = figure.subplots()
    found: dict[float, list[tuple[float, CountedCut, Calibrated]]] = {}
    for window in record.windows:
        for cut in window.cuts:
            if cut.calibrated is not None:
                centre = (window.low + window.high) / 2
                found.setdefault(cut.fraction, []).append((centre, cut, cut.calibrated))
    for number, rows in enumerate(found[fraction] for fraction in sorted(found, reverse=True)):
        axes.errorbar(
            [centre for centre, _, _ in rows],
            [calibrated.z for _, _, calibrated in rows],
            [calibrated.z_error for _, _, calibrated in rows],
            fmt=MARKERS[number % len(MARKERS)],
            ms=6,
            lw=1.3,
            color=sequence_colour(number),
            label=share_words(rows[0][1]),
        )
    axes.axhline(0, color="0.3", lw=1)
    axes.axhline(NOTABLE, color="0.3", lw=1, ls="--")
    drawn = np.array([calibrated.z for rows in found.values() for _, _, calibrated in rows])
    axes.set_ylim(min(-3.5, 1.2 * float(drawn.min())), max(4.0, 1.2 * float(drawn.max())))
    axes.set_xlim(min(window.begin for window in record.windows), max(window.end for window in record.windows))
    axes.set_xlabel(axis_title(record))
    axes.set_ylabel(r"Calibrated $Z$")
    figure.legend(loc="outside lower center", ncols=2)
    return figure
