"""Data against simulated processes that are stacked, and how far they agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from plotting.figures.systematics import draw_band, systematic_error, variation_text
from plotting.results.caption import Caption
from plotting.results.moments import FloatArray
from plotting.stack.comparison import Comparison, compare
from plotting.stack.processes import Stack
from plotting.style.axes import log_counts, number_text, occupied, unit_of
from plotting.style.canvas import new_figure
from plotting.style.colours import EVERYTHING, process_colour
from plotting.style.formulas import axis_text, drawable, shortened
from plotting.style.house import house_style
from plotting.style.wording import count_text, with_error

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LONGEST = 40
"""Characters of a process in the legend."""
_FURTHEST = 1.0
"""Largest difference of a ratio from 1 that is drawn."""


def agreement_text(comparison: Comparison) -> str:
    """Say how far data and simulation agree: "chi2/ndf = 21.3/24 (p = 0.62), data/simulation 1.012 ± 0.008"."""
    ratio = f"data/simulation {with_error(comparison.scale, comparison.scale_error)}"
    if not comparison.ndf:
        return f"too few events for a chi2, {ratio}"
    return f"chi2/ndf = {comparison.chi2:.1f}/{comparison.ndf} (p = {comparison.probability:.2g}), {ratio}"


@house_style()
def draw_stack(stack: Stack, caption: Caption) -> Figure:
    """Draw data over stacked processes, below it their ratio, and below that the contribution of each bin to chi2.

    Args:
        stack: of one quantity or score.
        caption: of the data.
    """
    figure = new_figure(caption, 7.0, 7.6)
    upper, middle, lower = figure.subplots(3, 1, sharex=True, height_ratios=(3, 1.25, 0.9))
    comparison = compare(stack)
    _draw_events(upper, stack)
    _draw_ratio(middle, stack, comparison)
    lower.axhline(0, color="0.5", lw=1)
    if comparison.ndf:
        lower.stairs(comparison.pulls, comparison.edges, fill=True, color=EVERYTHING, alpha=0.8)
    reach = max(2.5, 1.15 * float(np.abs(comparison.pulls).max(initial=0)))
    lower.set_ylim(-reach, reach)
    lower.set_ylabel("pull", loc="center", fontsize=12)
    lower.set_xlabel(axis_text(stack.data.title))
    lower.set_xlim(*occupied(stack.data.edges, stack.data.values + stack.expected.values))
    chi2 = rf"$\chi^2$/ndf = {comparison.chi2:.1f}/{comparison.ndf}, p = {comparison.probability:.2g}"
    ratio = f"data/simulation = {with_error(comparison.scale, comparison.scale_error)}"
    text = f"{chi2}; {ratio}" if comparison.ndf else ratio
    figure.legend(
        loc="outside lower center", ncols=2, fontsize=12.5, columnspacing=1.2, title=text, title_fontsize=12.5
    )
    figure.align_ylabels()
    return figure


def _draw_events(axes: Axes, stack: Stack) -> None:
    """Draw the processes one on top of the other, their errors, and the data."""
    edges, data, expected = stack.data.edges, stack.data, stack.expected
    below = np.zeros(len(edges) - 1)
    for place, process in enumerate(stack.processes):
        values = process.spectrum.values
        name = shortened(drawable(process.title), _LONGEST)
        label = f"{name} ({count_text(round(process.spectrum.total, 1))})"
        axes.stairs(
            below + values, edges, baseline=below, fill=True, color=process_colour(place), alpha=0.8, label=label
        )
        below = below + values
    statistical = np.sqrt(expected.variances)
    down, up = systematic_error(expected.values, _shifts(stack))
    if stack.variations:
        shown = f"statistical and {variation_text(stack.variations)}"
        draw_band(axes, edges, expected.values, (np.hypot(statistical, down), np.hypot(statistical, up)), shown)
    low = np.maximum(expected.values - statistical, 1e-9)
    _draw_hatched(axes, edges, low, expected.values + statistical, "statistical, of the simulation")
    filled = data.values > 0
    centres = (edges[1:] + edges[:-1]) / 2
    errors = np.sqrt(data.variances[filled])
    label = f"data ({count_text(data.total)})"
    axes.errorbar(centres[filled], data.values[filled], errors, fmt="o", ms=3.5, color="black", lw=1.2, label=label)
    positive = expected.values[expected.values > 0]
    peak = max(float(data.values.max(initial=1.0)), float(expected.values.max(initial=1.0)))
    smallest = max(min(1.0, float(positive.min(initial=1.0))), 1e-4 * peak)
    log_counts(axes, peak=peak, smallest=smallest, headroom=0.1)
    axes.set_ylabel(f"Events / {number_text(edges[1] - edges[0])} {axis_text(unit_of(data.title))}".rstrip())


def _draw_hatched(axes: Axes, edges: FloatArray, low: FloatArray, high: FloatArray, label: str = "") -> None:
    """Draw the statistical error of the simulation, through which what lies below it can be seen."""
    axes.stairs(high, edges, baseline=low, fill=False, hatch="////", ec="0.35", lw=0, label=label)


def _shifts(stack: Stack) -> list[tuple[FloatArray, FloatArray]]:
    return [(one.up.values, one.down.values) for one in stack.variations]


def _draw_ratio(axes: Axes, stack: Stack, comparison: Comparison) -> None:
    """Draw data over simulation in merged bins, with the errors of both."""
    axes.axhline(1, color="0.5", lw=1, ls="--")
    axes.set_ylabel("data /\nsimulation", loc="center", fontsize=12)
    reach = 0.25
    if comparison.ndf:
        edges, ones = comparison.edges, np.ones(comparison.ndf)
        statistical = comparison.simulation_errors
        if stack.variations:
            bins = np.searchsorted(stack.data.edges, edges)
            nominal = np.add.reduceat(stack.expected.values, bins[:-1])
            shifts = [
                tuple(np.add.reduceat(values, bins[:-1]) / nominal for values in directions)
                for directions in _shifts(stack)
            ]
            down, up = systematic_error(ones, ((one, other) for one, other in shifts))
            draw_band(axes, edges, ones, (np.hypot(statistical, down), np.hypot(statistical, up)))
            reach = max(reach, float(np.max([down, up])))
        _draw_hatched(axes, edges, 1 - statistical, 1 + statistical)
        middle = (edges[1:] + edges[:-1]) / 2
        axes.errorbar(
            *(middle, comparison.ratio, comparison.ratio_errors),
            xerr=np.diff(edges) / 2,
            fmt="o",
            ms=3.5,
            color="black",
            lw=1.2,
        )
        far = np.abs(comparison.ratio - 1) + comparison.ratio_errors
        reach = max(reach, float(far.max()))
    reach = min(1.1 * reach, _FURTHEST)
    axes.set_ylim(max(1 - reach, 0), 1 + reach)
