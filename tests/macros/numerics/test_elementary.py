"""Sine, cosine and hyperbolic sine of eight numbers at once, against numpy."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from rdf.code.interpreter import ROOT, include_kernels

pytestmark = pytest.mark.compiler

include_kernels("numerics/elementary")
Reals = NDArray[np.float64]


def sines_and_cosines(angles: Reals) -> tuple[Reals, Reals]:
    sines, cosines = np.empty(len(angles)), np.empty(len(angles))
    for i in range(0, len(angles), 8):
        ROOT.elementary.sines_and_cosines(angles[i : i + 8], sines[i : i + 8], cosines[i : i + 8])
    return sines, cosines


def hyperbolic_sines(x: Reals) -> Reals:
    results = np.empty(len(x))
    for i in range(0, len(x), 8):
        ROOT.elementary.hyperbolic_sines(x[i : i + 8], results[i : i + 8])
    return results


@pytest.mark.parametrize("largest", [1e-8, 1e-3, 0.8, np.pi, 50, 9.9e4, 1e7])
def test_sines_and_cosines(largest: float) -> None:
    """The last are beyond 1e5, where the C library answers."""
    angles = np.random.default_rng(1).uniform(-largest, largest, 8000)
    sines, cosines = sines_and_cosines(angles)
    # In long double, so that numpy's own rounding does not count.
    np.testing.assert_allclose(sines, np.sin(angles.astype(np.longdouble)).astype(float), rtol=0, atol=4e-16)
    np.testing.assert_allclose(cosines, np.cos(angles.astype(np.longdouble)).astype(float), rtol=0, atol=4e-16)
    if largest < 1:
        np.testing.assert_allclose(sines, np.sin(angles), rtol=5e-16)


def test_quarters_of_the_circle() -> None:
    sines, cosines = sines_and_cosines(np.arange(-8, 8) * np.pi / 2)
    np.testing.assert_allclose(sines, [0, 1, 0, -1] * 4, atol=2e-15)
    np.testing.assert_allclose(cosines, [1, 0, -1, 0] * 4, atol=2e-15)
    assert [part[0] for part in sines_and_cosines(np.zeros(8))] == [0, 1]


@pytest.mark.parametrize("largest", [1e-8, 1e-3, 0.25, 0.3, 3, 50, 699, 710])
def test_hyperbolic_sines(largest: float) -> None:
    """To both sides of 1/4, where one formula follows another, and beyond 700, where the C library answers."""
    x = np.random.default_rng(2).uniform(-largest, largest, 8000)
    np.testing.assert_allclose(hyperbolic_sines(x), np.sinh(x.astype(np.longdouble)).astype(float), rtol=1e-15)


def test_what_is_not_finite_and_its_neighbours() -> None:
    odd = np.array([np.nan, np.inf, -np.inf, 0.5, -0.5, 1, 2, 3])
    sines, cosines = sines_and_cosines(odd)
    assert np.isnan(sines[:3]).all()
    assert np.isnan(cosines[:3]).all()
    np.testing.assert_allclose(sines[3:], np.sin(odd[3:]), rtol=5e-16)
    np.testing.assert_allclose(cosines[3:], np.cos(odd[3:]), rtol=5e-16)
    found = hyperbolic_sines(odd)
    assert np.isnan(found[0])
    assert found[1:3].tolist() == [np.inf, -np.inf]
    np.testing.assert_allclose(found[3:], np.sinh(odd[3:]), rtol=1e-15)
