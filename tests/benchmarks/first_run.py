"""How much of a first run on a sample, with training, is neither training nor event loops."""

from __future__ import annotations

import statistics
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.child import run_analysis
from tests.benchmarks.measure import Line

ROUNDS, EVENTS = 2, 21_726
WORK = ("snapshot", "training", "scoring_loop")
"""Stages of `run.json` that are training and event loops."""


def measure(folder: Path) -> list[Line]:
    """Measure whole runs of sample cms2010b, or of the simulation that stands in for it, with an empty cache."""
    shares, work, walls = [], [], []
    for _ in range(ROUNDS):
        with TemporaryDirectory() as empty:  # nothing is compiled or converted yet
            options = ("--sample", "cms2010b", "--allow-simulated")
            child, timings = run_analysis(folder / "first_run", *options, cache=Path(empty))
        work.append(sum(timings[stage] for stage in WORK))
        walls.append(child.seconds)
        shares.append(1 - work[-1] / walls[-1])
    return [
        Line(
            "first_run",
            "cms2010b: wall time outside training and event loops / all of it",
            statistics.median(shares),
            (min(shares), max(shares)),
            EVENTS,
            0.4,
            limit="0",
            numbers={"wall": statistics.median(walls), "training and loops": statistics.median(work)},
        )
    ]
