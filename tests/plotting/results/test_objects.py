"""objects.json as types: its text is that of earlier versions, and what has another form is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from plotting.errors import UnreadableResult
from plotting.results.objects import Jet, Lepton, Megajet, MissingMomentum, displayed, objects_text, read_objects

IDS = {"place": 1, "run": 7, "luminosityBlock": 8, "event": 2**60}
SCORES = {"score_ensemble": 0.998765, "score_mlp": -1.5e-05, "score_autoencoder": 3.0}
JETS = [{"pt": 120.54, "eta": -0.31, "phi": 3.1}, {"pt": 40.0, "eta": None, "phi": -0.0}]
MUON = {"pt": 30.5, "eta": 1.0, "phi": 0.5, "charge": -1.0, "flavour": 13.0}
MEGAJET = {"px": 3.0, "py": -4.0, "pz": None, "energy": 1e20}


def event(**more: Any) -> dict[str, Any]:
    return {**IDS, **SCORES, **more}


def write(folder: Path, *events: dict[str, Any]) -> Path:
    path = folder / "objects.json"
    path.write_text(json.dumps({"events": events}, indent=1) + "\n")
    return path


@pytest.mark.parametrize(
    "objects",
    [
        {},
        {"jets": JETS, "leptons": [MUON], "met": {"pt": 88.125, "phi": -0.25}},
        {"jets": [], "leptons": [{"pt": 1.5, "eta": 0.5, "phi": 0.25}], "met": {"pt": None, "phi": None}},
        {"leptons": [{"pt": 1.5, "eta": 0.5, "phi": 0.25, "flavour": 11.0}], "met": {"pt": 2.5}},
        {"megajets": [MEGAJET, MEGAJET], "met": {"pt": 2.5}},
    ],
)
def test_the_text_is_written_as_it_was_read(tmp_path: Path, objects: dict[str, Any]) -> None:
    path = write(tmp_path, event(**objects), event(**objects) | {"place": 2})
    assert objects_text(read_objects(path, "run again")) == path.read_text()


def test_each_number_is_under_its_name(tmp_path: Path) -> None:
    met = {"pt": 88.125, "phi": -0.25}
    path = write(tmp_path, event(jets=JETS[:1], leptons=[MUON], megajets=[MEGAJET], met=met))
    (found,) = read_objects(path, "run again")
    assert (found.place, found.ids) == (1, (7, 8, 2**60))
    assert list(found.scores.items()) == list(SCORES.items())
    assert found.jets == (Jet(pt=120.54, eta=-0.31, phi=3.1),)
    assert found.leptons == (Lepton(pt=30.5, eta=1.0, phi=0.5, charge=-1.0, flavour=13.0),)
    assert found.met == MissingMomentum(pt=88.125, phi=-0.25)
    assert found.megajets is not None
    (megajet,) = found.megajets
    assert isinstance(megajet, Megajet)
    assert (megajet.px, megajet.py, megajet.energy) == (3.0, -4.0, 1e20)
    assert math.isnan(megajet.pz)


def test_what_the_sample_does_not_have_is_none_and_what_is_not_finite_is_not(tmp_path: Path) -> None:
    (found,) = read_objects(write(tmp_path, event(jets=[], met={"pt": 2.5, "phi": None})), "run again")
    assert (found.jets, found.leptons, found.megajets) == ((), None, None)
    assert found.met is not None
    assert found.met.phi is not None
    assert math.isnan(found.met.phi)
    (drawn,) = displayed(found).objects
    assert (drawn.kind, drawn.pt, drawn.phi) == ("MET", 2.5, None)


@pytest.mark.parametrize(
    "damaged",
    [
        {name: value for name, value in event().items() if name != "score_ensemble"},
        {name: value for name, value in event().items() if name != "luminosityBlock"},
        event(place=1.5),
        event(score_mlp="0.5"),
        event(jets=[{"pt": 1.5, "phi": 0.5}]),
        event(jets=[{"pt": "1.5", "eta": 0.5, "phi": 0.5}]),
        event(megajets={"px": 3.0, "py": -4.0, "pz": 1.0}),
        event(met=[2.5]),
        [],
    ],
)
def test_another_form_is_refused(tmp_path: Path, damaged: Any) -> None:
    with pytest.raises(
        UnreadableResult, match=r"objects\.json: lacks a key or has another form \([^\n]*\); run again$"
    ):
        read_objects(write(tmp_path, event(), damaged), "run again")


def test_a_run_without_objects_has_none(tmp_path: Path) -> None:
    assert read_objects(tmp_path / "objects.json", "run again") == ()
