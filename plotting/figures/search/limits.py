"""Upper limits on the events of a signal, with what is expected without one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from plotting.figures.search.figure import CutFigure, axis_title, caption_of, cut_words
from plotting.results.search.record import SearchRecord
from plotting.style.canvas import new_figure
from plotting.style.house import house_style
from plotting.style.markup import number_markup

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ONE, TWO = "#607641", "#F5BB54"
"""Colours of the bands of one and two standard deviations, as CMS draws them for any colour vision."""


@dataclass(frozen=True)
class LimitsFigure(CutFigure):
    """Limits of one cut."""

    @property
    def name(self) -> str:
        """Name of its files, without ending."""
        return f"limits_{self.place + 1}"

    def is_in(self, data: SearchRecord) -> bool:
        """Tell whether limits were found."""
        return len(self.cut(data).limits) > 1

    def title(self, facts: SearchRecord) -> Markup:
        """Say in a few words what is drawn."""
        return Markup.escape(f"Upper limits on a signal among {cut_words(self.cut(facts))}")

    def caption(self, facts: SearchRecord) -> Markup:
        """State the range of the expected limits, and where they come from toys."""
        limits = self.cut(facts).limits
        medians = [limit.expected[2] for limit in limits]
        said = Markup(
            "Limits at 95 % confidence level by CLs, on events that pass the selection; {} to {} are expected."
        ).format(number_markup(min(medians)), number_markup(max(medians)))
        thrown = [limit.toys for limit in limits if limit.by == "toys"]
        if not thrown:
            return said
        return said + Markup(
            " Dots are masses with fewer than ten background events within two standard deviations, whose limits come "
            "from toys, {} or more for each."
        ).format(number_markup(min(thrown)))

    def draw(self, data: SearchRecord) -> Figure:
        """Draw it."""
        return draw_limits(data, self.place)


@house_style()
def draw_limits(record: SearchRecord, place: int) -> Figure:
    """Draw observed and expected limits of a cut against the mass."""
    limits = record.cuts[place].limits
    masses = np.array([limit.mass for limit in limits])
    bands = np.array([limit.expected for limit in limits]).T
    figure = new_figure(caption_of(record), 7.0, 5.2)
    axes = figure.subplots()
    axes.fill_between(masses, bands[0], bands[4], color=TWO, lw=0, label="expected ± 2σ")
    axes.fill_between(masses, bands[1], bands[3], color=ONE, lw=0, label="expected ± 1σ")
    axes.plot(masses, bands[2], color="black", ls="--", lw=1.5, label="expected")
    by_toys = np.array([limit.by == "toys" for limit in limits])
    if by_toys.any():
        axes.plot(masses[by_toys], bands[2][by_toys], "o", color="black", ms=4, label="by toys")
    observed = np.array([np.nan if limit.observed is None else limit.observed for limit in limits])
    if not np.isnan(observed).all():
        axes.plot(masses, observed, color="black", lw=1.8, label="observed")
    drawn = np.concatenate([bands.ravel(), observed[~np.isnan(observed)]])
    axes.set_yscale("log")
    axes.set_ylim(drawn.min() / 2, 6 * drawn.max())
    axes.set_xlim(masses[0], masses[-1])
    axes.set_xlabel(axis_title(record))
    axes.set_ylabel("Upper limit on events (95 % CL)")
    axes.legend(loc="upper right")
    return figure
