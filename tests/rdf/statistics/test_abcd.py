"""Four regions of a plane against pyhf, against Poisson sums, and against permutations by numpy."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyhf
import pytest
from scipy.optimize import brentq
from scipy.stats import kstest, norm, poisson

from rdf.errors import StatisticsFailed
from rdf.statistics.abcd import (
    Regions,
    fitted_background,
    largest_significances,
    local_p,
    permuted_tables,
    regions_of_tables,
    significance,
    significances,
    upper_limits,
)
from rdf.statistics.abcd_pyhf import pyhf_workspace, read_pyhf, write_pyhf

pytestmark = pytest.mark.compiler

CASES = [
    Regions(201, 1972, 1972, 17581, 0.025),
    Regions(260, 1972, 1972, 17581, 0.05),
    Regions(90, 400, 300, 2000, 0.1),
    Regions(30, 400, 300, 2000, 0.2),
    Regions(25, 100, 100, 800, 0.05),
]


def _by_pyhf(regions: Regions) -> tuple[pyhf.Model, list[float], float]:
    """Return the model, its data, and the root of the likelihood ratio of no signal."""
    pyhf.set_backend("numpy", pyhf.optimize.minuit_optimizer(tolerance=1e-4))
    workspace = pyhf.Workspace(pyhf_workspace(regions))
    model = workspace.model()
    data = workspace.data(model)
    bounds = model.config.suggested_bounds()
    bounds[model.config.poi_index] = (-1000, 1000)  # the workspace has no negative signal, as limits want it
    null = pyhf.infer.mle.fixed_poi_fit(0.0, data, model, return_fitted_val=True)[1]
    best = pyhf.infer.mle.fit(data, model, par_bounds=bounds, return_fitted_val=True)[1]
    return model, data, float(np.sqrt(max(null - best, 0)))


@pytest.mark.parametrize("regions", CASES)
def test_significance_is_pyhfs(regions: Regions) -> None:
    z = significance(regions)
    assert abs(z) == pytest.approx(_by_pyhf(regions)[2], rel=5e-3)
    assert (z > 0) == (regions.a > regions.b * regions.c / regions.d)


@pytest.mark.parametrize(
    "regions",
    [
        Regions(260, 1972, 1972, 17581, 0.2),
        Regions(260, 1972, 1972, 17581, 0.5),
        Regions(36_500, 180_000, 180_000, 900_000, 0.03),
    ],
)
def test_a_large_error_of_the_closure_is_fitted(regions: Regions) -> None:
    """The equation of the fit without a signal, solved by bisection in the logarithm of the background in A."""
    size = np.log1p(regions.closure)

    def left(log_a: float) -> float:
        g = regions.a - np.exp(log_a)
        rates = np.log(regions.b + g) + np.log(regions.c + g) - np.log(regions.d - g)
        return float(rates + size**2 * g - log_a)

    a = np.exp(brentq(left, np.log(regions.a / 2), np.log(regions.a + regions.b / 2), xtol=1e-13))
    g = regions.a - a
    rates = {"a": a, "b": regions.b + g, "c": regions.c + g, "d": regions.d - g}
    deviance = (size * g) ** 2 - 2 * sum(
        poisson.logpmf(getattr(regions, name), rate) - poisson.logpmf(getattr(regions, name), getattr(regions, name))
        for name, rate in rates.items()
    )
    assert significance(regions) == pytest.approx(np.sqrt(deviance), rel=1e-6)


@pytest.mark.parametrize("regions", CASES[:3])
def test_limits_are_pyhfs(regions: Regions) -> None:
    """CLs by pyhf passes 5 % within 1 % of each limit."""
    model, data, _ = _by_pyhf(regions)
    found = upper_limits(regions, 1)
    assert (found.by, found.toys) == ("asymptotic", 0)

    def cls(events: float) -> list[float]:
        observed, expected = pyhf.infer.hypotest(events, data, model, test_stat="qtilde", return_expected_set=True)
        return [float(observed), *map(float, expected[::-1])]

    for place, limit in enumerate((found.observed, *found.expected[::-1])):
        assert cls(0.99 * limit)[place] > 0.05 > cls(1.01 * limit)[place]


def test_the_fit_without_a_signal_is_that_of_the_margins() -> None:
    """Without an error of the closure it is the product of the sums of the two cuts (independence in a 2 x 2 table)."""
    a, b, c, d = 40.0, 210.0, 130.0, 800.0
    fitted, total = fitted_background(Regions(a, b, c, d, 0.0)), 1180.0
    assert fitted.a == pytest.approx((a + b) * (a + c) / total, rel=1e-9)
    assert fitted.b == pytest.approx((a + b) * (b + d) / total, rel=1e-9)
    assert fitted.d == pytest.approx((c + d) * (b + d) / total, rel=1e-9)


@pytest.mark.parametrize("closure", [0.0, 0.1])
def test_p_values_are_uniform(closure: float) -> None:
    """Of 2,000 data sets without a signal, whose closure is off by its error."""
    random = np.random.default_rng(5)
    rates = np.array([500 * 400 / 2000, 500, 400, 2000])
    counts = random.poisson(rates, (2000, 4)).astype(float)
    counts[:, 0] = random.poisson(rates[0] * (1 + closure) ** random.normal(size=2000))
    z = significances(counts, np.zeros(2000), closure)
    assert kstest(norm.sf(z), "uniform").pvalue > 0.01
    assert z.std() == pytest.approx(1, abs=0.05)


def _up_to(count: int, mean: float) -> float:
    """Probability of fewer events and of half of those with as many: B, C and D, which fluctuate, tell these apart."""
    return float(poisson.cdf(count - 1, mean) + poisson.pmf(count, mean) / 2)


def test_few_events_have_a_probability_by_toys() -> None:
    regions = Regions(9, 2000, 2000, 1_000_000, 0.001)  # 4 are expected, hardly with an error
    found = local_p(regions, 3)
    assert (found.by, found.toys) == ("toys", 10_000)
    assert found.p == pytest.approx(1 - _up_to(9, 4), rel=0.2)  # 0.015, of which 10,000 toys have an error of 8 %


@pytest.mark.parametrize("count", [0, 2, 6])
def test_few_events_have_limits_by_toys(count: int) -> None:
    """Where the background is known, CLs is a ratio of two Poisson sums (A. L. Read)."""
    regions = Regions(count, 20_000, 20_000, 2e8, 1e-4)
    found = upper_limits(regions, 7)
    assert found.by == "toys"
    expected = brentq(lambda s: _up_to(count, s + 2) / _up_to(count, 2) - 0.05, 0.5, 30)
    assert found.observed == pytest.approx(expected, rel=0.04)


def test_permuted_tables_are_those_of_permutations() -> None:
    random = np.random.default_rng(1)
    first, second = random.integers(0, 3, 400), random.integers(0, 4, 400)
    levels = np.zeros((3, 4), dtype=np.int64)
    np.add.at(levels, (first, second), 1)
    tables = permuted_tables(levels, 4000, np.random.default_rng(2))
    assert (tables.sum(axis=2) == levels.sum(axis=1)).all()
    assert (tables.sum(axis=1) == levels.sum(axis=0)).all()
    shuffled = np.zeros_like(tables)
    for table in shuffled:
        np.add.at(table, (first, random.permutation(second)), 1)
    spread = shuffled.std(axis=0)
    np.testing.assert_allclose(tables.mean(axis=0), shuffled.mean(axis=0), atol=5 * spread.max() / np.sqrt(2000))
    np.testing.assert_allclose(tables.std(axis=0), spread, rtol=0.06)
    regions = regions_of_tables(shuffled[:1], 2)[0]
    assert regions.tolist() == [
        shuffled[0, 2:, 2:].sum(),
        shuffled[0, 2:, :2].sum(),
        shuffled[0, :2, 2:].sum(),
        shuffled[0, :2, :2].sum(),
    ]


def test_the_largest_of_nested_cuts_has_its_own_probability() -> None:
    """Permuted data have a uniform global p-value, where the local one of the largest excess is too small."""
    random = np.random.default_rng(8)
    margin = np.array([8000, 1000, 1000])
    levels = np.outer(margin, margin) // margin.sum()
    data = largest_significances(permuted_tables(levels, 500, random), (1, 2), 0.02, random)
    toys = largest_significances(permuted_tables(levels, 2000, random), (1, 2), 0.02, random)
    p = np.array([(1 + (toys >= z).sum()) / 2001 for z in data])
    assert kstest(p, "uniform").pvalue > 0.01
    assert (norm.sf(data) < 0.05).mean() > 0.07


def test_the_workspace_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_pyhf(CASES[2], tmp_path / "pyhf.json")
    found = read_pyhf(tmp_path / "pyhf.json")
    assert found.closure == pytest.approx(0.1, rel=1e-12)
    assert (found.a, found.b, found.c, found.d) == (90, 400, 300, 2000)
    table = json.loads((tmp_path / "pyhf.json").read_text())
    pyhf.schema.validate(table, "workspace.json")
    table["channels"][0]["samples"][0]["modifiers"].pop(0)
    (tmp_path / "pyhf.json").write_text(json.dumps(table))
    with pytest.raises(StatisticsFailed, match="the factors are not those of A = B C / D"):
        read_pyhf(tmp_path / "pyhf.json")
