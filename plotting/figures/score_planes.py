"""Two quantities against each other: where a score is high, and where the anomalous events are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from plotting.figures.facts import RunFacts
from plotting.figures.figure import ENSEMBLE, NamedFigure, Names
from plotting.figures.planes import Pair, draw_mesh, pairs
from plotting.results.caption import Caption
from plotting.results.histograms import Plane, Split
from plotting.results.moments import FloatArray
from plotting.results.run import Results
from plotting.style.axes import central, number_text
from plotting.style.canvas import new_figure
from plotting.style.colours import ANOMALOUS
from plotting.style.house import house_style
from plotting.style.markup import share_text
from plotting.style.wording import capitalised, count_text, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D


CONTOURS = {0.5: "-", 0.8: "--", 0.95: ":"}
"""Fraction of the events that a contour is drawn around, with the style of the line."""

_KERNEL = np.array([1, 4, 6, 4, 1]) / 16

_SHOWN = 0.998  # fraction of the events, along each axis of a plane of scores
_COLOURED = 0.98  # fraction of the events; beyond their scores the colour stays the same


@dataclass(frozen=True)
class ScorePlaneFigure(NamedFigure[Results, RunFacts]):
    """The mean score of a detector, or of the ensemble, over two quantities."""

    detector: str
    pair: Pair

    section = "planes"

    @property
    def name(self) -> str:
        """Name of its files, without ending."""
        return f"plane_{self.pair.plane}_score_{self.detector}"

    @classmethod
    def all(cls, names: Names) -> Iterator[Self]:
        """Return the figures of each detector, one for each pair of quantities."""
        return (cls(detector, pair) for detector in names.detectors for pair in pairs(names))

    def is_in(self, data: Results) -> bool:
        """Tell whether the run filled this plane."""
        return (self.detector, self.pair.plane) in data.score_planes

    def title(self, facts: RunFacts) -> Markup:
        """Say in a few words what is drawn."""
        return Markup("{} score over {}").format(capitalised(words(self.detector)), self.pair.title(facts.record))

    def caption(self, facts: RunFacts) -> Markup:
        """State the events, and those of them that the detector flags."""
        counts = facts.record.counts
        if self.detector == ENSEMBLE:
            flagged, by = counts.anomalous, "votes"
        else:
            flagged, by = facts.record.detectors[self.detector].flagged, "this detector"
        return Markup("Mean over {} events, of which {} ({}) are flagged by {}.").format(
            count_text(counts.selected), count_text(flagged), share_text(flagged, counts.selected), by
        )

    def draw(self, data: Results) -> Figure:
        """Draw it."""
        plane = self.pair.plane
        return draw_score_plane(
            self.detector, data.score_planes[self.detector, plane], data.planes[plane], data.caption
        )


@house_style()
def draw_score_plane(name: str, score: Plane, events: Split[Plane], caption: Caption) -> Figure:
    """Draw the mean score in each bin, with contours of the density of events, and around the anomalous ones.

    The contours are the smallest regions of the smoothed density that hold given fractions of the events; a line
    surrounds the bins in which the ensemble flags most events. Few events far out do not make the others small, nor
    do few extreme scores take their colours: the axes end, and the colours stay the same, beyond nearly all.

    Args:
        name: of the detector, or "ensemble".
        score: NaN where there are no events.
        events: with the same edges.
        caption: of the sample.
    """
    from matplotlib.collections import LineCollection
    from matplotlib.colors import LogNorm
    from matplotlib.lines import Line2D
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    figure = new_figure(caption, 7.0, 6.1)
    axes = figure.subplots()
    counts = events.all.values
    known = np.isfinite(score.values)
    low, high = colour_range(score.values[known], counts[known])
    norm = colour_norm(score.values[known], counts[known], low, high)
    mesh = draw_mesh(axes, score, known, norm, "viridis_r")
    limits = [
        central(edges, counts.sum(axis=across), _SHOWN) for edges, across in ((score.xedges, 1), (score.yedges, 0))
    ]
    axes.set_xlim(*limits[0])
    axes.set_ylim(*limits[1])

    handles = []
    if counts.any():
        handles += _draw_contours(axes, events.all)
    mostly = events.anomalous.values > 0.5 * counts
    borders = list(outline(mostly, score.xedges, score.yedges))
    axes.add_collection(LineCollection(borders, colors=ANOMALOUS, lw=1.3), autolim=False)
    handles.append(Line2D([], [], color=ANOMALOUS, lw=1.3, label="most are anomalous"))
    inside = [
        (edges[:-1] >= start) & (edges[1:] <= stop)
        for edges, (start, stop) in zip((score.xedges, score.yedges), limits, strict=True)
    ]
    if beyond := events.all.outside + counts.sum() - counts[np.ix_(*inside)].sum():
        handles.append(Line2D([], [], ls="", label=f"{count_text(beyond)} beyond the axes"))
    mean = "ensemble score (mean rank)" if name == "ensemble" else f"{words(name)} score"
    shown = score.values[known]
    ends = bool(shown.size and shown.min() < low), bool(shown.size and shown.max() > high)
    extend = {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}[ends]
    bar = figure.colorbar(mesh, ax=axes, label=f"Mean {mean}", extend=extend)
    bar.ax.yaxis.set_offset_position("left")  # a factor of the numbers stands over these, not over the panel
    if isinstance(norm, LogNorm) and high < 100 * low:
        # Powers of ten alone would be one number or two.
        bar.ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number_text(value)))
        bar.ax.yaxis.set_minor_formatter(NullFormatter())
    figure.legend(handles=handles, loc="outside lower center", ncols=3, columnspacing=1.2, fontsize=13)
    return figure


def colour_norm(scores: FloatArray, events: FloatArray, low: float, high: float) -> Normalize:
    """Return how colours follow scores: linearly, or logarithmically where most events would have one colour.

    The latter is so where more than half of the events would be in the lowest tenth of the colours, as with squared
    distances, which have long tails; scores that are not above zero have linear colours in any case.

    Args:
        scores: mean score of each bin, shape (n,).
        events: in each bin, shape (n,).
        low: score that has the first colour.
        high: score that has the last one.
    """
    from matplotlib.colors import LogNorm, Normalize

    lowest = events[scores < low + (high - low) / 10].sum()
    return LogNorm(low, high) if low > 0 and lowest > events.sum() / 2 else Normalize(low, high)


def colour_range(scores: FloatArray, events: FloatArray) -> tuple[float, float]:
    """Return the least and the greatest score of nearly all events; two different numbers in any case.

    Args:
        scores: mean score of each bin, shape (n,).
        events: in each bin, shape (n,).
    """
    if not scores.size:
        return 0.0, 1.0
    order = np.argsort(scores)
    sums = np.cumsum(events[order])
    cut = (1 - _COLOURED) / 2 * sums[-1]
    low = float(scores[order][np.searchsorted(sums, cut, side="right")])
    high = float(scores[order][np.searchsorted(sums, sums[-1] - cut, side="left")])
    return low, high if high > low else low + 1


def density_levels(density: FloatArray, fractions: Sequence[float]) -> FloatArray:
    """Return for each fraction the density above which the bins hold at least that fraction of the whole.

    Args:
        density: of any shape, not all zero.
        fractions: between 0 and 1.
    """
    falling = np.sort(density, axis=None)[::-1]
    sums = np.cumsum(falling)
    return np.array([falling[np.searchsorted(sums, fraction * sums[-1])] for fraction in fractions])


def smoothed(values: FloatArray) -> FloatArray:
    """Return what is left of the fluctuations of counts, shape (nx, ny): means over neighbours, binomial in 5 bins.

    At the edges the histogram is mirrored, so that all counts stay inside.
    """
    for axis in (0, 1):
        padded = np.pad(values, [(2, 2) if axis == i else (0, 0) for i in (0, 1)], mode="symmetric")
        size = values.shape[axis]
        values = sum(
            (weight * np.take(padded, range(i, i + size), axis=axis) for i, weight in enumerate(_KERNEL)),
            np.zeros_like(values),
        )
    return values


def _draw_contours(axes: Axes, events: Plane) -> list[Line2D]:
    """Draw the contours of the density of events and return their entries of a legend.

    A contour at less than the smoothed density of one event would go round each of the outermost ones: it is left out.
    """
    from matplotlib.lines import Line2D
    from matplotlib.patheffects import withStroke

    density = smoothed(events.values)
    levels = {
        level: contour
        for level, contour in zip(density_levels(density, list(CONTOURS)), CONTOURS.items(), strict=True)
        if level > _KERNEL.max() ** 2
    }
    if not levels:
        return []
    # From the centres of the bins out to the edges of the outermost ones.
    x, y = (
        np.concatenate([edges[:1], (edges[1:] + edges[:-1]) / 2, edges[-1:]])
        for edges in (events.xedges, events.yedges)
    )
    ordered = sorted(levels)
    styles = [levels[level][1] for level in ordered]
    lines = axes.contour(x, y, np.pad(density, 1, mode="edge").T, ordered, colors="black", linestyles=styles)
    lines.set(linewidth=1.2, path_effects=[withStroke(linewidth=2.6, foreground="white")])
    return [
        Line2D([], [], color="black", ls=style, lw=1.2, label=f"{100 * fraction:g} % of events")
        for fraction, style in levels.values()
    ]


def outline(inside: NDArray[np.bool_], xedges: FloatArray, yedges: FloatArray) -> FloatArray:
    """Return the borders between the bins inside a region and those outside it.

    Args:
        inside: shape (nx, ny).
        xedges: shape (nx + 1,).
        yedges: shape (ny + 1,).

    Returns:
        Straight lines from bin corner to bin corner, shape (n, 2, 2): line, end, (x, y).
    """
    padded = np.pad(inside, 1)
    column, row = np.nonzero(padded[1:, 1:-1] != padded[:-1, 1:-1])
    vertical = [[xedges[column], yedges[row]], [xedges[column], yedges[row + 1]]]
    column, row = np.nonzero(padded[1:-1, 1:] != padded[1:-1, :-1])
    horizontal = [[xedges[column], yedges[row]], [xedges[column + 1], yedges[row]]]
    return np.concatenate([np.moveaxis(np.array(lines), -1, 0) for lines in (vertical, horizontal)])
