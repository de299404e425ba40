from __future__ import annotations

import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from plotting.drawing.settling import settle
from plotting.results.caption import Caption
from plotting.style.axes import occupied, unit_of
from plotting.style.canvas import conditions_text, new_figure
from plotting.style.formulas import axis_text
from plotting.style.house import house_style
from plotting.style.wording import count_text


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("M_{R} [GeV]", "$M_{R}$ [GeV]"),
        ("R^{2}", r"$R^{\mathrm{2}}$"),
        ("R^2", r"$R^\mathrm{2}$"),
        ("m_{j1}", r"$m_{j\mathrm{1}}$"),
        ("H_{T} [GeV]", r"$H_{\mathrm{T}}$ [GeV]"),
        ("p_{T}^{miss} [GeV]", r"$p_{\mathrm{T}}^{\mathrm{miss}}$ [GeV]"),
        ("p_{T}^{miss}/H_{T}", r"$p_{\mathrm{T}}^{\mathrm{miss}}$/$H_{\mathrm{T}}$"),
        ("p_{T}(megajet 1) [GeV]", r"$p_{\mathrm{T}}$(megajet 1) [GeV]"),
        ("#Delta#phi_{jj}", r"$\Delta\phi_{\mathrm{jj}}$"),
        ("area [cm^{2}]", r"area [$\mathrm{cm}^{\mathrm{2}}$]"),
        ("centrality", "centrality"),
        ("price [$]", r"price [\$]"),
    ],
)
def test_axis_titles_become_mathtext(title: str, text: str) -> None:
    assert axis_text(title) == text
    with house_style():
        figure = Figure()
        figure.text(0.5, 0.5, axis_text(title))
        figure.draw_without_rendering()


@pytest.mark.parametrize(("title", "unit"), [("M_{R} [GeV]", "GeV"), ("R^{2}", ""), ("x [a] of y", "")])
def test_unit_is_the_bracket_at_the_end(title: str, unit: str) -> None:
    assert unit_of(title) == unit


@pytest.mark.parametrize(
    ("energy", "luminosity", "text"),
    [
        ("13 TeV", 36.1, r"36.1 fb$^{\mathrm{-1}}$ (13 TeV)"),
        ("7 TeV", 0.0321, r"32.1 pb$^{\mathrm{-1}}$ (7 TeV)"),
        (None, 139.0, r"139 fb$^{\mathrm{-1}}$"),
        ("7 TeV", None, "7 TeV"),
        (None, None, ""),
    ],
)
def test_conditions(energy: str | None, luminosity: float | None, text: str) -> None:
    assert conditions_text(Caption("x", energy=energy, luminosity=luminosity)) == text


def test_numbers_of_events() -> None:
    assert [count_text(number) for number in (0, 21726.0, 1e9, 2.25)] == ["0", "21,726", "1,000,000,000", "2.2"]


def test_occupied_part_of_an_axis() -> None:
    edges = np.arange(6.0)
    assert occupied(edges, np.array([0, 1, 0, 2, 0])) == (1, 4)
    assert occupied(edges, np.zeros(5)) == (0, 5)


def test_a_long_title_is_wrapped_beside_the_conditions_and_the_canvas_grows() -> None:
    short = Caption("Events", energy="13 TeV", luminosity=36.0)
    long = Caption("Collisions with $ and _ " * 8, doi="10.1/2", energy="13 TeV", luminosity=36.0)
    with house_style():
        figure = new_figure(long, 7, 5)
        axes_space = []
        for new in (figure, new_figure(short, 7, 5)):
            axes = new.subplots()
            settle(new)
            axes_space.append(axes.get_position().height * new.get_figheight())
        figure.draw_without_rendering()
        conditions, title, doi = figure.texts
        assert title.get_text().replace("\n", " ") == long.title.strip()
        assert title.get_text().count("\n") >= 2
        boxes = [text.get_window_extent().padded(-0.5) for text in (title, conditions, doi)]
    assert not boxes[0].overlaps(boxes[1])
    assert not boxes[0].overlaps(boxes[2])
    assert axes_space[0] == pytest.approx(axes_space[1])
    assert 4 < axes_space[0] < 5


def test_the_callers_matplotlib_is_left_as_it_was() -> None:
    with mpl.rc_context({"font.size": 31.0, "text.usetex": True}):
        before = dict(mpl.rcParams)
        with house_style():
            assert mpl.rcParams["font.size"] != 31
            assert not mpl.rcParams["text.usetex"]
        assert dict(mpl.rcParams) == before


def test_importing_changes_no_parameter_and_no_backend() -> None:
    code = """
import matplotlib
names = sorted(set(matplotlib.rcParams) - {"backend"})  # asking for the backend would choose one
before = [matplotlib.rcParams[name] for name in names]
import plotting.figures.contents, plotting.drawing.saving
with plotting.style.house.house_style():
    pass
assert [matplotlib.rcParams[name] for name in names] == before
assert matplotlib.get_backend(auto_select=False) is None
import sys
assert not {"ROOT", "torch", "sklearn", "analysis", "models"} & set(sys.modules)
assert {name for name in sys.modules if name.startswith("rdf")} <= {
    "rdf", "rdf.drafts", "rdf.errors", "rdf.startup",  # needs of every program
    "rdf.graph", "rdf.graph.histogram_keys",  # how histograms are named
}
"""
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ".", "PATH": ""})
