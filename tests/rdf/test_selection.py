"""The finite cut against numpy's isfinite."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rdf.selection import Cut

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
