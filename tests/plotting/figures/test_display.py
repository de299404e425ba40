"""Event displays: what is drawn against the momenta that were written down."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, Wedge

from plotting.errors import UnreadableResult
from plotting.figures.display import draw_display
from plotting.results.caption import Caption
from plotting.results.objects import DisplayedEvent, read_displayed_events

EVENT = {"place": 1, "run": 7, "luminosityBlock": 8, "event": 2**60, "score_ensemble": 0.998765}
JETS = [{"pt": 200.0, "eta": 0.5, "phi": 3.0}, {"pt": 50.0, "eta": -2.0, "phi": -1.0}]
LEPTONS = [
    {"pt": 40.0, "eta": 1.0, "phi": 0.5, "charge": -1.0, "flavour": 11.0},
    {"pt": 20.0, "eta": -1.0, "phi": 1.5, "charge": 1.0, "flavour": 13.0},
]
MET = {"pt": 120.0, "phi": -0.25}
CAPTION = Caption("Events", "10.7483/TEST", "13 TeV", None)


def read(folder: Path, **objects: Any) -> DisplayedEvent:
    path = folder / "objects.json"
    path.write_text(json.dumps({"events": [{**EVENT, **objects}]}))
    (event,) = read_displayed_events(path, "run again")
    return event


def legend(figure: Figure) -> list[str]:
    (found,) = figure.legends
    return [text.get_text() for text in found.get_texts()]


def test_each_object_is_drawn_with_its_momentum(tmp_path: Path) -> None:
    figure = draw_display(read(tmp_path, jets=JETS, leptons=LEPTONS, met=MET), CAPTION)
    transverse, unrolled = figure.axes
    wedges = [patch for patch in transverse.patches if isinstance(patch, Wedge)]
    assert [(wedge.r, math.radians((wedge.theta1 + wedge.theta2) / 2)) for wedge in wedges] == [
        pytest.approx((jet["pt"], jet["phi"])) for jet in JETS
    ]
    ends = [(line.get_xdata()[-1], line.get_ydata()[-1]) for line in transverse.lines if line.get_marker() == "o"]
    momenta = [(lepton["pt"] * math.cos(lepton["phi"]), lepton["pt"] * math.sin(lepton["phi"])) for lepton in LEPTONS]
    assert ends == [pytest.approx(momentum) for momentum in momenta]
    (arrow,) = [text for text in transverse.texts if text.arrow_patch is not None]
    assert arrow.xy == pytest.approx((120 * math.cos(-0.25), 120 * math.sin(-0.25)))
    assert all(limit >= 200 for axis in (transverse.get_xlim(), transverse.get_ylim()) for limit in map(abs, axis))
    assert (transverse.get_xlabel(), transverse.get_ylabel()) == ("$p_x$ [GeV]", "$p_y$ [GeV]")

    points = [[tuple(point) for point in scatter.get_offsets()] for scatter in unrolled.collections]
    assert points == [
        [pytest.approx((one["eta"], one["phi"] + turn)) for turn in (-math.tau, 0, math.tau)]
        for one in (*JETS, *LEPTONS)
    ]
    areas = [scatter.get_sizes()[0] - 15 for scatter in unrolled.collections]
    assert [area / areas[0] for area in areas] == pytest.approx([1, 50 / 200, 40 / 200, 20 / 200])
    cones = [patch.get_center() for patch in unrolled.patches if isinstance(patch, Ellipse)]
    assert (0.5, pytest.approx(3.0 - math.tau)) in cones  # the jet at phi = 3 reaches over the edge
    assert (unrolled.get_xlabel(), unrolled.get_ylabel()) == (r"$\eta$", r"$\phi$ [rad]")

    assert transverse.get_title(loc="left") == "run 7, luminosityBlock 8"
    assert unrolled.get_title(loc="left") == f"event {2**60}: no. 1, mean rank 0.9988"
    assert [entry.replace(r"$p_{\mathrm{T}}$ ", "") for entry in legend(figure)] == [
        "2 jets: 200, 50.0 GeV",
        "electron: 40.0 (−) GeV",
        "muon: 20.0 (+) GeV",
        r"$p_{\mathrm{T}}^{\mathrm{miss}}$ 120 GeV",
    ]


def test_leptons_of_one_flavour_have_one_entry(tmp_path: Path) -> None:
    flavours = {60.0: 11.0, 50.0: 13.0, 40.0: 11.0}
    leptons = [{"pt": pt, "eta": 0.0, "phi": 0.1, "charge": 1.0, "flavour": kind} for pt, kind in flavours.items()]
    assert [
        entry.replace(r"$p_{\mathrm{T}}$ ", "")
        for entry in legend(draw_display(read(tmp_path, leptons=leptons), CAPTION))
    ] == [
        "2 electrons: 60.0 (+), 40.0 (+) GeV",
        "muon: 50.0 (+) GeV",
    ]


def test_megajets_and_met_without_direction(tmp_path: Path) -> None:
    megajets = [{"px": 30.0, "py": 40.0, "pz": -120.0, "energy": 130.0}, {"px": -6, "py": -8, "pz": 0, "energy": 10}]
    event = read(tmp_path, megajets=megajets, met={"pt": 40.0})
    first, second, met = event.objects
    assert (first.kind, first.pt, first.phi, first.eta) == (
        *("megajet", 50),
        pytest.approx(math.atan2(40, 30)),
        pytest.approx(-0.5 * math.log((130 + 120) / (130 - 120))),  # massless: the rapidity
    )
    assert (second.pt, second.eta) == (10, 0)
    figure = draw_display(event, CAPTION)
    assert not [text for text in figure.axes[0].texts if text.arrow_patch is not None]
    assert legend(figure)[-1].endswith("40.0 GeV, direction unknown")
    assert met.phi is None


def test_what_is_not_finite_is_counted_and_not_drawn(tmp_path: Path) -> None:
    broken = [*JETS, {"pt": None, "eta": 0.0, "phi": 0.0}]
    event = read(tmp_path, jets=broken, megajets=[{"px": None, "py": 1, "pz": 1, "energy": 2}])
    assert (len(event.objects), event.broken) == (2, 2)
    assert legend(draw_display(event, CAPTION))[-1] == "2 with numbers that are not finite: not drawn"


def test_an_event_without_objects(tmp_path: Path) -> None:
    assert legend(draw_display(read(tmp_path, jets=[], met=None), CAPTION)) == ["no objects"]


def test_many_jets_do_not_fill_the_legend(tmp_path: Path) -> None:
    jets = [{"pt": 100.0 - i, "eta": 0.0, "phi": 0.1 * i} for i in range(20)]
    (entry,) = legend(draw_display(read(tmp_path, jets=jets), CAPTION))
    assert entry.startswith("20 jets")
    assert entry.endswith("95.0 GeV and 14 more")


def test_files_that_are_not_there_or_not_readable(tmp_path: Path) -> None:
    path = tmp_path / "objects.json"
    assert read_displayed_events(path, "run again") == ()
    path.write_text('{"events": [{"place": 1, "jets": []}]}')
    with pytest.raises(UnreadableResult, match=r"objects\.json: lacks a key or has another form .*; run again"):
        read_displayed_events(path, "run again")
    path.write_text('{"events": [{"pl')
    with pytest.raises(UnreadableResult, match=r"objects\.json: truncated or not JSON"):
        read_displayed_events(path, "run again")
