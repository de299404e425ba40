"""The files of a run, read once and checked before anything is drawn."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import uproot

from plotting.errors import MissingResult, UnreadableResult
from plotting.moments import FloatArray, Moments
from plotting.style import Caption

T = TypeVar("T")

_REMEDY = "repeat the run that wrote it (python -m analysis.run)"


@dataclass(frozen=True)
class Spectrum:
    """A histogram of one quantity.

    Attributes:
        edges: of the n bins, shape (n + 1,), in the unit of the title.
        values: events in each bin, shape (n,).
        variances: of the values, shape (n,).
        outside: events below the first edge or above the last.
        title: of the axis, in ROOT's TLatex, with the unit in brackets.
    """

    edges: FloatArray
    values: FloatArray
    variances: FloatArray
    outside: float
    title: str

    @property
    def total(self) -> float:
        """All events, those beyond the axis too."""
        return float(self.values.sum()) + self.outside


@dataclass(frozen=True)
class Plane:
    """A number for each bin of two quantities: events, or a mean that is NaN where no event is.

    Attributes:
        xedges: shape (nx + 1,).
        yedges: shape (ny + 1,).
        values: shape (nx, ny).
        xtitle: in ROOT's TLatex, with the unit in brackets.
        ytitle: likewise.
    """

    xedges: FloatArray
    yedges: FloatArray
    values: FloatArray
    xtitle: str
    ytitle: str


@dataclass(frozen=True)
class Cutflow:
    """How many events passed each step of the selection, in order."""

    steps: tuple[str, ...]
    events: tuple[float, ...]


@dataclass(frozen=True)
class Split(Generic[T]):
    """The same thing for all events, for those that no vote flagged, and for the flagged ones."""

    all: T
    normal: T
    anomalous: T


@dataclass(frozen=True)
class Detector:
    """What a run says of one detector: events with a score above the threshold are flagged."""

    threshold: float
    flagged: int


@dataclass(frozen=True)
class Results:
    """What the figures of a run are drawn from.

    Attributes:
        caption: the sample, for the header of each figure.
        feature_titles: for each feature, in the order of the moments, its name in TLatex, without unit.
        cutflow: the selection.
        spectra: for each feature and observable, by name.
        planes: for each plane, by name such as "MR_Rsq".
        score_planes: mean score in each bin, by detector (or "ensemble") and plane.
        scores: score of all events, by detector or "ensemble".
        detectors: by name.
        moments: of the features.
    """

    caption: Caption
    feature_titles: tuple[str, ...]
    cutflow: Cutflow
    spectra: Mapping[str, Split[Spectrum]]
    planes: Mapping[str, Split[Plane]]
    score_planes: Mapping[tuple[str, str], Plane]
    scores: Mapping[str, Spectrum]
    detectors: Mapping[str, Detector]
    moments: Split[Moments]


def read_results(folder: Path) -> Results:
    """Read `run.json` and `histograms.root` of a run.

    Raises:
        MissingResult: the folder, a file, or something in a file is not there.
        UnreadableResult: a file is truncated or not what its name says.
    """
    if not folder.is_dir():
        raise MissingResult(f"{folder}: no such folder; give the output folder of a run")
    record_path, histogram_path = folder / "run.json", folder / "histograms.root"
    for path in (record_path, histogram_path):
        if not path.is_file():
            raise MissingResult(f"{path}: not there; {_REMEDY}")

    record = _read_record(record_path)
    try:
        # Arrays are read at once: a file that was cut short is found here, not between two figures.
        with uproot.open(histogram_path) as file:
            keys = file.keys(cycle=False)
            return _assemble(record, _Reader(file, histogram_path), frozenset(keys), record_path)
    except (MissingResult, UnreadableResult):
        raise
    except Exception as error:
        # uproot lets the exceptions of its decoders through, so there is no shorter list than all.
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UnreadableResult(f"{histogram_path}: truncated or damaged ({reason}); {_REMEDY}") from error


def _read_record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnreadableResult(f"{path}: truncated or not JSON ({error}); {_REMEDY}") from error
    if not isinstance(record, dict):
        raise UnreadableResult(f"{path}: not the record of a run; {_REMEDY}")
    return record


def _assemble(record: dict[str, Any], reader: _Reader, keys: frozenset[str], record_path: Path) -> Results:
    try:
        sample = record["sample"]
        caption = Caption(
            title=sample["title"],
            doi=sample["doi"] or None,
            energy=sample["energy"] or None,
            luminosity=sample["luminosity"],
            simulated=sample["simulated"],
        )
        features = [(feature["name"], feature["title"]) for feature in record["features"]]
        observables = [observable["name"] for observable in record["observables"]]
        detectors = {
            name: Detector(detector["threshold"], detector["flagged"]) for name, detector in record["detectors"].items()
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise UnreadableResult(f"{record_path}: lacks a key or has another form ({error!r}); {_REMEDY}") from error

    planes = sorted(key.removeprefix("planes/") for key in keys if _is_plane(key))
    scores = (*detectors, "ensemble")
    return Results(
        caption=caption,
        feature_titles=tuple(title for _, title in features),
        cutflow=reader.cutflow("cutflow/cutflow"),
        spectra={name: reader.split("features", name, reader.spectrum) for name, _ in features}
        | {name: reader.split("features", name, reader.spectrum) for name in observables},
        planes={name: reader.split("planes", name, reader.plane) for name in planes},
        score_planes={
            (score, name): reader.profile(f"planes/score_{score}_{name}")
            for name in planes
            for score in scores
            if f"planes/score_{score}_{name}" in keys
        },
        scores={score: reader.spectrum(f"scores/score_{score}") for score in scores},
        detectors=detectors,
        moments=Split(*(Moments(reader.plane(f"moments/{part}").values) for part in ("all", "normal", "anomalous"))),
    )


def _is_plane(key: str) -> bool:
    """Tell whether a key is a plane of all events: directly in planes/, and not a mean score."""
    return key.startswith("planes/") and key.count("/") == 1 and not _is_split(key) and "/score_" not in key


def _is_split(key: str) -> bool:
    return key in ("planes/normal", "planes/anomalous")


class _Reader:
    """Turns ROOT's histograms in one file into arrays."""

    def __init__(self, file: Any, path: Path) -> None:
        self._file = file
        self._path = path

    def _object(self, key: str) -> Any:
        try:
            return self._file[key]
        except uproot.KeyInFileError as error:
            raise MissingResult(f"{self._path}: has no {key}; {_REMEDY}") from error

    def split(self, folder: str, name: str, read: Callable[[str], T]) -> Split[T]:
        """Read the three histograms of one quantity."""
        return Split(read(f"{folder}/{name}"), read(f"{folder}/normal/{name}"), read(f"{folder}/anomalous/{name}"))

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
        return self._plane(histogram, np.asarray(histogram.values(), dtype=np.float64))

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
            raise UnreadableResult(f"{self._path}: the bins of {key} have no labels; {_REMEDY}")
        values = histogram.values(flow=True)
        return Cutflow(
            tuple(labels[bin] for bin in sorted(labels)), tuple(float(values[bin]) for bin in sorted(labels))
        )

    @staticmethod
    def _plane(histogram: Any, values: FloatArray) -> Plane:
        x, y = histogram.axis("x"), histogram.axis("y")
        return Plane(
            xedges=np.asarray(x.edges(), dtype=np.float64),
            yedges=np.asarray(y.edges(), dtype=np.float64),
            values=values,
            xtitle=x.member("fTitle"),
            ytitle=y.member("fTitle"),
        )
