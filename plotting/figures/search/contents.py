"""All figures of a search, in their order in the report."""

from __future__ import annotations

from collections.abc import Iterator

from plotting.figures.search.closure import ClosureFigure
from plotting.figures.search.figure import SearchFigure
from plotting.figures.search.functions import FunctionsFigure
from plotting.figures.search.limits import LimitsFigure
from plotting.figures.search.local_p import LocalPFigure
from plotting.figures.search.plane import PlaneFigure, RegionsFigure
from plotting.figures.search.sculpting import SculptingFigure
from plotting.figures.search.spectrum import SpectrumFigure
from plotting.results.search.abcd import AbcdRecord
from plotting.results.search.record import SearchRecord


def search_figures(record: SearchRecord) -> Iterator[SearchFigure]:
    """Yield the figures of a search in a spectrum."""
    places = range(len(record.cuts))
    figures: list[SearchFigure] = [SpectrumFigure(place) for place in places]
    figures.append(LocalPFigure())
    for place in places:
        figures += [LimitsFigure(place), FunctionsFigure(place), SculptingFigure(place)]
    return (figure for figure in figures if figure.is_in(record))


def plane_figures(record: AbcdRecord) -> Iterator[PlaneFigure]:
    """Yield the figures of a search in a plane."""
    figures: list[PlaneFigure] = [RegionsFigure(), ClosureFigure()]
    return (figure for figure in figures if figure.is_in(record))
