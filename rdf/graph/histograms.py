"""Histograms: booked on the graph, filled by the event loop, written to one ROOT file.

What all events show is the sum of what normal and anomalous events show, so only these two are filled. Sums of real
numbers are exact to the last bit, whatever the order of the events: so the histograms of parts of a sample, with what
rounding left of their sums, add up to what one event loop gives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from rdf import RNode
from rdf.code.interpreter import ROOT
from rdf.graph.fields import ENSEMBLE, VOTES, WEIGHT, Fields, cpp_fields
from rdf.graph.histogram_keys import (
    BLOCKS,
    CUTFLOW,
    FLAGGED,
    LABELS,
    NEGATIVE,
    NON_FINITE,
    RUNS,
    SELECTIONS,
    VOTED,
    WEIGHTED,
    WEIGHTED_AGREEMENT,
    HistogramKey,
    Kind,
    Selection,
)
from rdf.graph.selection import Cut, NonFinite, WeightedCutflow, book_non_finite
from rdf.graph.shares import Shares, book_shares, share_histogram
from rdf.graph.styles import score_title, style_histogram
from rdf.provenance import Provenance
from rdf.schema.features import Feature

_VARIED = (Kind.FEATURES, Kind.SCORES, Kind.AGREEMENT)
"""Kinds of histograms that are filled for systematic variations too."""


class Binning(Protocol):
    """Equal bins from low to high."""

    @property
    def bins(self) -> int: ...  # noqa: D102
    @property
    def low(self) -> float: ...  # noqa: D102
    @property
    def high(self) -> float: ...  # noqa: D102


class SpectrumBinning(Protocol):
    """Bins of an observable, and of the ranks by which declared cuts select events."""

    @property
    def observable(self) -> str: ...  # noqa: D102
    def edges(self) -> npt.NDArray[np.float64]: ...  # noqa: D102
    def rank_edges(self) -> npt.NDArray[np.float64]: ...  # noqa: D102


@dataclass(frozen=True)
class Histograms:
    """Booked histograms by their path in the file; those of all events are added up when they are written.

    Attributes:
        numbers: path -> the number under which it is found when it is filled.
        filling: what the loop fills.
        booked: what the event loop has to run.
        non_finite: what the loop counts of all events.
        shares: what it counts of the scored events of each run.
    """

    numbers: dict[str, int]
    filling: Any
    booked: Any
    non_finite: NonFinite
    shares: Shares

    def results(self) -> list[Any]:
        """Return what the event loop has to run."""
        return [self.booked, self.non_finite.booked, self.shares.booked]

    def filled(self) -> dict[str, Any]:
        """Return all histograms by their path, after the loop, with their remainders.

        What was varied lies in `variations/<name>_<direction>`, by the same paths.
        """
        filled: dict[str, Any] = {}
        for varied in (str(name) for name in self.filling.variations()):
            variation = "" if varied == "nominal" else varied.replace(":", "_")
            for path, number in self.numbers.items():
                key = replace(HistogramKey.of_path(path), variation=variation)
                if not variation or key.kind in _VARIED:
                    filled[key.path] = _clone(self.filling.filled(varied, number))
                    if rest := self.filling.remainders(varied, number):
                        filled[replace(key, remainder=True).path] = _clone(rest)
        return filled


@dataclass(frozen=True)
class HistogramPlan:
    """Which histograms a run fills, and in which bins.

    Attributes:
        features: what the detectors learned from.
        described: how each of them, and each column of `feature_axes`, is written.
        feature_axes: binning of the features and of whatever else is drawn like one.
        score_axes: binning of each detector's score.
        plane: columns (horizontal, vertical) in which events are drawn; None where there is a single feature.
        voters: number of the ensemble's detectors.
        variations: of the graph's scales; spectra, scores and votes are filled for each of them too.
        labelled: whether the events have labels; then the scores of signal and of background are filled too.
        weighted: whether the events have weights, with which all but the agreement is filled; that is counted, and
            filled once more with weights.
        spectra: name of a detector -> bins of the observable that it was trained for, and of its ranks.
    """

    features: tuple[str, ...]
    described: Mapping[str, Feature]
    feature_axes: Mapping[str, Binning]
    score_axes: Mapping[str, Binning]
    plane: tuple[str, str] | None
    voters: int
    variations: tuple[str, ...] = ()
    labelled: bool = False
    weighted: bool = False
    spectra: Mapping[str, SpectrumBinning] = field(default_factory=dict)


class _Booking:
    """Histograms that are given to the compiled node one by one.

    Attributes:
        filling: the node.
        numbers: path -> the number under which the node has the histogram.
    """

    def __init__(self, fields: Fields) -> None:
        self.filling = ROOT.graph.Histograms()
        self.numbers: dict[str, int] = {}
        self._fields = fields
        self._selections = {
            Selection.ALL: self.filling.kAll,
            **dict(zip(SELECTIONS, (self.filling.kNormal, self.filling.kAnomalous), strict=True)),
            **dict(zip(LABELS, (self.filling.kSignal, self.filling.kBackground), strict=True)),
        }

    def _given(self, key: HistogramKey, columns: Sequence[str]) -> tuple[Any, Any]:
        return cpp_fields(self._fields.of(columns)), self._selections[key.selection]

    def add_counts(self, key: HistogramKey, empty: Any, columns: Sequence[str], weighted: bool = True) -> None:
        """Count events in bins of one column, or of two; with their weights, where they have any, if `weighted`."""
        self.numbers[key.path] = int(self.filling.add_counts(empty, *self._given(key, columns), weighted))

    def add_means(self, key: HistogramKey, empty: Any, columns: Sequence[str]) -> None:
        """Take the mean of the third column in bins of the first two."""
        self.numbers[key.path] = int(self.filling.add_means(empty, *self._given(key, columns)))

    def add_products(
        self, key: HistogramKey, empty: Any, columns: Sequence[str], with_one: bool, weighted: bool = True
    ) -> None:
        """Sum products of pairs of columns, with 1 before the first of them if `with_one`; weights as above."""
        fields, selection = self._given(key, columns)
        self.numbers[key.path] = int(self.filling.add_products(empty, fields, with_one, selection, weighted))


def book_histograms(
    read: RNode, selected: RNode, fields: Fields, plan: HistogramPlan, slots: int, stopwatch: Any = None
) -> Histograms:
    """Book all histograms of a run; an event fills them in one go.

    Args:
        read: node of all events, with `recorded_event`.
        selected: node of the scored events.
        fields: fields of the scored events.
        plan: the histograms to be booked.
        slots: of the event loop.
        stopwatch: of the event loop, or None.
    """
    booking = _Booking(fields)
    for selection in SELECTIONS:
        _book_features(booking, plan, selection)
    _book_scores(booking, plan)
    _book_agreement(booking, plan)
    _book_spectra(booking, plan)
    return Histograms(
        booking.numbers,
        booking.filling,
        booking.filling.book(selected, slots, bool(plan.variations), stopwatch or ROOT.nullptr, plan.weighted),
        book_non_finite(read, plan.features, slots),
        book_shares(selected, slots),
    )


def _book_features(booking: _Booking, plan: HistogramPlan, selection: Selection) -> None:
    """Book what the features of normal or of anomalous events look like."""
    for name, axis in plan.feature_axes.items():
        key, described = HistogramKey(Kind.FEATURES, selection, name), plan.described[name]
        title = titles(described.title + _of_events(selection), described.axis_title, "events")
        booking.add_counts(key, ROOT.TH1D(key.object_name, title, *_bins(axis)), [name])
    if plan.plane:
        key = HistogramKey(Kind.PLANES, selection, "_".join(plan.plane))
        model = _plane_model(plan.plane, selection, plan.described, plan.feature_axes)
        booking.add_counts(key, ROOT.TH2D(key.object_name, *model), plan.plane)
    key, width = HistogramKey(Kind.MOMENTS, selection), len(plan.features)
    title = titles("Sums of products of features" + _of_events(selection), "", "", "sum of products")
    empty = ROOT.TH2D(key.object_name, title, *2 * (width + 1, -0.5, width + 0.5))
    _label_matrix(empty, ("1", *plan.features))
    booking.add_products(key, empty, plan.features, with_one=True)


def _book_scores(booking: _Booking, plan: HistogramPlan) -> None:
    """Book the scores of the detectors and of the ensemble, and where in the plane they are high."""
    scores = {f"score_{name}": _bins(axis) for name, axis in plan.score_axes.items()}
    for name, bins in {**scores, ENSEMBLE: (100, 0.0, 1.0)}.items():
        title = score_title(name)
        empty = ROOT.TH1D(name, f"{_capitalised(title)};{title};events", *bins)
        booking.add_counts(HistogramKey(Kind.SCORES, Selection.ALL, name), empty, [name])
        for label in LABELS if plan.labelled else ():
            label_titles = titles(_capitalised(title) + _of_events(label), title, "events")
            booking.add_counts(HistogramKey(Kind.SCORES, label, name), ROOT.TH1D(name, label_titles, *bins), [name])
        if plan.plane:
            key = HistogramKey(Kind.PLANES, Selection.ALL, f"{name}_{'_'.join(plan.plane)}")
            axes = [edge for column in plan.plane for edge in _bins(plan.feature_axes[column])]
            axis_titles = (plan.described[column].axis_title for column in plan.plane)
            mean_titles = titles(f"Mean {title}", *axis_titles, f"mean {title}")
            booking.add_means(key, ROOT.TProfile2D(key.object_name, mean_titles, *axes), [*plan.plane, name])


def _book_agreement(booking: _Booking, plan: HistogramPlan) -> None:
    """Book how many detectors flag an event, and which of them together."""
    count = len(plan.score_axes)
    bins = (plan.voters + 1, -0.5, plan.voters + 0.5)
    flags = [f"flag_{name}" for name in plan.score_axes]
    for weighted in (False, *(True,) * plan.weighted):
        voted, flagged = (WEIGHTED_AGREEMENT[key] if weighted else key for key in (VOTED, FLAGGED))
        votes = ROOT.TH1D(voted.name, "Detectors that flag an event;votes;events", *bins)
        booking.add_counts(voted, votes, [VOTES], weighted)
        both = ROOT.TH2D(flagged.name, "Events flagged by both;;;events", *2 * (count, 0.5, count + 0.5))
        _label_matrix(both, tuple(plan.score_axes))
        booking.add_products(flagged, both, flags, with_one=False, weighted=weighted)


def _book_spectra(booking: _Booking, plan: HistogramPlan) -> None:
    """Book the spectra of an observable in bins of a detector's rank, which hold those of all declared cuts."""
    for name, bins in plan.spectra.items():
        key, described = HistogramKey(Kind.SPECTRA, Selection.ALL, name), plan.described[bins.observable]
        title = titles(f"{described.title} and rank by {name}", described.axis_title, f"rank by {name}", "events")
        edges, ranks = bins.edges(), bins.rank_edges()
        empty = ROOT.TH2D(name, title, len(edges) - 1, edges, len(ranks) - 1, ranks)
        booking.add_counts(key, empty, [bins.observable, f"rank_{name}"], weighted=False)


