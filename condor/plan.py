"""The plan of a batch: which job scores which entries, and which merge joins which parts.

A plan is a tree. Its leaves are scoring jobs, each of a range of entries of the sample; each node above them merges
neighbours, and the last merge gives the result. All of it follows from a few numbers, so that a plan of a million jobs
takes no more memory than one of eight.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Container, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

FAN_IN = 200
"""Parts that one merge joins, at most."""

MEMORY_GROWTH = 8
"""How much more memory than it asks for a job may end up with."""

MERGES_AT_ONCE = 2
"""Merges that run at a time: they run on the machine that the batch was submitted from."""

_DIGITS = 6
_NAME = re.compile(r"score_(?P<job>\d+)|merge_(?P<level>\d+)_(?P<merge>\d+)")


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Requests(_Table):
    """What a scoring job asks of the pool.

    Attributes:
        memory: in MB; a job that needs more gets twice that, up to MEMORY_GROWTH times as much.
        disk: of the sandbox, in MB.
        minutes: that the job may take.
        retries: of a job that fails.
    """

    memory: PositiveInt
    disk: PositiveInt
    minutes: PositiveInt
    retries: Annotated[int, Field(ge=0)]


class PlannedFile(_Table):
    """A file of the sample: its path or `root://` address, and the events in it."""

    path: str
    events: Annotated[int, Field(ge=0)]


@dataclass(frozen=True, slots=True)
class Node:
    """A scoring job (level 0) or a merge of nodes of the level below.

    Attributes:
        level: 0, or how many merges lie between the node's part and the jobs'.
        number: from 1, among the nodes of its level.
        name: in the DAG, in the event log, and of the folder of its part.
        entries: of the sample that its part holds, half-open.
    """

    level: int
    number: int
    name: str
    entries: tuple[int, int]


class Plan(_Table):
    """How the entries of a sample become jobs and merges.

    Attributes:
        id: follows from all that decides what the parts hold; a part of another plan is not merged.
        sample: name of the sample.
        entries: of the sample, half-open.
        jobs: that share them evenly.
        fan_in: parts that one merge joins, at most.
        files: of the sample, if HTCondor copies to each job those that it reads; none if jobs read them where they lie.
        python: of the jobs; this and the requests do not decide what the parts hold.
        requests: of each job.
    """

    id: str
    sample: str
    entries: tuple[int, int]
    jobs: PositiveInt
    fan_in: Annotated[int, Field(ge=2)] = FAN_IN
    files: tuple[PlannedFile, ...] = ()
    python: str
    requests: Requests

    @model_validator(mode="after")
    def _no_empty_job(self) -> Self:
        if self.jobs > self.events:
            raise ValueError(f"{self.jobs} jobs for {self.events} events; ask for fewer")
        return self

    @property
    def events(self) -> int:
        """Number of events in all jobs."""
        return self.entries[1] - self.entries[0]

    @cached_property
    def levels(self) -> tuple[int, ...]:
        """Number of nodes of each level: the jobs, then merges, at last a single one."""
        levels = [self.jobs]
        while len(levels) == 1 or levels[-1] > 1:
            levels.append(-(-levels[-1] // self.fan_in))
        return tuple(levels)

    @property
    def result(self) -> Node:
        """The last merge, whose part is the result of the batch."""
        return self.node(len(self.levels) - 1, 1)

    def node(self, level: int, number: int) -> Node:
        """Return a node of the tree."""
        digits = max(_DIGITS, len(str(self.jobs)))
        kind = f"merge_{level}" if level else "score"
        first, last = number - 1, number
        for above in range(level, 0, -1):
            first, last = (self._split(above - 1, above, i) for i in (first, last))
        start = self.entries[0]
        shares = (start + self.events * i // self.jobs for i in (first, last))
        return Node(level, number, f"{kind}_{number:0{digits}d}", (next(shares), next(shares)))

    def named(self, name: str) -> Node | None:
        """Return the node of a name, or None if the plan has none of that name."""
        found = _NAME.fullmatch(name)
        if not found:
            return None
        level, number = int(found["level"] or 0), int(found["job"] or found["merge"])
        if not (level < len(self.levels) and 1 <= number <= self.levels[level]):
            return None
        node = self.node(level, number)
        return node if node.name == name else None

    def nodes(self, level: int) -> Iterator[Node]:
        """Yield the nodes of a level, in the order of their entries."""
        return (self.node(level, number) for number in range(1, self.levels[level] + 1))

    def children(self, merge: Node) -> Iterator[Node]:
        """Yield the nodes whose parts a merge joins, in the order of their entries."""
        below = merge.level - 1
        first, last = (self._split(below, merge.level, i) for i in (merge.number - 1, merge.number))
        return (self.node(below, number) for number in range(first + 1, last + 1))

    def _split(self, below: int, level: int, i: int) -> int:
        """Return how many nodes of the level below belong to the first `i` of a level."""
        return self.levels[below] * i // self.levels[level]

    def files_of(self, node: Node) -> tuple[str, ...]:
        """Return the paths of the files that hold a node's entries and are to be copied: none from a server."""
        first, last = node.entries
        holding = self.files[bisect_right(self._ends, first) : bisect_right(self._ends, last - 1) + 1]
        return tuple(file.path for file in holding if "://" not in file.path)

    @cached_property
    def _ends(self) -> list[int]:
        """Return, for each file, the number of events up to its end."""
        return list(accumulate(file.events for file in self.files))


def dag_lines(plan: Plan, wanted: Container[Node] | None = None) -> Iterator[str]:
    """Yield the lines of a DAG description for DAGMan, one by one.

    Args:
        plan: of the batch.
        wanted: the nodes that are to run, all of them if None; of the others the parts are there.
    """

    def chosen(nodes: Iterator[Node]) -> Iterator[Node]:
        return nodes if wanted is None else (node for node in nodes if node in wanted)

    yield f"# Batch {plan.id}: entries {plan.entries[0]}:{plan.entries[1]} of {plan.sample} in {plan.jobs} jobs.\n"
    for node in chosen(plan.nodes(0)):
        yield f"JOB {node.name} score.sub\n"
        files = "".join(f", {path}" for path in plan.files_of(node))
        yield f'VARS {node.name} entries="{node.entries[0]}:{node.entries[1]}" files="{files}"\n'
    yield f"MAXJOBS merge {MERGES_AT_ONCE}\n"
    for level in range(1, len(plan.levels)):
        for merge in chosen(plan.nodes(level)):
            yield f"JOB {merge.name} merge.sub\nCATEGORY {merge.name} merge\n"
            if parents := " ".join(node.name for node in chosen(plan.children(merge))):
                yield f"PARENT {parents} CHILD {merge.name}\n"
