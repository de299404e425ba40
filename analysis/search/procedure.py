"""The procedure of a search, in the order of its steps: functions, scans, toys, limits, injections."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from analysis.console.progress import Move
from analysis.errors import ConfigurationError, SearchRefused
from analysis.search.configuration import SearchConfiguration
from analysis.search.control import LARGEST_BUMP, passing_bump
from analysis.search.events import TENTH, CutEvents, SearchEvents
from analysis.search.signal import Signal, produced
from analysis.search.tables import (
    injected_table,
    limit_table,
    refused_cut,
    scan_table,
    sculpting_table,
    tried_table,
    width_table,
)
from analysis.search.toys import ToySource, throw_toys
from plotting.results.search.record import Checked, Largest, PassingBump, SearchedCut
from plotting.results.search.signal import OtherWidth, SearchedSignal
from rdf.errors import StatisticsFailed
from rdf.statistics.fits import SpectrumFits
from rdf.statistics.fitted import BackgroundFit, Choice, Cut, MassScan, Rule
from rdf.statistics.functions import Family, SignalShape, Tails, mass_grid
from rdf.statistics.significance import FEWEST_EVENTS, expected_near, freedom, global_p, local_p, z_of
from rdf.statistics.spectrum import FEWEST_BINS, Numbers, Spectrum, mass_edges

FEWEST_SIDEBAND_EVENTS = 20
MOST_WIDTHS = 2500
"""Widths of a signal in a range, at most: there are two bins and four masses of the scan to each."""
MOST_FAILED = 0.01
"""Fraction of toys with a fit that does not come to an end, above which a search is refused."""
CLOSE = 0.01
"""Relative difference of a significance by another program, above which a search fails its check."""
GOODNESS, TOYS, LOCAL, INJECTION, LIMITS = range(5)
"""What seeds are for: each kind of toys has random numbers of its own."""


@dataclass(frozen=True, eq=False)
class OpenedCut:
    """A declared cut whose spectrum is looked at.

    Attributes:
        events: that pass.
        spectrum: of these, without masked windows; while blinded that of the sidebands, or the declared tenth's times
            ten.
        sidebands: on which the function was chosen.
        choice: the function.
        fit: of it to the sidebands.
        expectation: the events of the fit, without masked windows.
    """

    events: CutEvents
    spectrum: Spectrum
    sidebands: Spectrum
    choice: Choice
    fit: BackgroundFit
    expectation: Spectrum


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a search found: the tables of its record, and what its exports are made of.

    Attributes:
        fits: of the spectra.
        cuts: tables of all declared cuts.
        opened: the cuts that were looked at, with their places among all declared cuts.
        largest: excess; None while blinded.
        best: index of the mass of the largest excess, and that of its cut among those that were opened; None while
            blinded.
        signal: that was simulated; None where its resolution is given.
        width_scan: the largest excess by signals of other widths; empty while blinded.
    """

    fits: SpectrumFits
    cuts: tuple[SearchedCut, ...]
    opened: tuple[tuple[int, OpenedCut], ...]
    largest: Largest | None
    best: tuple[int, int] | None
    signal: SearchedSignal | None = None
    width_scan: tuple[OtherWidth, ...] = ()


def seed_for(configuration: SearchConfiguration, purpose: int, place: int = 0) -> int:
    """Return a seed of its own for each purpose and place."""
    return (configuration.seed << 16) + (purpose << 12) + place


def signal_shape(configuration: SearchConfiguration, signal: Signal | None) -> SignalShape:
    """Return the shape of the signal that is looked for."""
    if signal is not None:
        return signal.shape
    assert configuration.resolution is not None
    tails = Tails(**configuration.tails.model_dump()) if configuration.tails else None
    return SignalShape(configuration.resolution, tails)


def make_fits(configuration: SearchConfiguration, shape: SignalShape) -> SpectrumFits:
    """Return the fits of the spectra that are declared."""
    low, high = configuration.range
    if math.log(high / low) / shape.resolution > MOST_WIDTHS:
        raise ConfigurationError(
            f"range: {low:g}:{high:g} has more than {MOST_WIDTHS:,} widths of {shape.resolution:g}; take a narrower one"
        )
    edges = mass_edges(low, high, shape.resolution)
    first, last = configuration.parameters or (0, 0)
    # A signal at the very end of the range is half outside.
    begin, end = configuration.signal_region or (low * (1 + 2 * shape.resolution), high / (1 + 2 * shape.resolution))
    if not begin < end:
        raise ConfigurationError(
            f"range: {low:g}:{high:g} is narrower than four widths of {shape.resolution:g}; take a wider one"
        )
    masses = mass_grid(begin, end, shape.resolution)
    masked = np.zeros(len(masses), dtype=np.bool_)
    for window in configuration.mask:
        masked |= (masses > window[0]) & (masses < window[1])
    if masked.all():
        raise SearchRefused("no mass of the scan lies outside the masked windows; mask less")
    family = Family(configuration.family, first, last, configuration.sqrt_s)
    fits = SpectrumFits(edges, family, shape, masses[~masked])
    seen = fits.shapes[:, _unmasked(configuration, fits, np.zeros(len(edges) - 1)).used].sum(axis=1)
    if not (seen > fits.shapes.sum(axis=1) / 2).any():
        raise SearchRefused("at no mass of the scan half of a signal lies outside the masked windows; mask less")
    return fits


