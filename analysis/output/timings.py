"""How long the stages of a run took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from analysis.console.program import check_interruption


@dataclass
class Timings:
    """Seconds that the stages of a run took, in the order in which they first ran."""

    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, stage: str, seconds: float) -> None:
        """Count these seconds to a stage."""
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds

    @contextmanager
    def stage(self, stage: str) -> Iterator[None]:
        """Count the time that the block takes to a stage."""
        check_interruption()
        started = time.perf_counter()
        yield
        check_interruption()
        self.add(stage, time.perf_counter() - started)

    def rounded(self) -> dict[str, float]:
        """Return the seconds of each stage to the millisecond."""
        return {stage: round(seconds, 3) for stage, seconds in self.seconds.items()}
