"""Merging of a watch's parts: a growing number of parts is put together to fewer, and all parts to the result."""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from pathlib import Path

from analysis.live.board import Board
from analysis.live.parts import ScoredPart, ScoredParts
from analysis.live.scorer import Merging, make_merger
from analysis.live.staging import Staging
from analysis.live.worker import Answer, WorkerDied
from analysis.live.workers import Workers
from analysis.output.folder import publish
from plotting.errors import UnreadableResult
from plotting.results.run_record import RUN_JSON, RunRecord, read_run_record
from rdf.errors import NoEvents

QUICK = 100_000_000
"""Bytes of events that can be merged between two event loops: in less than a second."""
PAUSE = 4
"""After a merge of t seconds the next one waits PAUSE * t, so that a growing result is not copied all the time."""


class PartMerging:
    """Merges parts: quick merges in the process that scores, others in one of their own.

    Attributes:
        published: number of the parts' entries that the result in the output folder holds.
    """

    def __init__(
        self, parts: ScoredParts, workers: Workers, staging: Staging, output: Path, command: str, board: Board
    ) -> None:
        """Begin with the result that an earlier watch left.

        Args:
            parts: the parts to be merged.
            workers: whose scoring process merges between two chunks.
            staging: for what is not merged yet.
            output: folder of the result.
            command: recorded in run.json.
            board: is told what hinders the merging.
        """
        self._parts, self._workers, self._staging = parts, workers, staging
        self._output, self._command, self._board = output, command, board
        self._between_chunks = False
        self._task: Merging | None = None
        self._merged: list[ScoredPart] = []
        self._begun, self._ended = 0.0, 0.0
        self._seconds = 0.0
        self.published = self._entries_published()

    def _entries_published(self) -> int:
        first = next(iter(self._parts), None)
        with suppress(UnreadableResult):
            result = read_run_record(self._output / RUN_JSON, "")
            record = first.record() if first else None
            if result.merged and record and _scored_alike(result, record):
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

    def begin(self, whole: bool, nothing_to_score: bool) -> None:
        """Merge parts that have become many; or, when there is nothing else to do, all of them to the result.

        Args:
            whole: whether all that there will be is scored: the result is not waited for.
            nothing_to_score: whether the process that scores has nothing to do.
        """
        if self._task is not None or self._workers.paused:
            return
        if few := self._parts.to_merge():
            self._merge(few, as_part=True, between_chunks=False)
        elif self.behind and nothing_to_score and (whole or time.monotonic() - self._ended > PAUSE * self._seconds):
            self._merge(list(self._parts), as_part=False, between_chunks=self._parts.size <= QUICK)

    def finish(self, until: float) -> None:
        """Bring the result up to date if that can be done by this time of `time.monotonic`."""
        while self.behind and time.monotonic() < until:
            if self._task is None:
                if not self._workers.scorer.is_idle or self._parts.size > QUICK:
                    return
                self._merge(list(self._parts), as_part=False, between_chunks=True)
            elif not self._between_chunks:
                return
            self._workers.take_answers(max(until - time.monotonic(), 0))

    def _merge(self, parts: list[ScoredPart], as_part: bool, between_chunks: bool) -> None:
        """Have parts merged, by the process that scores if it is between two chunks, or else by one of its own."""
        self._merged, self._begun, self._between_chunks = parts, time.monotonic(), between_chunks
        folders = tuple(part.folder for part in parts)
        self._task = Merging(folders, self._staging.new("merge"), self._output, self._command, as_part)
        if between_chunks:
            self._workers.scorer.ask(self._task, self._take)
        else:
            self._workers.merge(make_merger, self._task, self._take)

    def _take(self, answer: Answer) -> None:
        """Put what was merged in its place, or say what hindered it."""
        task = self._task
        assert task is not None
        end = self._merged[-1].entries[1]
        try:
            answer()
            if task.as_part:
                self._parts.replace(self._merged, task.folder)
            else:
                publish(task.folder, self._output)
                self.published = end
        except NoEvents:
            self.published = end  # there is no result until an event has passed the cuts
        except Exception as error:  # noqa: BLE001 - the parts are there, and new files may come
            self._board.complain(f"parts are not merged: {error}")
            self._workers.pause()
            if self._between_chunks and isinstance(error, WorkerDied):
                self._workers.restart()
        finally:
            shutil.rmtree(task.folder, ignore_errors=True)
            self._task = None
            self._ended = time.monotonic()
            self._seconds = self._ended - self._begun
            if not self._between_chunks:
                self._workers.end_merging()


def _scored_alike(one: RunRecord, other: RunRecord) -> bool:
    return (one.models_sha256, one.features) == (other.models_sha256, other.features)