def _bins(axis: Binning) -> tuple[int, float, float]:
    return axis.bins, axis.low, axis.high


def titles(*texts: str) -> str:
    """Return the titles of a histogram and its axes as ROOT takes them, in which a semicolon stands between two."""
    return ";".join(text.replace(";", "#;") + " " * text.endswith("#") for text in texts)


def _of_events(selection: Selection) -> str:
    """Return the end of the title of what selected events show."""
    return f", {selection} events"


def _plane_model(
    plane: tuple[str, str], selection: Selection, described: Mapping[str, Feature], axes: Mapping[str, Binning]
) -> tuple[Any, ...]:
    x, y = plane
    title = f"{described[y].title} against {described[x].title}{_of_events(selection)}"
    return (
        titles(title, described[x].axis_title, described[y].axis_title, "events"),
        *_bins(axes[x]),
        *_bins(axes[y]),
    )


def collect_histograms(
    histograms: Histograms, cuts: Sequence[Cut], weighted: WeightedCutflow | None = None
) -> dict[str, Any]:
    """Return what was filled and counted, after the loop, by its path: what the loops over parts of a sample add up.

    Args:
        histograms: booked for the loop.
        cuts: the cutflow.
        weighted: that of the weights; None where events have none.
    """
    filled = histograms.filled()
    not_finite = histograms.non_finite.counts()
    title = "Events in which a feature is not finite"
    if weighted:
        title = "Events in which a feature or the weight is not finite"
        not_finite[WEIGHT] = weighted.not_finite()
    filled[NON_FINITE.path] = _counts(NON_FINITE.name, title, not_finite, -0.5)
    passed = {cut.name: cut.events for cut in cuts}
    filled[CUTFLOW.path] = _counts(CUTFLOW.name, "Cutflow", passed, 0.0)
    filled[RUNS.path] = share_histogram(RUNS, histograms.shares.runs())
    filled[BLOCKS.path] = share_histogram(BLOCKS, histograms.shares.blocks())
    filled |= histograms.shares.directions()
    return filled | _weighted_cutflow(weighted) if weighted else filled


