"""Every detector on features of few values, or near the ends of float32: flags and ranks as in float64, or a reason."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from models.detectors.autoencoder import Autoencoder
from models.detectors.detector import Detector
from models.detectors.registry import DETECTORS, detector_class
from models.detectors.settings import AutoencoderSettings
from models.errors import TrainingError
from models.thresholds import rank_table
from tests.models.conftest import evaluated

EVENTS = 400
RANDOM = np.random.default_rng(11)
TABLES: dict[str, npt.NDArray[np.generic]] = {
    "bits": RANDOM.integers(0, 2, (EVENTS, 3)),
    "rare bits": RANDOM.random((EVENTS, 4)) < [0.5, 0.3, 0.1, 0.02],
    "one bit": RANDOM.random((EVENTS, 1)) < 0.3,
    "counts": RANDOM.poisson([1, 2], (EVENTS, 2)),
    "ten kinds": RANDOM.normal(size=(10, 4))[RANDOM.integers(0, 10, EVENTS)],
    "hundred kinds": RANDOM.normal(size=(100, 4))[RANDOM.integers(0, 100, EVENTS)],
    "constant but one": np.column_stack([RANDOM.normal(size=EVENTS), np.arange(EVENTS) == 7]),
    "a number and a bit": np.column_stack([RANDOM.normal(size=EVENTS), RANDOM.integers(0, 2, EVENTS)]),
    "half alike": np.where(RANDOM.random((EVENTS, 1)) < 0.6, 0, RANDOM.normal(size=(EVENTS, 3))),
    "1e-42": RANDOM.exponential(1e-42, (EVENTS, 2)),
    "1e-30": RANDOM.exponential(1e-30, (EVENTS, 2)),
    "1e30": RANDOM.normal(0, 1e30, (EVENTS, 2)),
    "3e38": RANDOM.uniform(-3e38, 3e38, (EVENTS, 2)),
    "noise of float32": 1 + 1e-7 * RANDOM.normal(size=(EVENTS, 2)),
    "cube of Cauchy": RANDOM.standard_cauchy((EVENTS, 3)) ** 3,
    "seventh power of Cauchy": RANDOM.standard_cauchy((EVENTS, 2)) ** 7,
}


LONG = {
    "mlp": ("bits", "1e-42", "3e38"),
    "extra_trees": ("bits", "one bit", "half alike", "1e-42", "3e38", "noise of float32", "seventh power of Cauchy"),
    "gradient_boosting": ("bits", "1e-42", "3e38", "seventh power of Cauchy"),
}
"""Name of a detector whose training takes long -> the tables that it is trained on."""


def new_detector(name: str, width: int) -> Detector:
    features = [f"x{i}" for i in range(width)]
    if name == "autoencoder":  # a short training will do
        return Autoencoder(features, settings=AutoencoderSettings(layers=(16,), latent=1, epochs=8))
    return detector_class(name)(features)


@pytest.mark.parametrize(
    ("name", "table"),
    [(name, table) for table in TABLES for name in DETECTORS if table in LONG.get(name, TABLES)],
)
def test_the_event_loop_flags_and_ranks_what_the_training_does(name: str, table: str) -> None:
    X = TABLES[table].astype(np.float32)
    labels = (X[:, 0] > np.median(X[:, 0])).astype(int)
    labels[::7] ^= 1
    detector = new_detector(name, X.shape[1])
    _, kind, alike = np.unique(X, axis=0, return_inverse=True, return_counts=True)
    if name == "elliptic_envelope" and alike.max() > EVENTS / 2:
        with pytest.raises(TrainingError, match="more than half of the 400 training events are alike in all features"):
            detector.fit(X, labels)
        return
    detector.fit(X, labels)
    in_float32 = evaluated(detector.network(), X)[:, 0]
    difference = np.abs(in_float32.astype(np.float64) - detector.scores)
    assert (difference <= detector.scores_rounding).all()

    flagged, expected = in_float32 > np.float32(detector.threshold), detector.scores > detector.threshold
    tied = alike[kind.ravel()] > 1
    np.testing.assert_array_equal(flagged[tied], expected[tied])
    assert np.count_nonzero(flagged != expected) <= 1  # a single event may be within rounding of the threshold
    if not detector.supervised:
        asked = round(0.05 * EVENTS)
        assert expected.sum() <= asked
        assert (expected.sum() < asked) == (detector.ties is not None)

    ranks = rank_table(detector.scores, detector.scores_rounding)
    found = np.interp(in_float32, ranks.scores, ranks.ranks, right=1.0)
    # Rounding changes no rank. Kinds of events whose scores it can swap share the rank of the lowest of them.
    np.testing.assert_allclose(found[tied], np.interp(detector.scores, ranks.scores, ranks.ranks)[tied], atol=1e-4)
    less = np.array([(detector.scores < score).mean() for score in detector.scores])
    assert (found[tied] <= less[tied] + 1e-4).all()
    if name in ("isolation_forest", "decision_tree"):  # whose scores of these kinds are further apart, but for one pair
        np.testing.assert_allclose(found[tied], less[tied], atol=0.006)


def test_features_near_the_ends_of_float32_are_scaled_as_others() -> None:
    """A power of two changes no score."""
    X = np.random.default_rng(3).normal(5, 1, (300, 2)).astype(np.float32)
    for name in ("one_class_svm", "elliptic_envelope", "isolation_forest"):
        expected = new_detector(name, 2).fit(X)
        for factor in (2.0**-125, 2.0**120):
            detector = new_detector(name, 2).fit((X * factor).astype(np.float32))
            np.testing.assert_allclose(detector.scores, expected.scores, rtol=1e-5, atol=1e-6)
            in_float32 = evaluated(detector.network(), (X * factor).astype(np.float32))[:, 0]
            np.testing.assert_allclose(in_float32, expected.scores, rtol=1e-4, atol=1e-5)
            why = [
                evaluated(d.contributions(), (X * f).astype(np.float32)) for d, f in ((detector, factor), (expected, 1))
            ]
            np.testing.assert_allclose(*why, rtol=1e-3, atol=1e-4)
            assert detector.threshold == pytest.approx(expected.threshold, rel=1e-5, abs=1e-6)


def test_the_quartiles_scale_what_a_few_events_would_hide() -> None:
    """The distance from the bulk of a cubed Cauchy distribution, by the usual events alone."""
    X = (np.random.default_rng(5).standard_cauchy((1000, 2)) ** 3).astype(np.float32)
    detector = new_detector("elliptic_envelope", 2).fit(X)
    assert "features are scaled by their quartiles" in detector.notes[0]
    far = np.abs(X).max(axis=1)
    assert far[detector.scores > detector.threshold].min() > np.median(far)
    assert np.argmax(detector.scores) == np.argmax(far)
