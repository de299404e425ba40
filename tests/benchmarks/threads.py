"""Two threads against one: columns and four scores of 2e6 events."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from tests.benchmarks import toolkit
from tests.benchmarks.events import made_events
from tests.benchmarks.measure import Line, alternate, compare
from tests.benchmarks.trained import trained_detectors

EVENTS = 2_000_000


def measure(folder: Path) -> list[Line]:
    """Measure the event loops alone; compilation is counted apart."""
    path, detectors = made_events("rntuple", EVENTS, folder), trained_detectors(folder)
    one, two = (toolkit.compiled_detectors(detectors, folder, threads) for threads in (1, 2))
    taken = alternate(
        {
            "one": partial(toolkit.scores_seconds, path, one, 1),
            "two": partial(toolkit.scores_seconds, path, two, 2),
        }
    )
    what = "RNTuple to four scores: one thread / two"
    return [compare("threads", what, taken["one"], taken["two"], EVENTS, 1.8, ">=", "2: the cores")]
