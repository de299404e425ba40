"""Batches and Dask's workers on a real pool, with all that goes wrong there, against one run on this machine."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest

from analysis.configuration import RunConfiguration
from analysis.options import load_configuration
from analysis.run import run
from analysis.simulate import main as simulate
from tests.analysis.same_results import assert_same_results
from tests.condor import unlucky
from tests.condor.pool import Pool
from tests.conftest import draw_nothing

pytestmark = [pytest.mark.compiler, pytest.mark.pool]

REPOSITORY = Path(__file__).parents[2]
EVENTS = {"a.root": 100_000, "b.root": 75_000, "c.root": 25_000}
"""Files of the sample; the last one is that of the last of eight jobs."""
JOBS = 8
SELECTED = sum(EVENTS.values()) // 2
"""Events that pass the cuts, at least."""

T = TypeVar("T")


@dataclass(frozen=True)
class Sample:
    """Simulated events, and what a single run over all of them left."""

    file: Path
    local: Path

    @property
    def options(self) -> tuple[object, ...]:
        return "--sample", self.file, "--models", self.local / "models"


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    folder = tmp_path_factory.mktemp("sample")
    for seed, (name, events) in enumerate(EVENTS.items()):
        mixture = ["squark", "--background", "qcd", "--signal-fraction", "0.02", "--events", str(events)]
        assert simulate([*mixture, "--seed", str(seed), "-o", str(folder / name)]) == 0
    file = folder / "mixture.yaml"
    files = "".join(f"  - path: {name}\n" for name in EVENTS)
    (folder / "runs.json").write_text('{"1": [[1, 20], [25, 200]]}')
    keys = "title: squarks among QCD\nschema: cms_nanoaod\nsimulated: true\ncertified: runs.json\n"
    file.write_text(f"{keys}files:\n{files}")
    sample = Sample(file, folder / "local")
    train = {"detectors": "isolation_forest,elliptic_envelope", "train_events": 2000}
    train["select"] = {"jets": "n_jets >= 2 && Jet_pt[1] > 25", "hard": "HT > 100"}
    score(sample, sample.local, threads=2, **train)
    return sample


def score(sample: Sample, output: Path, **options: Any) -> None:
    """Score on this machine, in this process, without figures."""
    with pytest.MonkeyPatch.context() as patch:
        draw_nothing(patch)
        given = {"sample": str(sample.file), "output": str(output), **options}
        run(load_configuration(RunConfiguration, given, None), "test")


# --- What is done on the pool, and what HTCondor itself says of it


def condor(pool: Pool, verb: str, *options: object, code: int = 0, **environment: str) -> str:
    """Run a verb of `python -m condor` that ends with this exit code; return what it says, an error's last line."""
    command = [sys.executable, "-m", "condor", verb, *map(str, options)]
    done = pool.run(command, cwd=REPOSITORY, environment=environment)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    if code not in (2, 3):
        return done.stdout
    last = done.stderr.splitlines()[-1]
    assert last.startswith("error: ")
    return last


def on_pool(pool: Pool, program: str, *options: object) -> subprocess.Popen[str]:
    """Start a program as the pool's account; what it says is on one pipe."""
    command = pool.as_account([sys.executable, "-m", program, *map(str, options)])
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, cwd=REPOSITORY, env=pool.environment, **pipe)


def logged(log: Path, event: str) -> bool:
    """Whether a job event log has an event, by its number in HTCondor's manual: 005 of an end, 009 of a removal."""
    return log.exists() and f"\n{event} (" in f"\n{log.read_text()}"


