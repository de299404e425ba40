"""Whether a cut shapes the spectrum: the fraction of events that pass it, against the observable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from plotting.figures.search.figure import CutFigure, axis_title, caption_of, cut_words
from plotting.results.search.record import Sculpting, SearchRecord
from plotting.style.canvas import new_figure
from plotting.style.colours import ANOMALOUS
from plotting.style.house import house_style
from plotting.style.markup import number_markup

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class SculptingFigure(CutFigure):
    """Passing fraction of one cut."""

    @property
    def name(self) -> str:
        """Name of its files, without ending."""
        return f"sculpting_{self.place + 1}"

    def is_in(self, data: SearchRecord) -> bool:
        """Tell whether the cut selects events by a score."""
        return self.cut(data).sculpting is not None

    def title(self, facts: SearchRecord) -> Markup:
        """Say in a few words what is drawn."""
        return Markup.escape(f"Does the score shape the spectrum? {cut_words(self.cut(facts)).capitalize()}")

    def caption(self, facts: SearchRecord) -> Markup:
        """State how much the fraction varies."""
        found = self.cut(facts).sculpting
        assert found is not None
        return variation_markup(found)

    def draw(self, data: SearchRecord) -> Figure:
        """Draw it."""
        return draw_sculpting(data, self.place)


def variation_markup(found: Sculpting) -> Markup:
    """State how much the fraction that passes a cut varies."""
    most = "some slice passes no event" if found.ratio is None else f"by a factor of {found.ratio:.2f}"
    return Markup("The fraction varies {} over the range; chi-squared of a constant {} for {}.").format(
        most, number_markup(found.chi2), found.ndf
    )


@house_style()
def draw_sculpting(record: SearchRecord, place: int) -> Figure:
    """Draw the fraction of events that pass a cut in slices of the observable."""
    found = record.cuts[place].sculpting
    assert found is not None
    figure = new_figure(caption_of(record), 7.0, 4.8)
    axes = figure.subplots()
    draw_fractions(axes, found)
    axes.set_xlim(record.edges[0], record.edges[-1])
    axes.set_xlabel(axis_title(record))
    axes.legend(loc="upper right")
    return figure


def draw_fractions(axes: Axes, found: Sculpting) -> None:
    """Draw the fraction of events that pass a cut in slices of the observable, and that of all slices as a line."""
    low, high = (np.array([getattr(each, side) for each in found.slices]) for side in ("low", "high"))
    events, passed = (np.array([getattr(each, what) for each in found.slices]) for what in ("events", "passed"))
    share = passed / np.maximum(events, 1)
    error = np.sqrt(np.maximum(share * (1 - share), 0) / np.maximum(events, 1))
    axes.errorbar((low + high) / 2, share, error, xerr=(high - low) / 2, fmt="o", ms=4, color=ANOMALOUS, lw=1.3)
    axes.axhline(passed.sum() / max(events.sum(), 1), color="0.4", lw=1, ls="--", label="all slices")
    axes.set_ylim(0, 1.35 * float((share + error).max()))
    axes.tick_params("x", which="major", pad=11)  # the number of the corner would touch the zero beside it
    axes.set_ylabel("Fraction that passes")
