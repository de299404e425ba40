"""One paragraph that states the result of a search, for the record, the console and the report."""

from __future__ import annotations

from analysis.search.configuration import SearchConfiguration
from analysis.search.procedure import Outcome
from plotting.results.search.record import Largest, SearchedCut


def claimed_quote(configuration: SearchConfiguration, outcome: Outcome, blinded_sha256: str | None) -> str:
    """State the largest excess with all that went into its probability.

    Args:
        configuration: of the search.
        outcome: what was found.
        blinded_sha256: of what a blinded search had declared before; None where there was none.
    """
    largest = outcome.largest
    assert largest is not None
    cut = next(cut for cut in outcome.cuts if cut.fraction == largest.cut)
    of_cut = "" if cut.selection is None else f", among the events with {cut.selection},"
    return (
        f"The largest excess in {configuration.observable}{of_cut} lies at {largest.mass:.4g}: "
        f"{largest.signal:.4g} ± {largest.signal_error:.2g} events, local significance {largest.z:.2f} standard "
        f"deviations ({_local(largest)}). {_everywhere(largest)} {_functions(cut)} "
        f"{_blinding(configuration, blinded_sha256)} {_check(largest)}"
    )


def blinded_quote(configuration: SearchConfiguration, cuts: tuple[SearchedCut, ...]) -> str:
    """State what is expected, while nothing has been looked at."""
    cut = next(cut for cut in cuts if cut.opened)
    medians = [limit.expected[2] for limit in cut.limits]
    beside = "beside the region" if configuration.signal_region else "in the declared tenth"
    limits = f"; limits of {min(medians):.3g} to {max(medians):.3g} signal events are expected" if medians else ""
    return (
        f"Blinded: the events {beside} alone were looked at. {cut.function} describes them{limits}. "
        "Repeat the command with --unblind to look at the data."
    )


def refused_quote(reason: str) -> str:
    """State that nothing can be stated."""
    return f"No statement can be made: {reason}."


def _functions(cut: SearchedCut) -> str:
    if len(cut.tried) == 1:
        return f"The first function that was tried, {cut.function}, describes the background."
    return f"Of {len(cut.tried)} functions that were tried, {cut.function} describes the background."


def _local(largest: Largest) -> str:
    by = "asymptotic formula" if largest.local_by == "asymptotic" else "from toys"
    return f"p = {largest.local_p:.2g}, {by}"


def _everywhere(largest: Largest) -> str:
    looked = f"{largest.trials:,} trials of mass and cut and {largest.toys:,} toys that repeat the whole procedure"
    if largest.global_by == "toys":
        return (
            f"Over {looked}, the global p-value is {largest.global_p:.2g} ({largest.global_z:.2f} standard deviations)."
        )
    return (
        f"Over {looked}, {largest.above} toys are as extreme: p < {largest.toys_p:.2g}. The crossings of the toys "
        f"extrapolate to a global p-value of {largest.gross_vitells_p:.2g} ({largest.global_z:.2f} standard "
        "deviations, Gross and Vitells)."
    )


def _blinding(configuration: SearchConfiguration, blinded_sha256: str | None) -> str:
    if configuration.known_peak:
        return "The peak was known: nothing was blinded."
    if blinded_sha256 is None:
        return "No blinded search had declared it before."
    if blinded_sha256 != configuration.sha256():
        return "A blinded search before had declared something else."
    return "A blinded search had declared it before."


def _check(largest: Largest) -> str:
    check = largest.check
    if check.z is None:
        return f"{check.by} was not asked: {check.reason}."
    return f"{check.by} finds Z = {check.z:.2f}."
