"""Products of matrices and vectors against numpy's in float64."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from tests.macros.compiled import WAYS, compiled

pytestmark = pytest.mark.compiler

Matrix = npt.NDArray[np.floating]
Product = Callable[..., npt.NDArray[np.float32]]


@pytest.fixture(scope="module", params=WAYS, name="function")
def compiled_functions(request: pytest.FixtureRequest) -> Callable[[str], Callable[..., None]]:
    code = """
#include "numerics/dense.hxx"
#include <cstdint>
API(product)(int transa, int transb, int m, int n, int k, const float *factors, const float *A, const float *B,
             float *C)
{
   const int lda = transa ? k : m, ldb = transb ? n : k;
   dense::sgemm(transa ? "t" : "n", transb ? "t" : "n", &m, &n, &k, factors, A, &lda, B, &ldb, factors + 1, C, &m);
}
API(distances)(int dimensions, int count, const float *point, const float *others, float *out)
{
   dense::squared_distances(out, point, others, dimensions, count);
}
API(address)(int size, std::int64_t *address)
{
   const dense::Tensor<float> tensor(size);
   *address = reinterpret_cast<std::intptr_t>(tensor.data());
}
"""
    return compiled(code, request.param)


@pytest.fixture(name="product")
def compiled_product(function: Callable[[str], Callable[..., None]]) -> Product:
    """alpha op(A) op(B) + beta C by BLAS's arguments, of which the matrices are by columns."""

    def product(A: Matrix, B: Matrix, C: Matrix, alpha: float, beta: float, transa: bool, transb: bool) -> Matrix:
        columns = [
            np.asfortranarray(matrix, dtype=np.float32) for matrix in (A.T if transa else A, B.T if transb else B)
        ]
        out = np.array(C, dtype=np.float32, order="F")
        factors = np.array([alpha, beta], dtype=np.float32)
        function("product")(int(transa), int(transb), *out.shape, A.shape[1], factors, *columns, out)
        return out

    return product


def drawn(*shape: int) -> Matrix:
    """Return numbers that float32 holds."""
    return np.random.default_rng(shape).normal(size=shape).astype(np.float32).astype(np.float64)


# All sizes of blocks, and what is left beside them.
@pytest.mark.parametrize("outputs", [1, 3, 5, 8, 12, 16, 31, 64, 67, 128, 211, 2529])
@pytest.mark.parametrize("inputs", [1, 7, 8, 10, 57, 128])
@pytest.mark.parametrize("by_outputs", [False, True])
def test_layer(outputs: int, inputs: int, by_outputs: bool, product: Product) -> None:
    A, x, bias = drawn(outputs, inputs), drawn(inputs, 1), drawn(outputs, 1)
    terms = np.abs(A) @ np.abs(x) + np.abs(bias)
    for beta in (0.0, 1.0):
        found = product(A, x, bias, 1.0, beta, by_outputs, False)
        assert (np.abs(found - (A @ x + beta * bias)) <= 1e-6 * terms).all()


@pytest.mark.parametrize("size", [1, 63, 64, 65, 2529])
def test_sum_of_products(size: int, product: Product) -> None:
    a, b = drawn(1, size), drawn(size, 1)
    found = product(a, b, np.zeros((1, 1)), 1.0, 0.0, False, False)
    assert abs(found[0, 0] - (a @ b)[0, 0]) <= 1e-6 * (np.abs(a) @ np.abs(b))[0, 0]


@pytest.mark.parametrize("transa", [False, True])
@pytest.mark.parametrize("transb", [False, True])
@pytest.mark.parametrize("factors", [(1, 0), (1, 1), (2.5, -0.5)])
def test_all_that_blas_can(transa: bool, transb: bool, factors: tuple[float, float], product: Product) -> None:
    A, B, C = drawn(5, 9), drawn(9, 4), drawn(5, 4)
    found = product(A, B, C, *factors, transa, transb)
    np.testing.assert_allclose(found, factors[0] * A @ B + factors[1] * C, rtol=0, atol=1e-5)


def test_what_lay_in_the_output_is_forgotten_and_nan_is_not(product: Product) -> None:
    A, x = drawn(70, 12), drawn(12, 1)
    found = product(A, x, np.full((70, 1), np.nan), 1.0, 0.0, False, False)
    np.testing.assert_allclose(found, A @ x, rtol=0, atol=1e-5)
    A[33, 4], A[66, 5], A[67, 5] = np.nan, np.inf, -np.inf
    x[5] = 2
    found = product(A, x, np.zeros((70, 1)), 1.0, 0.0, False, False)
    assert np.flatnonzero(~np.isfinite(found[:, 0])).tolist() == [33, 66, 67]
    np.testing.assert_array_equal(found[[33, 66, 67], 0], [np.nan, np.inf, -np.inf])


# All sizes of blocks, and what is left beside them.
@pytest.mark.parametrize("count", [1, 15, 16, 63, 64, 65, 80, 2529])
@pytest.mark.parametrize("dimensions", [1, 3, 8, 20])
def test_squared_distances(dimensions: int, count: int, function: Callable[[str], Callable[..., None]]) -> None:
    point, others = drawn(dimensions), drawn(dimensions, count)
    # Neighbours, whose distance a difference of products would lose.
    others[:, ::3] = (point[:, None] + 1e-3 * others[:, ::3]).astype(np.float32)
    found = np.full(count, np.nan, dtype=np.float32)
    function("distances")(dimensions, count, point.astype(np.float32), others.astype(np.float32), found)
    np.testing.assert_allclose(
        found, ((point[:, None] - others) ** 2).sum(axis=0), rtol=1e-3 * np.finfo("f4").eps ** 0.5
    )


def test_tensors_begin_with_a_cache_line(function: Callable[[str], Callable[..., None]]) -> None:
    for size in (1, 8, 1000, 100_000):
        address = np.zeros(1, dtype=np.int64)
        function("address")(size, address)
        assert address[0] != 0
        assert address[0] % 64 == 0
