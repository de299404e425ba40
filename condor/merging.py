"""The merges of a batch: the parts of the jobs become one, level by level."""

from __future__ import annotations

from analysis.errors import ConfigurationError
from analysis.output.merging import merge_parts
from condor.folder import BatchFolder, missing_nodes
from condor.plan import Node, Plan


def merge_node(batch: BatchFolder, name: str, command: str) -> None:
    """Do one merge of a plan.

    Args:
        batch: whose parts these are.
        name: of the merge in the plan.
        command: recorded in run.json.

    Raises:
        NoBatch: there is none.
        ConfigurationError: the plan has no merge of that name.
        DamagedPart: a part is missing, not whole, or not one of this plan; names it.
    """
    plan = batch.read_plan()
    node = plan.named(name)
    if node is None or not node.level:
        raise ConfigurationError(f"--node: the plan has no merge {name!r}; its last one is {plan.result.name}")
    _merge(batch, plan, node, command)


def merge_all(batch: BatchFolder, command: str) -> None:
    """Do all merges of a plan, but for those whose parts are there.

    Args:
        batch: whose parts these are.
        command: recorded in run.json.

    Raises:
        NoBatch, DamagedPart: as `merge_node` says.
    """
    plan = batch.read_plan()
    missing = missing_nodes(plan, lambda node: node.level > 0 and batch.is_whole(plan, node))
    for node in sorted((node for node in missing if node.level), key=lambda node: (node.level, node.number)):
        _merge(batch, plan, node, command)


def _merge(batch: BatchFolder, plan: Plan, node: Node, command: str) -> None:
    parts = [batch.part(plan, child) for child in plan.children(node)]
    merge_parts(parts, batch.part(plan, node), command, node.entries, plan.id, as_part=node != plan.result)
