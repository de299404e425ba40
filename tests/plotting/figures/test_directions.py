"""The map of the flagged share in eta and phi: cells, and those that say nothing."""

from __future__ import annotations

import numpy as np

from plotting.figures.directions import draw_directions
from plotting.results.histograms import Plane
from plotting.results.run import Results


def test_cells_have_the_shares_of_their_four_bins(results: Results) -> None:
    values, flagged = np.full((50, 32), 100.0), np.full((50, 32), 5.0)
    flagged[10:12, 6:8] = 40.0  # a hot cell
    values[:4], flagged[:4] = 1.0, 0.0  # too few events to say anything
    eta, phi = np.linspace(-5, 5, 51), np.linspace(-np.pi, np.pi, 33)
    everything, some = (Plane(eta, phi, counts, "#eta", "#phi [rad]") for counts in (values, flagged))
    axes = draw_directions(everything, some, results.caption).axes[0]
    colours = axes.collections[0].get_array()
    assert colours is not None
    drawn = colours.reshape(16, 25)
    assert np.ma.is_masked(drawn[0, 0])
    assert drawn[3, 5] == 40.0
    assert drawn[3, 6] == 5.0
    assert "against" in axes.get_title(loc="left")
