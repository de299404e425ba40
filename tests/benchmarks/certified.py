"""A list of certified runs, 1,000 runs of 50 ranges each, in event loops over 1e6 events against none."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

from rdf.schema.certified import CertifiedRuns
from rdf.schema.quantities import ID_QUANTITIES
from tests.benchmarks import toolkit
from tests.benchmarks.events import FORMATS, made_events
from tests.benchmarks.measure import Line, Way, alternate, compare
from tests.benchmarks.trained import trained_detectors

EVENTS, RUNS, RANGES, BLOCKS = 1_000_000, 1000, 50, 1000


def every_block() -> CertifiedRuns:
    """Return a list in which all blocks are certified, so that both loops have the same events."""
    width = BLOCKS // RANGES
    ranges = tuple((1 + i * width, (i + 1) * width) for i in range(RANGES))
    return CertifiedRuns("every block", b"", dict.fromkeys(range(1, RUNS + 1), ranges))


def of_the_processor(way: Way) -> Way:
    """Return a way whose seconds are those of the processor: the ratio is so near to 1 that others would be seen."""

    def measured() -> float:
        started = time.process_time()
        way()
        return time.process_time() - started

    return measured


def measure(folder: Path) -> list[Line]:
    """Measure the loop from the file to four scores, and that to the columns alone."""
    compiled = toolkit.compiled_detectors(trained_detectors(folder), folder)
    lines, listed = [], every_block()
    for file_format, title in FORMATS.items():
        path, ids = made_events(file_format, EVENTS, folder), tuple(ID_QUANTITIES)
        scores = partial(toolkit.scores_seconds, path, compiled, ids=ids)
        columns = partial(toolkit.columns_seconds, path, ids)
        for to, loop, bound in (("four scores", scores, 1.03), ("columns", columns, None)):
            ways = {"list": partial(loop, certified=listed), "none": loop}
            taken = alternate({name: of_the_processor(way) for name, way in ways.items()})
            what = f"{title} to {to}, time of the processor: with a list of certified runs / without"
            lines.append(compare("certified", what, taken["list"], taken["none"], EVENTS, bound))
    return lines
