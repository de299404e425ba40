from __future__ import annotations

from plotting.figures.cutflow import draw_cutflow
from plotting.results.histograms import Cutflow


def test_bars_and_numbers(results) -> None:
    axes = draw_cutflow(Cutflow(("all", "finite", "positive_$M_R$"), (21800, 21726, 10900)), results.caption).axes[0]
    assert [bar.get_width() for bar in axes.patches] == [21800, 21726, 10900]
    assert [text.get_text() for text in axes.texts] == ["21,800", "21,726  (99.66 %)", "10,900  (50 %)"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["all", "finite", "positive $M R$"]
    assert axes.get_xlabel() == "Events"
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the first step is on top
