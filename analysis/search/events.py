"""The events of a finished run, as a search takes them: values of the observable, and which of them pass each cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.errors import ConfigurationError, DataError, SearchRefused
from analysis.search.configuration import SearchConfiguration
from plotting.results.opened import RunResults
from rdf.errors import near_names
from rdf.graph.fields import WEIGHT

Values = npt.NDArray[np.float64]
Truths = npt.NDArray[np.bool_]

TENTH = 10
"""A blinded search without a region chooses its function on one event in ten."""


@dataclass(frozen=True, eq=False)
class CutEvents:
    """Events of one declared cut.

    Attributes:
        fraction: of events that it was declared to keep.
        selection: what it asks of an event; None for all events.
        passed: whether an event passes, shape (events,).
    """

    fraction: float
    selection: str | None
    passed: Truths


@dataclass(frozen=True, eq=False)
class SearchEvents:
    """Events of a run that lie in the range of a search.

    Attributes:
        values: of the observable, shape (events,).
        in_tenth: whether an event belongs to the declared tenth, by a hash of its numbers, shape (events,).
        cuts: the declared ones, the loosest first.
        beside: further columns that were asked for, by name, each of shape (events,).
    """

    values: Values
    in_tenth: Truths
    cuts: tuple[CutEvents, ...]
    beside: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)

    def where(self, kept: Truths) -> SearchEvents:
        """Return the events that are kept, of shape (events,)."""
        return SearchEvents(
            self.values[kept],
            self.in_tenth[kept],
            tuple(replace(cut, passed=cut.passed[kept]) for cut in self.cuts),
            {name: column[kept] for name, column in self.beside.items()},
        )


def read_events(results: RunResults, configuration: SearchConfiguration, *more: str) -> SearchEvents:
    """Read what a search needs of a run.

    Args:
        results: of the run.
        configuration: of the search.
        more: columns that are read beside them; events may have weights where these are among them.

    Raises:
        ConfigurationError: the run has no such observable or detector.
        DataError: no event lies in the range.
        SearchRefused: the detector was trained on the events that it would select, or events have weights or no value.
    """
    record, observable = results.record, configuration.observable
    known = [quantity.name for quantity in (*record.features, *record.observables)]
    if observable not in known:
        raise ConfigurationError(
            f"--observable {observable}: the run has no such column; {near_names(observable, known)}; "
            "or repeat the run with it in --features"
        )
    if record.weights is not None and WEIGHT not in more:
        raise SearchRefused(
            "the events of the run have weights, whose sums follow no Poisson distribution; repeat it with --weights "
            "false"
        )
    columns = [observable, "run", "luminosityBlock", "event"]
    score = _score_column(results, configuration)
    arrays = results.events(*columns, *([score] if score else []), *more)
    values = arrays[observable].astype(np.float64)
    if missing := int(np.isnan(values).sum()):
        raise SearchRefused(
            f"{missing:,} of {len(values):,} events have no {observable}; select the events that have one, and repeat "
            "the run"
        )
    low, high = configuration.range
    inside = (values >= low) & (values < high)
    if not inside.any():
        raise DataError(f"--range {low:g}:{high:g}: none of {len(values):,} events has such a {observable}")
    ranks = None if score is None else arrays[score][inside]
    cuts = []
    for fraction in configuration.cuts:
        if ranks is None or fraction == 1:
            cuts.append(CutEvents(fraction, None, np.ones(int(inside.sum()), dtype=np.bool_)))
        else:
            cuts.append(CutEvents(fraction, f"{score} >= {1 - fraction:g}", ranks >= 1 - fraction))
    numbers = np.array([arrays[name][inside] for name in ("run", "luminosityBlock", "event")], dtype=np.uint64)
    if not numbers[2].any():  # no event has a number: the value itself takes its place
        numbers[2] = values[inside].view(np.uint64)
    tenth = _in_tenth(numbers)
    return SearchEvents(values[inside], tenth, tuple(cuts), {name: arrays[name][inside] for name in more})


def _score_column(results: RunResults, configuration: SearchConfiguration) -> str | None:
    """Return the column of ranks that cuts are made on; None where there are none."""
    record, detector = results.record, configuration.detector
    if detector is None:
        return None
    if detector == "ensemble":
        raise ConfigurationError("--detector ensemble: its score is a mean of ranks, and no rank; name a detector")
    known = list(record.detectors)
    if detector not in known:
        raise ConfigurationError(f"--detector {detector}: the run has none of this name; {near_names(detector, known)}")
    if record.training.folds < 2:
        raise SearchRefused(
            f"the {detector} was trained on the events that it would select; repeat the run with --folds 2"
        )
    return f"rank_{detector}"


def _in_tenth(numbers: npt.NDArray[np.uint64]) -> Truths:
    """Say which events belong to the declared tenth: ten divides the hash (splitmix64) of their numbers.

    Args:
        numbers: run, luminosityBlock and event of each event, shape (3, events).
    """
    run, block, event = numbers
    mixed = event + np.uint64(0x9E3779B97F4A7C15) * (run + np.uint64(2**32) * block)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return np.asarray((mixed ^ (mixed >> np.uint64(31))) % np.uint64(TENTH) == 0)