def search_spectra(
    configuration: SearchConfiguration,
    events: SearchEvents,
    control: SearchEvents | None,
    signal: Signal | None,
    progress: Move,
) -> Outcome:
    """Go through the procedure.

    Args:
        configuration: of the search.
        events: of the run.
        control: events of the control; None without one.
        signal: that was simulated; None where its resolution is given.
        progress: told the toys that are done, and their number.

    Raises:
        SearchRefused: names why no statement can be made.
        StatisticsFailed: another program finds another significance.
    """
    fits = make_fits(configuration, signal_shape(configuration, signal))
    opened: list[tuple[int, OpenedCut]] = []
    tables: list[SearchedCut | None] = []
    bumps: list[PassingBump | None] = []
    for place, cut in enumerate(events.cuts):
        bump = passing_bump(control, control.cuts[place], fits) if control and cut.selection else None
        found = _bump_fault(bump) or _open(configuration, fits, events, cut, place)
        bumps.append(bump)
        if isinstance(found, str):
            tables.append(refused_cut(cut, found))
        else:
            opened.append((place, found))
            tables.append(None)
    if not opened:
        raise SearchRefused("; ".join(f"cut {table.fraction:g}: {table.reason}" for table in tables if table))
    scans = [] if configuration.is_blind else [_scan(fits, cut) for _, cut in opened]
    largest, best = None, None
    widths: tuple[OtherWidth, ...] = ()
    if scans:
        largest, (mass, number) = _largest(configuration, fits, [cut for _, cut in opened], scans, progress)
        best, excess = (mass, number), opened[number][1]
        widths = width_table(fits, excess.spectrum, excess.choice, mass)
    for number, (place, looked_at) in enumerate(opened):
        scan = scans[number] if scans else None
        table = _table(configuration, fits, events, looked_at, scan, place, progress=progress)
        tables[place] = table if signal is None else _with_signal(table, fits, signal, place)
    return Outcome(
        fits,
        tuple(replace(table, control=bump) for table, bump in zip(tables, bumps, strict=True) if table),
        tuple(opened),
        largest,
        best,
        signal=None if signal is None else signal.record,
        width_scan=widths,
    )


def _bump_fault(bump: PassingBump | None) -> str | None:
    """Say that a cut makes a peak by itself; None where it does not."""
    if bump is None or bump.z <= LARGEST_BUMP:
        return None
    return (
        f"in the control, which has no signal, the fraction that passes has a bump of {bump.z:.1f} standard deviations "
        f"at {bump.mass:.4g}"
    )


def _with_signal(table: SearchedCut, fits: SpectrumFits, signal: Signal, place: int) -> SearchedCut:
    """Add what a simulated signal says of a cut."""
    efficiency, mass = signal.efficiencies[place], signal.record.mass
    nearest = int(np.abs(fits.masses - mass).argmin())
    in_range = float(fits.shapes[nearest].sum())
    return replace(table, efficiency=efficiency, produced=produced(efficiency, table, signal.record, in_range))


def _spectrum(configuration: SearchConfiguration, fits: SpectrumFits, events: SearchEvents, cut: CutEvents) -> Spectrum:
    """Return what may be looked at of a cut's spectrum."""
    scale = 1
    chosen = cut.passed
    if configuration.takes_tenth:
        chosen, scale = chosen & events.in_tenth, TENTH
    spectrum = Spectrum.of_values(events.values[chosen], fits.edges)
    return _unmasked(configuration, fits, spectrum.counts * scale)


def _unmasked(configuration: SearchConfiguration, fits: SpectrumFits, counts: Numbers) -> Spectrum:
    """Return a spectrum of these counts without the masked windows."""
    spectrum = Spectrum(fits.edges, counts)
    for window in configuration.mask:
        spectrum = spectrum.masked(*window)
    return spectrum


