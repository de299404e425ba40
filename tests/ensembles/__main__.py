"""Ensembles of searches, as tables: `make ensembles`, which takes about an hour of two cores.

python -m tests.ensembles [--scale 0.1]
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator

from tests.ensembles.statistics import (
    coverage,
    covered_limits,
    found_signals,
    global_p_values,
    pulls,
    template_p_values,
    uniformity,
)

SPECTRA = ((1e5, 2000.0), (1e5, 3000.0), (1e5, 4000.0), (1e4, 3000.0), (3e3, 3000.0), (1e4, 3500.0))
"""Events of a spectrum, and the mass of a signal in GeV."""

LIMITS = ((1e5, 3000.0, 0), (3e3, 3000.0, 0), (3e3, 4000.0, 200))
"""Events of a spectrum, the mass of a signal in GeV, and toys of each number of signal events; 0 for the formula."""


def rows(scale: float, threads: int) -> Iterator[str]:
    """Yield the lines of all tables, as Markdown.

    Args:
        scale: share of the data sets of a whole ensemble.
        threads: of the toys.
    """

    def number(whole: int) -> int:
        return max(int(whole * scale), 10)

    yield "| events | mass | background | pull mean | width | root mean | width | P(Z>1) | P(Z>2) | P(Z>3) |"
    yield "|--|--|--|--|--|--|--|--|--|--|"
    for events, mass in SPECTRA:
        found = pulls(events, mass, number(20_000), 1)
        beyond = " | ".join(f"{share:.4f}" for share in found.beyond)
        yield (
            f"| {events:.0f} | {mass:.0f} | {found.background:.0f} | {found.mean:.3f} | {found.width:.3f} | "
            f"{found.root_mean:.3f} | {found.root_width:.3f} | {beyond} |"
        )
    yield ""
    yield "| signal at 3 TeV in 100,000 events | toys | within its error |"
    yield "|--|--|--|"
    for signal in (0, 75, 150):
        yield f"| {signal} | {number(2000)} | {coverage(1e5, signal, number(2000), 4):.3f} |"
    yield ""
    yield "| events | mass | background | signal | limits by | data sets | limit at the signal or above |"
    yield "|--|--|--|--|--|--|--|"
    for events, mass, toys in LIMITS:
        for strength in (1, 3):
            limit = covered_limits(events, mass, strength, number(200), 10, toys=toys, threads=threads)
            yield (
                f"| {events:.0f} | {mass:.0f} | {limit.background:.3g} | {limit.signal:.3g} | "
                f"{'toys' if toys else 'asymptotic formula'} | {number(200)} | {limit.share:.3f} |"
            )
    yield ""
    yield "| global p-values | data sets | KS probability | P(p < 0.05) |"
    yield "|--|--|--|--|"
    sets, toys = number(300), 200
    for what, values in (
        ("100,000 events", global_p_values(1e5, sets, toys, 5, threads=threads)),
        ("3,000 events", global_p_values(3e3, sets, toys, 6, threads=threads)),
        ("three nested cuts", global_p_values(1e5, sets, toys, 7, (1.0, 0.1, 0.01), threads)),
        ("fixed template, not refitted", template_p_values(1e5, sets, toys, 8)),
    ):
        kept = list(values)
        probability, below = uniformity(kept)
        yield f"| {what} | {len(kept)} of {sets} | {probability:.3g} | {below:.3f} |"
    yield ""
    yield "| signal | data sets | global p < 0.01 | rms of the mass, in its widths |"
    yield "|--|--|--|--|"
    for signal in (100, 150):
        found_again = found_signals(1e5, signal, number(200), 200, 9, threads)
        yield f"| {signal} | {number(200)} | {found_again.significant:.3f} | {found_again.mass_rms:.2f} |"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="Ensembles of searches, as tables.")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the data sets of a whole ensemble")
    chosen = parser.parse_args()
    begin = time.perf_counter()
    for row in rows(chosen.scale, len(os.sched_getaffinity(0))):
        sys.stdout.write(f"{row}\n")
        sys.stdout.flush()
    sys.stderr.write(f"{time.perf_counter() - begin:.0f} s\n")


if __name__ == "__main__":
    main()
