"""Thresholds and rank tables against counting."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pydantic import ValidationError

from models.thresholds import ThresholdRule, rank_table


def counted(scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Return, for each event, the fraction of the events with a lower score."""
    _, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - count)[place] / len(scores)


def interpolated(scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    table = rank_table(scores)
    assert len(table.scores) == len(table.ranks)
    assert (np.diff(table.scores) > 0).all()
    return np.interp(scores, table.scores, table.ranks)


def draw(count: int) -> npt.NDArray[np.float32]:
    """Return scores, no two alike, denser at the low end."""
    return ((np.random.default_rng(count).permutation(count) / count) ** 2).astype(np.float32)


@pytest.mark.parametrize("count", [1, 2, 3, 100, 4096, 4097])
def test_rank_is_exact_for_no_more_events_than_points(count: int) -> None:
    scores = draw(count)
    np.testing.assert_array_equal(interpolated(scores), counted(scores))


@pytest.mark.parametrize("count", [4098, 8192, 21726, 300_000])
def test_rank_of_more_events_is_off_by_less_than_a_step(count: int) -> None:
    scores = draw(count)
    assert np.abs(interpolated(scores) - counted(scores)).max() < 1 / 4096
    assert len(rank_table(scores).scores) == 4097


def test_ranks_by_hand() -> None:
    table = rank_table(np.array([0.5, 0.25, 0.75, 0.5], dtype=np.float32))
    assert table.scores == [0.25, 0.5, 0.75]
    # One of four events is below 0.5, three are below 0.75.
    assert table.ranks == [0.0, 0.25, 0.75]


@pytest.mark.parametrize("count", [4000, 100_000])
@pytest.mark.parametrize("tied", [0.001, 0.3, 0.99, 1.0])
def test_ties_share_the_rank_of_the_first(count: int, tied: float) -> None:
    scores = draw(count)
    scores[: int(tied * count)] = np.float32(0.1)
    scores[int(tied * count) : int(tied * count) + 3] = np.float32(0.05)
    assert np.abs(interpolated(scores) - counted(scores)).max() < 1 / 4096


def test_few_distinct_scores_are_exact() -> None:
    scores = np.random.default_rng(8).integers(0, 50, 100_000).astype(np.float32)
    np.testing.assert_array_equal(interpolated(scores), counted(scores))
    assert len(rank_table(scores).scores) == 50


@pytest.mark.parametrize("contamination", [0.001, 0.05, 0.5])
def test_contamination_leaves_the_right_number_above(contamination: float) -> None:
    scores = np.random.default_rng(9).permutation(np.arange(10_000)).astype(np.float32)
    assert (scores > ThresholdRule(contamination=contamination).threshold(scores)).sum() == 10_000 * contamination


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        # Between 0.25 and 0.75, three tenths of the way: position (1 - 0.35) * 2 = 1.3 in the order.
        ({"contamination": 0.35}, 0.4),
        ({"percentile": 65.0}, 0.4),
        # Mean 1/3; variance (1/9 + 1/144 + 25/144) / 3 = 42/432.
        ({"sigma": 2.0}, 1 / 3 + 2 * math.sqrt(42 / 432)),
        ({"sigma": -1.0}, 1 / 3 - math.sqrt(42 / 432)),
        ({"score": 0.6}, 0.6),
    ],
)
def test_rules_by_hand(rule: dict[str, float], expected: float) -> None:
    threshold = ThresholdRule(**rule).threshold(np.array([0.75, 0.0, 0.25], dtype=np.float32))
    # One that float32 holds: the event loop compares in float32, and there a threshold must be what it is here.
    assert threshold == float(np.float32(expected))


def test_sigma_is_taken_in_float64() -> None:
    """In float32 the squares of a large score with a small spread are all rounding."""
    scores = np.tile(np.array([1e6, 1e6 + 0.5], dtype=np.float32), 50_000)
    assert ThresholdRule(sigma=1.0).threshold(scores) == 1e6 + 0.5  # mean 1e6 + 0.25, standard deviation 0.25


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        ({}, "give exactly one of contamination, percentile, sigma, score"),
        ({"contamination": 0.05, "sigma": 2.0}, "give exactly one of contamination, percentile, sigma, score"),
        ({"contamination": 0.0}, "greater than 0"),
        ({"contamination": 1.0}, "less than 1"),
        ({"percentile": 100.0}, "less than 100"),
        ({"percentile": 0.0}, "greater than 0"),
        ({"sigma": math.inf}, "finite number"),
        ({"score": math.nan}, "finite number"),
        ({"contamination": "0.05"}, "valid number"),
        ({"quantile": 0.95}, "not permitted"),
    ],
)
def test_rule_that_makes_no_sense_is_refused(rule: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        ThresholdRule(**rule)


def test_events_that_tie_at_the_threshold_are_not_above_it() -> None:
    """Also not where their score is rounded otherwise: it is half way to the next score, or just above all."""
    scores = np.array([0.1] * 90 + [0.5] * 8 + [0.9] * 2, dtype=np.float32)
    assert ThresholdRule(percentile=95).threshold(scores) == pytest.approx((0.5 + 0.9) / 2)
    assert ThresholdRule(percentile=99).threshold(scores) == pytest.approx(0.9 * (1 + 1e-5), rel=1e-7)


@pytest.mark.parametrize(("rule", "limit"), [({"sigma": 1e40}, 3.4e38), ({"score": -1e300}, -3.4e38)])
def test_thresholds_beyond_float32_end_there(rule: dict[str, float], limit: float) -> None:
    scores = np.linspace(0, 1, 100, dtype=np.float32)
    assert ThresholdRule(**rule).threshold(scores) == pytest.approx(limit, rel=1e-2)
