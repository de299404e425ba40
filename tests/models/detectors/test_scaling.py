"""Scaling in a network's float32 against float64."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.preprocessing import StandardScaler

from models.detectors.scaling import Standardise
from tests.models.conftest import evaluated


def test_scaled_features_by_hand() -> None:
    # Means 2 and 10; standard deviations 1 and 5.
    scaler = StandardScaler().fit(np.array([[1.0, 5.0], [3.0, 15.0]]))
    X = np.array([[2, 0], [5, 11]], dtype=np.float32)
    np.testing.assert_allclose(evaluated(Standardise(scaler), X), [[0, -2], [3, 0.2]], rtol=1e-7)


@pytest.mark.parametrize(
    ("mean", "scale"),
    [(0.0, 1.0), (1e6, 1.0), (-3e7, 50.0), (0.1, 1e-5), (1e-30, 1e-31), (1e30, 1e27)],
)
def test_a_large_offset_costs_no_more_than_the_rounding_of_the_result(mean: float, scale: float) -> None:
    X: npt.NDArray[np.float32] = (mean + scale * np.random.default_rng(3).normal(size=(2000, 1))).astype(np.float32)
    scaler = StandardScaler().fit(X.astype(np.float64))
    exact = (X.astype(np.float64) - scaler.mean_) / scaler.scale_
    # Four roundings of 6e-8: of the two differences, the scale and the quotient.
    np.testing.assert_allclose(evaluated(Standardise(scaler), X), exact, rtol=3e-7, atol=1e-7)
