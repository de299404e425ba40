"""The physics columns of 1e6 events against a hand-written C++ loop, uproot with numba, the notebook and bare reads."""

from __future__ import annotations

import statistics
from functools import partial
from pathlib import Path

from tests.benchmarks import compiled, limits, notebook, numba_columns, toolkit
from tests.benchmarks.agreement import check_columns
from tests.benchmarks.events import FORMATS, Format, made_events
from tests.benchmarks.measure import Line, Side, Way, alternate, compare, timed

EVENTS, CHECKED = 1_000_000, 100_000


def check(folder: Path) -> None:
    """Compare the columns of all ways, event by event, with those of the hand-written loop."""
    expected = compiled.loop_columns(made_events("ttree", CHECKED, folder), folder)
    for file_format, title in FORMATS.items():
        path = made_events(file_format, CHECKED, folder)
        for name, columns in (
            ("toolkit", toolkit.columns),
            ("uproot and numba", numba_columns.columns),
            ("notebook", notebook.columns),
        ):
            check_columns(f"{name}, {title}", columns(path), expected)


def measure(folder: Path) -> list[Line]:
    """Measure all ways on both formats."""
    check(folder)
    return [line for file_format in FORMATS for line in measure_format(file_format, folder)]


def measure_format(file_format: Format, folder: Path) -> list[Line]:
    """Measure all ways on one format."""
    path = made_events(file_format, EVENTS, folder)
    ways: dict[str, Way] = {
        "toolkit": partial(toolkit.columns_seconds, path),
        "uproot + numba": timed(partial(numba_columns.columns, path)),
        "notebook": timed(partial(notebook.columns, path)),
        "bare read by RDataFrame": partial(compiled.read_seconds, path, folder),
        "bare read by uproot": timed(partial(numba_columns.read, path)),
    }
    if file_format == "ttree":
        ways["hand-written C++ loop"] = partial(compiled.loop_seconds, path, folder)
    taken = alternate(ways)
    ours = statistics.median(taken["toolkit"]) / EVENTS
    limit = limits.against(ours, limits.of_reading(file_format, folder))

    def line(over: str, under: str, bound: float | None = None, side: Side = "<=") -> Line:
        what = f"{FORMATS[file_format]}: {over} / {under}"
        return compare("columns", what, taken[over], taken[under], EVENTS, bound, side, limit if bound else "")

    lines = [
        line("uproot + numba", "toolkit", {"ttree": 0.8, "rntuple": 1.0}[file_format], ">="),
        line("notebook", "toolkit"),
        line("toolkit", "bare read by RDataFrame"),
        line("toolkit", "bare read by uproot"),
    ]
    if file_format == "ttree":
        lines.insert(0, line("toolkit", "hand-written C++ loop", 1.25))
    return lines
