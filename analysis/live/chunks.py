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
from analysis.live.scorer import Refused, ScoredChunk, Scoring, Setup, WatchedColumns
from analysis.live.staging import Staging
from analysis.live.worker import Answer, WorkerDied
from analysis.live.workers import Workers
from analysis.samples.inputs import InputFile
from rdf.errors import CacheUnusable

SUSPECTS = 20
"""Chunks over which a scorer has died that are remembered."""
GROWTH = 1_000_000_000
"""Bytes by which a scorer's memory may grow until another one takes its place: what Cling compiles, it keeps."""
REPLAY_STEP = 1.0
"""Shortest span of replayed time, in seconds, that is scored as one chunk."""


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
        queue: chunks that come next.
        chunk: the chunk that is scored now, if any.
        is_starting: whether the process gets ready for its first chunk.
    """

    def __init__(
        self,
        setup: Setup,
        workers: Workers,
        staging: Staging,
        parts: ScoredParts,
        *,
        arrivals: Arrivals | None,
        replay: Replay | None,
        board: Board,
        report: LiveReport,
    ) -> None:
        """Start the process.

        Args:
            setup: of the process.
            workers: that have the process.
            staging: for results that are not committed yet.
            parts: that what is scored is committed to.
            arrivals: where the files come from; None in a replay.
            replay: that is begun when the sample is open; None otherwise.
            board: is told what hinders the scoring.
            report: is told of each part.
        """
        self._setup, self._workers, self._staging, self._parts = setup, workers, staging, parts
        self._arrivals, self._replay, self._board, self._report = arrivals, replay, board, report
        first = next(iter(parts), None)
        self._like = WatchedColumns.of(first.record()) if first else None
        self.queue: deque[Chunk] = deque()
        self.chunk: Chunk | None = None
        self.is_starting = True
        self._folder = staging.new("chunk")
        self._suspects: deque[Chunk] = deque(maxlen=SUSPECTS)
        self._memory = 0
        self._trouble = ""
        workers.start(self._take_start)

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to score, and the process waits."""
        return not self.queue and self.chunk is None and self._workers.scorer.is_idle

    def begin(self) -> None:
        """Begin with the next chunk if the process waits."""
        if not self._workers.scorer.is_idle or not self.queue or self._workers.paused:
            return
        self.chunk = self.queue.popleft()
        self._folder = self._staging.new("chunk")
        files = tuple(InputFile(str(file.path), file.state.size, file.sha256) for file in self.chunk.files)
        task = Scoring(self._folder, files, self._parts.entries, self.chunk.entries, self._like)
        self._workers.scorer.ask(task, self._take_chunk)

    def _take_start(self, answer: Answer) -> None:
        """Note that the process is ready, or raise why it cannot start: an error of any room."""
        self.is_starting = True
        answer()
        if self._replay is None:
            self._begin_work()
        else:
            self._workers.scorer.ask(None, self._take_size)

    def _take_size(self, answer: Answer) -> None:
        """Begin a replay, whose number of events the process has told, or raise why it cannot be replayed."""
        assert self._replay is not None
        self._replay.begin(int(answer()))
        self._begin_work()

    def _begin_work(self) -> None:
        self.is_starting, self._memory = False, self._workers.scorer.memory

    def _take_chunk(self, answer: Answer) -> None:
        """Take what was scored of a chunk, or what hindered it."""
        chunk, self.chunk = self.chunk, None
        assert chunk is not None
        try:
            self._take_scored(chunk, answer)
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)
        scorer = self._workers.scorer
        if scorer.is_idle and scorer.memory > self._memory + GROWTH:
            self._workers.restart()

    def _take_scored(self, chunk: Chunk, answer: Answer) -> None:
        try:
            scored = answer()
        except (CacheUnusable, OutputFolderError, OSError) as error:
            self._wait_for_room(chunk, str(error))
        except WorkerDied as error:
            self._workers.restart()
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
            if isinstance(scored, Refused):
                self._refuse(chunk, scored)
            else:
                self._commit(chunk, scored)

    def _wait_for_room(self, chunk: Chunk, reason: str) -> None:
        if reason != self._trouble:
            self._board.complain(f"{reason}; waiting for it")
        self._trouble = reason
        self.queue.appendleft(chunk)
        self._workers.pause()

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

    def _commit(self, chunk: Chunk, scored: ScoredChunk) -> None:
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
