"""What made the most anomalous events so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from plotting.results.caption import Caption
from plotting.results.tables import Contributions
from plotting.style.house import axis_text, house_style, new_figure
from plotting.style.wording import capitalised, words


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
