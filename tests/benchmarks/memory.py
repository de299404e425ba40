"""Ten times the events: peak memory and time of a run with given models."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from tests.benchmarks import toolkit
from tests.benchmarks.child import run_analysis
from tests.benchmarks.events import made_events
from tests.benchmarks.measure import Line, alternate, compare
from tests.benchmarks.trained import trained_detectors

FEWER, MORE, ROUNDS = 1_000_000, 10_000_000, 2


def measure(folder: Path) -> list[Line]:
    """Measure in processes of their own; the time is that of the event loop, as `run.json` has it."""
    models = toolkit.write_models(trained_detectors(folder), made_events("rntuple", 100_000, folder), folder)
    peaks: dict[int, list[float]] = {FEWER: [], MORE: []}

    def run(events: int) -> float:
        path = made_events("rntuple", events, folder)
        options = ("--sample", str(path), "--schema", "cms_nanoaod", "--models", str(models), "--threads", "2")
        child, timings = run_analysis(folder / "run", *options)
        peaks[events].append(child.peak_bytes)
        return timings["scoring_loop"]

    taken = alternate({"fewer": partial(run, FEWER), "more": partial(run, MORE)}, ROUNDS, warm_up=False)
    per_event = [seconds * FEWER / MORE for seconds in taken["more"]]
    return [
        compare("memory", "peak memory: 1e7 / 1e6 events", peaks[MORE], peaks[FEWER], MORE, 1.05, limit="1"),
        compare("memory", "event loop, time an event: 1e7 / 1e6", per_event, taken["fewer"], FEWER, 1.1, limit="1"),
    ]
