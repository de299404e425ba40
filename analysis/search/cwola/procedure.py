"""The procedure of a search by weak supervision, in the order of its steps: sidebands, regions, calibration."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from analysis.errors import SearchRefused
from analysis.search.cwola.calibrated import calibrated, largest_window
from analysis.search.cwola.calibration import BackgroundOnly, Counts, calibrate
from analysis.search.cwola.configuration import CwolaConfiguration
from analysis.search.cwola.events import FeaturedEvents
from analysis.search.cwola.selections import SpectrumSelection, scaled_spurious
from analysis.search.tables import LIMIT_TOYS, sculpting_table, tried_table
from models.weak_supervision.ranked import RankedEvents
from models.weak_supervision.window import Window
from plotting.results.search.cwola import CountedCut, LargestWindow, MassTest, SearchedWindow
from plotting.results.search.record import Limit
from rdf.statistics.fits import SpectrumFits
from rdf.statistics.fitted import Choice, Rule, Templates
from rdf.statistics.functions import Family, SignalShape
from rdf.statistics.region import RegionExcess, RegionFits
from rdf.statistics.spectrum import Numbers, Spectrum

FEWEST_SIDEBAND_EVENTS = 20
"""Events in the sidebands of a cut, below which its region is not looked at."""

MOST_FAILED = 0.01
"""Fraction of background-only sets with a fit that does not come to an end, above which a search is refused."""


@dataclass(frozen=True, eq=False)
class WindowFits:
    """What is settled of a window before its region is looked at.

    Attributes:
        window: with its cuts.
        fits: of its spectra.
        choice: the function, on the sidebands of all events; it holds for all selections.
        selections: that are declared, the one of all events first.
        counts: events of each of these and bin, shape (selections, bins); while blinded of the first one alone, and
            without the region's.
    """

    window: Window
    fits: RegionFits
    choice: Choice
    selections: tuple[SpectrumSelection, ...]
    counts: Numbers

    @property
    def order(self) -> int:
        """Index of the function."""
        assert self.choice.order is not None
        return self.choice.order

    def spurious(self, place: int) -> Numbers | None:
        """Return the error of a selection's signal by a spurious one, which is proportional to its events."""
        return scaled_spurious(self.choice.spurious, self.selections[place], self.counts, place)


@dataclass(frozen=True, eq=False)
class CwolaOutcome:
    """What a search found.

    Attributes:
        windows: tables of the windows.
        largest: significance; None while blinded.
        refused_sets: background-only sets that the procedure refused.
        templates: the fit with a signal where an unweighted significance is the largest; None while blinded.
    """

    windows: tuple[SearchedWindow, ...]
    largest: LargestWindow | None
    refused_sets: int
    templates: Templates | None = None


def family_of(configuration: CwolaConfiguration) -> Family:
    """Return the functions that a configuration declares."""
    first, last = configuration.parameters or (0, 0)
    return Family(configuration.family, first, last, configuration.sqrt_s)


def settle_windows(configuration: CwolaConfiguration, counts: Mapping[str, Numbers]) -> dict[str, WindowFits]:
    """Choose the function of each window on the sidebands of all events.

    Args:
        configuration: of the search.
        counts: name of a window -> events of each selection and bin, shape (selections, bins); the first has all.

    Raises:
        SearchRefused: no function describes the sidebands of a window.
    """
    settled = {}
    for name, window in configuration.windows().items():
        edges = window.edges()
        region = int(np.flatnonzero(edges == window.low)[0])
        fits = RegionFits(edges, region, family_of(configuration))
        choice = fits.choose(counts[name][0], configuration.seed << 16)
        if choice.order is None:
            tried = ", ".join(f"{tried.label}: {tried.reason}" for tried in tried_table(choice))
            raise SearchRefused(f"window {window.low:g}:{window.high:g}: no function describes the sidebands ({tried})")
        settled[name] = WindowFits(window, fits, choice, configuration.selections(), counts[name])
    return settled


def blinded_outcome(
    configuration: CwolaConfiguration, settled: Mapping[str, WindowFits], tests: Mapping[str, MassTest]
) -> CwolaOutcome:
    """Return what is expected, from the sidebands alone."""
    tables = []
    for name, window in settled.items():
        counts = window.counts[0]
        excess = _fitted(window, 0)
        cuts = []
        for place, selection in enumerate(window.selections):
            fraction = selection.fraction
            declared = _declared(name, selection)
            if selection.by_ratio:  # how large the weights are, no one knows before a classifier is trained
                cuts.append(declared)
                continue
            # Where features do not tell the mass, a cut keeps its fraction of the background. A fit to that fraction of
            # the events has a relative error that is larger by one over the root of the fraction.
            expected = excess.expected * fraction
            if (beside := counts.sum() * fraction) < FEWEST_SIDEBAND_EVENTS:
                reason = f"its sidebands are expected to hold {beside:.3g} events, fewer than {FEWEST_SIDEBAND_EVENTS}"
                cuts.append(replace(declared, opened=False, reason=reason))
                continue
            cuts.append(
                replace(
                    declared,
                    counts=_shown(counts, window.fits.region, hide=True) if fraction == 1 else (),
                    expected=tuple(map(float, expected)),
                    background=float(expected[window.fits.region]),
                    background_error=excess.background_error * fraction**0.5,
                    deviance=excess.deviance if fraction == 1 else None,
                    ndf=excess.ndf if fraction == 1 else None,
                    limit=_limit(configuration, window, expected, place, is_blind=True),
                )
            )
        tables.append(_window_table(configuration, name, window, tests[name], cuts))
    return CwolaOutcome(tuple(tables), None, 0)


