"""The files of a run, read once and checked before anything is drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import uproot

from plotting.errors import MissingResult, PlottingError, UnreadableResult
from plotting.results.checksums import check_results
from plotting.results.moments import FloatArray, Moments
from plotting.results.objects import DisplayedEvent, read_displayed_events
from plotting.results.records import check_files, checked_keys, read_record
from plotting.results.tables import Contributions, LatentSpace, read_contributions, read_latent
from plotting.style.house import Caption

T = TypeVar("T")

_REMEDY = "repeat the run that wrote it (python -m analysis.run)"
_READ = ("run.json", "histograms.root", "anomalies.csv", "latent.csv", "objects.json")


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
        outside: events beyond one of the axes.
    """

    xedges: FloatArray
    yedges: FloatArray
    values: FloatArray
    xtitle: str
    ytitle: str
    outside: float = 0.0


@dataclass(frozen=True)
class Cutflow:
    """How many events passed each step of the selection, in order."""

    steps: tuple[str, ...]
    events: tuple[float, ...]


@dataclass(frozen=True)
class Split(Generic[T]):
    """The same thing for all events, for the normal ones, and for those that the ensemble flags."""

    all: T
    normal: T
    anomalous: T


@dataclass(frozen=True)
class Variation(Generic[T]):
    """The same thing with a scale up and with it down.

    Attributes:
        name: of the scale.
        size: of its change, as a fraction.
        up: with the scale up.
        down: with the scale down.
    """

    name: str
    size: float
    up: T
    down: T


@dataclass(frozen=True)
class Labelled(Generic[T]):
    """The same thing for events that are known to be signal, and for those known to be background."""

    signal: T
    background: T


@dataclass(frozen=True)
class Detector:
    """What a run says of one detector.

    Attributes:
        thresholds: events with a higher score are flagged; one for each fold of the training sample.
        flagged: events.
        varied: events that are flagged under each systematic variation.
    """

    thresholds: tuple[float, ...]
    flagged: int
    varied: tuple[Variation[float], ...] = ()


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
class ErrorSummary:
    """Squared reconstruction errors of each of F scaled features in some events, each attribute of shape (F,).

    Attributes:
        events: how many; a number.
        mean: of the events.
        low: the 16th percentile.
        median: likewise.
        high: the 84th percentile.
    """

    events: int
    mean: FloatArray
    low: FloatArray
    median: FloatArray
    high: FloatArray


@dataclass(frozen=True)
class Reconstruction:
    """How well an autoencoder reconstructs the features; None for a kind of which there is no event.

    Attributes:
        normal: of the training events that it does not flag.
        flagged: of those that it flags.
    """

    normal: ErrorSummary | None
    flagged: ErrorSummary | None


