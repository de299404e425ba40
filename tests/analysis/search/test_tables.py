"""Tables of search.json: where limits come from toys, and what they depend on while blinded."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from analysis.search import tables
from analysis.search.tables import limit_table, tried_table
from plotting.results.search.record import Limit
from rdf.statistics.fitted import Choice, Verdict
from rdf.statistics.spectrum import Spectrum
from tests.rdf.statistics.spectra import RESOLUTION, dijet_edges, dijet_expectation, dijet_fits

pytestmark = pytest.mark.compiler

EVENTS = 3000


def limits(
    counts: npt.NDArray[np.float64], *, is_blind: bool, threads: int = 1, mask: tuple[float, float] = (0, 0)
) -> tuple[Limit, ...]:
    fits = dijet_fits()
    expectation = Spectrum(dijet_edges(), dijet_expectation(EVENTS)).masked(*mask)
    choice = Choice(1, "dijet f4", np.empty(0), (), np.empty(0))
    spectrum = Spectrum(dijet_edges(), counts)
    return limit_table(
        fits, spectrum, expectation, choice, is_blind=is_blind, seed=5, threads=threads, progress=lambda *_: None
    )


@pytest.fixture(autouse=True)
def _few_toys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "LIMIT_TOYS", 50)


def test_limits_come_from_toys_where_fewer_than_ten_events_are_expected() -> None:
    expected = dijet_expectation(EVENTS)
    found = limits(np.random.default_rng(3).poisson(expected).astype(np.float64), is_blind=False)
    edges = dijet_edges()
    for limit in found:
        near = expected[(edges[1:] > limit.mass * 0.92) & (edges[:-1] < limit.mass * 1.08)].sum()
        if not 8 < near < 14:  # of the bins at the ends a part lies within
            assert limit.by == ("toys" if near < 10 else "asymptotic")
        assert (limit.toys > 0) == (limit.by == "toys")
        assert limit.observed is not None
        assert np.isfinite([limit.observed, *limit.expected]).all()
        assert list(limit.expected) == sorted(limit.expected)
    by_toys = np.array([limit.mass for limit in found if limit.by == "toys"])
    steps = np.diff(np.log(by_toys)) / RESOLUTION
    np.testing.assert_allclose(steps[:-1], 1, rtol=1e-9)  # one standard deviation, and the last mass of the scan
    beyond = [mass for mass in dijet_fits().masses if mass > by_toys[-1]]
    assert all(expected[(edges[1:] > mass * 0.94) & (edges[:-1] < mass * 1.06)].sum() < 0.1 for mass in beyond)


def test_blinded_limits_are_expected_ones_whatever_the_counts() -> None:
    one = limits(np.zeros(100), is_blind=True)
    assert one == limits(np.full(100, 50.0), is_blind=True, threads=2)
    assert all(limit.observed is None for limit in one)
    assert {limit.by for limit in one} == {"asymptotic", "toys"}


def test_masked_windows_say_nothing_of_a_signal_beside_them() -> None:
    whole, masked = (
        {limit.mass: limit.expected[2] for limit in limits(np.zeros(100), is_blind=True, mask=mask)}
        for mask in ((0, 0), (2000, 2300))
    )
    beside = [mass for mass in masked if 2300 < mass < 2360]
    assert beside
    assert all(masked[mass] > 1.1 * whole[mass] for mass in beside)
    assert not [mass for mass in masked if 2010 < mass < 2290]  # less than half of a signal is seen


def test_a_next_function_without_a_fit_is_the_reason() -> None:
    verdicts = tuple(
        Verdict("dijet f3", likelihood_ratio_p, 10.0, 0.5, 0.1, converged=True) for likelihood_ratio_p in (np.nan, 0.01)
    )
    first, second = tried_table(Choice(None, "", np.empty(0), verdicts, np.full(3, 20.0)))
    assert first.reason == "the fit of one parameter more does not come to an end"
    assert second.reason == "one parameter more describes the spectrum better"
