"""The second event loop of a run: every event is scored, and what that gives is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.console.program import error_console
from analysis.console.progress import progress_bar, spinner
from analysis.output.findings import agreement, means, variations, write_anomalies, write_objects
from analysis.steps.compilation import Compiled
from analysis.steps.engine import Engine
from analysis.steps.prepared import PreparedSample
from models.folder import MODELS_JSON, ModelFolder, file_sha256
from rdf.errors import NoEvents


@dataclass(frozen=True)
class ScoredColumns:
    """All events of a sample with what the detectors say of them.

    Attributes:
        columns: name -> values, shape (events,), float32; in the order of the event numbers or the published rows.
        cutflow: name of each cut, and the events that passed it.
    """

    columns: Mapping[str, npt.NDArray[np.float32]]
    cutflow: list[dict[str, Any]]


def collect_scores(sample: PreparedSample, compiled: Compiled) -> ScoredColumns:
    """Run an event loop in this process that scores all events and keeps the scores in memory.

    Raises:
        NoEvents: none is left after the cuts.
    """
    from rdf.execution.event_loop import EventLoop, use_threads

    slots = use_threads(sample.threads)
    with sample.timings.stage("jit"):
        loop = EventLoop(sample.source, sample.entries)
        booked = sample.graph.book_scores(loop, compiled, slots)
    with progress_bar(error_console(), f"scoring {sample.data.name}", "events") as move:
        took = loop.run(booked.results(), move)
    sample.timings.add("jit", took.jit_seconds)
    sample.timings.add("scoring_loop", took.loop_seconds)
    _, values = booked.snapshot.collected().arrays()
    if not len(values):
        title, conditions = sample.data.title, sample.graph.conditions
        raise NoEvents(f"{title}: no event {conditions}, nothing was scored; check the sample")
    cuts = [asdict(cut) for cut in booked.cutflow.cuts()]
    return ScoredColumns(dict(zip(booked.columns, values.T, strict=True)), cuts)


def score_sample(sample: PreparedSample, engine: Engine, models: ModelFolder, compiled: Compiled) -> dict[str, Any]:
    """Run the event loop that scores, write its results, and return what run.json says of them.

    Args:
        sample: that is scored; its staging folder has the models.
        engine: runs the event loop.
        models: of the detectors.
        compiled: the detectors.

    Raises:
        NoEvents: none is left after the cuts.
    """
    from rdf.graph.events import check_events
    from rdf.graph.histograms import complete, remainders, write_histograms

    graph, recipe = sample.graph, sample.graph.recipe
    names, ensemble = tuple(compiled.detectors), compiled.ensemble
    found = engine.score(sample, models, compiled)
    cuts = found.cuts
    selected_events = cuts[-1].events
    check_events(sample.staging / "events.root", selected_events)
    # A part of a sample may well hold none.
    if not selected_events and not sample.configuration.entries:
        raise NoEvents(f"{sample.data.title}: no event has finite features, nothing was scored; check the sample")
    filled = complete(found.histograms)
    kept = remainders(found.histograms) if sample.configuration.entries else {}
    write_histograms(sample.staging / "histograms.root", filled | kept, sample.provenance)
    with sample.timings.stage("explanations"), spinner(error_console(), "explaining the most unusual events"):
        write_anomalies(sample.staging, found.top, models, names, sample.data)
    if found.objects:
        write_objects(sample.staging, found.objects.described())

    seconds = sample.timings.seconds["scoring_loop"]
    flagged = {name: round(filled["agreement/flagged"].GetBinContent(i, i)) for i, name in enumerate(names, 1)}
    anomalous = round(filled["moments/anomalous"].GetBinContent(1, 1))
    return {
        "sample": replace(sample.data, files=sample.read_files).describe(),
        "training": models.training.model_dump(),
        "threads": sample.threads,
        "engine": engine.describe(),
        "entries": sample.entries_of_sample,
        "plan": sample.configuration.plan,
        "models_sha256": file_sha256(sample.staging / "models" / MODELS_JSON),
        "merged": None,
        "features": [asdict(graph.described[name]) for name in recipe.features],
        "observables": [asdict(graph.described[name]) for name in recipe.observables],
        "left_out": sample.left_out,
        "warnings": sample.warnings,
        "objects": recipe.objects,
        "define": recipe.define,
        "cutflow": [asdict(cut) for cut in cuts],
        "non_finite": found.non_finite,
        "counts": {
            "expected": sample.entries[1] - sample.entries[0],
            "processed": found.processed,
            "selected": selected_events,
            "normal": selected_events - anomalous,
            "anomalous": anomalous,
        },
        "ensemble": ensemble.detectors,
        "min_votes": ensemble.min_votes,
        "detectors": {
            name: {
                "threshold": _one_or_all([network.threshold for network in models.detectors[name].networks]),
                "flagged": flagged[name],
                "parity": compiled.parity[name],
                "notes": models.detectors[name].notes,
            }
            for name in names
        },
        "left_out_detectors": models.left_out,
        "history": models.histories(),
        "reconstruction": models.reconstructions(),
        "agreement": agreement(filled, names),
        "variations": variations(filled, sample.configuration.vary, names, ensemble.min_votes),
        "means": means(filled, recipe.features),
        "events_per_second": round(found.processed / seconds) if seconds else None,
        "loop_seconds": {stage: round(took, 6) for stage, took in found.stage_seconds.items()},
        "compiled_by": compiled.compiled_by,
    }


def _one_or_all(values: list[float]) -> float | list[float]:
    """Return the only value, or all: one for each fold."""
    return values[0] if len(values) == 1 else values
