"""Engines: where the event loops of a run take place. Each runs the same graph and gives the same results."""

from __future__ import annotations

import os
import platform
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

from analysis.configuration import RunConfiguration
from analysis.console.program import error_console
from analysis.console.progress import progress_bar, spinner
from analysis.errors import ConfigurationError
from analysis.output.folder import check_space
from analysis.steps.shipping import cache_archive, code_archive
from rdf.code.compiler import loaded_libraries
from rdf.errors import EventLoopFailed, LostEvents
from rdf.temporary import TemporaryFolder

if TYPE_CHECKING:
    from distributed import Client

    from analysis.steps.job import Compiled, Job
    from models.folder import ModelFolder
    from rdf import RNode
    from rdf.execution.event_loop import Pass
    from rdf.graph.histograms import Histograms
    from rdf.graph.objects import CollectedObjects, TopObjects
    from rdf.graph.selection import Cut, Cutflow
    from rdf.graph.snapshot import Collected, Snapshot

PARTS_PER_WORKER = 4
"""Ranges of a sample for each Dask worker: enough that nobody waits long for the last of them."""


@dataclass(frozen=True)
class BookedCollection:
    """The rows that detectors learn from, booked on the graph of a pass over events.

    Attributes:
        passed: the pass.
        snapshot: the rows.
    """

    passed: Pass
    snapshot: Snapshot

    def results(self) -> list[Any]:
        """Return what the event loop has to run."""
        return [self.snapshot.booked]

    def found(self) -> Collected:
        """Return the rows, after the loop."""
        return self.snapshot.collected()


@dataclass(frozen=True)
class BookedScoring:
    """What a run finds in scored events, booked on the graph of a pass over events.

    Attributes:
        passed: the pass.
        part: number of the part of the sample.
        file: that the scored events are written to.
        detectors: names of those that score.
        written: the scored events, on their way to a file.
        top: the most anomalous of them.
        objects: of the most anomalous of these, or None where there are none to show.
        histograms: of all kinds.
        cutflow: of the graph.
    """

    passed: Pass
    part: int
    file: Path
    detectors: tuple[str, ...]
    written: Any
    top: Snapshot
    objects: TopObjects | None
    histograms: Histograms
    cutflow: Cutflow

    def results(self) -> list[Any]:
        """Return what the event loop has to run."""
        objects = [self.objects.booked] if self.objects else []
        return [self.written, self.top.booked, *objects, *self.histograms.results(), self.cutflow.booked]

    def found(self) -> Found:
        """Return what was found, after the loop."""
        from rdf.graph.histograms import collect_histograms

        cuts = self.cutflow.cuts()
        return Found(
            {self.part: self.file},
            collect_histograms(self.histograms, cuts),
            cuts,
            self.histograms.non_finite.counts(),
            self.top.collected(),
            self.objects.collected() if self.objects else None,
            self.passed.processed,
            self.passed.stage_seconds(self.detectors),
        )


@dataclass(frozen=True)
class Found:
    """What was found in the scored events of a sample, or of a part of it.

    Attributes:
        files: with the events themselves, by the number of the part.
        histograms: as `rdf.graph.histograms.collect_histograms` gives them.
        cuts: the cutflow.
        non_finite: events in which each feature is not finite.
        top: the most anomalous events.
        objects: of the most anomalous of these, or None where there are none to show.
        processed: number of events.
        stage_seconds: where their time went, as `rdf.execution.event_loop.Pass` says.
    """

    files: Mapping[int, Path]
    histograms: dict[str, Any]
    cuts: list[Cut]
    non_finite: Mapping[str, int]
    top: Collected
    objects: CollectedObjects | None
    processed: int
    stage_seconds: Mapping[str, float]

    def merged(self, other: Self) -> Self:
        """Return what one pass over both parts would have found."""
        from rdf.graph.histograms import add_histograms

        add_histograms(self.histograms, other.histograms)
        cuts = zip(self.cuts, other.cuts, strict=True)
        return replace(
            self,
            files={**self.files, **other.files},
            cuts=[replace(one, events=one.events + another.events) for one, another in cuts],
            non_finite={name: events + other.non_finite[name] for name, events in self.non_finite.items()},
            top=self.top.merged(other.top),
            objects=self.objects.merged(other.objects) if self.objects and other.objects else None,
            processed=self.processed + other.processed,
            stage_seconds={stage: took + other.stage_seconds[stage] for stage, took in self.stage_seconds.items()},
        )


class Engine(Protocol):
    """Runs the event loops of a job, and counts their time among its timings."""

    def slots(self, job: Job) -> int:
        """Return for how many slots the detectors are compiled that `score` is given."""

    def describe(self) -> dict[str, Any]:
        """Return what run.json says of it."""

    def collect(self, job: Job, limit: int | None) -> Collected:
        """Collect the rows that detectors learn from, so many at most."""

    def score(self, job: Job, models: ModelFolder, compiled: Compiled) -> Found:
        """Score all events of a job and write them to `events.root` in its staging folder."""


