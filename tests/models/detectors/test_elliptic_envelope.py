"""The elliptic envelope against scikit-learn and linear algebra, and its networks against the envelope."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import scipy.linalg
from sklearn.covariance import EllipticEnvelope as SklearnEllipticEnvelope
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from models.detectors.elliptic_envelope import EllipticEnvelope, EnvelopeNetwork, MahalanobisTerms
from models.errors import TrainingError
from tests.models.conftest import FEATURES, by_numpy, evaluated

Features = npt.NDArray[np.float32]


def direct(X: Features) -> Pipeline:
    return make_pipeline(StandardScaler(), SklearnEllipticEnvelope(random_state=42)).fit(X.astype(np.float64))


@pytest.fixture(scope="module")
def envelope(made_up: Features) -> EllipticEnvelope:
    return EllipticEnvelope(FEATURES).fit(made_up)


def test_scores_are_scikit_learns(envelope: EllipticEnvelope, made_up: Features) -> None:
    unseen = np.concatenate([made_up, np.random.default_rng(5).permuted(made_up, axis=0), 10 * made_up[:50]])
    expected = -direct(made_up).score_samples(unseen.astype(np.float64))
    scores = envelope.score(unseen)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, expected, rtol=1e-6)
    np.testing.assert_allclose(evaluated(envelope.network(), unseen)[:, 0], expected, rtol=1e-5, atol=1e-6)
    assert (scores[:3000] > envelope.threshold).sum() == 150
    assert envelope.notes == []


def test_one_feature_is_a_distance_in_standard_deviations(made_up: Features) -> None:
    X = made_up[:, :1]
    envelope = EllipticEnvelope(FEATURES[:1]).fit(X)
    expected = -direct(X).score_samples(X.astype(np.float64))
    np.testing.assert_allclose(envelope.score(X), expected, rtol=1e-6)
    np.testing.assert_allclose(evaluated(envelope.network(), X)[:, 0], expected, rtol=1e-5, atol=1e-6)


def test_distance_and_its_terms_by_hand() -> None:
    scaler = StandardScaler().fit(np.array([[-2.0, 7.0], [2.0, 13.0]]))  # means 0 and 10, scales 2 and 3
    X = np.array([[4, 16]], dtype=np.float32)  # scaled (2, 2), which is (1, 3) from (1, -1)
    location = np.array([1.0, -1.0])
    # (1 x 1 + 3 x 1, 1 x 0 + 3 x 2) = (4, 6), of which the squares are 16 + 36.
    matrix = np.array([[1.0, 0.0], [1.0, 2.0]])
    np.testing.assert_allclose(evaluated(EnvelopeNetwork(scaler, location, matrix), X), [[52]])
    # The precision is [[1, 1], [1, 5]]: 1 x (1 + 3) and 3 x (1 + 15).
    np.testing.assert_allclose(evaluated(MahalanobisTerms(scaler, location, matrix @ matrix.T), X), [[4, 48]])


def test_contributions_are_the_terms_of_the_distance(
    envelope: EllipticEnvelope, made_up: Features, tmp_path: Path
) -> None:
    X = made_up[::50]
    pipeline = direct(made_up)
    distance = pipeline[0].transform(X.astype(np.float64)) - pipeline[1].location_
    expected = distance * np.einsum("ij,nj->ni", np.linalg.inv(pipeline[1].covariance_), distance)
    contributions = evaluated(envelope.contributions(), X)
    np.testing.assert_allclose(contributions, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(contributions.sum(axis=1), envelope.score(X), rtol=1e-5, atol=1e-5)
    by_reference = by_numpy(envelope.contributions(), X, tmp_path / "why.onnx")
    np.testing.assert_allclose(by_reference, contributions, rtol=1e-5, atol=1e-5)


def test_a_feature_that_is_one_value_for_most_events_is_ignored_and_said_so(made_up: Features) -> None:
    """As the mass of a pair of muons is 0 in events without one."""
    X = made_up.copy()
    X[:60, 0] += 5000  # far off in another feature too: such events do not enter the robust covariance
    X[60:, 1] = 0
    envelope = EllipticEnvelope(FEATURES).fit(X)
    (note,) = envelope.notes
    assert note == (
        "among the usual events Rsq are constant or linearly dependent, or nearly: 1 of 3 directions, in which these "
        "hardly vary, left out of the distance"
    )
    expected = -direct(X).score_samples(X.astype(np.float64))
    np.testing.assert_allclose(envelope.score(X), expected, rtol=1e-6)
    np.testing.assert_allclose(evaluated(envelope.network(), X)[:, 0], expected, rtol=1e-5, atol=1e-5)
    # What it ignores indeed changes nothing.
    moved = X.copy()
    moved[:, 1] = 0.5
    np.testing.assert_array_equal(envelope.score(moved), envelope.score(X))


def robust_correlation(envelope: EllipticEnvelope) -> npt.NDArray[np.float64]:
    spreads = np.sqrt(np.diag(envelope.envelope.covariance_))
    return np.asarray(envelope.envelope.covariance_ / np.outer(spreads, spreads))


def test_a_null_direction_of_usual_events_is_left_out_of_the_distance(made_up: Features) -> None:
    """As HT is the sum of the megajets' momenta in events of two jets: their difference says nothing of the others."""
    X = made_up.copy()
    X[300:, 2] = 3 * X[300:, 0] * (1 + 1e-6 * np.random.default_rng(1).normal(size=2700))
    envelope = EllipticEnvelope(FEATURES).fit(X)
    (note,) = envelope.notes
    assert note == (
        "among the usual events MR, HT are constant or linearly dependent, or nearly: 1 of 3 directions, in which "
        "these hardly vary, left out of the distance"
    )
    assert envelope.abstention is None
    # By scipy's pseudo-inverse with that cut, of the correlation, and in units of the robust spreads.
    correlation = robust_correlation(envelope)
    assert np.linalg.cond(correlation) > 1e9
    spreads = np.sqrt(np.diag(envelope.envelope.covariance_))
    distance = (envelope.scaler.transform(X.astype(np.float64)) - envelope.envelope.location_) / spreads
    precision = scipy.linalg.pinvh(correlation, rtol=1e-6)
    expected = np.einsum("ni,ij,nj->n", distance, precision, distance)
    np.testing.assert_allclose(envelope.score(X), expected, rtol=1e-5)
    assert expected.max() < 1e5 < 1e15 < (-direct(X).score_samples(X.astype(np.float64))).max()
    network = envelope.network()
    assert network.matrix.shape == (3, 3)
    np.testing.assert_allclose(evaluated(network, X)[:, 0], expected, rtol=1e-4, atol=1e-5)
    terms = evaluated(envelope.contributions(), X)
    np.testing.assert_allclose(terms, distance * (distance @ precision), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("noise", "index", "votes"), [(0.1, (5, 30), True), (0.003, (100, 1000), False)])
