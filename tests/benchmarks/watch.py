"""Watching: a backlog of 50 files scored live and merged to a result, against one run over all of it."""

from __future__ import annotations

import re
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import yaml

from analysis import simulate
from tests.analysis.same_results import assert_same_results
from tests.benchmarks import toolkit
from tests.benchmarks.child import run_analysis
from tests.benchmarks.events import made_events
from tests.benchmarks.measure import Line, alternate, compare
from tests.benchmarks.trained import trained_detectors

FILES, EVENTS = 50, 20_000
"""Of the backlog, and events in each."""

PATIENCE = 300
"""Seconds after which a watch is given up."""

LATENCY = re.compile(r"latency of files p50 (\S+) s, p99 (\S+) s")


def backlog(folder: Path) -> list[Path]:
    """Return files with different events, made if the folder does not have them."""
    (folder / "backlog").mkdir(exist_ok=True)
    files = [folder / "backlog" / f"{i:02}.root" for i in range(FILES)]
    for i, file in enumerate(files):
        if not file.exists():
            simulate.main(["zjets", "--events", str(EVENTS), "--seed", str(i + 1), "-o", str(file)])
    return files


def watched(files: Path, models: Path, output: Path) -> tuple[float, tuple[float, float]]:
    """Watch until the result of a backlog is there; return the seconds that took from the start, and two latencies."""
    shutil.rmtree(output, ignore_errors=True)
    command = ["-m", "analysis.watch", str(files), "--models", str(models), "--output", str(output), "--threads", "1"]
    started = time.perf_counter()
    watch = subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    while not _is_complete(output):
        if watch.poll() is not None or time.perf_counter() > started + PATIENCE:
            raise RuntimeError(f"analysis.watch failed: {watch.communicate()[0][-1000:]}")
        time.sleep(0.02)
    seconds = time.perf_counter() - started
    watch.send_signal(signal.SIGINT)
    said, _ = watch.communicate()
    half, most = LATENCY.findall(said)[-1]
    return seconds, (float(half), float(most))


def _is_complete(output: Path) -> bool:
    try:
        return f'"processed": {FILES * EVENTS},' in (output / "run.json").read_text()
    except OSError:
        return False


def measure(folder: Path) -> list[Line]:
    """Measure whole processes on one thread, compiled code cached, and make sure that both leave the same."""
    models = toolkit.write_models(trained_detectors(folder), made_events("rntuple", 100_000, folder), folder)
    files = backlog(folder)
    sample = folder / "backlog.yaml"
    table = {"title": "backlog", "schema": "cms_nanoaod", "files": [{"path": str(file)} for file in files]}
    sample.write_text(yaml.safe_dump(table))
    options = ("--sample", str(sample), "--models", str(models), "--threads", "1")
    latencies: list[tuple[float, float]] = []

    def watch() -> float:
        seconds, latency = watched(files[0].parent, models, folder / "watched")
        latencies.append(latency)
        return seconds

    ways = {"run": lambda: run_analysis(folder / "run", *options)[0].seconds, "watch": watch}
    taken = alternate(ways, rounds=3)
    assert_same_results(folder / "watched", folder / "run", at_least=1)
    what = f"backlog of {FILES} files, whole processes: run / watch (rate of the watch as a part of the run's)"
    line = compare("watch", what, taken["run"], taken["watch"], FILES * EVENTS, 0.7, ">=")
    return [line, _latency(latencies)]


def _latency(latencies: Sequence[tuple[float, float]]) -> Line:
    halves, most = zip(*latencies, strict=True)
    spread = min(halves), max(most)
    what = "backlog: seconds until half of the files are on disk (spread: to 99 %)"
    return Line("watch", what, statistics.median(halves), spread, FILES * EVENTS)
