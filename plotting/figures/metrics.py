"""The figures of merit of all detectors side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from plotting.figures.facts import EvaluationFacts
from plotting.figures.figure import NamedFigure
from plotting.figures.sentences import metric_of_each
from plotting.results.caption import Caption
from plotting.results.evaluation import Evaluated, Evaluation
from plotting.results.metrics import DetectorMetrics, Metric
from plotting.style.canvas import new_figure
from plotting.style.colours import detector_colours
from plotting.style.house import house_style
from plotting.style.wording import capitalised, words

if TYPE_CHECKING:
    from matplotlib.figure import Figure


# The recall is the true positive rate.
_SHOWN: Mapping[str, Callable[[DetectorMetrics], Metric]] = {
    "AUC": lambda found: found.auc,
    "accuracy": lambda found: found.accuracy,
    "precision": lambda found: found.precision,
    "recall (TPR)": lambda found: found.recall,
    "1 − FPR (TNR)": lambda found: found.tnr,
    "$F_{\\mathrm{1}}$": lambda found: found.f1,
}


class MetricsFigure(NamedFigure[Evaluation, EvaluationFacts]):
    """The figures of merit of all detectors."""

    section = "performance"
    name = "metrics"

    def title(self, facts: EvaluationFacts) -> Markup:
        """Say in a few words what is drawn."""
        return Markup("Figures of merit")

    def caption(self, facts: EvaluationFacts) -> Markup:
        """State two of the figures of merit."""
        return Markup("Accuracy: {}. F1: {}.").format(
            metric_of_each(facts, lambda found: found.accuracy), metric_of_each(facts, lambda found: found.f1)
        )

    def draw(self, data: Evaluation) -> Figure:
        """Draw it."""
        return draw_metrics(data.detectors, data.caption)


@house_style()
def draw_metrics(detectors: Mapping[str, Evaluated], caption: Caption) -> Figure:
    """Draw a point with its error for each detector and figure of merit; what is not defined is left out."""
    from matplotlib.lines import Line2D

    number = len(detectors)
    figure = new_figure(caption, 7.0, 1.4 + len(_SHOWN) * (0.3 + 0.14 * number) + 0.26 * number)
    axes = figure.subplots()
    colours = detector_colours(detectors)
    offsets = np.linspace(-0.32, 0.32, number) if number > 1 else np.zeros(1)
    for name, offset in zip(detectors, offsets, strict=True):
        for row, metric in enumerate(_SHOWN.values()):
            found = metric(detectors[name].numbers)
            if found.value is not None:
                axes.errorbar(
                    found.value, row + offset, xerr=found.error, fmt="o", ms=6, color=colours[name], capsize=2.5
                )
    for row in range(1, len(_SHOWN)):
        axes.axhline(row - 0.5, color="0.85", lw=0.8)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(len(_SHOWN) - 0.5, -0.5)
    axes.set_yticks(range(len(_SHOWN)), list(_SHOWN))
    axes.tick_params(axis="y", which="both", length=0)
    axes.set_ylabel("Figure of merit")
    axes.set_xlabel("Value, with its bootstrap error")
    handles = [Line2D([], [], color=colours[name], marker="o", label=capitalised(words(name))) for name in detectors]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(number, 2))
    return figure
