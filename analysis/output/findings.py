"""What a run says of its results: numbers for run.json out of its histograms, and the most unusual events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.samples.inputs import RunInput
from models.contributions import feature_contributions, reasons, shares
from models.folder import ModelFolder
from plotting.results.record_tables import Agreement, Cut, Mean, Variation, VariedCounts
from plotting.results.tables import AnomalyColumns, AnomalyRow, write_anomaly_rows
from rdf.graph.anomaly_order import anomaly_order
from rdf.graph.histogram_keys import (
    FLAGGED,
    NEGATIVE,
    SELECTIONS,
    VOTED,
    WEIGHTED,
    Direction,
    HistogramKey,
    Kind,
    Selection,
    variation,
)

if TYPE_CHECKING:
    from rdf.graph.snapshot import Collected

TOP_EVENTS = 100
"""Events in anomalies.csv."""


def means(histograms: Mapping[str, Any], features: Sequence[str]) -> dict[str, Mean]:
    """Return each feature's mean over normal and over anomalous events, and their ratio; None where there are none.

    Means of a feature that has both signs have no ratio: they are close to 0 by cancellation.
    """

    def mean(selection: Selection, i: int) -> float | None:
        sums = histograms[HistogramKey(Kind.MOMENTS, selection).path]
        count = sums.GetBinContent(1, 1)
        # Negative weights can outweigh the others.
        return float(sums.GetBinContent(1, i + 2) / count) if count > 0 else None

    means: dict[str, Mean] = {}
    for i, name in enumerate(features):
        normal, anomalous = (mean(selection, i) for selection in SELECTIONS)
        spectrum = histograms[HistogramKey(Kind.FEATURES, Selection.ALL, name).path]
        last_below_zero = spectrum.FindBin(0) - 1
        has_both_signs = last_below_zero >= 0 and spectrum.Integral(0, last_below_zero) > 0
        ratio = anomalous / normal if normal and anomalous is not None and not has_both_signs else None
        if ratio is not None and ratio < 0:  # the sign of one is lost beyond the axis
            ratio = None
        means[name] = Mean(normal=normal, anomalous=anomalous, ratio=ratio)
    return means


def variations(
    histograms: Mapping[str, Any], sizes: Mapping[str, float], detectors: Sequence[str], min_votes: int
) -> dict[str, Variation]:
    """Return, for each variation, how many events are selected and flagged with the scale up, nominal and down."""

    def counts(varied: str) -> VariedCounts:
        votes, flagged = (histograms[replace(key, variation=varied).path] for key in (VOTED, FLAGGED))
        return VariedCounts(
            selected=round(votes.Integral()),
            anomalous=round(votes.Integral(min_votes + 1, votes.GetNbinsX())),
            flagged={name: round(flagged.GetBinContent(i, i)) for i, name in enumerate(detectors, start=1)},
        )

    return {
        name: Variation(
            size=size,
            up=counts(variation(name, Direction.UP)),
            nominal=counts(""),
            down=counts(variation(name, Direction.DOWN)),
        )
        for name, size in sizes.items()
    }


def agreement(histograms: Mapping[str, Any], detectors: Sequence[str]) -> Agreement:
    """Return how many events each pair of detectors flags, and how many events have 0, 1, ... votes."""
    votes, flagged = (histograms[key.path] for key in (VOTED, FLAGGED))
    return Agreement(
        flagged={
            one: {other: round(flagged.GetBinContent(i, j)) for j, other in enumerate(detectors, start=1)}
            for i, one in enumerate(detectors, start=1)
        },
        votes=tuple(round(votes.GetBinContent(i)) for i in range(1, votes.GetNbinsX() + 1)),
    )


def weighted_cutflow(cutflow: Sequence[Cut], histograms: Mapping[str, Any]) -> tuple[Cut, ...]:
    """Return a cutflow with the weights of the events that passed each cut, and how many weights are negative."""
    weighted, negative = (histograms[key.path] for key in (WEIGHTED, NEGATIVE))
    return tuple(
        replace(cut, weighted=weighted.GetBinContent(i), negative=round(negative.GetBinContent(i)))
        for i, cut in enumerate(cutflow, start=1)
    )


def write_anomalies(
    staging: Path, top: Collected, models: ModelFolder, detectors: Sequence[str], data: RunInput
) -> None:
    """Write the most anomalous events to anomalies.csv, most anomalous first, a line each, with what made them so.

    Args:
        staging: folder that has the models and gets the file.
        top: the events; the first of its values, those that were compared, say how anomalous.
        models: the models that scored the events.
        detectors: names of the detectors in `models` that scored.
        data: named in each line.
    """
    from rdf.graph.fields import FOLD

    ids, values = top.arrays()
    key = top.rows.key
    order = anomaly_order(values[:, :key], ids, values[:, key:])[:TOP_EVENTS]
    ids, values, columns = ids[order], values[order][:, key:], top.rows.values[key:]
    X = values[:, [columns.index(name) for name in models.features]]
    folds = values[:, columns.index(FOLD)] if FOLD in columns else np.zeros(len(X))
    contributions = {
        name: feature_contributions(models, staging / "models", name, X, folds.astype(int)) for name in detectors
    }
    voting = [name for name in detectors if name in models.ensemble] or detectors
    mean_shares = np.mean([shares(contributions[name]) for name in voting], axis=0)

    marks = {"SIMULATED": data.simulated, "UNCERTIFIED": data.uncertified}
    sample = " ".join([data.name, *(f"({mark})" for mark, holds in marks.items() if holds)])
    rows = []
    for i in range(len(X)):
        run, block, event = map(int, ids[i])
        rows.append(
            AnomalyRow(
                place=i + 1,
                sample=sample,
                ids=(run, block, event),
                values=tuple(map(_shortest, values[i])),
                why=reasons(models.features, mean_shares[i]),
                contributions=tuple(_shortest(number) for name in detectors for number in contributions[name][i]),
            )
        )
    write_anomaly_rows(staging, AnomalyColumns.of(columns, detectors, models.features), rows)


def _shortest(value: np.float32) -> str:
    """Write a float32 so that it reads back as it is."""
    return str(value).removesuffix(".0")
