"""Each feature of the normal events against that of the anomalous ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from plotting.figures.facts import RunFacts
from plotting.figures.figure import NamedFigure, Names
from plotting.figures.sentences import quantity_title, split_text
from plotting.figures.systematics import draw_band, merged, merged_bins, systematic_error, variation_text
from plotting.results.caption import Caption
from plotting.results.histograms import Spectrum, Split, Variation
from plotting.results.moments import FloatArray
from plotting.results.run import Results
from plotting.style.axes import log_counts, number_text, occupied, ratio_axis, unit_of
from plotting.style.canvas import new_figure
from plotting.style.colours import ANOMALOUS, EVERYTHING, NORMAL, SYSTEMATIC
from plotting.style.formulas import axis_text
from plotting.style.house import house_style
from plotting.style.markup import number_markup, quantity_markup
from plotting.style.wording import capitalised, count_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class FeatureFigure(NamedFigure[Results, RunFacts]):
    """A feature or an observable of normal and of anomalous events.

    Attributes:
        quantity: its name.
    """

    quantity: str

    section = "features"

    @property
    def name(self) -> str:
        """Name of its files, without ending."""
        return f"feature_{self.quantity}"

    @classmethod
    def all(cls, names: Names) -> Iterator[Self]:
        """Return the figure of each feature and observable."""
        return (cls(quantity) for quantity in names.quantities)

    def title(self, facts: RunFacts) -> Markup:
        """Say in a few words what is drawn."""
        return quantity_title((*facts.record.features, *facts.record.observables), self.quantity)

    def caption(self, facts: RunFacts) -> Markup:
        """State the means of both kinds of events and their ratio; of an observable, the events of both kinds."""
        record, counts = facts.record, facts.record.counts
        feature = next((feature for feature in record.features if feature.name == self.quantity), None)
        if feature is None:
            return Markup("{}; the detectors do not see this quantity.").format(capitalised(split_text(counts)))
        mean = record.means[self.quantity]
        kinds = [
            Markup("{} for {} {} events").format(quantity_markup(value, feature.unit), count_text(events), kind)
            for kind, value, events in (
                ("normal", mean.normal, counts.normal),
                ("anomalous", mean.anomalous, counts.anomalous),
            )
            if value is not None
        ]
        if not kinds:
            return Markup("No event was selected.")
        ratio = Markup(", a ratio of {}").format(number_markup(mean.ratio)) if mean.ratio is not None else ""
        return Markup("Mean {}{}.").format(Markup(" and ").join(kinds), ratio)

    def draw(self, data: Results) -> Figure:
        """Draw it."""
        return draw_feature(data.spectra[self.quantity], data.caption, data.varied_spectra[self.quantity])


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
    bins = merged_bins((normal, anomalous), least)
    if not bins.size:
        return ShapeRatio(*(np.empty(0) for _ in range(3)))
    values = _ratio_in(normal, anomalous, bins)
    relative = np.sqrt(
        sum(merged(kind.variances, bins) / merged(kind.values, bins) ** 2 for kind in (normal, anomalous))
    )
    return ShapeRatio(normal.edges[bins], values, values * relative)


def shape_ratio_error(
    nominal: ShapeRatio, edges: FloatArray, variations: Sequence[Variation[Split[Spectrum]]]
) -> tuple[FloatArray, FloatArray]:
    """Return how far systematic variations shift a ratio of shapes down and up, both of shape (m,).

    Both kinds of events are varied together, and the ratio is taken in the bins of the nominal one.

    Args:
        nominal: of m bins.
        edges: of the histograms, shape (n + 1,).
        variations: of the histograms.
    """
    bins = np.searchsorted(edges, nominal.edges)
    return systematic_error(
        nominal.values,
        (
            (_ratio_in(one.up.normal, one.up.anomalous, bins), _ratio_in(one.down.normal, one.down.anomalous, bins))
            for one in variations
        ),
    )


def _ratio_in(normal: Spectrum, anomalous: Spectrum, bins: NDArray[np.intp]) -> FloatArray:
    """Return the ratio of shapes in merged bins; one where a variation leaves no normal event."""
    shares = [merged(kind.values, bins) / (kind.total or 1.0) for kind in (normal, anomalous)]
    ratio: FloatArray = np.divide(shares[1], shares[0], out=np.ones_like(shares[0]), where=shares[0] > 0)
    return ratio


@house_style()
def draw_feature(
    spectrum: Split[Spectrum], caption: Caption, variations: Sequence[Variation[Split[Spectrum]]] = ()
) -> Figure:
    """Draw one quantity: events of each kind, and below them the ratio of the two shapes; with systematic bands.

    Args:
        spectrum: of all, normal and anomalous events, with the same edges.
        caption: of the sample.
        variations: of the same, with the same edges.
    """
    from matplotlib.ticker import MaxNLocator, NullLocator

    figure = new_figure(caption, 7.0, 6.0)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1.25))
    edges, title = spectrum.all.edges, spectrum.all.title
    everything = spectrum.all

    upper.stairs(
        everything.values, edges, fill=True, color=EVERYTHING, alpha=0.3, label=f"all ({count_text(everything.total)})"
    )
    centres = (edges[1:] + edges[:-1]) / 2
    for kind, varied, colour, name in (
        (spectrum.normal, [(one.up.normal, one.down.normal) for one in variations], NORMAL, "normal"),
        (spectrum.anomalous, [(one.up.anomalous, one.down.anomalous) for one in variations], ANOMALOUS, "anomalous"),
    ):
        if variations:
            shifts = systematic_error(kind.values, ((up.values, down.values) for up, down in varied))
            draw_band(upper, edges, kind.values, shifts)
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
    headroom = 0.65 if variations else 0.5
    log_counts(upper, peak=positive.max(initial=1.0), smallest=everything.smallest, headroom=headroom)
    if _counts_things(edges):
        lower.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        lower.xaxis.set_minor_locator(NullLocator())
        upper.set_ylabel("Events")
    else:
        upper.set_ylabel(f"Events / {_bin_width(edges, unit_of(title))}")

    ratio = shape_ratio(spectrum.normal, spectrum.anomalous)
    lower.axhline(1, color="0.5", lw=1, ls="--")
    if ratio.values.size:
        middle = (ratio.edges[1:] + ratio.edges[:-1]) / 2
        if variations:
            draw_band(lower, ratio.edges, ratio.values, shape_ratio_error(ratio, edges, variations))
        lower.errorbar(
            middle, ratio.values, ratio.errors, xerr=np.diff(ratio.edges) / 2, fmt="o", ms=3.5, color=ANOMALOUS, lw=1.2
        )
    ratio_axis(lower, ratio.values.min(initial=0.5), ratio.values.max(initial=2.0))
    if variations:
        upper.fill_between([], [], color=SYSTEMATIC, alpha=0.45, lw=0, label=variation_text(variations))
    upper.legend(loc="upper right")
    lower.set_ylabel("anomalous /\nnormal shape", loc="center", fontsize=12)
    lower.set_xlabel(axis_text(title))
    lower.set_xlim(*occupied(edges, everything.values))
    figure.align_ylabels()
    return figure


def _counts_things(edges: FloatArray) -> bool:
    """Tell whether each bin holds one whole number, as in a histogram of the number of jets."""
    return bool(np.allclose(np.diff(edges), 1) and np.isclose(edges[0] % 1, 0.5))


def _bin_width(edges: FloatArray, unit: str) -> str:
    widths = np.diff(edges)
    if not np.allclose(widths, widths[0], rtol=1e-6):
        return "bin"
    return f"{number_text(widths[0])} {axis_text(unit)}".rstrip()
