"""Thresholds and rank tables against counting."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pydantic import ValidationError

from models.thresholds import RankTable, ThresholdRule, rank_table


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
        ({"contamination": 0.0}, "0 is out of range; give a number above 0 and below 1"),
        ({"contamination": 1.0}, "1 is out of range; give a number above 0 and below 1"),
        ({"contamination": math.nan}, "finite number"),
        ({"percentile": 100.0}, "100 is out of range; give a number above 0 and below 100"),
        ({"percentile": 0.0}, "0 is out of range; give a number above 0 and below 100"),
        ({"sigma": math.inf}, "finite number"),
        ({"score": math.nan}, "finite number"),
        ({"contamination": "0.05"}, "valid number"),
        ({"quantile": 0.95}, "not permitted"),
    ],
)
def test_rule_that_makes_no_sense_is_refused(rule: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        ThresholdRule(**rule)


TIED = np.array([0.1] * 90 + [0.5] * 8 + [0.9] * 2, dtype=np.float32)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        # Half way from what rounding makes of 0.5 at most, 0.51, to what it makes of 0.9 at least, 0.88.
        ({"percentile": 95}, (0.51 + 0.88) / 2),
        # Beyond what rounding makes of the highest score at most, 0.92, by as much again.
        ({"percentile": 99}, 0.94),
        ({"contamination": 0.01}, 0.94),
        # Above 0.1 + 0.004 and below 0.5 - 0.01.
        ({"score": 0.103}, (0.104 + 0.49) / 2),
        ({"score": 0.097}, (0.104 + 0.49) / 2),
        ({"score": 0.495}, (0.51 + 0.88) / 2),
        ({"score": 0.3}, 0.3),
    ],
)
def test_events_that_tie_are_on_one_side_whatever_rounding_makes_of_them(
    rule: dict[str, float], expected: float
) -> None:
    """The rounding is 0.004, 0.01 and 0.02 for the three scores."""
    rounding = np.repeat([0.004, 0.01, 0.02], [90, 8, 2])
    threshold = ThresholdRule(**rule).threshold(TIED, rounding)
    assert threshold == pytest.approx(expected, rel=1e-6)
    for moved in (TIED - rounding, TIED + rounding):
        np.testing.assert_array_equal(moved > threshold, threshold < TIED)


def test_sigma_at_a_tied_score_leaves_it_below() -> None:
    scores = np.array([0.0, 1.0] * 50, dtype=np.float32)  # mean 0.5, standard deviation 0.5
    assert ThresholdRule(sigma=1.0).threshold(scores, np.full(100, 1e-3)) == pytest.approx(1.002)
    assert ThresholdRule(sigma=-1.0).threshold(scores, np.full(100, 1e-3)) == pytest.approx(0.5)


def test_scores_that_rounding_can_swap_are_one_group() -> None:
    """Rounding decides which of two kinds of events has the higher score: both are flagged, or neither."""
    scores = np.repeat(np.array([0.1, 0.5, 0.5001, 0.9], dtype=np.float32), [900, 40, 40, 20])
    rounding = np.full(1000, 1e-4)
    for fraction in (0.03, 0.05, 0.07):
        threshold = ThresholdRule(contamination=fraction).threshold(scores, rounding)
        assert threshold == pytest.approx((0.5002 + 0.8999) / 2, rel=1e-5)
    assert ThresholdRule(contamination=0.1).threshold(scores, rounding) < 0.4999
    # Further apart than rounding can bring them, they are two.
    assert ThresholdRule(contamination=0.05).threshold(scores, np.full(1000, 1e-6)) == pytest.approx(0.70005, rel=1e-5)
    apart = ThresholdRule(contamination=0.06).threshold(scores, np.full(1000, 1e-6))
    assert np.count_nonzero(scores > apart) == 60


def test_a_threshold_without_ties_stays_what_the_rule_says() -> None:
    scores = np.linspace(0, 1, 1001, dtype=np.float32)
    rounding = np.full(1001, 1e-5)
    assert ThresholdRule(percentile=90.02).threshold(scores, rounding) == pytest.approx(0.9002, abs=1e-7)
    # At a score itself, or within rounding of it, it keeps away by twice the rounding; or half way, if that is less.
    for percent, expected in ((90.0, 0.90002), (90.0005, 0.90002), (90.0995, 0.90098)):
        assert ThresholdRule(percentile=percent).threshold(scores, rounding) == pytest.approx(expected, abs=1e-7)
    assert ThresholdRule(percentile=90.0).threshold(scores, 30 * rounding) == pytest.approx(0.9005, abs=1e-7)


@pytest.mark.parametrize(
    ("fraction", "said"),
    [
        (0.01, "the 2 most anomalous training events score alike; 0 of 100 are flagged, since more than 1 % would be"),
        (
            0.05,
            (
                "the 8 training events that come after the 2 most anomalous ones score alike; 2 of 100 are flagged, "
                "since more than 5 % would be"
            ),
        ),
        (0.1, None),
    ],
)
def test_ties_are_said(fraction: float, said: str | None) -> None:
    assert ThresholdRule(contamination=fraction).ties(TIED, np.full(100, 1e-6)) == said
    assert ThresholdRule(sigma=3).ties(TIED, np.full(100, 1e-6)) is None
    assert ThresholdRule(percentile=95).ties(TIED, np.ones(100)) == (
        "all training events score alike; 0 of 100 are flagged, since more than 5 % would be"
    )


def test_tied_events_have_one_rank_whatever_rounding_makes_of_them() -> None:
    """The highest too, above which the rank is 1."""
    rounding = np.repeat([0.004, 0.01, 0.02], [90, 8, 2])
    table = rank_table(TIED, rounding)
    for moved in (-1.0, -0.5, 0.5, 1.0):
        scores = (TIED + moved * rounding).astype(np.float32)
        ranks = np.interp(scores, table.scores, table.ranks, right=1.0)
        np.testing.assert_allclose(ranks, np.repeat([0.0, 0.9, 0.98], [90, 8, 2]), atol=1e-5)
    assert np.interp(0.93, table.scores, table.ranks, right=1.0) == 1
    assert 0 < np.interp(0.3, table.scores, table.ranks) < 0.9


@pytest.mark.parametrize("count", [1000, 50_000])
def test_ranks_with_rounding_are_as_good_as_without(count: int) -> None:
    random = np.random.default_rng(count)
    scores = np.concatenate([draw(count), random.choice(draw(40), count)]).astype(np.float32)
    table = rank_table(scores, np.full(2 * count, 1e-7))
    assert (np.diff(table.scores) > 0).all()
    assert (np.diff(table.ranks) >= 0).all()
    moved = scores + random.uniform(-9e-8, 9e-8, 2 * count)
    _, place, events = np.unique(scores, return_inverse=True, return_counts=True)
    shared = events[place] > count / 100
    found = np.interp(moved, table.scores, table.ranks, right=1.0)
    assert np.abs(found - counted(scores))[shared].max() < 1 / 4096


@pytest.mark.parametrize(("rule", "limit"), [({"sigma": 1e40}, 3.4e38), ({"score": -1e300}, -3.4e38)])
def test_thresholds_beyond_float32_end_there(rule: dict[str, float], limit: float) -> None:
    scores = np.linspace(0, 1, 100, dtype=np.float32)
    assert ThresholdRule(**rule).threshold(scores) == pytest.approx(limit, rel=1e-2)


@pytest.mark.parametrize(
    ("score", "rank"),
    [(-np.inf, 0.0), (0.0, 0.0), (1.0, 0.0), (2.0, 0.25), (2.5, 0.5), (4.5, 0.9375), (5.0, 1.0), (np.inf, 1.0)],
)
def test_a_score_has_the_rank_of_the_table_or_lies_between_its_points(score: float, rank: float) -> None:
    table = RankTable(scores=[1.0, 2.0, 3.0, 5.0], ranks=[0.0, 0.25, 0.75, 1.0])
    assert table.rank(np.array([score], dtype=np.float32)).tolist() == [rank]


def test_what_is_above_all_of_the_training_has_the_rank_1_also_where_the_greatest_are_many() -> None:
    table = rank_table(np.array([0.5, 0.25, 0.75, 0.75], dtype=np.float32))
    assert table.rank(np.array([0.75, 0.76], dtype=np.float32)).tolist() == [0.5, 1.0]


@pytest.mark.parametrize(
    ("scores", "ranks", "fault"),
    [([1.0], [0.0, 1.0], "1 scores and 2 ranks"), ([2.0, 1.0], [0.0, 1.0], "ascending"), ([], [], "at least 1")],
)
def test_a_rank_table_that_cannot_be_looked_up_is_refused(scores: list[float], ranks: list[float], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        RankTable(scores=scores, ranks=ranks)
