"""How the loss of a training fell from epoch to epoch."""

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
from plotting.results.record_tables import History
from plotting.results.run import Results
from plotting.style.canvas import new_figure
from plotting.style.colours import sequence_colour
from plotting.style.house import house_style
from plotting.style.markup import number_markup
from plotting.style.wording import capitalised, words

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class LossFigure(DetectorFigure[Results | Evaluation, AnyFacts]):
    """The loss of a training after each epoch."""

    section = "training"

    @property
    def name(self) -> str:
        """Name of its files, without ending."""
        return f"loss_{self.detector}"

    def is_in(self, data: Results | Evaluation) -> bool:
        """Tell whether the detector was trained in epochs."""
        return self.detector in data.history

    def title(self, facts: AnyFacts) -> Markup:
        """Say in a few words what is drawn."""
        return Markup.escape(f"Training of the {words(self.detector)}")

    def caption(self, facts: AnyFacts) -> Markup:
        """State the number of epochs and the lowest validation loss, of each fold."""
        folds = facts.record.history[self.detector]
        sentences = []
        for place, fold in enumerate(folds):
            validation = fold.validation
            best = min(range(len(validation)), key=validation.__getitem__)
            heading = f"Fold {place}: " if len(folds) > 1 else ""
            sentences.append(
                Markup("{}{} epochs; the lowest validation loss, {}, is that of epoch {}.").format(
                    heading, len(validation), number_markup(validation[best]), best + 1
                )
            )
        return Markup(" ").join(sentences)

    def draw(self, data: Results | Evaluation) -> Figure:
        """Draw it."""
        return draw_loss(self.detector, data.history[self.detector], data.caption)


@house_style()
def draw_loss(name: str, folds: Sequence[History], caption: Caption) -> Figure:
    """Draw the training and the validation loss of each fold; a dot marks the epoch whose weights were kept.

    Args:
        name: of the detector.
        folds: one for each fold of the training sample.
        caption: of the sample.
    """
    from matplotlib.lines import Line2D
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    figure = new_figure(caption, 7.0, 4.7 + 0.15 * len(folds))
    axes = figure.subplots()
    handles = [Line2D([], [], color="0.3", ls="--", label="training"), Line2D([], [], color="0.3", label="validation")]
    for number, history in enumerate(folds):
        colour = sequence_colour(number)
        axes.plot(np.arange(len(history.training)) + 1, history.training, color=colour, ls="--", lw=1.5)
        epochs = np.arange(len(history.validation)) + 1
        axes.plot(epochs, history.validation, color=colour, lw=1.8)
        if np.isfinite(history.validation).any():
            best = int(np.nanargmin(history.validation))
            axes.plot(epochs[best], history.validation[best], "o", color=colour, ms=8, mec="black", zorder=3)
            fold = f"fold {number}, " if len(folds) > 1 else ""
            text = f"{fold}best epoch {epochs[best]}: {history.validation[best]:.4g}"
            handles.append(Line2D([], [], color=colour, marker="o", mec="black", ms=8, label=text))
    axes.set_yscale("log")
    axes.margins(y=0.08)
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axes.xaxis.minorticks_off()
    axes.set_xlabel("Epoch")
    axes.set_ylabel(f"{capitalised(words(name))} loss")
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure
