"""All benchmarks, as ratios of things measured alternately in one run: `make bench`.

Times of one machine mean little; ratios carry over.
"""

from __future__ import annotations

import sys

from rich.console import Console

from tests.benchmarks.megajets import measure_megajets
from tests.benchmarks.scoring import measure_scoring
from tests.benchmarks.training import measure_training


def main() -> int:
    """Measure and print, table by table."""
    for measure in (measure_megajets, measure_scoring, measure_training):
        Console().print(measure())
    return 0


if __name__ == "__main__":
    sys.exit(main())
