from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from plotting.drawing.settling import settle
from plotting.results.caption import Caption
from plotting.style.canvas import new_figure
from plotting.style.house import house_style


def settled(low: float, high: float, *, log: bool = False) -> Figure:
    """A figure with one axis, which holds these limits below."""
    with house_style():
        figure = new_figure(Caption("Events"), 7, 5)
        axes = figure.subplots()
        axes.set_xlim(low, high)
        if log:
            axes.set_xscale("log")
        settle(figure)
        figure.draw_without_rendering()
    return figure


def minor_ticks(figure: Figure) -> list[Line2D]:
    """Those of the horizontal axis: the lines of markers at its lower and at its upper end."""
    (axes,) = figure.axes
    ends = [axes.get_xaxis_transform(which) for which in ("tick1", "tick2")]
    marks = [line for line in axes.lines if line.get_transform() in ends]
    return sorted(marks, key=lambda line: line.get_ydata()[0])


def test_minor_ticks_of_a_logarithmic_axis_are_the_multiples_of_its_decades() -> None:
    lower, upper = minor_ticks(settled(0.5, 2000, log=True))
    expected = [n * 10.0**decade for decade in range(-1, 4) for n in range(2, 10) if 0.5 <= n * 10.0**decade <= 2000]
    for line, side in ((lower, 0), (upper, 1)):
        np.testing.assert_allclose(np.sort(line.get_xdata()), expected)
        np.testing.assert_array_equal(line.get_ydata(), side)
        assert line.get_markersize() == 3.5
        assert line.get_color() == "black"


def test_minor_ticks_of_a_linear_axis_divide_the_steps_between_its_numbers() -> None:
    figure = settled(0, 10)
    (axes,) = figure.axes
    lower, _ = minor_ticks(figure)
    major = axes.get_xticks()
    steps = np.diff(np.sort([*lower.get_xdata(), *major[(major >= 0) & (major <= 10)]]))
    np.testing.assert_allclose(steps, (major[1] - major[0]) / 4)


@pytest.mark.parametrize(
    ("high", "numbers", "factor"),
    [
        (4.0, {"0.0", "0.5", "1.0", "3.5", "4.0"}, ""),
        (4e-5, {"0.0", "0.5", "1.0", "3.5", "4.0"}, r"$\times\mathdefault{10^{−5}}$"),
        (4e9, {"0.0", "0.5", "1.0", "3.5", "4.0"}, r"$\times\mathdefault{10^{9}}$"),
    ],
)
def test_numbers_are_text_and_their_factor_a_power_of_ten(high: float, numbers: set[str], factor: str) -> None:
    (axes,) = settled(0, high).axes
    labels = {label.get_text() for label in axes.get_xticklabels()}
    assert numbers <= labels
    assert not any("$" in label for label in labels)
    assert axes.xaxis.get_offset_text().get_text() == factor


def test_numbers_are_chosen_once(tmp_path: Path) -> None:
    """With sizes of a caller's own, and for a file of another resolution, an axis keeps the numbers it has."""
    figure = settled(0, 10)
    (axes,) = figure.axes
    numbers = [label.get_text() for label in axes.get_xticklabels()]
    with mpl.rc_context({"xtick.labelsize": 40}):
        figure.savefig(tmp_path / "figure.pdf", dpi=72)
        assert [label.get_text() for label in axes.get_xticklabels()] == numbers
