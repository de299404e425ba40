"""What several captions say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from markupsafe import Markup

from plotting.figures.facts import EvaluationFacts
from plotting.results.metrics import DetectorMetrics, Metric
from plotting.results.record_tables import Counts, Quantity
from plotting.style.markup import metric_text, number_markup, share_text, title_markup
from plotting.style.wording import count_text, words


def listed(items: Iterable[Markup | str]) -> Markup:
    """Write things one after another, with commas between."""
    return Markup(", ").join(items)


def fraction_text(number: float, whole: float, what: str = "events") -> str:
    """Write a number and its share in a whole: "1,087 of 21,726 events (5.00 %)"."""
    return f"{count_text(number)} of {count_text(whole)} {what} ({share_text(number, whole)})"


def split_text(counts: Counts) -> str:
    """Write the normal and the anomalous events of a run."""
    return f"{count_text(counts.normal)} normal and {count_text(counts.anomalous)} anomalous events"


def flagged_text(counts: Counts) -> str:
    """Write the selected events of a run, and those of them that are flagged."""
    return (
        f"{count_text(counts.selected)} selected events, of which {count_text(counts.anomalous)} "
        f"({share_text(counts.anomalous, counts.selected)}) are flagged"
    )


def votes_needed(ensemble: Sequence[str], needed: int) -> str:
    """Say which detectors have to flag an event: "2 or more of 4 detectors".

    Args:
        ensemble: names of those that vote.
        needed: votes that flag an event.
    """
    voting = len(ensemble)
    if voting == 1:
        return f"the {words(ensemble[0])}"
    return f"all {voting} detectors" if needed == voting else f"{needed} or more of {voting} detectors"


def thresholds_text(thresholds: Sequence[float]) -> Markup:
    """Write the threshold of a detector, or those of its folds."""
    return listed(map(number_markup, thresholds))


def quantity_title(quantities: Iterable[Quantity], name: str) -> Markup:
    """Return the title of one of these quantities; the name of one that is not among them."""
    return title_markup(next((quantity.title for quantity in quantities if quantity.name == name), name))


def metric_of_each(facts: EvaluationFacts, metric: Callable[[DetectorMetrics], Metric]) -> Markup:
    """Write a figure of merit of each detector, with its error."""
    chosen = ((name, metric(found)) for name, found in facts.metrics.items())
    return listed(f"{words(name)} {metric_text(one.value, one.error)}" for name, one in chosen)
