from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.patches import StepPatch

from plotting.figures.scores import draw_scores
from plotting.results.run import Detector


def drawn(axes) -> list[StepPatch]:
    return [patch for patch in axes.patches if isinstance(patch, StepPatch)]


def test_scores_threshold_and_shade(results, events) -> None:
    axes = draw_scores(
        "isolation_forest", results.scores["isolation_forest"], results.detectors["isolation_forest"], results.caption
    ).axes[0]
    counts, edges = np.histogram(events.score, bins=50, range=(0, 1))
    line, shade = drawn(axes)
    np.testing.assert_array_equal(line.get_data().values, counts)
    assert shade.get_data().edges[0] == 0.55
    np.testing.assert_allclose(shade.get_data().edges[1:], edges[28:])
    np.testing.assert_array_equal(shade.get_data().values, counts[27:])
    (threshold,) = (line for line in axes.lines if line.get_linestyle() == "--")
    assert threshold.get_xdata() == [0.55, 0.55]
    labels = [text.get_text() for text in axes.figure.legends[0].get_texts()]
    assert labels == ["all events (4,000)", f"flagged ({events.flagged.sum():,})", "threshold 0.55"]
    assert axes.get_yscale() == "log"
    assert axes.get_xlabel() == "Isolation forest score"
    assert axes.get_ylabel() == "Events / 0.02"


def test_the_ensemble_flags_by_votes_and_has_no_threshold(results) -> None:
    axes = draw_scores("ensemble", results.scores["ensemble"], None, results.caption).axes[0]
    assert len(drawn(axes)) == 1
    assert axes.get_xlabel() == "Ensemble score (mean rank)"


@pytest.mark.parametrize("threshold", [-0.5, 0.0, 0.5, 1.0, 1.5])
def test_a_threshold_at_an_edge_or_beyond_the_axis_is_seen(results, threshold: float) -> None:
    detector = Detector((threshold,), 0)
    axes = draw_scores("isolation_forest", results.scores["isolation_forest"], detector, results.caption).axes[0]
    low, high = axes.get_xlim()
    assert low < threshold < high
    shade = drawn(axes)[1:]
    assert len(shade) == (threshold < 1)
    if shade:
        assert shade[0].get_data().edges[0] == max(threshold, 0)


def test_each_fold_has_its_threshold(results) -> None:
    detector = Detector((0.6, 0.5), 40)
    axes = draw_scores("isolation_forest", results.scores["isolation_forest"], detector, results.caption).axes[0]
    assert [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == "--"] == [0.6, 0.5]
    assert drawn(axes)[1].get_data().edges[0] == 0.5
    labels = [text.get_text() for text in axes.figure.legends[0].get_texts()]
    assert labels[1:] == ["flagged (40)", "threshold of fold 0 0.6", "threshold of fold 1 0.5"]


def test_scores_beyond_the_axis_are_counted(results) -> None:
    scores = replace(results.scores["isolation_forest"], outside=1234.0)
    axes = draw_scores("isolation_forest", scores, None, results.caption).axes[0]
    (label,) = [text.get_text() for text in axes.figure.legends[0].get_texts()]
    assert label == "all events (5,234, 1,234 beyond the axis)"


def test_a_common_factor_of_the_numbers_stands_apart_from_the_title(results) -> None:
    """Scores of some detectors are tiny, or huge; matplotlib writes the factor at the end of the axis, as the title."""
    spectrum = results.scores["isolation_forest"]
    figure = draw_scores("elliptic_envelope", replace(spectrum, edges=spectrum.edges * 1e11), None, results.caption)
    figure.draw_without_rendering()
    axes = figure.axes[0]
    factor, title = axes.xaxis.get_offset_text(), axes.xaxis.label
    assert factor.get_text()
    assert not factor.get_window_extent().overlaps(title.get_window_extent())


def test_scores_of_signal_and_background_lie_over_those_of_all(varied_results, events, signal) -> None:
    scores, labelled = varied_results.scores["isolation_forest"], varied_results.labelled_scores["isolation_forest"]
    axes = draw_scores("isolation_forest", scores, None, varied_results.caption, labelled).axes[0]
    everything, background, of_signal = drawn(axes)
    for patch, mask in ((everything, slice(None)), (background, ~signal), (of_signal, signal)):
        counts, _ = np.histogram(events.score[mask], bins=50, range=(0, 1))
        np.testing.assert_array_equal(patch.get_data().values, counts)
    labels = [text.get_text() for text in axes.figure.legends[0].get_texts()]
    assert labels == ["all events (4,000)", f"background ({(~signal).sum():,})", f"signal ({signal.sum():,})"]
