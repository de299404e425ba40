"""ROC curves: the signal that passes a cut on the score against the background that passes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

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
from plotting.style.wording import capitalised, count_text, with_error, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D


_DIAGONAL: Mapping[str, Any] = {"color": "0.5", "ls": ":", "lw": 1.5}


class RocFigure(NamedFigure[Evaluation, EvaluationFacts]):
    """The ROC curves of all detectors."""

    section = "performance"
    name = "roc"

    def title(self, facts: EvaluationFacts) -> Markup:
        """Say in a few words what is drawn."""
        return Markup("Signal efficiency against background efficiency")

    def caption(self, facts: EvaluationFacts) -> Markup:
        """State the events, and the area under each curve."""
        return _areas(facts)

    def draw(self, data: Evaluation) -> Figure:
        """Draw it."""
        return draw_roc(data.detectors, data.caption)


class LogRocFigure(NamedFigure[Evaluation, EvaluationFacts]):
    """The ROC curves with a logarithmic background efficiency."""

    section = "performance"
    name = "roc_log"

    def title(self, facts: EvaluationFacts) -> Markup:
        """Say in a few words what is drawn."""
        return Markup("The same for small background efficiencies")

    def caption(self, facts: EvaluationFacts) -> Markup:
        """State the events, and the area under each curve."""
        return _areas(facts)

    def draw(self, data: Evaluation) -> Figure:
        """Draw it."""
        return draw_roc_log(data.detectors, data.caption)


def _areas(facts: EvaluationFacts) -> Markup:
    tested = next(iter(facts.metrics.values()))
    return Markup("{} signal and {} background events. Area under the curve: {}.").format(
        count_text(tested.signal), count_text(tested.background), metric_of_each(facts, lambda found: found.auc)
    )


@house_style()
def draw_roc(detectors: Mapping[str, Evaluated], caption: Caption) -> Figure:
    """Draw the ROC curves of all detectors, with the area below each and its error in the legend."""
    figure = new_figure(caption, 7.0, _height(detectors))
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], **_DIAGONAL)
    _draw_curves(axes, detectors)
    axes.set_xlim(0, 1)
    axes.tick_params(axis="x", pad=10)  # the zeros of both axes meet in the corner
    axes.set_aspect("equal")
    figure.legend(handles=_legend(detectors), loc="outside lower center", ncols=1)
    return figure


@house_style()
def draw_roc_log(detectors: Mapping[str, Evaluated], caption: Caption) -> Figure:
    """Draw the same curves with a logarithmic background efficiency, down to one event."""
    figure = new_figure(caption, 7.0, _height(detectors) - 1.3)
    axes = figure.subplots()
    lowest = min(
        (float(curve.x[curve.x > 0].min(initial=0.5)) for curve in (d.roc for d in detectors.values())), default=0.5
    )
    line = np.geomspace(lowest, 1, 200)
    axes.plot(line, line, **_DIAGONAL)
    _draw_curves(axes, detectors)
    axes.set_xscale("log")
    axes.set_xlim(lowest, 1)
    figure.legend(handles=_legend(detectors), loc="outside lower center", ncols=1)
    return figure


def _draw_curves(axes: Axes, detectors: Mapping[str, Evaluated]) -> None:
    colours = detector_colours(detectors)
    for name, detector in detectors.items():
        axes.plot(detector.roc.x, detector.roc.y, color=colours[name], lw=1.8)
    axes.set_ylim(0, 1)
    axes.set_xlabel("Background efficiency (FPR)")
    axes.set_ylabel("Signal efficiency (TPR)")


def _legend(detectors: Mapping[str, Evaluated]) -> list[Line2D]:
    from matplotlib.lines import Line2D

    colours = detector_colours(detectors)
    areas = {name: detector.numbers.auc for name, detector in detectors.items()}
    return [
        *(
            Line2D(
                [],
                [],
                color=colours[name],
                lw=2,
                label=f"{capitalised(words(name))}, AUC {with_error(area.value, area.error)}",
            )
            for name, area in areas.items()
        ),
        Line2D([], [], label="Random choice, AUC 0.5", **_DIAGONAL),
    ]


def _height(detectors: Mapping[str, Evaluated]) -> float:
    """Return the height of a square and, below it, the legend; inches."""
    return 6.4 + 0.29 * (len(detectors) + 1)