class Local:
    """Event loops in this process, on its threads."""

    def slots(self, job: Job) -> int:
        """Return the slots of the job's event loops."""
        from rdf.execution.event_loop import use_threads

        return use_threads(job.threads)

    def describe(self) -> dict[str, Any]:
        """Return what run.json says of it."""
        return {"name": "local"}

    def collect(self, job: Job, limit: int | None) -> Collected:
        """Collect the rows that detectors learn from, so many at most."""
        from rdf.execution.event_loop import EventLoop

        slots = self.slots(job)
        with job.timings.stage("jit"):
            loop = EventLoop(job.source, job.entries)
            booked = job.book_collection(loop, limit, slots)
        with progress_bar(error_console(), "collecting features", "events") as move:
            took = loop.run(booked.results(), move)
        job.timings.add("jit", took.jit_seconds)
        job.timings.add("snapshot", took.loop_seconds)
        return booked.found()

    def score(self, job: Job, models: ModelFolder, compiled: Compiled) -> Found:
        """Score all events of a job and write them to `events.root` in its staging folder."""
        from rdf.execution.event_loop import EventLoop

        slots = self.slots(job)
        with job.timings.stage("jit"):
            loop = EventLoop(job.source, job.entries)
            booked = job.book_scoring(loop, models, compiled, slots, job.staging / "events.root")
        with progress_bar(error_console(), "scoring", "events") as move:

            def watch(done: int, total: int) -> None:
                check_space(job.staging, total - done, job.columns_written(compiled), job.threads)
                move(done, total)

            watch(0, loop.expected)
            took = loop.run(booked.results(), watch)
        job.timings.add("jit", took.jit_seconds)
        job.timings.add("scoring_loop", took.loop_seconds)
        return booked.found()


@dataclass(frozen=True)
class _Collecting:
    """The task of a Dask worker: rows that detectors learn from."""

    job: Job
    limit: int | None

    def book(self, events: RNode, part: int) -> BookedCollection:  # noqa: ARG002 - as all tasks
        return self.job.book_collection(_begin(self.job, events), self.limit, 1)


@dataclass(frozen=True)
class _Scoring:
    """The task of a Dask worker: scores of all events, which it writes where the run can read them."""

    job: Job
    models: ModelFolder
    networks: Mapping[str, bytes]
    folder: Path

    @cached_property
    def _compiled(self) -> Compiled:
        with TemporaryFolder("models") as folder:
            for name, content in self.networks.items():
                (folder / name).write_bytes(content)
            return self.job.compile(self.models, folder, 1)

    def book(self, events: RNode, part: int) -> BookedScoring:
        if not os.access(self.folder, os.W_OK):
            raise EventLoopFailed(
                f"worker {platform.node()} cannot write to {self.folder}; name one that workers share with --output"
            )
        # A worker that is believed dead may still be writing what another one does anew: each has a file of its own.
        file = self.folder / f"{part}-{uuid.uuid4().hex}.root"
        return self.job.book_scoring(_begin(self.job, events), self.models, self._compiled, 1, file, part)


def _shipped(job: Job) -> Job:
    """Return a job that can travel to a worker."""
    return replace(job, engine=Local())


def _begin(job: Job, events: RNode) -> Pass:
    """Begin a pass over the events of a range of a sample."""
    from rdf.execution.event_loop import Pass

    return Pass(job.source.numbered(events))


@dataclass(frozen=True)
class Dask:
    """Event loops in the workers of a Dask cluster, by ROOT's distributed RDataFrame."""

    client: Client
    cluster: str

    def slots(self, job: Job) -> int:  # noqa: ARG002 - as all engines
        """Return 1: here the detectors are only checked, the workers compile their own."""
        return 1

    def describe(self) -> dict[str, Any]:
        """Return what run.json says of it."""
        return {"name": "dask", "cluster": self.cluster, "workers": self._workers}

    @cached_property
    def _workers(self) -> int:
        from rdf.execution.distributed import wait_for_workers

        why = {"htcondor": "condor_q says what they wait for"}.get(self.cluster, f"on {self.cluster}")
        with spinner(error_console(), f"waiting for workers ({why})"):
            return wait_for_workers(self.client)

    def collect(self, job: Job, limit: int | None) -> Collected:
        """Collect the rows that detectors learn from, so many at most."""
        found: Collected = self._run(job, _Collecting(_shipped(job), limit), "collecting features", "snapshot")
        return found

    def score(self, job: Job, models: ModelFolder, compiled: Compiled) -> Found:
        """Score all events of a job and write them to `events.root` in its staging folder."""
        from rdf.graph.merging import concatenate_events

        folder = (job.staging / "parts").resolve()
        folder.mkdir()
        networks = {file: (job.staging / "models" / file).read_bytes() for file in models.files}
        check_space(job.staging, 2 * job.source.events, job.columns_written(compiled), 1)
        found: Found = self._run(job, _Scoring(_shipped(job), models, networks, folder), "scoring", "scoring_loop")
        if found.processed != job.source.events:
            raise LostEvents(
                f"{job.data.title}: {found.processed} events processed, {job.source.events} expected; a file changed "
                "or is damaged, check it and run again"
            )
        with job.timings.stage("merging"), progress_bar(error_console(), "merging", "events") as move:
            files = [found.files[part] for part in sorted(found.files)]
            concatenate_events(files, job.staging / "events.root", job.provenance, move)
        shutil.rmtree(folder)
        return found

    def _run(self, job: Job, task: Any, what: str, stage: str) -> Any:
        from rdf.execution.distributed import run_distributed

        if job.source.needs_numbers and len(job.source.files) > 1:
            raise ConfigurationError(
                f"--engine dask: the events of {job.data.title} have no numbers, and workers cannot tell the places "
                "of those of several files; leave it out, or use python -m condor"
            )
        parts = PARTS_PER_WORKER * self._workers
        with job.timings.stage("jit"):
            job.check_columns()  # and compile what the workers need
        shipped = (code_archive(), cache_archive(loaded_libraries()))
        begin = time.perf_counter()
        with progress_bar(error_console(), what, "events") as move:
            found = run_distributed(job.source, self.client, shipped, task, parts, move)
        job.timings.add(stage, time.perf_counter() - begin)
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
