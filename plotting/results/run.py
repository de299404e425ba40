"""The files of a run, read once and checked before anything is drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from plotting.results import record_tables as recorded
from plotting.results.caption import Caption
from plotting.results.checksums import check_results
from plotting.results.histograms import Cutflow, Labelled, Plane, Shares, Spectrum, Split, Variation
from plotting.results.moments import FloatArray, Moments
from plotting.results.objects import OBJECTS_JSON, DisplayedEvent, read_displayed_events
from plotting.results.records import check_files
from plotting.results.root_file import HISTOGRAMS_ROOT, Reader, read_root
from plotting.results.run_record import RUN_JSON, RunRecord, read_run_record
from plotting.results.tables import (
    ANOMALIES_CSV,
    LATENT_CSV,
    Contributions,
    LatentSpace,
    read_contributions,
    read_latent,
)
from rdf.graph.histogram_keys import (
    CUTFLOW,
    DIRECTIONS,
    FLAGGED_DIRECTIONS,
    LABELS,
    RUNS,
    WEIGHTED,
    Direction,
    HistogramKey,
    Kind,
    Selection,
    variation,
)

T = TypeVar("T")

_REMEDY = "repeat the run that wrote it (python -m analysis.run)"
_READ = (RUN_JSON, HISTOGRAMS_ROOT, ANOMALIES_CSV, LATENT_CSV, OBJECTS_JSON)


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
        agreement: of the detectors.
        contributions: to the scores of the most anomalous events, by detector.
        latent: events in two dimensions, or None for a run that did not project them.
        displayed: the most anomalous events with their objects, where the sample has objects.
        runs: events of each run; None in the results of versions that did not count them.
        directions: all and flagged events by the direction of their leading object; None where they have none.
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
    history: Mapping[str, tuple[recorded.History, ...]]
    reconstruction: Mapping[str, tuple[recorded.Reconstruction, ...]]
    agreement: Agreement
    contributions: Mapping[str, Contributions]
    latent: LatentSpace | None
    displayed: tuple[DisplayedEvent, ...]
    runs: Shares | None = None
    directions: tuple[Plane, Plane] | None = None


def read_results(folder: Path) -> Results:
    """Read `run.json`, `histograms.root` and, where a run left them, `anomalies.csv` and `latent.csv`.

    Raises:
        MissingResult: the folder, a file, or something in a file is not there.
        UnreadableResult: a file is truncated or not what its name says.
    """
    check_files(folder, (RUN_JSON, HISTOGRAMS_ROOT), _REMEDY)
    check_results(folder, _READ, _REMEDY)
    record = read_run_record(folder / RUN_JSON, _REMEDY)
    with read_root(folder / HISTOGRAMS_ROOT, _REMEDY) as reader:
        return _assemble(record, reader, folder)


def _assemble(record: RunRecord, reader: Reader, folder: Path) -> Results:
    features = {feature.name: feature.title for feature in record.features}
    observables = [observable.name for observable in record.observables]
    detectors = {
        name: Detector(detector.thresholds, detector.flagged, _counts(record, partial(_flagged_by, name)))
        for name, detector in record.detectors.items()
    }
    anomalous = _counts(record, lambda varied: varied.anomalous)
    counts = Counts(record.counts.selected, record.counts.anomalous, record.min_votes, anomalous)
    keys = reader.keys()
    planes = sorted(reader.names(Kind.PLANES, "TH2D"))
    scores = (*detectors, "ensemble")
    quantities = (*features, *observables)

    def split(name: str, varied: str = "") -> Split[Spectrum]:
        return reader.split(Kind.FEATURES, name, reader.spectrum, varied)

    def score(name: str, varied: str = "") -> Spectrum:
        return reader.spectrum(_score(name, varied=varied))

    return Results(
        caption=Caption.of(record.sample),
        feature_titles=tuple(features.values()),
        cutflow=_cutflow(reader),
        counts=counts,
        spectra={name: split(name) for name in quantities},
        varied_spectra={name: _vary(record, partial(split, name)) for name in quantities},
        planes={name: reader.split(Kind.PLANES, name, reader.plane) for name in planes},
        score_planes={
            (name, plane): reader.profile(path)
            for plane in planes
            for name in scores
            if (path := HistogramKey(Kind.PLANES, Selection.ALL, f"score_{name}_{plane}").path) in keys
        },
        scores={name: score(name) for name in scores},
        varied_scores={name: _vary(record, partial(score, name)) for name in scores},
        labelled_scores={
            name: Labelled(*(reader.spectrum(_score(name, label)) for label in LABELS))
            for name in scores
            if _score(name, Selection.SIGNAL) in keys
        },
        detectors=detectors,
        moments=reader.split(Kind.MOMENTS, "", lambda path: Moments(reader.plane(path).values)),
        history=record.history,
        reconstruction=record.reconstruction,
        agreement=_agreement(record.agreement, tuple(detectors)),
        contributions=read_contributions(folder / ANOMALIES_CSV, tuple(detectors), tuple(features), _REMEDY),
        latent=read_latent(folder / LATENT_CSV, record.latent, _REMEDY),
        displayed=read_displayed_events(folder / OBJECTS_JSON, _REMEDY),
        runs=reader.shares(RUNS.path) if RUNS.path in keys else None,
        directions=_directions(reader),
    )


def _directions(reader: Reader) -> tuple[Plane, Plane] | None:
    """Return all and flagged events by direction; None where there are none."""
    if DIRECTIONS.path not in reader.keys():  # noqa: SIM118 - a method of the reader
        return None
    everything, flagged = (reader.plane(key.path) for key in (DIRECTIONS, FLAGGED_DIRECTIONS))
    return (everything, flagged) if everything.values.any() else None


def _cutflow(reader: Reader) -> Cutflow:
    """Return the cutflow, with the weights where events have some."""
    cutflow = reader.cutflow(CUTFLOW.path)
    keys = reader.keys()
    return replace(cutflow, weights=reader.cutflow(WEIGHTED.path).events) if WEIGHTED.path in keys else cutflow


def _flagged_by(detector: str, varied: recorded.VariedCounts) -> int:
    return varied.flagged[detector]


def _counts(record: RunRecord, choose: Callable[[recorded.VariedCounts], int]) -> tuple[Variation[float], ...]:
    """Return a number of events with each scale up and down."""
    return tuple(
        Variation(name, varied.size, float(choose(varied.up)), float(choose(varied.down)))
        for name, varied in record.variations.items()
    )


def _score(name: str, selection: Selection = Selection.ALL, varied: str = "") -> str:
    """Return the path of the histogram of a detector's score, or of the ensemble's."""
    return HistogramKey(Kind.SCORES, selection, f"score_{name}", varied).path


def _vary(record: RunRecord, read: Callable[[str], T]) -> tuple[Variation[T], ...]:
    """Read something with each scale up and down."""
    return tuple(
        Variation(
            name, varied.size, *(read(variation(name, direction)) for direction in (Direction.UP, Direction.DOWN))
        )
        for name, varied in record.variations.items()
    )


def _agreement(found: recorded.Agreement, detectors: tuple[str, ...]) -> Agreement:
    flagged = [[found.flagged[one][other] for other in detectors] for one in detectors]
    return Agreement(detectors, np.array(flagged, dtype=float), np.array(found.votes, dtype=float))
