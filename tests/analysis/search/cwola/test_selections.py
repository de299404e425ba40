"""Spectra of selected and of weighted events against numpy."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.search.cwola.selections import SpectrumSelection, declared_selections, selected_counts
from models.weak_supervision.ranked import MOST_RATIO, RankedEvents, likelihood_ratios
from models.weak_supervision.window import Window

WINDOW = Window(observable="mass", low=100, high=110, begin=90, end=120, cuts=[1.0, 0.25, 0.1])
EDGES = [*np.linspace(90, 100, 11), *np.linspace(110, 120, 11)]
WEIGHTED = SpectrumSelection(1.0, by_ratio=True)


def test_counts_are_histograms_of_the_events_that_pass() -> None:
    random = np.random.default_rng(5)
    masses, ranked = random.uniform(90, 120, 5000), RankedEvents(np.zeros(5000, np.float32), random.random(5000))
    counts = selected_counts(WINDOW, declared_selections(WINDOW.cuts, weighted=False), masses, ranked)
    for row, fraction in zip(counts, (1.0, 0.25, 0.1), strict=True):
        np.testing.assert_array_equal(row, np.histogram(masses[ranked.ranks >= 1 - fraction], EDGES)[0])


def test_a_ratio_is_that_of_the_probabilities_of_both_classes() -> None:
    scores = np.array([0.2, 0.5, 0.8, 0.995, 1.0])
    np.testing.assert_allclose(likelihood_ratios(scores), [0.25, 1, 4, MOST_RATIO, MOST_RATIO], rtol=1e-12)


def test_events_of_equal_weight_count_as_events() -> None:
    masses = np.random.default_rng(6).uniform(90, 120, 800)
    (row,) = selected_counts(WINDOW, [WEIGHTED], masses, RankedEvents(np.full(800, 0.6, np.float32), np.zeros(800)))
    np.testing.assert_allclose(row, np.histogram(masses, EDGES)[0], rtol=1e-12)


def test_weighted_events_fluctuate_like_counts() -> None:
    """In 4,000 sets of 3,000 events, whose weights vary by half of their mean, variance and mean of a bin are alike."""
    random = np.random.default_rng(7)
    rows = []
    for _ in range(4000):
        events = random.poisson(3000)
        scores = RankedEvents(random.beta(8, 8, events).astype(np.float32), np.zeros(events))
        rows.append(selected_counts(WINDOW, [WEIGHTED], random.uniform(90, 120, events), scores)[0])
    ratio = np.var(rows, axis=0, ddof=1) / np.mean(rows, axis=0)
    assert ratio.mean() == pytest.approx(1, abs=0.03)
    # The error of a variance is sqrt(2 / 4000) of it.
    np.testing.assert_allclose(ratio, 1, atol=5 * np.sqrt(2 / 4000))


def test_weighted_events_come_last() -> None:
    names = {SpectrumSelection(1.0): "all", WEIGHTED: "weighted"}
    for weighted, more in ((False, []), (True, ["weighted"])):
        declared = declared_selections(WINDOW.cuts, weighted=weighted)
        assert [names.get(each, each.fraction) for each in declared] == ["all", 0.25, 0.1, *more]
