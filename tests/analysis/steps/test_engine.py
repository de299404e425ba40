"""Event loops on Dask's workers against the same ones in one process, and workers that die."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from analysis.run import main
from analysis.simulate import main as simulate
from rdf.code.interpreter import ROOT
from tests.analysis.same_results import assert_same_results, scored_events
from tests.conftest import draw_nothing

pytestmark = [pytest.mark.compiler, pytest.mark.pool]

EVENTS, FILES = 8000, 3


def program(name: str, *options: object) -> list[str]:
    return [sys.executable, "-m", "tests.analysis.without_figures", f"analysis.{name}", *map(str, options)]


def run_here(*options: object) -> None:
    """Run in this process, which has loaded ROOT and scikit-learn already."""
    with pytest.MonkeyPatch.context() as patch:
        draw_nothing(patch)
        assert main([str(option) for option in options]) == 0


def run(*options: object, fails: bool = False) -> str:
    done = subprocess.run(program("run", *options), capture_output=True, text=True, timeout=300)
    assert (done.returncode != 0) == fails, done.stderr
    return done.stderr if fails else done.stdout


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sample of several files, of one cluster each, in which two of the blocks of a file are not certified."""
    folder = tmp_path_factory.mktemp("sample")
    for i in range(FILES):
        options = ("qcd", "--events", EVENTS, "--seed", 5 + i, "--format", "ttree", "-o", folder / f"{i}.root")
        assert simulate([str(option) for option in options]) == 0
    files = "".join(f"  - path: {i}.root\n" for i in range(FILES))
    path = folder / "qcd.yaml"
    (folder / "runs.json").write_text('{"1": [[1, 2], [4, 7]]}')
    keys = "name: qcd\ntitle: simulated QCD\nschema: cms_nanoaod\nsimulated: true\ncertified: runs.json\n"
    path.write_text(f"{keys}files:\n{files}")
    return path


