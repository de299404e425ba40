from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from plotting.drawing.settling import settle
from plotting.results.caption import Caption
from plotting.style.canvas import new_figure
from plotting.style.house import house_style

WIDTH, HEIGHT = 7.0, 5.0
BESIDE, ABOVE = 0.08, 0.06  # inches around all


def inches(figure: Figure, box: Bbox) -> list[float]:
    """Left, right, lower and upper end."""
    return (np.array([box.x0, box.x1, box.y0, box.y1]) / figure.dpi).tolist()


@pytest.fixture
def plane() -> Figure:
    """A plane with a colour bar that has a factor on top, and a legend below."""
    with house_style():
        figure = new_figure(Caption("Events"), WIDTH, HEIGHT)
        axes = figure.subplots()
        mesh = axes.pcolormesh([[1e-4, 2e-4], [3e-4, 4e-4]])
        axes.plot([0, 2], [0, 2e5], label="line")
        axes.set(xlabel="$M_{R}$ [GeV]", ylabel="Events / bin")
        figure.colorbar(mesh, ax=axes, label="Mean score")
        figure.legend(loc="outside lower center")
        settle(figure)
        figure.draw_without_rendering()
    return figure


def test_everything_is_used_up_to_the_padding_and_nothing_overlaps(plane: Figure) -> None:
    axes, bar = plane.axes
    left, right, bottom, _ = inches(plane, axes.get_tightbbox())
    factor_left, bar_right, _, bar_top = inches(plane, bar.get_tightbbox())
    *_, legend_bottom, legend_top = inches(plane, plane.legends[0].get_window_extent())
    assert left == pytest.approx(BESIDE, abs=0.02)
    assert right < factor_left < right + 0.3
    assert bar_right == pytest.approx(WIDTH - BESIDE, abs=0.02)
    assert bar_top == pytest.approx(HEIGHT - ABOVE, abs=0.02)
    assert legend_top < bottom < legend_top + 0.3
    assert 0 < legend_bottom < 0.15


def test_a_title_stays_beside_the_numbers_at_any_resolution(plane: Figure) -> None:
    for dpi in (72, 200):
        plane.dpi = dpi
        plane.draw_without_rendering()
        for axes, side in ((plane.axes[0], "left"), (plane.axes[1], "right")):
            title = inches(plane, axes.yaxis.label.get_window_extent())
            numbers = [inches(plane, label.get_window_extent()) for label in axes.get_yticklabels()]
            if side == "left":
                gap = min(number[0] for number in numbers) - title[1]
            else:
                gap = title[0] - max(number[1] for number in numbers)
            assert 0 < gap < 0.15


def test_a_grid_has_equal_columns_and_rows_in_their_proportion() -> None:
    with house_style():
        figure = new_figure(Caption("Events"), WIDTH, HEIGHT)
        grid = figure.subplots(2, 2, height_ratios=(3, 1))
        grid[0, 1].set_yticks([0, 1], ["nothing", "everything"])
        settle(figure)
    boxes = [[axes.get_position() for axes in row] for row in grid]
    assert len({round(box.width, 6) for row in boxes for box in row}) == 1
    assert boxes[0][0].height == pytest.approx(3 * boxes[1][0].height)
    assert boxes[0][1].x0 == pytest.approx(boxes[1][1].x0)
    assert boxes[0][0].y0 == pytest.approx(boxes[0][1].y0)


def test_axes_whose_labels_leave_no_room_are_drawn_below_the_header() -> None:
    with house_style():
        figure = new_figure(Caption("Events", doi="10.1/2"), WIDTH, 3)
        axes = figure.subplots()
        axes.set_yticks([0, 1], ["nothing", "everything " * 10])
        axes.set_xlabel("Events")
        settle(figure)
        figure.draw_without_rendering()
    left, right, _, top = inches(figure, axes.bbox)
    assert right - left > WIDTH / 2
    assert top < min(inches(figure, text.get_window_extent())[2] for text in figure.texts if text.get_text())
    assert inches(figure, axes.xaxis.label.get_window_extent())[2] > 0


def test_the_header_says_what_marks_the_events() -> None:
    with house_style():
        for marks, above in (
            ({}, []),
            ({"simulated": True}, ["SIMULATED"]),
            ({"uncertified": True}, ["UNCERTIFIED RUNS"]),
        ):
            figure = new_figure(Caption("Events", "10.5/X", **marks), WIDTH, HEIGHT)
            texts = sorted(figure.texts, key=lambda text: -text.get_position()[1])
            assert [text.get_text() for text in texts if text.get_text()] == [*above, "Events", "DOI 10.5/X"]
