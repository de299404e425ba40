"""Which features are not finite."""

from __future__ import annotations

import numpy as np
import pytest

from rdf.interpreter import ROOT, include_kernels

include_kernels("selection")


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
def test_non_finite(features: list[float], expected: list[int]) -> None:
    with np.errstate(over="ignore"):
        row = np.array(features, dtype=np.float32)
    assert list(ROOT.selection.non_finite[4](ROOT.std.array["float", 4](row.tolist()))) == expected
