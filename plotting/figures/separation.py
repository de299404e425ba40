"""The scores of signal and of background, and where a threshold cuts them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from plotting.figures.facts import EvaluationFacts
from plotting.figures.figure import DetectorFigure
from plotting.figures.scores import score_title
from plotting.figures.sentences import fraction_text
from plotting.results.caption import Caption
from plotting.results.evaluation import Evaluated, Evaluation
from plotting.style.axes import log_counts, number_text, occupied, set_score_axis
from plotting.style.canvas import new_figure
from plotting.style.colours import ANOMALOUS, NORMAL
from plotting.style.house import house_style
from plotting.style.markup import metric_text, number_markup
from plotting.style.wording import capitalised, count_text, words

if TYPE_CHECKING:
    from matplotlib.figure import Figure


_HEADROOM = 0.5  # above the histograms, for the legend


@dataclass(frozen=True)
class SeparationFigure(DetectorFigure[Evaluation, EvaluationFacts]):
    """The scores of signal and of background."""

    section = "scores"

    @property
    def name(self) -> str:
        """Name of its files, without ending."""
        return f"score_{self.detector}"

    def is_in(self, data: Evaluation) -> bool:
        """Tell whether this was evaluated."""
        return self.detector in data.detectors

    def title(self, facts: EvaluationFacts) -> Markup:
        """Say in a few words what is drawn."""
        return Markup.escape(capitalised(f"{words(self.detector)} score of signal and background"))

    def caption(self, facts: EvaluationFacts) -> Markup:
        """State the events of each kind that are flagged, the threshold and the AUC."""
        found = facts.metrics[self.detector]
        threshold = found.threshold
        cut = "" if threshold is None else Markup(" above the threshold {}").format(number_markup(threshold))
        return Markup("{} and {} are flagged{}; AUC {}.").format(
            fraction_text(found.confusion.true_positive, found.signal, "signal events"),
            fraction_text(found.confusion.false_positive, found.background, "background events"),
            cut,
            metric_text(found.auc.value, found.auc.error),
        )

    def draw(self, data: Evaluation) -> Figure:
        """Draw it."""
        return draw_separation(self.detector, data.detectors[self.detector], data.caption)


@house_style()
def draw_separation(name: str, detector: Evaluated, caption: Caption) -> Figure:
    """Draw the distribution of the score in both kinds of events, each of unit area.

    Args:
        name: of the detector, or "ensemble".
        detector: how it was evaluated.
        caption: of the sample.
    """
    figure = new_figure(caption, 7.0, 4.8)
    axes = figure.subplots()
    edges = detector.background.edges
    width = edges[1] - edges[0]
    peak, smallest = 0.0, np.inf
    for kind, label, colour in ((detector.background, "background", NORMAL), (detector.signal, "signal", ANOMALOUS)):
        total = kind.total or 1.0
        shape = kind.values / total
        beyond = f", {count_text(kind.outside)} beyond the axis" if kind.outside else ""
        text = f"{label} ({count_text(kind.total)}{beyond})"
        if label == "background":
            axes.stairs(shape, edges, fill=True, color=colour, alpha=0.3)
        axes.stairs(shape, edges, color=colour, lw=1.8, label=text)
        filled = shape > 0
        axes.errorbar(
            ((edges[1:] + edges[:-1]) / 2)[filled],
            shape[filled],
            np.sqrt(kind.variances[filled]) / total,
            fmt="none",
            ecolor=colour,
            elinewidth=1,
        )
        peak, smallest = max(peak, shape.max(initial=0)), min(smallest, shape[filled].min(initial=np.inf))
    low, high = occupied(edges, detector.background.values + detector.signal.values)
    if detector.threshold is not None and low <= detector.threshold <= high:
        text = f"threshold {number_text(detector.threshold, 4)}"
        # Up to where the legend may begin.
        axes.axvline(detector.threshold, ymax=1 / (1 + _HEADROOM), color="black", lw=1.5, ls="--", label=text)
    axes.set_xlim(low, high)
    log_counts(axes, peak=peak or 1.0, smallest=smallest if np.isfinite(smallest) else 1.0, headroom=_HEADROOM)
    set_score_axis(axes, score_title(name))
    axes.set_ylabel(f"Fraction of events / {number_text(width)}")
    axes.legend(loc="upper right")
    return figure
