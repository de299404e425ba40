"""The order of anomalous events in Python, against a sort of Python's own and against the event loop's."""

from __future__ import annotations

import numpy as np
import pytest

from rdf.code.interpreter import ROOT, include_kernels
from rdf.graph.anomaly_order import anomaly_key, anomaly_order

include_kernels("graph/rows")


def events(number: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores, ids and other values with many ties in each of them."""
    random = np.random.default_rng(seed)
    scores = random.integers(0, 3, (number, 2)).astype(np.float32)
    ids = random.integers(0, 3, (number, 2)).astype(np.uint64)
    ids[::7, 0] = 2**63 + 1  # which a double does not hold
    return scores, ids, random.normal(size=(number, 3)).astype(np.float32).round(1)


@pytest.mark.parametrize("seed", range(5))
def test_many_events_and_single_ones_are_sorted_alike(seed: int) -> None:
    scores, ids, rest = events(400, seed)
    rows = list(zip(scores.tolist(), ids.tolist(), map(tuple, rest.tolist()), strict=True))
    expected = sorted(rows, key=lambda row: ([-score for score in row[0]], row[1], row[2]))
    assert [rows[i] for i in anomaly_order(scores, ids, rest)] == expected
    assert sorted(rows, key=lambda row: anomaly_key(*row)) == expected


@pytest.mark.parametrize("seed", range(3))
def test_the_event_loop_keeps_the_first_of_this_order(seed: int) -> None:
    scores, ids, rest = events(400, seed)
    top = ROOT.rows.TopRows(3, 40, 2)
    for i, (numbers, values) in enumerate(zip(ids.tolist(), np.hstack([scores, rest]).tolist(), strict=True)):
        top.add(i % 3, numbers, values)
    kept_ids, kept = np.empty(2 * 40, dtype=np.uint64), np.empty(5 * 40, dtype=np.float32)
    top.copy(kept_ids, kept)
    found = sorted(
        zip(map(tuple, kept_ids.reshape(-1, 2).tolist()), map(tuple, kept.reshape(-1, 5).tolist()), strict=True)
    )
    first = anomaly_order(scores, ids, rest)[:40]
    whole = np.hstack([scores, rest])
    assert found == sorted((tuple(ids[i].tolist()), tuple(whole[i].tolist())) for i in first)


def test_no_events() -> None:
    assert anomaly_order(np.empty((0, 2)), np.empty((0, 3), dtype=np.uint64), np.empty((0, 1))).size == 0
