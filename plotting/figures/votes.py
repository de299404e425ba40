"""How many detectors flag an event."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from plotting.figures.facts import RunFacts
from plotting.figures.figure import NamedFigure
from plotting.figures.sentences import fraction_text, listed, votes_needed
from plotting.results.caption import Caption
from plotting.results.run import Agreement, Results
from plotting.style.axes import log_counts
from plotting.style.canvas import new_figure
from plotting.style.colours import ANOMALOUS, NORMAL
from plotting.style.house import house_style
from plotting.style.wording import count_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class VotesFigure(NamedFigure[Results, RunFacts]):
    """The events by the number of detectors that flag them."""

    section = "detectors"
    name = "votes"

    def is_in(self, data: Results) -> bool:
        """Tell whether there are two detectors to vote."""
        return len(data.agreement.detectors) > 1

    def title(self, facts: RunFacts) -> Markup:
        """Say in a few words what is drawn."""
        return Markup("Votes")

    def caption(self, facts: RunFacts) -> Markup:
        """State the events of each number of votes, and those that are flagged."""
        record = facts.record
        votes = [
            f"{number} vote{'' if number == 1 else 's'}: {count_text(events)}"
            for number, events in enumerate(record.agreement.votes)
        ]
        flagged = fraction_text(record.counts.anomalous, record.counts.selected)
        return Markup("{}. {} are flagged by {}.").format(
            listed(votes), flagged, votes_needed(record.ensemble, record.min_votes)
        )

    def draw(self, data: Results) -> Figure:
        """Draw it."""
        return draw_votes(data.agreement, data.counts.min_votes, data.caption)


@house_style()
def draw_votes(agreement: Agreement, min_votes: int, caption: Caption) -> Figure:
    """Draw how many events have no vote, one vote, and so on, with their share of all events.

    Args:
        agreement: of the detectors.
        min_votes: votes that make an event anomalous.
        caption: of the sample.
    """
    from matplotlib.ticker import FixedLocator

    figure = new_figure(caption, 7.0, 4.9)
    axes = figure.subplots()
    votes = agreement.votes
    places = np.arange(len(votes))
    anomalous = places >= min_votes
    plural = "s" if min_votes > 1 else ""
    for kind, colour, label in ((~anomalous, NORMAL, "normal"), (anomalous, ANOMALOUS, "anomalous")):
        rule = f", at least {min_votes} vote{plural}" if label == "anomalous" else ""
        text = f"{label}{rule} ({count_text(votes[kind].sum())})"
        axes.bar(places[kind], votes[kind], width=0.7, color=colour, alpha=0.8, label=text)
    positive = votes[votes > 0]
    log_counts(axes, peak=positive.max(initial=1.0), smallest=positive.min(initial=1.0), headroom=0.25)
    floor = axes.get_ylim()[0]
    total = votes.sum()
    for place, events in enumerate(votes.tolist()):
        share = f"\n{100 * events / total:.3g} %" if total else ""
        axes.text(place, max(events, floor) * 1.08, f"{count_text(events)}{share}", ha="center", va="bottom", size=12)
    axes.xaxis.set_major_locator(FixedLocator(places.tolist()))
    axes.xaxis.minorticks_off()
    axes.set_xlabel("Votes")
    axes.set_ylabel("Events")
    figure.legend(loc="outside lower center", ncols=2, fontsize=13)
    return figure
