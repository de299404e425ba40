"""The signal of a search from a run over simulated signal: shape, efficiencies, systematic errors."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from analysis.errors import ConfigurationError, DataError, SearchRefused
from analysis.search.configuration import SearchConfiguration
from analysis.search.events import SearchEvents, Values, read_events
from models.folder import file_sha256
from plotting.results.opened import RunResults, open_results
from plotting.results.root_file import EVENTS_ROOT
from plotting.results.run_record import RUN_JSON
from plotting.results.search.record import SearchedCut
from plotting.results.search.signal import (
    Effect,
    Efficiency,
    Moved,
    Produced,
    SearchedSignal,
    SignalTails,
    SignalVariation,
)
from rdf.graph.fields import LABEL, WEIGHT
from rdf.graph.histogram_keys import Direction, HistogramKey, Kind, Selection, variation
from rdf.statistics.functions import SignalShape, Systematic
from rdf.statistics.signal_fit import FittedSignal, fit_peak, fit_signal

PRUNED = 0.005
"""Size of an effect below which it does not count: of the yield, of the peak in widths, or of the width."""

COARSEST = 2.0
"""Widths of the signal that a bin of its histogram may have, to tell how a variation moves the peak."""

FARTHEST = 1.0
"""Widths by which a variation may move the peak: shapes are interpolated between up and down."""

NEAREST = 0.5
"""Largest distance, in widths, from the signal's mass to the mass whose limit is given in produced events."""


@dataclass(frozen=True, eq=False)
class SignalSource:
    """A run over simulated signal, and its events that the search uses.

    Attributes:
        results: of the run.
        events: in the range of the search.
        weights: of these, 1 where there are none, shape (events,).
        of: events, or the sum of their weights, that efficiencies refer to.
        all_read: whether these are all that the run has read, else those that it has selected.
    """

    results: RunResults
    events: SearchEvents
    weights: Values
    of: float
    all_read: bool


@dataclass(frozen=True, eq=False)
class Signal:
    """A signal as a search takes it: its shape with systematic errors, an efficiency a cut, and what is recorded."""

    shape: SignalShape
    efficiencies: tuple[Efficiency, ...]
    record: SearchedSignal


def read_signal(searched: RunResults, configuration: SearchConfiguration) -> SignalSource | None:
    """Read the events of the signal; None where a search is given a resolution.

    Args:
        searched: run that is searched.
        configuration: of the search.

    Raises:
        ConfigurationError: the folder holds no run over simulated signal, or its observable or models are others.
        DataError: it has no event of signal in the range.
    """
    if configuration.signal is None:
        return None
    name = f"--signal {configuration.signal}"
    results = open_results(configuration.signal)
    if not isinstance(results, RunResults):
        raise ConfigurationError(f"{name} holds an evaluation; name the folder of a run")
    _check_run(name, searched, results, configuration)
    labelled = any(key.selection is Selection.SIGNAL for key in results.histogram_keys)
    if not labelled and not results.record.sample.simulated:
        raise ConfigurationError(f"{name}: its events are data without labels; name a run over simulated signal")
    if not labelled and results.record.sample.stands_in_for is not None:
        raise ConfigurationError(f"{name}: its events stand in for data, and have no labels; name a run over signal")
    weighted = results.record.weights is not None
    more = (*(LABEL,) * labelled, *(WEIGHT,) * weighted)
    try:
        events = read_events(results, configuration, *more)
    except (ConfigurationError, DataError) as error:
        raise type(error)(f"{name}: {error}") from error
    except SearchRefused as error:
        raise DataError(f"{name}: {error}") from error
    labels = results.events(LABEL)[LABEL] if labelled else np.ones(results.record.counts.selected)
    if not (labels == 1).any():
        raise ConfigurationError(f"{name}: none of its {len(labels):,} events has the label 1 of signal")
    alone = bool((labels == 1).all())
    if results.record.variations and not alone:
        raise ConfigurationError(
            f"{name}: its histograms of variations hold background too; simulate the signal alone, or repeat the run "
            "without --vary"
        )
    if labelled:
        events = events.where(events.beside[LABEL] == 1)
    weights = events.beside[WEIGHT].astype(np.float64) if weighted else np.ones(len(events.values))
    every = results.events(WEIGHT)[WEIGHT].astype(np.float64) if weighted else np.ones(len(labels))
    read = results.record.cutflow[0].weighted if weighted else float(results.record.counts.processed)
    of = read if alone and read is not None else float(every[labels == 1].sum())
    return SignalSource(results, events, weights, of, alone)


