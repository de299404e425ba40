"""What systematic variations shift, computed again from the varied events."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.patches import StepPatch

from plotting.figures.features import draw_feature, shape_ratio, shape_ratio_error
from plotting.figures.flagged import draw_flagged
from plotting.figures.scores import draw_scores
from plotting.figures.systematics import systematic_error
from plotting.results.run import Results
from tests.plotting.conftest import SCALES, THRESHOLD, Events, vary


def shifts(number, nominal: np.ndarray, events: Events) -> tuple[np.ndarray, np.ndarray]:
    """Quadratic sums of the negative and of the positive shifts of what a function says of events."""
    below = above = np.zeros_like(nominal)
    for size in SCALES.values():
        up, down = (number(vary(events, 1 + change)) - nominal for change in (size, -size))
        below = below + np.minimum(np.minimum(up, down), 0) ** 2
        above = above + np.maximum(np.maximum(up, down), 0) ** 2
    return np.sqrt(below), np.sqrt(above)


def test_shifts_add_in_quadrature_each_to_its_side() -> None:
    nominal = np.array([10.0, 10, 10, 10])
    one = np.array([13.0, 7, 10, 12]), np.array([8.0, 13, 10, 11])
    other = np.array([14.0, 10, 9, 10]), np.array([10.0, 10, 11, 10])
    down, up = systematic_error(nominal, [one, other])
    np.testing.assert_allclose(down, [2, 3, 1, 0])  # both directions of the first go up in the last number
    np.testing.assert_allclose(up, [5, 3, 1, 2])
    assert not np.any(systematic_error(nominal, []))


def bands(axes) -> list[StepPatch]:
    return [patch for patch in axes.patches if isinstance(patch, StepPatch) and np.ndim(patch.get_data().baseline)]


def test_bands_around_the_features_are_the_shifts_of_the_varied_events(varied_results: Results, events) -> None:
    spectrum, variations = varied_results.spectra["MR"], varied_results.varied_spectra["MR"]
    figure = draw_feature(spectrum, varied_results.caption, variations)
    upper, lower = figure.axes
    assert [one.name for one in variations] == ["jes", "met"]
    for band, part in zip(bands(upper), ("normal", "anomalous"), strict=True):

        def histogram(some: Events, part: str = part) -> np.ndarray:
            return np.histogram(some.columns["MR"][some.parts()[part]], bins=40, range=(0, 2000))[0].astype(float)

        down, up = shifts(histogram, histogram(events), events)
        np.testing.assert_allclose(band.get_data().values, histogram(events) + up)
        np.testing.assert_allclose(band.get_data().baseline, np.maximum(histogram(events) - down, 0), atol=1e-6)
    edges = shape_ratio(spectrum.normal, spectrum.anomalous).edges

    def ratio(some: Events) -> np.ndarray:
        shares = [
            np.histogram(some.columns["MR"][mask], bins=np.append(edges[:-1], edges[-1] + 1e-9))[0] / mask.sum()
            for mask in (some.flagged, ~some.flagged)
        ]
        return shares[0] / shares[1]

    down, up = shifts(ratio, ratio(events), events)
    (band,) = bands(lower)
    np.testing.assert_allclose(band.get_data().values, ratio(events) + up, rtol=1e-9)
    np.testing.assert_allclose(band.get_data().baseline, np.maximum(ratio(events) - down, 0), rtol=1e-9, atol=1e-6)
    texts = [text.get_text() for text in upper.get_legend().get_texts()]
    assert "systematic (jes ±3 %, met ±10 %)" in texts


def test_a_ratio_that_a_variation_leaves_without_normal_events_says_nothing_of_it(varied_results: Results) -> None:
    kinds = varied_results.spectra["MR"]
    ratio = shape_ratio(kinds.normal, kinds.anomalous)
    assert not np.any(shape_ratio_error(ratio, kinds.all.edges, ()))


def test_varied_scores_over_the_nominal_ones(varied_results: Results, events) -> None:
    scores, variations = varied_results.scores["isolation_forest"], varied_results.varied_scores["isolation_forest"]
    figure = draw_scores("isolation_forest", scores, None, varied_results.caption, None, variations)
    upper, lower = figure.axes

    def histogram(some: Events) -> np.ndarray:
        return np.histogram(some.score, bins=50, range=(0, 1))[0].astype(float)

    down, up = shifts(histogram, histogram(events), events)
    (band,) = bands(upper)
    np.testing.assert_allclose(band.get_data().values, histogram(events) + up)
    np.testing.assert_allclose(band.get_data().baseline, np.maximum(histogram(events) - down, 0), atol=1e-6)

    statistical, *lines = (patch for patch in lower.patches if isinstance(patch, StepPatch))
    edges = statistical.get_data().edges
    nominal = np.histogram(events.score, bins=edges)[0]
    assert (nominal >= 100).all()
    np.testing.assert_allclose(statistical.get_data().values, 1 + 1 / np.sqrt(nominal))
    np.testing.assert_allclose(statistical.get_data().baseline, 1 - 1 / np.sqrt(nominal))
    scales = [1 + sign * size for size in SCALES.values() for sign in (1, -1)]
    for line, scale in zip(lines, scales, strict=True):
        varied = np.histogram(vary(events, scale).score, bins=edges)[0]
        np.testing.assert_allclose(line.get_data().values, varied / nominal)
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts[-5:] == ["statistical error", "jes up", "jes down", "met up", "met down"]


def test_flagged_events_of_each_detector_with_both_errors(varied_results: Results, events) -> None:
    figure = draw_flagged(varied_results.detectors, varied_results.counts, varied_results.caption)
    (axes,) = figure.axes
    flagged = int(events.flagged.sum())
    bars = [bar for bar in axes.patches if bar.get_height() > 0.5]
    assert [bar.get_width() for bar in bars] == [flagged, flagged]
    down, up = shifts(lambda some: np.array([float((some.score > THRESHOLD).sum())]), np.array([flagged * 1.0]), events)
    for bar in (bar for bar in axes.patches if bar.get_height() < 0.5):
        assert bar.get_x() == pytest.approx(flagged - down[0])
        assert bar.get_x() + bar.get_width() == pytest.approx(flagged + up[0])
    (errors,) = (bars for bars in axes.containers if hasattr(bars, "has_xerr"))
    half = np.diff([segment[:, 0] for segment in errors.lines[2][0].get_segments()])[:, 0] / 2
    np.testing.assert_allclose(half, np.sqrt(4000 * (flagged / 4000) * (1 - flagged / 4000)))
    assert [text.get_text() for text in axes.texts] == 2 * [f"{flagged:,}  ({100 * flagged / 4000:.3g} %)"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["isolation forest", "ensemble\n(≥ 1 vote)"]
