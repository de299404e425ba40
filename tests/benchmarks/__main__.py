"""The benchmarks, as ratios of things measured alternately in one run: `make bench`.

python -m tests.benchmarks [PART ...] [--output FILE]

Times of one machine mean little; ratios carry over. The files of made-up events, some GB in all, lie in $BENCH_DIR if
that is set, and are used again by the next run; otherwise in a temporary folder.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import torch
from rich.console import Console
from threadpoolctl import threadpool_limits

from tests.benchmarks.measure import as_markdown, as_table, describe_machine, write_json

PARTS = (
    "columns",
    "detectors",
    "scoring",
    "arrays",
    "threads",
    "startup",
    "memory",
    "first_run",
    "megajets",
    "certified",
)
ON_DEMAND = ("training", "merging", "plan", "redraw", "watch", "search")


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Return where files lie between the parts of a run."""
    if kept := os.environ.get("BENCH_DIR"):
        Path(kept).mkdir(parents=True, exist_ok=True)
        yield Path(kept).resolve()
    else:
        with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
            yield Path(folder)


def main() -> int:
    """Measure, print and write."""
    parser = argparse.ArgumentParser("tests.benchmarks", description="Measure the parts that are named, or all.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join((*PARTS, *ON_DEMAND)))
    parser.add_argument("--output", type=Path, default=Path("output/benchmarks.json"), metavar="FILE")
    options = parser.parse_args()
    if unknown := set(options.parts) - {*PARTS, *ON_DEMAND}:
        parser.error(f"unknown part {min(unknown)}; there are {', '.join((*PARTS, *ON_DEMAND))}")
    torch.set_num_threads(1)
    lines = []
    with scratch_folder() as folder, threadpool_limits(1):  # one core for each way
        for name in options.parts or PARTS:
            measured = import_module(f"tests.benchmarks.{name}").measure(folder)
            Console().print(as_table(measured))
            lines += measured
    machine = describe_machine()
    write_json(options.output, lines, machine)
    options.output.with_suffix(".md").write_text(as_markdown(lines, machine))
    return 0


if __name__ == "__main__":
    sys.exit(main())
