"""What a scored event costs, as ratios of things measured alternately in one run: `make bench`.

Prints a table of medians. Times of one machine mean little; ratios carry over.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from models.folder import TrainingSample
from models.training import train, write_model_folder
from rdf.columns import define_feature_vector, define_physics
from rdf.execution import EventLoop, use_threads
from rdf.features import FEATURE_SETS
from rdf.schema import load_schema
from rdf.scoring import define_scores
from rdf.selection import define_non_finite, select_finite
from rdf.simulation import simulate
from rdf.snapshot import book_snapshot
from rdf.sofie import CompiledDetector, compile_detector
from rdf.sources import Source, open_source

EVENTS, REPEATS, SEED = 200_000, 5, 1
SCHEMA = load_schema("cms_razor")
FEATURES = FEATURE_SETS[SCHEMA.features].features


def collect(source: Source) -> np.ndarray:
    """Return the features of all events, shape (events, features)."""
    loop = EventLoop(source, (0, source.entries))
    events = define_feature_vector(define_physics(loop.events, SCHEMA), FEATURES, ())
    snapshot = book_snapshot(select_finite(define_non_finite(events)), FEATURES, use_threads(1))
    loop.run([snapshot.booked])
    return snapshot.arrays()[1]


def loop_seconds(source: Source, detectors: list[CompiledDetector], threads: int) -> float:
    """Run columns, and scores where there are detectors, over all events; compilation is not counted."""
    use_threads(threads)
    loop = EventLoop(source, (0, source.entries))
    events = define_feature_vector(define_physics(loop.events, SCHEMA), FEATURES, ())
    events = select_finite(define_non_finite(events))
    if detectors:
        events = define_scores(events, detectors, min_votes=1)
    result = events.Sum("score_ensemble" if detectors else "MR")
    return loop.run([result]).loop_seconds


def seconds(function: Callable[[], object]) -> float:
    """Time one call."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def main() -> int:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = open_source([simulate("razor_multijet", SCHEMA, EVENTS, SEED, folder)], SCHEMA, folder, [None])
        X = collect(source)
        training = TrainingSample(sample="", title="", simulated=True, sha256=[], entries=(0, len(X)), events=len(X))
        trained = train(X, ["isolation_forest"], seed=SEED, progress=lambda _: None)
        models = write_model_folder(
            folder, trained, X, FEATURES, {}, schema_name=SCHEMA.name, training=training, versions={}
        )
        entry = models.detectors["isolation_forest"]
        table = entry.rank_table

        def compiled(slots: int) -> list[CompiledDetector]:
            arguments = (folder / entry.file, entry.threshold, table.scores, table.ranks, slots)
            return [compile_detector("isolation_forest", *arguments)]

        one, two = compiled(1), compiled(2)
        ways: dict[str, Callable[[], float]] = {
            "scikit-learn, all events in one batch": lambda: seconds(lambda: trained[0].score(X)),
            "columns in the loop, 1 thread": lambda: loop_seconds(source, [], 1),
            "columns and forest in the loop, 1 thread": lambda: loop_seconds(source, one, 1),
            "columns and forest in the loop, 2 threads": lambda: loop_seconds(source, two, 2),
        }
        measured: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(REPEATS):
            for way, measure in ways.items():
                measured[way].append(measure())

    medians = {way: statistics.median(values) for way, values in measured.items()}
    reference = medians["scikit-learn, all events in one batch"]
    shown = Table(title=f"{EVENTS:,} simulated events, medians of {REPEATS}")
    for heading in ("way", "us/event", "relative to scikit-learn's forest"):
        shown.add_column(heading, justify="left" if heading == "way" else "right")
    for way, median in medians.items():
        shown.add_row(way, f"{1e6 * median / EVENTS:.2f}", f"{median / reference:.2f}")
    Console().print(shown)
    return 0


if __name__ == "__main__":
    sys.exit(main())
