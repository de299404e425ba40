"""Simulations that stand in for samples: their formats, their physics, and how they are kept."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import awkward as ak
import numpy as np
import pytest

from rdf.errors import SchemaError
from rdf.schema.model import load_schema
from rdf.simulation.generators import STAND_INS
from rdf.simulation.writing import simulate
from rdf.sources.source import open_source
from tests.rdf.simulation.files import read

pytestmark = pytest.mark.compiler

STAND_IN_EVENTS = 3000
SCHEMAS = {
    "razor_multijet": "cms_razor",
    "multijet_nanoaod": "cms_nanoaod",
    "dilepton_nanoaod": "cms_nanoaod",
    "dilepton_atlas2020": "atlas2020",
    "dilepton_atlas2025": "atlas2025",
    "dimuon": "cms_dimuon",
    "upsilon_nanoaod": "cms_nanoaod",
}
SHARES = {"razor_multijet": 0.03, "multijet_nanoaod": 0.03, "upsilon_nanoaod": 0.004}
"""Name of a stand-in -> share of its signal, where that is not one in a hundred."""


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    cache = tmp_path_factory.mktemp("simulated")
    return lambda name: simulate(name, load_schema(SCHEMAS[name]), STAND_IN_EVENTS, 1, cache)


@pytest.mark.parametrize("name", STAND_INS)
def test_stand_ins_have_the_format_of_their_samples(stand_in: Callable[[str], Path], name: str, tmp_path: Path) -> None:
    path = stand_in(name)
    assert path.name == f"SIMULATED-{name}-3000-seed1-v2.root"
    schema = load_schema(SCHEMAS[name])
    source = open_source([str(path)], schema, tmp_path, [None])
    assert source.simulated
    assert source.events == STAND_IN_EVENTS
    assert {
        quantity for quantity, q in schema.quantities.items() if not q.optional
    } <= source.available.quantities.keys()
    columns = read(path)
    assert set(columns.label) == {0, 1}
    share = SHARES.get(name, 0.01)
    assert abs(ak.sum(columns.label) - share * STAND_IN_EVENTS) < 5 * math.sqrt(share * STAND_IN_EVENTS)
    for column in columns.fields:
        assert np.isfinite(ak.to_numpy(ak.flatten(columns[column], axis=None))).all()


def test_stand_in_for_the_razor_filter(stand_in: Callable[[str], Path]) -> None:
    events = read(stand_in("razor_multijet"))
    columns = {name: ak.to_numpy(events[name]) for name in events.fields}
    assert set(columns) == {*load_schema("cms_razor").columns, "source_row", "label"}
    for name, kind in load_schema("cms_razor").columns.items():
        assert columns[name].dtype == kind, name
    assert columns["Event"].tolist() == list(range(1, STAND_IN_EVENTS + 1))
    assert columns["source_row"].tolist() == list(range(STAND_IN_EVENTS))
    p = [np.stack([columns[f"P{axis}{i}"] for axis in "xyz"]) for i in (1, 2)]
    size = sum(np.linalg.norm(momentum, axis=0) for momentum in p)
    MR = np.sqrt(size**2 - (p[0][2] + p[1][2]) ** 2)
    np.testing.assert_allclose(columns["MR"], MR, rtol=1e-10)
    pt1, pt2 = (np.hypot(*momentum[:2]) for momentum in p)
    assert np.all(pt1 >= pt2)
    sum_pt = np.hypot(*(p[0] + p[1])[:2])
    low, high = (columns["MET"] * (pt1 + pt2 + sign * sum_pt) / 2 / MR**2 for sign in (-1, 1))
    assert np.all(columns["Rsq"] >= low * (1 - 1e-9) - 1e-12)
    assert np.all(columns["Rsq"] <= high * (1 + 1e-9))
    two = columns["nJets"] == 2
    assert 0.4 < two.mean() < 0.9
    np.testing.assert_allclose(columns["HT"][two], (pt1 + pt2)[two], rtol=1e-5)
    assert pt2[two].min() > 60
    assert columns["HT"].min() > 120
    signal = columns["label"] == 1
    assert np.median(columns["Rsq"][signal]) > 10 * np.median(columns["Rsq"][~signal])


def test_stand_in_looks_like_the_data(stand_in: Callable[[str], Path], opendata: Path) -> None:
    """Medians and upper tails of the background are within a quarter of those of the data."""
    table = np.genfromtxt(opendata / "cms2010b" / "MultiJetRun2010B.csv", delimiter=",", names=True)
    events = read(stand_in("razor_multijet"))
    events = events[events.label == 0]
    for name in ("MR", "Rsq", "HT", "MET"):
        for quantile in (0.5, 0.9, 0.99):
            expected = np.quantile(table[name], quantile)
            assert np.quantile(events[name], quantile) == pytest.approx(expected, rel=0.25), (name, quantile)


@pytest.mark.parametrize(
    ("name", "unit", "energy", "met"),
    [("dilepton_atlas2020", 1000.0, "E", "met_et"), ("dilepton_atlas2025", 1.0, "e", "met")],
)
def test_stand_ins_for_atlas(stand_in: Callable[[str], Path], name: str, unit: float, energy: str, met: str) -> None:
    events = read(stand_in(name))
    pt, eta, phi, e = (events[f"lep_{part}"] for part in ("pt", "eta", "phi", energy))
    assert ak.min(ak.num(pt)) == 2
    np.testing.assert_array_equal(events.lep_n, ak.num(pt))
    assert ak.all(pt[:, 1:] <= pt[:, :-1])
    assert set(ak.flatten(events.lep_type)) == {11, 13}
    # Leptons weigh nothing at these energies.
    np.testing.assert_allclose(ak.flatten(e), ak.flatten(pt * np.cosh(eta)), rtol=2e-3)
    mll = np.sqrt(2 * pt[:, 0] * pt[:, 1] * (np.cosh(eta[:, 0] - eta[:, 1]) - np.cos(phi[:, 0] - phi[:, 1]))) / unit
    assert np.median(mll[events.label == 0]) == pytest.approx(91, abs=1)
    assert np.median(mll[events.label == 1]) == pytest.approx(500, rel=0.05)
    assert 10 < ak.mean(events[met]) / unit < 40


def test_stand_in_for_dimuons(stand_in: Callable[[str], Path]) -> None:
    events = read(stand_in("dimuon"))
    assert ak.all(events.pt1 >= events.pt2)
    assert ak.all(events.Q1 * events.Q2 == -1)
    mll = np.sqrt(
        2 * events.pt1 * events.pt2 * (np.cosh(events.eta1 - events.eta2) - np.cos(events.phi1 - events.phi2))
    )
    assert np.median(mll) == pytest.approx(91.2, abs=1)


def test_stand_in_for_low_masses(stand_in: Callable[[str], Path]) -> None:
    events = read(stand_in("upsilon_nanoaod"))
    kinds = {"charge": "int32", "tightId": "bool", "looseId": "bool"}
    for name in ("pt", "eta", "phi", "mass", "charge", "tightId", "looseId", "pfRelIso04_all", "ip3d"):
        assert str(events[f"Muon_{name}"].type) == f"3000 * var * {kinds.get(name, 'float32')}", name
    assert ak.all(events.Muon_pt[:, 1:] <= events.Muon_pt[:, :-1])
    assert {1, 2, 3} <= set(ak.num(events.Muon_pt)) <= {0, 1, 2, 3}
    assert ak.all(events.Muon_looseId)


def test_stand_ins_are_simulated_once(tmp_path: Path) -> None:
    schema = load_schema("cms_razor")
    path = simulate("razor_multijet", schema, 100, 1, tmp_path / "cache")
    before = path.stat().st_mtime_ns
    assert simulate("razor_multijet", schema, 100, 1, tmp_path / "cache") == path
    assert path.stat().st_mtime_ns == before
    assert list(path.parent.iterdir()) == [path]


def test_an_unknown_stand_in_and_one_of_another_format(tmp_path: Path) -> None:
    schema = load_schema("cms_razor")
    with pytest.raises(SchemaError, match=r"unknown simulation 'razor_multi'; did you mean .*razor_multijet"):
        simulate("razor_multi", schema, 10, 1, tmp_path)
    with pytest.raises(SchemaError, match="makes a tree 'mini', where schema cms_razor has 'events'"):
        simulate("dilepton_atlas2020", schema, 10, 1, tmp_path)
    assert not list(tmp_path.iterdir())
