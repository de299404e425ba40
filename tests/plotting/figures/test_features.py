from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from matplotlib.container import ErrorbarContainer
from matplotlib.patches import StepPatch

from plotting.figures.features import draw_feature, shape_ratio
from plotting.results.caption import Caption
from plotting.results.histograms import Spectrum, Split


def spectrum(values: list[float], outside: float = 0) -> Spectrum:
    counts = np.array(values, dtype=float)
    return Spectrum(np.arange(len(values) + 1.0), counts, counts, outside, "x [GeV]")


def test_drawn_counts_are_those_of_the_events(results, events) -> None:
    figure = draw_feature(results.spectra["MET"], results.caption)
    steps = [patch for patch in figure.axes[0].patches if isinstance(patch, StepPatch)]
    assert len(steps) == 3
    for patch, mask in zip(steps, events.parts().values(), strict=True):
        counts, edges = np.histogram(events.columns["MET"][mask], bins=50, range=(0, 500))
        np.testing.assert_array_equal(patch.get_data().values, counts)
        np.testing.assert_allclose(patch.get_data().edges, edges)
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    flagged, outside = int(events.flagged.sum()), int((events.columns["MET"] >= 500).sum())
    assert labels[:3] == ["all (4,000)", f"normal ({4000 - flagged:,})", f"anomalous ({flagged:,})"]
    assert labels[3:] == ([f"{outside} not on the axis"] if outside else [])


def test_error_bars_are_the_root_of_the_counts(results, events) -> None:
    upper = draw_feature(results.spectra["MR"], results.caption).axes[0]
    normal, anomalous = (bars for bars in upper.containers if isinstance(bars, ErrorbarContainer))
    for bars, mask in ((normal, ~events.flagged), (anomalous, events.flagged)):
        counts, _ = np.histogram(events.columns["MR"][mask], bins=40, range=(0, 2000))
        heights = [segment[:, 1] for segment in bars.lines[2][0].get_segments()]
        filled = counts[counts > 0]
        np.testing.assert_allclose(heights, np.column_stack([filled - np.sqrt(filled), filled + np.sqrt(filled)]))


def test_ratio_of_shapes(results, events) -> None:
    kinds = results.spectra["MR"]
    ratio = shape_ratio(kinds.normal, kinds.anomalous)
    anomalous, _ = np.histogram(events.columns["MR"][events.flagged], bins=ratio.edges)
    normal, _ = np.histogram(events.columns["MR"][~events.flagged], bins=ratio.edges)
    assert (anomalous >= 5).all()
    assert (normal >= 5).all()
    expected = (anomalous / events.flagged.sum()) / (normal / (~events.flagged).sum())
    np.testing.assert_allclose(ratio.values, expected, rtol=1e-12)
    np.testing.assert_allclose(ratio.errors, expected * np.sqrt(1 / anomalous + 1 / normal), rtol=1e-12)
    lower = draw_feature(kinds, results.caption).axes[1]
    (bars,) = (bars for bars in lower.containers if isinstance(bars, ErrorbarContainer))
    np.testing.assert_allclose(bars.lines[0].get_ydata(), expected)
    low, high = lower.get_ylim()
    assert low < expected.min() < expected.max() < high


def test_bins_are_merged_until_both_kinds_are_there() -> None:
    normal = spectrum([0, 9, 9, 1, 3, 0, 0])
    anomalous = spectrum([0, 2, 3, 5, 5, 7, 0], outside=8)
    ratio = shape_ratio(normal, anomalous)
    np.testing.assert_array_equal(ratio.edges, [1, 6])
    np.testing.assert_allclose(ratio.values, (22 / 30) / 1)
    ratio = shape_ratio(normal, anomalous, least=3)
    np.testing.assert_array_equal(ratio.edges, [1, 3, 6])
    np.testing.assert_allclose(ratio.values, [(5 / 30) / (18 / 22), (17 / 30) / (4 / 22)])


def test_events_with_weights_count_by_their_effective_number() -> None:
    normal = spectrum([50, 50])
    one_heavy_event = dataclasses.replace(spectrum([8, 20]), variances=np.array([64.0, 20.0]))
    ratio = shape_ratio(normal, one_heavy_event)
    np.testing.assert_array_equal(ratio.edges, [0, 2])
    np.testing.assert_allclose(ratio.errors, np.sqrt(84 / 28**2 + 100 / 100**2))


@pytest.mark.parametrize("anomalous", [[0, 0], [2, 2]])
def test_no_ratio_from_too_few_events(anomalous: list[float]) -> None:
    assert shape_ratio(spectrum([50, 50]), spectrum(anomalous)).values.size == 0


def test_axis_titles_have_units(results) -> None:
    upper, lower = draw_feature(results.spectra["MR"], results.caption).axes
    assert lower.get_xlabel() == "$M_{R}$ [GeV]"
    assert upper.get_ylabel() == "Events / 50 GeV"
    assert draw_feature(results.spectra["Rsq"], results.caption).axes[0].get_ylabel() == "Events / 0.025"


def test_an_axis_that_counts_has_whole_numbers() -> None:
    counts = np.array([0.0, 0.0, 8.0, 0.0])
    leptons = Spectrum(np.arange(5) - 0.5, counts, counts, 0, "number of leptons")
    upper, lower = draw_feature(Split(leptons, leptons, leptons), Caption("Events")).axes
    assert lower.get_xlim() == (1.5, 2.5)
    assert [place for place in lower.get_xticks() if 1.5 <= place <= 2.5] == [2]
    assert upper.get_ylabel() == "Events"


def test_axis_covers_what_is_filled_and_no_more(results, events) -> None:
    lower = draw_feature(results.spectra["centrality"], results.caption).axes[1]
    assert lower.get_xlim() == pytest.approx((0.2, 1.0))
