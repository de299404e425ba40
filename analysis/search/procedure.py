"""The procedure of a search, in the order of its steps: functions, scans, toys, limits, injections."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from analysis.console.progress import Move
from analysis.errors import SearchRefused
from analysis.search.configuration import SearchConfiguration
from analysis.search.control import LARGEST_BUMP, passing_bump
from analysis.search.cuts import INJECTION, LIMITS, OpenedCut, make_fits, open_cut, seed_for, signal_shape
from analysis.search.events import TENTH, SearchEvents
from analysis.search.excess import largest_excess
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
from plotting.results.search.record import Largest, PassingBump, SearchedCut
from plotting.results.search.signal import OtherWidth, SearchedSignal
from rdf.statistics.fits import SpectrumFits
from rdf.statistics.fitted import MassScan


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
        found = _bump_fault(bump) or open_cut(configuration, fits, events, cut, place)
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
        largest, (mass, number) = largest_excess(configuration, fits, [cut for _, cut in opened], scans, progress)
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
    """Add to the table of a cut its efficiency for a simulated signal, and the limit in produced events."""
    efficiency, mass = signal.efficiencies[place], signal.record.mass
    nearest = int(np.abs(fits.masses - mass).argmin())
    in_range = float(fits.shapes[nearest].sum())
    return replace(table, efficiency=efficiency, produced=produced(efficiency, table, signal.record, in_range))


def _scan(fits: SpectrumFits, cut: OpenedCut) -> MassScan:
    assert cut.choice.order is not None
    return fits.scan(cut.spectrum, cut.choice.order, cut.choice.spurious)


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
