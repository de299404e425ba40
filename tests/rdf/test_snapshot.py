"""Columns in memory: the events of numpy's selection, in one order whatever the threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

DETECTOR = "isolation_forest"


@pytest.mark.parametrize("threads", [1, 2])
def test_the_snapshot_is_the_selected_events_in_the_order_of_the_table(
    threads: int, made_up: Any, collected: Any
) -> None:
    found = collected[threads]
    assert found.snapshot.ids == ("source_row",)
    assert found.ids.ravel().tolist() == np.flatnonzero(made_up.finite).tolist()
    expected = made_up.matrix(found.snapshot.values)
    assert found.values.dtype == np.float32
    # The last bit of a float32 may fall to either side of a sum that is rounded in another order.
    np.testing.assert_allclose(found.values, expected, rtol=1.2e-7)


def test_one_and_two_threads_give_the_same_bits(collected: Any) -> None:
    assert collected[1].values.tobytes() == collected[2].values.tobytes()
    assert collected[1].ids.tobytes() == collected[2].ids.tobytes()


@pytest.mark.parametrize("threads", [1, 2])
def test_top_events_are_those_of_a_sort(threads: int, made_up: Any, trained: Any, scored: Any) -> None:
    ids, values = scored[threads].top
    names = scored[threads].top_values
    assert names[:3] == ("score_ensemble", f"score_{DETECTOR}", "MR")
    features = made_up.matrix(trained.models.features)
    scores = -trained.detector.forest.score_samples(trained.detector.scaler.transform(features.astype(np.float64)))
    # Of scikit-learn's 25 most anomalous events all are there; equals in float32 would be ordered by their ids.
    order = np.argsort(-scores)[:25]
    gap = np.sort(scores)[::-1][24] - np.sort(scores)[::-1][25]
    assert gap > 1e-6, "the sample has no clear 25th event"
    expected = {tuple(event) for event in made_up.ids[made_up.finite][order].tolist()}
    best = np.lexsort([-values[:, 1], -values[:, 0]])[:25]
    assert {tuple(event) for event in ids[best].tolist()} == expected
    np.testing.assert_allclose(np.sort(values[best, 1]), np.sort(scores[order]), rtol=1e-6)
    # Values stay with their event.
    row_of = {tuple(event): i for i, event in enumerate(made_up.ids.tolist())}
    rows = [row_of[tuple(event)] for event in ids.tolist()]
    np.testing.assert_allclose(values[:, names.index("HT")], made_up.features["HT"][rows], rtol=1.2e-7)
    # In the order of the ids.
    assert ids.tolist() == sorted(ids.tolist())


def test_the_same_top_events_with_one_and_two_threads(scored: Any) -> None:
    tops = []
    for threads in (1, 2):
        ids, values = scored[threads].top
        order = np.lexsort([-values[:, 1], -values[:, 0]])[:25]
        tops.append((ids[order].tolist(), values[order].tobytes()))
    assert tops[0] == tops[1]
