"""Histograms: booked on the graph, filled by the event loop, written to one ROOT file.

What all events show is the sum of what normal and anomalous events show, so only these two are filled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from rdf import RNode
from rdf.columns import VECTOR, define
from rdf.features import Feature
from rdf.interpreter import ROOT, include_kernels
from rdf.provenance import Provenance
from rdf.scoring import ENSEMBLE
from rdf.selection import Cut

VARIATIONS = "variations"
"""Directory of what systematic variations change."""

SELECTIONS: Mapping[str, str] = {"normal": "!flag_ensemble", "anomalous": "flag_ensemble"}


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
        booked: path -> what the loop fills.
        varied: path -> what the loop fills once for each variation and direction.
        features: what the detectors learned from.
        detectors: their names.
    """

    booked: dict[str, Any]
    varied: dict[str, Any]
    features: tuple[str, ...]
    detectors: tuple[str, ...]

    def results(self) -> list[Any]:
        """Return what the event loop has to run."""
        return list(self.booked.values())


def book_histograms(
    read: RNode,
    selected: RNode,
    features: Sequence[str],
    described: Mapping[str, Feature],
    feature_axes: Mapping[str, Binning],
    score_axes: Mapping[str, Binning],
    plane: tuple[str, str],
    voters: int,
    variations: Sequence[str] = (),
) -> Histograms:
    """Book all histograms of a run.

    Args:
        read: node of all events, with `non_finite`.
        selected: node of the scored events.
        features: what the detectors learned from.
        described: how each of them, and of the columns below, is written.
        feature_axes: binning of the features and of whatever else is drawn like one.
        score_axes: binning of each detector's score.
        plane: columns (horizontal, vertical) in which events are drawn.
        voters: detectors of the ensemble.
        variations: of the graph's scales; spectra, scores and votes are filled for each of them too.
    """
    include_kernels("moments")
    width, detectors = len(features), tuple(score_axes)
    booked: dict[str, Any] = {
        "cutflow/non_finite": read.Histo1D(
            ("non_finite", "Features that are not finite;;events", width, -0.5, width - 0.5), "non_finite"
        )
    }
    selected = define(selected, "moment_row", f"moments::pair_first<{width}>()")
    selected = define(selected, "moment_column", f"moments::pair_second<{width}>()")
    selected = define(selected, "moment_product", f"moments::pair_products({VECTOR})")
    for selection, condition in SELECTIONS.items():
        events = selected.Filter(condition)
        for name, axis in feature_axes.items():
            title = f"{described[name].title}, {selection} events;{described[name].axis_title};events"
            booked[f"features/{selection}/{name}"] = events.Histo1D((name, title, *_bins(axis)), name)
        booked[f"planes/{selection}/{'_'.join(plane)}"] = events.Histo2D(
            _plane_model(plane, selection, described, feature_axes), *plane
        )
        booked[f"moments/{selection}"] = events.Histo2D(
            (selection, f"Sums of products of features, {selection} events", *2 * (width + 1, -0.5, width + 0.5)),
            *("moment_row", "moment_column", "moment_product"),
        )

    ranks = (100, 0.0, 1.0)
    for name, bins in {**{f"score_{d}": _bins(axis) for d, axis in score_axes.items()}, ENSEMBLE: ranks}.items():
        booked[f"scores/{name}"] = selected.Histo1D((name, f"{name};{name};events", *bins), name)
        model = (
            f"{name}_{'_'.join(plane)}",
            f"mean {name};{described[plane[0]].axis_title};{described[plane[1]].axis_title};mean {name}",
        )
        axes = (*_bins(feature_axes[plane[0]]), *_bins(feature_axes[plane[1]]))
        booked[f"planes/{model[0]}"] = selected.Profile2D((*model, *axes), *plane, name)

    count = len(detectors)
    votes = ("votes", "Detectors that flag an event;votes;events", voters + 1, -0.5, voters + 0.5)
    booked["agreement/votes"] = selected.Histo1D(votes, "votes")
    flags = ", ".join(f"static_cast<float>(flag_{name})" for name in detectors)
    flagged = define(selected, "flag_vector", f"std::array<float, {count}>{{{flags}}}")
    flagged = define(flagged, "flag_row", f"moments::pair_first<{count}>()")
    flagged = define(flagged, "flag_column", f"moments::pair_second<{count}>()")
    flagged = define(flagged, "flag_product", "moments::pair_products(flag_vector)")
    # Bin 0 of the pairs counts events, so the axes begin at the first detector.
    agreement = ("flagged", "Events flagged by both;;", *2 * (count, 0.5, count + 0.5))
    booked["agreement/flagged"] = flagged.Histo2D(agreement, "flag_row", "flag_column", "flag_product")
    # RDataFrame fills these in the same loop; they have to be booked before it runs.
    varied = {path: ROOT.RDF.Experimental.VariationsFor(result) for path, result in booked.items() if _is_varied(path)}
    return Histograms(booked, varied if variations else {}, tuple(features), detectors)


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
    """Return all histograms of the file by their path, after the loop: sums made, matrices mirrored, bins named.

    What was varied lies in `variations/<name>_<direction>`, by the same paths.
    """
    filled = {path: result.GetValue() for path, result in histograms.booked.items()}
    _add_sums(filled)
    for selection in ("all", *SELECTIONS):
        _mirror(filled[f"moments/{selection}"], ("1", *histograms.features))
    _mirror(filled["agreement/flagged"], histograms.detectors)
    _label(filled["cutflow/non_finite"].GetXaxis(), histograms.features)

    cutflow = ROOT.TH1D("cutflow", "Cutflow;;events", len(cuts), 0, len(cuts))
    for i, cut in enumerate(cuts, start=1):
        cutflow.SetBinContent(i, cut.events)
        cutflow.GetXaxis().SetBinLabel(i, cut.name)
    filled["cutflow/cutflow"] = cutflow

    for key in next(iter(histograms.varied.values())).GetKeys() if histograms.varied else ():
        if str(key) != "nominal":
            name = str(key).replace(":", "_")
            varied = {path: result[key] for path, result in histograms.varied.items()}
            _add_sums(varied)
            _mirror(varied["agreement/flagged"], histograms.detectors)
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


def _label(axis: Any, labels: Sequence[str]) -> None:
    for i, label in enumerate(labels, start=1):
        axis.SetBinLabel(i, label)


def _mirror(matrix: Any, labels: Sequence[str]) -> None:
    """Fill the lower half of a symmetric matrix of which the loop filled the upper."""
    size = len(labels)
    for i in range(1, size + 1):
        for j in range(i + 1, size + 1):
            matrix.SetBinContent(j, i, matrix.GetBinContent(i, j))
            matrix.SetBinError(j, i, matrix.GetBinError(i, j))
    _label(matrix.GetXaxis(), labels)
    _label(matrix.GetYaxis(), labels)


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
