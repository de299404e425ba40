"""One paragraph that states the result of a search by weak supervision, and the lines of its table on the console."""

from __future__ import annotations

from rich.table import Table

from analysis.console.summary import rows
from analysis.search.cwola.configuration import CwolaConfiguration
from analysis.search.staging import Searched
from analysis.search.wording import declared_words
from plotting.results.search.cwola import CountedCut, CwolaRecord, LargestWindow, SearchedWindow


def claimed_quote(configuration: CwolaConfiguration, record: CwolaRecord) -> str:
    """State the largest calibrated significance with all that went into it.

    Args:
        configuration: of the search.
        record: with its windows.
    """
    largest = record.largest
    assert largest is not None
    window = next(window for window in record.windows if window.name == largest.window)
    cut = next(each for each in window.cuts if (each.fraction, each.by_ratio) == (largest.cut, largest.by_ratio))
    plain = window.cuts[0]
    before = "" if plain is cut or plain.z is None else f" Without a classifier it is {plain.z:.2f}."
    assert cut.z is not None
    return (
        f"In {record.observable} {window.low:g} to {window.high:g}, of {_which(cut)}, {_found_text(cut)} events are "
        f"found where {expected_text(cut)} are expected from the sidebands{_unit(cut)}: {cut.z:.2f} standard "
        f"deviations before calibration.{before} {_calibration(cut, record)} {_everywhere(largest)} {_learned(record)} "
        f"{'The peak was known: nothing was blinded.' if configuration.known_peak else declared_words(record)}"
    )


def _which(cut: CountedCut) -> str:
    """Name the events in which an excess is looked for."""
    if cut.by_ratio:
        return "all events, weighted by the likelihood ratio that their classifier gives"
    if cut.selection is None:
        return "all events"
    return f"the {100 * cut.fraction:g} % of the events that its classifier ranks highest"


def _unit(cut: CountedCut) -> str:
    """Say what weighted events are counted in."""
    return " (sums of weights, in units of the sum of their squares over their sum)" if cut.by_ratio else ""


def _found_text(cut: CountedCut) -> str:
    """Write the events of the region of an opened cut."""
    assert cut.events is not None
    return events_text(cut.events) if cut.by_ratio else f"{cut.events:,.0f}"


def blinded_quote(record: CwolaRecord) -> str:
    """State what is expected, while the region has not been looked at."""
    window = record.windows[0]
    expected = ", ".join(
        f"{events_text(cut.background)} at {cut.fraction:g}" for cut in window.cuts if cut.background is not None
    )
    return (
        f"Blinded: the sidebands alone were looked at, and no classifier was trained, since it would learn from the "
        f"region. {window.function} describes them; background events that are expected with the declared cuts between "
        f"{window.low:g} and {window.high:g}: {expected}."
        f"{_weighted_later(window)} The features do not tell the mass ({mass_words(window)}). "
        "Repeat the command with --unblind to look at the data."
    )


def _weighted_later(window: SearchedWindow) -> str:
    """Say what a blinded search does not know yet, if it will weigh events."""
    if not any(cut.by_ratio for cut in window.cuts):
        return ""
    return " All events will be weighted, too; what is expected of these is known once a classifier is trained."


def events_text(events: float, digits: int = 4) -> str:
    """Write a number of events that need not be whole: with significant digits, of thousands all of them."""
    return f"{events:,.0f}" if events >= 0.95 * 10 ** min(digits, 3) else f"{events:.{digits}g}"


def expected_text(cut: CountedCut) -> str:
    """Write the expected events of the region of an opened cut, with their error."""
    assert cut.background is not None
    assert cut.background_error is not None
    return f"{events_text(cut.background)} ± {events_text(cut.background_error, 2)}"


def mass_words(window: SearchedWindow) -> str:
    """Say how well the features tell one sideband of a window from the other."""
    test = window.mass_test
    return (
        f"AUC between the sidebands {test.auc:.3f} ± {test.error:.3f}, between their outer and inner halves "
        f"{test.outer_auc:.3f} ± {test.outer_error:.3f}"
    )


def cut_words(cut: CountedCut) -> str:
    """Say what was found with a cut, or is expected."""
    if not cut.opened:
        return f"not opened: {cut.reason}"
    if cut.background is None:
        return "all events, weighted: what is expected depends on the classifier, which is not trained yet"
    if cut.z is None or cut.background_error is None:
        return f"{expected_text(cut)} background events expected"
    calibrated = cut.calibrated
    assert calibrated is not None
    return (
        f"{_found_text(cut)} events for {expected_text(cut)}, Z = {cut.z:.2f}; background-only: mean "
        f"{calibrated.mean:.2f}, width {calibrated.width:.2f}; calibrated Z = {calibrated.z:.2f} ± "
        f"{calibrated.z_error:.2f}, {_p_text(calibrated.p, calibrated.above)}"
    )


def _p_text(p: float, above: int) -> str:
    """Write a probability by background-only sets: a bound where none of them is as significant."""
    return f"p {'=' if above else '<='} {p:.2g}"


def _above_text(above: int) -> str:
    """Say how many background-only sets are as significant as the data."""
    return f"{above or 'none'} of the sets {'is' if above <= 1 else 'are'} as significant"


def _calibration(cut: CountedCut, record: CwolaRecord) -> str:
    calibrated = cut.calibrated
    assert calibrated is not None
    refused = f" ({record.refused_sets} more, which the procedure refused, do not count)" if record.refused_sets else ""
    again = ", training included," if record.learned_here and cut.selection else ""
    begin = (
        f"In {calibrated.sets:,} background-only data sets{refused} that went through the same procedure{again} the "
        f"significance has a mean of {calibrated.mean:.2f} and a width of {calibrated.width:.2f}"
    )
    said = f"{begin}; {_above_text(calibrated.above)}, local {_p_text(calibrated.p, calibrated.above)}."
    if calibrated.above:
        return said
    return (
        f"{said} In units of that width it is {calibrated.z:.2f} ± {calibrated.z_error:.2f}, which is an extrapolation."
    )


def _everywhere(largest: LargestWindow) -> str:
    said = (
        f"Over {largest.trials} trials of window and selection {_above_text(largest.above)} anywhere, global "
        f"{_p_text(largest.global_p, largest.above)}"
    )
    if largest.above:
        return f"{said}."
    return f"{said}; the number of trials times the extrapolated probability is {largest.bound:.2g}."


def _learned(record: CwolaRecord) -> str:
    names = ", ".join(record.features)
    if not record.learned_here:
        return f"The classifiers had learned from other events, by {names}."
    return (
        f"The classifiers learned from {names}, each without the events of the fold that it ranks ({record.folds} "
        "folds)."
    )


def windows_table(searched: Searched[CwolaRecord]) -> Table:
    """Return what was found in the windows and where it lies, in about ten lines."""
    record = searched.record
    table = rows()
    table.add_row("sample", ("SIMULATED " if record.sample.simulated else "") + record.sample.title)
    for window in record.windows:
        table.add_row(window.name, f"{window.low:g} to {window.high:g}: {window.function}; {mass_words(window)}")
        for cut in window.cuts:
            table.add_row("weighted" if cut.by_ratio else f"cut {cut.fraction:g}", cut_words(cut))
    table.add_row("result", record.quote)
    scored = "" if record.status == "blinded" else "; run: scored events, classifiers"
    table.add_row("files", f"{searched.folder}: search.json, figures{scored}")
    return table
