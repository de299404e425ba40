"""All figures of a run: which there are, and how they get to the disk."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from plotting.correlation import draw_correlation
from plotting.cutflow import draw_cutflow
from plotting.errors import FigureFolderError
from plotting.features import draw_feature
from plotting.means import draw_means
from plotting.planes import draw_plane, draw_score_plane
from plotting.results import Results, read_results
from plotting.scores import draw_scores
from plotting.style import house_style

# Without dates and version numbers the same run gives the same bytes.
_METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "pdf": {"Creator": None, "Producer": None, "CreationDate": None},
}


def draw_figures(folder: Path, progress: Callable[[str], None] | None = None) -> list[Path]:
    """Draw all figures of a run into `folder`/figures, each as PNG and PDF.

    Args:
        folder: what the run left, with `run.json` and `histograms.root`.
        progress: is told the name of each figure once it is on disk.

    Returns:
        The files written, in the order of the list below.

    Raises:
        MissingResult: something that the run should have left is not there.
        UnreadableResult: a file of the run is truncated or damaged.
        FigureFolderError: the figures cannot be written.
    """
    written: list[Path] = []
    for name, figure in list_figures(read_results(folder)):
        written += save_figure(figure(), folder / "figures", name)
        if progress is not None:
            progress(name)
    return written


def list_figures(results: Results) -> Iterator[tuple[str, Callable[[], Figure]]]:
    """Name each figure that a run has the results for, with the function that draws it."""
    caption, titles, moments = results.caption, results.feature_titles, results.moments
    yield "cutflow", partial(draw_cutflow, results.cutflow, caption)
    for name, plane in results.planes.items():
        yield f"plane_{name}", partial(draw_plane, plane.all, caption)
    for (score, name), mean in results.score_planes.items():
        yield f"plane_{name}_score_{score}", partial(draw_score_plane, score, mean, results.planes[name], caption)
    for score, scores in results.scores.items():
        yield f"score_{score}", partial(draw_scores, score, scores, results.detectors.get(score), caption)
    for name, spectrum in results.spectra.items():
        yield f"feature_{name}", partial(draw_feature, spectrum, caption)
    yield "correlation", partial(draw_correlation, titles, moments.all, caption)
    yield "means", partial(draw_means, titles, moments.normal, moments.anomalous, caption)


@house_style()
def save_figure(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Write a figure as `folder`/`name`.png and .pdf; neither appears under its name before both are whole.

    Raises:
        FigureFolderError: the folder cannot be made or written.
    """
    paths = [folder / f"{name}.{kind}" for kind in _METADATA]
    drafts = [path.with_name(f".{path.name}.{os.getpid()}.partial") for path in paths]
    try:
        folder.mkdir(exist_ok=True)
        # The layout is worked out once; left to itself, matplotlib would do it again for each file.
        figure.draw_without_rendering()
        figure.set_layout_engine(None)
        for path, (kind, metadata) in zip(drafts, _METADATA.items(), strict=True):
            figure.savefig(path, format=kind, metadata=metadata)
        for source, path in zip(drafts, paths, strict=True):
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
