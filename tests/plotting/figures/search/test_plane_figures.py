"""Figures of a search in a plane: what is drawn is what the record says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.collections import QuadMesh

from plotting.figures.search.closure import draw_closure
from plotting.figures.search.contents import search_figures
from plotting.figures.search.plane import draw_plane
from plotting.results.record_tables import SampleHeader
from plotting.results.search.abcd import (
    AbcdRecord,
    Axis,
    Closure,
    Correlation,
    CountLimit,
    Plane,
    PlaneCut,
    Ring,
)
from plotting.results.search.head import Inputs


def ring(low: float, high: float, observed: int, counted: bool = True) -> Ring:
    return Ring(
        first=(low, high),
        second=(low, high),
        first_values=(100 * low, 100 * high),
        second_values=(low, None if high == 1 else high),
        observed=observed,
        expected=100.0,
        error=12.5,
        pull=(observed - 100) / 12.5,
        counted=counted,
    )


@pytest.fixture
def record() -> AbcdRecord:
    """An unblinded search with one cut, two rectangles that count, and one that does not."""
    counts = np.arange(12).reshape(4, 3)
    return AbcdRecord(
        status="claimed",
        quote="There is no excess.",
        configuration={},
        configuration_sha256="0" * 64,
        inputs=Inputs(run="made up", run_json_sha256="0" * 64, events_sha256="0" * 64),
        sample=SampleHeader(name="made_up", title="Made up", doi=None, energy=None, luminosity=None, simulated=True),
        commit=None,
        versions={},
        axes=(
            Axis(name="MR", column="MR", title="M_{R}", unit="GeV"),
            Axis(name="Rsq", column="Rsq", title="R^{2}", unit=""),
        ),
        pairs_tried=1,
        events=66,
        closure=Closure(
            rings=(ring(0.25, 0.5, 90), ring(0.5, 0.8, 125), ring(0.8, 0.9, 3, counted=False)),
            chi2=4.64,
            ndf=2,
            probability=0.098,
            ratio=1.075,
            ratio_error=0.088,
            beside=1.01,
            drift=0.002,
            drift_error=0.01,
            error=0.088,
            correlations=(
                Correlation(below="MR", value=-0.012, error=0.008, events=60),
                Correlation(below="Rsq", value=0.003, error=0.008, events=60),
            ),
        ),
        cuts=(
            PlaneCut(
                fraction=0.1,
                first=90.0,
                second=0.9,
                first_share=0.1,
                second_share=0.1,
                opened=True,
                a=9,
                b=30,
                c=20,
                d=60,
                expected=10.0,
                expected_error=3.0,
                pull=-0.25,
                z=-0.25,
                signal=-1.0,
                signal_error=4.2,
                limit=CountLimit(observed=7.0, expected=(3.0, 5.0, 8.0, 11.0, 15.0), by="asymptotic", toys=0),
            ),
        ),
        plane=Plane(
            first_edges=(0.0, 30.0, 60.0, 90.0, 120.0),
            second_edges=(0.0, 0.45, 0.9, 1.35),
            counts=tuple(tuple(map(int, row)) for row in counts),
        ),
        seed=1,
        timings={},
    )


def test_the_plane_shows_its_counts(record: AbcdRecord) -> None:
    axes = draw_plane(record).axes[0]
    (mesh,) = (each for each in axes.collections if isinstance(each, QuadMesh))
    drawn = np.ma.filled(np.ma.asarray(mesh.get_array()), 0).reshape(3, 4)
    np.testing.assert_array_equal(drawn, np.arange(12).reshape(4, 3).T)
    assert (axes.get_xlim(), axes.get_ylim()) == ((0.0, 120.0), (0.0, 1.35))
    lines = {line.get_label(): line for line in axes.lines}
    assert list(lines["cut"].get_xdata()) == [90.0, 90.0]
    corners = lines["tested rectangles"]
    np.testing.assert_allclose(corners.get_xdata(), [25, 50, 50, 25, 25])
    assert "blinded" not in [each.get_label() for each in axes.collections]


def test_what_is_blinded_is_not_drawn(record: AbcdRecord) -> None:
    plane = record.plane
    assert plane is not None
    *rows, last = plane.counts
    hidden = replace(plane, counts=(*rows, (*last[:2], None)))
    axes = draw_plane(replace(record, status="blinded", plane=hidden)).axes[0]
    (mesh,) = (each for each in axes.collections if isinstance(each, QuadMesh))
    assert np.ma.getmaskarray(np.ma.asarray(mesh.get_array())).reshape(3, 4)[2, 3]
    (covered,) = (each for each in axes.collections if each.get_label() == "blinded")
    path = covered.get_paths()[0].get_extents()
    assert (path.x0, path.x1, path.y0, path.y1) == (90.0, 120.0, 0.9, 1.35)


def test_pulls_are_drawn_where_they_count(record: AbcdRecord) -> None:
    axes = draw_closure(record).axes[0]
    np.testing.assert_allclose([bar.get_width() for bar in axes.patches], [-0.8, 2.0, -0.25])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["25–50 %", "50–80 %", "A, highest 10 %"]
    assert [text.get_text() for text in axes.texts] == ["90 on 100", "125 on 100", "9 on 10"]


def test_captions_state_the_numbers(record: AbcdRecord) -> None:
    plane, closure = search_figures(record)
    assert [plane.name, closure.name] == ["plane", "closure"]
    assert str(plane.caption(record)).startswith("66 events. Lines are the cuts")
    assert "are not shown" in plane.caption(replace(record, status="blinded"))
    said = str(closure.caption(record))
    assert "1.075 ± 0.088" in said
    assert "below the cut on MR: -0.012 ± 0.008." in said


def test_a_refused_search_has_no_figures(record: AbcdRecord) -> None:
    assert list(search_figures(replace(record, status="refused", closure=None, plane=None, cuts=()))) == []
