"""What a search in a plane asked and found, as types: A = B C / D."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from plotting.results.record_tables import Table
from plotting.results.search.head import SearchHead


@dataclass(frozen=True, kw_only=True)
class Axis(Table):
    """Axis of the plane: the name that was asked for, the column that was read, its title and unit."""

    name: str
    column: str
    title: str
    unit: str


@dataclass(frozen=True, kw_only=True)
class Ring(Table):
    """Rectangle beside A, in which the prediction is tested: four regions of its own, whose A it is.

    Attributes:
        first: quantiles of the first axis between which it lies; 1 for no end.
        second: those of the second axis.
        first_values: the same as values, None for no end.
        second_values: the same as values.
        observed: events in it.
        expected: of them, from the other three regions.
        error: standard deviation of the difference, of the Poisson distribution and of the prediction [events].
        pull: (observed less expected) / error.
        counted: whether enough events are expected for it to count.
    """

    first: tuple[float, float]
    second: tuple[float, float]
    first_values: tuple[float, float | None]
    second_values: tuple[float, float | None]
    observed: int
    expected: float
    error: float
    pull: float
    counted: bool


@dataclass(frozen=True, kw_only=True)
class Correlation(Table):
    """Spearman's rank correlation of the axes, with its error, in the events where one axis lies below the loosest cut.

    Attributes:
        below: name of that axis.
        value: of the correlation.
        error: of it, without a correlation.
        events: number of events.
    """

    below: str
    value: float
    error: float
    events: int


@dataclass(frozen=True, kw_only=True)
class Closure(Table):
    """How well the prediction holds beside A.

    Attributes:
        rings: in their order from the bulk to A.
        chi2: sum of the squares of the pulls that count.
        ndf: their number.
        probability: of at least this chi2.
        ratio: weighted mean of observed over expected.
        ratio_error: its error.
        beside: the same ratio of the rectangles that touch A.
        drift: change of the ratio towards A, with each factor e of events that lie further out.
        drift_error: its error; None where all rectangles lie at one distance.
        error: relative error of the prediction: the largest of |ratio - 1|, ratio_error, |beside - 1|, and the distance
            from 1 at A of the straight line that has this drift.
        correlations: of the axes.
    """

    rings: tuple[Ring, ...]
    chi2: float
    ndf: int
    probability: float
    ratio: float
    ratio_error: float
    beside: float
    drift: float
    drift_error: float | None
    error: float
    correlations: tuple[Correlation, ...]


@dataclass(frozen=True, kw_only=True)
class ScannedPair(Table):
    """Pair of columns that might be axes: their names, how well the prediction holds, and why they are not taken.

    Attributes:
        axes: names of the columns.
        closure: beside their cuts; None where it could not be measured.
        reason: why the pair would be refused; None where it would not.
    """

    axes: tuple[str, str]
    closure: Closure | None
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class CountLimit(Table):
    """Upper limit on signal events in A at 95 % confidence level, by CLs.

    Attributes:
        observed: None while blinded.
        expected: without a signal at -2, -1, 0, 1 and 2 standard deviations.
        by: "asymptotic", or "toys" where few background events are expected.
        toys: of each number of signal events; 0 for the asymptotic formula.
    """

    observed: float | None
    expected: tuple[float, float, float, float, float]
    by: Literal["asymptotic", "toys"]
    toys: int


@dataclass(frozen=True, kw_only=True)
class PlaneCut(Table):
    """Declared cut.

    Attributes:
        fraction: of events that it keeps on each axis.
        first: value of the first axis above which events pass.
        second: value of the second axis.
        first_share: fraction of events above the first value, which differs from the declared one where events tie.
        second_share: fraction of events above the second value.
        opened: whether a statement is made of it.
        reason: why not; None where one is.
        a: events above both; None while blinded, like what follows. B, C or D would tell A, since the events above each
            axis are a known fraction; so would the sum of all rectangles and bins that are written.
        b: above the first one alone.
        c: above the second one alone.
        d: above none.
        expected: events in A: B C / D; while blinded the product of the fractions that pass each axis.
        expected_error: its error, with that of the closure.
        pull: (A less expected) / error, without that of the closure.
        z: signed root of the likelihood ratio.
        signal: A less expected [events].
        signal_error: its error.
        limit: None where the cut is not opened.
    """

    fraction: float
    first: float
    second: float
    first_share: float
    second_share: float
    opened: bool
    reason: str | None = None
    a: int | None = None
    b: int | None = None
    c: int | None = None
    d: int | None = None
    expected: float | None = None
    expected_error: float | None = None
    pull: float | None = None
    z: float | None = None
    signal: float | None = None
    signal_error: float | None = None
    limit: CountLimit | None = None


@dataclass(frozen=True, kw_only=True)
class LargestCount(Table):
    """Largest excess of all cuts.

    Attributes:
        cut: fraction of the cut.
        z: signed root of the likelihood ratio.
        local_p: probability of at least this in this cut.
        local_by: "asymptotic" or "toys".
        local_toys: their number; 0 for the asymptotic formula.
        local_above: of these, at least as extreme.
        global_p: probability of at least this in any of the cuts; with no toy as extreme, an upper bound.
        global_z: the same in standard deviations; None for a probability of 1.
        toys: planes in which one axis was permuted against the other.
        above: of these, at least as extreme.
        trials: number of cuts.
    """

    cut: float
    z: float
    local_p: float
    local_by: Literal["asymptotic", "toys"]
    local_toys: int
    local_above: int
    global_p: float
    global_z: float | None
    toys: int
    above: int
    trials: int


@dataclass(frozen=True, kw_only=True)
class Plane(Table):
    """Events of the plane in bins.

    Attributes:
        first_edges: of the bins of the first axis; the loosest cut is one of them.
        second_edges: of those of the second axis.
        counts: of each bin of the first axis those of the second one; None for bins of A while blinded.
    """

    first_edges: tuple[float, ...]
    second_edges: tuple[float, ...]
    counts: tuple[tuple[int | None, ...], ...]


@dataclass(frozen=True, kw_only=True)
class AbcdRecord(SearchHead):
    """search.json of a search in a plane.

    Attributes:
        method: by which the file is told from that of another method.
        axes: of the plane; empty where pairs were scanned.
        pairs: that were scanned beside their cuts.
        pairs_tried: number of pairs of axes that were looked at before one was chosen, as declared.
        events: in the plane.
        closure: None where the search was refused.
        cuts: declared cuts, the loosest first; each lies within the one before it.
        largest: excess; None while blinded, and where the search was refused.
        plane: None where the search was refused.
        seed: of all toys.
        timings: seconds of each stage, and when the search began.
    """

    method: Literal["abcd"] = "abcd"
    axes: tuple[Axis, ...]
    pairs: tuple[ScannedPair, ...] = ()
    pairs_tried: int
    events: int | None = None
    closure: Closure | None = None
    cuts: tuple[PlaneCut, ...] = ()
    largest: LargestCount | None = None
    plane: Plane | None = None
    seed: int
    timings: dict[str, float | str]
