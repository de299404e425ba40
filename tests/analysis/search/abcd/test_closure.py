"""The procedure in made-up planes: what closes, what is refused, and what a blinded search cannot know."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import kstest, spearmanr

from analysis.errors import SearchRefused
from analysis.search.abcd.closure import check_closure, measure_closure
from analysis.search.abcd.configuration import AbcdConfiguration
from analysis.search.abcd.events import PlaneEvents
from analysis.search.abcd.procedure import PlaneOutcome, search_regions
from analysis.search.events import Values
from plotting.results.run_record import as_table
from plotting.results.search.abcd import Axis

pytestmark = pytest.mark.compiler

X, Y = (Axis(name=name, column=name, title=name, unit="") for name in ("x", "y"))


def independent(events: int, seed: int = 3) -> PlaneEvents:
    random = np.random.default_rng(seed)
    return PlaneEvents((X, Y), 100 + random.exponential(50, events), random.gamma(2, 1, events))


def searched(events: PlaneEvents, **options: Any) -> PlaneOutcome:
    configuration = AbcdConfiguration(**{"run": "made up", "axes": ("x", "y"), "toys": 2000, **options})
    return search_regions(configuration, events, lambda *_: None)


def test_rings_are_counted_as_numpy_counts_them() -> None:
    events = independent(20_000)
    closure = measure_closure(events, 0.1)
    quantiles = (0.25, 0.5, 0.8, 0.9)
    x, y = (dict(zip(quantiles, np.quantile(v, quantiles), strict=True)) for v in (events.first, events.second))
    x[1.0] = y[1.0] = np.inf
    spans = [((0.25, 0.5),) * 2, ((0.5, 0.8),) * 2, ((0.8, 0.9),) * 2, ((0.8, 0.9), (0.9, 1)), ((0.9, 1), (0.8, 0.9))]
    assert [(ring.first, ring.second) for ring in closure.rings] == spans
    chi2, weights, ratios = 0.0, [], []
    for ring, ((x1, x2), (y1, y2)) in zip(closure.rings, spans, strict=True):
        counts, *_ = np.histogram2d(events.first, events.second, [[0, x[x1], x[x2]], [0, y[y1], y[y2]]])
        d, c, b, a = counts.ravel()
        expected = b * c / d
        variance = expected + expected**2 * (1 / b + 1 / c + 1 / d)
        assert ring.observed == a
        assert (ring.expected, ring.error) == pytest.approx((expected, np.sqrt(variance)), rel=1e-12)
        chi2 += (a - expected) ** 2 / variance
        weights.append(expected**2 / variance)
        ratios.append(a / expected)
        assert not (x2 > 0.9 and y2 > 0.9)  # A, in which no event is looked at
    assert closure.chi2 == pytest.approx(chi2, rel=1e-12)
    mean, beside = np.average(ratios, weights=weights), np.average(ratios[-3:], weights=weights[-3:])
    assert closure.beside == pytest.approx(beside, rel=1e-12)
    # A straight line through the ratios, by numpy, against the logarithm of the events further out than A.
    out = np.log([[(1 - min(span[0], 0.9)) / 0.1 for span in both] for both in spans]).mean(axis=1)
    (slope, at_cuts), covariance = np.polyfit(out, ratios, 1, w=np.sqrt(weights), cov="unscaled")
    assert closure.drift == pytest.approx(-slope, rel=1e-9)
    largest = max(abs(mean - 1), sum(weights) ** -0.5, abs(beside - 1), abs(at_cuts - 1))
    assert closure.error == pytest.approx(largest, rel=1e-9)
    assert closure.drift_error == pytest.approx(np.sqrt(covariance[0, 0]), rel=1e-9)


def test_rings_of_independent_axes_are_independent_of_each_other() -> None:
    """The probability of chi2 is uniform, and the correlation is not biased by what is left out."""
    found = [measure_closure(independent(20_000, seed), 0.2) for seed in range(300)]
    assert kstest([closure.probability for closure in found], "uniform").pvalue > 0.01
    for place in (0, 1):
        pulls = [closure.correlations[place].value / closure.correlations[place].error for closure in found]
        assert abs(np.mean(pulls)) < 0.2
        assert np.std(pulls) == pytest.approx(1, abs=0.13)


def test_all_events_but_those_of_a_would_be_correlated() -> None:
    """The reason for which the correlation is that of events below one cut: -3 f^2 (1 - f)^2 by the integral."""
    events, fraction = independent(200_000), 0.2
    outside = ~(
        (events.first > np.quantile(events.first, 1 - fraction))
        & (events.second > np.quantile(events.second, 1 - fraction))
    )
    biased = spearmanr(events.first[outside], events.second[outside]).statistic
    assert biased == pytest.approx(-3 * fraction**2 * (1 - fraction) ** 2, rel=0.3)


def _with_correlation(rho: float) -> PlaneEvents:
    random = np.random.default_rng(5)
    first = random.normal(size=50_000)
    second = rho * first + np.sqrt(1 - rho**2) * random.normal(size=50_000)
    return PlaneEvents((X, Y), first, second)


def _with_a_waist() -> PlaneEvents:
    """A spread of y that depends on how large x is: both are symmetric, and no rank correlation sees it."""
    random = np.random.default_rng(6)
    first = random.uniform(-1, 1, 50_000)
    return PlaneEvents((X, Y), first, random.normal(size=50_000) * (1 + 2 * np.abs(first)))


@pytest.mark.parametrize(
    ("events", "options", "reason"),
    [
        (_with_correlation(0.1), {}, r"the axes are correlated: Spearman's 0\.0\d+ ± 0\.005 below the cut on x"),
        (_with_correlation(-0.1), {}, r"the axes are correlated: Spearman's -0\.\d+ ± 0\.005 below the cut on x"),
        (_with_a_waist(), {}, "the prediction does not hold beside the cuts: .* events where .* are expected"),
        (independent(100), {}, "cut 0.1: .* events in region B, fewer than 20|no rectangle beside the cuts has 5"),
        (independent(400), {"cuts": (0.03,)}, "cut 0.03: 1[12].* events in region B, fewer than 20; take looser cuts"),
    ],
)
def test_planes_without_a_statement(events: PlaneEvents, options: dict[str, Any], reason: str) -> None:
    for unblind in (False, True):
        with pytest.raises(SearchRefused, match=reason):
            searched(events, unblind=unblind, **options)


def test_rectangles_that_do_not_agree_together_are_refused() -> None:
    closure = measure_closure(independent(20_000), 0.1)
    check_closure(closure)
    with pytest.raises(SearchRefused, match=r"does not hold beside the cuts: chi2 18\.3 for 5 rectangles"):
        check_closure(replace(closure, chi2=18.3, probability=0.0026))


def test_a_cut_of_too_few_events_is_named_and_left_closed() -> None:
    loose, tight = searched(independent(2000), cuts=(0.2, 0.005), unblind=True).cuts
    assert loose.opened
    assert not tight.opened
    assert tight.reason is not None
    assert "events in region B, fewer than 20" in tight.reason
    assert tight.a is tight.z is tight.limit is None


def _text(outcome: PlaneOutcome) -> str:
    return json.dumps([as_table(each) for each in (outcome.closure, *outcome.cuts, outcome.plane)])


def test_a_blinded_search_does_not_depend_on_what_lies_in_a() -> None:
    """The events of A are shared out anew among its places: all events above each cut on one axis stay so."""
    events = independent(20_000)
    cuts = (0.2, 0.1, 0.05)
    in_a = (events.first > np.quantile(events.first, 0.8)) & (events.second > np.quantile(events.second, 0.8))
    second = events.second.copy()
    # The largest x with the largest y, and so on.
    second[np.flatnonzero(in_a)[np.argsort(events.first[in_a])]] = np.sort(events.second[in_a])
    other = replace(events, second=second)
    assert sorted(other.second) == sorted(events.second)
    opened = [searched(each, cuts=cuts, unblind=True) for each in (events, other)]
    assert opened[0].cuts[2].a != opened[1].cuts[2].a
    blinded = [searched(each, cuts=cuts) for each in (events, other)]
    assert _text(blinded[0]) == _text(blinded[1])
    for cut in blinded[0].cuts:
        assert cut.a is cut.b is cut.c is cut.d is cut.z is cut.pull is None
        assert cut.expected == pytest.approx(cut.fraction**2 * 20_000, rel=1e-3)
    assert blinded[0].largest is blinded[0].regions is None
    assert sum(count is None for row in blinded[0].plane.counts for count in row) > 100


def test_what_is_binned_are_all_events_that_are_shown() -> None:
    plane = searched(independent(20_000), unblind=True).plane
    found = sum(count or 0 for row in plane.counts for count in row)
    assert found == pytest.approx(20_000 * 0.999**2, abs=60)
    events = independent(20_000)
    first, second = np.array(plane.first_edges), np.array(plane.second_edges)
    expected, *_ = np.histogram2d(events.first, events.second, [first, second])
    np.testing.assert_array_equal(plane.counts, expected)
    assert float(np.quantile(events.first, 0.9, method="lower")) in plane.first_edges


def test_global_p_values_of_the_whole_procedure() -> None:
    """Of 200 planes without a signal; the local p-value of the largest excess alone is below 5 % more often."""
    largest = []
    for seed in range(1000, 1200):
        with suppress(SearchRefused):
            outcome = searched(independent(20_000, seed), cuts=(0.2, 0.1, 0.05), unblind=True, toys=1000)
            assert outcome.largest is not None
            largest.append(outcome.largest)
    assert len(largest) >= 190  # a plane of independent axes is refused now and then
    p = np.array([each.global_p for each in largest])
    assert kstest(p, "uniform").pvalue > 0.01
    assert (p < 0.05).mean() < 0.09
    assert (np.array([each.local_p for each in largest]) < 0.05).mean() > 0.06


def _moved(values: Values, threshold: float) -> Values:
    """Return values above a threshold, as many as are given."""
    return threshold + np.abs(values - np.median(values)) + 1e-3


@pytest.mark.parametrize("seed", range(4))
def test_an_injected_signal_is_found(seed: int) -> None:
    """Events that are moved above both cuts, of five standard deviations: found within two errors."""
    events = independent(20_000, seed)
    before = searched(events, unblind=True, cuts=(0.1,)).cuts[0]
    assert before.signal_error is not None
    number = round(5 * before.signal_error)
    added = np.random.default_rng(seed).integers(0, 20_000, number)
    together = PlaneEvents(
        events.axes,
        np.concatenate([events.first, _moved(events.first[added], before.first)]),
        np.concatenate([events.second, _moved(events.second[added], before.second)]),
    )
    outcome = searched(together, unblind=True, cuts=(0.1,))
    cut, largest = outcome.cuts[0], outcome.largest
    assert cut.signal is not None
    assert cut.signal_error is not None
    assert largest is not None
    assert cut.signal == pytest.approx(number, abs=2 * cut.signal_error)
    assert largest.z > 3
    assert largest.global_p < 3e-3


def test_a_correlation_of_few_events_hardly_makes_an_excess() -> None:
    """Two events in a hundred lie one standard deviation higher on both axes: at A the prediction is 20 % too low.

    Of 80 such planes, 72 of which are not refused, four have an excess of three standard deviations.
    """
    high, kept = 0, 0
    for seed in range(40):
        random = np.random.default_rng(seed)
        shift = 1.0 * (random.random(20_000) < 0.02)
        plane = PlaneEvents((X, Y), 100 + random.normal(0, 1, 20_000) + shift, random.normal(0, 1, 20_000) + shift)
        with suppress(SearchRefused):
            largest = searched(plane, cuts=(0.1,), unblind=True, toys=100).largest
            assert largest is not None
            high, kept = high + (largest.z > 3), kept + 1
    assert kept > 20
    assert high <= 5


def test_an_axis_of_few_values_is_refused_or_its_share_is_said() -> None:
    random = np.random.default_rng(5)
    y = random.exponential(1, 5000)
    constant = PlaneEvents((X, Y), np.where(random.random(5000) < 0.03, 1.0, 0.0), y)
    with pytest.raises(SearchRefused, match=r"axis x: 4,8\d\d of 5,000 events have the same value 0"):
        searched(constant, cuts=(0.1,))
    counts = random.poisson(3, 5000).astype(float)
    (cut,) = searched(PlaneEvents((X, Y), counts, y), cuts=(0.1,), unblind=True).cuts
    assert cut.first_share == (counts > 5).mean()
    assert cut.first_share == pytest.approx(0.084, abs=0.01)  # of a Poisson distribution with the mean 3
    assert cut.second_share == pytest.approx(0.1, abs=1e-3)


def test_a_long_tail_takes_no_more_bins_than_the_bulk() -> None:
    random = np.random.default_rng(6)
    plane = searched(
        PlaneEvents((X, Y), random.lognormal(0, 3, 5000), random.lognormal(0, 2.5, 5000)), cuts=(0.5,)
    ).plane
    for edges in (plane.first_edges, plane.second_edges):
        assert len(edges) <= 82
        assert np.all(np.diff(edges) > 0)
