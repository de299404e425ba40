"""How many events are left after each step of the selection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from plotting.figures.facts import RunFacts
from plotting.figures.figure import NamedFigure
from plotting.figures.sentences import fraction_text, listed
from plotting.results.caption import Caption
from plotting.results.histograms import Cutflow
from plotting.results.run import Results
from plotting.style.axes import number_text
from plotting.style.canvas import new_figure
from plotting.style.colours import NORMAL
from plotting.style.house import house_style
from plotting.style.markup import share_text
from plotting.style.wording import capitalised, count_text, words

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class CutflowFigure(NamedFigure[Results, RunFacts]):
    """The events that are left after each step of the selection."""

    section = "selection"
    name = "cutflow"

    def title(self, facts: RunFacts) -> Markup:
        """Say in a few words what is drawn."""
        return Markup("Events after each step of the selection")

    def caption(self, facts: RunFacts) -> Markup:
        """State the events after each step, and the share that passes all."""
        steps = facts.record.cutflow
        events = [f"{words(step.name)} {count_text(step.events)}" for step in steps]
        kept = f"{fraction_text(steps[-1].events, steps[0].events)} pass the whole selection"
        weights, negative = steps[-1].weighted, steps[-1].negative
        if weights is not None:
            kept += f", with {share_text(weights, steps[0].weighted or 0.0)} of the weights"
        if negative:
            kept += f"; {fraction_text(negative, steps[-1].events, 'of these')} have a negative weight"
        return Markup("{}; {}.").format(capitalised(listed(events)), kept)

    def draw(self, data: Results) -> Figure:
        """Draw it."""
        return draw_cutflow(data.cutflow, data.caption)


@house_style()
def draw_cutflow(cutflow: Cutflow, caption: Caption) -> Figure:
    """Draw a bar for each step, from the first down, with the events and their share of the first step."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    number = len(cutflow.steps)
    figure = new_figure(caption, 7.0, 1.8 + 0.5 * max(number, 2))
    axes = figure.subplots()
    first = cutflow.events[0] if number else 0.0
    full = max([*cutflow.events, 1.0])
    label = "events left (share of all that were read)"
    axes.barh(range(number), cutflow.events, height=0.62, color=NORMAL, alpha=0.8, label=label)
    for row, events in enumerate(cutflow.events):
        share = f"  ({100 * events / first:.4g} %)" if row and first else ""
        if cutflow.weights:
            weight, all_weights = cutflow.weights[row], cutflow.weights[0]
            part = f", {100 * weight / all_weights:.4g} %" if row and all_weights else ""
            share += f"\nweights {number_text(weight, 4)}{part}"
        axes.text(events + 0.015 * full, row, count_text(events) + share, va="center", size=12.5)
    axes.set_xlim(0, (1.65 if cutflow.weights else 1.42) * full)
    axes.set_ylim(number - 0.4, -0.6)
    axes.set_yticks(range(number), [words(step) for step in cutflow.steps], parse_math=False)
    axes.tick_params(axis="y", which="both", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_xlabel("Events")
    axes.set_ylabel("Selection")
    figure.legend(loc="outside lower center", fontsize=13)
    return figure
