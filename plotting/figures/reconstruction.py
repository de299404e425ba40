"""How well an autoencoder reconstructs each feature, of the events that it flags and of those that it does not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from plotting.results.caption import Caption
from plotting.results.record_tables import Reconstruction
from plotting.style.house import ANOMALOUS, NORMAL, axis_text, house_style, new_figure
from plotting.style.wording import capitalised, count_text, words


@house_style()
def draw_reconstruction(name: str, titles: Sequence[str], folds: Sequence[Reconstruction], caption: Caption) -> Figure:
    """Draw for each feature the mean squared error, and from the 16th percentile over the median to the 84th.

    Args:
        name: of the detector.
        titles: of the F features, in ROOT's TLatex.
        folds: one for each fold of the training sample; they are drawn side by side.
        caption: of the sample.
    """
    kinds = [
        (kind, colour, label)
        for fold in folds
        for kind, colour, label in ((fold.normal, NORMAL, "not flagged"), (fold.flagged, ANOMALOUS, "flagged"))
        if kind is not None
    ]
    rows = np.arange(len(titles))
    figure = new_figure(caption, 7.0, 2.4 + (0.3 + 0.14 * len(kinds)) * max(len(titles), 2))
    axes = figure.subplots()
    offsets = (np.arange(len(kinds)) - (len(kinds) - 1) / 2) * 0.8 / max(len(kinds), 2)
    events = dict.fromkeys(("not flagged", "flagged"), 0)
    for (kind, colour, label), offset in zip(kinds, offsets, strict=True):
        events[label] += kind.events
        place = rows + offset
        axes.hlines(place, kind.low, kind.high, color=colour, lw=4, alpha=0.4)
        axes.plot(kind.median, place, "|", color=colour, ms=9, mew=2)
        axes.plot(kind.mean, place, "o", color=colour, ms=6, mec="black", mew=0.6)
    for row in rows[1:]:
        axes.axhline(row - 0.5, color="0.85", lw=0.8)
    axes.set_xscale("log")
    axes.set_ylim(len(titles) - 0.5, -0.5)
    axes.set_yticks(rows, [axis_text(title) for title in titles])
    axes.tick_params(axis="y", which="both", length=0)
    axes.set_xlabel("Squared error of the standardised feature")
    axes.set_ylabel("Feature")
    axes.set_title(f"{capitalised(words(name))}, training events", size=14)
    handles = [
        Line2D([], [], color=colour, lw=4, alpha=0.6, label=f"{label} ({count_text(events[label])})")
        for label, colour in (("not flagged", NORMAL), ("flagged", ANOMALOUS))
        if events[label]
    ]
    handles += [
        Line2D([], [], color="0.4", marker="o", ls="", ms=6, mec="black", mew=0.6, label="mean"),
        Line2D([], [], color="0.4", marker="|", lw=4, ms=9, mew=2, alpha=0.6, label="16 %, median, 84 %"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=13)
    return figure