def _open(
    configuration: SearchConfiguration, fits: SpectrumFits, events: SearchEvents, cut: CutEvents, place: int
) -> OpenedCut | str:
    """Look at a cut's sidebands, choose its function, and open it; or say why not."""
    spectrum = _spectrum(configuration, fits, events, cut)
    sidebands = spectrum
    if configuration.signal_region is not None:
        sidebands = spectrum.masked(*configuration.signal_region)
        low, high = configuration.signal_region
        for side, looked in (("below", fits.edges[1:] <= low), ("above", fits.edges[:-1] >= high)):
            held = spectrum.counts[looked & sidebands.used].sum()
            if held < FEWEST_SIDEBAND_EVENTS:
                return f"{held:g} events in the sideband {side} the region, fewer than {FEWEST_SIDEBAND_EVENTS}"
    if (bins := int(sidebands.used.sum())) < FEWEST_BINS:
        return f"{bins} bins beside the region and the masked windows, fewer than {FEWEST_BINS}"
    # A tenth fluctuates as a tenth does, not as what it stands for.
    scale = TENTH if configuration.takes_tenth else 1
    described = Spectrum(sidebands.edges, sidebands.counts / scale, sidebands.used)
    if described.total < FEWEST_SIDEBAND_EVENTS:
        return f"{described.total:g} events beside the region, fewer than {FEWEST_SIDEBAND_EVENTS}"
    if ended := _end_of_sample(described):
        return ended
    choice = fits.choose(described, Rule(), seed_for(configuration, GOODNESS, place))
    if choice.order is None:
        tried = ", ".join(f"{tried.label}: {tried.reason}" for tried in tried_table(choice))
        return f"no function describes the spectrum ({tried})"
    fit = fits.fit(sidebands, choice.order)
    if not fit.converged:
        return f"the fit of {choice.label} does not come to an end"
    expectation = _unmasked(configuration, fits, fit.expected)
    # What a function cannot follow grows with the events.
    choice = replace(choice, spurious=choice.spurious * scale)
    if configuration.is_blind:
        spectrum = sidebands
    return OpenedCut(cut, spectrum, sidebands, choice, fit, expectation)


def _end_of_sample(spectrum: Spectrum) -> str | None:
    """Say at which end of the range the sample itself ends; None where it does not."""
    counts, edges = spectrum.counts[spectrum.used], spectrum.edges[:-1][spectrum.used]
    for end, along, places in (("begins", counts, edges), ("ends", counts[::-1], edges[::-1])):
        before = np.cumsum(along)
        for i in range(2, len(along) - 3):
            # Next to no events, and right beside them ten in each bin: that does not come by chance.
            if before[i - 1] < 0.5 * i and along[i : i + 3].mean() >= FEWEST_EVENTS:
                return f"the sample itself {end} at {places[i]:.4g}; take a range within it"
    return None


def _scan(fits: SpectrumFits, cut: OpenedCut) -> MassScan:
    assert cut.choice.order is not None
    return fits.scan(cut.spectrum, cut.choice.order, cut.choice.spurious)


def _largest(
    configuration: SearchConfiguration,
    fits: SpectrumFits,
    cuts: list[OpenedCut],
    scans: list[MassScan],
    progress: Move,
) -> tuple[Largest, tuple[int, int]]:
    """Find the largest excess, and how probable it is."""
    number = max(range(len(scans)), key=lambda place: scans[place].z[scans[place].best])
    scan, cut = scans[number], cuts[number]
    best = scan.best
    if not scan.converged.any():
        raise SearchRefused("no fit of a signal comes to an end; take a range with more events")
    # Beyond a declared region lie bins that tell a rise at its end from a peak.
    if configuration.signal_region is None and best in (0, len(scan.masses) - 1) and scan.z[best] > 1:
        raise SearchRefused(
            f"the largest excess lies at the end of the scan, {scan.masses[best]:.4g}; take a wider range, or leave "
            "out where the spectrum begins"
        )
    z = float(scan.z[best])
    check = _check(fits, cut, best, z)
    thrown = tuple(Cut(cut.fit.expected, cut.spectrum.used, cut.sidebands.used, cut.choice) for cut in cuts)
    seed = seed_for(configuration, TOYS)
    toys = throw_toys(
        ToySource(fits.edges, fits.family, fits.shape, fits.masses, thrown, seed), configuration, progress
    )
    failed = float((toys.failed > 0).mean())
    if failed > MOST_FAILED:
        raise SearchRefused(f"a fit of {failed:.1%} of the toys does not come to an end; take a range with more events")
    if toys.refused.all():
        raise SearchRefused("in all toys no function describes the spectrum; take another family or range")
    assert cut.choice.order is not None
    here = local_p(fits, cut.choice, cut.expectation, mass=best, z=z, seed=seed_for(configuration, LOCAL))
    everywhere = global_p(
        toys,
        z,
        len(cuts),
        freedom(fits, cut.choice.order, cut.fit.expected, best),
        local=here.p,
        asymptotic=all(_is_asymptotic(fits, each, found) for each, found in zip(cuts, scans, strict=True)),
    )
    largest = Largest(
        mass=float(scan.masses[best]),
        cut=cut.events.fraction,
        z=z,
        signal=float(scan.signal[best]),
        signal_error=float(scan.signal_error[best]),
        local_p=here.p,
        local_by=here.by,
        local_toys=here.toys,
        local_above=here.above,
        global_p=everywhere.p,
        global_z=z_of(everywhere.p),
        global_by=everywhere.by,
        toys=everywhere.toys,
        above=everywhere.above,
        refused_toys=int(toys.refused.sum()),
        toys_p=everywhere.toys_p,
        gross_vitells_p=everywhere.gross_vitells_p,
        trials=len(cuts) * int(scan.visible.sum()),
        check=check,
    )
    return largest, (best, number)


