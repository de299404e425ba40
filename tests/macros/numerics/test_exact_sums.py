"""Sums in two doubles against Python's exactly rounded ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from rdf.code.interpreter import ROOT, include_kernels

pytestmark = pytest.mark.compiler


@pytest.fixture(scope="module", autouse=True)
def kernels() -> None:
    include_kernels("numerics/exact_sums")


def terms(kind: str) -> np.ndarray:
    """Terms whose plain sum depends on the order."""
    rng = np.random.default_rng(11)
    if kind == "positive":  # as sums of products of features are, over many decades
        return np.exp(rng.normal(0, 8, 20_000))
    return rng.normal(0, 1, 20_000) * 10.0 ** rng.integers(-6, 7, 20_000)


def summed(values: np.ndarray) -> Any:
    sums = ROOT.exact_sums.Sums(1)
    for value in values:
        sums.add(0, float(value))
    return sums


@pytest.mark.parametrize("kind", ["positive", "of both signs"])
def test_sums_are_rounded_once_in_any_order(kind: str) -> None:
    values = terms(kind)
    exact = math.fsum(values)
    orders = [values, values[::-1], np.sort(values), np.random.default_rng(3).permutation(values)]
    assert {summed(order).value(0) for order in orders} == {exact}
    assert len({float(np.cumsum(order)[-1]) for order in orders}) > 1  # where a plain sum differs


@pytest.mark.parametrize("kind", ["positive", "of both signs"])
@pytest.mark.parametrize("parts", [2, 7, 1000])
def test_sums_of_parts_are_the_sum(kind: str, parts: int) -> None:
    values = terms(kind)
    total = ROOT.exact_sums.Sums(1)
    for part in np.array_split(values, parts):
        total.add(summed(part))
    assert total.value(0) == math.fsum(values)


def test_what_rounding_left_is_what_is_missing() -> None:
    sums = summed(np.array([1.0, 2.0**-60, 2.0**-70]))
    assert sums.value(0) == 1.0
    assert sums.remainder(0) == 2.0**-60 + 2.0**-70


def test_several_sums_at_once() -> None:
    sums = ROOT.exact_sums.Sums(4)
    for row in ([1.0, 1e16], [2.0, 1.0], [3.0, -1e16]):
        sums.add(ROOT.std.vector["double"](row), 1)
    assert [sums.value(i) for i in range(sums.size())] == [0.0, 6.0, 1.0, 0.0]
