"""Ensembles of searches, as tables: `make ensembles`.

python -m tests.ensembles [--scale 0.1] [--only upsilon] [--only null-upsilon --sets 10000]
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from rdf.code.interpreter import start_root
from tests.ensembles.plan import Plan
from tests.ensembles.spectra_tables import coverage_table, found_table, global_table, limit_table, pull_table
from tests.ensembles.weak_supervision_tables import (
    dilution_table,
    idealised_table,
    mass_table,
    null_olympics_table,
    null_upsilon_table,
    olympics_table,
    upsilon_table,
    windows_table,
)

TABLES: Mapping[str, Callable[[Plan], Iterator[str]]] = {
    "pulls": pull_table,
    "coverage": coverage_table,
    "limits": limit_table,
    "global": global_table,
    "found": found_table,
    "idealised": idealised_table,
    "olympics": olympics_table,
    "windows": windows_table,
    "upsilon": upsilon_table,
    "null-upsilon": null_upsilon_table,
    "null-olympics": null_olympics_table,
    "dilution": dilution_table,
    "mass": mass_table,
}
"""Tables by their names, in the order in which they are made."""


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="Ensembles of searches, as tables.")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the data sets of a whole ensemble")
    parser.add_argument("--only", action="append", choices=TABLES, help="a table, in place of all; can be repeated")
    parser.add_argument("--sets", type=int, help="background-only sets of null-upsilon and null-olympics; 40 or more")
    chosen = parser.parse_args()
    if chosen.sets is not None and chosen.sets < 40:
        parser.error("--sets: half of them calibrate the others, which takes 40; give 40 or more")
    folder = os.environ.get("OPENDATA_DIR")
    plan = Plan(chosen.scale, len(os.sched_getaffinity(0)), Path(folder) if folder else None, chosen.sets)
    start_root()
    for name in chosen.only or TABLES:
        begin = time.perf_counter()
        sys.stdout.write(f"\n{name}\n\n")
        for row in TABLES[name](plan):
            sys.stdout.write(f"{row}\n")
            sys.stdout.flush()
        sys.stderr.write(f"{name}: {time.perf_counter() - begin:.0f} s\n")


if __name__ == "__main__":
    main()
