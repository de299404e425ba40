"""Tables of fits of spectra: pulls, coverage, limits, global p-values, and signals that are found."""

from __future__ import annotations

from collections.abc import Iterator

from tests.ensembles.plan import Plan
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


def pull_table(plan: Plan) -> Iterator[str]:
    """Yield the rows of toys without a signal."""
    yield "| events | mass | background | pull mean | width | root mean | width | P(Z>1) | P(Z>2) | P(Z>3) |"
    yield "|--|--|--|--|--|--|--|--|--|--|"
    for events, mass in SPECTRA:
        found = pulls(events, mass, plan.number(20_000), 1)
        beyond = " | ".join(f"{share:.4f}" for share in found.beyond)
        yield (
            f"| {events:.0f} | {mass:.0f} | {found.background:.0f} | {found.mean:.3f} | {found.width:.3f} | "
            f"{found.root_mean:.3f} | {found.root_width:.3f} | {beyond} |"
        )


def coverage_table(plan: Plan) -> Iterator[str]:
    """Yield the rows of signals that are found within their errors."""
    yield "| signal at 3 TeV in 100,000 events | toys | within its error |"
    yield "|--|--|--|"
    toys = plan.number(2000)
    for signal in (0, 75, 150):
        yield f"| {signal} | {toys} | {coverage(1e5, signal, toys, 4):.3f} |"


def limit_table(plan: Plan) -> Iterator[str]:
    """Yield the rows of upper limits."""
    yield "| events | mass | background | signal | limits by | data sets | limit at the signal or above |"
    yield "|--|--|--|--|--|--|--|"
    sets = plan.number(200)
    for events, mass, toys in LIMITS:
        for strength in (1, 3):
            limit = covered_limits(events, mass, strength, sets, 10, toys=toys, threads=plan.threads)
            yield (
                f"| {events:.0f} | {mass:.0f} | {limit.background:.3g} | {limit.signal:.3g} | "
                f"{'toys' if toys else 'asymptotic formula'} | {sets} | {limit.share:.3f} |"
            )


def global_table(plan: Plan) -> Iterator[str]:
    """Yield the rows of global p-values."""
    yield "| global p-values | data sets | KS probability | P(p < 0.05) |"
    yield "|--|--|--|--|"
    sets, toys, threads = plan.number(300), 200, plan.threads
    for what, values in (
        ("100,000 events", global_p_values(1e5, sets, toys, 5, threads=threads)),
        ("3,000 events", global_p_values(3e3, sets, toys, 6, threads=threads)),
        ("three nested cuts", global_p_values(1e5, sets, toys, 7, (1.0, 0.1, 0.01), threads)),
        ("fixed template, not refitted", template_p_values(1e5, sets, toys, 8)),
    ):
        kept = list(values)
        probability, below = uniformity(kept)
        yield f"| {what} | {len(kept)} of {sets} | {probability:.3g} | {below:.3f} |"


def found_table(plan: Plan) -> Iterator[str]:
    """Yield the rows of signals that are looked for."""
    yield "| signal | data sets | global p < 0.01 | rms of the mass, in its widths |"
    yield "|--|--|--|--|"
    for signal in (100, 150):
        found = found_signals(1e5, signal, plan.number(200), 200, 9, plan.threads)
        yield f"| {signal} | {plan.number(200)} | {found.significant:.3f} | {found.mass_rms:.2f} |"
