"""The one-class SVM against scikit-learn and its kernel sum in numpy, and its networks against the machine."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM as SklearnOneClassSVM

from models.detectors import one_class_svm
from models.detectors.one_class_svm import OneClassSVM
from tests.models.conftest import FEATURES, by_numpy, evaluated

Features = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def machine(made_up: Features) -> OneClassSVM:
    return OneClassSVM(FEATURES).fit(made_up)


@pytest.fixture(scope="module")
def direct(made_up: Features) -> Pipeline:
    """What the detector stands for, without it."""
    return make_pipeline(StandardScaler(), SklearnOneClassSVM(kernel="rbf", gamma="scale", nu=0.05)).fit(
        made_up.astype(np.float64)
    )


@pytest.fixture(scope="module", name="X")
def unusual_and_usual(made_up: Features) -> Features:
    return np.concatenate([made_up, np.random.default_rng(5).permuted(made_up, axis=0), 10 * made_up[:50]])


def test_scores_are_scikit_learns(machine: OneClassSVM, direct: Pipeline, made_up: Features, X: Features) -> None:
    expected = -direct.decision_function(X.astype(np.float64))
    scores = machine.score(X)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(evaluated(machine.network(), X)[:, 0], expected, rtol=0, atol=1e-5 * np.ptp(expected))
    assert abs(int((machine.score(made_up) > machine.threshold).sum()) - 150) <= 1
    assert machine.notes == []


def test_score_is_rho_less_the_kernel_sum(machine: OneClassSVM, direct: Pipeline, X: Features) -> None:
    vectors, alpha = direct[1].support_vectors_, direct[1].dual_coef_[0]
    scaled = direct[0].transform(X[::100].astype(np.float64))
    # gamma = "scale": one over the number of features, as the variance of the scaled ones is 1.
    kernel = np.exp(-((scaled[:, None] - vectors) ** 2).sum(axis=2) / 3)
    assert alpha.sum() == pytest.approx(0.05 * 3000)
    expected = -direct[1].intercept_[0] - kernel @ alpha
    np.testing.assert_allclose(machine.score(X[::100]), expected, rtol=0, atol=1e-5)


def test_scores_do_not_depend_on_the_chunks(machine: OneClassSVM, X: Features, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = machine.score(X)
    monkeypatch.setattr(one_class_svm, "BLOCK", 997)
    np.testing.assert_array_equal(machine.score(X), at_once)


def test_of_too_many_events_some_are_drawn_and_the_user_is_told(
    made_up: Features, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_class_svm, "MAX_EVENTS", 1000)
    drawn, again, other = (OneClassSVM(FEATURES, seed=seed).fit(made_up) for seed in (1, 1, 2))
    (note,) = drawn.notes
    assert note == (
        "trained on 1000 of the 3000 training events, drawn at random, as its training time grows with their square"
    )
    np.testing.assert_array_equal(drawn.scores, again.scores)
    assert (drawn.scores != other.scores).all()
    # alpha adds up to nu times the events trained on; the threshold is still over all 3000.
    assert drawn.machine.dual_coef_.sum() == pytest.approx(50)
    assert abs(int((drawn.scores > drawn.threshold).sum()) - 150) <= 1
    # From the whole sample and not from its start: more than 50 support vectors, each of them at an equal chance.
    scaled = drawn.scaler.transform(made_up.astype(np.float64))
    places = np.flatnonzero((scaled[:, None] == drawn.machine.support_vectors_).all(axis=2).any(axis=1))
    assert places.max() > 2700


def test_contributions_are_distances_from_the_nearby_support_vectors(
    machine: OneClassSVM, direct: Pipeline, X: Features, tmp_path: Path
) -> None:
    events = X[3000::150]  # not trained on
    scaled = direct[0].transform(events.astype(np.float64))
    squared = (scaled[:, None] - direct[1].support_vectors_) ** 2
    exponent = np.log(direct[1].dual_coef_) - squared.sum(axis=2) / 3
    share = np.exp(exponent - exponent.max(axis=1, keepdims=True))
    share /= share.sum(axis=1, keepdims=True)
    expected = np.einsum("ni,nij->nj", share, squared)
    contributions = evaluated(machine.contributions(), events)
    np.testing.assert_allclose(contributions, expected, rtol=1e-3, atol=1e-4)
    by_reference = by_numpy(machine.contributions(), events, tmp_path / "why.onnx")
    np.testing.assert_allclose(by_reference, contributions, rtol=1e-3, atol=1e-5)


def test_the_feature_that_is_unusual_contributes_most(machine: OneClassSVM, made_up: Features) -> None:
    typical = np.median(made_up, axis=0)
    for feature, value in enumerate((9000.0, 5.0, -9e5)):
        event = typical.copy()
        event[feature] = value
        assert np.argmax(evaluated(machine.contributions(), event[np.newaxis])[0]) == feature


def test_an_event_of_the_training_is_not_compared_with_itself(machine: OneClassSVM, made_up: Features) -> None:
    top = made_up[[np.argmax(machine.scores)]]
    scaled = machine.scaler.transform(top.astype(np.float64))
    others = ((machine.machine.support_vectors_ - scaled) ** 2).sum(axis=1)
    assert others.min() < 1e-20
    nearest = np.partition(others, 1)[1]
    assert evaluated(machine.contributions(), top).sum() >= 0.999 * nearest > 0.1


@pytest.mark.parametrize("outliers", [1, 3, 30])
def test_scores_of_events_near_support_vectors_far_out(made_up: Features, outliers: int) -> None:
    """Where the terms of a squared distance are large and cancel, and few others make up for what is lost."""
    X = made_up[60:360].copy()
    X[:outliers] *= 100
    machine = OneClassSVM(FEATURES).fit(X)
    assert np.abs(machine.machine.support_vectors_).max() > 3
    vectors = machine.scaler.inverse_transform(machine.machine.support_vectors_)
    events = np.concatenate([vectors * factor for factor in (1, 1 + 1e-4, 1.01, 1.1, 1e4)]).astype(np.float32)
    expected = -machine.machine.decision_function(machine.scaler.transform(events.astype(np.float64)))
    scores = evaluated(machine.network(), events)[:, 0]
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-5 * np.ptp(expected))


def test_enormous_values_are_outside_of_the_support(machine: OneClassSVM) -> None:
    X = np.array([[1e30, -1e30, 1e30], [-3e38, 3e38, 0], [300, 0.1, 1e30]], dtype=np.float32)
    rho = -machine.machine.intercept_[0]
    np.testing.assert_allclose(evaluated(machine.network(), X)[:, 0], rho, rtol=1e-6)
    assert np.isfinite(evaluated(machine.contributions(), X)).all()


def test_rounding_is_finite_where_nothing_is_left_of_the_kernels(made_up: Features) -> None:
    machine = OneClassSVM(FEATURES).fit(made_up)
    far = made_up[:20] + np.float32(1e9) * np.sign(made_up[:20] + np.float32(0.5))
    exact = -float(machine.machine.intercept_[0])  # minus the intercept is the score without any kernel
    above, below = (np.float32(exact * (1 + sign * 1e-6)) for sign in (1, -1))  # what float32 may round it to
    assert np.isfinite(machine.rounding(far, np.full(20, below, dtype=np.float32))).all()
    # Only the roundings of rho itself are left.
    bounds = machine.rounding(far, np.full(20, above, dtype=np.float32))
    np.testing.assert_allclose(bounds, 8 * 2.0**-24 * exact, rtol=1e-6)


def test_ctrl_c_does_not_wait_for_libsvm() -> None:
    """The fit of 40,000 events takes seconds; an interruption after a quarter of one is heard while it goes on."""
    X = np.random.default_rng(3).normal(size=(40_000, 6)).astype(np.float32)
    fits: list[threading.Thread] = []

    def interrupt(number: int, frame: object) -> None:
        fits.extend(thread for thread in threading.enumerate() if thread.name == "libsvm")
        raise KeyboardInterrupt

    handler = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.25)
    try:
        with pytest.raises(KeyboardInterrupt):
            OneClassSVM(tuple("abcdef")).fit(X)
        assert [fit.is_alive() for fit in fits] == [True]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        for fit in fits:
            fit.join()
