"""How much a supervised detector needs each feature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from plotting.figures.facts import EvaluationFacts
from plotting.figures.figure import DetectorFigure
from plotting.figures.sentences import listed, quantity_title
from plotting.results.caption import Caption
from plotting.results.evaluation import Evaluation
from plotting.results.metrics import Metric
from plotting.style.canvas import new_figure
from plotting.style.colours import ANOMALOUS
from plotting.style.formulas import axis_text
from plotting.style.house import house_style
from plotting.style.markup import metric_text
from plotting.style.wording import with_error, words

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class ImportanceFigure(DetectorFigure[Evaluation, EvaluationFacts]):
    """How much a supervised detector needs each feature."""

    section = "scores"

    @property
    def name(self) -> str:
        """Name of its files, without ending."""
        return f"importance_{self.detector}"

    def is_in(self, data: Evaluation) -> bool:
        """Tell whether this was measured for the detector."""
        return self.detector in data.detectors and bool(data.detectors[self.detector].importance)

    def title(self, facts: EvaluationFacts) -> Markup:
        """Say in a few words what is drawn."""
        return Markup.escape(f"What the {words(self.detector)} looks at")

    def caption(self, facts: EvaluationFacts) -> Markup:
        """Name the features that the detector needs most."""
        drops = facts.metrics[self.detector].importance or {}
        largest = sorted(drops.items(), key=lambda item: item[1].value or 0.0, reverse=True)[:3]
        losses = [
            Markup("{} {}").format(quantity_title(facts.record.features, name), metric_text(drop.value, drop.error))
            for name, drop in largest
        ]
        return Markup("AUC lost when the values of a feature are shuffled; most for {}.").format(listed(losses))

    def draw(self, data: Evaluation) -> Figure:
        """Draw it."""
        importance = data.detectors[self.detector].importance
        return draw_importance(self.detector, importance, data.feature_titles, data.caption)


@house_style()
def draw_importance(name: str, importance: Mapping[str, Metric], titles: Mapping[str, str], caption: Caption) -> Figure:
    """Draw by how much the AUC drops when a feature is shuffled, as a bar with its number, the greatest on top.

    Args:
        name: of the detector.
        importance: of each feature by name.
        titles: of the features by name, in ROOT's TLatex.
        caption: of the sample.
    """
    from matplotlib.ticker import MaxNLocator

    ranked = sorted(importance.items(), key=lambda item: item[1].value or 0.0, reverse=True)
    drops = np.array([drop.value or 0.0 for _, drop in ranked])
    errors = np.array([drop.error or 0.0 for _, drop in ranked])
    figure = new_figure(caption, 7.0, 1.8 + 0.4 * max(len(ranked), 2))
    axes = figure.subplots()
    rows = np.arange(len(ranked))
    axes.barh(rows, drops, height=0.62, color=ANOMALOUS, alpha=0.75, label="drop")
    axes.errorbar(
        drops, rows, xerr=errors, fmt="none", ecolor="black", elinewidth=1.2, capsize=3, label="bootstrap error"
    )
    axes.axvline(0, color="black", lw=1)
    low, high = float((drops - errors).min(initial=0)), float((drops + errors).max(initial=0))
    span = (high - low) or 1.0
    for row, (_, drop) in enumerate(ranked):
        end = max(drops[row] + errors[row], 0) + 0.02 * span
        axes.text(end, row, with_error(drop.value, drop.error).replace("-", "−"), va="center", size=12.5)
    axes.set_xlim(low - (0.05 * span if low < 0 else 0), high + 0.4 * span)
    axes.set_ylim(len(ranked) - 0.4, -0.6)
    axes.set_yticks(rows, [axis_text(titles.get(feature, feature)) for feature, _ in ranked])
    axes.tick_params(axis="y", which="both", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.set_ylabel("Feature")
    axes.set_xlabel(f"Drop of the AUC of the {words(name)} when the feature is shuffled")
    figure.legend(loc="outside lower center", ncols=2, fontsize=13)
    return figure
