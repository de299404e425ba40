"""An empty figure, with the header that says what it shows."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Protocol

from plotting.style.colours import WARNING
from plotting.style.formulas import drawable, literal, shortened
from plotting.style.wording import luminosity_in_unit

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.text import Text

_MARGIN = 8.0  # points between the header and the edges of the canvas
_BESIDE, _ABOVE = 0.08, 0.06  # inches beside, and above and below, axes with all that belongs to them
_LONGEST, _LONGEST_TITLE = 100, 300  # characters of a line of the header, and of its title, that are drawn


class Header(Protocol):
    """What the header of a figure says, as `plotting.results.caption.Caption` has it."""

    @property
    def title(self) -> str:
        """The sample, in words."""

    @property
    def doi(self) -> str | None:
        """Its DOI without prefix."""

    @property
    def energy(self) -> str | None:
        """Centre-of-mass energy with its unit."""

    @property
    def luminosity(self) -> float | None:
        """Integrated luminosity in 1/fb."""

    @property
    def simulated(self) -> bool:
        """Whether the events are simulated."""

    @property
    def uncertified(self) -> bool:
        """Whether the sample's list of certified runs was not applied."""


def new_figure(header: Header, width: float, height: float) -> Figure:
    """Return an empty figure with its header; call it inside `house_style`.

    Args:
        header: what it says of the sample.
        width: of the canvas, inches.
        height: of the space below the header, inches; the header comes on top of it.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(figsize=(width, height))
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    points = 72 * width

    def extent(text: Text) -> tuple[float, float]:
        box = text.get_window_extent(renderer)
        return box.width * 72 / figure.dpi, box.height * 72 / figure.dpi

    conditions = figure.text(0, 0, conditions_text(header), size=13, ha="right", va="top")
    room = points - 3 * _MARGIN - extent(conditions)[0]
    shown = shortened(drawable(header.title), _LONGEST_TITLE)
    title = figure.text(0, 0, shown, size=13, weight="bold", va="top", parse_math=False)
    characters = len(shown)
    while extent(title)[0] > room and characters > 8:
        characters -= 1
        title.set_text(textwrap.fill(shown, characters))

    lines = [title]
    if header.simulated:
        lines.insert(0, figure.text(0, 0, "SIMULATED", size=24, weight="bold", color=WARNING, va="top"))
    if header.uncertified:
        lines.insert(0, figure.text(0, 0, "UNCERTIFIED RUNS", size=16, weight="bold", color=WARNING, va="top"))
    if header.doi:
        doi = shortened(drawable(f"DOI {header.doi}"), _LONGEST)
        lines.append(figure.text(0, 0, doi, size=10.5, color="0.35", va="top", parse_math=False))

    heights = [extent(line)[1] for line in lines]
    total = 72 * height + _MARGIN + sum(heights)
    figure.set_size_inches(width, total / 72)
    top = total - _MARGIN
    for line, taken in zip(lines, heights, strict=True):
        line.set_position((_MARGIN / points, top / total))
        if line is title:
            conditions.set_position((1 - _MARGIN / points, top / total))
        top -= taken
    share = 72 * height / total
    # The place of axes whose labels are so long that the layout finds none.
    figure.subplots_adjust(left=0.4, right=0.95, bottom=0.3 * share, top=0.95 * share)
    figure.set_layout_engine(ConstrainedLayoutEngine(w_pad=_BESIDE, h_pad=_ABOVE, rect=(0, 0, 1, share)))
    return figure


def conditions_text(header: Header) -> str:
    """Return energy and luminosity as matplotlib text, such as 36 fb$^{-1}$ (13 TeV); empty if neither is known."""
    energy = literal(shortened(drawable(header.energy or ""), _LONGEST))
    if header.luminosity is None:
        return energy
    value, unit = luminosity_in_unit(header.luminosity)
    number = f"{value:.0f}" if value >= 1000 else f"{value:.3g}"
    return f"{number} {unit}$^{{\\mathrm{{-1}}}}$" + (f" ({energy})" if energy else "")
