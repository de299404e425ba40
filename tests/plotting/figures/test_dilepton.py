from __future__ import annotations

import numpy as np
from matplotlib.container import ErrorbarContainer
from matplotlib.patches import StepPatch
from scipy.optimize import brentq

from plotting.figures.dilepton import draw_dilepton_mass, wilson_interval


def test_mass_flagged_events_and_their_fraction_are_those_of_the_events(results, events) -> None:
    upper, lower = draw_dilepton_mass(results.spectra["mll"], results.caption).axes
    mass = events.columns["mll"]
    low, high = lower.get_xlim()
    shown = (mass >= low) & (mass < high)
    assert 0.98 <= shown.mean() < 1  # of 99 % of those below 300 GeV
    edges = np.arange(low, high + 1, 5)
    everything, flagged = (np.histogram(mass[mask], bins=edges)[0] for mask in (shown, shown & events.flagged))

    (points,) = (bars for bars in upper.containers if isinstance(bars, ErrorbarContainer))
    centres = (edges[1:] + edges[:-1]) / 2
    np.testing.assert_allclose(points.lines[0].get_data(), [centres[everything > 0], everything[everything > 0]])
    (step,) = (patch for patch in upper.patches if isinstance(patch, StepPatch))
    np.testing.assert_array_equal(step.get_data().values, flagged)
    texts = [text.get_text() for text in upper.get_legend().get_texts()]
    assert texts == [
        "all (4,000)",
        f"flagged by the ensemble ({events.flagged.sum():,})",
        f"{(~shown).sum()} not on the axis",
    ]
    assert upper.get_ylabel() == "Events / 5 GeV"
    assert lower.get_xlabel() == r"$m_{\mathrm{ll}}$ [GeV]"

    (bars,) = (bars for bars in lower.containers if isinstance(bars, ErrorbarContainer))
    middle, fraction = bars.lines[0].get_data()
    ends = [segment[:, 0] for segment in bars.lines[2][0].get_segments()]
    for place, value, (start, stop) in zip(middle, fraction, ends, strict=True):
        inside = shown & (mass >= start - 1e-9) & (mass < stop - 1e-9)
        assert inside.sum() >= 20
        assert start < place < stop
        np.testing.assert_allclose(value, events.flagged[inside].mean())


def test_interval_is_where_the_true_fraction_is_one_standard_deviation_away() -> None:
    flagged, events = np.array([0.0, 1, 7, 20]), np.array([20.0, 20, 20, 20])
    low, high = wilson_interval(flagged, events)
    for k, n, lower, upper in zip(flagged, events, low, high, strict=True):

        def deviation(p: float, k: float = k, n: float = n) -> float:
            return float((k / n - p) ** 2 - p * (1 - p) / n)

        if k > 0:
            np.testing.assert_allclose(lower, brentq(deviation, 1e-12, k / n if k < n else 1 - 1e-12), rtol=1e-9)
        if k < n:
            np.testing.assert_allclose(upper, brentq(deviation, k / n if k > 0 else 1e-12, 1 - 1e-12), rtol=1e-9)
    assert (low[0], high[-1]) == (0, 1)
