"""What the figures of a search have in common."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from plotting.figures.figure import NamedFigure
from plotting.results.caption import Caption
from plotting.results.search.cwola import CwolaRecord
from plotting.results.search.formats import AnySearchRecord
from plotting.results.search.record import SearchedCut, SearchRecord
from plotting.style.formulas import axis_text

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SearchFigure(NamedFigure[SearchRecord, SearchRecord]):
    """A figure of a search for a peak."""

    section = "search"


@dataclass(frozen=True)
class CutFigure(SearchFigure):
    """A figure of one declared cut.

    Attributes:
        place: of the cut among those of the record.
    """

    place: int

    def cut(self, record: SearchRecord) -> SearchedCut:
        """Return the cut."""
        return record.cuts[self.place]


def caption_of(record: AnySearchRecord) -> Caption:
    """Return what the header of a figure says."""
    return Caption.of(record.sample)


def axis_title(record: SearchRecord | CwolaRecord) -> str:
    """Return the title of the axis of the observable."""
    return axis_text(f"{record.title} [{record.unit}]" if record.unit else record.title)


def cut_words(cut: SearchedCut) -> str:
    """Say in a few words which events a cut keeps."""
    return "all events" if cut.selection is None else f"the {cut.fraction:.3g} most anomalous"
