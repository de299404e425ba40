"""The procedure of a search in a plane, in the order of its steps: closure, cuts, the largest excess, limits."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from analysis.console.progress import Move
from analysis.errors import SearchRefused
from analysis.search.abcd.closure import check_closure, measure_closure, threshold
from analysis.search.abcd.configuration import AbcdConfiguration
from analysis.search.abcd.events import PlaneEvents
from analysis.search.cuts import seed_for
from analysis.search.events import Truths, Values
from plotting.results.search.abcd import Closure, CountLimit, LargestCount, Plane, PlaneCut
from rdf.statistics.abcd import (
    Counts,
    Regions,
    counted,
    largest_significances,
    local_p,
    permuted_tables,
    significance,
    upper_limits,
)
from rdf.statistics.significance import z_of

FEWEST_IN_REGION = 20
"""Events in B, C and D, at least."""

BLOCK = 10_000
"""Toys that are thrown together, between two reports of progress."""

BINS = 40
LOCAL, TOYS, LIMITS = range(3)
"""What seeds are for: each kind of toys has random numbers of its own."""


@dataclass(frozen=True, eq=False)
class PlaneOutcome:
    """What a search in a plane found: the tables of its record, and what its export is made of.

    Attributes:
        closure: beside A.
        cuts: all that were declared, the loosest first.
        plane: events in bins.
        largest: excess; None while blinded.
        regions: counts of the cut with the largest excess; None while blinded.
    """

    closure: Closure
    cuts: tuple[PlaneCut, ...]
    plane: Plane
    largest: LargestCount | None
    regions: Regions | None


def search_regions(configuration: AbcdConfiguration, events: PlaneEvents, progress: Move) -> PlaneOutcome:
    """Search in a plane.

    Args:
        configuration: of the search.
        events: of the plane.
        progress: told the toys that are done, and their number.

    Raises:
        SearchRefused: the axes are not independent, or no cut has enough events.
        StatisticsFailed: a fit or a limit does not come to an end.
    """
    blind = not configuration.unblind
    closure = measure_closure(events, configuration.cuts[0])
    check_closure(closure)
    found = [(fraction, *_regions(events, fraction, closure.error, blind)) for fraction in configuration.cuts]
    reasons = [_too_few(regions) for _, _, regions in found]
    if all(reasons):
        raise SearchRefused(f"cut {configuration.cuts[0]:g}: {reasons[0]}; take looser cuts")
    cuts = []
    for place, ((fraction, passes, regions), reason) in enumerate(zip(found, reasons, strict=True)):
        declared = PlaneCut(
            fraction=fraction,
            first=passes[0],
            second=passes[1],
            first_share=float((events.first > passes[0]).mean()),
            second_share=float((events.second > passes[1]).mean()),
            opened=reason is None,
            reason=reason,
        )
        if reason is None:
            seed = seed_for(configuration, LIMITS, place)
            declared = _blinded_cut(declared, regions, seed) if blind else _cut(declared, regions, seed)
        cuts.append(declared)
    plane = _plane(events, cuts[0], blind)
    if blind:
        return PlaneOutcome(closure, tuple(cuts), plane, None, None)
    opened = [place for place, cut in enumerate(cuts) if cut.opened]
    best = max(opened, key=lambda place: significance(found[place][2]))
    largest = _largest(configuration, events, cuts, best, found[best][2], progress)
    return PlaneOutcome(closure, tuple(cuts), plane, largest, found[best][2])


def _regions(events: PlaneEvents, fraction: float, closure: float, blind: bool) -> tuple[tuple[float, float], Regions]:
    """Return the values that a cut asks for, and the events of its regions.

    While blinded the events above the cut on each axis are counted, whatever the other axis says; the events of the
    regions are those that independent axes share out of these.
    """
    passes = threshold(events.first, 1 - fraction), threshold(events.second, 1 - fraction)
    right, above, number = events.first > passes[0], events.second > passes[1], len(events.first)
    of_first, of_second = int(right.sum()), int(above.sum())
    a = of_first * of_second / number if blind else int((right & above).sum())
    return passes, Regions(a, of_first - a, of_second - a, number - of_first - of_second + a, closure)


def _too_few(regions: Regions) -> str | None:
    for name, events in (("B", regions.b), ("C", regions.c), ("D", regions.d)):
        if events < FEWEST_IN_REGION:
            return f"{events:.3g} events in region {name}, fewer than {FEWEST_IN_REGION}"
    return None


def _blinded_cut(declared: PlaneCut, regions: Regions, seed: int) -> PlaneCut:
    limits = upper_limits(regions, seed)
    return replace(
        declared,
        expected=regions.prediction,
        expected_error=regions.prediction_error,
        limit=CountLimit(observed=None, expected=limits.expected, by=limits.by, toys=limits.toys),
    )


def _cut(declared: PlaneCut, regions: Regions, seed: int) -> PlaneCut:
    limits = upper_limits(regions, seed)
    excess, expected = regions.a - regions.prediction, regions.prediction
    return replace(
        declared,
        a=int(regions.a),
        b=int(regions.b),
        c=int(regions.c),
        d=int(regions.d),
        expected=expected,
        expected_error=regions.prediction_error,
        pull=excess / float(np.hypot(np.sqrt(expected), regions.statistical_error)),
        z=significance(regions),
        signal=excess,
        signal_error=float(np.hypot(np.sqrt(regions.a), regions.prediction_error)),
        limit=CountLimit(observed=limits.observed, expected=limits.expected, by=limits.by, toys=limits.toys),
    )


def _largest(
    configuration: AbcdConfiguration,
    events: PlaneEvents,
    cuts: list[PlaneCut],
    best: int,
    regions: Regions,
    progress: Move,
) -> LargestCount:
    """Return the largest excess with its probabilities; toys repeat all cuts that were opened."""
    cut = cuts[best]
    assert cut.z is not None
    levels = _levels(events, cuts)
    opened = [place + 1 for place, each in enumerate(cuts) if each.opened]
    random = np.random.default_rng(seed_for(configuration, TOYS))
    values = []
    for begun in range(0, configuration.toys, BLOCK):
        tables = permuted_tables(levels, min(BLOCK, configuration.toys - begun), random)
        values.append(largest_significances(tables, opened, regions.closure, random))
        progress(begun + len(tables), configuration.toys)
    toys = counted(np.concatenate(values))
    above = int((toys >= cut.z - 1e-9).sum())
    here = local_p(regions, seed_for(configuration, LOCAL))
    # Toys that resolve no smaller probability leave the local one as the bound of what they say.
    anywhere = max((1 + above) / (1 + len(toys)), here.p)
    return LargestCount(
        cut=cut.fraction,
        z=cut.z,
        local_p=here.p,
        local_by=here.by,
        local_toys=here.toys,
        local_above=here.above,
        global_p=anywhere,
        global_z=z_of(anywhere),
        toys=len(toys),
        above=above,
        trials=len(opened),
    )


def _levels(events: PlaneEvents, cuts: list[PlaneCut]) -> Counts:
    """Return a table of events by the number of cuts that they pass on the first axis, and on the second one."""
    first = np.searchsorted([cut.first for cut in cuts], events.first)
    second = np.searchsorted([cut.second for cut in cuts], events.second)
    table = np.zeros((len(cuts) + 1, len(cuts) + 1), dtype=np.int64)
    np.add.at(table, (first, second), 1)
    return table


def _plane(events: PlaneEvents, loosest: PlaneCut, blind: bool) -> Plane:
    first, second = _edges(events.first, loosest.first), _edges(events.second, loosest.second)
    counts, _, _ = np.histogram2d(events.first, events.second, [first, second])
    # An event on a threshold is below it, and in the bin above: a bin of A may hold it.
    hidden: Truths = np.outer(first[:-1] >= loosest.first, second[:-1] >= loosest.second) & blind
    rows = tuple(
        tuple(None if hide else int(count) for count, hide in zip(*both, strict=True))
        for both in zip(counts, hidden, strict=True)
    )
    return Plane(first_edges=tuple(map(float, first)), second_edges=tuple(map(float, second)), counts=rows)


def _edges(values: Values, cut: float) -> Values:
    """Return edges of bins, of which the cut is one, up to where one event in a thousand is left.

    Bins are of equal width below the cut and above it; those above are wider where a long tail would take too many.
    """
    low, high = float(values.min()), max(threshold(values, 0.999), cut)
    width = (high - low) / BINS or 1.0
    below = max(round((cut - low) / width), 1)
    width = (cut - low) / below or width
    wide = max(width, (high - cut) / BINS)
    above = max(int(np.ceil((high - cut) / wide - 1e-9)), 1)
    return np.concatenate([cut + width * np.arange(-below, 0), cut + wide * np.arange(above + 1)])
