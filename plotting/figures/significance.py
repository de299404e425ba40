"""Significance improvement: by which factor a cut on the score raises the significance of a signal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from plotting.figures.facts import EvaluationFacts
from plotting.figures.figure import NamedFigure
from plotting.figures.sentences import metric_of_each
from plotting.results.caption import Caption
from plotting.results.evaluation import Evaluated, Evaluation
from plotting.style.canvas import new_figure
from plotting.style.colours import detector_colours
from plotting.style.house import house_style
from plotting.style.wording import capitalised, with_error, words

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class SignificanceFigure(NamedFigure[Evaluation, EvaluationFacts]):
    """The significance improvement of all detectors."""

    section = "performance"
    name = "significance"

    def title(self, facts: EvaluationFacts) -> Markup:
        """Say in a few words what is drawn."""
        return Markup("Significance improvement")

    def caption(self, facts: EvaluationFacts) -> Markup:
        """State the largest improvement of each detector."""
        return Markup("Largest improvement: {}.").format(metric_of_each(facts, lambda found: found.max_sic))

    def draw(self, data: Evaluation) -> Figure:
        """Draw it."""
        return draw_significance(data.detectors, data.caption)


@house_style()
def draw_significance(detectors: Mapping[str, Evaluated], caption: Caption) -> Figure:
    """Draw the improvement against the signal efficiency, with a dot at each maximum, which the legend gives.

    Where few background events pass, all curves are on one line through the origin; the legend says how few.
    """
    from matplotlib.lines import Line2D

    figure = new_figure(caption, 7.0, 5.1 + 0.29 * (len(detectors) + 2))
    axes = figure.subplots()
    efficiency = np.linspace(0, 1, 200)
    # As much signal as background passes: eps / sqrt(eps).
    random = axes.plot(efficiency, np.sqrt(efficiency), color="0.5", ls=":", lw=1.5, label="Random choice")
    handles = []
    for name, colour in detector_colours(detectors).items():
        if (detector := detectors.get(name)) is None:
            continue
        axes.plot(detector.significance.x, detector.significance.y, color=colour, lw=1.8)
        best = detector.numbers.max_sic
        if best.value is not None and best.tpr is not None:
            axes.plot(best.tpr, best.value, "o", color=colour, ms=8, mec="black", zorder=3)
        text = f"{capitalised(words(name))}, maximum {with_error(best.value, best.error)}"
        handles.append(Line2D([], [], color=colour, lw=2, marker="o", ms=8, mec="black", label=text))
    axes.set_xlim(0, 1)
    axes.set_ylim(0, None)
    axes.tick_params(axis="x", pad=10)  # the zeros of both axes meet in the corner
    axes.set_xlabel(r"Signal efficiency $\epsilon_S$")
    axes.set_ylabel(r"Significance improvement $\epsilon_S$ / $\sqrt{\epsilon_B}$")
    fewest = max((detector.min_background for detector in detectors.values()), default=0)
    figure.legend(
        handles=[*handles, *random],
        loc="outside lower center",
        ncols=1,
        title=rf"Fewer than {fewest} background events count as {fewest} in $\epsilon_B$",
    )
    return figure