def wait_for(
    find: Callable[[], T | None],
    what: str,
    running: subprocess.Popen[str] | None = None,
    every: float = 0.05,
    seconds: float = 300,
) -> T:
    """Return what `find`, asked again and again, finds at last, while a process runs."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        ended = running is not None and running.poll() is not None
        if found := find():
            return found
        if ended:
            pytest.fail(f"ended before {what}: {running.communicate()[0]}")
        time.sleep(every)
    raise TimeoutError(f"waited for {what}")


def wait_for_end(output: Path, number: int = 1) -> None:
    """Wait until DAGMan has ended a round."""
    log = output / "batch" / f"round_{number:03d}.dag.dagman.log"
    wait_for(lambda: logged(log, "005") or logged(log, "009"), f"the end of round {number} in {output}")


def executions(output: Path, number: int = 1) -> dict[str, int]:
    """How often the jobs of each node were started in a round."""
    log = (output / "batch" / f"round_{number:03d}.dag.nodes.log").read_text()
    names = dict(re.findall(r"^000 \((\d+)\..*\n\s+DAG Node: (\w+)$", log, re.MULTILINE))
    return dict(Counter(names[cluster] for cluster in re.findall(r"^001 \((\d+)\.", log, re.MULTILINE)))


def submitted_dags(pool: Pool, output: Path) -> int:
    """How many DAGs of a batch the schedd has or ever had."""
    found = []
    for command in ("condor_q", "condor_history"):
        constraint = f'ScoringBatch == "{output / "batch"}"'
        asked = pool.run([command, "-constraint", constraint, "-autoformat", "ClusterId"])
        assert asked.returncode == 0, asked.stderr
        found += asked.stdout.split()
    return len(set(found))


def jobs(count: int = JOBS) -> list[str]:
    return [f"score_{number:06d}" for number in range(1, count + 1)]


# --- A batch without accidents


@pytest.fixture(scope="module")
def batch(pool: Pool, sample: Sample, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a batch of eight jobs that has ended."""
    output = tmp_path_factory.mktemp("batch") / "out"
    condor(pool, "submit", *sample.options, "--jobs", JOBS, "--output", output)
    wait_for_end(output)
    return output


def test_eight_jobs_leave_what_one_run_leaves(pool: Pool, sample: Sample, batch: Path) -> None:
    assert_same_results(batch, sample.local, at_least=SELECTED)
    said = condor(pool, "status", batch)
    assert f"done: the result is in {batch}" in said
    assert "200,000 of 200,000 (100%)" in said
    assert executions(batch) == {**dict.fromkeys(jobs(), 1), "merge_1_000001": 1}


def test_a_batch_is_not_submitted_twice(pool: Pool, sample: Sample, batch: Path) -> None:
    said = condor(pool, "submit", *sample.options, "--jobs", JOBS, "--output", batch, code=3)
    assert f"the batch in {batch} was submitted already" in said
    assert submitted_dags(pool, batch) == 1


