"""exp against numpy's in float64."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from tests.macros.compiled import WAYS, compiled

pytestmark = pytest.mark.compiler

SMALLEST, LARGEST = float(np.finfo(np.float32).smallest_normal), float(np.finfo(np.float32).max)

Exponential = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]


@pytest.fixture(scope="module", params=WAYS, name="exp")
def compiled_exponential(request: pytest.FixtureRequest) -> Exponential:
    code = """
#include "numerics/exponential.hxx"
API(exponentials)(const float *x, float *y, int size)
{
   for (int i = 0; i < size; ++i)
      y[i] = exponential::exp(x[i]);
}
"""
    function = compiled(code, request.param)("exponentials")

    def exp(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        y = np.empty_like(x)
        function(x, y, len(x))
        return y

    return exp


def test_within_1_01_units_in_the_last_place(exp: Exponential) -> None:
    # Of all float32 every thousandth, and more of those that matter to a kernel; an odd number, for the vectors' rest.
    every = np.arange(0, 2**32, 1009, dtype=np.uint64).astype(np.uint32).view(np.float32)
    x = np.concatenate([every[np.isfinite(every)], np.linspace(-88, 89, 1_000_001, dtype=np.float32)])
    x = x[: len(x) - (len(x) % 16) - 3]
    with np.errstate(over="ignore", under="ignore"):
        expected = np.exp(x.astype(np.float64))
    found = exp(x)
    # Close to the ends float64 and float32 may differ on which side of them a value is.
    normal = (expected >= 1.0001 * SMALLEST) & (expected <= 0.9999 * LARGEST)
    units = np.abs(found[normal] - expected[normal]) / np.spacing(expected[normal].astype(np.float32))
    assert units.max() < 1.01
    assert (found[expected < SMALLEST / 1.0001] == 0).all()
    assert np.isposinf(found[expected > 1.0001 * LARGEST]).all()


def test_edges(exp: Exponential) -> None:
    x = np.array([0, -0.0, np.inf, -np.inf, 1e38, -1e38, 1e-45, -1e-45, 1], dtype=np.float32)
    np.testing.assert_array_equal(exp(x), np.float32([1, 1, np.inf, 0, np.inf, 0, 1, 1, np.e]))


def test_not_a_number_stays_one_whatever_its_bits(exp: Exponential) -> None:
    bits = np.array([0x7FC00000, 0xFFC00000, 0x7FC001FF, 0x7F800001, 0xFFFFFFFF, 0x7FFFFFFF] * 5, dtype=np.uint32)
    assert np.isnan(exp(bits.view(np.float32))).all()
