"""What a scored event costs, against scikit-learn's forest over all events in one batch."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.table import Table

from models.folder import Columns, Training
from models.settings import AutoencoderSettings
from models.training import Recipe, TrainingEvents, train, write_model_folder
from rdf import RNode
from rdf.columns import define_columns, define_feature_vector, physics_columns, rounded
from rdf.execution import EventLoop, use_threads
from rdf.features import FEATURE_SETS
from rdf.schema import ID_QUANTITIES, load_schema
from rdf.scoring import Ensemble, define_scores
from rdf.selection import define_non_finite, select_finite
from rdf.simulation import simulate
from rdf.snapshot import book_snapshot
from rdf.sofie import CompiledDetector, compile_detector
from rdf.sources import Source, open_source

EVENTS, REPEATS, SEED = 200_000, 5, 1
FOREST = "isolation_forest"
RECIPE = Recipe(rules={}, autoencoder=AutoencoderSettings(), train_on="all", folds=1, seed=SEED)
SCHEMA = load_schema("cms_razor")
FEATURES = FEATURE_SETS["razor"].features


def define_features(events: RNode, source: Source) -> RNode:
    """Define the features of the razor set, as a run does, and keep events that have them all."""
    columns = rounded(physics_columns(SCHEMA, source.available, {}, {}), FEATURES)
    events = define_feature_vector(define_columns(events, columns, (*ID_QUANTITIES, *FEATURES)), FEATURES)
    return select_finite(define_non_finite(events))


def simulated_source(events: int, folder: Path) -> Source:
    """Return so many simulated events, made if need be."""
    path = simulate("razor_multijet", SCHEMA, events, SEED, folder)
    return open_source([str(path)], SCHEMA, folder, [None])


def collect(source: Source) -> TrainingEvents:
    """Return the features of all events, to be learned from without labels."""
    slots = use_threads(1)
    loop = EventLoop(source, (0, source.events))
    snapshot = book_snapshot(define_features(loop.events, source), FEATURES, slots)
    loop.run([snapshot.booked])
    ids, X = snapshot.arrays()
    return TrainingEvents(tuple(FEATURES), X, ids[:, -1], None)


def loop_seconds(source: Source, forest: CompiledDetector | None, threads: int) -> float:
    """Run columns, and scores where there is a detector, over all events; compilation is not counted."""
    use_threads(threads)
    loop = EventLoop(source, (0, source.events))
    events = define_features(loop.events, source)
    if forest:
        events = define_scores(events, {FOREST: [forest]}, Ensemble((FOREST,), 1))
    result = events.Sum("score_ensemble" if forest else "MR")
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
        source = simulated_source(EVENTS, folder)
        events = collect(source)
        trained = train(events, [FOREST], RECIPE, lambda *_: None)
        made = Columns(
            schema=SCHEMA.name,
            schema_sha256=SCHEMA.meaning(),
            define={},
            objects={},
            features=list(FEATURES),
            observables=[],
            plane=("MR", "Rsq"),
        )
        training = Training(
            samples=[], part=None, train_events=None, events=len(events.X), train_on="all", folds=RECIPE.folds
        )
        models = write_model_folder(
            folder, trained, events, events.X[:, :0], made, recipe=RECIPE, training=training, versions={}
        )
        (network,) = models.detectors[FOREST].networks
        table = network.rank_table

        def compiled(slots: int) -> CompiledDetector:
            onnx = folder / network.file
            return compile_detector(FOREST, onnx, network.threshold, table.scores, table.ranks, slots)

        one, two = compiled(1), compiled(2)
        ways: dict[str, Callable[[], float]] = {
            "scikit-learn, all events in one batch": lambda: seconds(lambda: trained[FOREST][0].score(events.X)),
            "columns in the loop, 1 thread": lambda: loop_seconds(source, None, 1),
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
