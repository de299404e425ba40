from __future__ import annotations

import numpy as np

from plotting.figures.correlation import draw_correlation
from plotting.results.moments import Moments


def test_matrix_and_numbers_are_numpys(results, events) -> None:
    axes, bar = draw_correlation(results.feature_titles, results.moments.all, results.caption).axes
    expected = np.corrcoef(events.features.T)
    image = axes.images[0]
    np.testing.assert_allclose(image.get_array(), expected, atol=1e-12)
    assert image.get_clim() == (-1, 1)
    numbers = [float(text.get_text().replace("−", "-")) for text in axes.texts]
    np.testing.assert_allclose(numbers, expected.ravel(), atol=0.005001)
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "$M_{R}$",
        r"$R^{\mathrm{2}}$",
        r"$p_{\mathrm{T}}^{\mathrm{miss}}$",
    ]
    assert bar.get_ylabel() == "Correlation coefficient, all events"


def test_signs(results) -> None:
    sums = np.array([[100.0, 0, 0, 0], [0, 100, -40, 0.1], [0, -40, 100, -0.1], [0, 0.1, -0.1, 100]])
    axes = draw_correlation(("a", "b", "c"), Moments(sums), results.caption).axes[0]
    texts = [text.get_text() for text in axes.texts]
    assert texts == ["1.00", "−0.40", "0.00", "−0.40", "1.00", "0.00", "0.00", "0.00", "1.00"]
