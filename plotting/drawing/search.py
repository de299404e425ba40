"""The figures of a search, drawn from its record."""

from __future__ import annotations

from pathlib import Path

from plotting.drawing.saving import save_figure
from plotting.figures.search.contents import search_figures
from plotting.results.search.formats import AnySearchRecord


def draw_search(record: AnySearchRecord, folder: Path) -> list[Path]:
    """Draw all figures of a search, whatever its method.

    Args:
        record: of the search.
        folder: that gets a folder `figures`.

    Raises:
        FigureFolderError: the folder cannot be written.
    """
    figures = folder / "figures"
    return [path for each in search_figures(record) for path in save_figure(each.draw(record), figures, each.name)]
