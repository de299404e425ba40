from __future__ import annotations

import numpy as np

from plotting.figures.means import draw_means, mean_ratios
from plotting.results.moments import Moments


def test_ratios_are_numpys(results, events) -> None:
    ratios, errors = mean_ratios(results.moments.normal, results.moments.anomalous)
    anomalous, normal = events.features[events.flagged], events.features[~events.flagged]
    expected = anomalous.mean(axis=0) / normal.mean(axis=0)
    np.testing.assert_allclose(ratios, expected, rtol=1e-12)
    relative = [kind.std(axis=0, ddof=1) / np.sqrt(len(kind)) / kind.mean(axis=0) for kind in (anomalous, normal)]
    np.testing.assert_allclose(errors, expected * np.hypot(*relative), rtol=1e-10)


def test_the_uncertainty_is_the_spread_of_repeated_experiments() -> None:
    random = np.random.default_rng(3)
    ratios, errors = [], []
    for _ in range(400):
        kinds = [random.exponential(scale, (number, 1)) for scale, number in ((1.0, 900), (2.0, 100))]
        vectors = [np.column_stack([np.ones(len(kind)), kind]) for kind in kinds]
        ratio, error = mean_ratios(*(Moments(vector.T @ vector) for vector in vectors))
        ratios.append(ratio[0])
        errors.append(error[0])
    # The spread of 400 experiments is itself known to 1 / sqrt(800), 3.5 %.
    np.testing.assert_allclose(np.mean(errors), np.std(ratios), rtol=0.12)


def test_drawn_bars_and_numbers(results, events) -> None:
    axes = draw_means(results.feature_titles, results.moments.normal, results.moments.anomalous, results.caption).axes[
        0
    ]
    expected = events.features[events.flagged].mean(axis=0) / events.features[~events.flagged].mean(axis=0)
    np.testing.assert_allclose([bar.get_width() for bar in axes.patches], expected, rtol=1e-12)
    assert [text.get_text().split(" ± ")[0] for text in axes.texts] == [f"{ratio:.2f}" for ratio in expected]
    flagged = events.flagged.sum()
    assert axes.get_xlabel() == f"Mean of {flagged:,} anomalous / mean of {4000 - flagged:,} normal events"


def test_a_small_error_gets_more_decimals(results) -> None:
    # Events at 1 and 3, more and more of them: the error falls with the root of their number.
    few = np.array([[2.0, 4], [4, 10]])
    for scale, text in ((10, "1.00 ± 0.16"), (1e4, "1.000 ± 0.005"), (1e9, "1.0000 ± 0.0000")):
        axes = draw_means(("a",), Moments(few * scale), Moments(few * scale), results.caption).axes[0]
        assert axes.texts[0].get_text() == text


def test_a_mean_of_zero_and_a_kind_without_events_have_no_value(results) -> None:
    balanced = Moments(np.array([[200.0, 0, 600], [0, 200, 0], [600, 0, 2000]]))
    other = Moments(np.array([[200.0, 200, 1200], [200, 400, 0], [1200, 0, 8000]]))
    ratios, _ = mean_ratios(balanced, other)
    np.testing.assert_array_equal(ratios, [np.nan, 2])
    axes = draw_means(("a", "b"), balanced, Moments(np.zeros((3, 3))), results.caption).axes[0]
    assert [text.get_text() for text in axes.texts] == ["no value", "no value"]


def test_a_ratio_to_a_mean_that_fluctuates_around_zero_is_not_drawn(results) -> None:
    random = np.random.default_rng(5)
    angles, masses = random.uniform(-np.pi, np.pi, 1000), random.normal(100, 10, 1000)
    vectors = np.column_stack([np.ones(1000), angles, masses])
    normal, anomalous = Moments(vectors.T @ vectors), Moments(vectors[:50].T @ vectors[:50])
    axes = draw_means(("phi", "m"), normal, anomalous, results.caption).axes[0]
    assert axes.texts[0].get_text() == "normal mean is 0 within its error"
    np.testing.assert_allclose([bar.get_width() for bar in axes.patches], [0, masses[:50].mean() / masses.mean()])
