"""Figures of a search: what is drawn is what the record says."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from plotting.figures.search.contents import search_figures
from plotting.figures.search.functions import draw_functions
from plotting.figures.search.limits import LimitsFigure, draw_limits
from plotting.figures.search.local_p import draw_local_p
from plotting.figures.search.sculpting import draw_sculpting
from plotting.figures.search.spectrum import draw_spectrum, pulls
from plotting.results.record_tables import SampleHeader
from plotting.results.search.head import Inputs
from plotting.results.search.record import (
    Checked,
    Largest,
    Limit,
    ScannedMass,
    Sculpting,
    SearchedCut,
    SearchRecord,
    Slice,
    Tried,
)


@pytest.fixture
def record() -> SearchRecord:
    """A search of two cuts, the second of which selects by a score."""
    edges = tuple(np.linspace(100.0, 200.0, 11))
    tried = (
        Tried(
            label="exp-polynomial 1", deviance=30.0, likelihood_ratio_p=1e-3, goodness_p=0.02, spurious=1.2, reason="no"
        ),
        Tried(
            label="exp-polynomial 2", deviance=8.0, likelihood_ratio_p=0.4, goodness_p=0.6, spurious=0.0, reason=None
        ),
    )
    loose = SearchedCut(
        fraction=1.0,
        selection=None,
        opened=True,
        events=520,
        counts=(100, 90, None, 70, 60, 80, 40, 35, 25, 20),
        tried=tried,
        function="exp-polynomial 2",
        expected=(101.0, 88.0, 78.0, 69.0, 60.0, 52.0, 44.0, 36.0, 28.0, 20.0),
        deviance=14.5,
        ndf=6,
        masses=tuple(
            ScannedMass(mass=m, z=z, signal=10 * z, signal_error=10.0, background=50.0)
            for m, z in ((120.0, -0.5), (150.0, 3.0), (180.0, 1.0))
        ),
        limits=tuple(Limit(mass=m, observed=2 * m, expected=(m / 4, m / 2, m, 2 * m, 4 * m)) for m in (120.0, 180.0)),
    )
    sculpted = Sculpting(
        slices=(
            Slice(low=100.0, high=150.0, events=400, passed=40),
            Slice(low=150.0, high=200.0, events=100, passed=30),
        ),
        chi2=27.5,
        ndf=1,
        ratio=3.0,
    )
    tight = replace(loose, fraction=0.1, selection="rank_mlp >= 0.9", masses=(), limits=(), sculpting=sculpted)
    largest = Largest(
        mass=150.0,
        cut=1.0,
        z=3.0,
        signal=30.0,
        signal_error=10.0,
        local_p=1.35e-3,
        local_by="asymptotic",
        global_p=0.02,
        global_z=2.05,
        global_by="toys",
        toys=999,
        above=19,
        refused_toys=1,
        toys_p=0.02,
        gross_vitells_p=0.03,
        trials=6,
        check=Checked(by="HistFactory", z=3.0, difference=0.0),
    )
    return SearchRecord(
        status="claimed",
        quote="An excess.",
        configuration={"signal_region": [130.0, 170.0], "mask": [[120.0, 130.0]]},
        configuration_sha256="0" * 64,
        inputs=Inputs(run="output/x", run_json_sha256="0" * 64, events_sha256="0" * 64),
        sample=SampleHeader(name="x", title="A sample", doi=None, energy="13 TeV", luminosity=None, simulated=False),
        commit=None,
        versions={},
        observable="mjj",
        title="m_{jj}",
        unit="GeV",
        edges=edges,
        masses=3,
        cuts=(loose, tight),
        largest=largest,
        seed=1,
        timings={},
    )


def test_pulls_are_signed_roots_of_the_deviance() -> None:
    found = pulls(np.array([110.0, 90.0, 0.0, np.nan]), np.array([100.0, 100.0, 2.0, 5.0]))
    assert found[0] == pytest.approx(math.sqrt(2 * (100 - 110 + 110 * math.log(1.1))))
    assert found[1] == pytest.approx(-math.sqrt(2 * (100 - 90 + 90 * math.log(0.9))))
    assert found[2] == pytest.approx(-2.0)
    assert math.isnan(found[3])


def test_figures_that_there_are(record: SearchRecord) -> None:
    names = [figure.name for figure in search_figures(record)]
    assert names == ["spectrum_1", "spectrum_2", "local_p", "limits_1", "functions_1", "functions_2", "sculpting_2"]
    blinded = replace(record, status="blinded", largest=None)
    assert "local_p" not in [figure.name for figure in search_figures(blinded)]


def test_spectrum(record: SearchRecord) -> None:
    upper, lower = draw_spectrum(record, 0).axes
    (points,) = (line for line in upper.lines if line.get_marker() == "o")
    assert list(points.get_ydata()) == [100, 90, 70, 60, 80, 40, 35, 25, 20]  # the masked bin is left out
    bars = [patch.get_height() for patch in lower.patches if patch.get_width() < 11]
    assert max(bars) == pytest.approx(pulls(np.array([80.0]), np.array([52.0]))[0])
    assert upper.get_legend() is not None
    assert "largest excess, 3.00 standard deviations" in [text.get_text() for text in upper.get_legend().get_texts()]


def test_local_p(record: SearchRecord) -> None:
    figure = draw_local_p(record)
    (axes,) = figure.axes
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [0.69146, 1.34990e-3, 0.15866], rtol=1e-4)
    (dot,) = (line for line in axes.lines if line.get_marker() == "o")
    assert (list(dot.get_xdata()), list(dot.get_ydata())) == ([150.0], [0.02])


def test_limits(record: SearchRecord) -> None:
    (axes,) = draw_limits(record, 0).axes
    drawn = {line.get_label(): list(line.get_ydata()) for line in axes.lines}
    assert drawn == {"expected": [120.0, 180.0], "observed": [240.0, 360.0]}


def test_limits_by_toys_are_marked(record: SearchRecord) -> None:
    thrown = Limit(mass=190.0, observed=5.0, expected=(3.0, 3.0, 3.5, 5.0, 7.0), by="toys", toys=9000)
    with_toys = replace(record, cuts=(replace(record.cuts[0], limits=(*record.cuts[0].limits, thrown)),))
    (axes,) = draw_limits(with_toys, 0).axes
    (dots,) = (line for line in axes.lines if line.get_label() == "by toys")
    assert (list(dots.get_xdata()), list(dots.get_ydata())) == ([190.0], [3.5])
    caption = str(LimitsFigure(0).caption(with_toys))
    assert caption.endswith("whose limits come from toys, 9,000 or more for each.")


def test_choice_and_sculpting(record: SearchRecord) -> None:
    first, _, third = draw_functions(record, 0).axes
    assert [patch.get_width() for patch in first.patches] == pytest.approx([1e-3, 0.4])
    assert [patch.get_width() for patch in third.patches] == pytest.approx([1.2, 0.0])
    (axes,) = draw_sculpting(record, 1).axes
    (points,) = (line for line in axes.lines if line.get_marker() == "o")
    assert list(points.get_ydata()) == [0.1, 0.3]


def test_captions_state_the_numbers(record: SearchRecord) -> None:
    said = {figure.name: str(figure.caption(record)) for figure in search_figures(record)}
    assert said["spectrum_1"].startswith("520 events, described by exp-polynomial 2: deviance 14.50 for 6 degrees")
    assert said["local_p"] == "An excess."
    assert said["functions_1"] == "exp-polynomial 1: no; exp-polynomial 2: chosen."
    assert "by a factor of 3.00 over the range; chi-squared of a constant 27.50 for 1" in said["sculpting_2"]
