"""Spectra of a window: events over the width of each bin, and what is expected in the region from the sidebands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from plotting.figures.search.cwola.figure import WindowFigure, deviations, expected_words, region_words, share_words
from plotting.figures.search.figure import Numbers, axis_title, caption_of
from plotting.figures.search.spectrum import pulls
from plotting.results.search.cwola import CountedCut, CwolaRecord, SearchedWindow
from plotting.style.axes import log_counts
from plotting.style.canvas import new_figure
from plotting.style.colours import EVERYTHING, NORMAL, SYSTEMATIC
from plotting.style.house import house_style
from plotting.style.markup import number_markup
from plotting.style.wording import count_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FALLING = 20.0
"""Ratio of the largest to the smallest expected density above which the vertical axis is logarithmic."""

ONE_SIGMA = 0.15865525393145707
"""Probability above one standard deviation of a normal distribution."""


@dataclass(frozen=True)
class SpectraFigure(WindowFigure):
    """Spectra of the opened cuts of one window."""

    @property
    def name(self) -> str:
        """Name of its files, without ending."""
        return f"spectra_{self.place + 1}"

    def is_in(self, data: CwolaRecord) -> bool:
        """Tell whether a cut was opened."""
        return bool(counted_cuts(self.window(data)))

    def title(self, facts: CwolaRecord) -> Markup:
        """Say in a few words what is drawn."""
        return Markup.escape(f"Spectra around the region from {region_words(self.window(facts), facts)}")

    def caption(self, facts: CwolaRecord) -> Markup:
        """State the function, how well it describes the sidebands, and what was counted in the region."""
        window = self.window(facts)
        hidden = " The events in the region are blinded." if facts.status == "blinded" else ""
        weighted = (
            " Weighted events are sums of weights, in units of the sum of their squares over their sum."
            if any(cut.by_ratio for cut in counted_cuts(window))
            else ""
        )
        told = [
            Markup("{}: {}; deviance of the sidebands {} for {} degrees of freedom").format(
                share_words(cut), counted_words(cut), number_markup(cut.deviance), cut.ndf
            )
            for cut in counted_cuts(window)
        ]
        return Markup(
            "Events over the width of each bin; the region is one bin. Pulls are by the errors of the counts alone; "
            "the band is the error of what is expected in the region.{} The function is {}.{} {}."
        ).format(weighted, window.function, hidden, Markup(". ").join(each[:1].upper() + each[1:] for each in told))

    def draw(self, data: CwolaRecord) -> Figure:
        """Draw it."""
        return draw_spectra(data, self.place)


def counted_cuts(window: SearchedWindow) -> list[CountedCut]:
    """Return the cuts whose spectrum was looked at; while blinded that is the one that keeps all events."""
    return [cut for cut in window.cuts if cut.counts]


def counted_words(cut: CountedCut) -> str:
    """State what was counted in the region, what was expected there, and how significant the difference is."""
    expected = expected_words(cut.background, cut.background_error)
    if cut.events is None:
        return f"expected in the region {expected}"
    said = f"{count_text(cut.events)} {'weighted ' if cut.by_ratio else ''}events in the region, expected {expected}"
    if cut.z is not None:
        said += f"; Z = {deviations(cut.z)}"
    if cut.calibrated is not None:
        z, error = deviations(cut.calibrated.z), deviations(cut.calibrated.z_error)
        said += f", calibrated by {count_text(cut.calibrated.sets)} background-only sets {z} ± {error}"
    return said


def poisson_interval(counts: Numbers) -> tuple[Numbers, Numbers]:
    """Return the ends of the central interval of 68.3 % for the mean of each count, NaN for one that is unknown.

    Garwood, Biometrika 28 (1936) 437; its ends are quantiles of gamma distributions.

    Args:
        counts: of events, shape (n,).

    Returns:
        Lower and upper ends, shape (n,) each.
    """
    from scipy.special import gammaincinv

    low = np.where(counts > 0, gammaincinv(np.maximum(counts, 1), ONE_SIGMA), 0.0)
    return np.where(np.isnan(counts), np.nan, low), np.asarray(gammaincinv(counts + 1, 1 - ONE_SIGMA))


@house_style()
def draw_spectra(record: CwolaRecord, place: int) -> Figure:
    """Draw the spectra of the opened cuts of a window one below the other.

    Below each stand its pulls, and the numbers of the region in words.

    Args:
        record: of the search.
        place: of the window.
    """
    window = record.windows[place]
    cuts = counted_cuts(window)
    figure = new_figure(caption_of(record), 7.0, 1.0 + 4.2 * len(cuts))
    panels: list[Axes] = list(figure.subplots(2 * len(cuts), 1, sharex=True, height_ratios=(3, 1.1) * len(cuts)))
    for axes, strip, cut in zip(panels[::2], panels[1::2], cuts, strict=True):
        _draw_spectrum(axes, cut, window)
        _draw_pulls(strip, cut, window)
        unit = f" / {record.unit}" if record.unit else " / bin width"
        axes.set_ylabel(f"Events{unit}")
        below = -49 if strip is panels[-1] else -8
        strip.annotate(
            counted_words(cut).replace("; ", "\n"),
            *((0, 0), (0, below)),
            xycoords="axes fraction",
            textcoords="offset points",
            va="top",
            fontsize=13,
        )
    panels[-1].set_xlabel(axis_title(record))
    panels[-1].set_xlim(window.begin, window.end)
    figure.align_ylabels()
    return figure


def _draw_spectrum(axes: Axes, cut: CountedCut, window: SearchedWindow) -> None:
    edges = np.array(window.edges)
    widths = np.diff(edges)
    counts = np.array([np.nan if count is None else count for count in cut.counts])
    low, high = poisson_interval(counts)
    seen, density, expected = ~np.isnan(counts), counts / widths, np.array(cut.expected) / widths
    bars = np.array([(counts - low) / widths, (high - counts) / widths])
    axes.axvspan(window.low, window.high, color=EVERYTHING, alpha=0.2, lw=0, label="region")
    drawn = [density[seen] + bars[1, seen], expected]
    if cut.background is not None and cut.background_error is not None:
        width = window.high - window.low
        lower, upper = ((cut.background + sign * cut.background_error) / width for sign in (-1, 1))
        label = "expected in the region ± σ"
        axes.fill_between((window.low, window.high), lower, upper, color=SYSTEMATIC, alpha=0.6, lw=0, label=label)
    axes.stairs(expected, edges, color=NORMAL, lw=1.8, label=window.function)
    axes.errorbar(
        ((edges[1:] + edges[:-1]) / 2)[seen],
        density[seen],
        bars[:, seen],
        xerr=widths[seen] / 2,
        fmt="o",
        ms=3.5,
        color="black",
        lw=1,
        label=f"data, {share_words(cut)}",
    )
    peak = float(np.max(np.concatenate(drawn), initial=1e-9))
    if expected.max() > FALLING * max(expected.min(), 1e-9):
        # One event in the widest bin is seen, and so is what is expected in the region.
        log_counts(axes, peak, min(1 / float(widths.max()), max(float(expected[window.region_bin]), 1e-9)), 0.7)
    else:
        axes.set_ylim(0, 1.9 * peak)
    axes.legend(loc="upper right", ncols=2, fontsize=12, columnspacing=1.0)


def _draw_pulls(axes: Axes, cut: CountedCut, window: SearchedWindow) -> None:
    """Draw the pulls by the errors of the counts alone; a band says how far the expectation of the region is known."""
    edges = np.array(window.edges)
    counts = np.array([np.nan if count is None else count for count in cut.counts])
    seen, left = ~np.isnan(counts), pulls(counts, np.array(cut.expected))
    reach = float(np.max(np.abs(left[seen]), initial=0.0))
    axes.axvspan(window.low, window.high, color=EVERYTHING, alpha=0.2, lw=0)
    axes.bar(edges[:-1][seen], left[seen], np.diff(edges)[seen], align="edge", color=NORMAL, alpha=0.6, lw=0)
    if cut.background and cut.background_error is not None:
        error = cut.background_error / np.sqrt(cut.background)
        axes.fill_between((window.low, window.high), -error, error, color=SYSTEMATIC, alpha=0.6, lw=0)
        reach = max(reach, error)
    axes.axhline(0, color="0.3", lw=1)
    reach = max(3.5, 1.15 * reach)
    axes.set_ylim(-reach, reach)
    axes.set_ylabel("pull", loc="center")
