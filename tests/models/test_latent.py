"""Embeddings against an eigendecomposition in numpy, and neighbourhoods that are known."""

from __future__ import annotations

import numpy as np
import pytest

from models.latent import embed


def test_principal_components_are_the_eigenvectors_of_the_correlation_matrix() -> None:
    random = np.random.default_rng(1)
    points = random.normal(size=(300, 4)) @ random.normal(size=(4, 4)) * [1, 10, 1e3, 1e-4] + 5
    embedding = embed(points, 1)
    values, vectors = np.linalg.eigh(np.corrcoef(points.T))
    scaled = (points - points.mean(axis=0)) / points.std(axis=0)
    assert embedding.explained == pytest.approx((values[3] / 4, values[2] / 4), rel=1e-9)
    for column, vector in ((0, vectors[:, 3]), (1, vectors[:, 2])):
        expected = scaled @ vector
        sign = np.sign(expected @ embedding.pca[:, column])  # an eigenvector has none
        np.testing.assert_allclose(embedding.pca[:, column], sign * expected, rtol=0, atol=1e-9)


def test_tsne_keeps_neighbours_together() -> None:
    """Three clusters in six dimensions, far from each other."""
    random = np.random.default_rng(2)
    cluster = np.repeat([0, 1, 2], 50)
    points = random.normal(size=(150, 6)) + 20 * np.eye(6)[cluster]
    tsne = embed(points, 1).tsne
    assert tsne.shape == (150, 2)
    distances = np.linalg.norm(tsne[:, None] - tsne[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    np.testing.assert_array_equal(cluster[distances.argmin(axis=1)], cluster)


def test_same_seed_same_embedding() -> None:
    points = np.random.default_rng(3).normal(size=(100, 5))
    first, second = embed(points, 7), embed(points, 7)
    np.testing.assert_array_equal(first.tsne, second.tsne)
    np.testing.assert_array_equal(first.pca, second.pca)


def test_one_dimension_leaves_the_second_coordinate_zero() -> None:
    points = np.random.default_rng(4).normal(3, 2, size=(40, 1))
    embedding = embed(points, 1)
    np.testing.assert_allclose(np.abs(embedding.pca[:, 0]), np.abs(points[:, 0] - points.mean()) / points.std())
    assert not embedding.pca[:, 1].any()
    assert not embedding.tsne[:, 1].any()
    assert np.ptp(embedding.tsne[:, 0]) > 1
    assert embedding.explained == (1.0, 0.0)


@pytest.mark.parametrize("events", [0, 1, 2, 4, 5, 8])
def test_few_events(events: int) -> None:
    embedding = embed(np.random.default_rng(5).normal(size=(events, 3)), 1)
    assert embedding.pca.shape == embedding.tsne.shape == (events, 2)
    assert np.isfinite(embedding.tsne).all()
    assert embedding.tsne.any() == (events >= 5)
    assert sum(embedding.explained) == pytest.approx(0.0 if events < 2 else 1.0, abs=0.5 if events > 3 else 1e-9)


def test_events_in_one_place_and_far_off() -> None:
    same = embed(np.full((20, 3), 1.1, dtype=np.float32), 1)
    assert not same.pca.any()
    assert not same.tsne.any()
    assert same.explained == (0.0, 0.0)
    doubled = np.repeat(np.random.default_rng(6).normal(size=(4, 3)), 10, axis=0)
    doubled[0] = 1e30
    assert np.isfinite(embed(doubled, 1).tsne).all()
