"""All figures of a run or an evaluation, drawn by as many processes as there are cores.

The processes can be started early, so that they are ready when there is something to draw. They are no forks, since
a caller may have ROOT's threads; and they do not import the caller's main module, as those of `multiprocessing` would,
since that may import ROOT. This module itself imports no matplotlib.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from plotting.errors import PlottingError, WorkerDied
from rdf.drafts import remove_drafts, remove_orphans

_MOST = 8  # processes; each takes a second to start and 250 MB, and there are some thirty figures to share
_PATIENCE = 5.0  # seconds that a process has to end


def draw_figures(folder: Path, progress: Callable[[str], None], workers: Workers | None = None) -> list[Path]:
    """Draw all figures of a run or of an evaluation into `folder`/figures, each as PNG and PDF.

    Args:
        folder: what a run left, with `run.json` and `histograms.root`, or an evaluation, with `metrics.json`.
        progress: is told the name of each figure once it is on disk, in the order of the figures.
        workers: who draw, and know afterwards which figures failed; started for these figures alone if None. After
            an error they are of no more use.

    Returns:
        The files written, in the order of the figures.

    Raises:
        MissingResult: something that should have been left is not there.
        UnreadableResult: a file is truncated or damaged.
        WorkerDied: all processes ended before there was a figure.
    """
    if workers is None:
        with Workers() as workers:
            return workers.draw(folder, progress)
    return workers.draw(folder, progress)


class Workers:
    """Processes that draw figures; they start with this object and get ready while the caller does something else.

    To be used as a context, at whose end they end. They end, too, when the caller is killed.

    Attributes:
        drawn: names of the figures that they drew last.
        failed: names of the figures that they could not draw, each with the reason.
    """

    def __init__(self, number: int | None = None) -> None:
        """Start the processes.

        Args:
            number: of processes; as many as cores, up to eight, if None.
        """
        if number is None:
            number = min(len(os.sched_getaffinity(0)), _MOST)
        self._workers = [_Worker() for _ in range(number)]
        self._folder: Path | None = None
        self.drawn: list[str] = []
        self.failed: dict[str, str] = {}

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.process.terminate()
        for worker in self._workers:
            worker.end()
            if self._folder is not None:
                remove_drafts(self._folder / "figures", worker.process.pid)

    def draw(self, folder: Path, progress: Callable[[str], None]) -> list[Path]:
        """Draw all figures of a folder, as `draw_figures` says; a figure that fails does not keep others from it."""
        self._folder, self.drawn, self.failed = folder, [], {}
        remove_orphans(folder / "figures")
        names, idle = self._begin(folder)
        left, untold = list(reversed(names)), list(reversed(names))
        busy: dict[Any, tuple[_Worker, str]] = {}
        written: dict[str, list[Path]] = {}
        ended: WorkerDied | None = None
        while untold:
            while idle and left:
                worker = idle.pop()
                busy[worker.connection] = worker, left.pop()
                worker.ask(busy[worker.connection][1])
            if not busy:  # all processes have ended
                self.failed |= dict.fromkeys(left, str(ended))
                left.clear()
            for connection in wait(list(busy)) if busy else ():  # without connections `wait` would not return
                worker, name = busy.pop(connection)
                try:
                    _, written[name] = worker.answer(folder)
                    idle.append(worker)
                except WorkerDied as error:
                    self.failed[name], ended = str(error), error
                except PlottingError as error:
                    self.failed[name] = str(error)
                    idle.append(worker)
            while untold and (untold[-1] in written or untold[-1] in self.failed):
                if (name := untold.pop()) in written:
                    self.drawn.append(name)
                    progress(name)
        return [path for name in self.drawn for path in written[name]]

    def _begin(self, folder: Path) -> tuple[list[str], list[_Worker]]:
        """Have all processes read a folder, and return the names of its figures and the processes that are there.

        Raises:
            MissingResult, UnreadableResult, WorkerDied: as `draw_figures` says.
        """
        for worker in self._workers:
            worker.ask(folder)
        names: list[str] = []
        ready: list[_Worker] = []
        ended: WorkerDied | None = None
        for worker in self._workers:
            try:
                names = worker.answer(folder)
                ready.append(worker)
            except WorkerDied as error:
                ended = error
        if ended and not ready:
            raise ended
        return names, ready


class _Worker:
    """One process: `plotting.drawing.worker`, and the connection to it."""

    def __init__(self) -> None:
        self.connection, theirs = Pipe()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "plotting.drawing.worker", str(theirs.fileno())],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path or os.curdir for path in sys.path)},
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                process_group=0,  # Ctrl-C reaches the caller alone, who then ends this process
            )

    def ask(self, request: Path | str) -> None:
        """Ask for the names of the figures of a folder, or for one of them."""
        with suppress(ConnectionError):  # the process has ended, as the missing answer tells
            self.connection.send(request)

    def answer(self, folder: Path) -> Any:
        """Return the answer, or raise the error that is the answer.

        Raises:
            WorkerDied: there is none.
        """
        try:
            answer = self.connection.recv()
        except (EOFError, ConnectionError):
            code = self.process.wait()
            remove_drafts(folder / "figures", self.process.pid)
            end = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
            raise WorkerDied(
                f"{folder}: a process that draws its figures {end}, for want of memory perhaps; free some and repeat"
            ) from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def end(self) -> None:
        """Wait for the end of the process, which has been told to end."""
        self.connection.close()
        try:
            self.process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
