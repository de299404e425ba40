"""How the features of all events go together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from plotting.figures.facts import RunFacts
from plotting.figures.figure import NamedFigure
from plotting.results.caption import Caption
from plotting.results.moments import Moments
from plotting.results.run import Results
from plotting.style.canvas import new_figure
from plotting.style.formulas import axis_text
from plotting.style.house import house_style
from plotting.style.wording import count_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure


_MANY = 16  # features; with more, the cells are small and tell only what is not small in numbers


class CorrelationFigure(NamedFigure[Results, RunFacts]):
    """The correlations of all pairs of features."""

    section = "features"
    name = "correlation"

    def title(self, facts: RunFacts) -> Markup:
        """Say in a few words what is drawn."""
        return Markup("Correlations of the features")

    def caption(self, facts: RunFacts) -> Markup:
        """State the numbers of features and of events."""
        return Markup("Linear correlation of {} features over {} selected events.").format(
            len(facts.record.features), count_text(facts.record.counts.selected)
        )

    def draw(self, data: Results) -> Figure:
        """Draw it."""
        return draw_correlation(data.feature_titles, data.moments.all, data.caption)


@house_style()
def draw_correlation(titles: Sequence[str], moments: Moments, caption: Caption) -> Figure:
    """Draw Pearson's correlation coefficients of all pairs of features as a coloured, numbered matrix.

    Args:
        titles: of the F features, in ROOT's TLatex.
        moments: of all events.
        caption: of the sample.
    """
    coefficients = moments.correlation
    number = len(titles)
    many = number > _MANY
    side = max(4.6, (0.36 if many else 0.62) * number)
    figure = new_figure(caption, side + 2.2, side + 0.6)
    axes = figure.subplots()
    image = axes.imshow(np.ma.masked_invalid(coefficients), cmap="RdBu_r", vmin=-1, vmax=1)
    axes.set_facecolor("0.92")  # where a feature is the same in all events
    names = [axis_text(title) for title in titles]
    axes.set_xticks(range(number), names, rotation=90 if many else 45, ha="right", rotation_mode="anchor")
    if many:
        axes.tick_params(axis="x", labelsize=13)
        for label in axes.get_xticklabels():
            label.set_verticalalignment("center")
    axes.set_yticks(range(number), names)
    axes.tick_params(which="both", length=0)
    axes.minorticks_off()
    for (row, column), coefficient in np.ndenumerate(coefficients):
        known = np.isfinite(coefficient)
        if many and known and abs(coefficient) < 0.1:
            continue
        axes.text(
            column,
            row,
            _two_decimals(coefficient) if known else "–",
            ha="center",
            va="center",
            size=8.5 if many else 11,
            color="white" if known and abs(coefficient) > 0.65 else "black",
        )
    axes.set_xlabel("Feature")
    axes.set_ylabel("Feature")
    figure.colorbar(image, ax=axes, label="Correlation coefficient, all events", shrink=0.9)
    return figure


def _two_decimals(coefficient: float) -> str:
    return f"{round(float(coefficient), 2) + 0.0:.2f}".replace("-", "−")  # + 0.0: zero has no sign
