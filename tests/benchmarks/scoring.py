"""What a scored event costs, against scikit-learn's forest over all events in one batch."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.table import Table

from models.folder import Columns, TrainingSample
from models.training import train, write_model_folder
from rdf import RNode
from rdf.columns import define_columns, define_feature_vector, physics_columns, rounded
from rdf.execution import EventLoop, use_threads
from rdf.features import FEATURE_SETS
from rdf.schema import ID_QUANTITIES, load_schema
from rdf.scoring import define_scores
from rdf.selection import define_non_finite, select_finite
from rdf.simulation import simulate
from rdf.snapshot import book_snapshot
from rdf.sofie import CompiledDetector, compile_detector
from rdf.sources import Source, open_source

EVENTS, REPEATS, SEED = 200_000, 5, 1
SCHEMA = load_schema("cms_razor")
FEATURES = FEATURE_SETS["razor"].features


def define_features(events: RNode, source: Source) -> RNode:
    """Define the features of the razor set, as a run does, and keep events that have them all."""
    columns = rounded(physics_columns(SCHEMA, source.available, {}, {}), FEATURES)
    events = define_feature_vector(define_columns(events, columns, (*ID_QUANTITIES, *FEATURES)), FEATURES)
    return select_finite(define_non_finite(events))


def collect(source: Source) -> np.ndarray:
    """Return the features of all events, shape (events, features)."""
    slots = use_threads(1)
    loop = EventLoop(source, (0, source.events))
    snapshot = book_snapshot(define_features(loop.events, source), FEATURES, slots)
    loop.run([snapshot.booked])
    return snapshot.arrays()[1]


def loop_seconds(source: Source, detectors: list[CompiledDetector], threads: int) -> float:
    """Run columns, and scores where there are detectors, over all events; compilation is not counted."""
    use_threads(threads)
    loop = EventLoop(source, (0, source.events))
    events = define_features(loop.events, source)
    if detectors:
        events = define_scores(events, detectors, min_votes=1)
    result = events.Sum("score_ensemble" if detectors else "MR")
    return loop.run([result]).loop_seconds


def seconds(function: Callable[[], object]) -> float:
    """Time one call."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def measure_scoring() -> Table:
    """Measure, and return the table of medians."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = open_source([str(simulate("razor_multijet", SCHEMA, EVENTS, SEED, folder))], SCHEMA, folder, [None])
        X = collect(source)
        training = TrainingSample(sample="", title="", simulated=True, sha256=[], entries=(0, len(X)), events=len(X))
        trained = train(X, ["isolation_forest"], seed=SEED, progress=lambda _: None)
        made = Columns(
            schema=SCHEMA.name,
            schema_sha256=SCHEMA.meaning(),
            define={},
            objects={},
            features=list(FEATURES),
            observables=[],
            plane=("MR", "Rsq"),
        )
        models = write_model_folder(folder, trained, X, X[:, :0], made, training=training, versions={})
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
    return shown