def truncate(part: Path) -> None:
    os.truncate(part / "events.root", (part / "events.root").stat().st_size // 2)


def empty(part: Path) -> None:
    (part / "events.root").write_bytes(b"")


def flip_a_byte(part: Path) -> None:
    content = bytearray((part / "histograms.root").read_bytes())
    content[len(content) // 2] ^= 1
    (part / "histograms.root").write_bytes(content)


def test_damaged_parts_are_refused_by_name_and_done_again(
    pool: Pool, sample: Sample, batch: Path, tmp_path: Path
) -> None:
    foreign = {"models": str(sample.local / "models"), "entries": "0:25000", "plan": "another", "threads": 1}
    score(sample, tmp_path / "foreign", **foreign)

    def replace(part: Path) -> None:
        shutil.rmtree(part)
        shutil.copytree(tmp_path / "foreign", part)

    truncate(batch)
    said = condor(pool, "merge", batch, code=3)
    assert f"{batch} holds events.root, which was changed after a run had written it" in said
    (batch / "events.root").unlink()  # a result that is whole would not be merged again
    cases: list[tuple[str, Callable[[Path], None], str]] = [
        ("score_000003", empty, "events.root is empty"),
        ("score_000008", flip_a_byte, "histograms.root is not as it was written"),
        ("score_000001", replace, "run.json says that it is of the plan another, not of"),
        ("score_000005", shutil.rmtree, "is missing"),
        ("score_000006", truncate, "events.root is not as it was written"),
    ]
    for name, damage, fault in cases:
        part, kept = batch / "batch" / "parts" / name, tmp_path / name
        shutil.copytree(part, kept)
        damage(part)
        said = condor(pool, "merge", batch, code=3)
        assert f"part {part}" in said
        assert fault in said
        if name != "score_000006":
            shutil.rmtree(part, ignore_errors=True)
            kept.rename(part)
    assert "round 2: 1 of 8 jobs and 1 merges submitted" in condor(pool, "resubmit", batch)
    wait_for_end(batch, 2)
    assert executions(batch, 2) == {"score_000006": 1, "merge_1_000001": 1}
    assert_same_results(batch, sample.local, at_least=SELECTED)
    assert "done: the result is in" in condor(pool, "status", batch)


# --- A batch with all accidents at once


def test_accidents(pool: Pool, sample: Sample, tmp_path: Path) -> None:
    """Jobs fail, are killed, lose their starters, and want memory; one fails for good, until its cause is mended.

    Parts are merged by two and two, and these by two again.
    """
    output, luck = tmp_path / "out", tmp_path / "luck"
    accidents = (unlucky.FAILS_TWICE, unlucky.KILLED, unlucky.STOPPED, unlucky.STOPPED, unlucky.GROWS)
    entries = [f"{25_000 * i}:{25_000 * (i + 1)}" for i in range(JOBS)]
    python = unlucky.write_python(luck, dict(zip(entries, accidents, strict=False)))
    asked = ("--jobs", JOBS, "--fan-in", 4, "--memory", 1000, "--python", python, "--output", output)
    condor(pool, "submit", *sample.options, *asked)
    lost = sample.file.with_name("c.root")
    hidden = lost.rename(tmp_path / "c.root")
    try:
        for i in (2, 3):
            wait_for(unlucky.half_way(luck, entries[i]).exists, f"job {i + 1} to come half way")
            job = pool.wait_for_job(f"score_{i + 1:06d}")
            os.kill(job.process if i == 2 else job.starter, signal.SIGKILL)
        wait_for_end(output)
    finally:
        hidden.rename(lost)

    assert not (output / "run.json").exists()
    once = dict.fromkeys((*jobs(), "merge_1_000001"), 1)
    tries = {"score_000001": 3, **{f"score_00000{i}": 2 for i in (2, 3, 4, 5)}, "score_000008": 3}
    assert executions(output) == {**once, **tries}
    said = condor(pool, "status", output, code=4)
    host = r"on \S+?"
    thrice = rf"exit code 3 {host}: error: .*c\.root.* \(before: exit code 3 {host}; exit code 3 {host}\)"
    for line in (
        f"score_000008 failed: {thrice}",
        rf"score_000001 done \(before: exit code 1 {host}; exit code 1 {host}\)",
        rf"score_000002 done \(before: exit code 137 {host}\)",
        rf"score_000003 done \(before: signal 9 {host}\)",
        rf"score_000004 done \(before: evicted {host}\)",
        rf"score_000005 done \(before: held: uses 1\d\d\d MB of memory, of 1024 MB that it was given {host}\)",
    ):
        assert re.search(rf"^{line}$", said, re.MULTILINE), (line, said)
    assert "ended without its result" in said
    assert f"python -m condor resubmit {output} sends what is missing" in said

    assert "round 2: 1 of 8 jobs and 2 merges submitted" in condor(pool, "resubmit", output)
    wait_for_end(output, 2)
    assert executions(output, 2) == {"score_000008": 1, "merge_1_000002": 1, "merge_2_000001": 1}
    assert_same_results(output, sample.local, at_least=SELECTED)
    assert f"done: the result is in {output}" in condor(pool, "status", output)


# --- A submit that is killed


def test_a_killed_submit_leaves_nothing_that_confuses_the_next(pool: Pool, sample: Sample, tmp_path: Path) -> None:
    """Files travel with the jobs of this batch, too."""
    output = tmp_path / "out"
    folder, writing = output / "batch", output / ".staging" / "batch"
    options = (*sample.options, "--jobs", 2, "--data", "transfer", "--output", output)

    def kill_submit(moment: Callable[[], bool], delay: float = 0) -> None:
        with on_pool(pool, "condor", "submit", *options) as submitting:
            wait_for(moment, "the moment to kill it", submitting, every=0.002)
            time.sleep(delay)
            submitting.kill()

    kill_submit(writing.exists)
    assert not folder.exists()
    # From when the folder is in its place it takes 20 ms until the schedd has the DAG.
    for delay in (0, 0.01, 0.02, 0.1):
        before = identity(folder)
        kill_submit(lambda before=before: identity(folder) not in (None, before), delay)
        assert (folder / "round_001.dag").exists()
        if submitted_dags(pool, output):
            break
        assert "prepared, not submitted" in condor(pool, "status", output)
    assert "was submitted already" in condor(pool, "submit", *options, code=3)
    wait_for_end(output)
    assert submitted_dags(pool, output) == 1
    assert executions(output) == {**dict.fromkeys(jobs(2), 1), "merge_1_000001": 1}
    assert_same_results(output, sample.local, at_least=SELECTED)


def identity(folder: Path) -> int | None:
    """What tells a folder from one that takes its place; None if there is none."""
    try:
        return folder.stat().st_ino
    except FileNotFoundError:
        return None


# --- Dask's workers


@pytest.mark.parametrize("killed", [False, True], ids=["all_is_well", "one_is_killed"])
def test_workers_in_the_pool(pool: Pool, sample: Sample, tmp_path: Path, killed: bool) -> None:
    output = tmp_path / "out"
    engine = ("--engine", "dask", "--cluster", "htcondor", "--threads", 2, "--output", output)
    with on_pool(pool, "analysis.run", *sample.options, *engine) as running:
        if killed:
            worker = wait_for(lambda: worker_at_work(pool), "a worker was at work", running, every=0.01)
            os.kill(worker, signal.SIGKILL)
        said, _ = running.communicate(timeout=600)
    assert running.returncode == 0, said
    assert "2 Dask workers (htcondor)" in said
    assert_same_results(output, sample.local, at_least=SELECTED)
    wait_for(
        lambda: not pool.run(["condor_q", "-autoformat", "ClusterId"]).stdout, "the workers' jobs to go", seconds=30
    )


def worker_at_work(pool: Pool) -> int | None:
    """The process of a worker that is writing its part of the events."""
    for process in pool.processes():
        try:
            if any("/parts/" in file.path for file in psutil.Process(process).open_files()):
                return process
        except psutil.Error:  # it has just ended
            continue
    return None


# --- Pools that do not do what they are asked for


def test_a_pool_that_refuses(sample: Sample, tmp_path: Path) -> None:
    with Pool(tmp_path / "pool", cpus=1, extra="DENY_WRITE_SCHEDD = *") as pool:
        output = tmp_path / "out"
        said = condor(pool, "submit", *sample.options, "--jobs", 2, "--output", output, code=3)
        assert "the HTCondor schedd refuses this user" in said
        assert submitted_dags(pool, output) == 0
        assert "prepared, not submitted" in condor(pool, "status", output)
        engine = ("--engine", "dask", "--cluster", "htcondor", "--output", tmp_path / "dask")
        with on_pool(pool, "analysis.run", *sample.options, *engine) as running:
            said, _ = running.communicate(timeout=300)
        assert running.returncode == 3
        assert "no pool answers, or it takes no jobs of this user (" in said.splitlines()[-1]


def test_a_pool_that_is_gone(sample: Sample, batch: Path, tmp_path: Path) -> None:
    with Pool(tmp_path / "pool", cpus=1) as pool:
        pass
    said = condor(pool, "submit", *sample.options, "--jobs", 2, "--output", tmp_path / "out", code=3)
    assert "no HTCondor schedd answers" in said
    assert "no HTCondor schedd answers" in condor(pool, "resubmit", batch, code=3)
    assert not (tmp_path / "out").exists()
    assert "done: the result is in" in condor(pool, "status", batch)
    engine = ("--engine", "dask", "--cluster", "htcondor", "--output", tmp_path / "out")
    with on_pool(pool, "analysis.run", *sample.options, *engine) as running:
        said, _ = running.communicate(timeout=300)
    assert running.returncode == 3
    assert said.splitlines()[-1].startswith("error: --cluster htcondor: no pool answers")


def test_no_space_in_the_sandbox(sample: Sample, tmp_path: Path) -> None:
    """The pool holds a job that writes more than it asked for; with more space it goes on, also after a removal."""
    output = tmp_path / "out"
    log = output / "batch" / "round_001.dag.nodes.log"
    again = f"python -m condor resubmit {output}"
    with Pool(tmp_path / "pool", cpus=1, extra="use POLICY : HOLD_IF_DISK_EXCEEDED") as pool:
        condor(pool, "submit", *sample.options, "--jobs", 1, "--disk", 1, "--output", output)
        wait_for(lambda: logged(log, "012"), "the job to be held")
        said = condor(pool, "status", output, code=4)
        assert "score_000001 held: " in said
        assert f"no space is left in the sandbox; free some, or ask for more: {again} --disk N" in said
        assert "1 job on hold released" in condor(pool, "resubmit", output, "--disk", 2000)

        pool.wait_for_job("score_000001")
        assert "removed from the queue" in condor(pool, "remove", output)
        wait_for_end(output)
        assert f"ended without its result, it was removed; {again}" in condor(pool, "status", output, code=4)
        assert executions(output) == {"score_000001": 2}

        assert "round 2: 1 of 1 jobs and 1 merges submitted" in condor(pool, "resubmit", output)
        wait_for_end(output, 2)
        assert executions(output, 2) == {"score_000001": 1, "merge_1_000001": 1}
    assert_same_results(output, sample.local, at_least=SELECTED)