def _weighted_cutflow(cutflow: WeightedCutflow) -> dict[str, Any]:
    """Return the weights that passed each cut, what rounding left of them, and the events of negative weight."""
    cuts = cutflow.cuts()
    keys = WEIGHTED, replace(WEIGHTED, remainder=True)
    filled = {}
    for word, key in enumerate(keys):
        title = "What rounding left of sums" if key.remainder else "Cutflow, with weights"
        histogram = _counts(key.name, title, {cut.name: cut.sum[word] for cut in cuts}, 0.0)
        histogram.Sumw2()
        for i, cut in enumerate(cuts, start=1):
            histogram.GetSumw2().SetAt(cut.squares[word], i)
        filled[key.path] = histogram
    negative = {cut.name: cut.negative for cut in cuts}
    return {**filled, NEGATIVE.path: _counts(NEGATIVE.name, "Cutflow, events of negative weight", negative, 0.0)}


def _counts(name: str, title: str, counts: Mapping[str, float], low: float) -> Any:
    histogram = ROOT.TH1D(name, f"{title};;events", len(counts), low, len(counts) + low)
    for i, (label, events) in enumerate(counts.items(), start=1):
        histogram.SetBinContent(i, events)
        histogram.GetXaxis().SetBinLabel(i, label)
    return histogram


