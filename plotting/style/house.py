"""How every figure looks: fonts, colours, axis titles, and the header that says what the figure shows.

The look is mplhep's ROOT style with a quieter type size and STIX. STIX because it is TrueType, where the CFF fonts of
the stock styles end up in a PDF under a TrueType label, which strict readers and some journals refuse; and because it
has no large layout tables, which make the embedding of other TrueType fonts four times slower.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeGuard

import matplotlib as mpl
import mplhep
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.mathtext import MathTextParser
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from numpy.typing import NDArray

from plotting.results.caption import Caption
from plotting.results.moments import FloatArray
from plotting.style.layout import Layout
from plotting.style.tlatex import ACCENTS, GREEK, SYMBOLS, Node, Part, Symbol, accented, parse, plain

# Petroff's ten-colour sequence (arXiv:2107.02270), made to be told apart with any colour vision.
NORMAL = "#3f90da"
ANOMALOUS = "#e76300"
EVERYTHING = "#94a4a2"
SIGNAL = "#832db6"
BACKGROUND = "#a96b59"
SYSTEMATIC = "#ffa90e"
WARNING = "#d0021b"
_SEQUENCE = ("#3f90da", "#ffa90e", "#bd1f01", "#832db6", "#a96b59", "#717581", "#b9ac70", "#92dadd")

STYLE: dict[Any, Any] = {
    **mplhep.style.ROOT,
    "font.family": "STIXGeneral",
    "mathtext.fontset": "stix",
    "mathtext.default": "it",
    "font.size": 15.5,
    "axes.labelsize": 17,
    "axes.linewidth": 1.2,
    "axes.labelpad": 5,
    "axes.unicode_minus": True,
    "xtick.labelsize": 15,
    "ytick.labelsize": 15,
    "xtick.major.size": 7,
    "ytick.major.size": 7,
    "xtick.minor.size": 3.5,
    "ytick.minor.size": 3.5,
    "legend.fontsize": 14,
    "axes.formatter.limits": (-3, 5),
    "figure.dpi": 200,  # also for the PNG: text that was measured for the layout is not measured again
    "pdf.fonttype": 42,
}
"""What matplotlib's parameters are, beyond its own defaults, while a figure is made and drawn."""

_MARGIN = 8.0  # points between the header and the edges of the canvas


