"""What signal and background were taken for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from plotting.figures.facts import EvaluationFacts
from plotting.figures.figure import NamedFigure
from plotting.figures.sentences import fraction_text, listed
from plotting.results.caption import Caption
from plotting.results.evaluation import Evaluated, Evaluation
from plotting.style.canvas import new_figure
from plotting.style.house import house_style
from plotting.style.wording import capitalised, count_text, words

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class ConfusionFigure(NamedFigure[Evaluation, EvaluationFacts]):
    """What signal and background were taken for, by all detectors."""

    section = "performance"
    name = "confusion"

    def title(self, facts: EvaluationFacts) -> Markup:
        """Say in a few words what is drawn."""
        return Markup("What events are, and what they are taken for")

    def caption(self, facts: EvaluationFacts) -> Markup:
        """State how many events each detector calls what they are."""
        tested = {name: found.confusion for name, found in facts.metrics.items()}
        right = (
            f"{words(name)} {fraction_text(confusion.right, confusion.events)}" for name, confusion in tested.items()
        )
        return Markup("Called what they are: {}.").format(listed(right))

    def draw(self, data: Evaluation) -> Figure:
        """Draw it."""
        return draw_confusion(data.detectors, data.caption)


@house_style()
def draw_confusion(detectors: Mapping[str, Evaluated], caption: Caption) -> Figure:
    """Draw a confusion matrix for each detector, with numbers of events and shaded by their share of a row."""
    columns = 2 if len(detectors) == 4 else min(len(detectors), 3)
    rows = math.ceil(len(detectors) / columns)
    figure = new_figure(caption, max(5.0, 1.2 + 3.3 * columns), 0.7 + 3.6 * rows)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat[len(detectors) :]:
        axes.remove()
    for place, (axes, (name, detector)) in enumerate(zip(grid.flat, detectors.items(), strict=False)):
        events = detector.confusion
        counts = np.array(
            [[events.true_negative, events.false_positive], [events.false_negative, events.true_positive]], dtype=float
        )
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for (row, column), share in np.ndenumerate(shares):
            text = f"{count_text(float(counts[row, column]))}\n{100 * share:.3g} %"
            axes.text(column, row, text, ha="center", va="center", size=14, color="white" if share > 0.6 else "black")
        axes.set_title(capitalised(words(name)), size=14)
        axes.set_xticks([0, 1], ["not flagged", "flagged"])
        kinds = ["background", "signal"] if place % columns == 0 else []
        axes.set_yticks([0, 1][: len(kinds)], kinds, rotation=90, va="center")
        axes.tick_params(which="both", length=0, labelsize=13)
        if kinds:
            axes.set_ylabel("Truth", size=14)
        axes.set_xlabel("Decision", size=14)
        axes.minorticks_off()
    return figure
