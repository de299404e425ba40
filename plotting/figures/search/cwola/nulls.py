"""Significances of background-only data sets, each of which went through the whole procedure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from plotting.figures.search.cwola.figure import WindowFigure, deviations, region_words, share_words
from plotting.figures.search.figure import caption_of
from plotting.results.search.cwola import Calibrated, CountedCut, CwolaRecord, SearchedWindow
from plotting.style.canvas import new_figure
from plotting.style.colours import ANOMALOUS, EVERYTHING, NORMAL
from plotting.style.formulas import literal
from plotting.style.house import house_style
from plotting.style.markup import number_markup
from plotting.style.wording import count_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FEWEST_BINS, MOST_BINS = 8, 40

BELOW_LEGEND = 0.58
"""Fraction of the height of a panel that the legend leaves."""


@dataclass(frozen=True)
class NullsFigure(WindowFigure):
    """Significances without a signal, for each calibrated cut of one window."""

    @property
    def name(self) -> str:
        """Name of its files, without ending."""
        return f"nulls_{self.place + 1}"

    def is_in(self, data: CwolaRecord) -> bool:
        """Tell whether a cut was calibrated."""
        return bool(calibrated_cuts(self.window(data)))

    def title(self, facts: CwolaRecord) -> Markup:
        """Say in a few words what is drawn."""
        return Markup.escape(f"Significances without a signal, region from {region_words(self.window(facts), facts)}")

    def caption(self, facts: CwolaRecord) -> Markup:
        """State where the data lie among the background-only sets."""
        told = [
            Markup("{}: {}, so that p = {}").format(share_words(cut), _above_words(found), number_markup(found.p))
            for cut, found in calibrated_cuts(self.window(facts))
        ]
        refused = f" Sets that the procedure refused, which do not count: {count_text(facts.refused_sets)}."
        again = ", training included" if facts.learned_here else ""
        return Markup("Each set went through the whole procedure{}. {}.{}").format(
            again,
            Markup(". ").join(each[:1].upper() + each[1:] for each in told),
            refused if facts.refused_sets else "",
        )

    def draw(self, data: CwolaRecord) -> Figure:
        """Draw it."""
        return draw_nulls(data, self.place)


def calibrated_cuts(window: SearchedWindow) -> list[tuple[CountedCut, Calibrated]]:
    """Return the cuts whose significance was calibrated, each with its calibration."""
    return [(cut, cut.calibrated) for cut in window.cuts if cut.calibrated is not None]


def _above_words(found: Calibrated) -> str:
    verb = "is" if found.above == 1 else "are"
    return f"{count_text(found.above)} of {count_text(found.sets)} sets {verb} at least as significant as the data"


@house_style()
def draw_nulls(record: CwolaRecord, place: int) -> Figure:
    """Draw the significances of background-only sets, for the calibrated cuts of a window one below the other.

    Args:
        record: of the search.
        place: of the window.
    """
    window = record.windows[place]
    calibrated = calibrated_cuts(window)
    figure = new_figure(caption_of(record), 7.0, 1.0 + 3.3 * len(calibrated))
    panels: list[Axes] = list(figure.subplots(len(calibrated), 1, sharex=True, squeeze=False)[:, 0])
    values = [z for cut, found in calibrated for z in (*found.nulls, *([] if cut.z is None else [cut.z]))]
    margin = 0.05 * (max(values) - min(values)) + 0.2
    for axes, (cut, found) in zip(panels, calibrated, strict=True):
        _draw_distribution(axes, cut, found)
        axes.set_ylabel("Sets / bin")
    panels[-1].set_xlim(min(values) - margin, max(values) + margin)
    panels[-1].set_xlabel(f"$Z$ in the region from {literal(region_words(window, record))}")
    figure.align_ylabels()
    return figure


def _draw_distribution(axes: Axes, cut: CountedCut, found: Calibrated) -> None:
    bins = int(np.clip(np.sqrt(len(found.nulls)), FEWEST_BINS, MOST_BINS))
    heights, edges = np.histogram(found.nulls, bins)
    label = f"{count_text(found.sets)} background-only sets, {share_words(cut)}"
    axes.stairs(heights, edges, fill=True, color=EVERYTHING, alpha=0.5, label=label)
    peak = float(heights.max())
    if found.width > 0:
        z = np.linspace(found.mean - 4 * found.width, found.mean + 4 * found.width, 200)
        scale = len(found.nulls) * (edges[1] - edges[0]) / (found.width * np.sqrt(2 * np.pi))
        label = f"normal curve: mean {deviations(found.mean)}, width {deviations(found.width)}"
        axes.plot(z, scale * np.exp(-(((z - found.mean) / found.width) ** 2) / 2), color=NORMAL, lw=1.8, label=label)
        peak = max(peak, float(scale))
    if cut.z is not None:
        label = f"data: Z = {deviations(cut.z)}; {count_text(found.above)} sets at or above"
        axes.axvline(cut.z, ymax=BELOW_LEGEND, color=ANOMALOUS, lw=1.8, ls="--", label=label)
    axes.set_ylim(0, peak / BELOW_LEGEND)
    axes.legend(loc="upper left", fontsize=12)
