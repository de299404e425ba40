"""What a search in a plane says of its result: a paragraph, and the lines of the console."""

from __future__ import annotations

from rich.table import Table

from analysis.console.summary import rows
from analysis.search.staging import Searched
from analysis.search.wording import declared_words
from plotting.results.search.abcd import AbcdRecord, Closure, LargestCount, PlaneCut, ScannedPair

LEAK = "A signal is taken to lie above both cuts alone: what of it lies elsewhere raises the expectation."


def claimed_plane_quote(record: AbcdRecord) -> str:
    """State the largest excess with all that went into its probability."""
    largest, closure = record.largest, record.closure
    assert largest is not None
    assert closure is not None
    cut = next(cut for cut in record.cuts if cut.fraction == largest.cut)
    assert cut.signal is not None
    which = "The largest excess" if cut.signal > 0 else "There is no excess. The smallest deficit"
    return (
        f"{which} in the plane of {_axes(record)} is that of {_kept(cut)}: {cut.a:,} events where {cut.expected:.4g} ± "
        f"{cut.expected_error:.2g} are expected from B C / D, local significance {largest.z:.2f} standard deviations "
        f"({_local(largest)}). {_anywhere(largest)} {_closes(closure)} {LEAK} {_pairs(record)} {declared_words(record)}"
    )


def blinded_plane_quote(record: AbcdRecord) -> str:
    """State what is expected, while nothing has been looked at."""
    closure = record.closure
    assert closure is not None
    said = [
        f"{cut.expected:.4g} ± {cut.expected_error:.2g} events among {_kept(cut)}, and a limit of "
        f"{cut.limit.expected[2]:.3g} signal events"
        for cut in record.cuts
        if cut.limit is not None
    ]
    nested = " The cuts are nested." if len(record.cuts) > 1 else ""
    return (
        f"Blinded: in the plane of {_axes(record)} the events beside the loosest cut alone were looked at. "
        f"Expected are {'; '.join(said)}.{nested} {_closes(closure)} {LEAK} {_pairs(record)} Repeat the command with "
        "--unblind to look at the data."
    )


def scanned_quote(record: AbcdRecord) -> str:
    """State which pairs of columns might be axes."""
    number = len(record.pairs)
    good = [" and ".join(pair.axes) for pair in record.pairs if pair.reason is None]
    return (
        f"Of {number} {'pair' if number == 1 else 'pairs'} of columns, with only events beside the cuts looked at, "
        f"the prediction holds for {'; '.join(good) or 'none'}. A search in one of them is to say --pairs-tried "
        f"{number}."
    )


def plane_table(searched: Searched[AbcdRecord]) -> Table:
    """Return what was found and where it lies, in about ten lines."""
    record, table = searched.record, rows()
    table.add_row("sample", ("SIMULATED " if record.sample.simulated else "") + record.sample.title)
    for pair in record.pairs:
        table.add_row("pair", f"{' and '.join(pair.axes)}: {_pair_words(pair)}")
    for ring in record.closure.rings if record.closure else ():
        span = " x ".join(f"{100 * low:g} to {100 * high:g} %" for low, high in (ring.first, ring.second))
        said = f"{ring.observed:,} events, {ring.expected:,.1f} ± {ring.error:,.1f} expected"
        table.add_row("beside", f"{span}: {said}" if ring.counted else f"{span}: too few expected events to count")
    for cut in record.cuts:
        table.add_row(f"cut {cut.fraction:g}", _cut_words(cut))
    table.add_row("result", record.quote)
    table.add_row(
        "files",
        f"{searched.folder}: search.json{', figures' if record.plane else ''}{', exports' if record.largest else ''}",
    )
    return table


def _pair_words(pair: ScannedPair) -> str:
    if pair.closure is None or pair.reason is not None:
        return f"refused, {pair.reason}"
    largest = max((abs(found.value), found.error) for found in pair.closure.correlations)
    return (
        f"closes, rank correlation at most {largest[0]:.3f} ± {largest[1]:.3f}, chi2 {pair.closure.chi2:.1f} for "
        f"{pair.closure.ndf}, error of the prediction {100 * pair.closure.error:.2g} %"
    )


def _cut_words(cut: PlaneCut) -> str:
    if not cut.opened or cut.limit is None:
        return cut.reason or ""
    said = f"{cut.expected:,.1f} ± {cut.expected_error:,.1f} expected, limit {cut.limit.expected[2]:.3g} expected"
    return said if cut.a is None else f"{cut.a:,} events, {said}, {cut.limit.observed:.3g} observed; Z = {cut.z:.2f}"


def _axes(record: AbcdRecord) -> str:
    return " and ".join(axis.name for axis in record.axes)


def _kept(cut: PlaneCut) -> str:
    declared, first, second = (f"{100 * share:.2g}" for share in (cut.fraction, cut.first_share, cut.second_share))
    if first == second == declared:
        return f"the highest {declared} % on both axes"
    return f"the highest {first} % on the first axis and {second} % on the second one"


def _local(largest: LargestCount) -> str:
    if largest.local_by == "asymptotic":
        return f"p = {largest.local_p:.2g}, asymptotic formula"
    if not largest.local_above:
        return f"p < {1 / largest.local_toys:.2g}: none of {largest.local_toys:,} toys is as extreme"
    return f"p = {largest.local_p:.2g}, from {largest.local_toys:,} toys"


def _anywhere(largest: LargestCount) -> str:
    cuts = "one declared cut" if largest.trials == 1 else f"{largest.trials} declared cuts, which are nested,"
    looked = f"Over {cuts} and {largest.toys:,} toys in which one axis is permuted against the other"
    if not largest.above:
        # No probability over several cuts is below that of one of them.
        bound = max(1 / largest.toys, largest.local_p)
        return f"{looked}, no toy is as extreme: the global p-value is below {bound:.2g}."
    deviations = "" if largest.global_z is None else f" ({largest.global_z:.2f} standard deviations)"
    return f"{looked}, the global p-value is {largest.global_p:.2g}{deviations}."


def _closes(closure: Closure) -> str:
    drift = (
        ""
        if closure.drift_error is None
        else f", and change by {closure.drift:.3f} ± {closure.drift_error:.3f} towards them with each factor e"
    )
    return (
        f"In rectangles beside the cuts observed over expected events are {closure.ratio:.3f} ± "
        f"{closure.ratio_error:.3f} in the mean (chi2 {closure.chi2:.1f} for {closure.ndf} rectangles), "
        f"{closure.beside:.3f} next to them{drift}; this gives the prediction an error of {100 * closure.error:.2g} %."
    )


def _pairs(record: AbcdRecord) -> str:
    if record.pairs_tried == 1:
        return "The pair of axes was declared; no other one is said to have been looked at."
    return (
        f"The pair of axes is one of {record.pairs_tried:,} that were looked at, for which no probability is corrected."
    )
