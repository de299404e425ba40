"""Event loops in the workers of a Dask cluster, by ROOT's distributed RDataFrame."""

from __future__ import annotations

import os
import platform
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.configuration import RunConfiguration
from analysis.console.program import error_console
from analysis.console.progress import progress_bar, spinner
from analysis.errors import ConfigurationError
from analysis.output.folder import check_space
from analysis.output.timings import Timings
from analysis.steps.bookings import BookedCollection, BookedScoring, ScoredFile
from analysis.steps.compilation import Compiled, compile_models
from analysis.steps.engine import Engine, Local
from analysis.steps.event_graph import EventGraph
from analysis.steps.shipping import cache_archive, code_archive
from plotting.results.record_tables import DaskEngine
from plotting.results.root_file import EVENTS_ROOT
from rdf.code.library import loaded_libraries
from rdf.errors import EventLoopFailed, LostEvents
from rdf.temporary import TemporaryFolder

if TYPE_CHECKING:
    from distributed import Client

    from analysis.steps.bookings import Found
    from analysis.steps.prepared import PreparedSample
    from models.folder import ModelFolder
    from rdf import RNode
    from rdf.execution.event_loop import Pass
    from rdf.graph.snapshot import Collected
    from rdf.provenance import Provenance

RANGES_PER_WORKER = 4
"""Ranges of a sample for each Dask worker: enough that nobody waits long for the last of them."""


@dataclass(frozen=True)
class _Collecting:
    """The task of a Dask worker: rows that detectors learn from."""

    graph: EventGraph
    limit: int | None

    def book(self, events: RNode, range_index: int) -> BookedCollection:  # noqa: ARG002 - as all tasks
        return self.graph.book_collection(_begin(self.graph, events), self.limit, 1)


@dataclass(frozen=True)
class _Scoring:
    """The task of a Dask worker: scores of all events, which it writes where the run can read them."""

    graph: EventGraph
    models: ModelFolder
    networks: Mapping[str, bytes]
    detectors: tuple[str, ...]
    folder: Path
    provenance: Provenance

    @cached_property
    def _compiled(self) -> Compiled:
        with TemporaryFolder("models") as folder:
            for name, content in self.networks.items():
                (folder / name).write_bytes(content)
            return compile_models(self.models, folder, 1, self.detectors, Timings())

    def book(self, events: RNode, range_index: int) -> BookedScoring:
        if not os.access(self.folder, os.W_OK):
            raise EventLoopFailed(
                f"worker {platform.node()} cannot write to {self.folder}; name one that workers share with --output"
            )
        # A worker that is believed dead may still be writing what another one does anew: each has a file of its own.
        path = self.folder / f"{range_index}-{uuid.uuid4().hex}.root"
        file = ScoredFile(path, self.provenance, range_index)
        return self.graph.book_scoring(_begin(self.graph, events), self.models, self._compiled, 1, file)


def _begin(graph: EventGraph, events: RNode) -> Pass:
    """Begin a pass over the events of a range of a sample."""
    from rdf.execution.event_loop import Pass

    return Pass(graph.source.numbered(events))


@dataclass(frozen=True)
class Dask:
    """Event loops in the workers of a Dask cluster, by ROOT's distributed RDataFrame."""

    client: Client
    cluster: str

    def start_threads(self, threads: int) -> int:  # noqa: ARG002 - as all engines
        """Return 1: here the detectors are only checked, the workers compile their own."""
        return 1

    def describe(self) -> DaskEngine:
        """Return what run.json says of it."""
        return DaskEngine(cluster=self.cluster, workers=self._workers)

    @cached_property
    def _workers(self) -> int:
        from rdf.execution.distributed import wait_for_workers

        why = {"htcondor": "condor_q says what they wait for"}.get(self.cluster, f"on {self.cluster}")
        with spinner(error_console(), f"waiting for workers ({why})"):
            return wait_for_workers(self.client)

    def collect(self, sample: PreparedSample, limit: int | None) -> Collected:
        """Collect the rows that detectors learn from, at most `limit` of them."""
        found: Collected = self._run(sample, _Collecting(sample.graph, limit), "collecting features", "snapshot")
        return found

    def score(self, sample: PreparedSample, models: ModelFolder, compiled: Compiled) -> Found:
        """Score all events of a sample and write them to `events.root` in its staging folder."""
        from rdf.graph.merging import concatenate_events

        folder = (sample.staging / "parts").resolve()
        folder.mkdir()
        networks = {file: (sample.staging / "models" / file).read_bytes() for file in models.files}
        check_space(sample.staging, 2 * sample.source.events, sample.columns_written(compiled), 1)
        task = _Scoring(sample.graph, models, networks, tuple(compiled.detectors), folder, sample.provenance)
        found: Found = self._run(sample, task, "scoring", "scoring_loop")
        if found.processed != sample.source.events:
            raise LostEvents(
                f"{sample.data.title}: {found.processed} events processed, {sample.source.events} expected; a file "
                "changed or is damaged, check it and run again"
            )
        with sample.timings.stage("merging"), progress_bar(error_console(), "merging", "events") as move:
            files = [found.files[part] for part in sorted(found.files)]
            concatenate_events(files, sample.staging / EVENTS_ROOT, sample.provenance, move)
        shutil.rmtree(folder)
        return found

    def _run(self, sample: PreparedSample, task: Any, what: str, stage: str) -> Any:
        from rdf.execution.distributed import run_distributed

        if sample.source.needs_numbers and len(sample.source.files) > 1:
            raise ConfigurationError(
                f"--engine dask: the events of {sample.data.title} have no numbers, and workers cannot tell the places "
                "of those of several files; leave it out, or use python -m condor"
            )
        ranges = RANGES_PER_WORKER * self._workers
        with sample.timings.stage("jit"):
            sample.graph.check_columns()  # and compile what the workers need
        shipped = (code_archive(), cache_archive(loaded_libraries()))
        begin = time.perf_counter()
        with progress_bar(error_console(), what, "events") as move:
            found = run_distributed(sample.source, self.client, shipped, task, ranges, move)
        sample.timings.add(stage, time.perf_counter() - begin)
        return found


@contextmanager
def open_engine(configuration: RunConfiguration) -> Iterator[Engine]:
    """Start the engine that is configured, and stop it at the end."""
    if configuration.engine == "local":
        yield Local()
        return
    from rdf.execution.cluster import open_cluster

    with open_cluster(configuration.cluster, configuration.threads) as client:
        yield Dask(client, configuration.cluster)
