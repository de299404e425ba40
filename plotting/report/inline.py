"""Figures as they stand inside a page: the image itself, as text."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from plotting.errors import UnreadableResult

_WIDE = 1800  # pixels, from which a figure takes the whole width of the page
_MOST = 8  # threads


@dataclass(frozen=True)
class InlineFigure:
    """A figure as it stands in a page.

    Attributes:
        name: of its file, without ending.
        width: in pixels, like the height.
        height: of the image.
        address: that holds the image itself, as lossless WebP.
    """

    name: str
    width: int
    height: int
    address: str

    @property
    def is_wide(self) -> bool:
        """Whether the figure is to take the whole width of the page."""
        return self.width >= _WIDE


def inline_figures(paths: Sequence[Path]) -> dict[str, InlineFigure]:
    """Return figures by name, in the order of their paths.

    Lossless WebP shows the same pixels as the PNG, and takes a third of the room.

    Raises:
        UnreadableResult: a figure is truncated or not a PNG.
    """
    with ThreadPoolExecutor(min(len(os.sched_getaffinity(0)), _MOST)) as threads:
        return {figure.name: figure for figure in threads.map(_inline, paths)}


def _inline(path: Path) -> InlineFigure:
    packed = io.BytesIO()
    try:
        with Image.open(path, formats=("PNG",)) as image:
            width, height = image.size
            # Less effort takes half the time for a tenth more room.
            image.convert("RGB").save(packed, "WEBP", lossless=True, quality=20, method=1)
    except (OSError, SyntaxError, ValueError) as error:
        raise UnreadableResult(
            f"{path}: truncated or not a PNG ({error}); draw it again (python -m plotting {path.parent.parent})"
        ) from error
    text = base64.b64encode(packed.getvalue()).decode("ascii")
    return InlineFigure(path.stem, width, height, f"data:image/webp;base64,{text}")
