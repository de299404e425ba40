"""Each feature of the normal events against that of the anomalous ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from plotting.moments import FloatArray
from plotting.results import Spectrum, Split
from plotting.style import (
    ANOMALOUS,
    EVERYTHING,
    NORMAL,
    Caption,
    axis_text,
    count_text,
    house_style,
    log_counts,
    new_figure,
    occupied,
    unit_of,
)


@dataclass(frozen=True)
class ShapeRatio:
    """Share of the anomalous events over share of the normal ones, in m merged bins.

    Attributes:
        edges: shape (m + 1,), a subset of the histogram's; empty if m is 0.
        values: shape (m,).
        errors: one standard deviation, shape (m,).
    """

    edges: FloatArray
    values: FloatArray
    errors: FloatArray


def shape_ratio(normal: Spectrum, anomalous: Spectrum, least: float = 5) -> ShapeRatio:
    """Divide the two histograms, each normalised to its own number of events.

    From the left, bins are merged until each holds at least `least` events of both kinds; what remains in the tail
    joins the last of them. So a ratio is never one over nothing, and the tail where only one kind lives still counts.
    The errors are those of independent counts; the two totals are taken as exact.

    Args:
        normal: with the same edges as `anomalous`.
        anomalous: likewise.
        least: events, or for weighted ones their effective number, sum(w)^2 / sum(w^2).
    """
    low, high = occupied(normal.edges, normal.values + anomalous.values)
    first, last = np.searchsorted(normal.edges, (low, high))
    starts: list[int] = []
    start = int(first)
    for stop in range(start + 1, int(last) + 1):
        if all(_effective_events(spectrum, start, stop) >= least for spectrum in (normal, anomalous)):
            starts.append(start)
            start = stop
    if not starts:
        return ShapeRatio(*(np.empty(0) for _ in range(3)))

    def merged(contents: FloatArray) -> FloatArray:
        return np.add.reduceat(contents[: int(last)], starts)

    share_normal, share_anomalous = (merged(kind.values) / kind.total for kind in (normal, anomalous))
    relative = np.sqrt(sum(merged(kind.variances) / merged(kind.values) ** 2 for kind in (normal, anomalous)))
    values = share_anomalous / share_normal
    return ShapeRatio(normal.edges[[*starts, int(last)]], values, values * relative)


def _effective_events(spectrum: Spectrum, start: int, stop: int) -> float:
    variance = spectrum.variances[start:stop].sum()
    return float(spectrum.values[start:stop].sum() ** 2 / variance) if variance > 0 else 0.0


@house_style()
def draw_feature(spectrum: Split[Spectrum], caption: Caption) -> Figure:
    """Draw one quantity: events of each kind, and below them the ratio of the two shapes.

    Args:
        spectrum: of all, normal and anomalous events, with the same edges.
        caption: of the sample.
    """
    figure = new_figure(caption, 7.0, 5.8)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1.15))
    edges, title = spectrum.all.edges, spectrum.all.title
    everything = spectrum.all

    upper.stairs(
        everything.values, edges, fill=True, color=EVERYTHING, alpha=0.3, label=f"all ({count_text(everything.total)})"
    )
    centres = (edges[1:] + edges[:-1]) / 2
    for kind, colour, name in (
        (spectrum.normal, NORMAL, "normal"),
        (spectrum.anomalous, ANOMALOUS, "anomalous"),
    ):
        upper.stairs(kind.values, edges, color=colour, lw=1.8, label=f"{name} ({count_text(kind.total)})")
        filled = kind.values > 0
        upper.errorbar(
            centres[filled],
            kind.values[filled],
            np.sqrt(kind.variances[filled]),
            fmt="none",
            ecolor=colour,
            elinewidth=1,
        )
    if everything.outside:
        upper.plot([], [], " ", label=f"{count_text(everything.outside)} not on the axis")
    positive = everything.values[everything.values > 0]
    log_counts(upper, peak=positive.max(initial=1.0), smallest=positive.min(initial=1.0))
    upper.set_ylabel(f"Events / {_bin_width(edges, unit_of(title))}")
    upper.legend(loc="upper right")

    ratio = shape_ratio(spectrum.normal, spectrum.anomalous)
    lower.set_yscale("log")
    lower.axhline(1, color="0.5", lw=1, ls="--")
    if ratio.values.size:
        middle = (ratio.edges[1:] + ratio.edges[:-1]) / 2
        lower.errorbar(
            middle, ratio.values, ratio.errors, xerr=np.diff(ratio.edges) / 2, fmt="o", ms=3.5, color=ANOMALOUS, lw=1.2
        )
    lower.set_ylim(0.5 * ratio.values.min(initial=0.5), 2 * ratio.values.max(initial=2.0))
    lower.yaxis.set_major_locator(LogLocator(numticks=5))
    lower.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    lower.yaxis.set_minor_formatter(NullFormatter())
    lower.set_ylabel("anomalous /\nnormal shape", loc="center", fontsize=12)
    lower.set_xlabel(axis_text(title))
    lower.set_xlim(*occupied(edges, everything.values))
    figure.align_ylabels()
    return figure


def _bin_width(edges: FloatArray, unit: str) -> str:
    widths = np.diff(edges)
    if not np.allclose(widths, widths[0], rtol=1e-6):
        return "bin"
    return f"{widths[0]:.3g} {axis_text(unit)}".rstrip()
