"""All processes of a watch, with one owner: one scores, and merges between two chunks; at times another only merges."""

from __future__ import annotations

import time
from collections.abc import Callable
from multiprocessing.connection import wait
from typing import Any

from analysis.live.worker import Answer, Worker

PATIENCE = 5.0
"""Seconds until what the disk had no room for is tried again."""


class Workers:
    """The processes of a watch; tasks know themselves what to do with their answers."""

    def __init__(self, make_scorer: Callable[[], Callable[[Any], Any]]) -> None:
        """Take the factory of what the scoring process does; `start` starts it."""
        self._make_scorer = make_scorer
        self._then: Callable[[Answer], None] = _ignore
        self._scorer: Worker | None = None
        self._merger: Worker | None = None
        self._again_at = 0.0

    def start(self, then: Callable[[Answer], None]) -> None:
        """Start the process that scores.

        Args:
            then: given its first answer, and that of each process that takes its place.
        """
        self._then = then
        self._scorer = Worker(self._make_scorer, then)

    def restart(self) -> None:
        """Replace the process that scores."""
        self.scorer.kill()
        self._scorer = Worker(self._make_scorer, self._then)

    @property
    def scorer(self) -> Worker:
        """The process that scores."""
        assert self._scorer is not None, "nothing was started"
        return self._scorer

    def merge(self, make: Callable[[], Callable[[Any], Any]], task: Any, then: Callable[[Answer], None]) -> None:
        """Start a process that only merges, and give it its task; `end_merging` ends it.

        Args:
            make: factory of what it does.
            task: of the process.
            then: given the answer.
        """

        def begin(answer: Answer) -> None:
            try:
                answer()
            except Exception:  # noqa: BLE001 - the asker will raise it again
                then(answer)
            else:
                merger.ask(task, then)

        merger = self._merger = Worker(make, begin)

    def end_merging(self) -> None:
        """End the process that only merges, if there is one."""
        if self._merger is not None:
            self._merger.kill()
            self._merger = None

    @property
    def paused(self) -> bool:
        """Whether something failed just now that may go better in a while."""
        return time.monotonic() < self._again_at

    def pause(self) -> None:
        """Begin nothing for a while."""
        self._again_at = time.monotonic() + PATIENCE

    def take_answers(self, timeout: float) -> None:
        """Hand on the answers that come within a time, in seconds; an idle scorer that has died is replaced."""
        at_work = {worker.connection: worker for worker in (self._scorer, self._merger) if worker is not None}
        for connection in wait(list(at_work), timeout=timeout):
            worker = next(worker for other, worker in at_work.items() if other is connection)
            if worker is self._scorer and worker.is_idle:
                self.restart()
            elif worker in (self._scorer, self._merger):
                worker.take_answer()

    def end(self) -> None:
        """End all processes."""
        if self._scorer is not None:
            self._scorer.kill()
        self.end_merging()


def _ignore(answer: Answer) -> None:
    answer()