def _is_asymptotic(fits: SpectrumFits, cut: OpenedCut, scan: MassScan) -> bool:
    """Say whether enough events are expected at all masses for formulas."""
    return all(expected_near(fits, cut.expectation, int(i)) >= FEWEST_EVENTS for i in np.flatnonzero(scan.visible))


def _check(fits: SpectrumFits, cut: OpenedCut, mass: int, z: float) -> Checked:
    """Have another program find the significance of the largest excess."""
    from rdf.statistics.histfactory import cross_check

    by, order = "HistFactory", cut.choice.order
    assert order is not None
    centre = float(fits.masses[mass])
    near = expected_near(fits, cut.expectation, mass)
    if near < FEWEST_EVENTS or cut.fit.expected[cut.spectrum.used].min() < 1:
        return Checked(by=by, reason=f"{near:.3g} background events within two standard deviations, or a bin below 1")
    if len(cut.choice.spurious):
        # The other program has no error of a spurious signal: both go without.
        plain = fits.scan(cut.spectrum, order)
        z = float(plain.z[mass])
    found = cross_check(
        fits.templates(cut.spectrum, order, mass, False), fits.templates(cut.spectrum, order, mass, True)
    )
    difference = abs(found.z - z) / max(abs(z), 1.0)
    if difference > CLOSE:
        raise StatisticsFailed(
            f"{by} finds Z = {found.z:.3f} at {centre:.4g}, where the scan finds {z:.3f}; report this with search.json"
        )
    return Checked(by=by, z=found.z, difference=difference)


def _table(
    configuration: SearchConfiguration,
    fits: SpectrumFits,
    events: SearchEvents,
    cut: OpenedCut,
    scan: MassScan | None,
    place: int,
    *,
    progress: Move,
) -> SearchedCut:
    """Return what is recorded of a cut."""
    shown = np.where(cut.spectrum.used, cut.spectrum.counts, np.nan)
    visible = events.values
    passed = cut.events.passed
    if configuration.is_blind:
        looked = np.zeros(len(visible), dtype=np.bool_)
        places = np.clip(np.searchsorted(fits.edges, visible, side="right") - 1, 0, len(fits.edges) - 2)
        looked = cut.spectrum.used[places]
        if configuration.signal_region is None:
            looked &= events.in_tenth
        visible, passed = visible[looked], passed[looked]
    return SearchedCut(
        fraction=cut.events.fraction,
        selection=cut.events.selection,
        opened=True,
        events=int(np.nansum(shown)),
        counts=tuple(None if math.isnan(count) else round(count) for count in shown),
        tried=tried_table(cut.choice),
        function=cut.choice.label,
        spurious=float(cut.choice.spurious.max()) if len(cut.choice.spurious) else 0.0,
        expected=tuple(map(float, cut.fit.expected)),
        deviance=cut.fit.deviance / (TENTH if configuration.takes_tenth else 1),
        ndf=cut.fit.ndf,
        masses=scan_table(fits, cut.fit, cut.expectation, scan) if scan else (),
        limits=limit_table(
            fits,
            cut.spectrum,
            cut.expectation,
            cut.choice,
            is_blind=configuration.is_blind,
            seed=seed_for(configuration, LIMITS, place),
            threads=configuration.threads,
            progress=progress,
        ),
        injected=injected_table(fits, cut.expectation, cut.choice, seed_for(configuration, INJECTION, place)),
        sculpting=None if cut.events.selection is None else sculpting_table(visible, passed, configuration.range),
    )
