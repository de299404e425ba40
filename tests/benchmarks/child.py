"""Programs in processes of their own: their wall time and peak memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Child:
    """What a process took.

    Attributes:
        seconds: wall time, from its start to its end.
        peak_bytes: most memory that it had at once.
        processor_seconds: of its own and of the processes that it started and waited for.
    """

    seconds: float
    peak_bytes: int
    processor_seconds: float


def run_python(*arguments: str, cache: Path | None = None) -> Child:
    """Run Python with these arguments, and with another folder for the user's cache if one is given.

    Raises:
        RuntimeError: it failed; with the end of what it said.
    """
    environment = {**os.environ, **({"XDG_CACHE_HOME": str(cache)} if cache else {})}
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment
    )
    assert process.stderr
    said = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"python {' '.join(arguments)} failed: {said[-1000:]}")
    took = time.perf_counter() - started
    return Child(took, usage.ru_maxrss * 1024, usage.ru_utime + usage.ru_stime)


def run_analysis(output: Path, *arguments: str, cache: Path | None = None) -> tuple[Child, dict[str, float]]:
    """Run the main job to a folder, which it replaces; return what it took, and the timings of its `run.json`."""
    child = run_python("-m", "analysis.run", "--output", str(output), *arguments, cache=cache)
    record: dict[str, Any] = json.loads((output / "run.json").read_text())
    timings: dict[str, float] = record["timings"]
    return child, timings
