"""What the figures of a search by weak supervision have in common."""

from __future__ import annotations

import math
from dataclasses import dataclass

from plotting.figures.figure import NamedFigure
from plotting.results.search.cwola import CountedCut, CwolaRecord, SearchedWindow


@dataclass(frozen=True)
class CwolaFigure(NamedFigure[CwolaRecord, CwolaRecord]):
    """A figure of a search by weak supervision."""

    section = "search"


@dataclass(frozen=True)
class WindowFigure(CwolaFigure):
    """A figure of one window.

    Attributes:
        place: of the window among those of the record.
    """

    place: int

    def window(self, record: CwolaRecord) -> SearchedWindow:
        """Return the window."""
        return record.windows[self.place]


def region_words(window: SearchedWindow, record: CwolaRecord) -> str:
    """Say where the region of a window lies, as "8.5 to 9 GeV"."""
    unit = f" {record.unit}" if record.unit else ""
    return f"{window.low:g} to {window.high:g}{unit}"


def share_words(cut: CountedCut) -> str:
    """Say in a few words which events a cut keeps."""
    if cut.by_ratio:
        return "all events by likelihood ratio"
    return "all events" if cut.selection is None else f"the {100 * cut.fraction:.3g} % of highest rank"


def expected_words(value: float | None, error: float | None) -> str:
    """Write an expected number of events with its error, to two digits of the error; "–" for an unknown number."""
    if value is None or not error:
        return "–" if value is None else f"{value:,.4g}"
    decimals = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:,.{decimals}f} ± {error:,.{decimals}f}"


def deviations(value: float) -> str:
    """Write a number of standard deviations with two decimals, with the sign that typography has."""
    return f"{value:.2f}".replace("-", "−")
