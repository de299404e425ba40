"""How anomalous the events are: the distribution of a detector's score, and where the threshold cuts it."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from plotting.results import Detector, Spectrum
from plotting.style import (
    ANOMALOUS,
    NORMAL,
    Caption,
    capitalised,
    count_text,
    house_style,
    log_counts,
    new_figure,
    occupied,
    set_score_axis,
    words,
)


def score_title(name: str) -> str:
    """Return what the score of a detector, or of the "ensemble", is called on an axis."""
    return "Ensemble score (mean rank)" if name == "ensemble" else f"{capitalised(words(name))} score"


@house_style()
def draw_scores(name: str, scores: Spectrum, detector: Detector | None, caption: Caption) -> Figure:
    """Draw the scores of all events, with the part above the threshold shaded; with folds, above the lowest of theirs.

    Args:
        name: of the detector, or "ensemble".
        scores: the higher, the more anomalous.
        detector: its thresholds and how many events are above them; None for the ensemble, which flags by votes.
        caption: of the sample.
    """
    figure = new_figure(caption, 7.0, 4.8)
    axes = figure.subplots()
    edges, values = scores.edges, scores.values
    beyond = f", {count_text(scores.outside)} beyond the axis" if scores.outside else ""
    axes.stairs(values, edges, color=NORMAL, lw=1.8, label=f"all events ({count_text(scores.total)}{beyond})")
    centres, filled = (edges[1:] + edges[:-1]) / 2, values > 0
    axes.errorbar(
        centres[filled], values[filled], np.sqrt(scores.variances[filled]), fmt="none", ecolor=NORMAL, elinewidth=1
    )
    low, high = occupied(edges, values)
    if detector is not None:
        _draw_thresholds(axes, scores, detector)
        low, high = min(low, *detector.thresholds), max(high, *detector.thresholds)
    margin = 0.02 * (high - low)
    axes.set_xlim(low - margin, high + margin)
    positive = values[filled]
    log_counts(axes, peak=positive.max(initial=1.0), smallest=positive.min(initial=1.0))
    set_score_axis(axes, score_title(name))
    axes.set_ylabel(f"Events / {edges[1] - edges[0]:.3g}")
    axes.legend(loc="upper right")
    return figure


def _draw_thresholds(axes: Axes, scores: Spectrum, detector: Detector) -> None:
    """Draw the threshold of each fold, and shade what lies above the lowest of them."""
    edges, lowest = scores.edges, min(detector.thresholds)
    # The threshold lies inside a bin; the shade begins there and not at the edge of that bin.
    above = np.searchsorted(edges, lowest, side="right")
    if above < len(edges):
        start = max(int(above) - 1, 0)
        axes.stairs(
            scores.values[start:],
            np.concatenate(([max(lowest, edges[0])], edges[start + 1 :])),
            fill=True,
            color=ANOMALOUS,
            alpha=0.35,
            lw=0,
            label=f"flagged ({count_text(detector.flagged)})",
        )
    for fold, threshold in enumerate(detector.thresholds):
        of_fold = f" of fold {fold}" if len(detector.thresholds) > 1 else ""
        axes.axvline(threshold, color=ANOMALOUS, lw=1.8, ls="--", label=f"threshold{of_fold} {threshold:.4g}")
