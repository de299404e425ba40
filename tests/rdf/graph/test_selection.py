"""The finite cut, the cutflow and what is not finite, against numpy's isfinite."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rdf.code.interpreter import ROOT
from rdf.execution.event_loop import use_threads
from rdf.graph.selection import Cut, book_cutflow, book_non_finite, select_finite
from tests.rdf.trees import events_of

pytestmark = pytest.mark.compiler

RAZOR = ("MR", "Rsq", "HT", "MET", "pt1", "pt2", "MET_over_HT", "pt_ratio")
# Per feature, the rows of the made-up sample in which it is not finite as float32, worked out by hand:
#   MR: Px1 NaN (230), Py1 = 1e39 (351).        Rsq: empty (70), -inf (1007).
#   HT: 1e39 (3), NaN (1007).                   MET: inf (111), -inf (155), 1e308 (1999).
#   pt1: NaN (230), 1e39 (351).                 pt2: never.
#   MET_over_HT: 111, 155, HT = 0 (199), 1007, 1e308 / 1e-5 (1999).
#   pt_ratio: NaN (230), pt1 = 0 (310); with pt1 = 1e39 it is 0.
NON_FINITE = {"MR": 2, "Rsq": 2, "HT": 2, "MET": 3, "pt1": 2, "pt2": 0, "MET_over_HT": 5, "pt_ratio": 2}


def test_the_hand_count_is_that_of_numpy(made_up: Any) -> None:
    found = {name: int((~np.isfinite(made_up.features[name])).sum()) for name in RAZOR}
    assert found == NON_FINITE
    assert np.flatnonzero(~made_up.finite).tolist() == [3, 70, 111, 155, 199, 230, 310, 351, 1007, 1999]


@pytest.mark.parametrize("threads", [1, 2])
def test_unusable_events_are_dropped_and_counted(threads: int, scored: Any, collected: Any) -> None:
    assert collected[threads].cuts == [Cut("all", 2000), Cut("finite", 1990)]
    assert scored[threads].cuts == [Cut("all", 2000), Cut("finite", 1990)]
    assert scored[threads].non_finite == NON_FINITE


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ([1, -2, 0, 3.4e38], []),
        ([np.nan, 1, 2, 3], [0]),
        ([1, 2, 3, -np.nan], [3]),
        ([1, np.inf, -np.inf, 2], [1, 2]),
        ([np.nan, np.inf, -np.inf, np.nan], [0, 1, 2, 3]),
        # The largest float32 is 3.403e38.
        ([1e39, -1e39, 1e-46, 3.41e38], [0, 1, 3]),
    ],
)
def test_what_is_not_finite(features: list[float], expected: list[int]) -> None:
    use_threads(1)
    with np.errstate(over="ignore"):
        X = np.array([features], dtype=np.float32)
    events = events_of(X)
    counted, left = book_non_finite(events, "abcd", 1), select_finite(events, 4).Count()
    ROOT.RDF.RunGraphs([counted.booked, left])
    assert counted.counts() == {name: int(i in expected) for i, name in enumerate("abcd")}
    assert left.GetValue() == (not expected)


@pytest.mark.parametrize("threads", [1, 2])
def test_only_features_count_and_not_what_stands_after_them(threads: int) -> None:
    slots = use_threads(threads)
    X = np.random.default_rng(3).normal(size=(5000, 5)).astype(np.float32)
    X[np.random.default_rng(4).random(X.shape) < 0.1] = np.nan
    events = events_of(X)
    counted, selected = book_non_finite(events, "abc", slots), select_finite(events, 3)
    cutflow = book_cutflow(selected)
    left = selected.Count().GetValue()
    finite = np.isfinite(X[:, :3])
    assert counted.counts() == dict(zip("abc", (~finite).sum(axis=0).tolist(), strict=True))
    assert left == finite.all(axis=1).sum()
    assert cutflow.cuts() == [Cut("finite", left)]
    use_threads(1)
