"""The status of batches, from logs of real pools and from events made by hand."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from analysis.errors import AnalysisError
from condor.errors import NoBatch
from condor.folder import BatchFolder
from condor.plan import Plan, Requests
from condor.pool import read_events
from condor.report import print_status
from condor.status import (
    BatchState,
    BatchStatus,
    NodeStatus,
    State,
    follow,
    follow_dag,
    is_released,
    read_status,
    remedy,
)
from tests.records import run_table

RECORDED = Path(__file__).parent / "recorded"
"""Event logs of two batches of 8 jobs and a merge, on a real pool.

troubled: job 1 failed twice, job 2 was killed by SIGKILL, job 3 used too much memory, the starter of job 4 was killed.
failed: job 3 failed for good.
"""

HOST = "worker.example.org"
REQUESTS = Requests(memory=900, disk=1000, minutes=60, retries=2)
JOBS = [f"score_{number:06d}" for number in range(1, 9)]
MERGE = "merge_1_000001"


def planned(jobs: int = 8, events: int = 200_000) -> Plan:
    return Plan(id="abc", sample="qcd", entries=(0, events), jobs=jobs, python="python3", requests=REQUESTS)


def batch_in(folder: Path, *rounds: tuple[str, Sequence[str]]) -> BatchFolder:
    """Make a batch folder with these rounds, each a recorded one and the nodes that were sent."""
    batch = BatchFolder(folder)
    (batch.path / "logs").mkdir(parents=True)
    (batch.path / "plan.json").write_text(planned().model_dump_json())
    for number, (recorded, nodes) in enumerate(rounds, start=1):
        sent = batch.round(number)
        sent.dag.write_text("".join(f"JOB {name} score.sub\n" for name in nodes))
        if recorded:
            shutil.copy(RECORDED / f"{recorded}.nodes.log", sent.events)
            shutil.copy(RECORDED / f"{recorded}.dagman.log", sent.dagman)
    return batch


def states(nodes: dict[str, NodeStatus]) -> dict[str, State]:
    return {name: node.state for name, node in nodes.items()}


def test_what_happened_to_each_job_of_a_troubled_batch() -> None:
    nodes: dict[str, NodeStatus] = {}
    follow(nodes, read_events(RECORDED / "troubled.nodes.log"))
    assert states(nodes) == dict.fromkeys([*JOBS, MERGE], State.DONE)
    assert {name: node.incidents for name, node in nodes.items() if node.incidents} == {
        JOBS[0]: [f"exit code 3 on {HOST}", f"exit code 3 on {HOST}"],
        JOBS[1]: [f"signal 9 on {HOST}"],
        JOBS[2]: [f"held: uses 1312 MB of memory, of 1024 MB that it was given on {HOST}"],
        JOBS[3]: [f"evicted on {HOST}"],
    }
    assert nodes[JOBS[2]].memory == 2304
    assert nodes[MERGE].host == ""


def test_states_at_every_moment_of_a_troubled_batch() -> None:
    events = list(read_events(RECORDED / "troubled.nodes.log"))
    seen: dict[str, list[State]] = {}
    for end in range(1, len(events) + 1):
        nodes: dict[str, NodeStatus] = {}
        follow(nodes, events[:end])
        for name, node in nodes.items():
            if seen.setdefault(name, [])[-1:] != [node.state]:
                seen[name].append(node.state)
    idle, running, retrying, done = State.IDLE, State.RUNNING, State.RETRYING, State.DONE
    assert seen[JOBS[0]] == [idle, running, retrying, running, retrying, running, done]
    assert seen[JOBS[1]] == [idle, running, retrying, running, done]
    assert seen[JOBS[2]] == [idle, running, State.HELD, retrying, running, done]
    assert seen[JOBS[3]] == [idle, running, retrying, running, done]
    assert seen[JOBS[4]] == seen[MERGE] == [idle, running, done]


def test_a_batch_that_failed_names_the_job_and_its_last_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    batch = batch_in(tmp_path / "out", ("failed", [*JOBS, MERGE]))
    batch.log(JOBS[2], "err").write_text("starting\nerror: calibration.db is missing\n\n")
    status = read_status(batch)
    assert status.state is BatchState.ENDED
    assert status.counts(merges=False) == {State.DONE: 7, State.FAILED: 1, State.PLANNED: 0}
    assert status.counts(merges=True) == {State.PLANNED: 1}
    assert status.exit_code == 4
    print_status(status)
    said = capsys.readouterr().out
    assert f"score_000003 failed: exit code 3 on {HOST}: error: calibration.db is missing" in said
    assert f"python -m condor resubmit {batch.output}" in said
    assert "175,000 of 200,000 (88%)" in said


def test_a_second_round_takes_over_what_it_sends(tmp_path: Path) -> None:
    batch = batch_in(tmp_path / "out", ("failed", [*JOBS, MERGE]), ("", [JOBS[2], MERGE]))
    prepared = read_status(batch)
    assert (prepared.round, prepared.state) == (2, BatchState.PREPARED)
    assert prepared.nodes[JOBS[2]].state is State.FAILED
    sent = batch.round(2)
    shutil.copy(RECORDED / "failed.dagman.log", sent.dagman)
    dagman = sent.dagman.read_text()
    sent.dagman.write_text(dagman[: dagman.index("005 (")])  # up to its end
    status = read_status(batch)
    assert status.state is BatchState.RUNNING
    assert status.counts(merges=False) == {State.DONE: 7, State.PLANNED: 1}
    assert status.exit_code == 0


def test_a_merged_result_is_what_counts(tmp_path: Path) -> None:
    batch = batch_in(tmp_path / "out", ("failed", [*JOBS, MERGE]))
    record = batch.output / "run.json"
    for content, merged in (
        (run_table(plan="abc", merged={"parts": 8}), True),
        (run_table(plan="abc", merged=None), False),
        (run_table(plan="other", merged={"parts": 8}), False),
        (run_table(plan="abc", merged={"parts": 8}, format=99), False),
        ([], False),
    ):
        record.write_text(json.dumps(content))
        status = read_status(batch)
        assert status.merged is merged
        assert status.exit_code == (0 if merged else 4)


def test_no_batch(tmp_path: Path) -> None:
    with pytest.raises(NoBatch, match=f"{tmp_path} holds no batch"):
        read_status(BatchFolder(tmp_path))
    (tmp_path / "batch").mkdir()
    (tmp_path / "batch" / "plan.json").write_text("{")
    with pytest.raises(AnalysisError, match=r"plan\.json is damaged"):
        read_status(BatchFolder(tmp_path))


# --- Events made by hand


def event(kind: str, second: int = 0, cluster: int = 1, **attributes: Any) -> dict[str, Any]:
    return {
        "MyType": kind,
        "Cluster": cluster,
        "Proc": 0,
        "EventTime": f"2026-01-01T00:{second // 60:02d}:{second % 60:02d}",
    } | (attributes)


def run_of(name: str, cluster: int, start: int, end: int | None, code: int = 0) -> list[dict[str, Any]]:
    events = [event("SubmitEvent", 0, cluster, LogNotes=f"DAG Node: {name}")]
    events.append(event("ExecuteEvent", start, cluster, SlotName=f"slot1@{HOST}", ExecuteProps={"Memory": 1024}))
    if end is not None:
        events.append(event("JobTerminatedEvent", end, cluster, TerminatedNormally=True, ReturnValue=code))
    return events


def status_of(events: Sequence[dict[str, Any]], plan: Plan, state: BatchState = BatchState.RUNNING) -> BatchStatus:
    nodes: dict[str, NodeStatus] = {}
    follow(nodes, events)
    return BatchStatus(BatchFolder(Path("/out")), plan, 1, state, "", nodes, merged=False)


def test_rate_and_time_left() -> None:
    # 5 jobs of 100 events: two took 10 s and 30 s, so one job does 200 / 40 = 5 events/s; two run, and one waits.
    events = run_of(JOBS[0], 1, 0, 10) + run_of(JOBS[1], 2, 100, 130)
    events += run_of(JOBS[2], 3, 130, None) + run_of(JOBS[3], 4, 130, None)
    events.append(event("SubmitEvent", 0, 5, LogNotes=f"DAG Node: {JOBS[4]}"))
    status = status_of(events, planned(jobs=5, events=500))
    assert status.counts(merges=False) == {State.DONE: 2, State.RUNNING: 2, State.IDLE: 1, State.PLANNED: 0}
    assert status.job_rate == pytest.approx(5.0)
    assert status.seconds_left == pytest.approx(300 / (5 * 2))
    assert status_of([], planned()).job_rate is None
    assert status_of(run_of(JOBS[0], 1, 0, 10), planned()).seconds_left is None


@pytest.mark.parametrize(
    ("last", "state", "code"),
    [
        (event("JobTerminatedEvent", TerminatedNormally=True, ReturnValue=3), State.FAILED, 4),
        (event("JobTerminatedEvent", TerminatedNormally=False, TerminatedBySignal=9), State.FAILED, 4),
        (event("JobHeldEvent", HoldReason="x", HoldReasonCode=12, HoldReasonSubCode=2), State.HELD, 4),
        (event("JobHeldEvent", HoldReason="x", HoldReasonCode=3, HoldReasonSubCode=1001), State.HELD, 0),
        (event("JobAbortedEvent", Reason="x"), State.REMOVED, 0),
        (event("JobImageSizeEvent", Size=1), State.RUNNING, 0),
        (event("ShadowExceptionEvent", Message="lost"), State.RETRYING, 0),
        (event("JobReconnectFailedEvent", Reason="x"), State.RUNNING, 0),
    ],
)
def test_last_event_of_a_job(last: dict[str, Any], state: State, code: int) -> None:
    status = status_of([*run_of(JOBS[0], 1, 0, None), last], planned())
    assert status.nodes[JOBS[0]].state is state
    assert status.exit_code == code


def test_what_the_schedd_removes_after_its_end_is_done() -> None:
    events = [*run_of(JOBS[0], 1, 0, 5), event("JobAbortedEvent", 6, Reason="DAGMan ended")]
    assert status_of(events, planned()).nodes[JOBS[0]].state is State.DONE


def test_an_eviction_that_only_leads_to_a_hold_is_not_told_twice() -> None:
    reason = "Transfer input files failure: (errno 28) No space left on device"
    evicted = event("JobEvictedEvent", 2, Reason=reason)
    held = event("JobHeldEvent", 2, HoldReason=reason, HoldReasonCode=13, HoldReasonSubCode=28)
    status = status_of([*run_of(JOBS[0], 1, 0, None), evicted, held], planned())
    assert status.nodes[JOBS[0]].incidents == [f"held: {reason} on {HOST}"]
    assert "no space is left in the sandbox" in remedy((13, 28), "/out")
    assert "python -m condor resubmit /out --disk N" in remedy((13, 28), "/out")


@pytest.mark.parametrize(
    ("hold", "memory", "released"),
    [
        ((3, 1001), 1024, True),
        ((34, 0), 3600, True),
        ((21, 102), 900, True),
        ((3, 1001), 7200, False),
        ((34, 104), 900, False),
        ((12, 2), 900, False),
        ((1, 0), 900, False),
    ],
)
def test_only_holds_for_memory_are_released_and_up_to_eight_times_the_request(
    hold: tuple[int, int], memory: int, released: bool
) -> None:
    assert is_released(NodeStatus(State.HELD, hold=hold, memory=memory), REQUESTS) is released


@pytest.mark.parametrize(
    ("hold", "option"),
    [
        ((3, 1001), "--memory"),
        ((34, 104), "--disk"),
        ((21, 104), "--disk"),
        ((47, 0), "--minutes"),
        ((12, 28), "--disk"),
    ],
)
def test_the_remedy_of_a_hold_names_the_option(hold: tuple[int, int], option: str) -> None:
    assert f"resubmit /out {option} N" in remedy(hold, "/out")


def test_what_dagman_did() -> None:
    submitted = event("SubmitEvent")
    assert follow_dag([]) == (BatchState.PREPARED, "")
    assert follow_dag([submitted]) == (BatchState.RUNNING, "")
    assert follow_dag([submitted, event("JobHeldEvent", HoldReason="a\n b")]) == (BatchState.HELD, "a b")
    assert follow_dag([submitted, event("JobTerminatedEvent", ReturnValue=0)]) == (BatchState.ENDED, "")
    assert follow_dag([submitted, event("JobTerminatedEvent", ReturnValue=1)])[0] is BatchState.ENDED
    assert follow_dag([submitted, event("JobAbortedEvent")]) == (BatchState.ENDED, "it was removed")
