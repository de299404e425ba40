from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from matplotlib.collections import LineCollection, QuadMesh
from matplotlib.colors import LogNorm, Normalize
from matplotlib.contour import QuadContourSet

from plotting.drawing.settling import settle
from plotting.figures.planes import draw_plane
from plotting.figures.score_planes import (
    CONTOURS,
    colour_norm,
    density_levels,
    draw_score_plane,
    outline,
    smoothed,
)
from plotting.results.histograms import Split
from plotting.style.house import house_style


def mesh(axes) -> QuadMesh:
    (found,) = (artist for artist in axes.collections if isinstance(artist, QuadMesh))
    return found


def binned(events, mask) -> np.ndarray:
    place = (events.columns["MR"][mask], events.columns["Rsq"][mask])
    return np.histogram2d(*place, bins=(20, 25), range=((0, 2000), (0, 0.5)))[0]


def test_density_is_that_of_the_events_and_blank_without(results, events) -> None:
    axes, bar = draw_plane(results.planes["MR_Rsq"].all, results.caption).axes
    counts = binned(events, slice(None)).T
    shown = mesh(axes).get_array()
    np.testing.assert_array_equal(np.ma.getmaskarray(shown), counts == 0)
    np.testing.assert_array_equal(shown.filled(0), counts)
    assert mesh(axes).norm.vmax == counts.max()
    assert (axes.get_xlabel(), axes.get_ylabel(), bar.get_ylabel()) == (
        "$M_{R}$ [GeV]",
        r"$R^{\mathrm{2}}$",
        "Events / bin",
    )


def test_mean_score_with_the_flagged_events_on_top(results, events) -> None:
    mean = results.score_planes["isolation_forest", "MR_Rsq"]
    axes, bar = draw_score_plane("isolation_forest", mean, results.planes["MR_Rsq"], results.caption).axes
    everything, flagged = binned(events, slice(None)), binned(events, events.flagged)
    sums, xedges, yedges = np.histogram2d(
        events.columns["MR"], events.columns["Rsq"], (20, 25), ((0, 2000), (0, 0.5)), weights=events.score
    )
    shown = mesh(axes).get_array().T
    np.testing.assert_array_equal(np.ma.getmaskarray(shown), everything == 0)
    np.testing.assert_allclose(shown.compressed(), (sums[everything > 0] / everything[everything > 0]), rtol=1e-12)
    assert bar.get_ylabel() == "Mean isolation forest score"

    (border,) = (artist for artist in axes.collections if isinstance(artist, LineCollection))
    assert len(border.get_segments()) == len(outline(flagged > 0.5 * everything, xedges, yedges))


def test_colours_are_logarithmic_where_most_events_would_have_one_of_them() -> None:
    squared_distances, events = np.array([1.0, 10.0, 1e3, 1e6]), np.array([400.0, 300.0, 200.0, 100.0])
    norm = colour_norm(squared_distances, events, 1, 1e6)
    assert isinstance(norm, LogNorm)
    assert (norm.vmin, norm.vmax) == (1, 1e6)
    np.testing.assert_allclose(norm(squared_distances), [0, 1 / 6, 0.5, 1])

    for scores in (np.array([0.1, 0.3, 0.5, 1.0]), squared_distances - 2):
        assert type(colour_norm(scores, events, scores.min(), scores.max())) is Normalize


def test_axes_and_colours_of_scores_hold_nearly_all_events_and_the_legend_counts_the_others(results, events) -> None:
    mean = results.score_planes["isolation_forest", "MR_Rsq"]
    figure = draw_score_plane("isolation_forest", mean, results.planes["MR_Rsq"], results.caption)
    axes, _ = figure.axes
    x, y = events.columns["MR"], events.columns["Rsq"]
    (x0, x1), (y0, y1) = axes.get_xlim(), axes.get_ylim()
    inside = (x >= x0) & (x < x1) & (y >= y0) & (y < y1)
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts[-1] == f"{(~inside).sum()} beyond the axes"
    assert 0 < (~inside).mean() < 0.01
    counts = binned(events, slice(None))
    known = counts > 0
    low, high = mesh(axes).norm.vmin, mesh(axes).norm.vmax
    assert counts[known & (mean.values < low)].sum() / len(x) <= 0.01
    assert counts[known & (mean.values > high)].sum() / len(x) <= 0.01
    assert high < np.nanmax(mean.values)


