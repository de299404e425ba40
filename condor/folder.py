"""What a batch has on disk: the folder `batch` in the folder of its results."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from analysis.errors import DamagedPart
from analysis.output.parts import check_part
from condor.errors import NoBatch
from condor.plan import Node, Plan

BATCH = "batch"


@dataclass(frozen=True)
class Round:
    """One submission of a batch as a DAG: the first is of all nodes, later ones of those whose parts were not whole.

    Attributes:
        number: from 1.
        dag: the description of the DAG. DAGMan leaves its own files beside it.
    """

    number: int
    dag: Path

    @property
    def events(self) -> Path:
        """The event log of the jobs."""
        return self.dag.with_name(f"{self.dag.name}.nodes.log")

    @property
    def dagman(self) -> Path:
        """The event log of DAGMan itself."""
        return self.dag.with_name(f"{self.dag.name}.dagman.log")

    @property
    def nodes(self) -> Iterator[str]:
        """The names of the nodes of the DAG."""
        with self.dag.open(encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("JOB "):
                    yield line.split()[1]


@dataclass(frozen=True)
class BatchFolder:
    """The files of a batch.

    Attributes:
        output: absolute path of the folder that gets the result.
    """

    output: Path

    @property
    def path(self) -> Path:
        """The folder of all that is the batch's and not the result's."""
        return self.output / BATCH

    def part(self, plan: Plan, node: Node) -> Path:
        """Return the folder of a node's part; that of the last merge is the result."""
        return self.output if node == plan.result else self.path / "parts" / node.name

    def log(self, node: str, stream: str) -> Path:
        """Return the file of what a node's job said on a stream, `out` or `err`."""
        return self.path / "logs" / f"{node}.{stream}"

    def round(self, number: int) -> Round:
        """Return a round by its number, from 1."""
        return Round(number, self.path / f"round_{number:03d}.dag")

    def rounds(self) -> list[Round]:
        """Return all rounds whose DAG is described, in order."""
        found = (re.fullmatch(r"round_(\d+)\.dag", path.name) for path in self.path.glob("round_*.dag"))
        return [self.round(number) for number in sorted(int(name[1]) for name in found if name)]

    def read_plan(self) -> Plan:
        """Read the plan.

        Raises:
            NoBatch: there is none, or it cannot be read.
        """
        path = self.path / "plan.json"
        try:
            return Plan.model_validate_json(path.read_bytes())
        except FileNotFoundError as error:
            raise NoBatch(
                f"{self.output} holds no batch (no {path.relative_to(self.output)}); name the --output folder of "
                "python -m condor submit"
            ) from error
        except OSError as error:
            raise NoBatch(f"cannot read {path}: {error.strerror}; check its permissions") from error
        except ValidationError as error:
            raise NoBatch(f"{path} is damaged: {error.errors()[0]['msg']}; submit into another folder") from error

    def is_whole(self, plan: Plan, node: Node) -> bool:
        """Whether a node's part is there, undamaged and of this plan."""
        try:
            check_part(self.part(plan, node), node.entries, plan.id)
        except DamagedPart:
            return False
        return True


def missing_nodes(plan: Plan, is_whole: Callable[[Node], bool]) -> set[Node]:
    """Return the nodes that have to run for the result to be whole.

    Below a merge whose part is whole, nothing is looked at.
    """
    missing: set[Node] = set()

    def visit(node: Node) -> None:
        if is_whole(node):
            return
        missing.add(node)
        if node.level:
            for child in plan.children(node):
                visit(child)

    visit(plan.result)
    return missing