@pytest.fixture(scope="module")
def local(sample: Path) -> Path:
    """The results of a run in one process, with scales varied."""
    folder = sample.parent / "local"
    detectors = ("--detectors", "isolation_forest,elliptic_envelope", "--train-events", 2000)
    detectors += ("--select", "{jets: n_jets >= 2, high: 'HT > 120 && Jet_pt[0] > 60'}")
    run_here("--sample", sample, *detectors, "--vary", "jes,met", "--threads", 2, "--output", folder)
    return folder


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a scheduler that runs already, with two workers: none of them has any code of ours.

    Nobody starts a worker again that dies.
    """
    folder = tmp_path_factory.mktemp("scheduler")
    file = folder / "scheduler.json"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    options = {"cwd": folder, "env": environment, "stderr": subprocess.DEVNULL}
    dask = [sys.executable, "-m", "dask"]
    which = ["--no-dashboard", "--scheduler-file", str(file)]
    with (
        subprocess.Popen([*dask, "scheduler", "--port", "0", *which], **options) as one,
        subprocess.Popen([*dask, "worker", "--nthreads", "1", "--no-nanny", *which], **options) as two,
        subprocess.Popen([*dask, "worker", "--nthreads", "1", "--no-nanny", *which], **options) as three,
    ):
        try:
            yield wait_for(lambda: address_in(file), one)
            assert (two.poll(), three.poll()) == (None, None), "a worker has died"
        finally:
            for process in (two, three):
                process.terminate()
                process.wait()
            one.terminate()


def on_dask(sample: Path, local: Path, output: Path, *more: object) -> list[object]:
    models = ("--models", local / "models", "--vary", "jes,met")
    return ["--sample", sample, *models, "--engine", "dask", "--threads", 2, "--output", output, *more]


def test_two_workers_give_what_one_process_gives(sample: Path, local: Path, tmp_path: Path) -> None:
    said = run(*on_dask(sample, local, tmp_path / "dask"))
    assert "2 Dask workers (local)" in said
    assert_same_results(tmp_path / "dask", local, at_least=FILES * EVENTS // 2)
    record = json.loads((tmp_path / "dask" / "run.json").read_text())
    assert record["cutflow"][1] == {"name": "certified", "events": FILES * 6000}  # a block is a thousand events
    assert record["engine"] == {"name": "dask", "cluster": "local", "workers": 2}
    assert record["counts"]["processed"] == FILES * EVENTS
    results = {"SHA256SUMS", "anomalies.csv", "events.root", "histograms.root", "models", "objects.json", "pick.txt"}
    assert {path.name for path in (tmp_path / "dask").iterdir()} == {*results, "run.json"}


def test_an_rntuple_with_weights(scheduler: str, local: Path, tmp_path: Path) -> None:
    assert simulate(["qcd", "--events", str(EVENTS), "--seed", "9", "-o", str(tmp_path / "qcd.root")]) == 0
    produced = f"cross_section: 3.1\nsum_of_weights: {EVENTS}\nluminosity: 0.7\n"  # 0.27125 a piece
    (tmp_path / "qcd.yaml").write_text(f"schema: cms_nanoaod\n{produced}files:\n  - path: qcd.root\n")
    options = ("--sample", tmp_path / "qcd.yaml", "--models", local / "models", "--vary", "jes", "--threads", 2)
    run_here(*options, "--output", tmp_path / "local")
    run_here(*options, "--engine", "dask", "--cluster", scheduler, "--output", tmp_path / "dask")
    assert_same_results(tmp_path / "dask", tmp_path / "local", at_least=EVENTS // 2)
    weights = scored_events(tmp_path / "dask")["weight"]
    cutflow = json.loads((tmp_path / "dask" / "run.json").read_text())["cutflow"]
    assert cutflow == json.loads((tmp_path / "local" / "run.json").read_text())["cutflow"]
    assert cutflow[-1]["weighted"] == pytest.approx(0.27125 * len(weights), rel=1e-12)


@pytest.mark.parametrize("kind", ["TTree", "RNTuple"])
def test_events_without_numbers(kind: str, scheduler: str, tmp_path: Path) -> None:
    """They are named by their places, which a worker has to tell of the range that it reads."""
    write_lines(tmp_path / "lines.root", kind)
    (tmp_path / "lines.yaml").write_text(LINES)
    options = ("--sample", tmp_path / "lines.root", "--schema", tmp_path / "lines.yaml", "--threads", 2)
    run_here(*options, "--detectors", "elliptic_envelope", "--output", tmp_path / "local")
    scored = (*options, "--models", tmp_path / "local" / "models", "--engine", "dask", "--cluster", scheduler)
    run_here(*scored, "--output", tmp_path / "dask")
    assert_same_results(tmp_path / "dask", tmp_path / "local", at_least=LINE_EVENTS)
    assert scored_events(tmp_path / "dask")["event"].tolist() == list(range(LINE_EVENTS))
    (tmp_path / "several.yaml").write_text(
        "name: several\ntitle: several files\nschema: lines.yaml\nfiles: [{path: lines.root}, {path: more.root}]\n"
    )
    write_lines(tmp_path / "more.root", kind)
    said = run("--sample", tmp_path / "several.yaml", *scored[4:], "--output", tmp_path / "no", fails=True)
    assert "--engine dask: the events of several files have no numbers" in said.splitlines()[-1]


LINE_EVENTS = 6000
LINES = """\
title: lines
tree: lines
columns: {x: float32, y: float32}
quantities:
  jet_pt: {expression: "ROOT::RVec<float>{50 + 20 * x, 40 + 10 * y}", unit: GeV}
  jet_eta: {expression: "ROOT::RVec<float>{x, y}"}
  jet_phi: {expression: "ROOT::RVec<float>{x, -y}", unit: rad}
  jet_mass: {expression: "ROOT::RVec<float>(2, 5.f)", unit: GeV}
define:
  difference: jet_pt[0] - jet_pt[1]
feature_sets:
  both: {features: [HT, difference], plane: [HT, difference]}
