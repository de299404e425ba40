"""Which detectors flag the same events."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from plotting.results.caption import Caption
from plotting.results.run import Agreement
from plotting.style.house import ANOMALOUS, NORMAL, house_style, log_counts, new_figure
from plotting.style.wording import count_text, words


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


@house_style()
def draw_votes(agreement: Agreement, min_votes: int, caption: Caption) -> Figure:
    """Draw how many events have no vote, one vote, and so on, with their share of all events.

    Args:
        agreement: of the detectors.
        min_votes: votes that make an event anomalous.
        caption: of the sample.
    """
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
