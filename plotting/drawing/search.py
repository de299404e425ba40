"""The figures of a search, drawn from its record."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from plotting.drawing.saving import save_figure
from plotting.figures.search.figure import SearchFigure
from plotting.figures.search.functions import FunctionsFigure
from plotting.figures.search.limits import LimitsFigure
from plotting.figures.search.local_p import LocalPFigure
from plotting.figures.search.sculpting import SculptingFigure
from plotting.figures.search.spectrum import SpectrumFigure
from plotting.results.search_record import SearchRecord


def search_figures(record: SearchRecord) -> Iterator[SearchFigure]:
    """Yield the figures of a search, in their order in the report."""
    kinds: list[SearchFigure] = []
    for place in range(len(record.cuts)):
        kinds += [SpectrumFigure(place), FunctionsFigure(place)]
    kinds.append(LocalPFigure())
    for place in range(len(record.cuts)):
        kinds += [LimitsFigure(place), SculptingFigure(place)]
    return (figure for figure in kinds if figure.is_in(record))


def draw_search(record: SearchRecord, folder: Path) -> list[Path]:
    """Draw all figures of a search.

    Args:
        record: of the search.
        folder: that gets a folder `figures`.

    Raises:
        FigureFolderError: the folder cannot be written.
    """
    return [
        path
        for figure in search_figures(record)
        for path in save_figure(figure.draw(record), folder / "figures", figure.name)
    ]
