"""How far a batch is, from the event logs that HTCondor writes: it can be told at any time, without asking the pool."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any

from analysis.console.program import DONE, FAILED_CHECK
from condor.descriptions import OVER_MEMORY
from condor.folder import BatchFolder, Round
from condor.plan import MEMORY_GROWTH, Node, Plan, Requests
from condor.pool import read_events
from plotting.errors import UnreadableResult
from plotting.results.run_record import RUN_JSON, read_run_record

Event = Mapping[str, Any]
"""An event of a job event log: attribute -> value, as HTCondor's bindings read it."""

NO_SPACE = 28
"""ENOSPC, which is the subcode of a hold for want of space."""


class State(StrEnum):
    """What a node of the DAG does."""

    PLANNED = "planned"
    IDLE = "idle"
    RUNNING = "running"
    HELD = "held"
    RETRYING = "retrying"
    DONE = "done"
    FAILED = "failed"
    REMOVED = "removed"


class BatchState(StrEnum):
    """What a round of a batch does as a whole."""

    PREPARED = "prepared, not submitted"
    RUNNING = "running"
    HELD = "on hold"
    ENDED = "ended"


@dataclass
class NodeStatus:
    """What has happened to a node of the DAG.

    Attributes:
        state: at the end of the log.
        host: machine that it runs or ran on last; empty before that, and for a merge.
        reason: why it is held, or how it ended; empty where there is nothing to say.
        incidents: in words, what went otherwise than it should have and was dealt with.
        seconds: that the last run took, once that is over.
        memory: in MB, that it was given last; 0 if unknown.
        hold: code and subcode of the hold that it is in.
    """

    state: State = State.PLANNED
    host: str = ""
    reason: str = ""
    incidents: list[str] = field(default_factory=list)
    seconds: float = 0.0
    memory: int = 0
    hold: tuple[int, int] | None = None
    started: datetime | None = None


def follow(nodes: dict[str, NodeStatus], events: Iterable[Event]) -> None:
    """Bring nodes up to date with the events of the log of one round.

    Args:
        nodes: name of a node -> its status; those that are not there yet are added.
        events: in the order of the log.
    """
    names: dict[int, str] = {}
    for event in events:
        if event["MyType"] == "SubmitEvent" and (note := event.get("LogNotes", "")).startswith("DAG Node: "):
            names[event["Cluster"]] = note.removeprefix("DAG Node: ")
        if name := names.get(event["Cluster"]):
            _advance(nodes.setdefault(name, NodeStatus()), event)


def _advance(node: NodeStatus, event: Event) -> None:
    """Bring a node up to date with one event; after its end only a new submission counts.

    When DAGMan ends, the schedd removes what is its, and may do so with a job that has just ended.
    """
    if node.state in (State.DONE, State.FAILED) and event["MyType"] != "SubmitEvent":
        return
    match event["MyType"]:
        case "SubmitEvent":
            node.state, node.reason = State.IDLE, ""
        case "ExecuteEvent":
            node.state, node.reason, node.started = State.RUNNING, "", _time(event)
            node.host = str(event.get("SlotName", "")).rpartition("@")[2]
            node.memory = int(event.get("ExecuteProps", {}).get("Memory", 0))
        case "JobTerminatedEvent":
            node.seconds = (_time(event) - node.started).total_seconds() if node.started else 0.0
            succeeded = event.get("ReturnValue") == 0
            node.state, node.reason = (State.DONE, "") if succeeded else (State.FAILED, _ending(event))
        case "JobEvictedEvent":
            # What comes as an eviction, too: a job that failed and is tried again.
            failed = event.get("TerminatedAndRequeued", False)
            node.state, node.reason = State.RETRYING, _reason(event, "Reason")
            node.incidents.append(_at(_ending(event) if failed else "evicted", node.host))
        case "ShadowExceptionEvent":
            node.state = State.RETRYING
            node.incidents.append(_at(f"lost: {event.get('Message', 'unknown')}", node.host))
        case "JobHeldEvent":
            reason = _reason(event, "HoldReason")
            if node.state is State.RETRYING and node.reason == reason:  # the log tells it twice
                node.incidents.pop()
            node.state, node.reason = State.HELD, reason
            node.hold = event.get("HoldReasonCode", 0), event.get("HoldReasonSubCode", 0)
            node.incidents.append(_at(f"held: {node.reason}", node.host))
        case "JobReleaseEvent":
            node.state, node.reason, node.hold = State.RETRYING, "", None
        case "JobAbortedEvent":
            node.state, node.reason = State.REMOVED, ""


def _time(event: Event) -> datetime:
    return datetime.fromisoformat(event["EventTime"])


def _reason(event: Event, attribute: str) -> str:
    """Return what HTCondor says in an attribute, in one line."""
    return " ".join(str(event.get(attribute, "")).split())


def _ending(event: Event) -> str:
    """Say how a program ended that did not end well."""
    if "TerminatedBySignal" in event:
        return f"signal {event['TerminatedBySignal']}"
    return f"exit code {event.get('ReturnValue', 'unknown')}"


def _at(what: str, host: str) -> str:
    return f"{what} on {host}" if host else what


def over_memory(hold: tuple[int, int]) -> bool:
    """Whether a hold of this code and subcode is for memory; see the rules in `condor.descriptions`."""
    code, subcode = hold
    return hold in ((3, OVER_MEMORY), (21, 102)) or (code == 34 and subcode != 104)


def is_released(node: NodeStatus, requests: Requests) -> bool:
    """Whether a held job will be released by itself, with more memory."""
    return node.hold is not None and over_memory(node.hold) and node.memory < MEMORY_GROWTH * requests.memory


