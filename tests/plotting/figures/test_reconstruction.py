from __future__ import annotations

from dataclasses import replace

import numpy as np

from plotting.figures.reconstruction import draw_reconstruction
from plotting.results.run import Results
from tests.plotting.evaluations import reconstruction


def test_errors_of_each_feature_fold_and_kind(trained_results: Results) -> None:
    folds = trained_results.reconstruction["autoencoder"]
    titles = trained_results.feature_titles
    figure = draw_reconstruction("autoencoder", titles, folds, trained_results.caption)
    (axes,) = figure.axes
    expected = [reconstruction(3, fold)[kind] for fold in range(2) for kind in ("normal", "flagged")]
    medians = [line.get_xdata() for line in axes.lines if line.get_marker() == "|"]
    means = [line.get_xdata() for line in axes.lines if line.get_marker() == "o"]
    for table, median, mean, spread in zip(expected, medians, means, axes.collections, strict=True):
        np.testing.assert_array_equal(median, table["median"])
        np.testing.assert_array_equal(mean, table["mean"])
        ends = np.array([segment[:, 0] for segment in spread.get_segments()])
        np.testing.assert_array_equal(ends.T, [table["low"], table["high"]])
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts[:2] == ["not flagged (19,000)", "flagged (1,000)"]
    assert axes.get_xscale() == "log"


def test_a_fold_that_flags_nothing(trained_results: Results) -> None:
    folds = [replace(fold, flagged=None) for fold in trained_results.reconstruction["autoencoder"]]
    figure = draw_reconstruction("autoencoder", trained_results.feature_titles, folds, trained_results.caption)
    assert figure.legends[0].get_texts()[0].get_text() == "not flagged (19,000)"
    assert len(figure.axes[0].collections) == 2
