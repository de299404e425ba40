"""All figures of a search by weak supervision, in their order in the report."""

from __future__ import annotations

from collections.abc import Iterator

from plotting.figures.search.cwola.figure import CwolaFigure
from plotting.figures.search.cwola.fractions import FractionsFigure
from plotting.figures.search.cwola.nulls import NullsFigure
from plotting.figures.search.cwola.scan import ScanFigure
from plotting.figures.search.cwola.spectra import SpectraFigure
from plotting.results.search.cwola import CwolaRecord


def cwola_figures(record: CwolaRecord) -> Iterator[CwolaFigure]:
    """Yield the figures of a search by weak supervision."""
    figures: list[CwolaFigure] = [ScanFigure()]
    for place in range(len(record.windows)):
        figures += [SpectraFigure(place), NullsFigure(place), FractionsFigure(place)]
    return (figure for figure in figures if figure.is_in(record))
