"""Why a function was chosen: the three conditions, for each function that was tried."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from plotting.figures.search.figure import CutFigure, caption_of, cut_words
from plotting.results.search.record import SearchRecord
from plotting.style.canvas import new_figure
from plotting.style.colours import EVERYTHING, NORMAL
from plotting.style.house import house_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LIKELIHOOD_RATIO, GOODNESS, SPURIOUS, SPURIOUS_LIMIT = 0.05, 0.01, 0.2, 0.5
"""The limits of the rule, as `rdf.statistics.fits.Rule` has them."""

FLOOR = 1e-4


@dataclass(frozen=True)
class FunctionsFigure(CutFigure):
    """The choice of the function of one cut."""

    @property
    def name(self) -> str:
        """Name of its files, without ending."""
        return f"functions_{self.place + 1}"

    def is_in(self, data: SearchRecord) -> bool:
        """Tell whether functions were tried."""
        return bool(self.cut(data).tried)

    def title(self, facts: SearchRecord) -> Markup:
        """Say in a few words what is drawn."""
        return Markup.escape(f"Choice of the function for {cut_words(self.cut(facts))}")

    def caption(self, facts: SearchRecord) -> Markup:
        """State why each function but one was not taken."""
        said = [f"{tried.label}: {tried.reason or 'chosen'}" for tried in self.cut(facts).tried]
        return Markup.escape("; ".join(said) + ".")

    def draw(self, data: SearchRecord) -> Figure:
        """Draw it."""
        return draw_functions(data, self.place)


@house_style()
def draw_functions(record: SearchRecord, place: int) -> Figure:
    """Draw the two probabilities and the spurious signal of each function, with the limits of the rule."""
    tried = record.cuts[place].tried
    figure = new_figure(caption_of(record), 8.5, 3.2 + 0.3 * len(tried))
    panels: list[Axes] = list(figure.subplots(1, 3, sharey=True))
    places = np.arange(len(tried))
    colours = [NORMAL if each.reason is None else EVERYTHING for each in tried]
    for axes, values, title, limits in (
        (panels[0], [each.likelihood_ratio_p for each in tried], "p, likelihood ratio", (LIKELIHOOD_RATIO,)),
        (panels[1], [each.goodness_p for each in tried], "p, goodness of fit", (GOODNESS,)),
        (panels[2], [each.spurious for each in tried], "spurious signal / error", (SPURIOUS, SPURIOUS_LIMIT)),
    ):
        is_probability = axes is not panels[2]
        numbers = np.array([np.nan if value is None else value for value in values])
        axes.barh(places, np.maximum(numbers, FLOOR) if is_probability else numbers, color=colours)
        if is_probability:
            axes.set_xscale("log")
            axes.set_xlim(FLOOR, 1)
        else:
            axes.set_xlim(0, min(max(1.0, 1.1 * float(np.nanmax(numbers, initial=0.0))), 5.0))
        for limit in limits:
            axes.axvline(limit, color="black", lw=1, ls="--")
        axes.set_xlabel(title, fontsize=13)
        axes.yaxis.set_tick_params(which="minor", left=False, right=False)
    panels[0].set_yticks(places, [each.label for each in tried], fontsize=12)
    panels[0].invert_yaxis()
    return figure
