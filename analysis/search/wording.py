"""One paragraph that states the result of a search, for the record, the console and the report."""

from __future__ import annotations

from analysis.search.configuration import SearchConfiguration
from analysis.search.procedure import Outcome
from plotting.results.search.head import SearchHead
from plotting.results.search.record import Largest, SearchedCut, SearchRecord
from plotting.results.search.signal import Effect, SearchedSignal


def claimed_quote(configuration: SearchConfiguration, outcome: Outcome, record: SearchRecord) -> str:
    """State the largest excess with all that went into its probability.

    Args:
        configuration: of the search.
        outcome: what was found.
        record: of the search, which says what was declared before.
    """
    largest = outcome.largest
    assert largest is not None
    cut = next(cut for cut in outcome.cuts if cut.fraction == largest.cut)
    of_cut = "" if cut.selection is None else f", among the events with {cut.selection},"
    largest_excess = "The largest excess" if largest.signal > 0 else "There is no excess. The smallest deficit"
    return (
        f"{largest_excess} in {configuration.observable}{of_cut} lies at {largest.mass:.4g}: "
        f"{largest.signal:.4g} ± {largest.signal_error:.2g} events, local significance {largest.z:.2f} standard "
        f"deviations ({_local(largest)}). {_everywhere(largest)} {_functions(cut)} "
        f"{_blinding(configuration, record)} {_check(largest, cut)}{_signal(outcome.signal)}{_produced(cut)}"
    )


def blinded_quote(configuration: SearchConfiguration, outcome: Outcome) -> str:
    """State what is expected, while nothing has been looked at."""
    cut = next(cut for cut in outcome.cuts if cut.opened)
    medians = [limit.expected[2] for limit in cut.limits]
    beside = "beside the region" if configuration.signal_region else "in the declared tenth"
    limits = f"; limits of {min(medians):.3g} to {max(medians):.3g} signal events are expected" if medians else ""
    return (
        f"Blinded: the events {beside} alone were looked at. {cut.function} describes them{limits}."
        f"{_signal(outcome.signal)}{_produced(cut)} Repeat the command with --unblind to look at the data."
    )


def refused_quote(reason: str) -> str:
    """State that nothing can be stated."""
    return f"No statement can be made: {reason}."


def _functions(cut: SearchedCut) -> str:
    if len(cut.tried) == 1:
        return f"The first function that was tried, {cut.function}, describes the background."
    return f"Of {len(cut.tried)} functions that were tried, {cut.function} describes the background."


def _local(largest: Largest) -> str:
    if largest.local_by == "asymptotic":
        return f"p = {largest.local_p:.2g}, asymptotic formula"
    if not largest.local_above:
        return f"p < {1 / largest.local_toys:.2g}: none of {largest.local_toys:,} toys is as extreme"
    return f"p = {largest.local_p:.2g}, from {largest.local_toys:,} toys"


def _everywhere(largest: Largest) -> str:
    looked = f"{largest.trials:,} trials of mass and cut and {largest.toys:,} toys that repeat the whole procedure"
    if largest.refused_toys:
        looked += f" ({largest.refused_toys:,} more, which no function describes, do not count)"
    deviations = "" if largest.global_z is None else f" ({largest.global_z:.2f} standard deviations)"
    if largest.global_by == "toys" and largest.above:
        return f"Over {looked}, the global p-value is {largest.global_p:.2g}{deviations}."
    by_toys = (
        f"{largest.above} {'toy is' if largest.above == 1 else 'toys are'} as extreme: the global p-value is about "
        f"{largest.toys_p:.2g}"
        if largest.above
        else f"no toy is as extreme: the global p-value is below {largest.toys_p:.2g}"
    )
    if largest.global_by == "toys":
        return f"Over {looked}, {by_toys}; more toys would tell it."
    return (
        f"Over {looked}, {by_toys}. By the formula of Gross and Vitells the crossings of the toys extrapolate to "
        f"{largest.gross_vitells_p:.2g}{deviations}."
    )


def _blinding(configuration: SearchConfiguration, record: SearchRecord) -> str:
    return "The peak was known: nothing was blinded." if configuration.known_peak else declared_words(record)


def declared_words(record: SearchHead) -> str:
    """Say whether a blinded search had declared the same before."""
    if record.looked_before:
        return "The data had been looked at before, by a search that made no statement."
    if record.blinded_sha256 is None:
        return "No blinded search had declared it before."
    if record.blinded_events_sha256 != record.inputs.data_sha256:
        return "A blinded search before was one of other events."
    if record.blinded_sha256 != record.configuration_sha256:
        return "A blinded search before had declared something else."
    return "A blinded search had declared it before."


def shape_words(signal: SearchedSignal) -> str:
    """Say what a simulated signal looks like."""
    kind = "Gaussian" if signal.tails is None else "two-sided Crystal Ball"
    return (
        f"a {kind} at {signal.mass:.5g} ± {signal.mass_error:.1g} of relative width {signal.resolution:.3g} ± "
        f"{signal.resolution_error:.1g} (chi2 p = {signal.p:.2g})"
    )


def variation_words(signal: SearchedSignal) -> str:
    """Say what variations do to a signal, and what is too small to count; "" without any."""
    effects = [(varied.name, effect) for varied in signal.variations for effect in varied.effects]
    kept = [f"{name} {_effect(effect)}" for name, effect in effects if not effect.pruned]
    pruned = [f"{name} {effect.what}" for name, effect in effects if effect.pruned]
    said = [f"systematic errors: {', '.join(kept) or 'none'}"] if effects else []
    return "; ".join([*said, *([f"below 0.5 %: {', '.join(pruned)}"] if pruned else [])])


def _effect(effect: Effect) -> str:
    unit = "of its width" if effect.what == "peak" else ""
    sided = "one-sided" if effect.one_sided else ""
    return " ".join(word for word in (effect.what, f"{100 * effect.size:+.2g} %", unit, sided) if word)


def _signal(signal: SearchedSignal | None) -> str:
    if signal is None:
        return ""
    errors = variation_words(signal)
    return f" The signal is that of {signal.title}: {shape_words(signal)}{'; ' if errors else ''}{errors}."


def _produced(cut: SearchedCut) -> str:
    limit, efficiency = cut.produced, cut.efficiency
    if limit is None or efficiency is None:
        return ""
    begin = f" With its efficiency of {efficiency.value:.3g} ± {efficiency.error:.1g}"
    if limit.observed is None:
        return f"{begin}, a limit of {limit.expected:.4g} events before any selection is expected at {limit.mass:.4g}."
    return (
        f"{begin}, the limit at {limit.mass:.4g} is {limit.observed:.4g} events before any selection "
        f"({limit.expected:.4g} expected)."
    )


def _check(largest: Largest, cut: SearchedCut) -> str:
    check = largest.check
    if check.z is None:
        return f"{check.by} was not asked: {check.reason}."
    without = ", without the error of a spurious signal, as the exports" if cut.spurious else ""
    return f"{check.by} finds Z = {check.z:.2f}{without}."
