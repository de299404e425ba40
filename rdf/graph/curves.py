"""The curves of an evaluation as ROOT objects, in one file that opens in a TBrowser."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from rdf.code.interpreter import ROOT
from rdf.graph.histogram_keys import CurveKey, CurveKind, HistogramKey, Kind, Selection
from rdf.graph.styles import score_title, style_graph, style_histogram
from rdf.provenance import SIMULATED, Provenance

Numbers = npt.NDArray[np.float64]

BINS = 100
TAIL = 99.9
"""Percentile of the scores at which the axis of a score ends; detectors have tails that would hide all else."""

_SCORES = {CurveKind.BACKGROUND_SCORES: Selection.BACKGROUND, CurveKind.SIGNAL_SCORES: Selection.SIGNAL}
"""Kind of histograms -> the events that it shows, in the order of their labels, 0 and 1."""


class Curves(Protocol):
    """What a score achieves at its working points."""

    @property
    def fpr(self) -> Numbers: ...  # noqa: D102
    @property
    def tpr(self) -> Numbers: ...  # noqa: D102
    @property
    def efficiency(self) -> Numbers: ...  # noqa: D102
    @property
    def improvement(self) -> Numbers: ...  # noqa: D102


def write_curves(
    path: Path,
    curves: Mapping[str, Curves],
    scores: Mapping[str, npt.NDArray[np.floating]],
    labels: npt.NDArray[np.integer],
    provenance: Provenance,
    weights: Numbers | None = None,
) -> None:
    """Write the ROC curve, the significance improvement and the scores of each detector; simulated ones say so.

    Args:
        path: file to write, with the directories roc/, significance/ and scores/.
        curves: detector -> what its score achieves.
        scores: detector -> scores, shape (events,).
        labels: 1 for signal and 0 for background, shape (events,).
        provenance: of the events.
        weights: of the events, shape (events,); None where each counts as one.

    Raises:
        EventLoopFailed: the file cannot be written whole.
    """
    objects: dict[CurveKey, Any] = {}
    for name, curve in curves.items():
        key = CurveKey(CurveKind.ROC, name)
        objects[key] = _graph(
            key.object_name, curve.fpr, curve.tpr, f"ROC curve, {name}", "background efficiency", "signal efficiency"
        )
        key = CurveKey(CurveKind.SIGNIFICANCE, name)
        objects[key] = _graph(
            key.object_name,
            curve.efficiency,
            curve.improvement,
            f"Significance improvement, {name}",
            "signal efficiency",
            "signal efficiency / #sqrt{background efficiency}",
        )
    for name, values in scores.items():
        axis = _axis(values)
        for label, (kind, selection) in enumerate(_SCORES.items()):
            key = CurveKey(kind, name)
            objects[key] = _spectrum(
                key.object_name,
                f"{name}, {selection};{score_title(name)};events",
                axis,
                values[labels == label],
                None if weights is None else weights[labels == label],
            )
            style_histogram(HistogramKey(Kind.SCORES, selection, name).path, objects[key])

    with provenance.created_file(path) as file:
        for key, written in objects.items():
            if provenance.simulated:
                written.SetTitle(f"{SIMULATED} {written.GetTitle()}")
            (file.GetDirectory(key.directory) or file.mkdir(key.directory)).WriteObject(written, key.object_name)


def _graph(name: str, x: Numbers, y: Numbers, title: str, xtitle: str, ytitle: str) -> Any:
    # A TGraph of no points is made by another constructor.
    graph = ROOT.TGraph(len(x), np.ascontiguousarray(x), np.ascontiguousarray(y)) if len(x) else ROOT.TGraph()
    graph.SetName(name)
    graph.SetTitle(title)
    # Its histogram holds the titles of the axes; where they are set without it, they are lost on the way to the file.
    graph.GetHistogram().SetTitle("")
    graph.GetXaxis().SetTitle(xtitle)
    graph.GetYaxis().SetTitle(ytitle)
    style_graph(graph)
    return graph


def _axis(scores: npt.NDArray[np.floating]) -> tuple[float, float]:
    """Return the range of a score's axis: from the lowest to where only the tail is left, in bins of a round width."""
    finite = scores[np.isfinite(scores)].astype(np.float64)
    if not finite.size:
        return 0.0, 1.0
    low, high = float(finite.min()), float(np.percentile(finite, TAIL))
    step = ((high - low) or abs(high) or 1.0) / (BINS - 2)
    digit = 10.0 ** (np.floor(np.log10(step)) - 1)
    step = float(np.ceil(step / digit) * digit)
    first = float(np.floor(low / step) * step)
    return first, first + BINS * step


def _spectrum(
    name: str,
    title: str,
    axis: tuple[float, float],
    scores: npt.NDArray[np.floating],
    weights: Numbers | None,
) -> Any:
    histogram = ROOT.TH1D(name, title, BINS, *axis)
    values = np.ascontiguousarray(scores, dtype=np.float64)
    if weights is not None:
        histogram.Sumw2()
    if len(values):
        histogram.FillN(len(values), values, np.ones(len(values)) if weights is None else np.ascontiguousarray(weights))
    return histogram
