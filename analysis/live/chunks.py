"""Chunks: what goes through one event loop of a watch, and what becomes of it when that fails."""

from __future__ import annotations

import shutil
import time
from collections import deque
from dataclasses import dataclass, replace

from analysis.errors import DataError, OutputFolderError
from analysis.live.arrivals import Arrival, Arrivals, state_of
from analysis.live.board import Board
from analysis.live.parts import ScoredParts
from analysis.live.report import LiveReport
from analysis.live.scorer import Refused, Scored, Scoring, Setup, WatchedColumns
from analysis.live.staging import Staging
from analysis.live.worker import Worker, WorkerDied
from analysis.samples.inputs import InputFile
from rdf.errors import CacheUnusable

SUSPECTS = 20
"""Chunks over which a scorer has died that are remembered."""
GROWTH = 1_000_000_000
"""Bytes by which a scorer's memory may grow until another one takes its place: what Cling compiles, it keeps."""
PATIENCE = 5.0
"""Seconds until what the disk had no room for is tried again."""
REPLAY_STEP = 1.0
"""Seconds of which the events of a replay come together, at least."""


@dataclass(frozen=True)
class Chunk:
    """What goes through one event loop.

    Attributes:
        files: to be scored; none in a replay.
        entries: of a replay; None otherwise.
        since: when the first of these entries came, by `time.monotonic`.
    """

    files: tuple[Arrival, ...] = ()
    entries: tuple[int, int] | None = None
    since: float = 0.0

    @property
    def arrived(self) -> tuple[float, ...]:
        """When the files came, or the first of the entries."""
        return tuple(file.seen for file in self.files) or (self.since,)

    def halves(self) -> tuple[Chunk, Chunk]:
        """Return the first and the second half of the files."""
        middle = len(self.files) // 2
        return replace(self, files=self.files[:middle]), replace(self, files=self.files[middle:])


class Replay:
    """The entries of a sample, which come at a rate.

    Attributes:
        events: of the sample; None until it is open.
    """

    def __init__(self, rate: float, before: int) -> None:
        """Take a rate in events a second, and the entries that an earlier watch has scored."""
        self._rate, self._before = rate, before
        self._begin = 0.0
        self.events: int | None = None

    def begin(self, events: int) -> None:
        """Let them come from now on; but for the first time nothing changes."""
        if self.events is None:
            self.events, self._begin = events, time.monotonic()

    def due(self, done: int) -> tuple[Chunk, ...]:
        """Return what has come since the entries that are scored; nothing until it is worth an event loop."""
        if self.events is None:
            return ()
        now = time.monotonic()
        end = min(int((now - self._begin) * self._rate) + self._before, self.events)
        since = self._begin + (done - self._before) / self._rate
        if end > done and (end == self.events or now - since >= REPLAY_STEP):
            return (Chunk(entries=(done, end), since=since),)
        return ()


