"""Measuring: ways of doing the same thing take turns, and what counts is the ratio of their times in the same turn."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from rich.table import Table

ROUNDS = 5
"""Turns of which medians are taken, after one that only warms up."""

LIBRARIES = ("root", "sofie", "numpy", "scikit-learn", "torch", "onnxruntime", "numba", "awkward", "uproot")

Side = Literal["<=", ">="]
"""Of a bound that a ratio has to be on."""


@dataclass(frozen=True)
class Line:
    """A ratio that was measured.

    Attributes:
        part: of the suite.
        what: the two things, in words.
        ratio: median over the rounds of the ratio within a round, or of the numbers themselves.
        spread: least and greatest of these.
        events: that were gone over.
        bound: what the ratio is held against; None where nothing is asked.
        side: whether the ratio is to be at most or at least the bound.
        limit: what no program can beat, in words.
        numbers: what the ratio is made of: medians, in seconds, or bytes where it is one of memory.
    """

    part: str
    what: str
    ratio: float
    spread: tuple[float, float]
    events: int
    bound: float | None = None
    side: Side = "<="
    limit: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)

    @property
    def holds(self) -> bool | None:
        """Whether the ratio is on the right side of its bound; None without one."""
        if self.bound is None:
            return None
        return self.ratio <= self.bound if self.side == "<=" else self.ratio >= self.bound


Way = Callable[[], float]
"""Does something once and returns the seconds that count."""


def timed(function: Callable[[], object]) -> Way:
    """Return a way whose seconds are those of a call."""

    def way() -> float:
        started = time.perf_counter()
        function()
        return time.perf_counter() - started

    return way


def alternate(ways: Mapping[str, Way], rounds: int = ROUNDS, warm_up: bool = True) -> dict[str, list[float]]:
    """Let the ways take turns, once to warm up and then so many rounds; return the seconds of each, by round."""
    for way in ways.values() if warm_up else ():
        way()
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            taken[name].append(way())
    return taken


def compare(
    part: str,
    what: str,
    over: Sequence[float],
    under: Sequence[float],
    events: int,
    bound: float | None = None,
    side: Side = "<=",
    limit: str = "",
) -> Line:
    """Return the line of a ratio of two things that were measured in the same rounds, over so many events."""
    ratios = [above / below for above, below in zip(over, under, strict=True)]
    numbers = {"over": statistics.median(over), "under": statistics.median(under)}
    spread = min(ratios), max(ratios)
    return Line(part, what, statistics.median(ratios), spread, events, bound, side, limit, numbers)


def describe_machine() -> dict[str, str]:
    """Return the processor, its cores and vector instructions, and the versions of what is compared."""
    processors = Path("/proc/cpuinfo").read_text().splitlines()
    entries = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in processors)}
    vectors = [flag for flag in ("avx2", "fma", "avx512f") if flag in entries.get("flags", "").split()]
    return {
        "processor": f"{entries.get('model name', platform.processor())}, family {entries.get('cpu family', '?')}, "
        f"model {entries.get('model', '?')}",
        "cores": str(os.cpu_count()),
        "vector instructions": " ".join(vectors),
        "python": platform.python_version(),
        **{name: version(name) for name in LIBRARIES},
    }


NUMBERS = ("events", "ratio", "spread", "bound")


def as_table(lines: Sequence[Line]) -> Table:
    """Return the lines as a table for the console."""
    shown = Table(title="Ratios: medians, with the least and the greatest of the rounds")
    for heading in ("part", "what", "events", "ratio", "spread", "bound", "", "limit, and how far it is"):
        shown.add_column(heading, justify="right" if heading in NUMBERS else "left")
    for line in lines:
        shown.add_row(*_cells(line))
    return shown


def as_markdown(lines: Sequence[Line], machine: Mapping[str, str]) -> str:
    """Return the lines as the table of a document, under what they were measured on."""
    rows = ["| part | what | events | ratio | spread | bound | | limit |", "|---|---|--:|--:|--:|--:|---|---|"]
    rows += [f"| {' | '.join(_cells(line))} |" for line in lines]
    return "; ".join(f"{key} {value}" for key, value in machine.items()) + "\n\n" + "\n".join(rows) + "\n"


def _cells(line: Line) -> list[str]:
    bound = "" if line.bound is None else f"{line.side} {line.bound:g}"
    verdict = {None: "", True: "holds", False: "FAILS"}[line.holds]
    least, greatest = line.spread
    return [
        line.part,
        line.what,
        f"{line.events:,}",
        f"{line.ratio:.3g}",
        f"{least:.3g} to {greatest:.3g}",
        bound,
        verdict,
        line.limit,
    ]


def write_json(path: Path, lines: Sequence[Line], machine: Mapping[str, str]) -> None:
    """Write the lines, and what they were measured on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table = {"machine": machine, "lines": [{**asdict(line), "holds": line.holds} for line in lines]}
    path.write_text(json.dumps(table, indent=1) + "\n")