@contextmanager
def house_style() -> Iterator[None]:
    """Set matplotlib's parameters for one figure, whatever the caller's are, and put the caller's back."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        yield


def conditions_text(caption: Caption) -> str:
    """Return energy and luminosity as matplotlib text, such as 36 fb$^{-1}$ (13 TeV); empty if neither is known."""
    energy = literal(_shortened(_drawable(caption.energy or ""), _LONGEST))
    if caption.luminosity is None:
        return energy
    # Below one inverse femtobarn the field counts in inverse picobarns.
    value, unit = (caption.luminosity, "fb") if caption.luminosity >= 1 else (1000 * caption.luminosity, "pb")
    number = f"{value:.0f}" if value >= 1000 else f"{value:.3g}"
    return f"{number} {unit}$^{{\\mathrm{{-1}}}}$" + (f" ({energy})" if energy else "")


def new_figure(caption: Caption, width: float, height: float) -> Figure:
    """Return an empty figure with its header; call it inside `house_style`.

    Args:
        caption: what the header says.
        width: of the canvas, inches.
        height: of the space below the header, inches; the header comes on top of it.
    """
    figure = Figure(figsize=(width, height))
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    points = 72 * width

    def extent(text: Text) -> tuple[float, float]:
        box = text.get_window_extent(renderer)
        return box.width * 72 / figure.dpi, box.height * 72 / figure.dpi

    conditions = figure.text(0, 0, conditions_text(caption), size=13, ha="right", va="top")
    room = points - 3 * _MARGIN - extent(conditions)[0]
    shown = _shortened(_drawable(caption.title), _LONGEST_HEADER)
    title = figure.text(0, 0, shown, size=13, weight="bold", va="top", parse_math=False)
    characters = len(shown)
    while extent(title)[0] > room and characters > 8:
        characters -= 1
        title.set_text(textwrap.fill(shown, characters))

    lines = [title]
    if caption.simulated:
        lines.insert(0, figure.text(0, 0, "SIMULATED", size=24, weight="bold", color=WARNING, va="top"))
    if caption.doi:
        doi = _shortened(_drawable(f"DOI {caption.doi}"), _LONGEST)
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
    figure.set_layout_engine(Layout(height))
    return figure


_BASE = re.compile(r"(?:[^\W\d_]+|\d+|\S)$")
"""What at the end of a text carries an index."""
_UPRIGHT = re.compile(r"(?<![\\A-Za-z])(?:[A-Za-z]{2,}|T)(?![A-Za-z])|[0-9]+")
_IN_FORMULA = {character: f"\\{character}" for character in " $%#&{}_"} | {"^": "\\^{}", "~": "\\sim ", "\\": "∖"}
_LIKE_LATIN = "omicron Alpha Beta Epsilon Zeta Eta Iota Kappa Mu Nu Omicron Rho Tau Chi"
_IN_MATHTEXT = frozenset(GREEK) - frozenset(_LIKE_LATIN.split())
"""Greek letters that matplotlib knows by name."""
_NAME_THEN_LETTER = re.compile(r"(\\[A-Za-z]+)\0(?=[A-Za-z])")
_LETTERS = {"varomega": "varpi", "varUpsilon": "Upsilon"}
"""Greek letters that matplotlib calls otherwise than ROOT."""
_ACCENTS = frozenset({"hat", "acute", "grave", "dot", "ddot", "tilde", "bar", "vec"})
_LONGEST, _LONGEST_HEADER = 100, 300
"""Characters of a title, and of a line of the header, that are drawn."""


@cache
def axis_text(title: str) -> str:
    """Turn an axis title in ROOT's TLatex into matplotlib text; what matplotlib cannot set is written plainly.

    Words, numbers and the T of "transverse" stand upright, variables in italics: "p_{T}^{miss} [GeV]" becomes
    "$p_{\\mathrm{T}}^{\\mathrm{miss}}$ [GeV]".
    """
    title = _drawable(title)
    try:
        nodes = parse(title)
    except ValueError:
        return literal(_shortened(title, _LONGEST))
    text = plain(nodes)
    if len(text) > _LONGEST:
        return literal(_shortened(text, _LONGEST))
    formula = _formula(nodes)
    return formula if _can_be_set(formula) else literal(text)


def literal(text: str) -> str:
    """Return a text as matplotlib draws it as it is, without formulas."""
    return text.replace("\\", "∖").replace("$", r"\$")


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _drawable(text: str) -> str:
    """Return a text on one line, with a square in place of each character that the font does not have."""
    return "".join(character if ord(character) in _glyphs() else "□" for character in " ".join(text.split()))


@cache
def _glyphs() -> frozenset[int]:
    with house_style():
        return frozenset(get_font(findfont(FontProperties(family=STYLE["font.family"]))).get_charmap())


def _can_be_set(text: str) -> bool:
    if "$" not in text:
        return True
    try:
        with house_style():
            MathTextParser("path").parse(text)
    except Exception:  # noqa: BLE001 - titles are the users', and not all that goes wrong is a ValueError
        return False
    return True


def _formula(nodes: Sequence[Node]) -> str:
    """Write a title with what is a formula in it between dollars, and text as it is."""
    pieces: list[tuple[bool, str]] = []
    for node, written, following in zip(nodes, _row(nodes), (*nodes, "")[1:], strict=True):
        if not isinstance(node, str):
            pieces.append((True, written))
            continue
        base = _BASE.search(node) if _is_index(following) else None
        text = node[: base.start()] if base else node
        pieces += [(False, literal(text))] * bool(text) + ([(True, _math(base[0]))] if base else [])
    return "".join(
        f"${_joined(part for _, part in group)}$" if is_math else "".join(part for _, part in group)
        for is_math, group in groupby(pieces, key=itemgetter(0))
    )


def _row(nodes: Sequence[Node]) -> list[str]:
    """Write parts that stand side by side; a second index of one kind gets an empty base of its own."""
    written = []
    seen: set[str] = set()
    for node in nodes:
        again = _is_index(node) and node.kind in seen
        if again or not _is_index(node):
            seen.clear()
        if _is_index(node):
            seen.add(node.kind)
        written.append("{}" * again + _math(node))
    return written


def _is_index(node: Node) -> TypeGuard[Part]:
    return isinstance(node, Part) and node.kind in ("sub", "sup")


def _joined(parts: Iterable[str]) -> str:
    """Put parts of a formula together; a name that letters would go on is set apart from them."""
    return _NAME_THEN_LETTER.sub(r"\1 ", "\0".join(parts)).replace("\0", "")


def _math(node: Node) -> str:
    """Write a part of a title as it stands in a formula."""
    if isinstance(node, str):
        return _UPRIGHT.sub(_upright, "".join(_IN_FORMULA.get(character, character) for character in node))
    if isinstance(node, Symbol):
        if node.name in _IN_MATHTEXT:
            return rf"\{_LETTERS.get(node.name, node.name)}"
        return _IN_FORMULA.get(SYMBOLS[node.name], SYMBOLS[node.name])
    arguments = [_joined(_row(argument)) for argument in node.arguments]
    if _is_index(node):
        mark = "_" if node.kind == "sub" else "^"
        return f"{mark}{arguments[0]}" if node.short else f"{mark}{{{arguments[0]}}}"
    if node.kind in ("bf", "it"):
        return rf"\math{node.kind}{{{arguments[0]}}}"
    if node.kind in ACCENTS and node.kind not in _ACCENTS:
        return _math(accented(plain(node.arguments[0]), node.kind))
    option = f"[{node.option}]" if node.kind == "sqrt" and node.option.isalnum() else ""
    return rf"\{node.kind}{option}" + "".join(f"{{{argument}}}" for argument in arguments)


def _upright(word: re.Match[str]) -> str:
    return rf"\mathrm{{{word.group()}}}"


def unit_of(title: str) -> str:
    """Return the unit that an axis title ends with in brackets, or an empty string."""
    found = re.search(r"\[([^\]]+)\]\s*$", title)
    return found.group(1) if found else ""


def number_text(value: float, digits: int = 3) -> str:
    """Return a number with so many digits as matplotlib text; a power of ten stands as one: 6.4×10⁴, not 6.4e+04."""
    mantissa, _, exponent = f"{value:.{digits}g}".partition("e")
    mantissa = mantissa.replace("-", "−")
    return rf"{mantissa}$\times\mathdefault{{10^{{{int(exponent)}}}}}$" if exponent else mantissa


def ratio_axis(axes: Axes, low: float, high: float) -> None:
    """Make the vertical axis of a small panel logarithmic, from half of the least to twice the greatest ratio."""
    axes.set_yscale("log")
    axes.set_ylim(0.5 * low, 2 * high)
    # One number alone would leave the scale untold; many would touch.
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 3) if high / low < 25 else (1,), numticks=5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def sequence_colour(place: int) -> str:
    """Return the colour of one of several curves; the ninth has that of the first again."""
    return _SEQUENCE[place % len(_SEQUENCE)]


def detector_colours(detectors: Iterable[str]) -> dict[str, str]:
    """Return a colour for each detector, in their order; what all detectors say together, the ensemble, is black."""
    alone = [name for name in detectors if name != "ensemble"]
    return {name: sequence_colour(i) for i, name in enumerate(alone)} | {"ensemble": "black"}


def set_score_axis(axes: Axes, title: str) -> None:
    """Give the horizontal axis its title, on the right, and room on the left to a common factor of its numbers."""
    axes.set_xlabel(title)
    factor = axes.xaxis.get_offset_text()
    factor.set_x(0)
    factor.set_horizontalalignment("left")


def log_counts(axes: Axes, peak: float, smallest: float = 1.0, headroom: float = 0.5) -> None:
    """Make the vertical axis logarithmic, from half of the smallest content up, with room for a legend on top.

    Args:
        axes: where the histogram is.
        peak: the largest content.
        smallest: the smallest content above zero; one event, unless events have weights.
        headroom: what the legend takes, as a fraction of the height of the histogram.
    """
    floor = 0.5 * smallest
    ceiling = max(peak, 10 * floor)
    # Limits first: a logarithmic axis that has to find its own complains where no event is.
    axes.set_ylim(floor, ceiling * (ceiling / floor) ** headroom)
    axes.set_yscale("log")


def central(edges: FloatArray, contents: FloatArray, share: float) -> tuple[float, float]:
    """Return the part of an axis that is left when few contents are cut off at both ends, alike.

    Args:
        edges: of the n bins, shape (n + 1,).
        contents: shape (n,), not negative.
        share: of the contents that stay, at least.
    """
    sums = np.cumsum(contents)
    if not sums[-1] > 0:
        return float(edges[0]), float(edges[-1])
    beyond = (1 - share) / 2 * sums[-1]
    first = int(np.searchsorted(sums, beyond, side="right"))
    last = int(np.searchsorted(sums, sums[-1] - beyond, side="left"))
    return float(edges[first]), float(edges[last + 1])


def occupied(edges: FloatArray, contents: NDArray[Any]) -> tuple[float, float]:
    """Return the part of an axis from the first to the last bin that holds something, or all of an empty one.

    Args:
        edges: of the n bins, shape (n + 1,).
        contents: shape (n,).
    """
    filled = np.flatnonzero(contents)
    first, last = (filled[0], filled[-1]) if filled.size else (0, len(contents) - 1)
    return float(edges[first]), float(edges[last + 1])
