"""Event loops on Dask's workers: graphs are taken down by the thread that has built them, and not while they run."""

from __future__ import annotations

import gc
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from dask.distributed import Client

from analysis.steps.shipping import cache_archive, code_archive
from rdf import RNode
from rdf.code.interpreter import ROOT
from rdf.code.library import loaded_libraries
from rdf.errors import EventLoopFailed
from rdf.execution.cluster import open_cluster
from rdf.execution.distributed import run_distributed
from rdf.execution.event_loop import Pass
from rdf.schema.tables import Available
from rdf.sources.source import Source

pytestmark = [pytest.mark.compiler, pytest.mark.pool]

EVENTS, RANGES = 800, 4


@dataclass
class Booked:
    """Writes to a file which thread took it down, and how many events its loop had processed by then."""

    over: Pass
    told: Path
    thread: int
    count: Any

    def results(self) -> list[Any]:
        return [self.count]

    def found(self) -> Sum:
        return Sum(int(self.count.GetValue()))

    def __del__(self) -> None:
        thread = "its own" if threading.get_ident() == self.thread else "another"
        with self.told.open("a") as file:
            file.write(f"{thread} {self.over.processed}\n")


@dataclass(frozen=True)
class Sum:
    events: int

    def merged(self, other: Sum) -> Sum:
        return Sum(self.events + other.events)


@dataclass(frozen=True)
class Counting:
    """Counts the events; each of them takes some milliseconds. The loop of one of the ranges can be made to fail."""

    told: Path
    fails: int | None = None

    def book(self, events: RNode, range_index: int) -> Booked:
        over = Pass(events)
        ROOT.gInterpreter.Declare("""
            #ifndef MADE_UP
            #define MADE_UP
            #include <chrono>
            #include <stdexcept>
            #include <thread>
            bool takes_long(bool fails) {
               std::this_thread::sleep_for(std::chrono::milliseconds(fails ? 500 : 5));
               if (fails)
                  throw std::runtime_error("made up");
               return true;
            }
            #endif
        """)
        fails = str(range_index == self.fails).lower()
        return Booked(over, self.told, threading.get_ident(), over.events.Filter(f"takes_long({fails})").Count())


def taken_down(told: Path) -> list[tuple[str, int]]:
    lines = [line.rpartition(" ") for line in told.read_text().splitlines()] if told.exists() else []
    return [(thread, int(events)) for thread, _, events in lines]


def run(client: Client, path: Path, task: Counting) -> Any:
    source = Source("events", (str(path),), (EVENTS,), Available({}, frozenset({"x"})), simulated=True)
    return run_distributed(source, client, (code_archive(), cache_archive(loaded_libraries())), task, RANGES)


@pytest.fixture(params=["TTree", "RNTuple"])
def events(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file of several clusters."""
    path = tmp_path / "events.root"
    options = ROOT.RDF.RSnapshotOptions()
    options.fOutputFormat = getattr(ROOT.RDF.ESnapshotOutputFormat, f"k{request.param}")
    options.fAutoFlush = 100
    options.fApproxZippedClusterSize = options.fMaxUnzippedClusterSize = 800
    options.fMaxUnzippedPageSize = options.fInitialUnzippedPageSize = 200
    ROOT.RDataFrame(EVENTS).Define("x", "double(rdfentry_)").Snapshot("events", str(path), ["x"], options)
    return path


def test_the_thread_that_built_a_graph_takes_it_down(events: Path, tmp_path: Path) -> None:
    told = tmp_path / "told"
    with open_cluster("local", 1) as client:
        assert run(client, events, Counting(told)).events == EVENTS
        where = taken_down(told)
    assert len(where) == RANGES
    assert {thread for thread, _ in where} == {"its own"}
    assert sum(processed for _, processed in where) == EVENTS


def test_a_loop_that_runs_outlives_the_failure_of_another(events: Path, tmp_path: Path) -> None:
    told = tmp_path / "told"
    with open_cluster("local", 2) as client:
        with pytest.raises(EventLoopFailed, match="made up"):
            run(client, events, Counting(told, fails=2))  # the second of a worker
        until = time.monotonic() + 300
        while any(client.processing().values()) and time.monotonic() < until:
            time.sleep(0.1)
        time.sleep(2)  # more than a range takes
        client.run(gc.collect)
        where = taken_down(told)
    assert where
    assert {processed for _, processed in where} <= {1, EVENTS // RANGES}