def claimed_outcome(
    configuration: CwolaConfiguration,
    settled: Mapping[str, WindowFits],
    tests: Mapping[str, MassTest],
    events: FeaturedEvents,
    *,
    ranked: Mapping[str, RankedEvents],
    learned_here: bool,
    progress: Callable[[int, int], None],
    say: Callable[[str], None],
) -> CwolaOutcome:
    """Look at the regions, calibrate, and return what is found.

    Args:
        configuration: of the search.
        settled: windows, with the counts of all selections.
        tests: whether features tell the mass, by window.
        events: in the range.
        ranked: name of a window -> scores and ranks of these.
        learned_here: whether the classifiers learned from these events.
        progress: told the background-only sets that are done, and their number.
        say: told how long these will take.

    Raises:
        SearchRefused: no cut can be opened, or the procedure refuses nearly all background-only sets.
    """
    tables: dict[str, list[CountedCut]] = {}
    for name, window in settled.items():
        tables[name] = [
            _counted(configuration, name, window, place, events=events, ranked=ranked[name])
            for place in range(len(window.selections))
        ]
    if not any(cut.opened for cuts in tables.values() for cut in cuts):
        raise SearchRefused(
            "; ".join(
                f"{name}, {each.words()}: {cut.reason}"
                for name, window in settled.items()
                for each, cut in zip(window.selections, tables[name], strict=True)
            )
        )
    edges, expected = background_model(configuration, events.values)
    source = BackgroundOnly(
        X=events.X,
        fold_of=events.folds(configuration.folds),
        windows=configuration.windows(),
        edges=edges,
        expected=expected,
        seed=configuration.seed,
        ranked=None if learned_here else ranked,
        weighted=configuration.likelihood_ratio is not None,
    )
    sets = calibrate(source, configuration.sets, configuration.threads, progress, say)
    opened = {name: [place for place, cut in enumerate(cuts) if cut.opened] for name, cuts in tables.items()}
    nulls = [significances(settled, opened, counts) for counts in sets]
    kept = [null for null in nulls if null is not None]
    failed = sum(not np.isfinite(list(null.values())).all() for null in kept)
    if failed > MOST_FAILED * len(sets):
        raise SearchRefused(
            f"a fit of {failed} of {len(sets)} background-only sets does not come to an end; take a range with more "
            "events"
        )
    kept = [null for null in kept if np.isfinite(list(null.values())).all()]
    if len(kept) < len(sets) / 2:
        raise SearchRefused(
            f"in {len(sets) - len(kept)} of {len(sets)} background-only sets no function describes the sidebands; take "
            "another family or range"
        )
    for name, cuts in tables.items():
        for place, cut in enumerate(cuts):
            if cut.opened:
                cuts[place] = replace(cut, calibrated=calibrated(cut, [null[name, place] for null in kept]))
    windows = tuple(
        _window_table(configuration, name, each, tests[name], tables[name]) for name, each in settled.items()
    )
    largest = largest_window(windows)
    # In a likelihood of weighted events the events of a signal would have no known unit: none is exported.
    counting = largest_window(windows, weighted=False)
    best = settled[counting.window]
    counted = best.counts[best.selections.index(SpectrumSelection(counting.cut))]
    templates = best.fits.fits.templates(best.fits.spectrum(counted), best.order, 0, True)
    return CwolaOutcome(windows, largest, len(sets) - len(kept), templates)


def significances(
    settled: Mapping[str, WindowFits], opened: Mapping[str, Sequence[int]], counts: Counts
) -> dict[tuple[str, int], float] | None:
    """Return the significance of each selection of a background-only set that is opened in the data.

    Args:
        settled: windows of the data, whose goodness of fit holds for all sets.
        opened: name of a window -> places of the selections that were opened among the declared ones.
        counts: of the set.

    Returns:
        Window and place of a selection -> its significance, NaN where a fit does not come to an end; None where the
        rule finds no function for a window.
    """
    found: dict[tuple[str, int], float] = {}
    for name, window in settled.items():
        order, spurious = window.fits.choose_again(counts[name][0], window.choice)
        if order is None:
            return None
        for place in opened[name]:
            shared = scaled_spurious(spurious, window.selections[place], counts[name], place)
            excess = window.fits.excess(counts[name][place], order, shared)
            found[name, place] = np.nan if excess is None else excess.z
    return found


