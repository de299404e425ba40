from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from plotting.results.moments import Moments


def moments_of(features: NDArray[np.float64]) -> Moments:
    vectors = np.column_stack([np.ones(len(features)), features])
    return Moments(vectors.T @ vectors)


def test_moments_in_the_file_give_what_numpy_gives(results, events) -> None:
    for part, mask in events.parts().items():
        moments, features = getattr(results.moments, part), events.features[mask]
        assert moments.count == mask.sum()
        np.testing.assert_allclose(moments.means, features.mean(axis=0), rtol=1e-12)
        np.testing.assert_allclose(moments.correlation, np.corrcoef(features.T), atol=1e-12)
        errors = features.std(axis=0, ddof=1) / np.sqrt(len(features))
        np.testing.assert_allclose(moments.standard_errors, errors, rtol=1e-11)


def test_sums_of_two_jobs_are_the_sums_of_one(events) -> None:
    first, second = moments_of(events.features[:1500]), moments_of(events.features[1500:])
    merged = Moments(first.sums + second.sums)
    np.testing.assert_allclose(merged.correlation, np.corrcoef(events.features.T), atol=1e-12)


def test_a_constant_feature_has_no_correlation() -> None:
    random = np.random.default_rng(1)
    features = np.column_stack([random.normal(size=500), np.full(500, 0.1), random.normal(size=500)])
    correlation = moments_of(features).correlation
    assert np.isnan(correlation[1]).all()
    assert np.isnan(correlation[:, 1]).all()
    np.testing.assert_allclose(correlation[0, 2], np.corrcoef(features[:, 0], features[:, 2])[0, 1], atol=1e-12)


def test_without_events_nothing_is_known() -> None:
    nothing = Moments(np.zeros((4, 4)))
    assert nothing.count == 0
    for known in (nothing.means, nothing.standard_errors, nothing.correlation):
        assert np.isnan(known).all()
    assert np.isnan(moments_of(np.ones((1, 2))).standard_errors).all()
