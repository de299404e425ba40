"""Which share of the events is flagged in each run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from plotting.figures.dilepton import wilson_interval
from plotting.figures.facts import RunFacts
from plotting.figures.figure import NamedFigure
from plotting.figures.sentences import flagged_text
from plotting.results.caption import Caption
from plotting.results.histograms import Shares, compare_shares
from plotting.results.run import Results
from plotting.style.canvas import new_figure
from plotting.style.colours import ANOMALOUS
from plotting.style.house import house_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NAMED = 24  # runs whose numbers have room below the axis


class RunsFigure(NamedFigure[Results, RunFacts]):
    """The flagged share of each run."""

    section = "detectors"
    name = "flagged_by_run"

    def is_in(self, data: Results) -> bool:
        """Tell whether there are several runs."""
        return data.runs is not None and len(data.runs.labels) > 1

    def title(self, facts: RunFacts) -> Markup:
        """Say in a few words what is drawn."""
        return Markup("Flagged share of each run")

    def caption(self, facts: RunFacts) -> Markup:
        """State the events, and those of them that are flagged."""
        return Markup("{}.").format(flagged_text(facts.record.counts))

    def draw(self, data: Results) -> Figure:
        """Draw it."""
        assert data.runs is not None
        return draw_runs(data.runs, data.caption)


@house_style()
def draw_runs(runs: Shares, caption: Caption) -> Figure:
    """Draw the flagged share of each run, and that of all of them.

    Args:
        runs: in their order.
        caption: of the sample.
    """
    from matplotlib.ticker import FixedLocator, MaxNLocator

    figure = new_figure(caption, 7.0, 4.9)
    axes = figure.subplots()
    events, flagged = np.array(runs.events), np.array(runs.flagged)
    places = np.arange(len(events))
    share, average = 100 * flagged / events, 100 * flagged.sum() / events.sum()
    low, high = (100 * end for end in wilson_interval(flagged, events))
    axes.errorbar(
        places, share, (share - low, high - share), fmt="o", ms=4, color=ANOMALOUS, lw=1.4, label="events of a run"
    )
    test = compare_shares(runs.events, runs.flagged)
    compared = f", $\\chi^2$ = {test.chi2:.1f} for {test.freedom}" if test else ""
    axes.axhline(average, color="0.5", lw=1.4, ls="--", label=f"all, {average:.3g} %{compared}")
    if len(places) <= _NAMED:
        axes.xaxis.set_major_locator(FixedLocator(places.tolist()))
        axes.set_xticklabels(runs.labels, rotation=90 if len(places) > 6 else 0, fontsize=11)
        axes.set_xlabel("Run")
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel(f"Runs {runs.labels[0]} to {runs.labels[-1]}, in their order")
    axes.xaxis.minorticks_off()
    axes.set_xlim(-0.6, len(places) - 0.4)
    axes.set_ylim(0, 1.25 * float(np.max(high)))
    axes.set_ylabel("Flagged by the ensemble [%]")
    figure.legend(loc="outside lower center", ncols=2, fontsize=13)
    return figure
