"""Moments against numpy's outer products."""

from __future__ import annotations

import numpy as np

from rdf.interpreter import ROOT, include_kernels

include_kernels("moments")
moments = ROOT.moments


def test_products_and_where_they_go() -> None:
    # x = (1, 2, 3): the upper half of the outer product, row by row.
    assert list(moments.pair_first[2]()) == [0, 0, 0, 1, 1, 2]
    assert list(moments.pair_second[2]()) == [0, 1, 2, 1, 2, 2]
    assert list(moments.pair_products[2](ROOT.std.array["float", 2]([2, 3]))) == [1, 2, 3, 4, 6, 9]


def test_sums_over_events_are_the_matrix_of_second_moments() -> None:
    width = 5
    X = np.random.default_rng(1).normal(10, 300, (200, width)).astype(np.float32)
    first, second = (np.array(list(indices[width]())) for indices in (moments.pair_first, moments.pair_second))
    sums = np.zeros((width + 1, width + 1))
    for row in X:
        np.add.at(
            sums, (first, second), list(moments.pair_products[width](ROOT.std.array["float", width](row.tolist())))
        )
    extended = np.column_stack([np.ones(len(X)), X.astype(np.float64)])
    expected = np.triu(np.einsum("ni,nj->ij", extended, extended))
    np.testing.assert_allclose(sums, expected, rtol=1e-12, atol=1e-6)


def test_products_are_in_double_precision() -> None:
    # 3e30^2 = 9e60 does not fit a float32.
    value = float(np.float32(3e30))
    assert list(moments.pair_products[1](ROOT.std.array["float", 1]([value]))) == [1, value, value * value]