def _clone(histogram: Any) -> Any:
    """Return a copy that goes when Python forgets it; otherwise a few MB would stay of each event loop."""
    copy = histogram.Clone()
    ROOT.SetOwnership(copy, True)
    return copy


def complete(filled: Mapping[str, Any]) -> dict[str, Any]:
    """Return all histograms of the file by their path, those of all events among them.

    Args:
        filled: as `collect_histograms` gives them, of one event loop or of the loops over all parts.
    """
    kept = remainders(filled)
    whole = {path: histogram for path, histogram in filled.items() if path not in kept}
    _add_sums(whole)
    return whole


def remainders(filled: Mapping[str, Any]) -> dict[str, Any]:
    """Return the low words of double-double sums, which the file of a part of a sample keeps."""
    return {path: histogram for path, histogram in filled.items() if HistogramKey.of_path(path).remainder}


def _add_sums(filled: dict[str, Any]) -> None:
    """Add what all events show to what normal and anomalous events show."""
    normal, anomalous = SELECTIONS
    keys = [HistogramKey.of_path(path) for path in filled]
    for key in [key for key in keys if key.selection == normal]:
        total = _clone(filled[key.path])
        total.Add(filled[replace(key, selection=anomalous).path])
        all_events = replace(key, selection=Selection.ALL)
        total.SetTitle(titles(str(total.GetTitle()).removesuffix(_of_events(normal)) + _of_events(Selection.ALL)))
        total.SetName(all_events.object_name)
        filled[all_events.path] = total


def _label_matrix(matrix: Any, labels: Sequence[str]) -> None:
    for axis in (matrix.GetXaxis(), matrix.GetYaxis()):
        for i, label in enumerate(labels, start=1):
            axis.SetBinLabel(i, label)


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def write_histograms(path: Path, histograms: Mapping[str, Any], provenance: Provenance) -> None:
    """Write histograms to a ROOT file, each in the directory that its path says; simulated ones say so in their titles.

    They are written as a TBrowser is to draw them.

    Raises:
        EventLoopFailed: the file cannot be written whole.
    """
    with provenance.created_file(path) as file:
        for place, histogram in sorted(histograms.items()):
            directory, _, name = place.rpartition("/")
            if provenance.simulated:
                histogram.SetTitle(titles(f"SIMULATED {histogram.GetTitle()}"))
            if not HistogramKey.of_path(place).remainder:
                style_histogram(place, histogram)
            (file.GetDirectory(directory) or file.mkdir(directory)).WriteObject(histogram, name)
