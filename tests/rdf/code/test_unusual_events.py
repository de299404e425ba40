"""Unusual events: none of anything, very many, and broken ones."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot

from rdf.code.columns import define_columns
from rdf.code.interpreter import ROOT
from rdf.execution.event_loop import EventLoop, use_threads
from rdf.graph.selection import book_non_finite, select_finite
from rdf.schema.columns import rounded
from rdf.schema.features import FEATURES
from rdf.schema.model import load_schema
from rdf.schema.physics import PHYSICS
from rdf.schema.quantities import ID_QUANTITIES
from tests.rdf import reference_physics, reference_selection
from tests.rdf.trees import Values, columns_of, opened, write_rntuple

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.compiler]


Jet = tuple[float, float, float, float]
Lepton = tuple[float, float, float, float, int, int]
NAN, INF = np.nan, np.inf


def random_event(random: np.random.Generator, jets: int, leptons: int) -> tuple[list[Jet], list[Lepton], float]:
    def momentum(softest: float) -> Jet:
        pt, eta = np.float32(softest + random.exponential(40)), np.float32(random.normal(0, 1.2))
        energy = np.float32(pt * np.cosh(eta) * 1.02)
        return float(pt), float(eta), float(np.float32(random.uniform(-np.pi, np.pi))), float(energy)

    flavours = random.choice([11, 13], leptons)
    charges = random.choice([-1, 1], leptons)
    return (
        [momentum(20) for _ in range(jets)],
        [(*momentum(7), int(q), int(f)) for q, f in zip(charges, flavours, strict=True)],
        float(np.float32(random.exponential(40))),
    )


GOOD: Jet = (50.0, 0.5, 1.0, 60.0)
OTHER: Jet = (40.0, -0.5, -2.0, 50.0)
MUON: Lepton = (30.0, 0.1, 0.3, 31.0, 1, 13)
BROKEN_EVENTS: dict[str, tuple[list[Jet], list[Lepton], float]] = {
    "nothing": ([], [], 30.0),
    "one jet": ([GOOD], [MUON], 30.0),
    "no MET": ([GOOD, OTHER], [MUON, MUON], 0.0),
    "NaN pT": ([GOOD, (NAN, 0.0, 1.0, 60.0), OTHER], [MUON, MUON], 30.0),
    "negative energy": ([GOOD, (50.0, 0.0, 1.0, -60.0), OTHER], [MUON, MUON], 30.0),
    "negative pT": ([GOOD, (-50.0, 0.0, 1.0, 60.0), OTHER], [MUON, MUON], 30.0),
    "infinite energy": ([GOOD, (50.0, 0.0, 1.0, INF), OTHER], [MUON, MUON], 30.0),
    "NaN phi": ([GOOD, (50.0, 0.0, NAN, 60.0), OTHER], [MUON, MUON], 30.0),
    "eta beyond all": ([GOOD, (50.0, 1e4, 1.0, 60.0), OTHER], [MUON, MUON], 30.0),
    "jet of nothing": ([GOOD, (0.0, 0.0, 0.0, 0.0), OTHER], [MUON, MUON], 30.0),
    "NaN MET": ([GOOD, OTHER], [MUON, MUON], NAN),
    "NaN lepton": ([GOOD, OTHER], [MUON, (NAN, 0.0, 0.0, 31.0, -1, 13)], 30.0),
}
# Columns that are finite, of those below, in each broken event.
LOOKED_AT = ("n_jets", "HT", "MR", "Rsq", "MET", "mll", "lepton_pt_sum", "centrality", "sphericity", "MET_over_HT")
OF_JETS, OF_LEPTONS = {"HT", "MR", "Rsq", "MET_over_HT"}, {"mll", "lepton_pt_sum"}
OF_BOTH = {"centrality", "sphericity"}
FINITE: dict[str, set[str]] = {
    "nothing": {"n_jets", "HT", "MET", "lepton_pt_sum"},  # sums of nothing
    "one jet": {"n_jets", "HT", "MET", "lepton_pt_sum", "MET_over_HT", *OF_BOTH},
    "no MET": set(LOOKED_AT),
    "NaN pT": {"n_jets", "MET", *OF_LEPTONS},
    "negative energy": {"n_jets", "MET", "HT", "MET_over_HT", *OF_LEPTONS, "sphericity"},  # momenta are whole
    "negative pT": {"n_jets", "MET", *OF_LEPTONS},
    "infinite energy": {"n_jets", "MET", "HT", "MET_over_HT", *OF_LEPTONS, "sphericity", "centrality"},
    "NaN phi": {"n_jets", "MET", *OF_LEPTONS},
    "eta beyond all": {"n_jets", "MET", "HT", "MET_over_HT", *OF_LEPTONS},
    "jet of nothing": set(LOOKED_AT),
    "NaN MET": set(LOOKED_AT) - {"MET", "Rsq", "MET_over_HT"},
    "NaN lepton": {"n_jets", "MET", *OF_JETS},
}


@dataclass(frozen=True)
class Unusual:
    files: dict[str, Path]
    events: list[tuple[list[Jet], list[Lepton], float]]
    names: list[str | None]


@pytest.fixture(scope="module")
def unusual(tmp_path_factory: pytest.TempPathFactory) -> Unusual:
    """Usual events and, in several places among them, the others; in clusters that two threads share."""
    use_threads(1)
    random = np.random.default_rng(31)
    names: list[str | None] = []
    events = []
    for block in range(4):
        for jets in (0, 1, 2, 3, 7, 12, 40):
            names.append(None)
            events.append(random_event(random, jets, (block + jets) % 5))
        for name, event in BROKEN_EVENTS.items():
            names.append(name)
            events.append(event)
    schema = load_schema("atlas2025")
    columns: dict[str, Values] = {
        f"jet_{part}": [[jet[i] for jet in jets] for jets, _, _ in events]
        for i, part in enumerate(("pt", "eta", "phi", "e"))
    }
    columns |= {
        f"lep_{part}": [[lepton[i] for lepton in leptons] for _, leptons, _ in events]
        for i, part in enumerate(("pt", "eta", "phi", "e", "charge", "type"))
    }
    columns |= {
        "met": np.array([met for _, _, met in events]),
        "met_phi": np.float32(random.uniform(-np.pi, np.pi, len(events))),
        "runNumber": np.full(len(events), 5),
        "eventNumber": np.arange(len(events)),
    }
    folder = tmp_path_factory.mktemp("unusual")
    rntuple = write_rntuple(folder / "rntuple.root", "analysis", columns, schema.columns, batch=9)
    options = ROOT.RDF.RSnapshotOptions()
    options.fAutoFlush = 9
    options.fOutputFormat = ROOT.RDF.ESnapshotOutputFormat.kTTree
    ttree = folder / "ttree.root"
    ROOT.RDataFrame("analysis", str(rntuple)).Snapshot("analysis", str(ttree), list(columns), options)
    return Unusual({"ttree": ttree, "rntuple": rntuple}, events, names)


@pytest.fixture(scope="module")
def of_unusual(unusual: Unusual) -> dict[tuple[str, int], tuple[dict[str, np.ndarray], dict[str, int], int]]:
    """By format and threads: columns in the order of the file, features that are not finite, events that are left."""
    found = {}
    schema = load_schema("atlas2025")
    for kind, path in unusual.files.items():
        for threads in (1, 2):
            slots = use_threads(threads)
            assert slots == threads
            source = opened(path, schema)
            columns = columns_of(source, schema)
            names = [name for name in PHYSICS if name in columns and name not in ("megajets", "visible")]
            loop = EventLoop(source, (0, source.events))
            events = define_columns(loop.events, columns, ["event", *names])
            taken = {name: events.Take[str(events.GetColumnType(name))](name) for name in names}
            order = events.Take["ULong64_t"]("event")
            recorded = define_columns(loop.events, rounded(columns, LOOKED_AT), ID_QUANTITIES, LOOKED_AT)
            counted = book_non_finite(recorded, LOOKED_AT, slots)
            left = select_finite(recorded, len(LOOKED_AT)).Count()
            assert loop.run([*taken.values(), order, counted.booked, left]).events == len(unusual.events)
            place = np.argsort(list(order.GetValue()))
            values = {name: np.array(list(result.GetValue()))[place] for name, result in taken.items()}
            found[kind, threads] = (values, counted.counts(), int(left.GetValue()))
    use_threads(1)
    return found


def test_unusual_events_are_the_same_in_every_format_and_with_any_threads(of_unusual: Any) -> None:
    values, counts, left = of_unusual["ttree", 1]
    # The events have no photons, no taus, no large-radius jets and no b tags.
    absent = {name for name in FEATURES if re.search("photon|tau|largeR|bjet", name)}
    assert values.keys() == FEATURES.keys() - absent
    for other, other_counts, other_left in of_unusual.values():
        assert (other_counts, other_left) == (counts, left)
        for name, column in values.items():
            np.testing.assert_array_equal(other[name], column, err_msg=name)


@pytest.mark.parametrize("name", BROKEN_EVENTS)
def test_a_broken_event_is_nan_where_it_is_broken_and_nowhere_else(
    name: str, unusual: Unusual, of_unusual: Any
) -> None:
    values, _, _ = of_unusual["rntuple", 1]
    places = [i for i, event in enumerate(unusual.names) if event == name]
    assert len(places) == 4
    for i in places:
        assert {column for column in LOOKED_AT if np.isfinite(values[column][i])} == FINITE[name]
    assert values["n_jets"][places].tolist() == [len(BROKEN_EVENTS[name][0])] * 4


def test_every_event_that_is_not_finite_is_counted_out(unusual: Unusual, of_unusual: Any) -> None:
    values, counts, left = of_unusual["rntuple", 2]
    whole = np.float32([values[name] for name in LOOKED_AT])
    assert counts == {name: int((~np.isfinite(row)).sum()) for name, row in zip(LOOKED_AT, whole, strict=True)}
    assert left == np.isfinite(whole).all(axis=0).sum()
    # Of the broken ones two kinds are whole.
    assert np.isfinite(whole[:, [n in ("no MET", "jet of nothing") for n in unusual.names]]).all()


def test_usual_events_among_unusual_ones_are_those_of_numpy(unusual: Unusual, of_unusual: Any) -> None:
    """With 0 to 12 jets; reference_physics.py tries every partition, and 40 jets have 550 thousand million."""
    values, _, _ = of_unusual["ttree", 2]
    with uproot.open(unusual.files["rntuple"]) as file:
        phi = file["analysis"]["met_phi"].array(library="np")
    chosen = [i for i, (jets, _, _) in enumerate(unusual.events) if unusual.names[i] is None and len(jets) <= 12]
    assert len(chosen) == 24

    def objects(kind: int, *parts: str) -> Any:
        import awkward as ak

        columns = [[[o[i] for o in unusual.events[n][kind]] for n in chosen] for i in range(len(parts))]
        return reference_selection.vector.zip(
            {p: ak.values_astype(ak.Array(c), np.float64) for p, c in zip(parts, columns, strict=True)}
        )

    met = reference_selection.vector.array(
        {"pt": [unusual.events[n][2] for n in chosen], "phi": phi[chosen].astype(np.float64)}
    )
    events = reference_selection.Events(
        {},
        objects(0, "pt", "eta", "phi", "energy"),
        objects(1, "pt", "eta", "phi", "energy", "charge", "flavour"),
        reference_selection.vector.zip({"pt": met.pt, "phi": met.phi}),
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = reference_physics.physics_columns(events, reference_selection.EVERY_OBJECT)
    assert set(expected) == set(values)
    for name, column in expected.items():
        found, wanted = values[name][chosen], np.asarray(column, dtype=np.float64)
        finite = np.isfinite(wanted)
        np.testing.assert_array_equal(np.isfinite(found), finite, err_msg=name)
        np.testing.assert_allclose(found[finite], wanted[finite], rtol=1e-8, atol=1e-8, err_msg=name)


def test_forty_jets(unusual: Unusual, of_unusual: Any) -> None:
    values, _, _ = of_unusual["rntuple", 1]
    for i, (jets, _, _) in enumerate(unusual.events):
        if len(jets) == 40:
            assert values["n_jets"][i] == 40
            assert values["HT"][i] == pytest.approx(sum(jet[0] for jet in jets), rel=1e-12)
            energy = sum(jet[3] for jet in jets)
            pz = sum(jet[0] * np.sinh(jet[1]) for jet in jets)
            # MR is at least what all momenta across the beam leave, and at most the energy.
            assert 0 < values["MR"][i] < energy
            total = [sum(jet[0] * f(jet[2]) for jet in jets) for f in (np.cos, np.sin)]
            mass = np.sqrt(energy**2 - pz**2 - total[0] ** 2 - total[1] ** 2)
            assert values["dijet_mass"][i] == pytest.approx(mass, rel=1e-9)