class ChunkScoring:
    """Scores one chunk after the other, in a process that is replaced when it has died or grown too large.

    Attributes:
        worker: the process; what it is given to do besides is not taken by this.
        queue: chunks that come next.
        chunk: that is scored now, if any.
    """

    def __init__(
        self,
        setup: Setup,
        staging: Staging,
        parts: ScoredParts,
        arrivals: Arrivals | None,
        replay: Replay | None,
        board: Board,
        report: LiveReport,
    ) -> None:
        """Start the process.

        Args:
            setup: of the process.
            staging: for results that are not committed yet.
            parts: that what is scored is committed to.
            arrivals: where the files come from; None in a replay.
            replay: that is begun when the sample is open; None otherwise.
            board: is told what hinders the scoring.
            report: is told of each part.
        """
        self._setup, self._staging, self._parts = setup, staging, parts
        self._arrivals, self._replay, self._board, self._report = arrivals, replay, board, report
        first = next(iter(parts), None)
        self._like = WatchedColumns.of(first.record()) if first else None
        self.worker = Worker(setup)
        self.queue: deque[Chunk] = deque()
        self.chunk: Chunk | None = None
        self._folder = staging.new("chunk")
        self._suspects: deque[Chunk] = deque(maxlen=SUSPECTS)
        self._memory = 0
        self._again_at = 0.0
        self._trouble = ""

    @property
    def idle(self) -> bool:
        """Whether there is nothing to score, and the process waits."""
        return not self.queue and self.chunk is None and self.worker.task is None

    @property
    def paused(self) -> bool:
        """Whether something failed just now that may go better in a while."""
        return time.monotonic() < self._again_at

    def pause(self) -> None:
        """Begin nothing for a while."""
        self._again_at = time.monotonic() + PATIENCE

    def restart(self) -> None:
        """Replace the process."""
        self.worker.kill()
        self.worker = Worker(self._setup)

    def begin(self) -> None:
        """Begin with the next chunk if the process waits."""
        if self.worker.task is not None or not self.queue or self.paused:
            return
        self.chunk = self.queue.popleft()
        self._folder = self._staging.new("chunk")
        files = tuple(InputFile(str(file.path), file.state.size, file.sha256) for file in self.chunk.files)
        self.worker.ask(Scoring(self._folder, files, self._parts.entries, self.chunk.entries, self._like))

    def take_answer(self) -> None:
        """Take what the process has to say: that it has started, what it has scored, or that it has died.

        Raises:
            AnalysisError, rdf.errors.*, models.errors.*: it cannot start, or the sample cannot be replayed.
        """
        if self.worker.task == "start":
            self._take_start()
        elif self.chunk is None:
            self.restart()  # nobody asked: it has died
        else:
            chunk, self.chunk = self.chunk, None
            try:
                self._take_scored(chunk)
            finally:
                shutil.rmtree(self._folder, ignore_errors=True)
            if self.worker.task is None and self.worker.memory > self._memory + GROWTH:
                self.restart()

    def _take_start(self) -> None:
        self.worker.answer()
        if self._replay is not None:
            self.worker.ask(None)
            self._replay.begin(int(self.worker.answer()))
        self._memory = self.worker.memory

    def _take_scored(self, chunk: Chunk) -> None:
        try:
            answer = self.worker.answer()
        except (CacheUnusable, OutputFolderError, OSError) as error:
            self._wait_for_room(chunk, str(error))
        except WorkerDied as error:
            self.restart()
            if len(chunk.files) == 1 and chunk not in self._suspects:  # it may have been killed
                self._suspects.append(chunk)
                self.queue.appendleft(chunk)
            else:
                self._blame(chunk, str(error))
        except Exception as error:
            if self._arrivals is None:
                raise
            self._blame(chunk, str(error))
        else:
            self._trouble = ""
            if isinstance(answer, Refused):
                self._refuse(chunk, answer)
            else:
                self._commit(chunk, answer)

    def _wait_for_room(self, chunk: Chunk, reason: str) -> None:
        if reason != self._trouble:
            self._board.complain(f"{reason}; waiting for it")
        self._trouble = reason
        self.queue.appendleft(chunk)
        self.pause()

    def _blame(self, chunk: Chunk, reason: str) -> None:
        """Find out which file of a chunk cannot be scored: halves are tried, down to single files."""
        if self._arrivals is None:
            raise DataError(f"{self._setup.data.title}: {reason}")
        if len(chunk.files) > 1:
            self.queue.extendleft(reversed(chunk.halves()))
        else:
            self._arrivals.set_aside(chunk.files[0], reason)

    def _refuse(self, chunk: Chunk, refused: Refused) -> None:
        assert self._arrivals is not None
        for file in chunk.files:
            if reason := refused.reasons.get(str(file.path)):
                self._arrivals.set_aside(file, reason)
        if rest := tuple(file for file in chunk.files if str(file.path) not in refused.reasons):
            self.queue.appendleft(replace(chunk, files=rest))

    def _commit(self, chunk: Chunk, scored: Scored) -> None:
        """Make a part of what was scored, unless a file has changed meanwhile."""
        changed = [file for file in chunk.files if _changed(file)]
        if changed and self._arrivals is not None:
            self._arrivals.give_back(changed)
            if rest := tuple(file for file in chunk.files if file not in changed):
                self.queue.appendleft(replace(chunk, files=rest))
            return
        part = self._parts.commit(self._folder, scored.events)
        self._report.pace.add(scored.events, chunk.arrived)
        if self._like is None:
            record = part.record()
            self._like = WatchedColumns.of(record)
            self._report.begin(record)
        if self._arrivals is not None:
            self._arrivals.finish(chunk.files, time.time())
        self._report.tell(part, scored, len(chunk.files))


def _changed(file: Arrival) -> bool:
    """Say whether a file has changed since it was read; one that has gone is as it was."""
    try:
        return state_of(file.path) != file.state
    except OSError:
        return False
