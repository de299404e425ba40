"""How a figure gets to the disk, as PNG and PDF."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from plotting.drawing.settling import settle
from plotting.errors import FigureFolderError
from plotting.results.checksums import vouch
from plotting.style.house import house_style
from rdf.drafts import draft_of

# Without dates and version numbers the same run gives the same bytes. A PNG that is packed less takes a sixth less time
# and a sixth more room.
FORMATS: dict[str, dict[str, Any]] = {
    "png": {"metadata": {"Software": None}, "pil_kwargs": {"compress_level": 1}},
    "pdf": {"metadata": {"Creator": None, "Producer": None, "CreationDate": None}},
}
"""The kinds of files of a figure, each with what matplotlib is told for it."""


@house_style()
def save_figure(figure: Figure, folder: Path, name: str, output: Path | None = None) -> list[Path]:
    """Write a figure as `folder`/`name`.png and .pdf; neither appears under its name before both are whole.

    Args:
        figure: made inside `house_style`.
        folder: made if need be.
        name: of the files, without ending.
        output: the folder of results, above `folder`, whose list of what was drawn gets the files; None for a figure
            that belongs to no results.

    Raises:
        FigureFolderError: the folder cannot be made or written.
    """
    paths = [folder / f"{name}.{kind}" for kind in FORMATS]
    drafts = [draft_of(path) for path in paths]
    try:
        folder.mkdir(exist_ok=True)
        settle(figure)
        for path, (kind, options) in zip(drafts, FORMATS.items(), strict=True):
            figure.savefig(path, format=kind, **options)
        for source, path in zip(drafts, paths, strict=True):
            if output is not None:
                vouch(output, str(path.relative_to(output)), source)
            source.replace(path)
    except OSError as error:
        raise FigureFolderError(
            f"{folder}: cannot write figures ({error.strerror or error}); free space or take another folder"
        ) from error
    finally:
        for path in drafts:
            with suppress(OSError):
                path.unlink()
    return paths