def test_a_contour_holds_its_fraction_of_the_events(results, events) -> None:
    """Of a density without fluctuations the smallest region is known: x^2 + y^2 < -2 log(1 - fraction)."""
    edges = np.linspace(-4, 4, 81)
    centres = (edges[1:] + edges[:-1]) / 2
    density = np.exp(-(centres[:, None] ** 2 + centres**2) / 2)
    for level, fraction in zip(density_levels(density, (0.5, 0.8, 0.95)), (0.5, 0.8, 0.95), strict=True):
        np.testing.assert_allclose(-2 * np.log(level), -2 * np.log(1 - fraction), rtol=0.02)
    # And in a figure: the events in bins of the smoothed histogram above the level of each line that is drawn.
    plane = results.planes["MR_Rsq"]
    figure = draw_score_plane(
        "isolation_forest", results.score_planes["isolation_forest", "MR_Rsq"], plane, results.caption
    )
    (lines,) = (artist for artist in figure.axes[0].collections if isinstance(artist, QuadContourSet))
    kernel = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256
    padded = np.pad(binned(events, slice(None)), 2, mode="symmetric")
    smooth = (np.lib.stride_tricks.sliding_window_view(padded, (5, 5)) * kernel).sum(axis=(2, 3))
    np.testing.assert_allclose(smoothed(plane.all.values), smooth, rtol=1e-12)
    held = [smooth[smooth >= level].sum() / smooth.sum() for level in sorted(lines.levels, reverse=True)]
    np.testing.assert_allclose(held, list(CONTOURS), atol=0.02)
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts[:4] == ["50 % of events", "80 % of events", "95 % of events", "most are anomalous"]


def test_single_events_have_no_contour(results) -> None:
    plane = results.planes["MR_Rsq"]
    lonely = np.zeros_like(plane.all.values)
    lonely[::5, ::5] = 1
    events = Split(*(dataclasses.replace(plane.all, values=values) for values in (lonely, lonely, 0 * lonely)))
    score = dataclasses.replace(plane.all, values=np.where(lonely > 0, 0.5, np.nan))
    figure = draw_score_plane("isolation_forest", score, events, results.caption)
    assert not [artist for artist in figure.axes[0].collections if isinstance(artist, QuadContourSet)]


def test_events_beyond_the_axes_of_a_density_are_counted(results, events) -> None:
    figure = draw_plane(results.planes["MR_Rsq"].all, results.caption)
    beyond = int(((events.columns["MR"] >= 2000) | (events.columns["Rsq"] >= 0.5)).sum())
    (text,) = (text.get_text() for text in figure.legends[0].get_texts())
    assert beyond > 0
    assert text == f"{4000 - beyond:,} events and {beyond} beyond the axes"


@pytest.mark.parametrize("scale", [1e-5, 1e9])
def test_a_common_factor_of_the_colours_stands_beside_the_panel_below_the_header(results, scale: float) -> None:
    mean = results.score_planes["isolation_forest", "MR_Rsq"]
    tiny = dataclasses.replace(mean, values=mean.values * scale)
    figure = draw_score_plane("isolation_forest", tiny, results.planes["MR_Rsq"], results.caption)
    with house_style():
        settle(figure)
        figure.draw_without_rendering()
    axes, bar = figure.axes
    factor = bar.yaxis.get_offset_text()
    box = factor.get_window_extent()
    assert factor.get_text()
    assert axes.bbox.x1 < bar.bbox.x0 <= box.x0 + 1
    assert box.x1 < figure.bbox.x1
    assert box.y0 >= bar.bbox.y1
    assert not any(box.overlaps(text.get_window_extent()) for text in figure.texts)


def test_a_mean_score_of_zero_is_no_blank(results) -> None:
    mean = results.score_planes["isolation_forest", "MR_Rsq"]
    copy = dataclasses.replace(mean, values=mean.values * 0)
    axes = draw_score_plane("isolation_forest", copy, results.planes["MR_Rsq"], results.caption).axes[0]
    assert mesh(axes).get_array().count() == np.isfinite(mean.values).sum()


def test_outline_goes_round_a_region_once() -> None:
    inside = np.zeros((3, 4), dtype=bool)
    inside[1, 1:3] = True
    lines = outline(inside, np.array([0.0, 10, 20, 30]), np.array([0.0, 1, 2, 3, 4]))
    assert {frozenset(map(tuple, line)) for line in lines.tolist()} == {
        frozenset(ends)
        for ends in (
            ((10, 1), (20, 1)),
            ((10, 3), (20, 3)),
            ((10, 1), (10, 2)),
            ((10, 2), (10, 3)),
            ((20, 1), (20, 2)),
            ((20, 2), (20, 3)),
        )
    }
    assert outline(np.zeros((3, 4), dtype=bool), np.arange(4.0), np.arange(5.0)).shape == (0, 2, 2)
    assert len(outline(np.ones((3, 4), dtype=bool), np.arange(4.0), np.arange(5.0))) == 14
