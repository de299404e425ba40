"""Scaling as the first layer of a network."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.preprocessing import StandardScaler


class Standardise(torch.nn.Module):
    """Subtracts a scaler's means from raw features and divides by its scales, in float32.

    A mean that is large against its scale does not fit a float32: what is left of it is subtracted after it, so that
    little more is lost than by the rounding of the features themselves.
    """

    mean: torch.Tensor
    rest: torch.Tensor
    scale: torch.Tensor

    def __init__(self, scaler: StandardScaler) -> None:
        super().__init__()
        mean = scaler.mean_.astype(np.float32)
        self.register_buffer("mean", torch.tensor(mean))
        self.register_buffer("rest", torch.tensor((scaler.mean_ - mean).astype(np.float32)))
        self.register_buffer("scale", torch.tensor(scaler.scale_.astype(np.float32)))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map raw features to scaled ones, both of shape (events, features)."""
        return (features - self.mean - self.rest) / self.scale