def background_model(configuration: CwolaConfiguration, values: npt.NDArray[np.float64]) -> tuple[Numbers, Numbers]:
    """Return fine bins over the whole range, and the background events that a fit expects in them.

    A declared region is not looked at. Windows of a scan cover the whole range, which is fitted as a whole.

    Args:
        configuration: of the search.
        values: of the observable, shape (events,).

    Raises:
        SearchRefused: no function describes the spectrum.
    """
    low, high = configuration.range
    window = next(iter(configuration.windows().values()))
    bins = int(np.ceil((high - low) / (window.high - window.low) * 10))
    edges = np.linspace(low, high, bins + 1)
    width = (window.high - window.low) / (2 * window.centre)
    masses = np.linspace(low * (1 + width), high / (1 + width), 2 * int(bins / 10) + 3)
    fits = SpectrumFits(edges, family_of(configuration), SignalShape(width / 2), masses)
    spectrum = Spectrum.of_values(values, edges)
    if configuration.signal_region:
        spectrum = spectrum.masked(*configuration.signal_region)
    choice = fits.choose(spectrum, Rule(), (configuration.seed << 16) + 1)
    if choice.order is None:
        tried = ", ".join(f"{tried.label}: {tried.reason}" for tried in tried_table(choice))
        raise SearchRefused(
            f"no function describes the whole range, from which background-only sets are made ({tried})"
        )
    return edges, fits.fit(spectrum, choice.order).expected


def _declared(name: str, of: SpectrumSelection) -> CountedCut:
    return CountedCut(fraction=of.fraction, by_ratio=of.by_ratio, selection=of.expression(name), opened=True)


def _counted(
    configuration: CwolaConfiguration,
    name: str,
    window: WindowFits,
    place: int,
    *,
    events: FeaturedEvents,
    ranked: RankedEvents,
) -> CountedCut:
    """Return what is counted of a selection, or why it is not opened."""
    selection, counts, fits = window.selections[place], window.counts[place], window.fits
    declared = _declared(name, selection)
    beside = float(counts.sum() - counts[fits.region])
    if beside < FEWEST_SIDEBAND_EVENTS:
        reason = f"its sidebands hold {beside:.3g} events, fewer than {FEWEST_SIDEBAND_EVENTS}"
        return replace(declared, opened=False, reason=reason)
    excess = _fitted(window, place)
    inside = window.window.holds(events.values)
    passed = ranked.ranks[inside] >= np.float32(1 - selection.fraction)
    return replace(
        declared,
        counts=_shown(counts, fits.region, hide=False),
        expected=tuple(map(float, excess.expected)),
        events=_whole(counts[fits.region]),
        background=excess.background,
        background_error=excess.background_error,
        deviance=excess.deviance,
        ndf=excess.ndf,
        z=excess.z,
        p=fits.local_p(excess, window.order, window.spurious(place), (configuration.seed << 16) + 16 + place),
        # How much the events of a signal would weigh, no one knows without a model of it.
        limit=None if selection.by_ratio else _limit(configuration, window, counts, place, is_blind=False),
        sculpting=None
        if selection.fraction == 1
        else sculpting_table(events.values[inside], passed, (window.window.begin, window.window.end)),
    )


def _fitted(window: WindowFits, place: int) -> RegionExcess:
    excess = window.fits.excess(window.counts[place], window.order, window.spurious(place))
    if excess is None or not np.isfinite(excess.z):
        raise SearchRefused(
            f"the fit of {window.choice.label} to the sidebands of {window.selections[place].words()} does not come to "
            "an end"
        )
    return excess


def _limit(
    configuration: CwolaConfiguration, window: WindowFits, counts: Numbers, place: int, *, is_blind: bool
) -> Limit:
    found = window.fits.limit(
        counts,
        window.order,
        spurious=window.spurious(place),
        seed=(configuration.seed << 16) + 32 + place,
        toys=LIMIT_TOYS,
        threads=configuration.threads,
    )
    low, below, median, above, high = map(float, found.expected[0])
    return Limit(
        mass=window.window.centre,
        observed=None if is_blind else float(found.observed[0]),
        expected=(low, below, median, above, high),
        by="toys" if found.toys else "asymptotic",
        toys=found.toys,
    )


def _whole(count: float) -> float:
    """Return a number of events as a whole number where it is one."""
    return int(count) if float(count).is_integer() else float(count)


def _shown(counts: Numbers, region: int, *, hide: bool) -> tuple[float | None, ...]:
    return tuple(None if hide and place == region else _whole(count) for place, count in enumerate(counts))


def _window_table(
    configuration: CwolaConfiguration, name: str, window: WindowFits, test: MassTest, cuts: Sequence[CountedCut]
) -> SearchedWindow:
    bounds = window.window
    if configuration.likelihood_ratio == "first":
        cuts = cuts[0], cuts[-1], *cuts[1:-1]
    return SearchedWindow(
        name=name,
        low=bounds.low,
        high=bounds.high,
        begin=bounds.begin,
        end=bounds.end,
        edges=tuple(map(float, bounds.edges())),
        tried=tried_table(window.choice),
        function=window.choice.label,
        mass_test=test,
        cuts=tuple(cuts),
    )
