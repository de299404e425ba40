"""Is a result sane? What every reader has to be warned of, from counts that the event loop makes anyway.

A flagged share depends on a quantity if chi2 of the shares in its bins has a probability below `UNLIKELY` after
multiplication by the number of such checks, and the largest share is more than `RATIO` times the smallest. Neighbouring
bins are put together until enough flagged events are expected in each, as `compare_shares` does it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from models.folder import ModelFolder
from plotting.results.histograms import compare_shares
from plotting.results.record_tables import Counts, Cut, RecordedWarning
from rdf.graph.histogram_keys import BLOCKS, DIRECTIONS, FLAGGED_DIRECTIONS, RUNS, HistogramKey, Kind, Selection
from rdf.schema.tables import FINITE

UNLIKELY = 1e-4
"""Probability below which a dependence is no chance."""
RATIO = 1.5
"""Ratio of the largest share to the smallest above which a dependence matters."""
FEW_EVENTS = 1000
"""Training events below which a threshold at 5 % rests on less than 50 of them."""
MASS = re.compile(r"[mM]_\{[^{}]*(\{[^{}]*\}[^{}]*)*\}")
"""Titles of quantities that are the mass of something."""


def sanity_warnings(
    counts: Counts,
    cutflow: Sequence[Cut],
    non_finite: Mapping[str, int],
    models: ModelFolder,
    titles: Mapping[str, str],
    histograms: Mapping[str, Any],
) -> tuple[RecordedWarning, ...]:
    """Return what is to be said of a run, or of the merged parts of one.

    Args:
        counts: of the events.
        cutflow: the selection.
        non_finite: events in which a feature is not finite, by feature.
        models: of the detectors.
        titles: of the columns that have a histogram, by their names.
        histograms: all of the run, by their path.
    """
    return (
        *dropped_warnings(counts, cutflow, non_finite),
        *training_warnings(models),
        *share_warnings(
            {
                **_shares_by_number(histograms),
                **_shares_by_direction(histograms),
                **_shares_by_mass(titles, histograms),
            }
        ),
    )


def dropped_warnings(
    counts: Counts, cutflow: Sequence[Cut], non_finite: Mapping[str, int]
) -> Iterable[RecordedWarning]:
    """Warn of a selection that more than half of the events do not pass, and say what drops most of them."""
    dropped = counts.processed - counts.selected
    if dropped <= counts.processed / 2:
        return
    steps = {cut.name: before.events - cut.events for before, cut in pairwise(cutflow)}
    most = max(steps, key=lambda name: steps[name], default=FINITE)
    reason = f"the cut {most} drops {steps.get(most, dropped):,}"
    if most == FINITE and non_finite and (feature := max(non_finite, key=lambda name: non_finite[name])):
        reason = f"{feature} is the feature that is most often not finite, in {non_finite[feature]:,}"
    yield RecordedWarning(
        kind="dropped", sentence=f"{dropped:,} of {counts.processed:,} events are dropped, more than half: {reason}"
    )


def training_warnings(models: ModelFolder) -> Iterable[RecordedWarning]:
    """Warn of what the detectors learned from: few events, or features that nearly depend on one another."""
    events = models.training.events
    if events < FEW_EVENTS:
        yield RecordedWarning(
            kind="few_events",
            sentence=f"the detectors were trained on {events:,} events, fewer than {FEW_EVENTS:,}: thresholds and "
            "ranks rest on a few of them",
        )
    if models.collinear:
        yield RecordedWarning(kind="collinear", sentence=models.collinear)


def share_warnings(shares: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> Iterable[RecordedWarning]:
    """Warn of flagged shares that depend on something.

    Args:
        shares: name of what they may depend on -> all events, and flagged events, in its bins.
    """
    tests = {name: test for name, counts in shares.items() if (test := compare_shares(*counts))}
    for name, test in tests.items():
        if test.probability * len(tests) < UNLIKELY and test.largest > RATIO * test.smallest:
            is_mass = name not in (*_NUMBERED.values(), *_DIRECTIONS)
            what = "the score sculpts" if is_mass else "the flagged share depends on"
            yield RecordedWarning(
                kind="sculpting" if is_mass else "share",
                sentence=f"{what} {name}: {test.smallest:.1%} of the events in one bin are flagged, {test.largest:.1%} "
                f"in another (chi2 {test.chi2:.1f} for {test.freedom})",
            )


_NUMBERED = {RUNS: "the run", BLOCKS: "the luminosity block"}
_DIRECTIONS = ("eta of the leading object", "phi of the leading object")


def _shares_by_number(histograms: Mapping[str, Any]) -> dict[str, tuple[list[float], list[float]]]:
    """Return all and flagged events of each run, and of each group of luminosity blocks."""
    found = {}
    for key, name in _NUMBERED.items():
        histogram = histograms[key.path]
        bins = range(1, histogram.GetNbinsX() + 1)
        flagged = [histogram.GetBinContent(i, 2) for i in bins]
        rest = [histogram.GetBinContent(i, 1) for i in bins]
        found[name] = ([a + b for a, b in zip(flagged, rest, strict=True)], flagged)
    return found


def _shares_by_direction(histograms: Mapping[str, Any]) -> dict[str, tuple[list[float], list[float]]]:
    """Return all and flagged events by the pseudorapidity, and by the azimuth, of their leading object."""
    everything, flagged = histograms[DIRECTIONS.path], histograms[FLAGGED_DIRECTIONS.path]
    found = {}
    for name, projected in zip(_DIRECTIONS, ("ProjectionX", "ProjectionY"), strict=True):
        both = (getattr(histogram, projected)() for histogram in (everything, flagged))
        all_events, some = ([h.GetBinContent(i) for i in range(1, h.GetNbinsX() + 1)] for h in both)
        found[name] = (all_events, some)
    return found


def _shares_by_mass(
    titles: Mapping[str, str], histograms: Mapping[str, Any]
) -> dict[str, tuple[list[float], list[float]]]:
    """Return all and flagged events in bins of each column that is a mass, by its title."""
    found = {}
    for name, title in titles.items():
        if MASS.fullmatch(title):
            both = (
                histograms[HistogramKey(Kind.FEATURES, selection, name).path]
                for selection in (Selection.ALL, Selection.ANOMALOUS)
            )
            everything, flagged = both
            # Events with weights count as the number of events without that has the same relative error.
            squares = sum(everything.GetBinError(i) ** 2 for i in range(everything.GetNbinsX() + 2))
            total = sum(everything.GetBinContent(i) for i in range(everything.GetNbinsX() + 2))
            scale = total / squares if squares > 0 else 0.0
            bins = range(everything.GetNbinsX() + 2)
            found[name] = (
                [max(scale * everything.GetBinContent(i), 0.0) for i in bins],
                [max(scale * flagged.GetBinContent(i), 0.0) for i in bins],
            )
    return found
