"""Whether the cuts of a window shape its spectrum: the fraction of events that pass each, against the observable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from plotting.figures.search.cwola.figure import WindowFigure, region_words, share_words
from plotting.figures.search.figure import axis_title, caption_of
from plotting.figures.search.sculpting import draw_fractions, variation_markup
from plotting.results.search.cwola import CountedCut, CwolaRecord, SearchedWindow
from plotting.results.search.record import Sculpting
from plotting.style.canvas import new_figure
from plotting.style.colours import EVERYTHING
from plotting.style.house import house_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class FractionsFigure(WindowFigure):
    """Passing fractions of the cuts of one window."""

    @property
    def name(self) -> str:
        """Name of its files, without ending."""
        return f"fractions_{self.place + 1}"

    def is_in(self, data: CwolaRecord) -> bool:
        """Tell whether a cut selects events by the classifier."""
        return bool(selecting_cuts(self.window(data)))

    def title(self, facts: CwolaRecord) -> Markup:
        """Say in a few words what is drawn."""
        where = region_words(self.window(facts), facts)
        return Markup.escape(f"Does the classifier shape the spectrum? Region from {where}")

    def caption(self, facts: CwolaRecord) -> Markup:
        """State how much the fractions vary, and whether the features tell the mass."""
        window = self.window(facts)
        told = [
            Markup("{}: {}").format(share_words(cut), variation_markup(found)) for cut, found in selecting_cuts(window)
        ]
        return Markup("{} {}").format(
            Markup(" ").join(each[:1].upper() + each[1:] for each in told), mass_test_words(window)
        )

    def draw(self, data: CwolaRecord) -> Figure:
        """Draw it."""
        return draw_cut_fractions(data, self.place)


def mass_test_words(window: SearchedWindow) -> str:
    """State how well the features tell parts of the sidebands apart."""
    test = window.mass_test
    return (
        f"The features tell the upper sideband from the lower one with an area under the ROC curve of {test.auc:.3f}, "
        f"and outer from inner halves with one of {test.outer_auc:.3f}; 0.5 ± {test.error:.3f} and 0.5 ± "
        f"{test.outer_error:.3f} are expected where they do not tell the mass."
    )


def selecting_cuts(window: SearchedWindow) -> list[tuple[CountedCut, Sculpting]]:
    """Return the cuts that select events by the classifier, each with the fractions that pass."""
    return [(cut, cut.sculpting) for cut in window.cuts if cut.sculpting is not None]


@house_style()
def draw_cut_fractions(record: CwolaRecord, place: int) -> Figure:
    """Draw the fractions of events that pass the cuts of a window one below the other.

    Args:
        record: of the search.
        place: of the window.
    """
    window = record.windows[place]
    selecting = selecting_cuts(window)
    figure = new_figure(caption_of(record), 7.0, 1.0 + 3.0 * len(selecting))
    panels: list[Axes] = list(figure.subplots(len(selecting), 1, sharex=True, squeeze=False)[:, 0])
    for axes, (cut, found) in zip(panels, selecting, strict=True):
        draw_fractions(axes, found)
        axes.axvspan(window.low, window.high, color=EVERYTHING, alpha=0.2, lw=0, label="region")
        axes.legend(loc="upper right", ncols=2, fontsize=12, title=share_words(cut), title_fontsize=12)
    panels[-1].set_xlabel(axis_title(record))
    panels[-1].set_xlim(window.begin, window.end)
    figure.align_ylabels()
    return figure
