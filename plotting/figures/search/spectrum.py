"""The spectrum that is searched, with the function that describes it, and what is left over in each bin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from plotting.figures.search.figure import CutFigure, Numbers, axis_title, caption_of, cut_words
from plotting.results.search.record import SearchRecord
from plotting.style.axes import log_counts
from plotting.style.canvas import new_figure
from plotting.style.colours import ANOMALOUS, EVERYTHING, NORMAL
from plotting.style.house import house_style
from plotting.style.markup import number_markup
from plotting.style.wording import count_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FALLING = 20.0
"""Ratio of the largest to the smallest expectation above which the vertical axis is logarithmic."""


@dataclass(frozen=True)
class SpectrumFigure(CutFigure):
    """Spectrum, expectation and pulls of one cut."""

    @property
    def name(self) -> str:
        """Name of its files, without ending."""
        return f"spectrum_{self.place + 1}"

    def is_in(self, data: SearchRecord) -> bool:
        """Tell whether the cut was opened."""
        return self.cut(data).opened

    def title(self, facts: SearchRecord) -> Markup:
        """Say in a few words what is drawn."""
        return Markup.escape(f"Spectrum of {cut_words(self.cut(facts))}")

    def caption(self, facts: SearchRecord) -> Markup:
        """State the function and its deviance."""
        cut = self.cut(facts)
        hidden = " The region that is blinded was left out of the fit." if facts.status == "blinded" else ""
        return Markup("{} events, described by {}: deviance {} for {} degrees of freedom.{}").format(
            count_text(cut.events or 0), cut.function, number_markup(cut.deviance), cut.ndf, hidden
        )

    def draw(self, data: SearchRecord) -> Figure:
        """Draw it."""
        return draw_spectrum(data, self.place)


def pulls(counts: Numbers, expected: Numbers) -> Numbers:
    """Return the signed roots of the deviance of each bin; NaN where the bin is not looked at."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where(counts > 0, counts * np.log(counts / expected), 0.0)
        return np.asarray(np.sign(counts - expected) * np.sqrt(2 * np.maximum(expected - counts + logs, 0)))


@house_style()
def draw_spectrum(record: SearchRecord, place: int) -> Figure:
    """Draw the spectrum of a cut, its expectation, and below them the pulls.

    Args:
        record: of the search.
        place: of the cut.
    """
    cut = record.cuts[place]
    edges, expected = np.array(record.edges), np.array(cut.expected)
    counts = np.array([np.nan if count is None else count for count in cut.counts])
    centres, widths = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    figure = new_figure(caption_of(record), 7.0, 6.0)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1.25))
    seen = ~np.isnan(counts)
    upper.errorbar(
        centres[seen], counts[seen], np.sqrt(counts[seen]), fmt="o", ms=3.5, color="black", lw=1, label="data"
    )
    upper.stairs(expected, edges, color=NORMAL, lw=1.8, label=cut.function)
    largest = record.largest
    if largest is not None and largest.cut == cut.fraction:
        label = f"largest excess, {largest.z:.2f} standard deviations"
        for axes in (upper, lower):
            axes.axvline(largest.mass, color=ANOMALOUS, lw=1.2, ls="--", label=label)
    region = record.configuration.get("signal_region")
    if region is not None:
        for axes in (upper, lower):
            axes.axvspan(*region, color=EVERYTHING, alpha=0.2, lw=0, label="region")
    for window in record.configuration.get("mask", ()):
        for axes in (upper, lower):
            axes.axvspan(*window, color=EVERYTHING, alpha=0.5, lw=0, label="masked")
    if expected.max() > FALLING * max(expected.min(), 1e-9):
        filled = counts[seen & (counts > 0)]
        log_counts(upper, peak=float(np.nanmax(counts[seen], initial=1.0)), smallest=float(filled.min(initial=1.0)))
    else:
        upper.set_ylim(0, 1.35 * float(max(np.nanmax(counts[seen], initial=1.0), expected.max())))
    upper.set_ylabel("Events / bin")
    handles = dict(zip(*reversed(upper.get_legend_handles_labels()), strict=True))
    upper.legend(handles.values(), handles.keys(), loc="upper right")
    left = pulls(counts, expected)
    lower.bar(centres[seen], left[seen], widths[seen], color=NORMAL, alpha=0.6, lw=0)
    lower.axhline(0, color="0.3", lw=1)
    reach = max(3.5, 1.15 * float(np.nanmax(np.abs(left[seen]), initial=0.0)))
    lower.set_ylim(-reach, reach)
    lower.set_ylabel("pull", loc="center")
    lower.set_xlabel(axis_title(record))
    lower.set_xlim(edges[0], edges[-1])
    figure.align_ylabels()
    return figure
