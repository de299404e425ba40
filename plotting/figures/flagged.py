"""How many events each detector flags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from plotting.figures.facts import RunFacts
from plotting.figures.figure import NamedFigure
from plotting.figures.sentences import fraction_text, listed, votes_needed
from plotting.figures.systematics import systematic_error, variation_text
from plotting.results.caption import Caption
from plotting.results.histograms import Variation
from plotting.results.moments import FloatArray
from plotting.results.run import Counts, Detector, Results
from plotting.style.canvas import new_figure
from plotting.style.colours import ANOMALOUS, EVERYTHING, SYSTEMATIC
from plotting.style.house import house_style
from plotting.style.markup import share_text
from plotting.style.wording import capitalised, count_text, words

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch


class FlaggedFigure(NamedFigure[Results, RunFacts]):
    """The events that each detector and the ensemble flag."""

    section = "detectors"
    name = "flagged"

    def title(self, facts: RunFacts) -> Markup:
        """Say in a few words what is drawn."""
        return Markup("Flagged events")

    def caption(self, facts: RunFacts) -> Markup:
        """State the events that each detector flags, and those that the ensemble flags."""
        record = facts.record
        selected = record.counts.selected
        by = [
            f"the {words(name)} flags {count_text(found.flagged)} ({share_text(found.flagged, selected)})"
            for name, found in record.detectors.items()
        ]
        anomalous = fraction_text(record.counts.anomalous, selected)
        return Markup("{}. {} are flagged by {}.").format(
            capitalised(listed(by)), anomalous, votes_needed(record.ensemble, record.min_votes)
        )

    def draw(self, data: Results) -> Figure:
        """Draw it."""
        return draw_flagged(data.detectors, data.counts, data.caption)


@house_style()
def draw_flagged(detectors: Mapping[str, Detector], counts: Counts, caption: Caption) -> Figure:
    """Draw a bar for each detector, and one for the ensemble, with the events that it flags and their share.

    Args:
        detectors: by name.
        counts: of all events.
        caption: of the sample.
    """
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    rows = [(words(name), detector.flagged, detector.varied) for name, detector in detectors.items()]
    plural = "s" if counts.min_votes > 1 else ""
    rows.append((f"ensemble\n(≥ {counts.min_votes} vote{plural})", counts.anomalous, counts.varied))
    number = len(rows)
    events = np.array([flagged for _, flagged, _ in rows], dtype=float)
    selected = float(counts.selected)
    # Of the events, a binomial number is flagged.
    errors = np.sqrt(events * (1 - events / selected)) if selected else np.zeros(number)
    down, up = _shifts(events, [varied for *_, varied in rows])

    figure = new_figure(caption, 7.0, 1.9 + 0.55 * number + (0.3 if counts.varied else 0))
    axes = figure.subplots()
    places = np.arange(number)
    colours = [EVERYTHING] * (number - 1) + [ANOMALOUS]
    axes.barh(places, events, height=0.62, color=colours, alpha=0.75)
    ends = events + errors
    handles: list[Patch | Line2D] = [
        Patch(color=EVERYTHING, alpha=0.75, label=f"flagged by a detector, of {count_text(selected)}"),
        Patch(color=ANOMALOUS, alpha=0.75, label="anomalous"),
        Line2D([], [], color="black", marker="|", ms=8, lw=1.2, label="statistical error"),
    ]
    if counts.varied:
        axes.barh(places, down + up, left=events - down, height=0.22, color=SYSTEMATIC)
        handles.append(Patch(color=SYSTEMATIC, label=variation_text(counts.varied)))
        ends = np.maximum(ends, events + up)
    axes.errorbar(events, places, xerr=errors, fmt="none", ecolor="black", elinewidth=1.2, capsize=3)
    full = max(float(ends.max(initial=0)), 1.0)
    for place, (flagged, end) in enumerate(zip(events, ends, strict=True)):
        share = f"  ({100 * flagged / selected:.3g} %)" if selected else ""
        axes.text(end + 0.02 * full, place, count_text(flagged) + share, va="center", size=12.5)
    axes.set_xlim(0, 1.42 * full)
    axes.set_ylim(number - 0.4, -0.6)
    axes.set_yticks(places, [name for name, *_ in rows])
    axes.tick_params(axis="y", which="both", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_xlabel("Flagged events")
    axes.set_ylabel("Detector")
    figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=13)
    return figure


def _shifts(events: FloatArray, varied: Sequence[Sequence[Variation[float]]]) -> tuple[FloatArray, FloatArray]:
    """Return how far systematic variations, the same ones for each row, shift the events of each row down and up."""
    return systematic_error(
        events,
        [
            (np.array([one.up for one in ones]), np.array([one.down for one in ones]))
            for ones in zip(*varied, strict=True)
        ],
    )
