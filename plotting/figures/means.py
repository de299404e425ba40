"""By which factor the mean of each feature differs between anomalous and normal events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from plotting.figures.facts import RunFacts
from plotting.figures.figure import NamedFigure
from plotting.figures.sentences import listed, quantity_title, split_text
from plotting.results.caption import Caption
from plotting.results.moments import FloatArray, Moments
from plotting.results.record_tables import most_different
from plotting.results.run import Results
from plotting.style.canvas import new_figure
from plotting.style.colours import ANOMALOUS
from plotting.style.formulas import axis_text
from plotting.style.house import house_style
from plotting.style.markup import number_markup
from plotting.style.wording import capitalised, count_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class MeansFigure(NamedFigure[Results, RunFacts]):
    """The ratio of the means of anomalous and of normal events, for each feature."""

    section = "features"
    name = "means"

    def title(self, facts: RunFacts) -> Markup:
        """Say in a few words what is drawn."""
        return Markup("Means of anomalous over normal events")

    def caption(self, facts: RunFacts) -> Markup:
        """Name the features whose means differ most."""
        record = facts.record
        ratios = most_different(record.means)
        if not ratios:
            return Markup("No feature has both a normal and an anomalous mean to compare.")
        named = [
            Markup("{} {}").format(quantity_title(record.features, name), number_markup(ratio))
            for name, ratio in list(ratios.items())[:3]
        ]
        counted = capitalised(split_text(record.counts))
        return Markup("{}; the ratios farthest from 1 are {}.").format(counted, listed(named))

    def draw(self, data: Results) -> Figure:
        """Draw it."""
        return draw_means(data.feature_titles, data.moments.normal, data.moments.anomalous, data.caption)


def mean_ratios(normal: Moments, anomalous: Moments) -> tuple[FloatArray, FloatArray]:
    """Return mean(anomalous) / mean(normal) of each feature and its statistical uncertainty, both of shape (F,).

    A ratio is NaN where a kind has no events or the normal mean is zero, its uncertainty also where a kind has one.
    """
    below = np.where(normal.means == 0, np.nan, normal.means)
    ratios = anomalous.means / below
    return ratios, np.hypot(anomalous.standard_errors, ratios * normal.standard_errors) / np.abs(below)


_LEAST = 5  # standard errors that a normal mean is away from zero, where a ratio to it means something


@house_style()
def draw_means(titles: Sequence[str], normal: Moments, anomalous: Moments, caption: Caption) -> Figure:
    """Draw the ratio of the means for each feature as a bar with its number, in the order of the features.

    An angle, say, has a mean of zero but for fluctuations; the ratio to such a mean says nothing and is left out.

    Args:
        titles: of the F features, in ROOT's TLatex.
        normal: moments of the normal events.
        anomalous: moments of the flagged events.
        caption: of the sample.
    """
    ratios, errors = mean_ratios(normal, anomalous)
    figure = new_figure(caption, 7.0, 1.9 + 0.44 * len(titles))
    axes = figure.subplots()
    rows = range(len(titles))
    certain = np.abs(normal.means) > _LEAST * np.nan_to_num(normal.standard_errors)
    known = np.isfinite(ratios) & certain
    bars = np.where(known, ratios, 0.0)
    spread = np.where(known, np.nan_to_num(errors), 0.0)
    axes.barh(rows, bars, height=0.62, color=ANOMALOUS, alpha=0.75, label="ratio")
    axes.errorbar(
        bars[known],
        np.flatnonzero(known),
        xerr=spread[known],
        fmt="none",
        ecolor="black",
        elinewidth=1.2,
        capsize=3,
        label="statistical error",
    )
    axes.axvline(1, color="black", lw=1.2, ls="--")
    low, high = min(0.0, float((bars - spread).min(initial=0))), max(1.0, float((bars + spread).max(initial=1)))
    for row in rows:
        # Beyond the line at one, so that the line does not run through the number.
        place = max(bars[row] + spread[row], 1.0) + 0.02 * (high - low)
        zero = np.isfinite(ratios[row]) and not known[row]
        text = "normal mean is 0 within its error" if zero else _with_error(ratios[row], errors[row])
        axes.text(place, row, text, va="center", size=12.5)
    axes.set_xlim(low, high + 0.32 * (high - low))
    axes.set_ylim(len(titles) - 0.4, -0.6)
    axes.set_yticks(rows, [axis_text(title) for title in titles])
    axes.tick_params(axis="y", which="both", length=0)
    axes.set_ylabel("Feature")
    axes.set_xlabel(
        f"Mean of {count_text(anomalous.count)} anomalous / mean of {count_text(normal.count)} normal events"
    )
    figure.legend(loc="outside lower center", ncols=2, fontsize=13)
    return figure


def _with_error(ratio: float, error: float) -> str:
    """Return a ratio with two decimals, or up to four where the error is that small."""
    if not np.isfinite(ratio):
        return "no value"
    if not np.isfinite(error):
        return f"{ratio:.2f}"
    decimals = int(np.clip(np.ceil(-np.log10(error)), 2, 4)) if error > 0 else 2
    return f"{ratio:.{decimals}f} ± {error:.{decimals}f}"
