"""The toolkit's own event loop over the files of the suite: the only module here that knows how its graph is built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.detectors.detector import Detector
from models.folder import Columns, Training
from models.folder_writing import write_model_folder
from models.onnx_export import export_onnx
from models.thresholds import rank_table
from models.training import TrainingEvents
from rdf import RNode
from rdf.code.columns import define_columns
from rdf.code.interpreter import ROOT
from rdf.code.library import compile_library, graph_library
from rdf.code.sofie import CompiledDetector, compile_detector, translate_network
from rdf.execution.event_loop import EventLoop, use_threads
from rdf.graph.fields import Fields
from rdf.graph.scoring import Ensemble, define_scores
from rdf.graph.selection import book_non_finite, select_finite
from rdf.graph.snapshot import book_snapshot, book_top_events
from rdf.schema.certified import SECTION, SECTION_EXPRESSION, CertifiedRuns
from rdf.schema.columns import physics_columns, rounded
from rdf.schema.model import load_schema
from rdf.schema.object_selection import effective_selection
from rdf.schema.quantities import ID_QUANTITIES
from rdf.schema.tables import Available
from rdf.sources.source import Source, open_source
from tests.benchmarks.events import FEATURES
from tests.benchmarks.trained import RECIPE

SCHEMA = load_schema("cms_nanoaod")
Compiled = Mapping[str, CompiledDetector]


def compiled_detectors(
    detectors: Mapping[str, Detector], folder: Path, threads: int = 1
) -> dict[str, CompiledDetector]:
    """Compile detectors for event loops on so many threads."""
    slots, compiled = use_threads(threads), dict[str, CompiledDetector]()
    for name, detector in detectors.items():
        onnx, table = folder / f"{name}.onnx", rank_table(detector.scores)
        export_onnx(detector.network(), detector.features, onnx)
        network = translate_network(onnx)
        compiled[name] = compile_detector(name, network, detector.threshold, table.scores, table.ranks, slots)
    return compiled


def _open(path: Path) -> Source:
    return open_source([str(path)], SCHEMA, path.parent, [None])


def _define_features(
    loop: EventLoop, source: Source, ids: Sequence[str] = (), certified: CertifiedRuns | None = None
) -> RNode:
    selection = effective_selection(SCHEMA, source.available, {})
    made = physics_columns(SCHEMA, source.available, selection, {})
    columns = rounded({**made, SECTION: SECTION_EXPRESSION}, FEATURES)
    wanted = (*ids, *(SECTION,) * bool(certified))
    return define_columns(loop.events, columns, wanted, FEATURES, loop.stopwatch, certified=certified)


def columns(path: Path) -> npt.NDArray[np.float32]:
    """Return the columns of all events in the order of their numbers, shape (events, columns)."""
    slots, source = use_threads(1), _open(path)
    loop = EventLoop(source, (0, source.events))
    snapshot = book_snapshot(_define_features(loop, source, (*ID_QUANTITIES,)), Fields(FEATURES), FEATURES, slots)
    loop.run([snapshot.booked])
    return snapshot.collected().arrays()[1]


def columns_seconds(path: Path, ids: Sequence[str] = (), certified: CertifiedRuns | None = None) -> float:
    """Return the seconds of an event loop that computes the columns of all events and counts those not finite.

    Args:
        path: of the file.
        ids: which of run, luminosityBlock and event are read too.
        certified: list of the runs whose events alone count; None for all.
    """
    use_threads(1)
    source = _open(path)
    loop = EventLoop(source, (0, source.events))
    counted = book_non_finite(_define_features(loop, source, ids, certified), FEATURES, 1)
    return loop.run([counted.booked]).loop_seconds


def scores_seconds(
    path: Path,
    detectors: Compiled,
    threads: int = 1,
    ids: Sequence[str] = ("event",),
    certified: CertifiedRuns | None = None,
) -> float:
    """Return the seconds of an event loop that computes columns, scores and ranks of the events with all features.

    Args:
        path: of the file.
        detectors: that score.
        threads: of the loop.
        ids, certified: as in `columns_seconds`.
    """
    use_threads(threads)
    source = _open(path)
    loop = EventLoop(source, (0, source.events))
    events = select_finite(_define_features(loop, source, ids, certified), len(FEATURES))
    of_folds = {name: [made] for name, made in detectors.items()}
    events = define_scores(events, of_folds, Ensemble(tuple(detectors), 2), stopwatch=loop.stopwatch)
    # To keep the greatest costs next to nothing; RDataFrame's Sum has neighbouring places in memory for its threads.
    top = book_top_events(events, Fields((), tuple(detectors)), ("score_ensemble",), (), 1, threads)
    return loop.run([top.booked]).loop_seconds


class _InMemory(Source):
    """No file: numbered entries."""

    def open(self, with_entries: bool = False) -> RNode:  # noqa: ARG002 - as all sources
        """Return a graph over the entries' numbers."""
        return ROOT.RDF.AsRNode(ROOT.RDataFrame(self.events))


