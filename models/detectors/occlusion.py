"""Contributions of features to the score of any network: what is lost when a feature is put to its training mean."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch


class NetworkOcclusion(torch.nn.Module):
    """By how much a score falls when one feature after the other is put to its training mean, and the others are kept.

    The contributions do not add up to the score. A negative one made the event less anomalous.
    """

    kept: torch.Tensor
    means: torch.Tensor

    def __init__(self, network: torch.nn.Module, means: npt.NDArray[np.float32]) -> None:
        """Prepare the network.

        Args:
            network: maps raw features, shape (events, features), to scores, shape (events, 1).
            means: of the features, shape (features,).
        """
        super().__init__()
        self.network = network
        width = len(means)
        self.register_buffer("kept", 1 - torch.eye(width))
        self.register_buffer("means", torch.diag(torch.tensor(means, dtype=torch.float32)))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map raw features to contributions, both of shape (events, features)."""
        width = self.means.shape[0]
        without = (features[:, None, :] * self.kept + self.means).reshape(-1, width)
        contributions: torch.Tensor = self.network(features) - self.network(without).reshape(-1, width)
        return contributions
