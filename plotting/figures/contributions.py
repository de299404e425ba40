"""What made the most anomalous events so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from plotting.figures.facts import RunFacts
from plotting.figures.figure import DetectorFigure
from plotting.figures.sentences import listed
from plotting.results.caption import Caption
from plotting.results.run import Results
from plotting.results.tables import Contributions
from plotting.style.canvas import new_figure
from plotting.style.formulas import axis_text
from plotting.style.house import house_style
from plotting.style.markup import title_markup
from plotting.style.wording import capitalised, words

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class ContributionsFigure(DetectorFigure[Results, RunFacts]):
    """What made the most anomalous events so to one detector."""

    section = "events"

    @property
    def name(self) -> str:
        """Name of its files, without ending."""
        return f"contributions_{self.detector}"

    def is_in(self, data: Results) -> bool:
        """Tell whether the detector says what its scores are made of."""
        return self.detector in data.contributions

    def title(self, facts: RunFacts) -> Markup:
        """Say in a few words what is drawn."""
        return Markup.escape(f"What made events anomalous to the {words(self.detector)}")

    def caption(self, facts: RunFacts) -> Markup:
        """Name the features with the largest mean shares."""
        contributions = facts.contributions[self.detector]
        features = facts.record.features
        mean = contributions.shares.mean(axis=0)
        largest = mean.argsort()[::-1][:3]
        shares = [Markup("{} {:.0f} %").format(title_markup(features[i].title), 100 * mean[i]) for i in largest]
        return Markup("Over the {} most anomalous events the largest mean shares are {}.").format(
            len(contributions.events), listed(shares)
        )

    def draw(self, data: Results) -> Figure:
        """Draw it."""
        return draw_contributions(self.detector, data.feature_titles, data.contributions[self.detector], data.caption)


@house_style()
def draw_contributions(name: str, titles: Sequence[str], contributions: Contributions, caption: Caption) -> Figure:
    """Draw which share of an event's positive contributions each feature has, in percent, an event a column.

    Args:
        name: of the detector.
        titles: of the F features, in ROOT's TLatex.
        contributions: of the most anomalous events.
        caption: of the sample.
    """
    events, features = len(contributions.events), len(titles)
    figure = new_figure(caption, 3.4 + 0.62 * max(events, 6), 2.4 + 0.36 * max(features, 4))
    axes = figure.subplots()
    shares = 100 * contributions.shares.T
    image = axes.imshow(shares, cmap="Oranges", vmin=0, vmax=max(shares.max(initial=0), 1), aspect="auto")
    for (row, column), share in np.ndenumerate(shares):
        if share >= 0.5:
            dark = share > 0.6 * shares.max()
            axes.text(
                column, row, f"{share:.0f}", ha="center", va="center", size=12, color="white" if dark else "black"
            )
    axes.set_xticks(range(events), contributions.events, rotation=45, ha="right", rotation_mode="anchor", size=11.5)
    axes.set_yticks(range(features), [axis_text(title) for title in titles])
    axes.tick_params(which="both", length=0)
    axes.minorticks_off()
    axes.set_title(f"{capitalised(words(name))}, positive contributions to the score", size=14)
    axes.set_ylabel("Feature")
    axes.set_xlabel("run:event, the most anomalous first")
    figure.colorbar(image, ax=axes, label="Share [%]", fraction=0.06)
    return figure