def _check_run(name: str, searched: RunResults, results: RunResults, configuration: SearchConfiguration) -> None:
    """Refuse a signal whose run defines the observable otherwise, or has scores of other models."""
    observable = configuration.observable
    ours, theirs = (
        {each.name: each.unit for each in (*record.features, *record.observables)}
        for record in (searched.record, results.record)
    )
    if observable in ours and observable in theirs:
        same = searched.record.define.get(observable) == results.record.define.get(observable)
        if not same or ours[observable] != theirs[observable]:
            raise ConfigurationError(f"{name}: its {observable} is defined otherwise than in {configuration.run}")
    if configuration.method == "scores" and results.record.models_sha256 != searched.record.models_sha256:
        raise ConfigurationError(
            f"{name}: was scored by other models than {configuration.run}; repeat it with --models "
            f"{configuration.run}/models"
        )


def find_signal(source: SignalSource, configuration: SearchConfiguration) -> Signal:
    """Fit the signal's shape, count how many of its events pass each cut, and see how variations move it.

    Args:
        source: events of the signal.
        configuration: of the search.

    Raises:
        ConfigurationError: variations cannot be told from its histograms.
        SpectrumError: there are too few events, or the peak does not lie within the range.
    """
    fitted = fit_signal(source.events.values, source.weights, *configuration.range)
    variations = tuple(
        SignalVariation(name=name, size=varied.size, effects=_effects(source, configuration, fitted, name))
        for name, varied in source.results.record.variations.items()
    )
    tails = fitted.tails
    folder = source.results.folder
    record = SearchedSignal(
        run=str(folder),
        run_json_sha256=file_sha256(folder / RUN_JSON),
        events_sha256=file_sha256(folder / EVENTS_ROOT),
        title=source.results.record.sample.title,
        events=len(source.events.values),
        effective=fitted.effective,
        mass=fitted.mass,
        mass_error=fitted.mass_error,
        resolution=fitted.resolution,
        resolution_error=fitted.resolution_error,
        tails=None if tails is None else SignalTails(**vars(tails)),
        gaussian_p=fitted.gaussian_p,
        p=fitted.p,
        variations=variations,
    )
    systematics = tuple(error for each in variations if (error := _systematic(each, fitted.resolution)) is not None)
    efficiencies = tuple(_efficiency(source, place) for place in range(len(source.events.cuts)))
    return Signal(SignalShape(fitted.resolution, tails, systematics), efficiencies, record)


def _efficiency(source: SignalSource, place: int) -> Efficiency:
    weights = source.weights[source.events.cuts[place].passed]
    passed, per_event = float(weights.sum()), float((source.weights**2).sum() / source.weights.sum())
    value = passed / source.of
    return Efficiency(
        value=value,
        error=math.sqrt(max(value * (1 - value), 0.0) * per_event / source.of),
        passed=passed,
        of=source.of,
        relative_to="read" if source.all_read else "selected",
    )


