"""How well an autoencoder reconstructs each feature, in flagged and in unflagged events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from plotting.figures.facts import AnyFacts
from plotting.figures.figure import DetectorFigure
from plotting.results.caption import Caption
from plotting.results.evaluation import Evaluation
from plotting.results.record_tables import Reconstruction
from plotting.results.run import Results
from plotting.style.canvas import new_figure
from plotting.style.colours import ANOMALOUS, NORMAL
from plotting.style.formulas import axis_text
from plotting.style.house import house_style
from plotting.style.markup import number_markup, title_markup
from plotting.style.wording import capitalised, count_text, words

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class ReconstructionFigure(DetectorFigure[Results | Evaluation, AnyFacts]):
    """The errors of an autoencoder in each feature."""

    section = "training"

    @property
    def name(self) -> str:
        """Name of its files, without ending."""
        return f"reconstruction_{self.detector}"

    def is_in(self, data: Results | Evaluation) -> bool:
        """Tell whether the detector reconstructs events."""
        return self.detector in data.reconstruction

    def title(self, facts: AnyFacts) -> Markup:
        """Say in a few words what is drawn."""
        return Markup.escape(f"Squared errors of the {words(self.detector)} on its training events")

    def caption(self, facts: AnyFacts) -> Markup:
        """Name the feature with the largest mean error, of flagged and of other events, in each fold."""
        folds, features = facts.record.reconstruction[self.detector], facts.record.features
        sentences = []
        for place, fold in enumerate(folds):
            heading = f"Fold {place}: " if len(folds) > 1 else ""
            kinds = [
                Markup("of {} events {}, the mean is largest for {}, {}").format(
                    count_text(errors.events),
                    label,
                    title_markup(features[worst].title),
                    number_markup(errors.mean[worst]),
                )
                for label, errors in (("not flagged", fold.normal), ("flagged", fold.flagged))
                if errors is not None
                for worst in [max(range(len(features)), key=errors.mean.__getitem__)]
            ]
            sentences.append(Markup("{}{}.").format(heading, Markup("; ").join(kinds)))
        return capitalised(Markup(" ").join(sentences))

    def draw(self, data: Results | Evaluation) -> Figure:
        """Draw it."""
        titles = data.feature_titles
        return draw_reconstruction(
            self.detector,
            titles if isinstance(titles, tuple) else tuple(titles.values()),
            data.reconstruction[self.detector],
            data.caption,
        )


@house_style()
def draw_reconstruction(name: str, titles: Sequence[str], folds: Sequence[Reconstruction], caption: Caption) -> Figure:
    """Draw for each feature the mean squared error, and from the 16th percentile over the median to the 84th.

    Args:
        name: of the detector.
        titles: of the F features, in ROOT's TLatex.
        folds: one for each fold of the training sample; they are drawn side by side.
        caption: of the sample.
    """
    from matplotlib.lines import Line2D

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
