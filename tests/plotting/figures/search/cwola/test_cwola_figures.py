"""Figures of a search by weak supervision: what is drawn is what the record says."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from PIL import Image
from scipy.stats import norm, poisson

from plotting.drawing.search import draw_search
from plotting.figures.search.contents import search_figures
from plotting.figures.search.cwola.figure import expected_words
from plotting.figures.search.cwola.fractions import draw_cut_fractions
from plotting.figures.search.cwola.nulls import draw_nulls
from plotting.figures.search.cwola.scan import draw_scan
from plotting.figures.search.cwola.spectra import draw_spectra, poisson_interval
from plotting.results.record_tables import SampleHeader
from plotting.results.search.cwola import CwolaRecord
from tests.plotting.cwola_records import blinded, record, scan
from tests.plotting.drawing.test_pool import check_texts


def legend(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


def texts(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def names(of: CwolaRecord) -> list[str]:
    return [figure.name for figure in search_figures(of)]


def test_figures_that_there_are() -> None:
    assert names(record()) == ["spectra_1", "nulls_1", "fractions_1"]
    assert names(blinded()) == ["spectra_1"]
    assert names(scan())[:4] == ["significances", "spectra_1", "nulls_1", "fractions_1"]
    assert names(scan())[-1] == "fractions_3"
    assert names(replace(record(), status="refused", windows=(), largest=None)) == []


def test_poisson_intervals_are_garwoods() -> None:
    low, high = poisson_interval(np.array([0.0, 1.0, 4.0, 100.0, np.nan]))
    # Central intervals of 68.27 % of Garwood's construction, as tabulated for few counts.
    np.testing.assert_allclose(low[:3], [0.0, 0.173, 2.086], atol=1e-3)
    np.testing.assert_allclose(high[:3], [1.841, 3.300, 7.163], atol=1e-3)
    assert poisson.sf(99, low[3]) == pytest.approx(norm.sf(1), rel=1e-6)
    assert poisson.cdf(100, high[3]) == pytest.approx(norm.sf(1), rel=1e-6)
    assert np.isnan([low[4], high[4]]).all()


def test_spectra_are_events_over_widths() -> None:
    first, _, second, _ = draw_spectra(record(), 0).axes
    for axes, counts, expected in (
        (first, (1010, 890, 830, 2600, 480, 455, 395), (1000, 905, 818, 2580, 490, 440, 400)),
        (second, (10, 9, 8, 48, 4, 4, 0), (10, 9, 8.2, 26, 4.9, 4.4, 4)),
    ):
        widths = np.array([10, 10, 10, 40, 10, 10, 10])
        (points,) = (line for line in axes.lines if line.get_marker() == "o")
        np.testing.assert_allclose(points.get_xdata(), [105, 115, 125, 150, 175, 185, 195])
        np.testing.assert_allclose(points.get_ydata(), np.array(counts) / widths)
        (step,) = (patch for patch in axes.patches if patch.get_label() == "exp-polynomial 2")
        np.testing.assert_allclose(step.get_data().values, np.array(expected) / widths)
        np.testing.assert_allclose(step.get_data().edges, [100, 110, 120, 130, 170, 180, 190, 200])
        (region,) = (patch for patch in axes.patches if patch.get_label() == "region")
        assert (region.get_x(), region.get_width()) == (130, 40)
    assert "data, all events" in legend(first)
    assert "data, the 1 % of highest rank" in legend(second)
    # 26.0 ± 3.2 events over 40 GeV.
    (band,) = (each for each in second.collections if each.get_label() == "expected in the region ± σ")
    assert sorted(set(np.asarray(band.get_paths()[0].vertices)[:, 1])) == pytest.approx([0.57, 0.73])
    # The error of no event is that of Garwood, over 10 GeV.
    bars = [each for each in second.collections if each.get_label().startswith("_") and len(each.get_segments()) == 7]
    vertical = next(each for each in bars if np.ptp(each.get_segments()[0][:, 0]) == 0)
    np.testing.assert_allclose(vertical.get_segments()[-1], [[195, 0], [195, 0.1841]], atol=1e-4)


def test_pulls_are_those_of_the_counts_with_a_band_of_the_expectation() -> None:
    strip = draw_spectra(record(), 0).axes[3]
    region, *bars = strip.patches
    assert (region.get_x(), region.get_width()) == (130, 40)
    assert [(bar.get_x(), bar.get_width()) for bar in bars][3] == (130, 40)
    # Signed roots of the deviance of 48 on 26.0, and of none on 4.0.
    assert bars[3].get_height() == pytest.approx(math.sqrt(2 * (26 - 48 + 48 * math.log(48 / 26))))
    assert bars[6].get_height() == pytest.approx(-math.sqrt(8))
    (band,) = strip.collections
    assert np.asarray(band.get_paths()[0].vertices)[:, 1].max() == pytest.approx(3.2 / math.sqrt(26))


def test_numbers_of_the_region_stand_below_the_spectrum() -> None:
    _, first, _, second = draw_spectra(record(), 0).axes
    assert texts(first) == [
        "2,600 events in the region, expected 2,580 ± 31\nZ = 0.34, calibrated by 199 background-only sets 0.20 ± 0.25"
    ]
    assert texts(second) == [
        "48 events in the region, expected 26.0 ± 3.2\nZ = 3.28, calibrated by 199 background-only sets 2.00 ± 0.25"
    ]


def test_while_blinded_the_sidebands_alone_are_drawn() -> None:
    axes, strip = draw_spectra(blinded(), 0).axes
    (points,) = (line for line in axes.lines if line.get_marker() == "o")
    np.testing.assert_allclose(points.get_xdata(), [105, 115, 125, 175, 185, 195])
    np.testing.assert_allclose(points.get_ydata(), [101, 89, 83, 48, 45.5, 39.5])
    assert texts(strip) == ["expected in the region 2,580 ± 31"]
    assert [patch.get_x() for patch in strip.patches[1:]] == [100, 110, 120, 170, 180, 190]
    (figure,) = search_figures(blinded())
    caption = str(figure.caption(blinded()))
    assert "The events in the region are blinded." in caption
    assert "2,600" not in caption


def test_a_falling_spectrum_has_a_logarithmic_axis() -> None:
    (window,) = record().windows
    falling = replace(window.cuts[0], expected=(1e4, 3e3, 1e3, 800.0, 60.0, 30.0, 10.0))
    axes, _ = draw_spectra(replace(record(), windows=(replace(window, cuts=(falling,)),)), 0).axes
    assert axes.get_yscale() == "log"
    assert axes.get_ylim()[0] == pytest.approx(0.5 / 40)  # half of an event in the bin of 40 GeV


def test_nulls_are_drawn_with_the_curve_of_their_mean_and_width() -> None:
    _, axes = draw_nulls(record(), 0).axes
    nulls = np.array(record().windows[0].cuts[1].calibrated.nulls)
    histogram = next(patch for patch in axes.patches if patch.get_label().startswith("199"))
    heights, edges = np.histogram(nulls, 14)  # the root of 199
    np.testing.assert_allclose(histogram.get_data().values, heights)
    np.testing.assert_allclose(histogram.get_data().edges, edges)
    curve = next(line for line in axes.lines if line.get_label().startswith("normal"))
    z, y = (np.asarray(values, float) for values in curve.get_data())
    np.testing.assert_allclose(y, 199 * (edges[1] - edges[0]) * norm.pdf(z, 0.28, 1.5), rtol=1e-9)
    line = next(line for line in axes.lines if line.get_label().startswith("data"))
    assert list(line.get_xdata()) == [3.28, 3.28]
    assert legend(axes) == [
        "199 background-only sets, the 1 % of highest rank",
        "normal curve: mean 0.28, width 1.50",
        "data: Z = 3.28; 4 sets at or above",
    ]


def test_fractions_are_those_of_the_slices() -> None:
    (axes,) = draw_cut_fractions(record(), 0).axes
    (points,) = (line for line in axes.lines if line.get_marker() == "o")
    assert list(points.get_xdata()) == [115, 150, 185]
    np.testing.assert_allclose(points.get_ydata(), [0.1, 0.2, 0.1])
    (together,) = (line for line in axes.lines if line.get_label() == "all slices")
    assert together.get_ydata()[0] == pytest.approx(926 / 6660)


def test_a_scan_shows_each_window_at_its_centre() -> None:
    (axes,) = draw_scan(scan()).axes
    drawn = {line.get_marker(): line for line in axes.lines if line.get_marker() in ("o", "s")}
    assert list(drawn["o"].get_xdata()) == list(drawn["s"].get_xdata()) == [150, 180, 210]
    # (0.34 - 0.1) / 1.2, (-1.1 - 0.1) / 1.2, (0.7 - 0.1) / 1.2; and likewise with 0.28 and 1.5.
    np.testing.assert_allclose(drawn["o"].get_ydata(), [0.2, -1, 0.5])
    np.testing.assert_allclose(drawn["s"].get_ydata(), [2, 3, -1])
    levels = [line.get_ydata()[0] for line in axes.lines if list(line.get_xdata()) == [0, 1]]
    assert levels == [0, 3]
    assert axes.get_ylabel() == "Calibrated $Z$"


HEADER = SampleHeader(
    name="x",
    title="Synthetic multijet events",
    doi="10.7483/OPENDATA.TEST.0001",
    energy="7 TeV",
    luminosity=0.032,
    simulated=False,
)


@pytest.mark.parametrize("simulated", [False, True])
@pytest.mark.parametrize("which", [record, blinded, scan])
def test_nothing_overlaps_or_is_cut_off(which: Callable[[], CwolaRecord], simulated: bool) -> None:
    drawn = replace(which(), sample=replace(HEADER, simulated=simulated))
    for figure in search_figures(drawn):
        check_texts(figure.draw(drawn), simulated=simulated)


def test_captions_state_the_numbers() -> None:
    said = {figure.name: str(figure.caption(record())) for figure in search_figures(record())}
    assert said["spectra_1"] == (
        "Events over the width of each bin; the region is one bin. Pulls are by the errors of the counts alone; the "
        "band is the error of what is expected in the region. The function is exp-polynomial 2. All events: 2,600 "
        "events in the region, expected 2,580 ± 31; Z = 0.34, calibrated by 199 background-only sets 0.20 ± 0.25; "
        "deviance of the sidebands 3.250 for 4 degrees of freedom. The 1 % of highest rank: 48 events in the region, "
        "expected 26.0 ± 3.2; Z = 3.28, calibrated by 199 background-only sets 2.00 ± 0.25; deviance of the sidebands "
        "8.500 for 4 degrees of freedom."
    )
    assert said["nulls_1"] == (
        "Each set went through the whole procedure, training included. All events: 90 of 199 sets are at least as "
        "significant as the data, so that p = 0.4550. The 1 % of highest rank: 4 of 199 sets are at least as "
        "significant as the data, so that p = 0.02500. Sets that the procedure refused, which do not count: 1."
    )
    assert said["fractions_1"] == (
        "The 1 % of highest rank: The fraction varies by a factor of 2.00 over the range; chi-squared of a constant "
        "150.5 for 2. The features tell the upper sideband from the lower one with an area under the ROC curve of "
        "0.512, and outer from inner halves with one of 0.495; 0.5 ± 0.011 and 0.5 ± 0.012 are expected where they do "
        "not tell the mass."
    )
    title = next(figure.title(record()) for figure in search_figures(record()))
    assert title == "Spectra around the region from 130 to 170 GeV"


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [(2580.4, 31.2, "2,580 ± 31"), (0.5, 0.049, "0.500 ± 0.049"), (12.0, None, "12"), (None, None, "–")],
)
def test_expected_events_are_written_to_two_digits_of_their_error(
    value: float | None, error: float | None, words: str
) -> None:
    assert expected_words(value, error) == words


def test_files_are_images_that_say_what_is_simulated(tmp_path: Path) -> None:
    header = SampleHeader(name="x", title="A sample", doi=None, energy=None, luminosity=None, simulated=True)
    simulated = replace(scan(), sample=header)
    for figure in search_figures(simulated):
        assert "SIMULATED" in [text.get_text() for text in figure.draw(simulated).texts]
    paths = draw_search(replace(record(), sample=header), tmp_path)
    assert [path.name for path in paths if path.suffix == ".png"] == ["spectra_1.png", "nulls_1.png", "fractions_1.png"]
    for path in paths:
        if path.suffix == ".png":
            with Image.open(path) as image:
                assert image.width == 1400
