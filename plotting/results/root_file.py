"""ROOT files of a run or an evaluation, whose histograms and graphs are read as arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from plotting.errors import MissingResult, PlottingError, UnreadableResult
from plotting.results.histograms import Cutflow, Plane, Shares, Spectrum, Split
from plotting.results.moments import FloatArray
from rdf.graph.histogram_keys import SELECTIONS, HistogramKey, Kind, Selection

T = TypeVar("T")

EVENTS_ROOT = "events.root"
"""Events of a run that passed the cuts: an RNTuple `events`, a row an event."""
HISTOGRAMS_ROOT = "histograms.root"
"""Histograms of a run, at the paths of their `HistogramKey`s."""
SKIM_ROOT = "skim.root"
"""All branches of the flagged events, as a tree of the name and kind that the sample's has."""
SCORES_ROOT = "scores.root"
"""Scores of all entries of a sample in their order: a tree `scores`, to be a friend of the sample's."""
CURVES_ROOT = "curves.root"
"""Graphs and histograms of an evaluation, at the paths of their `CurveKey`s."""


@contextmanager
def read_root(path: Path, remedy: str) -> Iterator[Reader]:
    """Open a ROOT file, and turn whatever its decoders raise in the block into UnreadableResult.

    Arrays are read at once: a file that was cut short is found here, not between two figures.
    """
    import uproot

    try:
        with uproot.open(path) as file:
            if (size := path.stat().st_size) < file.file.fEND:
                there = f"{size} of {file.file.fEND} bytes are there"
                raise UnreadableResult(f"{path}: truncated or damaged ({there}); {remedy}")
            yield Reader(file, path, remedy)
    except PlottingError:
        raise
    except Exception as error:
        # uproot lets the exceptions of its decoders through, so there is no shorter list than all.
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UnreadableResult(f"{path}: truncated or damaged ({reason}); {remedy}") from error


class Reader:
    """Turns ROOT's histograms and graphs in one file into arrays."""

    def __init__(self, file: Any, path: Path, remedy: str) -> None:
        self._file = file
        self._path = path
        self._remedy = remedy

    def keys(self) -> frozenset[str]:
        """Return the paths of all objects in the file."""
        return frozenset(self._file.keys(cycle=False))

    def names(self, directory: str, kind: str) -> list[str]:
        """Return the names of the objects of a class in a directory."""
        found = self._file[directory].classnames(recursive=False, cycle=False) if directory in self.keys() else {}
        return [name for name, class_name in found.items() if class_name == kind]

    def _object(self, key: str) -> Any:
        from uproot import KeyInFileError

        try:
            return self._file[key]
        except KeyInFileError as error:
            raise MissingResult(f"{self._path}: has no {key}; {self._remedy}") from error

    def graph(self, key: str) -> tuple[FloatArray, FloatArray]:
        """Read a TGraph's coordinates, both of shape (points,)."""
        x, y = self._object(key).values()
        return np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)

    def split(self, kind: Kind, name: str, read: Callable[[str], T], variation: str = "") -> Split[T]:
        """Read the three histograms of one quantity by their paths."""
        return Split(
            *(read(HistogramKey(kind, selection, name, variation).path) for selection in (Selection.ALL, *SELECTIONS))
        )

    def spectrum(self, key: str) -> Spectrum:
        """Read a TH1."""
        histogram = self._object(key)
        values = np.asarray(histogram.values(flow=True), dtype=np.float64)
        return Spectrum(
            edges=np.asarray(histogram.axis().edges(), dtype=np.float64),
            values=values[1:-1],
            variances=np.asarray(histogram.variances(), dtype=np.float64),
            outside=float(values[0] + values[-1]),
            title=histogram.axis().member("fTitle"),
        )

    def plane(self, key: str) -> Plane:
        """Read a TH2."""
        histogram = self._object(key)
        values = np.asarray(histogram.values(flow=True), dtype=np.float64)
        inside = values[1:-1, 1:-1]
        return self._plane(histogram, inside, float(values.sum() - inside.sum()))

    def profile(self, key: str) -> Plane:
        """Read a TProfile2D; a bin without entries is NaN."""
        histogram = self._object(key)
        means = np.asarray(histogram.values(), dtype=np.float64)
        return self._plane(histogram, np.where(np.asarray(histogram.counts()) > 0, means, np.nan))

    def cutflow(self, key: str) -> Cutflow:
        """Read a TH1 whose bins have labels."""
        histogram = self._object(key)
        # Each label knows the number of its bin; an axis that grew with its labels has spare bins without one.
        labels = {label.member("@fUniqueID"): str(label) for label in histogram.axis().member("fLabels") or ()}
        if not labels:
            raise UnreadableResult(f"{self._path}: the bins of {key} have no labels; {self._remedy}")
        values = histogram.values(flow=True)
        return Cutflow(
            tuple(labels[bin] for bin in sorted(labels)), tuple(float(values[bin]) for bin in sorted(labels))
        )

    def shares(self, key: str) -> Shares:
        """Read a TH2 with labels along x, whose two bins along y count unflagged and flagged events."""
        histogram = self._object(key)
        labels = {label.member("@fUniqueID"): str(label) for label in histogram.axis("x").member("fLabels") or ()}
        rest, flagged = np.asarray(histogram.values(), dtype=np.float64).T
        return Shares(
            labels=tuple(labels[bin] for bin in sorted(labels)),
            events=tuple(float(rest[bin - 1] + flagged[bin - 1]) for bin in sorted(labels)),
            flagged=tuple(float(flagged[bin - 1]) for bin in sorted(labels)),
        )

    @staticmethod
    def _plane(histogram: Any, values: FloatArray, outside: float = 0.0) -> Plane:
        x, y = histogram.axis("x"), histogram.axis("y")
        return Plane(
            xedges=np.asarray(x.edges(), dtype=np.float64),
            yedges=np.asarray(y.edges(), dtype=np.float64),
            values=values,
            xtitle=x.member("fTitle"),
            ytitle=y.member("fTitle"),
            outside=outside,
        )
