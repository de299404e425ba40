"""Merging of a watch's parts: of those that have become many to fewer, and of all of them to the result."""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path

from analysis.live.board import Board
from analysis.live.chunks import ChunkScoring
from analysis.live.parts import ScoredPart, ScoredParts
from analysis.live.scorer import Merging, make_merger
from analysis.live.staging import Staging
from analysis.live.worker import Worker, WorkerDied
from analysis.output.folder import publish
from plotting.errors import UnreadableResult
from plotting.results.run_record import RUN_JSON, RunRecord, read_run_record
from rdf.errors import NoEvents

QUICK = 100_000_000
"""Bytes of events that can be merged between two event loops: in less than a second."""
SPARED = 4
"""Times as long as a merge took nothing is merged after it: a result that grows is not copied all the time."""


class PartMerging:
    """Merges parts: quick merges in the process that scores, others in one of their own.

    Attributes:
        published: number of the parts' entries that the result in the output folder holds.
    """

    def __init__(
        self, parts: ScoredParts, scoring: ChunkScoring, staging: Staging, output: Path, command: str, board: Board
    ) -> None:
        """Begin with the result that an earlier watch left.

        Args:
            parts: to be merged.
            scoring: whose process merges between two chunks.
            staging: for what is not merged yet.
            output: folder of the result.
            command: recorded in run.json.
            board: is told what hinders the merging.
        """
        self._parts, self._scoring, self._staging = parts, scoring, staging
        self._output, self._command, self._board = output, command, board
        self._worker: Worker | None = None
        self._task: Merging | None = None
        self._merged: list[ScoredPart] = []
        self._begun, self._ended = 0.0, 0.0
        self._seconds = 0.0
        self.published = self._entries_published()

    def _entries_published(self) -> int:
        first = next(iter(self._parts), None)
        with suppress(UnreadableResult):
            result = read_run_record(self._output / RUN_JSON, "")
            of_part = first.record() if first else None
            if result.merged and of_part and _scored_alike(result, of_part):
                return min(result.entries[1], self._parts.entries)
        return 0

    @property
    def behind(self) -> int:
        """Number of the parts' entries that the result does not hold yet."""
        return self._parts.entries - self.published

    @property
    def at_work(self) -> bool:
        """Whether something is being merged."""
        return self._task is not None

    @property
    def connections(self) -> list[Connection]:
        """What becomes ready when the process that only merges has an answer; none where there is no such process."""
        return [] if self._worker is None else [self._worker.connection]

    def begin(self, whole: bool) -> None:
        """Merge parts that have become many; or, when there is nothing else to do, all of them to the result.

        Args:
            whole: whether all that there will be is scored: the result is not waited for.
        """
        if self._task is not None or self._scoring.paused:
            return
        if few := self._parts.to_merge():
            self._ask(Worker(make_merger), few, as_part=True)
        elif self.behind and self._scoring.idle and (whole or time.monotonic() - self._ended > SPARED * self._seconds):
            quick = self._parts.size <= QUICK
            self._ask(self._scoring.worker if quick else Worker(make_merger), list(self._parts), as_part=False)

    def finish(self, until: float) -> None:
        """Bring the result up to date if that can be done by this time of `time.monotonic`."""
        while self.behind and time.monotonic() < until:
            worker = self._scoring.worker
            if worker.task is None:
                if self._parts.size > QUICK:
                    return
                self._ask(worker, list(self._parts), as_part=False)
            elif not isinstance(worker.task, Merging):
                return
            if wait([worker.connection], timeout=max(until - time.monotonic(), 0)):
                self.take(worker)

    def _ask(self, worker: Worker, parts: list[ScoredPart], as_part: bool) -> None:
        self._merged, self._begun = parts, time.monotonic()
        folders = tuple(part.folder for part in parts)
        self._task = Merging(folders, self._staging.new("merge"), self._output, self._command, as_part)
        if worker is self._scoring.worker:
            worker.ask(self._task)
        else:
            self._worker = worker

    def take_answer(self) -> None:
        """Take what the process that only merges has to say."""
        if self._worker is not None:
            self.take(self._worker)

    def take(self, worker: Worker) -> None:
        """Put what a process has merged in its place."""
        task = self._task
        if task is None:
            return
        if worker.task == "start":
            worker.answer()
            worker.ask(task)
            return
        end = self._merged[-1].entries[1]
        try:
            worker.answer()
            if task.as_part:
                self._parts.replace(self._merged, task.folder)
            else:
                publish(task.folder, self._output)
                self.published = end
        except NoEvents:
            self.published = end  # there is no result until an event has passed the cuts
        except Exception as error:  # noqa: BLE001 - the parts are there, and new files may come
            self._board.complain(f"parts are not merged: {error}")
            self._scoring.pause()
            if worker is self._scoring.worker and isinstance(error, WorkerDied):
                self._scoring.restart()
        finally:
            shutil.rmtree(task.folder, ignore_errors=True)
            self._task = None
            self._ended = time.monotonic()
            self._seconds = self._ended - self._begun
            if worker is self._worker:
                self.end()

    def end(self) -> None:
        """End the process that only merges."""
        if self._worker is not None:
            self._worker.kill()
            self._worker = None


def _scored_alike(one: RunRecord, other: RunRecord) -> bool:
    return (one.models_sha256, one.features) == (other.models_sha256, other.features)