def remedy(hold: tuple[int, int], folder: str) -> str:
    """Return what helps a job that is held, by the code and the subcode of the hold.

    The codes are those of HTCondor's manual (HoldReasonCode).
    """
    again = f"python -m condor resubmit {folder}"
    code, subcode = hold
    if over_memory(hold):
        return f"it had as much memory as it may get; {again} --memory N gives more"
    if subcode == NO_SPACE or (code in (21, 34) and subcode == 104):
        return f"no space is left in the sandbox; free some, or ask for more: {again} --disk N"
    if code == 47:
        return f"it takes longer than it may; {again} --minutes N gives more"
    if code in (12, 13):
        return f"a file could not be transferred; mend that, then {again}"
    if code == 6:
        return f"its program could not be started; mend that, then {again}"
    return f"mend the cause, then {again}"


def follow_dag(events: Iterable[Event]) -> tuple[BatchState, str]:
    """Return what a round does, by the event log of its DAGMan, and how it ended in words."""
    state, reason = BatchState.PREPARED, ""
    for event in events:
        match event["MyType"]:
            case "SubmitEvent" | "ExecuteEvent" | "JobReleaseEvent" | "JobEvictedEvent":
                state, reason = BatchState.RUNNING, ""
            case "JobHeldEvent":
                state, reason = BatchState.HELD, _reason(event, "HoldReason")
            case "JobTerminatedEvent":
                state, reason = BatchState.ENDED, "" if event.get("ReturnValue") == 0 else "not all nodes succeeded"
            case "JobAbortedEvent":
                state, reason = BatchState.ENDED, "it was removed"
    return state, reason


@dataclass(frozen=True)
class BatchStatus:
    """How far a batch is.

    Attributes:
        batch: folder of the batch.
        plan: plan of the batch.
        round: number of the last round, 0 if there is none.
        state: of that round.
        reason: why it is in that state, in words; empty where there is nothing to say.
        nodes: name -> status, of those of the plan that were sent; all others are planned.
        merged: whether the result is there.
    """

    batch: BatchFolder
    plan: Plan
    round: int
    state: BatchState
    reason: str
    nodes: Mapping[str, NodeStatus]
    merged: bool

    def counts(self, merges: bool) -> Counter[State]:
        """Return how many nodes are in each state, of the merges or of the scoring jobs."""
        prefix, total = ("merge_", sum(self.plan.levels[1:])) if merges else ("score_", self.plan.jobs)
        counts = Counter(node.state for name, node in self.nodes.items() if name.startswith(prefix))
        counts[State.PLANNED] += total - counts.total()
        return counts

    @cached_property
    def done(self) -> list[tuple[Node, NodeStatus]]:
        """The scoring jobs that are done."""
        named = ((self.plan.named(name), status) for name, status in self.nodes.items() if status.state is State.DONE)
        return [(node, status) for node, status in named if node and not node.level]

    @cached_property
    def events_done(self) -> int:
        """Number of events in the jobs that are done."""
        return sum(node.entries[1] - node.entries[0] for node, _ in self.done)

    @property
    def job_rate(self) -> float | None:
        """Events a second of one job, over all that are done, from start to end; None if none is."""
        seconds = sum(status.seconds for _, status in self.done)
        return self.events_done / seconds if seconds else None

    @property
    def seconds_left(self) -> float | None:
        """Time until all jobs are done with as many at a time as run now; None if that cannot be told."""
        running = self.counts(merges=False)[State.RUNNING]
        if self.job_rate is None or not running:
            return None
        return (self.plan.events - self.events_done) / (self.job_rate * running)

    @property
    def exit_code(self) -> int:
        """DONE if all is well or on its way, FAILED_CHECK if somebody has to look after it."""
        stuck = any(
            node.state is State.FAILED or (node.state is State.HELD and not is_released(node, self.plan.requests))
            for node in self.nodes.values()
        )
        ended = self.state in (BatchState.ENDED, BatchState.HELD)
        return FAILED_CHECK if not self.merged and (stuck or ended) else DONE


def read_status(batch: BatchFolder) -> BatchStatus:
    """Read the event logs of a batch.

    Raises:
        NoBatch: there is none.
        NoPool: HTCondor's bindings, which read the logs, are missing.
    """
    plan = batch.read_plan()
    nodes: dict[str, NodeStatus] = {}
    state, reason, number = BatchState.PREPARED, "", 0
    for sent in batch.rounds():
        state, reason = follow_dag(read_events(sent.dagman))
        number = sent.number
        if state is not BatchState.PREPARED:
            _start(nodes, sent)
        follow(nodes, read_events(sent.events))
    return BatchStatus(batch, plan, number, state, reason, nodes, _merged(batch, plan))


def _start(nodes: dict[str, NodeStatus], sent: Round) -> None:
    """Forget what nodes did in earlier rounds that a round sends again."""
    if sent.number > 1:
        for name in sent.nodes:
            nodes.pop(name, None)


def _merged(batch: BatchFolder, plan: Plan) -> bool:
    """Whether the output folder holds this plan's merged result, whose contents a merge has checked."""
    try:
        record = read_run_record(batch.output / RUN_JSON, "")
    except UnreadableResult:
        return False
    return record.plan == plan.id and record.merged is not None


def troubles(status: BatchStatus) -> Iterator[tuple[str, NodeStatus]]:
    """Yield the nodes that have something to tell, nodes that need a person first."""
    order = {State.FAILED: 0, State.HELD: 1, State.REMOVED: 2, State.RETRYING: 3}
    found = ((name, node) for name, node in status.nodes.items() if node.state in order or node.incidents)
    yield from sorted(found, key=lambda item: (order.get(item[1].state, len(order)), item[0]))
