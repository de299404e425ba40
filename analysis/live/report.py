"""What a watch tells of each part that it scored: the rate, latencies, flagged events, drift."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable

import numpy as np

from analysis.live.board import Board
from analysis.live.drift import DriftMonitor
from analysis.live.parts import REMEDY, ScoredPart
from analysis.live.scorer import ScoredChunk
from models.detectors.registry import scoring_detectors
from models.folder import ModelFolder
from plotting.results.root_file import EVENTS_ROOT
from plotting.results.run_record import RunRecord
from plotting.results.tables import ANOMALIES_CSV, IDS, WHY, read_rows
from rdf.graph.fields import ENSEMBLE, ENSEMBLE_FLAG, VOTES

SHOWN = 5
"""Flagged events of a chunk that are printed."""
RECENT = 60.0
"""Length of the past, in seconds, over which the rate is averaged."""
LATENCIES = 10_000
"""Most recent files whose latencies are told."""


class Pace:
    """How many events are scored in a second, and how long after a file's arrival its results are on disk."""

    def __init__(self, subject: str) -> None:
        """Begin now.

        Args:
            subject: that latencies are measured for, such as "files".
        """
        self._subject = subject
        self._begin = time.monotonic()
        self._scored: deque[tuple[float, int]] = deque()
        self._latencies: deque[float] = deque(maxlen=LATENCIES)

    def add(self, events: int, arrived: Iterable[float]) -> None:
        """Note that events were scored now, of what had arrived at these times, by `time.monotonic`."""
        now = time.monotonic()
        self._scored.append((now, events))
        self._latencies.extend(now - since for since in arrived)

    def __str__(self) -> str:
        now = time.monotonic()
        while self._scored and now - self._scored[0][0] > RECENT:
            self._scored.popleft()
        rate = f"{sum(events for _, events in self._scored) / max(min(now - self._begin, RECENT), 1e-3):,.0f} events/s"
        if self._latencies:
            half, most = np.percentile(self._latencies, (50, 99))
            rate += f", latency of {self._subject} p50 {half:.2g} s, p99 {most:.2g} s"
        return rate


class LiveReport:
    """Tells of parts as they come.

    Attributes:
        pace: of the scoring.
        drift: of what is scored.
    """

    def __init__(self, board: Board, models: ModelFolder, chosen: tuple[str, ...] | None, replayed: bool) -> None:
        """Begin, and say what is not looked for.

        Args:
            board: prints what there is to report.
            models: the models that score.
            chosen: detectors of these, as `scoring_detectors` takes them.
            replayed: whether a sample is replayed.
        """
        self._board = board
        detectors = scoring_detectors(chosen, models.detectors)
        self._voters = sum(name in models.ensemble for name in detectors) or len(detectors)
        self.drift = DriftMonitor(models, detectors)
        self.pace = Pace("a chunk's first event" if replayed else "files")
        if self.drift.lacking:
            board.complain(f"drift is looked for in the scores only: {self.drift.lacking}")

    def begin(self, record: RunRecord) -> None:
        """Tell what the first part's run.json says of all of them."""
        for warning in record.warnings:
            if warning.kind == "schema":  # the others are of a chunk, or of all in the end
                self._board.complain(warning.sentence)
        if record.sample.simulated:
            self._board.say("SIMULATED: the events of these files are simulated", style="bold red")
        if record.sample.uncertified:
            self._board.say("UNCERTIFIED: the list of certified runs is not applied to these events", style="bold red")

    def tell(self, part: ScoredPart, scored: ScoredChunk, files: int) -> None:
        """Tell of a part: how many events, those that are flagged, and what has drifted.

        Args:
            part: the part that was committed.
            scored: what the scorer says of it.
            files: number of files that the part was made of; 0 in a replay.
        """
        counts = part.record().counts
        of = f" of {files:,} file{'s' if files > 1 else ''}" if files else ""
        self._board.say(
            f"{time.strftime('%H:%M:%S')}  {counts.processed:,} events{of}, {counts.anomalous:,} flagged; {self.pace}"
        )
        self._tell_flagged(part, counts.anomalous)
        for shift in self.drift.add(scored.sample):
            self._board.complain(f"drift: {shift}")

    def _tell_flagged(self, part: ScoredPart, anomalous: int) -> None:
        rows = read_rows(part.folder / ANOMALIES_CSV, REMEDY)
        flagged = [row for row in rows if float(row[ENSEMBLE_FLAG])]
        for row in flagged[:SHOWN]:
            self._board.result(
                f"  flagged: {' '.join(f'{name} {row[name]}' for name in IDS)}: "
                f"{float(row[VOTES]):.0f} of {self._voters} votes, score {float(row[ENSEMBLE]):.4f}, "
                f"for its {row[WHY]}"
            )
        if (more := anomalous - len(flagged[:SHOWN])) > 0:
            # The part will be merged, and is then no more.
            self._board.result(f"  ... and {more:,} more, which will be in {EVENTS_ROOT} once they are merged")
