"""Scores, ranks and flags of every event against scikit-learn, and the vote of several detectors by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import uproot

from rdf.code.interpreter import ROOT
from rdf.code.sofie import CompiledDetector
from rdf.execution.event_loop import use_threads
from rdf.graph.scoring import Ensemble, define_scores, event_columns
from tests.macros.networks import network_of
from tests.rdf.trees import events_of

pytestmark = pytest.mark.compiler

DETECTOR = "isolation_forest"


@pytest.fixture(scope="module")
def by_row(made_up: Any, scored: Any) -> dict[int, dict[str, np.ndarray]]:
    """Columns of events.root in the order of the table, by number of threads."""
    row_of = {tuple(event): i for i, event in enumerate(made_up.ids.tolist())}
    found = {}
    for threads, run in scored.items():
        with uproot.open(run.folder / "events.root") as file:
            table = file["events"]
            columns = {name: table[name].array(library="np") for name in table.keys()}  # noqa: SIM118 - not a dict
        ids = zip(*(columns[name].tolist() for name in ("run", "luminosityBlock", "event")), strict=True)
        order = np.argsort([row_of[event] for event in ids])
        found[threads] = {name: values[order] for name, values in columns.items()}
    return found


@pytest.fixture(scope="module")
def by_sklearn(made_up: Any, trained: Any) -> np.ndarray:
    X = made_up.matrix(trained.models.features)
    return -trained.detector.forest.score_samples(trained.detector.scaler.transform(X.astype(np.float64)))


@pytest.mark.parametrize("threads", [1, 2])
def test_every_event_has_scikit_learns_score(threads: int, by_row: Any, by_sklearn: np.ndarray) -> None:
    scores = by_row[threads][f"score_{DETECTOR}"]
    assert len(scores) == len(by_sklearn) == 1990
    # A feature whose last bit is rounded otherwise than by numpy may fall to the other side of a cut.
    assert (np.abs(scores - by_sklearn) < 1e-6).mean() >= 0.9995


@pytest.mark.parametrize("threads", [1, 2])
def test_flags_and_ranks_follow_from_the_scores(threads: int, by_row: Any, trained: Any) -> None:
    columns = by_row[threads]
    scores = columns[f"score_{DETECTOR}"]
    training = np.sort(trained.detector.score(trained.X))
    # The threshold is the 95 % quantile of the training scores.
    np.testing.assert_array_equal(columns[f"flag_{DETECTOR}"], scores > np.float32(np.quantile(training, 0.95)))
    assert 0 < columns[f"flag_{DETECTOR}"].sum() < 200
    below = np.searchsorted(training, scores, side="left") / 500
    assert len(np.unique(training)) == 500
    # Between two training scores a rank lies between theirs, at most one event of 500 below the fraction.
    ranks = columns[f"rank_{DETECTOR}"]
    at_a_point = np.isin(scores, training)
    assert at_a_point.any()
    np.testing.assert_allclose(ranks[at_a_point], below[at_a_point], atol=1e-6)
    between = ~at_a_point & (scores < training[-1])
    assert np.all(ranks[between] <= below[between] + 1e-6)
    assert np.all(ranks[between] >= np.maximum(0, below[between] - 1 / 500) - 1e-6)
    np.testing.assert_array_equal(ranks[scores > training[-1]], 1)
    np.testing.assert_array_equal(ranks[scores <= training[0]], 0)


@pytest.mark.parametrize("threads", [1, 2])
def test_one_detector_is_the_ensemble(threads: int, by_row: Any) -> None:
    columns = by_row[threads]
    np.testing.assert_array_equal(columns["votes"], columns[f"flag_{DETECTOR}"].astype(int))
    np.testing.assert_array_equal(columns["score_ensemble"], columns[f"rank_{DETECTOR}"])
    np.testing.assert_array_equal(columns["flag_ensemble"], columns[f"flag_{DETECTOR}"])


def test_one_and_two_threads_give_the_same_bits_event_by_event(by_row: Any) -> None:
    assert list(by_row[1]) == list(by_row[2])
    for name, values in by_row[1].items():
        assert values.tobytes() == by_row[2][name].tobytes(), name


@pytest.fixture(scope="module")
def three() -> dict[str, CompiledDetector]:
    """The first feature is the score of all of them, of which the thresholds are 1, 2 and 3, and the ranks rise
    linearly to 1 at the scores 4, 8 and 16.
    """
    make = network_of("first", "features[0]")
    return {
        name: CompiledDetector(name, ROOT.scoring.Detector(make, "weights", 2, threshold, [0.0, top], [0.0, 1.0]))
        for name, threshold, top in (("a", 1.0, 4.0), ("b", 2.0, 8.0), ("c", 3.0, 16.0))
    }


def scores_of(
    detectors: dict[str, list[CompiledDetector]], ensemble: Ensemble, X: np.ndarray, *names: str, **more: int
) -> dict[str, np.ndarray]:
    use_threads(1)
    scored: dict[str, np.ndarray] = define_scores(
        events_of(X, first=3_000_000_000),  # beyond 32 bits, and divisible by 3
        detectors,
        ensemble,
        **more,
    ).AsNumpy(list(names))
    return scored


X = np.arange(6, dtype=np.float32)[:, np.newaxis]


def test_votes_and_mean_rank_of_three_detectors(three: dict[str, CompiledDetector]) -> None:
    names = ("votes", "score_ensemble", "flag_ensemble", "rank_c", "flag_a")
    detectors = {name: [detector] for name, detector in three.items()}
    found = scores_of(detectors, Ensemble(("a", "b", "c"), 2), X[:5], *names)
    assert found["votes"].tolist() == [0, 0, 1, 2, 3]
    assert found["flag_ensemble"].astype(bool).tolist() == [False, False, False, True, True]
    assert found["flag_a"].astype(bool).tolist() == [False, False, True, True, True]
    assert found["rank_c"].tolist() == [0, 1 / 16, 2 / 16, 3 / 16, 4 / 16]
    # (x/4 + x/8 + x/16) / 3 = 7x/48
    np.testing.assert_allclose(found["score_ensemble"], 7 * np.arange(5) / 48, rtol=1e-6)


@pytest.mark.parametrize("order", ["abc", "cab", "bca"])
def test_only_the_ensemble_votes(order: str, three: dict[str, CompiledDetector]) -> None:
    """The third has its score, rank and flag, and no vote; wherever it stands."""
    detectors = {name: [three[name]] for name in order}
    names = ("votes", "score_ensemble", "flag_c", "rank_a", "rank_b")
    found = scores_of(detectors, Ensemble(("a", "b"), 1), X[:5], *names)
    assert found["votes"].tolist() == [0, 0, 1, 2, 2]
    np.testing.assert_allclose(found["score_ensemble"], 3 * np.arange(5) / 16, rtol=1e-6)  # (x/4 + x/8) / 2
    assert found["flag_c"].astype(bool).tolist() == [False, False, False, False, True]
    assert found["rank_a"].tolist() == [0, 1 / 4, 2 / 4, 3 / 4, 1]
    assert found["rank_b"].tolist() == [0, 1 / 8, 2 / 8, 3 / 8, 4 / 8]


def test_each_event_is_scored_by_the_network_of_its_fold(three: dict[str, CompiledDetector]) -> None:
    """The three networks above as those of three folds: which of them scored shows in the rank and the flag."""
    names = ("fold", "rank_a", "flag_a")
    found = scores_of({"a": list(three.values())}, Ensemble(("a",), 1), X, *names, folds=3)
    assert found["fold"].tolist() == [0, 1, 2, 0, 1, 2]
    # Score x has the rank x/4, x/8 and x/16, and is flagged above 1, 2 and 3.
    assert found["rank_a"].tolist() == [0, 1 / 8, 2 / 16, 3 / 4, 4 / 8, 5 / 16]
    assert found["flag_a"].astype(bool).tolist() == [False, False, False, True, True, True]


def test_columns_of_the_events() -> None:
    assert event_columns(["MR", "HT", "centrality"], ["a", "b"]) == [
        *("MR", "HT", "centrality", "score_a", "score_b", "rank_a", "rank_b", "flag_a", "flag_b"),
        *("votes", "score_ensemble", "flag_ensemble"),
    ]
    assert event_columns(["label", "MR"], ["a"], folds=2)[:4] == ["label", "MR", "fold", "score_a"]