def produced(efficiency: Efficiency, cut: SearchedCut, signal: SearchedSignal, in_range: float) -> Produced | None:
    """Return the limit at the signal's mass in events before any selection; None where there is none near it.

    Args:
        efficiency: of the cut.
        cut: with its limits.
        signal: of the search.
        in_range: fraction of the signal's shape that lies in the range.
    """
    near = min(cut.limits, key=lambda limit: abs(limit.mass - signal.mass), default=None)
    if efficiency.relative_to != "read" or efficiency.value <= 0:
        return None
    if near is None or abs(near.mass - signal.mass) > NEAREST * signal.resolution * signal.mass:
        return None
    scale = in_range / efficiency.value
    observed = None if near.observed is None else scale * near.observed
    return Produced(mass=near.mass, observed=observed, expected=scale * near.expected[2])


def _effects(
    source: SignalSource, configuration: SearchConfiguration, fitted: FittedSignal, name: str
) -> tuple[Effect, ...]:
    """Return the effects of a variation on yield, peak and width, from the histograms of the signal's run."""
    low, high = configuration.range

    def spectrum(varied: str) -> tuple[Values, Values]:
        key = HistogramKey(Kind.FEATURES, Selection.ALL, configuration.observable, varied)
        histogram = source.results.histogram(key)
        edges, counts = (np.asarray(it, dtype=np.float64) for it in (histogram.axes[0].edges, histogram.values()))
        centres = (edges[1:] + edges[:-1]) / 2
        inside = np.flatnonzero((centres >= low) & (centres < high))
        return edges[inside[0] : inside[-1] + 2] if len(inside) else edges[:0], counts[inside]

    where = f"--signal {configuration.signal}"
    edges, nominal = spectrum("")
    sigma = fitted.resolution * fitted.mass
    if not len(nominal) or edges[1] - edges[0] > COARSEST * sigma:
        raise ConfigurationError(
            f"{where}: the bins of its {configuration.observable} are too wide to show what {name} does to a width of "
            f"{sigma:.3g}; repeat the run with models of its own, or without --vary"
        )
    mass, width = fit_peak(nominal, edges, fitted)
    moved: dict[Moved, list[float]] = {"yield": [], "peak": [], "width": []}
    for direction in Direction:
        edges, counts = spectrum(variation(name, direction))
        if counts.sum() <= 0:
            raise ConfigurationError(f"{where}: {variation(name, direction)} leaves nothing of the signal; vary less")
        varied_mass, varied_width = fit_peak(counts, edges, fitted)
        moved["yield"].append(float(counts.sum() / nominal.sum()) - 1)
        moved["peak"].append((varied_mass - mass) / width)
        moved["width"].append(varied_width / width - 1)
    effects = tuple(effect_of(what, *sides) for what, sides in moved.items())
    if (farthest := max(abs(each.size) for each in effects if each.what == "peak")) > FARTHEST:
        raise ConfigurationError(
            f"{where}: {name} moves the peak by {farthest:.2g} of its width, too far to interpolate; vary less"
        )
    return effects


def effect_of(what: Moved, up: float, down: float) -> Effect:
    """Return an effect that is the same in both directions.

    Args:
        what: moves.
        up: by the scale up: of yield and width the ratio less 1, of the peak its shift in widths.
        down: by the scale down.
    """
    sides = (math.log1p(up), math.log1p(down)) if what == "yield" else (up, down)
    one_sided = sides[0] * sides[1] >= 0 and any(sides)
    larger = sides[0] if abs(sides[0]) >= abs(sides[1]) else -sides[1]
    size = larger if one_sided else (sides[0] - sides[1]) / 2
    return Effect(what=what, up=up, down=down, size=size, one_sided=one_sided, pruned=abs(size) < PRUNED)


def _systematic(varied: SignalVariation, resolution: float) -> Systematic | None:
    """Return a variation as a nuisance parameter; None where all of it is pruned."""
    sizes = {each.what: 0.0 if each.pruned else each.size for each in varied.effects}
    if not any(sizes.values()):
        return None
    return Systematic(varied.name, sizes["yield"], sizes["peak"] * resolution, sizes["width"])
