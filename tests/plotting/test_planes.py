from __future__ import annotations

import dataclasses

import numpy as np
from matplotlib.collections import LineCollection, QuadMesh

from plotting.planes import draw_plane, draw_score_plane, outline


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

    (dots,) = axes.lines
    marked = np.histogram2d(dots.get_xdata(), dots.get_ydata(), (xedges, yedges))[0]
    np.testing.assert_array_equal(marked, flagged > 0)
    (border,) = (artist for artist in axes.collections if isinstance(artist, LineCollection))
    assert len(border.get_segments()) == len(outline(flagged > 0.5 * everything, xedges, yedges))


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