IN_MEMORY = """
#include "graph/graph.hxx"

namespace in_memory {
ROOT::RDF::RNode define(ROOT::RDF::RNode events, const float *features, std::size_t width)
{
   const auto at = [=](ULong64_t entry) {
      recorded::Event event;
      event.values = features + entry * width;
      return event;
   };
   return events.Define(recorded::kEvent, at, {"rdfentry_"});
}
ROOT::RDF::RResultHandle sum(ROOT::RDF::RNode events, bool scored)
{
   const auto feature = [](const recorded::Event &event) { return event.values[0]; };
   const auto score = [](const scoring::Scores &scores) { return scores.ensemble; };
   events = scored ? events.Define("taken", score, {graph::kScores})
                   : events.Define("taken", feature, {recorded::kEvent});
   return events.Sum<float>("taken");
}
}
"""


def in_memory_seconds(X: npt.NDArray[np.float32], detectors: Compiled) -> float:
    """Return the seconds of an event loop over features that lie in memory, shape (events, features).

    It adds up the score of the detectors together, for which each is scored and ranked; or without any a feature.
    """
    use_threads(1)
    interface = (
        "namespace in_memory { ROOT::RDF::RNode define(ROOT::RDF::RNode, const float *, std::size_t); "
        "ROOT::RDF::RResultHandle sum(ROOT::RDF::RNode, bool); }"
    )
    library = compile_library(IN_MEMORY, "the features in memory", interface)
    graph_library("events").load()
    library.load()
    loop = EventLoop(_InMemory("", (), (len(X),), Available({}, frozenset()), False), (0, len(X)))
    events = ROOT.in_memory.define(loop.events, X, X.shape[1])
    if detectors:
        events = define_scores(events, {name: [made] for name, made in detectors.items()}, Ensemble((*detectors,), 1))
    return loop.run([ROOT.in_memory.sum(events, bool(detectors))]).loop_seconds


def write_models(detectors: Mapping[str, Detector], path: Path, folder: Path) -> Path:
    """Write the model folder of detectors for files such as this one, and return it."""
    models, selection = folder / "models", effective_selection(SCHEMA, _open(path).available, {})
    X = columns(path)
    X = X[np.isfinite(X).all(axis=1)]
    made = Columns(
        schema=SCHEMA.name,
        schema_sha256=SCHEMA.meaning(),
        define={},
        objects={kind: chosen.model_dump() for kind, chosen in selection.items()},
        features=list(FEATURES),
        observables=[],
        plane=("MR", "Rsq"),
    )
    training = Training(samples=[], part=None, train_events=None, events=len(X), train_on="all", folds=1)
    events = TrainingEvents(FEATURES, X, np.arange(len(X), dtype=np.uint64), None)
    trained = {name: [detector] for name, detector in detectors.items()}
    write_model_folder(models, trained, events, X[:, :0], made, training_recipe=RECIPE, training=training, versions={})
    return models