features: both
"""


def write_lines(path: Path, kind: str) -> None:
    """Write events in many clusters."""
    options = ROOT.RDF.RSnapshotOptions()
    options.fOutputFormat = getattr(ROOT.RDF.ESnapshotOutputFormat, f"k{kind}")
    options.fAutoFlush = 500
    options.fApproxZippedClusterSize = options.fMaxUnzippedClusterSize = 4000
    options.fMaxUnzippedPageSize = options.fInitialUnzippedPageSize = 1000
    events = ROOT.RDataFrame(LINE_EVENTS).Define("x", "std::sin(rdfentry_ * 1.7f)")
    events = events.Define("y", "std::cos(rdfentry_ * 0.3f)")
    events.Snapshot("lines", str(path), ["x", "y"], options)


def test_training_on_what_workers_collect(scheduler: str, sample: Path, local: Path, tmp_path: Path) -> None:
    """The draw of training events does not depend on who draws them: the models are the same."""
    options = ("--detectors", "elliptic_envelope", "--train-events", 2000, "--engine", "dask", "--cluster", scheduler)
    options += ("--select", "{jets: n_jets >= 2, high: 'HT > 120 && Jet_pt[0] > 60'}")
    run_here("--sample", sample, *options, "--output", tmp_path)
    ours, theirs = (json.loads((folder / "models" / "models.json").read_text()) for folder in (tmp_path, local))
    assert ours["detectors"]["elliptic_envelope"] == theirs["detectors"]["elliptic_envelope"]
    assert ours["training"]["samples"] == theirs["training"]["samples"]


def test_a_worker_that_is_killed_is_survived(sample: Path, local: Path, tmp_path: Path) -> None:
    output = tmp_path / "dask"
    running = subprocess.Popen(program("run", *on_dask(sample, local, output)), stderr=subprocess.DEVNULL)
    victim = wait_for(lambda: worker_at_work(running.pid), running)
    os.kill(victim, signal.SIGKILL)
    assert running.wait(timeout=300) == 0
    assert_same_results(output, local, at_least=FILES * EVENTS // 2)


def test_ctrl_c_leaves_nothing(sample: Path, local: Path, tmp_path: Path) -> None:
    running = subprocess.Popen(
        program("run", *on_dask(sample, local, tmp_path)), stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    wait_for(lambda: worker_at_work(running.pid), running)
    started = psutil.Process(running.pid).children(recursive=True)
    os.killpg(running.pid, signal.SIGINT)  # as a terminal does
    _, said = running.communicate(timeout=300)
    assert running.returncode == 130
    assert said.splitlines()[-1] == "interrupted; no result was left under its final name"
    assert list(tmp_path.iterdir()) == []
    _, alive = psutil.wait_procs(started, timeout=300)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def wait_for(find: Any, running: subprocess.Popen[Any]) -> Any:
    until = time.monotonic() + 300
    while time.monotonic() < until and running.poll() is None:
        if found := find():
            return found
        time.sleep(0.01)
    pytest.fail("it did not come that far")


def worker_at_work(pid: int) -> int | None:
    """The process of a Dask worker that is writing its part of the events."""
    for process in psutil.Process(pid).children(recursive=True):
        try:
            if any("/parts/" in file.path for file in process.open_files()):
                return process.pid
        except psutil.Error:  # it has just ended
            continue
    return None


def address_in(file: Path) -> str | None:
    """The address that a scheduler has written to its file; None as long as that is not whole."""
    try:
        return json.loads(file.read_text())["address"]
    except (OSError, ValueError):
        return None


def test_a_scheduler_that_runs_already(scheduler: str, sample: Path, local: Path, tmp_path: Path) -> None:
    for attempt in ("first", "again"):  # it can be used again
        run_here(*on_dask(sample, local, tmp_path / attempt, "--cluster", scheduler))
        assert_same_results(tmp_path / attempt, local, at_least=FILES * EVENTS // 2)


def test_a_damaged_file_is_named(sample: Path, local: Path, tmp_path: Path) -> None:
    """What is wrong with it cannot be seen when it is opened."""
    folder = tmp_path / "damaged"
    folder.mkdir()
    for path in sample.parent.glob("*.*"):
        (folder / path.name).write_bytes(path.read_bytes())
    content = bytearray((folder / "1.root").read_bytes())
    content[len(content) // 5 : len(content) // 2] = bytes(len(content) // 2 - len(content) // 5)
    (folder / "1.root").write_bytes(content)
    said = run(*on_dask(folder / "qcd.yaml", local, tmp_path / "dask"), fails=True)
    assert said.splitlines()[-1].startswith("error: ")
    assert "1.root" in said
    assert not (tmp_path / "dask" / "run.json").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--cluster", "tcp://127.0.0.1:1"), "--cluster tcp://127.0.0.1:1: "),
        (("--cluster", "tcp://no.such.host:8786"), "give the address that dask-scheduler prints"),
        (("--entries", "0:10"), "leave out --entries"),
        (("--max-events", "10"), "leave out --entries and --max-events"),
    ],
)
def test_errors(options: tuple[str, ...], message: str, sample: Path, local: Path, tmp_path: Path) -> None:
    said = run(*on_dask(sample, local, tmp_path / "dask", *options), fails=True)
    assert message in said.splitlines()[-1]
    assert "Traceback" not in said


def test_a_cluster_without_the_engine_is_refused(sample: Path, tmp_path: Path) -> None:
    said = run("--sample", sample, "--cluster", "htcondor", "--output", tmp_path / "out", fails=True)
    assert said.splitlines()[-1] == "error: --cluster htcondor is for --engine dask; add it"


def test_no_pool_for_workers(sample: Path, local: Path, tmp_path: Path) -> None:
    said = run(*on_dask(sample, local, tmp_path / "dask", "--cluster", "htcondor"), fails=True)
    assert "condor_submit has to be on the PATH" in said.splitlines()[-1]
