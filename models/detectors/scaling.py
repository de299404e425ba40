"""Scaling as the first layer of a network."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from sklearn.preprocessing import StandardScaler


class Standardise(torch.nn.Module):
    """Subtracts a scaler's means from raw features and divides by its scales, in float32.

    A mean that is large against its scale does not fit a float32: what is left of it is subtracted after it, so that
    little more is lost than by the rounding of the features themselves. Features near either end of the range of
    float32 are multiplied by a power of two first.
    """

    factor: torch.Tensor
    mean: torch.Tensor
    rest: torch.Tensor
    scale: torch.Tensor

    def __init__(self, scaler: StandardScaler) -> None:
        super().__init__()
        factor = exact_factors(scaler.scale_, FLOAT32_ENDS)
        self.is_extreme = bool((factor != 1).any())
        if self.is_extreme:
            self.register_buffer("factor", torch.tensor(factor.astype(np.float32)))
        exact = scaler.mean_ * factor
        mean = exact.astype(np.float32)
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("rest", torch.tensor((exact - mean).astype(np.float32)))
        self.register_buffer("scale", torch.tensor((scaler.scale_ * factor).astype(np.float32)))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map raw features to scaled ones, both of shape (events, features)."""
        if self.is_extreme:
            features = features * self.factor
        return (features - self.mean - self.rest) / self.scale


FLOAT32_ENDS = 100
"""Spreads below 2^-100 and above 2^100 are near the ends of the range of float32: differences of such features are too
small to keep all their digits, or too large to be held."""
LARGEST_EXPONENT = 126
"""Of a power of two in float32."""


def exact_factors(scales: npt.NDArray[np.float64], ordinary: int) -> npt.NDArray[np.float64]:
    """Return a power of two for each feature that brings its spread near 1; 1 for spreads that need none.

    Such a factor loses no digit of a float32.

    Args:
        scales: spreads of the features, shape (features,), positive.
        ordinary: spreads between 2^-ordinary and 2^ordinary need no factor.
    """
    exponents = np.round(np.log2(scales))
    needed = np.where(np.abs(exponents) > ordinary, -exponents, 0.0)
    factors: npt.NDArray[np.float64] = np.exp2(needed.clip(-LARGEST_EXPONENT, LARGEST_EXPONENT))
    return factors
