"""Histograms of a run as arrays, and the same thing for several kinds of events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from plotting.results.moments import FloatArray

T = TypeVar("T")


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
