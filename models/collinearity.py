"""Features that nearly depend on one another: by the condition number of their correlation matrix."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

ILL_CONDITIONED = 1e4
"""Condition number of a correlation matrix above which its smallest eigenvalue is that of a relation between features.

Its root, the condition index, is above 100 then; from 30 to 100 it is that of moderate to strong relations (D. A.
Belsley, E. Kuh, R. E. Welsch, "Regression Diagnostics", Wiley 1980, section 3.2)."""
INVOLVED = 0.01
"""Smallest weight in a direction, a vector of length 1, with which a feature is named."""


def involved(features: Sequence[str], directions: npt.NDArray[np.float64]) -> str:
    """Return the names of the features that take part in at least one of several orthonormal directions.

    Args:
        features: names, in the order of the rows.
        directions: unit vectors, shape (features, directions).
    """
    weights = np.sqrt((directions**2).sum(axis=1))
    return ", ".join(name for name, weight in zip(features, weights, strict=True) if weight > INVOLVED)


def collinear(features: Sequence[str], X: npt.NDArray[np.float32]) -> str | None:
    """Say which features are nearly linearly dependent in these events, shape (events, features); None if none are."""
    centred = X.astype(np.float64) - X.mean(axis=0, dtype=np.float64)
    spreads = np.sqrt((centred**2).mean(axis=0))
    scaled = np.divide(centred, spreads, out=np.zeros_like(centred), where=spreads > 0)
    values, vectors = np.linalg.eigh(scaled.T @ scaled / len(scaled))
    varies = values[-1] > 0 and bool((spreads > 0).all())
    if not varies or values[0] * ILL_CONDITIONED >= values[-1]:
        return None
    small = values * ILL_CONDITIONED < values[-1]
    return (
        f"the features {involved(features, vectors[:, small])} are nearly linearly dependent (the condition number of "
        f"their correlation matrix is above {ILL_CONDITIONED:g}): leave one of them out of --features"
    )
