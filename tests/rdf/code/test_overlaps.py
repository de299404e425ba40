"""Removal of overlaps in the graph: dense made-up events of the ATLAS release of 2025, against awkward arrays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rdf.code.columns import define_columns
from rdf.schema.columns import physics_columns
from rdf.schema.model import load_schema
from rdf.schema.object_selection import effective_overlap, effective_selection
from rdf.schema.tables import Objects, Overlap
from tests.rdf import reference
from tests.rdf.reference_selection import ATLAS_2025, EVERY_OBJECT, Selection
from tests.rdf.trees import Values, arrays, opened, write_ttree

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.compiler]

EVENTS = 400
NUMBERS = ("n_electrons", "n_muons", "n_jets", "n_bjets", "n_photons", "n_taus", "n_largeRjets")
SUMS = ("HT", "lepton_pt_sum", "lepton1_pt", "jet1_pt", "photon1_pt", "tau1_pt", "mll", "m_tau_tau", "delta_r_lj")


def dense_events() -> dict[str, Values]:
    """0 to 4 objects of each kind, all in a window of 1 by 1, most of them identified."""
    random = np.random.default_rng(2025)
    columns: dict[str, Values] = {
        "runNumber": np.full(EVENTS, 276000),
        "eventNumber": np.arange(EVENTS),
        "met": random.exponential(30, EVENTS),
        "met_phi": random.uniform(-3, 3, EVENTS),
    }
    for kind in ("lep", "jet", "photon", "tau", "largeRJet"):
        counts = random.integers(0, 4, EVENTS, endpoint=True)
        size, ends = counts.sum(), np.cumsum(counts)[:-1]
        pt, eta = np.float32(5 + random.exponential(40, size)), np.float32(random.uniform(-0.5, 0.5, size))
        parts = {"pt": pt, "eta": eta, "phi": random.uniform(2.7, 3.7, size), "e": 1.1 * pt * np.cosh(eta)}
        flags = {
            "lep": ("isLooseID", "isLooseIso"),
            "photon": ("isTightID", "isLooseIso"),
            "tau": ("isTight",),
        }
        parts |= {name: random.random(size) < 0.8 for name in flags.get(kind, ())}
        if kind == "lep":
            parts |= {"type": random.choice([11, 13], size), "charge": random.choice([-1, 1], size)}
        if kind == "jet":
            parts["btag_quantile"] = random.integers(1, 6, size)
        if kind == "largeRJet":
            parts["m"] = random.exponential(80, size)
        columns |= {f"{kind}_{name}": [x.tolist() for x in np.split(v, ends)] for name, v in parts.items()}
    return columns


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    columns, schema = dense_events(), load_schema("atlas2025")
    kinds = {name: schema.columns.get(name, "float32[]") for name in columns}
    return write_ttree(tmp_path_factory.mktemp("dense") / "dense.root", "analysis", columns, kinds)


LEPTONS_APART = (
    ("lepton", "lepton", 0.4),
    ("tau", "electron", 0.3),
    ("largeRjet", "jet", 0.25),
    ("photon", "tau", 0.3),
)


@pytest.mark.parametrize(
    ("objects", "overlap", "selection"),
    [
        ({}, None, ATLAS_2025),
        (None, None, EVERY_OBJECT),
        ({}, LEPTONS_APART, replace(ATLAS_2025, overlap=LEPTONS_APART)),
    ],
    ids=["by default", "none", "of one's own"],
)
def test_what_is_left_of_dense_events(
    objects: dict[str, Objects] | None,
    overlap: tuple[tuple[str, str, float], ...] | None,
    selection: Selection,
    path: Path,
) -> None:
    schema = load_schema("atlas2025")
    source = opened(path, schema)
    steps = overlap and tuple(Overlap(drop=drop, near=near, within=within) for drop, near, within in overlap)
    columns = physics_columns(
        schema,
        source.available,
        effective_selection(schema, source.available, objects),
        {},
        overlap=effective_overlap(schema, source.available, objects, steps),
    )
    found = arrays(define_columns(source.open(), columns, [*NUMBERS, *SUMS]), [*NUMBERS, *SUMS])
    expected = reference.atlas2025(path, selection)
    for name in NUMBERS:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)
    for name in SUMS:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-5, atol=1e-6, err_msg=name)
    everything = reference.atlas2025(path, replace(selection, overlap=()))
    dropped = {name for name in NUMBERS if np.any(expected[name] < everything[name])}
    assert (
        dropped
        == {
            None: {"n_electrons", "n_muons", "n_jets", "n_bjets", "n_photons", "n_taus"}
            if selection.overlap
            else set(),
            LEPTONS_APART: {"n_electrons", "n_muons", "n_taus", "n_photons", "n_largeRjets"},
        }[overlap]
    )