def test_an_ill_conditioned_envelope_has_no_vote(
    made_up: Features, noise: float, index: tuple[float, float], votes: bool
) -> None:
    X = made_up.copy()
    X[:, 2] = 3 * X[:, 0] * (1 + noise * np.random.default_rng(1).normal(size=3000))
    envelope = EllipticEnvelope(FEATURES).fit(X)
    low, high = index
    condition = float(np.linalg.cond(robust_correlation(envelope)))
    assert low**2 < condition < high**2
    assert envelope.notes == []
    np.testing.assert_allclose(envelope.score(X), -direct(X).score_samples(X.astype(np.float64)), rtol=1e-6)
    if votes:
        assert envelope.abstention is None
    else:
        assert envelope.abstention == (
            "no vote beside other detectors: one combination of MR, HT makes most of the score, as the robust "
            f"correlation has the condition number {condition:.2g}, above 10000"
        )


@pytest.mark.parametrize(
    ("weights", "named"), [((1.0, -200.0), "MR, Rsq, HT"), ((7.0, 0.0), "MR, HT")], ids=["sum", "multiple"]
)
def test_linearly_dependent_features_are_refused(made_up: Features, weights: tuple[float, float], named: str) -> None:
    X = made_up.copy()
    X[:, 2] = 1000 + X[:, :2] @ np.array(weights)
    with pytest.raises(
        TrainingError, match=f"^elliptic_envelope: the features {named} are linearly dependent, .* --features, or"
    ):
        EllipticEnvelope(FEATURES).fit(X)


