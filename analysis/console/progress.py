"""What a program shows while it works: bars with rates and the time left, on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from analysis.console.program import check_interruption


class RateColumn(ProgressColumn):
    """Work done and work a second, as in "21,726 / 21,726 events, 34,500/s"."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self.unit = unit

    def render(self, task: Task) -> Text:
        """Write the column of a task."""
        if task.total is None or not task.completed:
            return Text("")
        rate = f", {task.speed:,.0f}/s" if task.speed else ""
        return Text(f"{task.completed:,.0f} / {task.total:,.0f} {self.unit}{rate}")


class Move(Protocol):
    """Moves a bar; one that is given another description starts anew."""

    def __call__(self, done: int, total: int, what: str | None = None) -> None: ...  # noqa: D102


@contextmanager
def progress_bar(console: Console, description: str, unit: str) -> Iterator[Move]:
    """Show a bar while the block runs, and yield what moves it.

    Whoever moves it learns there of an interruption that PyROOT has swallowed.
    """
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=12),
        RateColumn(unit),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(description, total=None)

        def move(done: int, total: int, what: str | None = None) -> None:
            check_interruption()
            if what not in (None, progress.tasks[0].description):
                progress.reset(task, description=what, total=None)
            if done:
                progress.update(task, completed=done, total=total)

        yield move
        # A bar that nothing ever moved has nothing to say.
        progress.update(task, visible=progress.tasks[0].total is not None)


@contextmanager
def spinner(console: Console, description: str) -> Iterator[Callable[[str], None]]:
    """Show that something goes on whose end cannot be told, and yield what changes its description."""
    with Progress(SpinnerColumn(), TextColumn("{task.description}", markup=False), console=console) as progress:
        task = progress.add_task(description, total=None)
        yield lambda text: progress.update(task, description=text)
        progress.update(task, total=1, completed=1)
