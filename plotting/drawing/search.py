"""The figures of a search, drawn from its record."""

from __future__ import annotations

from pathlib import Path

from plotting.drawing.saving import save_figure
from plotting.figures.search.contents import plane_figures, search_figures
from plotting.results.search.abcd import AbcdRecord
from plotting.results.search.reading import AnySearch


def draw_search(record: AnySearch, folder: Path) -> list[Path]:
    """Draw all figures of a search.

    Args:
        record: of the search.
        folder: that gets a folder `figures`.

    Raises:
        FigureFolderError: the folder cannot be written.
    """
    figures = folder / "figures"
    if isinstance(record, AbcdRecord):
        return [path for each in plane_figures(record) for path in save_figure(each.draw(record), figures, each.name)]
    return [path for each in search_figures(record) for path in save_figure(each.draw(record), figures, each.name)]