def test_too_few_events_for_a_covariance_are_refused(made_up: Features) -> None:
    with pytest.raises(TrainingError, match=r"^elliptic_envelope: 7 training events, at least 8 are needed"):
        EllipticEnvelope(FEATURES).fit(made_up[:7])
    assert np.isfinite(EllipticEnvelope(FEATURES).fit(made_up[:8]).threshold)


def test_events_most_of_which_are_alike_are_refused(made_up: Features) -> None:
    X = made_up.copy()
    X[300:] = X[300]
    with pytest.raises(
        TrainingError, match=r"^elliptic_envelope: more than half of the 3000 training events are alike"
    ):
        EllipticEnvelope(FEATURES).fit(X)


def test_enormous_values_have_a_score(envelope: EllipticEnvelope) -> None:
    signs = np.array(np.meshgrid([-1, 0, 1], [-1, 0, 1], [-1, 0, 1])).reshape(3, -1).T
    X = (signs[np.any(signs, axis=1)] * 1e30).astype(np.float32)
    scores = evaluated(envelope.network(), X)[:, 0]
    assert (scores > 1e20).all()
    np.testing.assert_allclose(envelope.score(X), scores, rtol=1e-5)


def test_events_far_off_in_an_ignored_direction_have_a_score() -> None:
    """Their distance is what rounding leaves of large numbers; scikit-learn takes the root even if that is negative."""
    random = np.random.default_rng(3)
    X = np.repeat(random.integers(0, 3, size=(500, 1)), 2, axis=1).astype(np.float32)
    X[:20] += np.column_stack([-500 - 1000 * random.random(20), np.full(20, 1000)]).astype(np.float32)
    envelope = EllipticEnvelope(FEATURES[:2]).fit(X)
    assert "1 of 2 directions" in envelope.notes[0]
    # The usual events have both features alike; from their place in the other direction.
    _, vectors = np.linalg.eigh(envelope.envelope.covariance_)
    along = envelope.envelope.location_ + random.uniform(1e3, 1e6, size=(500, 1)) * vectors[:, 0]
    with np.errstate(invalid="ignore"):
        assert np.isnan(envelope.envelope.score_samples(along)).any()
    far = envelope.scaler.inverse_transform(along).astype(np.float32)
    assert (envelope.score(far) >= 0).all()
    assert (evaluated(envelope.network(), far) >= 0).all()


def test_scores_of_nearly_dependent_features_are_those_of_exact_arithmetic() -> None:
    """HT is pT1 + pT2 in most events, but for little: scores are sums of squares, whatever the machine rounds to."""
    random = np.random.default_rng(8)
    pt = random.exponential(80.0, (3000, 2)) + 30
    more = np.where(random.uniform(size=3000) < 0.3, random.exponential(50.0, 3000), 0.0)
    X = np.column_stack([pt, pt.sum(axis=1) + more + random.normal(0, 0.5, 3000)]).astype(np.float32)
    detector = EllipticEnvelope(("pt1", "pt2", "HT")).fit(X)
    location = [Fraction(float(value)) for value in detector.envelope.location_]
    values, vectors = np.linalg.eigh(detector.envelope.precision_)
    scaled = detector.scaler.transform(X.astype(np.float64))
    for event in (*range(40), *np.flatnonzero(more)[:10].tolist()):
        distance = [Fraction(float(value)) - at for value, at in zip(scaled[event], location, strict=True)]
        along = [sum(Fraction(float(v)) * d for v, d in zip(vector, distance, strict=True)) for vector in vectors.T]
        exact = float(sum(Fraction(float(max(value, 0))) * a * a for value, a in zip(values, along, strict=True)))
        assert detector.score(X[event : event + 1])[0] == pytest.approx(exact, rel=1e-5)
