"""All figures of a search, in their order in the report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from plotting.figures.figure import NamedFigure
from plotting.figures.search.closure import ClosureFigure
from plotting.figures.search.cwola.contents import cwola_figures
from plotting.figures.search.figure import SearchFigure
from plotting.figures.search.functions import FunctionsFigure
from plotting.figures.search.limits import LimitsFigure
from plotting.figures.search.local_p import LocalPFigure
from plotting.figures.search.plane import PlaneFigure, RegionsFigure
from plotting.figures.search.sculpting import SculptingFigure
from plotting.figures.search.spectrum import SpectrumFigure
from plotting.results.search.abcd import AbcdRecord
from plotting.results.search.cwola import CwolaRecord
from plotting.results.search.formats import AnySearchRecord
from plotting.results.search.record import SearchRecord


def search_figures(record: AnySearchRecord) -> Iterator[NamedFigure[Any, Any]]:
    """Yield the figures of a search, each of which takes this record for data and facts."""
    return _FIGURES[type(record)](record)


def _peak_figures(record: SearchRecord) -> Iterator[SearchFigure]:
    places = range(len(record.cuts))
    figures: list[SearchFigure] = [SpectrumFigure(place) for place in places]
    figures.append(LocalPFigure())
    for place in places:
        figures += [LimitsFigure(place), FunctionsFigure(place), SculptingFigure(place)]
    return (figure for figure in figures if figure.is_in(record))


def _plane_figures(record: AbcdRecord) -> Iterator[PlaneFigure]:
    figures: list[PlaneFigure] = [RegionsFigure(), ClosureFigure()]
    return (figure for figure in figures if figure.is_in(record))


_FIGURES: Mapping[type[AnySearchRecord], Callable[[Any], Iterator[NamedFigure[Any, Any]]]] = {
    SearchRecord: _peak_figures,
    CwolaRecord: cwola_figures,
    AbcdRecord: _plane_figures,
}
"""Record -> the figures of searches of its method."""
