"""A process that draws figures for `plotting.drawing.pool`: python -m plotting.drawing.worker DESCRIPTOR."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from plotting.drawing.saving import FORMATS, save_figure
from plotting.drawing.settling import settle
from plotting.errors import FigureFailed, PlottingError
from plotting.figures.contents import list_contents
from plotting.results.caption import Caption
from plotting.style.canvas import new_figure
from plotting.style.house import house_style

_WORDS = 300  # characters of an error of somebody else's that are told


def serve(connection: Connection[Any, Any]) -> None:
    """Answer a folder with the names of its figures, and a name with the files of that figure, until the caller ends.

    An error is an answer too.
    """
    folder, figures = Path(), dict[str, Callable[[], Figure]]()
    with suppress(EOFError, ConnectionError):
        while True:
            request = connection.recv()
            answer: Any
            try:
                if isinstance(request, Path):
                    folder, figures = request, dict(list_contents(request))
                    answer = list(figures)
                else:
                    answer = request, save_figure(figures[request](), folder / "figures", request, folder)
            except Exception as error:  # noqa: BLE001 - the caller decides what it means
                answer = _portable(error)
            connection.send(answer)


def _portable(error: Exception) -> Exception:
    """Return an error as it can be sent to another process: of those that this room does not raise, the words."""
    if isinstance(error, PlottingError):
        return error
    return FigureFailed(f"{type(error).__name__}: {' '.join(str(error).split())[:_WORDS]}")


@house_style()
def warm_up() -> None:
    """Draw a figure that nobody sees: what it needs first is there when the first figure of a run is drawn."""
    figure = new_figure(Caption("Title", "DOI", "13 TeV", 1.0), 4, 3)
    axes = figure.subplots()
    mesh = axes.pcolormesh([[1, 2], [3, 4]], rasterized=True)
    figure.colorbar(mesh, ax=axes)
    axes.plot([1, 2], [1, 10], label=r"$\mathdefault{10^{1}}$ $M_{\mathrm{T}}$")
    axes.set_yscale("log")
    axes.legend()
    settle(figure)
    for kind in FORMATS:
        figure.savefig(io.BytesIO(), format=kind)


if __name__ == "__main__":
    with Connection(int(sys.argv[1])) as connection:
        if not connection.poll():
            warm_up()
        serve(connection)
    os._exit(0)  # all is in order; to take matplotlib apart would take a third of a second
