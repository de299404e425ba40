"""What `submit` and `status` print."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from analysis.console.program import output_console
from analysis.console.summary import UNWRAPPED, print_rows, rows
from condor.folder import BatchFolder
from condor.plan import Plan
from condor.status import BatchState, BatchStatus, NodeStatus, State, is_released, remedy, troubles

LISTED = 20
"""Nodes that `status` has a line for, at most."""

_STYLES = {State.FAILED: "bold red", State.HELD: "yellow", State.REMOVED: "yellow", State.RETRYING: "yellow"}


def print_submission(batch: BatchFolder, plan: Plan) -> None:
    """Print what was planned and submitted, and what comes next."""
    requests, merges = plan.requests, sum(plan.levels[1:])
    per_job = -(-plan.events // plan.jobs)
    table = rows()
    table.add_row("sample", f"{plan.sample}, entries {plan.entries[0]:,} to {plan.entries[1]:,}")
    table.add_row("jobs", f"{plan.jobs:,} of {per_job:,} events each")
    table.add_row("merges", f"{merges:,}, each of at most {plan.fan_in} parts")
    asks = f"{requests.memory:,} MB of memory, {requests.disk:,} MB of disk, {requests.minutes:,} minutes"
    table.add_row("each asks for", f"1 core, {asks}; {requests.retries} retries")
    table.add_row("plan", f"{plan.id} in {batch.path}")
    table.add_row("result", f"will be in {batch.output}")
    table.add_row("next", f"python -m condor status {batch.output}")
    print_rows(table)


def print_status(status: BatchStatus) -> None:
    """Print how far a batch is, what happened to its jobs, and what can be done."""
    plan, batch = status.plan, status.batch
    table = rows()
    table.add_row("batch", f"{batch.output}: {plan.events:,} events of {plan.sample} in {plan.jobs:,} jobs")
    table.add_row("state", _state(status))
    table.add_row("events", _progress(status))
    print_rows(table)
    _print(_counts(status))
    found = list(troubles(status))
    for name, node in found[:LISTED]:
        _print(Text(f"{name} ") + _story(status, name, node))
    if len(found) > LISTED:
        _print(Text(f"... and {len(found) - LISTED:,} more; {batch.path / 'logs'} has what each said"))


def say(message: str) -> None:
    """Print a line."""
    _print(Text(message))


def _print(what: Table | Text) -> None:
    console = output_console()
    if not console.is_terminal:
        console.width = UNWRAPPED
    console.print(what, highlight=False, soft_wrap=isinstance(what, Text))


def _state(status: BatchStatus) -> Text:
    """Say what the batch does, and what there is to be done."""
    output = status.batch.output
    again = f"python -m condor resubmit {output} sends what is missing"
    if status.merged:
        return Text(f"done: the result is in {output}", style="green")
    match status.state:
        case BatchState.PREPARED:
            return Text(f"{status.state}; {again}", style="yellow")
        case BatchState.RUNNING:
            return Text(f"{status.state}, round {status.round}")
        case BatchState.HELD:
            return Text(f"its DAGMan is {status.state}: {status.reason}; condor_release lets it go on", style="yellow")
        case BatchState.ENDED:
            return Text(
                f"{status.state} without its result, {status.reason or 'its merge left none'}; {again}", "bold red"
            )


def _progress(status: BatchStatus) -> str:
    done, rate, left = status.events_done, status.job_rate, status.seconds_left
    progress = f"{done:,} of {status.plan.events:,} ({done / status.plan.events:.0%})"
    if rate is not None:
        running = status.counts(merges=False)[State.RUNNING]
        progress += f"; {rate:,.0f} events/s a job"
        progress += f", {rate * running:,.0f} events/s in all" if running else ""
    return progress if left is None else f"{progress}; about {_duration(left)} left"


def _duration(seconds: float) -> str:
    """Write a time in two units at most, as in 3 h 20 min."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes} min" if hours else f"{minutes} min"


def _counts(status: BatchStatus) -> Table:
    counts = {kind: status.counts(merges=kind == "merges") for kind in ("jobs", "merges")}
    shown = [s for s in State if s is not State.REMOVED or any(counted[s] for counted in counts.values())]
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("")
    for state in shown:
        table.add_column(state.value, justify="right")
    for kind, counted in counts.items():
        table.add_row(kind, *(Text(f"{counted[s]:,}", _STYLES.get(s, "") if counted[s] else "dim") for s in shown))
    return table


def _story(status: BatchStatus, name: str, node: NodeStatus) -> Text:
    """Say how a node is, what happened to it before, and what helps."""
    text = Text(node.state.value, style=_STYLES.get(node.state, ""))
    before = list(node.incidents)
    if node.state is State.FAILED:
        text.append(f": {node.reason}{f' on {node.host}' if node.host else ''}: {_last_words(status, name)}")
    elif node.state is State.HELD and node.hold is not None:
        text.append(f": {before.pop().removeprefix('held: ')}; ")
        released = is_released(node, status.plan.requests)
        text.append("it will be released with more memory" if released else remedy(node.hold, str(status.batch.output)))
    if before:
        text.append(f" (before: {'; '.join(before)})", style="dim")
    return text


def _last_words(status: BatchStatus, name: str) -> str:
    """Return the last line that a node's job wrote to stderr."""
    log = status.batch.log(name, "err")
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return f"it left no {log}"
    return next((line.strip() for line in reversed(lines) if line.strip()), f"{log} is empty")
