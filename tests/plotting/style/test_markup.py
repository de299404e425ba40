"""Titles and numbers as they stand in pages."""

from __future__ import annotations

import pytest

from plotting.style.markup import number_markup, title_markup


@pytest.mark.parametrize(
    ("title", "markup"),
    [
        ("p_{T}^{miss} / H_{T}", "p<sub>T</sub><sup>miss</sup> / H<sub>T</sub>"),
        ("#Delta#phi_{jj}", "Δφ<sub>jj</sub>"),
        ("m_{l#nu} #nonsense", "m<sub>lν</sub> #nonsense"),
        ("a<b & R^2", "a&lt;b &amp; R<sup>2</sup>"),
    ],
)
def test_titles(title: str, markup: str) -> None:
    assert title_markup(title) == markup


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (1003.42395, "1,003"),
        (-78.5804, "−78.58"),
        (0.0077454, "0.007745"),
        (99.996, "100.0"),
        (81407901696.0, "8.141\u00a0×\u00a010<sup>10</sup>"),
        (-4.778437e-06, "−4.778\u00a0×\u00a010<sup>−6</sup>"),
        (None, "–"),
        (float("inf"), "∞"),
    ],
)
def test_numbers(number: float | None, text: str) -> None:
    assert number_markup(number) == text
