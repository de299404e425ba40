"""The mass of two leptons, with the flagged events, and which fraction of the events is flagged at each mass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from plotting.figures.facts import RunFacts
from plotting.figures.figure import NamedFigure
from plotting.figures.sentences import flagged_text
from plotting.figures.systematics import merged, merged_bins
from plotting.results.caption import Caption
from plotting.results.histograms import Spectrum, Split
from plotting.results.moments import FloatArray
from plotting.results.run import Results
from plotting.style.axes import central, log_counts, number_text, unit_of
from plotting.style.canvas import new_figure
from plotting.style.colours import ANOMALOUS
from plotting.style.formulas import axis_text
from plotting.style.house import house_style
from plotting.style.wording import count_text

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.container import Container
    from matplotlib.figure import Figure


_SHOWN = 0.99  # fraction of the events; the few at the highest masses would squeeze all others
_LEAST = 20  # events of a merged bin whose flagged fraction is drawn


_MASS = "mll"  # the observable


class DileptonFigure(NamedFigure[Results, RunFacts]):
    """The mass of two leptons, with the flagged events."""

    section = "features"
    name = "mll_flagged"

    def is_in(self, data: Results) -> bool:
        """Tell whether the run recorded the mass."""
        return _MASS in data.spectra

    def title(self, facts: RunFacts) -> Markup:
        """Say in a few words what is drawn."""
        return Markup("Mass of two leptons, with the flagged events")

    def caption(self, facts: RunFacts) -> Markup:
        """State the events, and those of them that are flagged."""
        return Markup("{}.").format(flagged_text(facts.record.counts))

    def draw(self, data: Results) -> Figure:
        """Draw it."""
        return draw_dilepton_mass(data.spectra[_MASS], data.caption)


def wilson_interval(flagged: FloatArray, events: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the ends of the interval of one standard deviation around a fraction, both of shape (n,).

    E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209: unlike the normal approximation it stays between 0 and 1, and has
    a width where no event is flagged.

    Args:
        flagged: shape (n,).
        events: that these are part of, shape (n,), above zero.
    """
    centre = (flagged + 0.5) / (events + 1)
    width = np.sqrt(flagged * (1 - flagged / events) + 0.25) / (events + 1)
    return np.clip(centre - width, 0, 1), np.clip(centre + width, 0, 1)


@house_style()
def draw_dilepton_mass(mass: Split[Spectrum], caption: Caption) -> Figure:
    """Draw the events at each mass on a logarithmic scale, the flagged ones among them, and below the flagged fraction.

    Args:
        mass: of all, normal and anomalous events, with the same edges.
        caption: of the sample.
    """
    from matplotlib.lines import Line2D

    figure = new_figure(caption, 7.0, 6.0)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1.25))
    low, high = central(mass.all.edges, mass.all.values, _SHOWN)
    everything, flagged = (_between(kind, low, high) for kind in (mass.all, mass.anomalous))
    edges, events = everything.edges, everything.values
    centres, filled = (edges[1:] + edges[:-1]) / 2, events > 0
    flagged_steps = upper.stairs(
        flagged.values,
        edges,
        fill=True,
        color=ANOMALOUS,
        alpha=0.75,
        label=f"flagged by the ensemble ({count_text(flagged.total)})",
    )
    whole = upper.errorbar(
        centres[filled],
        events[filled],
        np.sqrt(everything.variances[filled]),
        fmt="o",
        ms=3.5,
        color="black",
        elinewidth=1,
        label=f"all ({count_text(everything.total)})",
    )
    handles: list[Artist | Container] = [whole, flagged_steps]
    if everything.outside:
        handles.append(Line2D([], [], ls="", label=f"{count_text(everything.outside)} not on the axis"))
    log_counts(upper, peak=events.max(initial=1.0), smallest=events[filled].min(initial=1.0))
    upper.set_ylabel(f"Events / {number_text(edges[1] - edges[0])} {axis_text(unit_of(mass.all.title))}".rstrip())
    upper.legend(handles=handles, loc="upper right")

    bins = merged_bins((everything,), _LEAST)
    if bins.size:
        total, anomalous = (merged(kind.values, bins) for kind in (everything, flagged))
        fraction = anomalous / total
        start, stop = wilson_interval(anomalous, total)
        borders = edges[bins]
        lower.errorbar(
            (borders[1:] + borders[:-1]) / 2,
            fraction,
            (fraction - start, stop - fraction),
            xerr=np.diff(borders) / 2,
            fmt="o",
            ms=3.5,
            color=ANOMALOUS,
            lw=1.2,
        )
        average = flagged.total / everything.total
        lower.axhline(average, color="0.5", lw=1.4, ls="--", label=f"average {100 * average:.3g} %")
        lower.legend(loc="upper left", fontsize=12)
    lower.set_ylim(0, 1.15)
    lower.set_ylabel("flagged\nfraction", loc="center", fontsize=12)
    lower.set_xlabel(axis_text(mass.all.title))
    lower.set_xlim(low, high)
    figure.align_ylabels()
    return figure


def _between(spectrum: Spectrum, low: float, high: float) -> Spectrum:
    """Return the bins of a histogram between two of its edges; the others are outside."""
    first, last = np.searchsorted(spectrum.edges, (low, high))
    values = spectrum.values[first:last]
    return Spectrum(
        spectrum.edges[first : last + 1],
        values,
        spectrum.variances[first:last],
        float(spectrum.total - values.sum()),
        spectrum.title,
    )
