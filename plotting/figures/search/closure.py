"""How well A = B C / D holds beside A, and what it gives in A."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from plotting.figures.search.plane import PlaneFigure
from plotting.results.caption import Caption
from plotting.results.search.abcd import AbcdRecord, Ring
from plotting.style.canvas import new_figure
from plotting.style.colours import ANOMALOUS, EVERYTHING, NORMAL
from plotting.style.house import house_style
from plotting.style.markup import number_markup

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LARGEST_PULL = 3.0
"""Pull beyond which a search is refused, as `analysis.search.abcd.closure` has it."""


@dataclass(frozen=True)
class ClosureFigure(PlaneFigure):
    """Pulls of the rectangles beside A, and of the cuts."""

    @property
    def name(self) -> str:
        """Name of its files, without ending."""
        return "closure"

    def is_in(self, data: AbcdRecord) -> bool:
        """Tell whether the closure was measured and the search not refused."""
        return data.closure is not None

    def title(self, facts: AbcdRecord) -> Markup:
        """Say in a few words what is drawn."""
        return Markup("Does the prediction hold beside the cuts?")

    def caption(self, facts: AbcdRecord) -> Markup:
        """State chi-squared, the mean ratio and the correlations."""
        closure = facts.closure
        assert closure is not None
        said = Markup(
            "Chi-squared {} for {} rectangles; observed over expected events {:.3f} ± {:.3f}; an error of {} %."
        ).format(
            number_markup(closure.chi2),
            closure.ndf,
            closure.ratio,
            closure.ratio_error,
            number_markup(100 * closure.error),
        )
        for found in closure.correlations:
            said += Markup(" Rank correlation below the cut on {}: {:.3f} ± {:.3f}.").format(
                found.below, found.value, found.error
            )
        if len(facts.cuts) > 1:
            said += Markup(" The cuts are nested: each lies within the one before it, and so do its events.")
        said += Markup(" Pulls are without the error of the closure.")
        if facts.pairs_tried > 1:
            said += Markup(" The pair of axes is one of {} that were looked at.").format(facts.pairs_tried)
        return said

    def draw(self, data: AbcdRecord) -> Figure:
        """Draw it."""
        return draw_closure(data)


def ring_label(ring: Ring) -> str:
    """Return the quantiles between which a rectangle lies."""
    spans = [f"{100 * low:g}–{100 * high:g} %" for low, high in (ring.first, ring.second)]
    return spans[0] if spans[0] == spans[1] else " × ".join(spans)


@house_style()
def draw_closure(record: AbcdRecord) -> Figure:
    """Draw a bar for each rectangle that counts, as long as its pull, and one for each cut that was looked at."""
    closure = record.closure
    assert closure is not None
    bars = [(ring_label(ring), ring.pull, ring.observed, ring.expected) for ring in closure.rings if ring.counted]
    beside = len(bars)
    for cut in record.cuts:
        if cut.pull is not None and cut.a is not None and cut.expected is not None:
            bars.append((f"A, highest {100 * cut.fraction:g} %", cut.pull, cut.a, cut.expected))
    figure = new_figure(Caption.of(record.sample), 8.0, 2.6 + 0.42 * len(bars))
    axes = figure.subplots()
    places = range(len(bars))
    colours = [NORMAL if place < beside else ANOMALOUS for place in places]
    axes.barh(places, [pull for _, pull, _, _ in bars], color=colours, height=0.7)
    reach = max(LARGEST_PULL + 0.5, 1.15 * max(abs(pull) for _, pull, _, _ in bars))
    for place, (_, _, observed, expected) in enumerate(bars):
        axes.annotate(
            f"{observed:,} on {expected:,.4g}",
            (1.01, place),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=11,
        )
    for side in (-LARGEST_PULL, LARGEST_PULL):
        axes.axvline(side, color=EVERYTHING, lw=1, ls="--")
    axes.axvline(0, color="0.3", lw=1)
    axes.set_xlim(-reach, reach)
    axes.set_yticks(places, [label for label, _, _, _ in bars], fontsize=11)
    axes.yaxis.set_tick_params(which="minor", left=False, right=False)
    axes.invert_yaxis()
    axes.set_xlabel("(observed − expected) / error")
    return figure
