"""The flagged share of each run, against hand-made counts."""

from __future__ import annotations

import numpy as np
import pytest

from plotting.figures.runs import draw_runs
from plotting.results.histograms import Shares
from plotting.results.run import Results


def test_points_are_the_shares_and_the_line_is_that_of_all(results: Results) -> None:
    axes = draw_runs(Shares(("147926", "149181"), (400.0, 1600.0), (40.0, 60.0)), results.caption).axes[0]
    (points, *_), (line,) = axes.containers[0], [line for line in axes.lines if line.get_linestyle() == "--"]
    np.testing.assert_allclose(points.get_ydata(), [10, 3.75])
    assert list(line.get_ydata()) == [5, 5]
    # 400 events with 20 expected, 1,600 with 80: (40 - 20)^2 / 19 + (60 - 80)^2 / 76
    assert line.get_label() == r"all, 5 %, $\chi^2$ = 26.3 for 1"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["147926", "149181"]


@pytest.mark.parametrize(("runs", "label"), [(24, "Run"), (25, "Runs 1 to 25, in their order")])
def test_many_runs_are_numbered(results: Results, runs: int, label: str) -> None:
    shares = Shares(tuple(map(str, range(1, runs + 1))), (100.0,) * runs, (5.0,) * runs)
    assert draw_runs(shares, results.caption).axes[0].get_xlabel() == label
