"""Histograms: booked on the graph, filled by the event loop, written to one ROOT file.

What all events show is the sum of what normal and anomalous events show, so only these two are filled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from rdf import RNode
from rdf.features import Feature
from rdf.interpreter import ROOT
from rdf.provenance import Provenance
from rdf.scoring import ENSEMBLE
from rdf.selection import Cut, NonFinite, book_non_finite

VARIATIONS = "variations"
"""Directory of what systematic variations change."""

SELECTIONS = ("normal", "anomalous")


class Binning(Protocol):
    """Equal bins from low to high."""

    @property
    def bins(self) -> int: ...  # noqa: D102
    @property
    def low(self) -> float: ...  # noqa: D102
    @property
    def high(self) -> float: ...  # noqa: D102


@dataclass(frozen=True)
class Histograms:
    """Booked histograms by their path in the file; those of all events are added up when they are written.

    Attributes:
        numbers: path -> the number under which it is found when it is filled.
        filling: what the loop fills.
        booked: what the event loop has to run.
        non_finite: what the loop counts of all events.
        features: what the detectors learned from.
        detectors: their names.
    """

    numbers: dict[str, int]
    filling: Any
    booked: Any
    non_finite: NonFinite
    features: tuple[str, ...]
    detectors: tuple[str, ...]

    def results(self) -> list[Any]:
        """Return what the event loop has to run."""
        return [self.booked, self.non_finite.booked]

    def filled(self, variation: str) -> dict[str, Any]:
        """Return the histograms of a variation, or of "nominal", by their path, after the loop."""
        return {path: self.filling.filled(variation, number).Clone() for path, number in self.numbers.items()}


def book_histograms(
    read: RNode,
    selected: RNode,
    fields: Mapping[str, str],
    features: Sequence[str],
    described: Mapping[str, Feature],
    feature_axes: Mapping[str, Binning],
    score_axes: Mapping[str, Binning],
    plane: tuple[str, str],
    voters: int,
    slots: int,
    variations: Sequence[str] = (),
    watch: Any = None,
) -> Histograms:
    """Book all histograms of a run; an event fills them in one go.

    Args:
        read: node of all events, with `recorded_event`.
        selected: node of the scored events.
        fields: column -> how `macros/fields.hxx` names it.
        features: what the detectors learned from.
        described: how each of them, and of the columns below, is written.
        feature_axes: binning of the features and of whatever else is drawn like one.
        score_axes: binning of each detector's score.
        plane: columns (horizontal, vertical) in which events are drawn.
        voters: detectors of the ensemble.
        slots: of the event loop.
        variations: of the graph's scales; spectra, scores and votes are filled for each of them too.
        watch: the event loop's stopwatch, or None.
    """
    width, detectors = len(features), tuple(score_axes)
    filling = ROOT.graph.Histograms()
    numbers: dict[str, int] = {}

    def add(path: str, empty: Any, columns: Sequence[str], selection: int = filling.kAll) -> None:
        numbers[path] = int(filling.add(empty, [fields[name] for name in columns], selection))

    def add_products(path: str, empty: Any, columns: Sequence[str], with_one: bool, selection: int) -> None:
        numbers[path] = int(filling.add_products(empty, [fields[name] for name in columns], with_one, selection))

    for selection, which in zip(SELECTIONS, (filling.kNormal, filling.kAnomalous), strict=True):
        for name, axis in feature_axes.items():
            title = f"{described[name].title}, {selection} events;{described[name].axis_title};events"
            add(f"features/{selection}/{name}", ROOT.TH1D(name, title, *_bins(axis)), [name], which)
        empty = ROOT.TH2D(*_plane_model(plane, selection, described, feature_axes))
        add(f"planes/{selection}/{'_'.join(plane)}", empty, plane, which)
        title = f"Sums of products of features, {selection} events"
        empty = ROOT.TH2D(selection, title, *2 * (width + 1, -0.5, width + 0.5))
        add_products(f"moments/{selection}", empty, features, True, which)

    ranks = (100, 0.0, 1.0)
    for name, bins in {**{f"score_{d}": _bins(axis) for d, axis in score_axes.items()}, ENSEMBLE: ranks}.items():
        add(f"scores/{name}", ROOT.TH1D(name, f"{name};{name};events", *bins), [name])
        model = (
            f"{name}_{'_'.join(plane)}",
            f"mean {name};{described[plane[0]].axis_title};{described[plane[1]].axis_title};mean {name}",
        )
        axes = (*_bins(feature_axes[plane[0]]), *_bins(feature_axes[plane[1]]))
        add(f"planes/{model[0]}", ROOT.TProfile2D(*model, *axes), [*plane, name])

    count = len(detectors)
    votes = ("votes", "Detectors that flag an event;votes;events", voters + 1, -0.5, voters + 0.5)
    add("agreement/votes", ROOT.TH1D(*votes), ["votes"])
    agreement = ("flagged", "Events flagged by both;;", *2 * (count, 0.5, count + 0.5))
    flags = [f"flag_{name}" for name in detectors]
    add_products("agreement/flagged", ROOT.TH2D(*agreement), flags, False, filling.kAll)
    return Histograms(
        numbers,
        filling,
        filling.book(selected, slots, bool(variations), watch or ROOT.nullptr),
        book_non_finite(read, features, slots),
        tuple(features),
        detectors,
    )


def _is_varied(path: str) -> bool:
    return path.startswith(("features/", "scores/", "agreement/"))


def _bins(axis: Binning) -> tuple[int, float, float]:
    return axis.bins, axis.low, axis.high


def _plane_model(
    plane: tuple[str, str], selection: str, described: Mapping[str, Feature], axes: Mapping[str, Binning]
) -> tuple[Any, ...]:
    x, y = plane
    titles = f"{described[x].axis_title};{described[y].axis_title}"
    title = f"{described[y].title} against {described[x].title}, {selection} events;{titles}"
    return (f"{x}_{y}", title, *_bins(axes[x]), *_bins(axes[y]))


def complete(histograms: Histograms, cuts: Sequence[Cut]) -> dict[str, Any]:
    """Return all histograms of the file by their path, after the loop: sums made, bins named.

    What was varied lies in `variations/<name>_<direction>`, by the same paths.
    """
    filled = histograms.filled("nominal")
    _add_sums(filled)
    for selection in ("all", *SELECTIONS):
        _label_matrix(filled[f"moments/{selection}"], ("1", *histograms.features))
    _label_matrix(filled["agreement/flagged"], histograms.detectors)

    counts = histograms.non_finite.counts()
    title, width = "Features that are not finite;;events", len(counts)
    non_finite = ROOT.TH1D("non_finite", title, width, -0.5, width - 0.5)
    for i, (feature, events) in enumerate(counts.items(), start=1):
        non_finite.SetBinContent(i, events)
        non_finite.GetXaxis().SetBinLabel(i, feature)
    filled["cutflow/non_finite"] = non_finite

    cutflow = ROOT.TH1D("cutflow", "Cutflow;;events", len(cuts), 0, len(cuts))
    for i, cut in enumerate(cuts, start=1):
        cutflow.SetBinContent(i, cut.events)
        cutflow.GetXaxis().SetBinLabel(i, cut.name)
    filled["cutflow/cutflow"] = cutflow

    for key in (str(name) for name in histograms.filling.variations()):
        if key != "nominal":
            varied = {path: filled for path, filled in histograms.filled(key).items() if _is_varied(path)}
            _add_sums(varied)
            _label_matrix(varied["agreement/flagged"], histograms.detectors)
            name = key.replace(":", "_")
            filled |= {f"{VARIATIONS}/{name}/{path}": histogram for path, histogram in varied.items()}
    return filled


def _add_sums(filled: dict[str, Any]) -> None:
    """Add what all events show to what normal and anomalous events show."""
    for path in [path for path in filled if "normal" in path.split("/")]:
        anomalous = filled[path.replace("normal", "anomalous")]
        total = filled[path].Clone()
        total.Add(anomalous)
        total.SetTitle(total.GetTitle().replace("normal", "all"))
        # What is shown of normal and of anomalous events lies in folders of that name, what is shown of all above them.
        target = path.replace("normal", "all") if path == "moments/normal" else path.replace("normal/", "")
        total.SetName(target.rpartition("/")[2])
        filled[target] = total


def _label_matrix(matrix: Any, labels: Sequence[str]) -> None:
    for axis in (matrix.GetXaxis(), matrix.GetYaxis()):
        for i, label in enumerate(labels, start=1):
            axis.SetBinLabel(i, label)


def write_histograms(path: Path, histograms: Mapping[str, Any], provenance: Provenance) -> None:
    """Write histograms to a ROOT file, each in the directory that its path says; simulated ones say so in their titles.

    Raises:
        EventLoopFailed: the file cannot be written whole.
    """
    with provenance.created_file(path) as file:
        for place, histogram in sorted(histograms.items()):
            directory, _, name = place.rpartition("/")
            if provenance.simulated:
                histogram.SetTitle(f"SIMULATED {histogram.GetTitle()}")
            (file.GetDirectory(directory) or file.mkdir(directory)).WriteObject(histogram, name)
