"""A process that draws figures for `plotting.figures`: python -m plotting.worker DESCRIPTOR."""

from __future__ import annotations

import functools
import io
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn, cast

import matplotlib.text
from matplotlib.backends import backend_agg
from matplotlib.figure import Figure

from plotting.contents import list_contents
from plotting.drafts import is_running
from plotting.errors import FigureFailed, PlottingError
from plotting.fonts import lighten_fonts
from plotting.saving import FORMATS, save_figure
from plotting.settling import settle
from plotting.style import Caption, house_style, new_figure

_WORDS = 300  # characters of an error of somebody else's that are told
_FONTS = "figure-fonts-"  # the folder of a process's fonts, before the number of the process


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


def share_formulas() -> None:
    """Make matplotlib, for the rest of this process, keep the formulas that it has read from one figure to the next.

    Left to itself, it reads them with a new parser, which remembers nothing, for each file.
    """
    text, agg = cast(Any, matplotlib.text), cast(Any, backend_agg)
    text.TextToPath = functools.cache(text.TextToPath)
    agg.MathTextParser = functools.cache(agg.MathTextParser)


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


def remove_orphaned_fonts() -> None:
    """Remove the folders of fonts whose processes were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_FONTS}*-*"):
        number = folder.name.removeprefix(_FONTS).partition("-")[0]
        with suppress(OSError):
            if number.isdecimal() and not is_running(int(number)) and folder.lstat().st_uid == os.getuid():
                shutil.rmtree(folder)


def _end(*_: object) -> NoReturn:
    sys.exit()  # which, unlike the signal itself, lets a figure remove its drafts


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)
    remove_orphaned_fonts()
    with (
        Connection(int(sys.argv[1])) as connection,
        tempfile.TemporaryDirectory(prefix=f"{_FONTS}{os.getpid()}-") as fonts,
        suppress(SystemExit),
    ):
        lighten_fonts(Path(fonts))
        share_formulas()
        if not connection.poll():
            warm_up()
        serve(connection)
    os._exit(0)  # all is in order; to take matplotlib apart would take a third of a second
