"""Keys of what ROOT files hold: by what each path in them is made, and the only place where one is taken apart.

histograms.root of a run has a `HistogramKey` for each histogram, curves.root of an evaluation a `CurveKey` for each
graph and histogram.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum


class Kind(StrEnum):
    """What a histogram shows; the name of the directory of those of its kind."""

    FEATURES = "features"
    PLANES = "planes"
    MOMENTS = "moments"
    SCORES = "scores"
    AGREEMENT = "agreement"
    CUTFLOW = "cutflow"
    SHARES = "shares"
    SPECTRA = "spectra"


class Selection(StrEnum):
    """Events that a histogram shows: all, those that the ensemble tells apart, or those that labels tell apart."""

    ALL = "all"
    NORMAL = "normal"
    ANOMALOUS = "anomalous"
    SIGNAL = "signal"
    BACKGROUND = "background"


SELECTIONS = (Selection.NORMAL, Selection.ANOMALOUS)
"""Kinds of events that the ensemble tells apart."""
LABELS = (Selection.SIGNAL, Selection.BACKGROUND)
"""Kinds of events that labels tell apart."""


class Direction(StrEnum):
    """Direction in which a scale is varied."""

    UP = "up"
    DOWN = "down"


def variation(scale: str, direction: Direction) -> str:
    """Return what a scale in one direction is called: "jes_up"."""
    return f"{scale}_{direction}"


VARIATIONS = "variations"
"""Directory of what systematic variations change."""
REMAINDERS = "remainders"
"""Directory of the low words of double-double sums, which parts of a sample keep to be merged exactly."""

_BELOW: dict[Kind, tuple[Selection, ...]] = {Kind.FEATURES: SELECTIONS, Kind.PLANES: SELECTIONS, Kind.SCORES: LABELS}
"""Kind of histograms -> the selections that have directories in that of the kind."""


@dataclass(frozen=True)
class HistogramKey:
    """A histogram of a run.

    Attributes:
        kind: what it shows.
        selection: of the events.
        name: of the quantity, the plane or the score; empty for moments, which are of all features at once.
        variation: a scale and its direction, as `variation` names them; empty without one.
        remainder: whether it holds the low words of double-double sums.
    """

    kind: Kind
    selection: Selection
    name: str = ""
    variation: str = ""
    remainder: bool = False

    @property
    def object_name(self) -> str:
        """Name of the object in its directory.

        A quantity that is called as a directory beside it gets an underscore more: features/normal/ is a directory, and
        features/normal_ the histogram of a column `normal`.
        """
        if self.kind is Kind.MOMENTS:
            return self.selection
        return f"{self.name}_" if self.name.rstrip("_") in _BELOW.get(self.kind, ()) else self.name

    @property
    def path(self) -> str:
        """Path in the file. Histograms of all events lie above the directories of selections."""
        directories = [
            *(REMAINDERS,) * self.remainder,
            *((VARIATIONS, self.variation) if self.variation else ()),
            self.kind,
            *(self.selection,) * (self.selection is not Selection.ALL and self.kind is not Kind.MOMENTS),
        ]
        return "/".join([*directories, self.object_name])

    @classmethod
    def of_path(cls, path: str) -> HistogramKey:
        """Return the key of the histogram that lies at a path.

        Raises:
            ValueError: the path is that of no histogram of a run.
        """
        remainder, varied = False, ""
        steps = path.split("/")
        if steps[0] == REMAINDERS:
            remainder, steps = True, steps[1:]
        if steps[0] == VARIATIONS:
            varied, steps = steps[1], steps[2:]
        kind, rest = Kind(steps[0]), steps[1:]
        if kind is Kind.MOMENTS:
            return cls(kind, Selection(rest[0]), "", varied, remainder)
        below = _BELOW.get(kind, ())
        selection = Selection(rest.pop(0)) if len(rest) > 1 and rest[0] in below else Selection.ALL
        name = "/".join(rest)
        if name.rstrip("_") in below:
            name = name.removesuffix("_")
        return cls(kind, selection, name, varied, remainder)


CUTFLOW = HistogramKey(Kind.CUTFLOW, Selection.ALL, "cutflow")
"""Events that passed each cut."""
NON_FINITE = HistogramKey(Kind.CUTFLOW, Selection.ALL, "non_finite")
"""Events in which each feature is not finite."""
WEIGHTED = HistogramKey(Kind.CUTFLOW, Selection.ALL, "weighted")
"""Sum of the weights of the events that passed each cut, where events have weights."""
NEGATIVE = HistogramKey(Kind.CUTFLOW, Selection.ALL, "negative")
"""Events of negative weight that passed each cut, where events have weights."""
VOTED = HistogramKey(Kind.AGREEMENT, Selection.ALL, "votes")
"""Events by the number of detectors that flag them."""
FLAGGED = HistogramKey(Kind.AGREEMENT, Selection.ALL, "flagged")
"""Events that both of two detectors flag."""
WEIGHTED_AGREEMENT = {
    VOTED: replace(VOTED, name="votes_weighted"),
    FLAGGED: replace(FLAGGED, name="flagged_weighted"),
}
"""Histogram that counts events, whether they have weights or not -> the one with their weights."""

RUNS = HistogramKey(Kind.SHARES, Selection.ALL, "runs")
"""Scored events of each run, all and flagged ones; a part of a sample has bins for its own runs."""
BLOCKS = HistogramKey(Kind.SHARES, Selection.ALL, "luminosity_blocks")
"""The same for groups of luminosity blocks, named by the first of each."""
DIRECTIONS = HistogramKey(Kind.SHARES, Selection.ALL, "eta_phi")
"""Scored events by the pseudorapidity and the azimuth of their leading object."""
FLAGGED_DIRECTIONS = replace(DIRECTIONS, name="eta_phi_flagged")
"""Those of them that the ensemble flags."""


class CurveKind(StrEnum):
    """What a graph or a histogram of an evaluation shows."""

    ROC = "roc"
    SIGNIFICANCE = "significance"
    BACKGROUND_SCORES = "background"
    SIGNAL_SCORES = "signal"


@dataclass(frozen=True)
class CurveKey:
    """A graph or a histogram of an evaluation.

    Attributes:
        kind: what it shows.
        detector: name of the detector, or "ensemble".
    """

    kind: CurveKind
    detector: str

    @property
    def directory(self) -> str:
        """Name of the directory in the file: of the kind, or of the scores of both kinds of events."""
        return (Kind.SCORES if self._has_scores else self.kind).value

    @property
    def object_name(self) -> str:
        """Name of the object in its directory."""
        return f"{self.detector}_{self.kind}" if self._has_scores else self.detector

    @property
    def path(self) -> str:
        """Path in the file."""
        return f"{self.directory}/{self.object_name}"

    @property
    def _has_scores(self) -> bool:
        return self.kind in (CurveKind.BACKGROUND_SCORES, CurveKind.SIGNAL_SCORES)
