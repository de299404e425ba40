"""Which detectors flag the same events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from plotting.figures.facts import RunFacts
from plotting.figures.figure import NamedFigure
from plotting.results.caption import Caption
from plotting.results.run import Agreement, Results
from plotting.style.canvas import new_figure
from plotting.style.house import house_style
from plotting.style.markup import share_text
from plotting.style.wording import capitalised, count_text, words

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class AgreementFigure(NamedFigure[Results, RunFacts]):
    """The events that both of two detectors flag."""

    section = "detectors"
    name = "agreement"

    def is_in(self, data: Results) -> bool:
        """Tell whether there are two detectors to compare."""
        return len(data.agreement.detectors) > 1

    def title(self, facts: RunFacts) -> Markup:
        """Say in a few words what is drawn."""
        return Markup("Events flagged by both of two detectors")

    def caption(self, facts: RunFacts) -> Markup:
        """Name the pair of detectors that agrees most and the pair that agrees least, with their numbers of events."""
        flagged = facts.record.agreement.flagged
        names = list(flagged)
        overlaps = {}
        for i, one in enumerate(names):
            for other in names[i + 1 :]:
                both = flagged[one][other]
                overlaps[one, other] = (both, flagged[one][one] + flagged[other][other] - both)
        ordered = sorted(overlaps, key=lambda pair: overlaps[pair][0] / max(overlaps[pair][1], 1))
        sentences = [
            f"the {words(pair[0])} and the {words(pair[1])} agree {degree} ({count_text(overlaps[pair][0])} events "
            f"flagged by both, {count_text(overlaps[pair][1])} by one at least: {share_text(*overlaps[pair])})"
            for degree, pair in {"most": ordered[-1], "least": ordered[0]}.items()
        ]
        return Markup("{}.").format(capitalised("; ".join(sentences[: len(overlaps)])))

    def draw(self, data: Results) -> Figure:
        """Draw it."""
        return draw_agreement(data.agreement, data.caption)


@house_style()
def draw_agreement(agreement: Agreement, caption: Caption) -> Figure:
    """Draw how far the flagged events of each pair of detectors overlap, in numbers and as a fraction.

    Args:
        agreement: of N detectors.
        caption: of the sample.
    """
    number = len(agreement.detectors)
    side = max(3.6, 1.02 * number)
    figure = new_figure(caption, side + 3.4, side + 1.2)
    axes = figure.subplots()
    overlap = agreement.overlap
    image = axes.imshow(np.ma.masked_invalid(overlap), cmap="Blues", vmin=0, vmax=1)
    axes.set_facecolor("0.92")  # where neither flags an event
    names = [words(name) for name in agreement.detectors]
    axes.set_xticks(range(number), names, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(number), names)
    axes.tick_params(which="both", length=0)
    axes.minorticks_off()
    for (row, column), fraction in np.ndenumerate(overlap):
        share = f"{100 * fraction:.3g} %" if np.isfinite(fraction) else "–"
        axes.text(
            column,
            row,
            f"{count_text(float(agreement.flagged[row, column]))}\n{share}",
            ha="center",
            va="center",
            size=12,
            color="white" if fraction > 0.6 else "black",
        )
    axes.set_xlabel("Flagged by")
    axes.set_ylabel("Flagged by")
    figure.colorbar(image, ax=axes, label="Flagged by both / by one at least", shrink=0.9)
    return figure
