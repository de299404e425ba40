"""Counts, means and correlations from sums over events.

A run keeps sum(x_i x_j) with x_0 = 1. Sums of batch jobs add up, so a merged run has exact means and correlations
without a second look at any event.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """Sums over events of the products of all pairs of features.

    Attributes:
        sums: shape (F + 1, F + 1), symmetric; row and column 0 belong to the constant 1.
    """

    sums: FloatArray

    @property
    def count(self) -> float:
        """The number of events."""
        return float(self.sums[0, 0])

    @property
    def means(self) -> FloatArray:
        """Mean of each feature, shape (F,); NaN without events."""
        return self.sums[0, 1:] / self.count if self.count > 0 else np.full(len(self.sums) - 1, np.nan)

    @property
    def covariance(self) -> FloatArray:
        """Covariance of the features, normalised to the number of events, shape (F, F); NaN without events."""
        if self.count <= 0:
            return np.full(self.sums[1:, 1:].shape, np.nan)
        return self.sums[1:, 1:] / self.count - np.outer(self.means, self.means)

    @property
    def standard_errors(self) -> FloatArray:
        """Standard error of each mean, shape (F,); NaN with fewer than two events."""
        if self.count < 2:
            return np.full(len(self.sums) - 1, np.nan)
        variances: FloatArray = np.clip(np.diag(self.covariance), 0, None)
        errors: FloatArray = np.sqrt(variances / (self.count - 1))
        return errors

    @property
    def correlation(self) -> FloatArray:
        """Pearson's correlation coefficients, shape (F, F); NaN for a feature that is the same in all events."""
        covariance = self.covariance
        variance = np.diag(covariance).copy()
        # The difference of two nearly equal sums: below its rounding error a variance is no variance.
        variance[variance <= 1e-14 * np.diag(self.sums)[1:] / max(self.count, 1)] = np.nan
        width = np.sqrt(variance)
        coefficients: FloatArray = covariance / np.outer(width, width)
        return coefficients