@dataclass(frozen=True)
class Counts:
    """Events that a run counted.

    Attributes:
        selected: events that were scored.
        anomalous: of these, events that the ensemble flags.
        min_votes: that make it do so.
        varied: anomalous events under each systematic variation.
    """

    selected: int
    anomalous: int
    min_votes: int
    varied: tuple[Variation[float], ...] = ()


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
        counts: of the events.
        spectra: for each feature and observable, by name.
        varied_spectra: likewise, for each systematic variation.
        planes: for each plane, by name such as "MR_Rsq".
        score_planes: mean score in each bin, by detector (or "ensemble") and plane.
        scores: score of all events, by detector or "ensemble".
        varied_scores: likewise, for each systematic variation.
        labelled_scores: likewise, where events have labels.
        detectors: by name.
        moments: of the features.
        history: of each training in epochs, by detector; one for each fold.
        reconstruction: by detector; one for each fold.
        agreement: of the detectors, or None for a run that does not say.
        contributions: to the scores of the most anomalous events, by detector.
        latent: events in two dimensions, or None for a run that did not project them.
        displayed: the most anomalous events with their objects, where the sample has objects.
    """

    caption: Caption
    feature_titles: tuple[str, ...]
    cutflow: Cutflow
    counts: Counts
    spectra: Mapping[str, Split[Spectrum]]
    varied_spectra: Mapping[str, tuple[Variation[Split[Spectrum]], ...]]
    planes: Mapping[str, Split[Plane]]
    score_planes: Mapping[tuple[str, str], Plane]
    scores: Mapping[str, Spectrum]
    varied_scores: Mapping[str, tuple[Variation[Spectrum], ...]]
    labelled_scores: Mapping[str, Labelled[Spectrum]]
    detectors: Mapping[str, Detector]
    moments: Split[Moments]
    history: Mapping[str, tuple[History, ...]]
    reconstruction: Mapping[str, tuple[Reconstruction, ...]]
    agreement: Agreement | None
    contributions: Mapping[str, Contributions]
    latent: LatentSpace | None
    displayed: tuple[DisplayedEvent, ...]


def read_results(folder: Path) -> Results:
    """Read `run.json`, `histograms.root` and, where a run left them, `anomalies.csv` and `latent.csv`.

    Raises:
        MissingResult: the folder, a file, or something in a file is not there.
        UnreadableResult: a file is truncated or not what its name says.
    """
    check_files(folder, ("run.json", "histograms.root"), _REMEDY)
    check_results(folder, _READ, _REMEDY)
    record = read_record(folder / "run.json", _REMEDY)
    with read_root(folder / "histograms.root", _REMEDY) as reader:
        return _assemble(record, reader, folder)


@contextmanager
def read_root(path: Path, remedy: str) -> Iterator[Reader]:
    """Open a ROOT file, and turn whatever its decoders raise in the block into UnreadableResult.

    Arrays are read at once: a file that was cut short is found here, not between two figures.
    """
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
        variations = record.get("variations") or {}
        detectors = {
            name: Detector(
                tuple(np.atleast_1d(detector["threshold"]).tolist()),
                detector["flagged"],
                _variations(variations, ("flagged", name)),
            )
            for name, detector in record["detectors"].items()
        }
        counts = Counts(
            record["counts"]["selected"],
            record["counts"]["anomalous"],
            record["min_votes"],
            _variations(variations, ("anomalous",)),
        )
        sizes = {name: float(table["size"]) for name, table in variations.items()}
        history, reconstruction = read_history(record), read_reconstruction(record)
        agreement = _agreement(record["agreement"], tuple(detectors)) if "agreement" in record else None
        explained = dict(record.get("latent") or {})

    keys = reader.keys()
    planes = sorted(reader.names("planes", "TH2D"))
    scores = (*detectors, "ensemble")

    def varied_split(name: str) -> tuple[Variation[Split[Spectrum]], ...]:
        return _vary(sizes, lambda place: reader.split(f"{place}/features", name, reader.spectrum))

    def varied_score(name: str) -> tuple[Variation[Spectrum], ...]:
        return _vary(sizes, lambda place: reader.spectrum(f"{place}/scores/score_{name}"))

    return Results(
        caption=caption,
        feature_titles=tuple(features.values()),
        cutflow=reader.cutflow("cutflow/cutflow"),
        counts=counts,
        spectra={name: reader.split("features", name, reader.spectrum) for name in (*features, *observables)},
        varied_spectra={name: varied_split(name) for name in (*features, *observables)},
        planes={name: reader.split("planes", name, reader.plane) for name in planes},
        score_planes={
            (score, name): reader.profile(f"planes/score_{score}_{name}")
            for name in planes
            for score in scores
            if f"planes/score_{score}_{name}" in keys
        },
        scores={score: reader.spectrum(f"scores/score_{score}") for score in scores},
        varied_scores={score: varied_score(score) for score in scores},
        labelled_scores={
            score: Labelled(*(reader.spectrum(f"scores/{kind}/score_{score}") for kind in ("signal", "background")))
            for score in scores
            if f"scores/signal/score_{score}" in keys
        },
        detectors=detectors,
        moments=Split(*(Moments(reader.plane(f"moments/{part}").values) for part in ("all", "normal", "anomalous"))),
        history=history,
        reconstruction=reconstruction,
        agreement=agreement,
        contributions=read_contributions(folder / "anomalies.csv", tuple(detectors), tuple(features), _REMEDY),
        latent=read_latent(folder / "latent.csv", explained, _REMEDY),
        displayed=read_displayed_events(folder / "objects.json", _REMEDY),
    )


def read_history(record: Mapping[str, Any]) -> dict[str, tuple[History, ...]]:
    """Return what run.json says of each training in epochs, by detector; one history for each fold."""
    return {
        name: tuple(
            History(*(np.array(fold[kind], dtype=float) for kind in ("training", "validation"))) for fold in folds
        )
        for name, folds in record.get("history", {}).items()
    }


def read_reconstruction(record: Mapping[str, Any]) -> dict[str, tuple[Reconstruction, ...]]:
    """Return what run.json says of reconstruction errors, by detector; one table for each fold."""
    return {
        name: tuple(Reconstruction(_error_summary(fold["normal"]), _error_summary(fold["flagged"])) for fold in folds)
        for name, folds in record.get("reconstruction", {}).items()
    }


def _error_summary(table: Mapping[str, Any] | None) -> ErrorSummary | None:
    if table is None:
        return None
    return ErrorSummary(
        table["events"], *(np.array(table[key], dtype=float) for key in ("mean", "low", "median", "high"))
    )


def _variations(table: Mapping[str, Any], keys: Sequence[str]) -> tuple[Variation[float], ...]:
    """Return a number that lies under these keys in what run.json says of each direction of each variation."""

    def find(counts: Any) -> float:
        for key in keys:
            counts = counts[key]
        return float(counts)

    return tuple(Variation(name, float(of["size"]), find(of["up"]), find(of["down"])) for name, of in table.items())


def _vary(sizes: Mapping[str, float], read: Callable[[str], T]) -> tuple[Variation[T], ...]:
    """Read something in the two directories of each variation, of which the sizes are given by name."""
    return tuple(
        Variation(name, size, read(f"variations/{name}_up"), read(f"variations/{name}_down"))
        for name, size in sizes.items()
    )


def _agreement(record: Mapping[str, Any], detectors: tuple[str, ...]) -> Agreement:
    flagged = [[record["flagged"][one][other] for other in detectors] for one in detectors]
    return Agreement(detectors, np.array(flagged, dtype=float), np.array(record["votes"], dtype=float))


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
        # What would be called as one of these directories has an underscore more.
        key = f"{name}_" if name.rstrip("_") in ("normal", "anomalous") else name
        return Split(read(f"{folder}/{key}"), read(f"{folder}/normal/{key}"), read(f"{folder}/anomalous/{key}"))

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
