"""Importances against a formula for normal scores."""

from __future__ import annotations

import math

import numpy as np
import pytest

from models.importance import Drop, permutation_importance


def test_importance_is_the_drop_of_the_auc() -> None:
    random = np.random.default_rng(4)
    labels = np.repeat([0, 1], [12_000, 800])
    X = random.normal(size=(len(labels), 3)).astype(np.float32)
    X[:, 0] += 1.5 * labels
    X[:, 1] += 0.8 * labels
    weights = np.array([1.5, 0.8, 0.0], dtype=np.float32)
    found = permutation_importance(lambda X: X @ weights, X, labels, ("strong", "weak", "none"), seed=1)

    # The score is normal in both kinds. Shuffled, a feature of shift d shifts both kinds by d times the fraction of the
    # signal and adds that mixture's variance; 800 of 10,000 events are signal.
    fraction = 0.08

    def area(kept: list[int], shuffled: list[int]) -> float:
        shift = (weights[kept] ** 2).sum()
        spread = sum(weights[i] ** 2 * (1 + fraction * (1 - fraction) * weights[i] ** 2) for i in shuffled)
        return normal_cdf(shift / np.sqrt(2 * ((weights[kept] ** 2).sum() + spread)))

    for i, name in enumerate(("strong", "weak")):
        expected = area([0, 1], []) - area([1 - i], [i])
        assert found[name].value == pytest.approx(expected, abs=0.02), name
        assert 0 < found[name].error < 0.02
    assert found["none"] == Drop(0, 0)


def normal_cdf(x: float) -> float:
    return 0.5 * (1 + math.erf(x / math.sqrt(2)))


def test_importance_takes_ten_thousand_events_with_all_the_signal_there_is() -> None:
    seen = []

    def score(X: np.ndarray) -> np.ndarray:
        seen.append((len(X), int((X[:, 1] == 1).sum())))
        return X[:, 0]

    labels = np.repeat([0, 1], [30_000, 700])
    X = np.column_stack([np.random.default_rng(1).normal(size=len(labels)), labels]).astype(np.float32)
    permutation_importance(score, X, labels, ("x", "label"), seed=1, repeats=2)
    assert seen == 5 * [(10_000, 700)]
