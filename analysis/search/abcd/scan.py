"""Pairs of columns that might be axes, each tested beside its own cuts; no event above both is looked at."""

from __future__ import annotations

from itertools import combinations

from analysis.errors import SearchRefused
from analysis.search.abcd.closure import check_closure, measure_closure
from analysis.search.abcd.configuration import AbcdConfiguration
from analysis.search.abcd.events import find_axes, read_plane
from plotting.results.opened import RunResults
from plotting.results.search.abcd import Axis, Closure, ScannedPair


def scan_pairs(results: RunResults, configuration: AbcdConfiguration) -> tuple[ScannedPair, ...]:
    """Test every pair of the columns that are to be scanned.

    Raises:
        ConfigurationError: the run has no such column.
    """
    axes = find_axes(results, configuration.scan_axes)
    return tuple(_scan(results, pair, configuration.cuts[0]) for pair in combinations(axes, 2))


def _scan(results: RunResults, pair: tuple[Axis, Axis], fraction: float) -> ScannedPair:
    names = (pair[0].name, pair[1].name)
    try:
        closure = measure_closure(read_plane(results, pair), fraction)
    except SearchRefused as refusal:
        return ScannedPair(axes=names, closure=None, reason=str(refusal))
    return ScannedPair(axes=names, closure=closure, reason=_fault(closure))


def _fault(closure: Closure) -> str | None:
    try:
        check_closure(closure)
    except SearchRefused as refusal:
        return str(refusal)
    return None
