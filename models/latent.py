"""Two-dimensional views of events that are points in many dimensions: features, or an autoencoder's latent space.

PCA: K. Pearson, 1901; t-SNE: L. van der Maaten and G. Hinton, J. Mach. Learn. Res. 9 (2008) 2579; both by scikit-learn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

PERPLEXITY = 30.0
"""Effective number of neighbours that t-SNE keeps together; less where there are few events."""

ITERATIONS, ANGLE = 500, 0.8
"""Of t-SNE: against scikit-learn's 1000 and 0.5 a third of the time, for a divergence that is 3 % larger."""

FEWEST_EVENTS = 5
"""With fewer events t-SNE has no neighbourhoods to keep."""


@dataclass(frozen=True)
class Embedding:
    """Events in two dimensions.

    Attributes:
        pca: coordinates along the two directions of largest variance, in standard deviations of the single
            dimensions, shape (events, 2).
        tsne: coordinates that keep neighbours together; only their closeness means something, shape (events, 2).
        explained: fractions of the variance that lie along the two directions of `pca`.
    """

    pca: npt.NDArray[np.float64]
    tsne: npt.NDArray[np.float64]
    explained: tuple[float, float]


def embed(points: npt.NDArray[np.floating], seed: int) -> Embedding:
    """View points in two dimensions, each of their dimensions scaled to mean 0 and variance 1.

    With a single dimension the second coordinates are 0. With fewer than `FEWEST_EVENTS` events, or all of them in one
    place, all of `tsne` is 0.

    Args:
        points: shape (events, dimensions), all finite.
        seed: of t-SNE, which takes about two seconds for a thousand events and grows faster than their number.
    """
    if not len(points):
        return Embedding(np.zeros((0, 2)), np.zeros((0, 2)), (0.0, 0.0))
    with threadpool_limits(1):  # sums come out the same on any machine
        scaled = StandardScaler().fit_transform(np.asarray(points, dtype=np.float64))
        pca, explained = _principal_components(scaled)
        return Embedding(pca, _neighbourhoods(scaled, pca, seed), explained)


def _principal_components(scaled: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], tuple[float, float]]:
    coordinates, fractions = np.zeros((len(scaled), 2)), np.zeros(2)
    if scaled.any():
        analysis = PCA(min(2, *scaled.shape), svd_solver="full").fit(scaled)
        coordinates[:, : analysis.n_components_] = analysis.transform(scaled)
        fractions[: analysis.n_components_] = analysis.explained_variance_ratio_
    return coordinates, (float(fractions[0]), float(fractions[1]))


def _neighbourhoods(
    scaled: npt.NDArray[np.float64], pca: npt.NDArray[np.float64], seed: int
) -> npt.NDArray[np.float64]:
    """Start from the principal components, so that what is far apart stays so."""
    if len(scaled) < FEWEST_EVENTS or not pca.any():
        return np.zeros((len(scaled), 2))
    tsne = TSNE(
        2,
        perplexity=min(PERPLEXITY, (len(scaled) - 1) / 3),
        max_iter=ITERATIONS,
        angle=ANGLE,
        init=(pca / pca[:, 0].std() * 1e-4).astype(np.float32),
        random_state=seed,
    )
    return np.asarray(tsne.fit_transform(scaled), dtype=np.float64)
