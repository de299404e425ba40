"""The files of a run, read once and checked before anything is drawn."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import uproot

from plotting.errors import MissingResult, PlottingError, UnreadableResult
from plotting.moments import FloatArray, Moments
from plotting.style import Caption
from plotting.tables import Contributions, LatentSpace, read_contributions, read_latent

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
    """What a run says of one detector.

    Attributes:
        thresholds: events with a higher score are flagged; one for each fold of the training sample.
        flagged: events.
    """

    thresholds: tuple[float, ...]
    flagged: int


@dataclass(frozen=True)
class History:
    """The loss of a training after each epoch.

    Attributes:
        training: on the events learned from, shape (epochs,).
        validation: on the events kept aside, shape (epochs,).
    """

    training: FloatArray
    validation: FloatArray


@dataclass(frozen=True)
class Agreement:
    """Which detectors flag the same events.

    Attributes:
        detectors: N names.
        flagged: events that both of two detectors flag, shape (N, N); on the diagonal those that one flags.
        votes: events flagged by 0, 1, ... N detectors, shape (N + 1,).
    """

    detectors: tuple[str, ...]
    flagged: FloatArray
    votes: FloatArray

    @property
    def overlap(self) -> FloatArray:
        """Events flagged by both over events flagged by one at least, shape (N, N); NaN where there are none."""
        alone = np.diag(self.flagged)
        either = alone[:, None] + alone[None, :] - self.flagged
        overlap: FloatArray = self.flagged / np.where(either > 0, either, np.nan)
        return overlap


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
        history: of each training in epochs, by detector; one for each fold.
        agreement: of the detectors, or None for a run that does not say.
        contributions: to the scores of the most anomalous events, by detector.
        latent: events in two dimensions, or None for a run that did not project them.
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
    history: Mapping[str, tuple[History, ...]]
    agreement: Agreement | None
    contributions: Mapping[str, Contributions]
    latent: LatentSpace | None


def read_results(folder: Path) -> Results:
    """Read `run.json`, `histograms.root` and, where a run left them, `anomalies.csv` and `latent.csv`.

    Raises:
        MissingResult: the folder, a file, or something in a file is not there.
        UnreadableResult: a file is truncated or not what its name says.
    """
    check_files(folder, ("run.json", "histograms.root"), _REMEDY)
    record = read_record(folder / "run.json", _REMEDY)
    with read_root(folder / "histograms.root", _REMEDY) as reader:
        return _assemble(record, reader, folder)


def check_files(folder: Path, names: Sequence[str], remedy: str) -> None:
    """Raise MissingResult unless all these files are in a folder."""
    if not folder.is_dir():
        raise MissingResult(f"{folder}: no such folder; give the output folder of a run or of an evaluation")
    for path in (folder / name for name in names):
        if not path.is_file():
            raise MissingResult(f"{path}: not there; {remedy}")


def read_record(path: Path, remedy: str) -> dict[str, Any]:
    """Read a JSON file that holds a table.

    Raises:
        UnreadableResult: it does not.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnreadableResult(f"{path}: truncated or not JSON ({error}); {remedy}") from error
    if not isinstance(record, dict):
        raise UnreadableResult(f"{path}: not a table; {remedy}")
    return record


@contextmanager
def read_root(path: Path, remedy: str) -> Iterator[Reader]:
    """Open a ROOT file, and turn whatever its decoders raise in the block into UnreadableResult.

    Arrays are read at once: a file that was cut short is found here, not between two figures.
    """
    try:
        with uproot.open(path) as file:
            yield Reader(file, path, remedy)
    except PlottingError:
        raise
    except Exception as error:
        # uproot lets the exceptions of its decoders through, so there is no shorter list than all.
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UnreadableResult(f"{path}: truncated or damaged ({reason}); {remedy}") from error


@contextmanager
def checked_keys(path: Path, remedy: str) -> Iterator[None]:
    """Turn the absence or another form of a key of a record, where the block reads it, into UnreadableResult."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableResult(f"{path}: lacks a key or has another form ({error!r}); {remedy}") from error


def read_caption(record: Mapping[str, Any]) -> Caption:
    """Return what run.json says of the sample."""
    sample = record["sample"]
    return Caption(
        title=sample["title"],
        doi=sample["doi"] or None,
        energy=sample["energy"] or None,
        luminosity=sample["luminosity"],
        simulated=sample["simulated"],
    )


def _assemble(record: dict[str, Any], reader: Reader, folder: Path) -> Results:
    with checked_keys(folder / "run.json", _REMEDY):
        caption = read_caption(record)
        features = {feature["name"]: feature["title"] for feature in record["features"]}
        observables = [observable["name"] for observable in record["observables"]]
        detectors = {
            name: Detector(tuple(np.atleast_1d(detector["threshold"]).tolist()), detector["flagged"])
            for name, detector in record["detectors"].items()
        }
        history = read_history(record)
        agreement = _agreement(record["agreement"], tuple(detectors)) if "agreement" in record else None
        explained = dict(record.get("latent") or {})

    keys = reader.keys()
    planes = sorted(key.removeprefix("planes/") for key in keys if _is_plane(key))
    scores = (*detectors, "ensemble")
    return Results(
        caption=caption,
        feature_titles=tuple(features.values()),
        cutflow=reader.cutflow("cutflow/cutflow"),
        spectra={name: reader.split("features", name, reader.spectrum) for name in (*features, *observables)},
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
        history=history,
        agreement=agreement,
        contributions=read_contributions(folder / "anomalies.csv", tuple(detectors), tuple(features), _REMEDY),
        latent=read_latent(folder / "latent.csv", explained, _REMEDY),
    )


def read_history(record: Mapping[str, Any]) -> dict[str, tuple[History, ...]]:
    """Return what run.json says of each training in epochs, by detector; one history for each fold."""
    return {
        name: tuple(
            History(*(np.array(fold[kind], dtype=float) for kind in ("training", "validation"))) for fold in folds
        )
        for name, folds in record.get("history", {}).items()
    }


def _agreement(record: Mapping[str, Any], detectors: tuple[str, ...]) -> Agreement:
    flagged = [[record["flagged"][one][other] for other in detectors] for one in detectors]
    return Agreement(detectors, np.array(flagged, dtype=float), np.array(record["votes"], dtype=float))


def _is_plane(key: str) -> bool:
    """Tell whether a key is a plane of all events: directly in planes/, and not a mean score."""
    return key.startswith("planes/") and key.count("/") == 1 and not _is_split(key) and "/score_" not in key


def _is_split(key: str) -> bool:
    return key in ("planes/normal", "planes/anomalous")


class Reader:
    """Turns ROOT's histograms and graphs in one file into arrays."""

    def __init__(self, file: Any, path: Path, remedy: str) -> None:
        self._file = file
        self._path = path
        self._remedy = remedy

    def keys(self) -> frozenset[str]:
        """Return the paths of all objects in the file."""
        return frozenset(self._file.keys(cycle=False))

    def _object(self, key: str) -> Any:
        try:
            return self._file[key]
        except uproot.KeyInFileError as error:
            raise MissingResult(f"{self._path}: has no {key}; {self._remedy}") from error

    def graph(self, key: str) -> tuple[FloatArray, FloatArray]:
        """Read a TGraph's coordinates, both of shape (points,)."""
        x, y = self._object(key).values()
        return np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)

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
            raise UnreadableResult(f"{self._path}: the bins of {key} have no labels; {self._remedy}")
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
