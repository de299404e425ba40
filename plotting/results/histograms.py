"""Histograms of a run as arrays, and the same thing for several kinds of events."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from plotting.results.moments import FloatArray

T = TypeVar("T")

LEAST_FLAGGED = 10
"""Flagged events that are expected in a bin whose share is compared with others, at least."""


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

    @property
    def smallest(self) -> float:
        """The smallest content above zero, but one event where events are counted and a bin holds more."""
        positive = self.values[self.values > 0]
        weighted = not np.array_equal(self.values, self.variances)
        return float(positive.min(initial=np.inf if weighted and positive.size else 1.0))


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
    """How many events passed each step of the selection, in order.

    Attributes:
        steps: names.
        events: that passed.
        weights: sums of their weights; None where events have none.
    """

    steps: tuple[str, ...]
    events: tuple[float, ...]
    weights: tuple[float, ...] | None = None


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
class Shares:
    """Events by a number, such as the run.

    Attributes:
        labels: of the bins.
        events: all of each bin.
        flagged: those that the ensemble flags.
    """

    labels: tuple[str, ...]
    events: tuple[float, ...]
    flagged: tuple[float, ...]


@dataclass(frozen=True)
class ShareTest:
    """How a flagged share depends on a quantity.

    Attributes:
        chi2: of the shares in the bins.
        freedom: number of its degrees of freedom.
        smallest: share in a bin.
        largest: share in a bin.
    """

    chi2: float
    freedom: int
    smallest: float
    largest: float

    @property
    def probability(self) -> float:
        """The probability of a chi2 that is as large, if the share is the same everywhere."""
        return chi2_probability(self.chi2, self.freedom)


def compare_shares(events: Sequence[float], flagged: Sequence[float]) -> ShareTest | None:
    """Compare the flagged shares in bins with that of all events.

    Args:
        events: of each bin, in an order in which neighbours may be put together.
        flagged: of these.

    Returns:
        None where there are not two bins with enough events, or nothing or everything is flagged.
    """
    total, chosen = sum(events), sum(flagged)
    if not 0 < chosen < total:
        return None
    share = chosen / total
    bins: list[list[float]] = []
    waiting = [0.0, 0.0]
    for all_events, some in zip(events, flagged, strict=True):
        waiting = [waiting[0] + all_events, waiting[1] + some]
        if waiting[0] * min(share, 1 - share) >= LEAST_FLAGGED:
            bins.append(waiting)
            waiting = [0.0, 0.0]
    if bins:  # what is left belongs to the last
        bins[-1] = [bins[-1][0] + waiting[0], bins[-1][1] + waiting[1]]
    if len(bins) < 2:
        return None
    chi2 = sum((some - share * n) ** 2 / (n * share * (1 - share)) for n, some in bins)
    shares = [some / n for n, some in bins]
    return ShareTest(chi2, len(bins) - 1, min(shares), max(shares))


def chi2_probability(chi2: float, freedom: int) -> float:
    """Return the probability of a chi2 that is as large or larger, with a number of degrees of freedom of 1 at least.

    It is a finite sum, since that number is whole; scipy must not be loaded after ROOT.
    """
    half = chi2 / 2
    if half == 0:
        return 1.0
    odd = freedom % 2
    terms = (i + odd / 2 for i in range(freedom // 2))
    tail = sum(math.exp(-half + power * math.log(half) - math.lgamma(power + 1)) for power in terms)
    return min((math.erfc(math.sqrt(half)) if odd else 0.0) + tail, 1.0)
