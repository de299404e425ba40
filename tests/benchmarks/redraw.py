"""A hundred times the events: the figures and the report of a merged run, drawn again from its files."""

from __future__ import annotations

import statistics
from functools import partial
from pathlib import Path

from analysis.output.merging import merge_parts
from tests.benchmarks import toolkit
from tests.benchmarks.child import run_analysis, run_python
from tests.benchmarks.events import made_events
from tests.benchmarks.measure import Line, alternate, compare
from tests.benchmarks.trained import trained_detectors

FEWER, MORE, PARTS = 10_000, 1_000_000, 2


def merged_run(events: int, models: Path, folder: Path) -> Path:
    """Return what runs with given models, over parts of a file, leave together."""
    path, step = made_events("rntuple", events, folder), events // PARTS
    options = ("--sample", str(path), "--schema", "cms_nanoaod", "--models", str(models), "--threads", "2")
    parts = [folder / f"redraw_{events}_{i}" for i in range(PARTS)]
    for i, part in enumerate(parts):
        run_analysis(part, *options, "--vary", "jes,met", "--entries", f"{i * step}:{(i + 1) * step}")
    merged = folder / f"redraw_{events}"
    merge_parts(parts, merged, "merge")
    return merged


def measure(folder: Path) -> list[Line]:
    """Measure whole processes: `python -m plotting`, each time all figures of a run anew."""
    models = toolkit.write_models(trained_detectors(folder), made_events("rntuple", 100_000, folder), folder)
    runs = {events: merged_run(events, models, folder) for events in (FEWER, MORE)}
    processor: dict[int, list[float]] = {FEWER: [], MORE: []}

    def draw(events: int) -> float:
        for path in (runs[events] / "figures").glob("*"):
            path.unlink()
        child = run_python("-m", "plotting", str(runs[events]))
        processor[events].append(child.processor_seconds)
        return child.seconds

    taken = alternate({"fewer": partial(draw, FEWER), "more": partial(draw, MORE)}, warm_up=False)
    figures = len(list((runs[MORE] / "figures").glob("*.png")))
    what = f"{figures} figures and the report of a merged run: 1e6 / 1e4 events"
    whole = f"1; {statistics.median(taken['more']):.2g} s"
    used = f"1; {statistics.median(processor[MORE]):.2g} s"
    return [
        compare("redraw", what, taken["more"], taken["fewer"], MORE, 1.5, limit=whole),
        compare("redraw", f"{what}, time of the processor", processor[MORE], processor[FEWER], MORE, 1.5, limit=used),
    ]
