"""What search.json says of the simulated signal that a search takes its shape from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from plotting.results.record_tables import Table

Moved = Literal["yield", "peak", "width"]


@dataclass(frozen=True, kw_only=True)
class SignalTails(Table):
    """Power tails of a two-sided Crystal Ball: where they begin, in standard deviations, and their powers."""

    alpha_low: float
    power_low: float
    alpha_high: float
    power_high: float


@dataclass(frozen=True, kw_only=True)
class Effect(Table):
    """What a variation does to a signal.

    Attributes:
        what: moves: the yield relative to itself, the peak in units of the width, or the width relative to itself.
        up: by the scale up.
        down: by the scale down.
        size: of one standard deviation, the same in both directions; of a yield the logarithm of the factor.
        one_sided: whether both directions moved it to the same side, so that the larger one stands for both.
        pruned: whether it is too small to count.
    """

    what: Moved
    up: float
    down: float
    size: float
    one_sided: bool
    pruned: bool


@dataclass(frozen=True, kw_only=True)
class SignalVariation(Table):
    """Systematic variation of a signal: its name, the relative size of the change of the scale, and what it does."""

    name: str
    size: float
    effects: tuple[Effect, ...]


@dataclass(frozen=True, kw_only=True)
class SearchedSignal(Table):
    """Simulated signal.

    Attributes:
        run: folder of its run.
        run_json_sha256: of its run.json.
        events_sha256: of its events.root.
        title: of its sample.
        events: in the range of the search.
        effective: events of the same statistical weight that all weigh the same.
        mass: of its peak.
        mass_error: standard deviation of that.
        resolution: standard deviation of its core, relative to the mass.
        resolution_error: standard deviation of that.
        tails: None where a Gaussian describes it.
        gaussian_p: probability of as large a chi-squared of a Gaussian; there are tails where it is below 0.01.
        p: the same for what was taken.
        variations: of its run.
    """

    run: str
    run_json_sha256: str
    events_sha256: str
    title: str
    events: int
    effective: float
    mass: float
    mass_error: float
    resolution: float
    resolution_error: float
    tails: SignalTails | None
    gaussian_p: float
    p: float
    variations: tuple[SignalVariation, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Efficiency(Table):
    """Fraction of the signal's events that pass a cut and lie in the range.

    Attributes:
        value: the fraction.
        error: its binomial error.
        passed: events; of weighted ones the sum of weights.
        of: the same of those that it is a fraction of.
        relative_to: "read" for all events of the signal's files, "selected" for those that its run has selected.
    """

    value: float
    error: float
    passed: float
    of: float
    relative_to: Literal["read", "selected"]


@dataclass(frozen=True, kw_only=True)
class Produced(Table):
    """Upper limit, at the mass of the scan that is nearest to the signal's, on events before any selection.

    Attributes:
        mass: of the scan.
        observed: None while blinded.
        expected: the median without a signal.
    """

    mass: float
    observed: float | None
    expected: float


@dataclass(frozen=True, kw_only=True)
class OtherWidth(Table):
    """Significance at the mass of the largest excess, if a signal were of another width: stability, no error."""

    factor: float
    resolution: float
    z: float | None
