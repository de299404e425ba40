"""Which histogram is which: by what its path in the ROOT file is made, and the only place where one is taken apart."""

from __future__ import annotations

from dataclasses import dataclass

ALL = "all"
SELECTIONS = ("normal", "anomalous")
"""Kinds of events that the ensemble tells apart."""
LABELS = ("signal", "background")
"""Kinds of events that labels tell apart."""

VARIATIONS = "variations"
"""Directory of what systematic variations change."""
REMAINDERS = "remainders"
"""Directory of what rounding left of sums, in the histograms of a part of a sample."""

FEATURES, PLANES, MOMENTS, SCORES, AGREEMENT, CUTFLOW = (
    *("features", "planes", "moments", "scores", "agreement", "cutflow"),
)
_BELOW = {FEATURES: SELECTIONS, PLANES: SELECTIONS, SCORES: LABELS}
"""Directory of a kind of histograms -> the directories in it, each of a selection of events."""


@dataclass(frozen=True)
class HistogramKey:
    """A histogram of a run.

    Attributes:
        kind: the directory of those of its kind: FEATURES and so on.
        name: of the quantity, the plane or the score; empty for moments, which are of all features at once.
        selection: of the events: ALL, one of SELECTIONS or one of LABELS.
        variation: a scale and its direction, such as "jes_up"; empty without one.
        remainder: whether it is what rounding left of the sums.
    """

    kind: str
    name: str = ""
    selection: str = ALL
    variation: str = ""
    remainder: bool = False

    @property
    def object_name(self) -> str:
        """Name of the object in its directory.

        A quantity that is called as a directory beside it gets an underscore more: features/normal/ is a directory, and
        features/normal_ the histogram of a column `normal`.
        """
        if self.kind == MOMENTS:
            return self.selection
        return f"{self.name}_" if self.name.rstrip("_") in _BELOW.get(self.kind, ()) else self.name

    @property
    def path(self) -> str:
        """Path in the file. What is of all events lies above the directories of selections."""
        directories = [
            *(REMAINDERS,) * self.remainder,
            *((VARIATIONS, self.variation) if self.variation else ()),
            self.kind,
            *(self.selection,) * (self.selection != ALL and self.kind != MOMENTS),
        ]
        return "/".join([*directories, self.object_name])

    @classmethod
    def of_path(cls, path: str) -> HistogramKey:
        """Return the key of the histogram that lies at a path."""
        remainder, variation = False, ""
        parts = path.split("/")
        if parts[0] == REMAINDERS:
            remainder, parts = True, parts[1:]
        if parts[0] == VARIATIONS:
            variation, parts = parts[1], parts[2:]
        kind, *rest = parts
        if kind == MOMENTS:
            return cls(kind, "", rest[0], variation, remainder)
        selection = rest.pop(0) if len(rest) > 1 and rest[0] in _BELOW.get(kind, ()) else ALL
        name = "/".join(rest)
        if name.rstrip("_") in _BELOW.get(kind, ()):
            name = name.removesuffix("_")
        return cls(kind, name, selection, variation, remainder)
