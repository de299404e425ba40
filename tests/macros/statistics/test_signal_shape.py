"""Fractions of a signal in bins, against scipy's normal distribution and numerical integrals of the formulas."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from tests.macros.compiled import WAYS, compiled

pytestmark = pytest.mark.compiler

CODE = """
#include "statistics/signal_shape.hxx"
API(gaussian)(int n, const double *edges, const double *mean, double *out)
{
   for (int i = 0; i < n; ++i)
      out[i] = signal_shape::gaussian_fraction(edges[i], edges[i + 1], mean[0], mean[1]);
}
API(crystal_ball)(int n, const double *edges, const double *shape, double *out)
{
   const signal_shape::CrystalBall ball{shape[0], shape[1], shape[2], shape[3], shape[4], shape[5]};
   for (int i = 0; i < n; ++i)
      out[i] = signal_shape::crystal_ball_fraction(edges[i], edges[i + 1], ball);
}
"""


@pytest.fixture(scope="module", params=WAYS, name="function")
def compiled_functions(request: pytest.FixtureRequest) -> Callable[[str], Callable[..., None]]:
    return compiled(CODE, request.param)


def test_gaussian_of_both_tails(function: Callable[[str], Callable[..., None]]) -> None:
    edges, found = np.linspace(60.0, 140.0, 81), np.empty(80)
    function("gaussian")(80, edges, np.array([100.0, 3.0]), found)
    # On the upper side the survival function keeps the digits that a difference of two ones would lose.
    lower, upper = np.diff(norm.cdf(edges, 100, 3)), -np.diff(norm.sf(edges, 100, 3))
    np.testing.assert_allclose(found, np.where(edges[:-1] < 100, lower, upper), rtol=1e-12)
    assert found.sum() == pytest.approx(1, rel=1e-14)


def _formula(mass: float, shape: npt.NDArray[np.float64]) -> float:
    mean, sigma, alpha_low, power_low, alpha_high, power_high = shape
    t = (mass - mean) / sigma
    for side, alpha, power in ((-t, alpha_low, power_low), (t, alpha_high, power_high)):
        if side > alpha:
            return float((power / alpha / (power / alpha - alpha + side)) ** power * np.exp(-(alpha**2) / 2))
    return float(np.exp(-(t**2) / 2))


@pytest.mark.parametrize(("alpha", "power"), [((1.2, 0.8), (3.5, 5.0)), ((0.5, 2.5), (1.5, 12.0))])
def test_crystal_ball_of_two_sides(
    alpha: tuple[float, float], power: tuple[float, float], function: Callable[[str], Callable[..., None]]
) -> None:
    shape = np.array([125.0, 2.0, alpha[0], power[0], alpha[1], power[1]])
    edges, found = np.array([60.0, 110, 120, 122.5, 124, 126, 127, 130, 150, 190]), np.empty(9)
    function("crystal_ball")(9, edges, shape, found)
    kinks = (125 - 2 * alpha[0], 125 + 2 * alpha[1])
    ends = (-np.inf, *kinks, np.inf)
    whole = sum(quad(_formula, low, high, args=(shape,), epsabs=1e-13)[0] for low, high in itertools.pairwise(ends))
    for i, value in enumerate(found):
        inside = [kink for kink in kinks if edges[i] < kink < edges[i + 1]]
        part = quad(_formula, edges[i], edges[i + 1], args=(shape,), points=inside or None, epsabs=1e-13)[0]
        assert value == pytest.approx(part / whole, rel=1e-9)
