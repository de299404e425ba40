"""Histogram-based scores against their definition in numpy, with which PyOD's HBOS(n_bins=30) was compared too.

PyOD 3.6.7 gives the same scores of these events and of those of the LHC Olympics within 1e-6, for scaled features. Only
values on an inner edge of a bin it counts to the bin above, and looks them up in the one below.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.metrics import roc_auc_score

from models.detectors.hbos import HBOS
from tests.models.conftest import FEATURES, by_numpy, evaluated

BINS = 30


@pytest.fixture(scope="module")
def detector(made_up: npt.NDArray[np.float32]) -> HBOS:
    return HBOS(FEATURES).fit(made_up)


def terms(training: npt.NDArray[np.float32], X: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Return -log2(density + 0.1) of each event's bins, with densities of scaled features, value by value."""
    found = np.empty(X.shape)
    for j in range(X.shape[1]):
        mean, spread = training[:, j].astype(float).mean(), training[:, j].astype(float).std()
        scaled, values = (training[:, j].astype(float) - mean) / spread, (X[:, j].astype(float) - mean) / spread
        density, edges = np.histogram(scaled, bins=BINS, density=True)
        width = (edges[-1] - edges[0]) / BINS
        for i, value in enumerate(values):
            place = int(np.floor((value - edges[0]) / width))
            if -0.5 * width <= value - edges[0] and value - edges[-1] <= 0.5 * width:
                found[i, j] = -np.log2(density[min(max(place, 0), BINS - 1)] + 0.1)
            else:
                found[i, j] = -np.log2(density.min() + 0.1)
    return found


def test_score_is_the_sum_over_the_histograms(detector: HBOS, made_up: npt.NDArray[np.float32]) -> None:
    unseen = np.random.default_rng(5).permuted(made_up[:1000], axis=0)
    X = np.concatenate([made_up[:1000], unseen, 50 * made_up[:20], -50 * made_up[:20]])
    expected = terms(made_up, X).sum(axis=1)
    assert len(np.unique(expected.round(6))) > 400
    assert detector.score(X).dtype == np.float32
    np.testing.assert_allclose(detector.score(X), expected, rtol=0, atol=1e-6)
    found = evaluated(detector.network(), X)[:, 0]
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6)
    assert (np.abs(found - detector.score(X)) <= detector.rounding(X, detector.score(X))).all()
    assert detector.predict(made_up).sum() <= 150  # 5 % of 3,000, or fewer where events score alike


def test_bins_by_hand() -> None:
    # From 0 to 30 in 30 bins: 1 of 8 events in the first bin, 4 in [1, 2), 2 in [2, 3), and 1 in the last, [29, 30].
    x = np.array([0, 1, 1.25, 1.5, 1.75, 2, 2.5, 30], dtype=np.float32)
    detector = HBOS(["x"]).fit(x[:, np.newaxis])
    one, two, four = (-np.log2(n / 8 * x.astype(float).std() + 0.1) for n in (1, 2, 4))
    empty = -np.log2(0.1)
    values = {-0.51: empty, -0.5: one, 0.99: one, 1: four, 1.99: four, 2: two, 2.99: two, 3: empty, 28.99: empty}
    values |= {29: one, 30: one, 30.5: one, 30.51: empty, 1e30: empty, -1e30: empty}
    events = np.array(list(values), dtype=np.float32)[:, np.newaxis]
    np.testing.assert_allclose(detector.score(events), list(values.values()), atol=1e-6)
    np.testing.assert_allclose(evaluated(detector.network(), events)[:, 0], list(values.values()), atol=1e-6)


def test_contributions_are_the_terms_less_their_means(
    detector: HBOS, made_up: npt.NDArray[np.float32], tmp_path: Path
) -> None:
    of_all = terms(made_up, made_up)
    expected = (of_all - of_all.mean(axis=0))[::100]
    contributions = evaluated(detector.contributions(), made_up[::100])
    np.testing.assert_allclose(contributions, expected, rtol=0, atol=2e-6)
    exported = by_numpy(detector.contributions(), made_up[::1000], tmp_path / "why.onnx")
    np.testing.assert_allclose(exported, contributions[::10], atol=1e-6)


def test_no_unit_matters(detector: HBOS, made_up: npt.NDArray[np.float32]) -> None:
    """A power of two changes no bin."""
    other = HBOS(FEATURES).fit(made_up * np.float32(2.0**40))
    np.testing.assert_allclose(other.scores, detector.scores, rtol=0, atol=1e-6)


def test_signal_of_the_lhc_olympics_is_unusual(opendata: Path) -> None:
    """Trained on 20,000 events of which hardly any is signal; PyOD's ten bins reach 0.815 there."""
    training, evaluation = (np.load(opendata / "lhco" / f"innerdata_{part}.npy") for part in ("train", "evaluation"))
    detector = HBOS(["mj_min", "delta_mj", "tau21_1", "tau21_2"]).fit(training[:20_000, 1:5].astype(np.float32))
    assert roc_auc_score(evaluation[:, -1], detector.score(evaluation[:, 1:5].astype(np.float32))) > 0.82
