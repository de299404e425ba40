"""How anomalous the events are: the distribution of a detector's score, and where the threshold cuts it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from plotting.figures.facts import RunFacts
from plotting.figures.figure import ENSEMBLE, DetectorFigure
from plotting.figures.sentences import fraction_text, thresholds_text, votes_needed
from plotting.figures.systematics import draw_band, merged, merged_bins, systematic_error, variation_text
from plotting.results.caption import Caption
from plotting.results.histograms import Labelled, Spectrum, Variation
from plotting.results.run import Detector, Results
from plotting.style.axes import log_counts, number_text, occupied, set_score_axis
from plotting.style.canvas import new_figure
from plotting.style.colours import ANOMALOUS, BACKGROUND, EVERYTHING, NORMAL, SIGNAL, sequence_colour
from plotting.style.house import house_style
from plotting.style.wording import capitalised, count_text, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_LEAST = 100  # events of a merged bin in which a variation is compared with the nominal scores


@dataclass(frozen=True)
class ScoreFigure(DetectorFigure[Results, RunFacts]):
    """The scores of all events of a run."""

    section = "detectors"

    @property
    def name(self) -> str:
        """Name of its files, without ending."""
        return f"score_{self.detector}"

    def title(self, facts: RunFacts) -> Markup:
        """Say in a few words what is drawn."""
        return Markup.escape(capitalised(f"{words(self.detector)} score"))

    def caption(self, facts: RunFacts) -> Markup:
        """State the events that are flagged, and the thresholds."""
        record = facts.record
        if self.detector == ENSEMBLE:
            flagged = fraction_text(record.counts.anomalous, record.counts.selected)
            return Markup("{} are flagged by {}. The score is the mean rank over the detectors.").format(
                flagged, votes_needed(record.ensemble, record.min_votes)
            )
        found = record.detectors[self.detector]
        folds = len(found.thresholds)
        above = "the threshold" if folds == 1 else f"the thresholds of the {folds} folds,"
        flagged = fraction_text(found.flagged, record.counts.selected)
        return Markup("{} lie above {} {}.").format(flagged, above, thresholds_text(found.thresholds))

    def draw(self, data: Results) -> Figure:
        """Draw it."""
        name = self.detector
        labelled, variations = data.labelled_scores.get(name), data.varied_scores[name]
        return draw_scores(name, data.scores[name], data.detectors.get(name), data.caption, labelled, variations)


def score_title(name: str) -> str:
    """Return what the score of a detector, or of the "ensemble", is called on an axis."""
    return "Ensemble score (mean rank)" if name == "ensemble" else f"{capitalised(words(name))} score"


@house_style()
def draw_scores(
    name: str,
    scores: Spectrum,
    detector: Detector | None,
    caption: Caption,
    labelled: Labelled[Spectrum] | None = None,
    variations: Sequence[Variation[Spectrum]] = (),
) -> Figure:
    """Draw the scores of all events, with the part above the threshold shaded; with folds, above the lowest of theirs.

    Args:
        name: of the detector, or "ensemble".
        scores: the higher, the more anomalous.
        detector: its thresholds and how many events are above them; None for the ensemble, which flags by votes.
        caption: of the sample.
        labelled: scores of the events that are known to be signal or background, with the same edges.
        variations: of the scores, with the same edges; they have a panel of their own, relative to the nominal ones.
    """
    entries = 1 + 2 * (labelled is not None) + (1 + len(detector.thresholds) if detector else 0) + bool(variations)
    rows = -(-(entries + (1 + 2 * len(variations) if variations else 0)) // 2)
    figure = new_figure(caption, 7.0, (5.8 if variations else 4.3) + 0.27 * rows)
    if variations:
        axes, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1.25))
    else:
        axes = lower = figure.subplots()
    edges, values = scores.edges, scores.values
    if variations:
        shifts = systematic_error(values, ((one.up.values, one.down.values) for one in variations))
        draw_band(axes, edges, values, shifts, variation_text(variations))
    _draw_counts(axes, scores, "all events", NORMAL)
    if labelled is not None:
        _draw_counts(axes, labelled.background, "background", BACKGROUND, "--")
        _draw_counts(axes, labelled.signal, "signal", SIGNAL)
    low, high = occupied(edges, values)
    if detector is not None:
        _draw_thresholds(axes, scores, detector)
        low, high = min(low, *detector.thresholds), max(high, *detector.thresholds)
    margin = 0.02 * (high - low)
    axes.set_xlim(low - margin, high + margin)
    positive = values[values > 0]
    log_counts(axes, peak=positive.max(initial=1.0), smallest=scores.smallest, headroom=0.1)
    axes.set_ylabel(f"Events / {number_text(edges[1] - edges[0])}")
    if variations:
        _draw_variations(lower, scores, variations)
        figure.align_ylabels()
    set_score_axis(lower, score_title(name))
    figure.legend(loc="outside lower center", ncols=2, fontsize=12.5, columnspacing=1.2)
    return figure


def _draw_counts(axes: Axes, scores: Spectrum, label: str, colour: str, style: str = "-") -> None:
    """Draw a histogram with its errors; the label also tells how many events there are."""
    edges, values = scores.edges, scores.values
    beyond = f", {count_text(scores.outside)} beyond the axis" if scores.outside else ""
    axes.stairs(values, edges, color=colour, ls=style, lw=1.8, label=f"{label} ({count_text(scores.total)}{beyond})")
    centres, filled = (edges[1:] + edges[:-1]) / 2, values > 0
    axes.errorbar(
        centres[filled], values[filled], np.sqrt(scores.variances[filled]), fmt="none", ecolor=colour, elinewidth=1
    )


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
        label = f"threshold{f' of fold {fold}' if len(detector.thresholds) > 1 else ''} {number_text(threshold, 4)}"
        axes.axvline(threshold, color=ANOMALOUS, lw=1.8, ls="--", label=label)


def _draw_variations(axes: Axes, scores: Spectrum, variations: Sequence[Variation[Spectrum]]) -> None:
    """Draw each variation over the nominal scores, in merged bins, with the statistical error of the latter."""
    bins = merged_bins((scores,), _LEAST)
    axes.axhline(1, color="0.5", lw=1, ls="--")
    furthest = 0.1
    if bins.size:
        edges, nominal = scores.edges[bins], merged(scores.values, bins)
        error = np.sqrt(merged(scores.variances, bins)) / nominal
        axes.stairs(
            1 + error,
            edges,
            baseline=1 - error,
            fill=True,
            color=EVERYTHING,
            alpha=0.4,
            lw=0,
            label="statistical error",
        )
        for place, one in enumerate(variations):
            for direction, varied, style in (("up", one.up, "-"), ("down", one.down, ":")):
                ratio = merged(varied.values, bins) / nominal
                label = f"{one.name} {direction}"
                axes.stairs(
                    ratio, edges, baseline=None, color=sequence_colour(place + 2), ls=style, lw=1.6, label=label
                )
                furthest = max(furthest, float(np.abs(ratio - 1).max()))
    # Nothing is below zero; what is more than doubled need not be told apart.
    furthest = min(furthest, 1.0)
    axes.set_ylim(1 - 1.1 * furthest, 1 + 1.1 * furthest)
    axes.set_ylabel("varied /\nnominal", loc="center", fontsize=12)
