"""What a search in a spectrum (`--method spectrum` or `scores`) asked and found, as types; `formats.py` writes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from plotting.results.record_tables import Table
from plotting.results.search.head import SearchHead
from plotting.results.search.signal import Efficiency, OtherWidth, Produced, SearchedSignal

SEARCH = "search"
"""Folder of a search within that of its run."""

SEARCH_JSON, SEARCH_ROOT = "search.json", "search.root"


@dataclass(frozen=True, kw_only=True)
class Window(Table):
    """Half-open range of an observable."""

    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Tried(Table):
    """Function that was tried.

    Attributes:
        label: of the function.
        deviance: of its fit.
        likelihood_ratio_p: probability of the likelihood ratio to the function of one parameter more.
        goodness_p: fraction of toys of the function with at least this deviance.
        spurious: largest spurious signal, beyond its own error, in units of the signal's error.
        reason: why it was not taken; None for the one that was.
    """

    label: str
    deviance: float
    likelihood_ratio_p: float | None
    goodness_p: float
    spurious: float | None
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class ScannedMass(Table):
    """Signal at one mass.

    Attributes:
        mass: of the signal.
        z: signed root of the likelihood ratio; None where there is no fit.
        signal: fitted events.
        signal_error: their error.
        background: expected events within two standard deviations.
        p: local probability where systematic errors move the signal's shape, so that z is no normal deviate; None
            where it is one.
    """

    mass: float
    z: float | None
    signal: float | None
    signal_error: float | None
    background: float
    p: float | None = None


@dataclass(frozen=True, kw_only=True)
class Limit(Table):
    """Upper limit on signal events at 95 % confidence level.

    Attributes:
        mass: of the signal.
        observed: None while blinded.
        expected: without a signal at -2, -1, 0, 1 and 2 standard deviations.
        by: "asymptotic", or "toys" where few background events are expected.
        toys: that were thrown; 0 for the asymptotic formula.
    """

    mass: float
    observed: float | None
    expected: tuple[float, float, float, float, float]
    by: Literal["asymptotic", "toys"] = "asymptotic"
    toys: int = 0


@dataclass(frozen=True, kw_only=True)
class Injected(Table):
    """Signals that were put into toys, and what was found of them.

    Attributes:
        mass: of the signal.
        strength: in units of the signal's error.
        events: that were expected of it.
        toys: that were fitted.
        found: mean of the fitted events.
        pull_mean: mean of (fitted less expected) / error.
        pull_width: their standard deviation.
        z: mean significance.
    """

    mass: float
    strength: float
    events: float
    toys: int
    found: float
    pull_mean: float
    pull_width: float
    z: float


@dataclass(frozen=True, kw_only=True)
class Slice(Table):
    """A slice of the observable: its events, and how many of them pass a cut."""

    low: float
    high: float
    events: int
    passed: int


@dataclass(frozen=True, kw_only=True)
class Sculpting(Table):
    """Whether the fraction that passes a cut depends on the observable.

    Attributes:
        slices: of the sidebands while blinded, else of the whole range.
        chi2: of a constant fraction.
        ndf: slices less one.
        ratio: largest to smallest fraction.
    """

    slices: tuple[Slice, ...]
    chi2: float
    ndf: int
    ratio: float | None


@dataclass(frozen=True, kw_only=True)
class PassingBump(Table):
    """Most significant bump of the fraction of a control's events that pass a cut.

    Attributes:
        mass: where it lies.
        z: height over its error.
    """

    mass: float
    z: float


@dataclass(frozen=True, kw_only=True)
class SearchedCut(Table):
    """Declared cut.

    Attributes:
        fraction: of events that it was declared to keep.
        selection: what it asks of an event; None for all events.
        opened: whether its spectrum was looked at.
        reason: why not; None where it was.
        events: that pass; of the sidebands, or of the declared tenth, while blinded.
        counts: of each bin, those of masked bins left out; likewise.
        tried: functions.
        function: the one that was chosen.
        spurious: events by which a signal may be off, largest of all masses; 0 where it counts as none.
        expected: events of each bin by the function.
        deviance: of the fit to the bins that were used.
        ndf: bins that were used less parameters.
        masses: scan; empty while blinded.
        limits: at each mass; where few background events are expected, at masses a standard deviation apart.
        injected: signals in toys.
        sculpting: None for the cut that keeps all.
        control: None for the cut that keeps all, and without a control.
        efficiency: of a simulated signal; None where its resolution is given, like what follows.
        produced: limit at its mass in events before any selection; None too where no limit is near.
    """

    fraction: float
    selection: str | None
    opened: bool
    reason: str | None = None
    events: int | None = None
    counts: tuple[int | None, ...] = ()
    tried: tuple[Tried, ...] = ()
    function: str | None = None
    spurious: float = 0.0
    expected: tuple[float, ...] = ()
    deviance: float | None = None
    ndf: int | None = None
    masses: tuple[ScannedMass, ...] = ()
    limits: tuple[Limit, ...] = ()
    injected: tuple[Injected, ...] = ()
    sculpting: Sculpting | None = None
    control: PassingBump | None = None
    efficiency: Efficiency | None = None
    produced: Produced | None = None


@dataclass(frozen=True, kw_only=True)
class Checked(Table):
    """Largest significance by another program.

    Attributes:
        by: name of the program.
        z: its significance; None where it was not asked.
        difference: relative to that of the scan.
        reason: why it was not asked.
    """

    by: str
    z: float | None = None
    difference: float | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Largest(Table):
    """Largest excess of all masses and cuts.

    Attributes:
        mass: of the signal.
        cut: fraction of the cut.
        z: signed root of the likelihood ratio.
        signal: fitted events.
        signal_error: their error.
        local_p: probability of at least this at this mass in this cut.
        local_by: "asymptotic" or "toys".
        local_toys: their number; 0 for the asymptotic formula.
        local_above: of these, at least as extreme.
        global_p: probability of at least this anywhere.
        global_z: the same in standard deviations; None for a probability of 1.
        global_by: "toys" or "Gross-Vitells".
        toys: that went through the whole procedure.
        above: of these, at least as extreme.
        refused_toys: that the procedure refused; they do not count.
        toys_p: probability by the toys alone.
        gross_vitells_p: extrapolation by crossings of the toys; None where few events are expected.
        trials: number of masses times cuts.
        check: by another program.
    """

    mass: float
    cut: float
    z: float
    signal: float
    signal_error: float
    local_p: float
    local_by: Literal["asymptotic", "toys"]
    local_toys: int = 0
    local_above: int = 0
    global_p: float
    global_z: float | None
    global_by: Literal["toys", "Gross-Vitells"]
    toys: int
    above: int
    refused_toys: int
    toys_p: float
    gross_vitells_p: float | None
    trials: int
    check: Checked


@dataclass(frozen=True, kw_only=True)
class SearchRecord(SearchHead):
    """search.json of a search in a spectrum.

    Attributes:
        observable: name of the column.
        title: its title.
        unit: its unit.
        edges: of the bins.
        masses: number of masses of the scan.
        cuts: declared cuts, the loosest first.
        largest: excess; None while blinded, and where the search was refused.
        width_scan: the largest excess by signals of half the width and of one and a half times; empty without one.
        signal: that was simulated; None where its resolution is given.
        seed: of all toys.
        timings: seconds of each stage, and when the search began.
    """

    observable: str
    title: str
    unit: str
    edges: tuple[float, ...] = ()
    masses: int = 0
    cuts: tuple[SearchedCut, ...] = ()
    largest: Largest | None = None
    width_scan: tuple[OtherWidth, ...] = ()
    signal: SearchedSignal | None = None
    seed: int
    timings: dict[str, float | str]
