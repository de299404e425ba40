"""Arrays that `load_models` scores, against an event loop over the same features in memory."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from analysis.trained import load_models
from tests.benchmarks import toolkit
from tests.benchmarks.detectors import events_in_memory
from tests.benchmarks.events import made_events
from tests.benchmarks.measure import Line, alternate, compare, timed
from tests.benchmarks.trained import DETECTORS, trained_detectors

EVENTS = 1_000_000
SETS = {"one forest": ("isolation_forest",), "four detectors": DETECTORS}


def measure(folder: Path) -> list[Line]:
    """Measure a detector and all; the cost in the loop is what the same loop takes longer than without detectors."""
    detectors = trained_detectors(folder)
    compiled = toolkit.compiled_detectors(detectors, folder)
    models = toolkit.write_models(detectors, made_events("rntuple", 100_000, folder), folder)
    X = events_in_memory(EVENTS, folder)
    lines = []
    for title, names in SETS.items():
        trained = load_models(models, detectors=names, threads=1)
        taken = alternate(
            {
                "bare": partial(toolkit.in_memory_seconds, X, {}),
                "loop": partial(toolkit.in_memory_seconds, X, {name: compiled[name] for name in names}),
                "arrays": timed(partial(trained.score, X)),
            }
        )
        scoring = [loop - bare for loop, bare in zip(taken["loop"], taken["bare"], strict=True)]
        what = f"{title}: event loop, its scoring alone / arrays"
        lines.append(compare("arrays", what, scoring, taken["arrays"], EVENTS, 0.9, ">="))
        whole = f"{title}: event loop as a whole / arrays"
        lines.append(compare("arrays", whole, taken["loop"], taken["arrays"], EVENTS))
    return lines
