"""The events of a finished run as points of a plane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.errors import ConfigurationError, DataError, SearchRefused
from analysis.search.events import Values
from plotting.results.opened import RunResults
from plotting.results.search.abcd import Axis
from rdf.errors import near_names

SCORE = "score_"


@dataclass(frozen=True, eq=False)
class PlaneEvents:
    """Events of a run as points of a plane.

    Attributes:
        axes: of the plane, two.
        first: value of each event on the first axis, shape (events,).
        second: value on the second axis, shape (events,).
    """

    axes: tuple[Axis, ...]
    first: Values
    second: Values


def find_axes(results: RunResults, names: Sequence[str]) -> tuple[Axis, ...]:
    """Return the axes that have the given names.

    A score is read as its rank among the training events of its fold, since models of different folds have scores of
    different scales.

    Raises:
        ConfigurationError: the run has no such column.
    """
    record = results.record
    known = {each.name: each for each in (*record.features, *record.observables)}
    scores = {f"{SCORE}{name}": f"rank_{name}" for name in record.detectors if name != "ensemble"}
    found = []
    for name in names:
        if name in known:
            found.append(Axis(name=name, column=name, title=known[name].title, unit=known[name].unit))
        elif name in scores:
            found.append(Axis(name=name, column=scores[name], title=f"rank of {name.removeprefix(SCORE)}", unit=""))
        else:
            raise ConfigurationError(
                f"axis {name}: the run has no such column; {near_names(name, [*known, *scores])}; or repeat the run "
                "with it in --features"
            )
    return tuple(found)


def read_plane(results: RunResults, axes: tuple[Axis, ...]) -> PlaneEvents:
    """Read the events of a run.

    Args:
        results: of the run.
        axes: of the plane, two.

    Raises:
        DataError: the run has no events.
        SearchRefused: the axes cannot be taken for independent, or events have weights or no value.
    """
    record = results.record
    if record.weights is not None:
        raise SearchRefused(
            "the events of the run have weights, whose sums follow no Poisson distribution; repeat it with --weights "
            "false"
        )
    scores = [axis.name for axis in axes if axis.column != axis.name]
    if len(scores) == 2:
        raise SearchRefused(
            f"{scores[0]} and {scores[1]} are of detectors that learned from the same features; take one of them, and "
            "an observable that it has not seen"
        )
    if scores and record.training.folds < 2:
        raise SearchRefused(f"the detector of {scores[0]} was trained on these events; repeat the run with --folds 2")
    arrays = results.events(*(axis.column for axis in axes))
    first, second = (arrays[axis.column].astype(np.float64) for axis in axes)
    if not len(first):
        raise DataError(f"{results.folder}: the run has no events; repeat it with a looser selection")
    for axis, values in zip(axes, (first, second), strict=True):
        if missing := int((~np.isfinite(values)).sum()):
            raise SearchRefused(
                f"{missing:,} of {len(values):,} events have no {axis.name}; select the events that have one, and "
                "repeat the run"
            )
    return PlaneEvents(axes, first, second)
