"""Simulated samples: their physics against independent calculations, the same by seed, and never without their mark."""

from __future__ import annotations

import math
import shutil
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot
from numpy.typing import NDArray
from scipy.optimize import curve_fit

from rdf.code.interpreter import ROOT
from rdf.errors import CacheUnusable
from rdf.provenance import Provenance
from rdf.schema.model import load_schema
from rdf.simulation.generators import simulated_collisions, simulated_tracks
from rdf.simulation.processes import FileFormat
from rdf.simulation.writing import says_simulated, simulate, write_simulation
from rdf.sources.source import open_source
from tests.rdf.simulation.files import collisions, read, write

pytestmark = pytest.mark.compiler

EVENTS = 60_000
Array = NDArray[Any]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., ak.Array]:
    """Events of a process, made once for each set of masses."""
    folder = tmp_path_factory.mktemp("sample")

    def make(name: str, **masses: float) -> ak.Array:
        path = folder / f"{name}{masses}.root"
        if not path.exists():
            write(collisions(name, **masses), path, EVENTS)
        return read(path)

    return make


def four_vectors(events: ak.Array, kind: str, selected: ak.Array) -> tuple[ak.Array, ak.Array, ak.Array, ak.Array]:
    """px, py, pz, E of the objects that are selected."""
    pt, eta, phi, mass = (
        ak.values_astype(events[f"{kind}_{part}"][selected], np.float64) for part in ("pt", "eta", "phi", "mass")
    )
    px, py, pz = pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)
    return px, py, pz, np.sqrt(px**2 + py**2 + pz**2 + mass**2)


def razor(events: ak.Array) -> tuple[Array, Array]:
    """MR and Rsq of the events with two jets (pT > 30 GeV, |eta| < 2.4) or more, all partitions tried by numpy."""
    vectors = four_vectors(events, "Jet", (events.Jet_pt > 30) & (np.abs(events.Jet_eta) < 2.4))
    numbers = ak.to_numpy(ak.num(vectors[0]))
    MR, Rsq = (np.full(len(events), np.nan) for _ in range(2))
    for n in range(2, numbers.max() + 1):
        here = numbers == n
        jets = np.stack([ak.to_numpy(ak.to_regular(part[here])) for part in vectors])  # (4, events, jets)
        total = jets.sum(axis=2)
        least = np.full(here.sum(), np.inf)
        first = np.zeros_like(total)
        for partition in range(1, 2 ** (n - 1)):
            group = jets[:, :, [bool(partition >> jet & 1) for jet in range(n)]].sum(axis=2)
            other = total - group
            squares = sum(p[3] ** 2 - p[0] ** 2 - p[1] ** 2 - p[2] ** 2 for p in (group, other))
            better = squares < least
            least, first = np.where(better, squares, least), np.where(better, group, first)
        second = total - first
        energy = np.linalg.norm(first[:3], axis=0) + np.linalg.norm(second[:3], axis=0)
        MR[here] = np.sqrt(energy**2 - (first[2] + second[2]) ** 2)
        met, angle = (ak.to_numpy(events[name][here]).astype(float) for name in ("MET_pt", "MET_phi"))
        pt_sum = np.hypot(first[0], first[1]) + np.hypot(second[0], second[1])
        along = (total[0] * np.cos(angle) + total[1] * np.sin(angle)) * met
        Rsq[here] = (met * pt_sum - along) / 2 / MR[here] ** 2
    kept = np.isfinite(MR)
    return MR[kept], Rsq[kept]


def pair_mass(events: ak.Array, kind: str) -> Array:
    """Mass of the first two leptons of a kind, where there are two."""
    px, py, pz, energy = (part[:, :2] for part in four_vectors(events, kind, events[f"{kind}_pt"] > 10))
    two = ak.num(px) == 2
    square = sum(sign * ak.sum(part[two], axis=1) ** 2 for part, sign in ((energy, 1), (px, -1), (py, -1), (pz, -1)))
    return np.sqrt(ak.to_numpy(square))


def mode(values: Array, width: float) -> float:
    """Where the density is greatest, smoothed by a Gaussian of this width."""
    counts, edges = np.histogram(values, np.arange(0, np.quantile(values, 0.99), width / 20))
    kernel = np.exp(-0.5 * (np.arange(-80, 81) / 20) ** 2)
    return float(((edges[1:] + edges[:-1]) / 2)[np.convolve(counts, kernel, "same").argmax()])


@pytest.mark.parametrize(("mass", "lsp"), [(600, 100), (900, 100), (1200, 400)])
def test_mr_of_squark_pairs_peaks_at_its_edge(sample: Callable[..., ak.Array], mass: float, lsp: float) -> None:
    MR, _ = razor(sample("squark", mass=mass, lsp=lsp))
    edge = (mass**2 - lsp**2) / mass
    assert mode(MR, 0.05 * edge) == pytest.approx(edge, rel=0.05)


def test_rsq_tells_squark_pairs_from_multijets(sample: Callable[..., ak.Array]) -> None:
    signal, background = (razor(sample(*arguments))[1] for arguments in (("squark",), ("qcd",)))
    assert np.median(signal) > 10 * np.median(background)
    # A cut that keeps most of the signal leaves next to nothing of the background.
    assert (signal > 0.15).mean() > 0.7
    assert (background > 0.15).mean() < 0.01


def gaussian(x: Array, height: float, centre: float, width: float) -> Array:
    return height * np.exp(-0.5 * ((x - centre) / width) ** 2)


@pytest.mark.parametrize("kind", ["Muon", "Electron"])
@pytest.mark.parametrize(("name", "mass"), [("zjets", 91.1876), ("zprime", 500.0), ("zprime", 1500.0)])
def test_resonances_peak_at_their_masses(sample: Callable[..., ak.Array], name: str, mass: float, kind: str) -> None:
    events = sample(name, mass=mass) if name == "zprime" else sample(name)
    masses = pair_mass(events, kind)
    assert len(masses) > 5000
    counts, edges = np.histogram(masses, np.linspace(0.95 * mass, 1.05 * mass, 41))
    centres = (edges[1:] + edges[:-1]) / 2
    (_, centre, width), _ = curve_fit(gaussian, centres, counts, [counts.max(), mass, 0.03 * mass])
    assert centre == pytest.approx(mass, rel=0.005)
    assert abs(width) < 0.06 * mass


def test_leptons_of_a_resonance_have_opposite_charges(sample: Callable[..., ak.Array]) -> None:
    for name in ("zjets", "zprime", "ttbar"):
        events = sample(name)
        charges = ak.concatenate([events.Muon_charge, events.Electron_charge], axis=1)
        pairs = charges[ak.num(charges) == 2]
        assert len(pairs) > 0.3 * EVENTS
        assert ak.all(ak.sum(pairs, axis=1) == 0)
        assert set(ak.flatten(charges)) == {-1, 1}
        assert ak.max(ak.num(charges)) == 2


def test_met_tells_what_is_invisible(sample: Callable[..., ak.Array]) -> None:
    mean = {name: ak.mean(sample(name).MET_pt) for name in ("zjets", "qcd", "ttbar", "squark")}
    assert 8 < mean["zjets"] < 20  # resolution alone
    assert mean["qcd"] < 30
    assert 50 < mean["ttbar"] < 100  # two neutrinos
    assert mean["squark"] > 300


def test_jets_and_their_flavours(sample: Callable[..., ak.Array]) -> None:
    def jets_and_tags(name: str) -> tuple[ak.Array, ak.Array]:
        events = sample(name)
        counted = (events.Jet_pt > 30) & (np.abs(events.Jet_eta) < 2.4)
        return ak.sum(counted, axis=1), ak.sum(counted & (events.Jet_btagDeepFlavB > 0.2783), axis=1)

    jets, tags = jets_and_tags("ttbar")
    assert ak.mean(tags[jets >= 2] >= 1) > 0.85
    assert ak.mean(tags[jets >= 2] == 2) > 0.4
    for name in ("qcd", "zjets", "squark"):
        assert ak.mean(jets_and_tags(name)[1] >= 1) < 0.1, name
    assert ak.mean(jets_and_tags("zjets")[0] == 0) > 0.8
    assert 2.2 < ak.mean(jets_and_tags("squark")[0]) < 3.2


def test_multijets_fall_and_lie_back_to_back(sample: Callable[..., ak.Array]) -> None:
    events = sample("qcd")
    events = events[ak.num(events.Jet_pt) >= 2]
    leading = ak.to_numpy(events.Jet_pt[:, 0])
    # dN/dpT ~ pT^-5 times what the parton densities ((1 - x1) (1 - x2))^4 leave of the rapidities, on a grid.
    pt = np.geomspace(100, 6500, 200)[:, None, None]
    y1, y2 = np.linspace(-5, 5, 101)[None, :, None], np.linspace(-5, 5, 101)[None, None, :]
    x1, x2 = (pt / 13_000 * (np.exp(sign * y1) + np.exp(sign * y2)) for sign in (1, -1))
    density = np.where((x1 < 1) & (x2 < 1), ((1 - x1) * (1 - x2)) ** 4, 0).sum(axis=(1, 2)) / pt[:, 0, 0] ** 4
    above = [density[pt[:, 0, 0] > cut].sum() for cut in (150, 300)]
    found = [(leading > cut).sum() for cut in (150, 300)]
    assert found[1] / found[0] == pytest.approx(above[1] / above[0], rel=0.1 + 4 / math.sqrt(found[1]))
    angle = ak.to_numpy(events.Jet_phi[:, 0] - events.Jet_phi[:, 1])
    assert np.median(np.abs(np.remainder(angle, 2 * math.pi) - math.pi)) < 0.15


def test_nanoaod_has_the_names_and_types_of_nanoaod(tmp_path: Path) -> None:
    path = write(collisions("ttbar"), tmp_path / "a.root")
    scalars = {"run": "uint32", "luminosityBlock": "uint32", "event": "uint64", "MET_pt": "float32"}
    scalars |= {"MET_phi": "float32", "label": "int32"}
    arrays = {
        f"{kind}_{part}": "float32" for kind in ("Jet", "Muon", "Electron") for part in ("pt", "eta", "phi", "mass")
    }
    arrays |= {"Jet_btagDeepFlavB": "float32", "Jet_jetId": "int32", "Muon_charge": "int32", "Electron_charge": "int32"}
    arrays |= {"Muon_looseId": "int32", "Muon_pfRelIso04_all": "float32", "Electron_cutBased": "int32"}
    events = read(path)
    assert set(events.fields) == {*scalars, *arrays}
    for name, kind in {**scalars, **{name: f"var * {kind}" for name, kind in arrays.items()}}.items():
        assert str(events[name].type) == f"2000 * {kind}", name
    assert events.event.tolist() == list(range(1, 2001))
    assert events.luminosityBlock.tolist() == [1] * 1000 + [2] * 1000
    assert set(events.run) == {1}
    assert set(ak.flatten(events.Jet_jetId)) == {6}
    assert set(ak.flatten(events.Muon_looseId)) == {1}
    assert set(ak.flatten(events.Muon_pfRelIso04_all)) == {0}
    assert set(ak.flatten(events.Electron_cutBased)) == {4}
    for kind, min_pt, max_eta in (("Jet", 15, 5), ("Muon", 5, 2.4), ("Electron", 5, 2.5)):
        pt = events[f"{kind}_pt"]
        assert ak.min(pt) >= min_pt
        assert ak.max(np.abs(events[f"{kind}_eta"])) <= max_eta
        assert ak.all(pt[:, 1:] <= pt[:, :-1])
    source = open_source([str(path)], load_schema("cms_nanoaod"), tmp_path, [None])
    assert (source.simulated, source.events) == (True, 2000)


def test_a_ttree_holds_the_same_events_in_arrays_with_counters(tmp_path: Path) -> None:
    for simulation in (collisions("squark"), simulated_tracks(0.1)):
        rntuple = read(write(simulation, tmp_path / "rntuple.root"))
        path = write(simulation, tmp_path / "ttree.root", file_format="ttree")
        ttree = read(path)
        for name in rntuple.fields:
            assert ak.array_equal(rntuple[name], ttree[name], dtype_exact=True), name
        counters = {name for name in ttree.fields if name not in rntuple.fields}
        assert counters == ({"nJet", "nMuon", "nElectron"} if "Jet_pt" in rntuple.fields else set())
        for name in counters:
            np.testing.assert_array_equal(ttree[name], ak.num(ttree[f"{name[1:]}_pt"]))
    file = ROOT.TFile.Open(str(tmp_path / "ttree.root"))
    assert str(file.Get("tracks").GetTitle()).startswith("SIMULATED 10 % displaced tracks")
    file.Close()


def overlap(first: ak.Array, second: ak.Array) -> float:
    """Part of the first events whose MET is that of one of the second; by chance that happens in float32."""
    return float(np.isin(ak.to_numpy(first.MET_pt), ak.to_numpy(second.MET_pt)).mean())


def test_the_same_seed_gives_the_same_events_and_another_seed_or_process_others(tmp_path: Path) -> None:
    first = read(write(collisions("qcd"), tmp_path / "a.root"))
    again = read(write(collisions("qcd"), tmp_path / "b.root"))
    fewer = read(write(collisions("qcd"), tmp_path / "c.root", events=500))
    for name in first.fields:
        assert ak.array_equal(first[name], again[name], dtype_exact=True), name
        assert ak.array_equal(first[name][:500], fewer[name], dtype_exact=True), name
    others = (write(collisions("qcd"), tmp_path / "d.root", seed=2), write(collisions("squark"), tmp_path / "e.root"))
    assert all(overlap(read(path), first) < 0.01 for path in others)
    assert len(np.unique(ak.to_numpy(first.MET_pt))) > 1990
    a, b = (read(write(collisions("squark", mass=mass), tmp_path / f"{mass}.root")) for mass in (700, 701))
    assert overlap(a, b) < 0.01


def test_a_signal_in_a_background(tmp_path: Path) -> None:
    simulation = simulated_collisions("zprime", {"mass": 1500.0}, "zjets", 0.03)
    path = tmp_path / "a.root"
    signal = write_simulation(simulation, path, 20_000, 1, Provenance("", simulated=True))
    events = read(path)
    assert signal == ak.sum(events.label)
    assert abs(signal - 600) < 5 * math.sqrt(20_000 * 0.03 * 0.97)
    assert np.median(pair_mass(events[events.label == 1], "Muon")) == pytest.approx(1500, rel=0.02)
    assert np.median(pair_mass(events[events.label == 0], "Muon")) == pytest.approx(91.2, rel=0.01)


def test_tracks(tmp_path: Path) -> None:
    path = write(simulated_tracks(0.1), tmp_path / "a.root", events=20_000)
    tracks = read(path)
    assert set(tracks.fields) == {
        *("run", "luminosityBlock", "event", "label"),
        *(f"track_{part}" for part in ("pt", "eta", "phi", "d0", "dz")),
    }
    displaced = tracks.label == 1
    assert abs(ak.sum(displaced) - 2000) < 5 * math.sqrt(20_000 * 0.1 * 0.9)
    d0 = np.abs(tracks.track_d0)
    assert np.median(d0[displaced]) > 0.1  # cm
    assert np.median(d0[~displaced]) < 0.01
    assert open_source([str(path)], load_schema("tracks"), tmp_path, [None]).events == 20_000


@pytest.mark.parametrize("file_format", ["rntuple", "ttree"])
def test_files_have_work_for_several_cores(tmp_path: Path, file_format: FileFormat) -> None:
    path = write(collisions("zjets"), tmp_path / "a.root", events=100_000, file_format=file_format)
    if file_format == "rntuple":
        clusters = ROOT.RNTupleReader.Open("Events", str(path)).GetDescriptor().GetNClusters()
    else:
        file = ROOT.TFile.Open(str(path))
        iterator = file.Get("Events").GetClusterIterator(0)
        clusters = sum(1 for _ in iter(iterator.Next, 100_000))
        file.Close()
    assert 4 <= clusters <= 40


def test_the_file_says_that_it_is_simulated(tmp_path: Path) -> None:
    path = write(collisions("zjets"), tmp_path / "a.root", events=1)
    with uproot.open(path) as file:
        assert set(file.keys(cycle=False)) == {"SIMULATED", "provenance", "Events"}
        assert file["provenance"].member("fTitle") == "made by a test"
    assert says_simulated(path)
    with uproot.recreate(tmp_path / "b.root") as file:
        file["tree"] = {"x": np.arange(3)}
    (tmp_path / "c.root").write_text("no ROOT file")
    assert not says_simulated(tmp_path / "b.root")
    assert not says_simulated(tmp_path / "c.root")
    assert not says_simulated(tmp_path / "d.root")


def free_space(monkeypatch: pytest.MonkeyPatch, *free: int) -> None:
    """Let the disk have so much free space the first time that it is asked for, and so on; the last for good."""
    usage = namedtuple("usage", "total used free")
    left = [*free]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**12, 0, left.pop(0) if len(left) > 1 else left[0]))


def test_a_disk_without_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free_space(monkeypatch, 10**6)
    message = rf"{tmp_path}: about \d+ MB are needed and 1 MB are free; free some space"
    with pytest.raises(CacheUnusable, match=message):
        write(collisions("zjets"), tmp_path / "a.root")
    with pytest.raises(CacheUnusable, match=rf"{message} .* \(set XDG_CACHE_HOME\)"):
        simulate("razor_multijet", load_schema("cms_razor"), 10, 1, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("file_format", ["rntuple", "ttree"])
def test_a_disk_that_becomes_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file_format: FileFormat) -> None:
    free_space(monkeypatch, 10**12, 10**12, 10**6)
    with pytest.raises(CacheUnusable, match="1 MB are free"):
        write(collisions("zjets"), tmp_path / "a.root", 10**7, file_format=file_format)
    assert not list(tmp_path.iterdir())
    monkeypatch.undo()
    assert len(read(write(collisions("zjets"), tmp_path / "a.root", file_format=file_format))) == 2000


@pytest.mark.parametrize("file_format", ["rntuple", "ttree"])
def test_a_simulation_that_is_ended_leaves_nothing(tmp_path: Path, file_format: FileFormat) -> None:
    (tmp_path / "a.root").write_text("what was there before")

    def stop(done: int, total: int) -> None:
        assert total == 10**6
        if done:
            raise KeyboardInterrupt

    with pytest.raises(BaseException, match="interrupted"):
        write_simulation(
            collisions("zjets"),
            tmp_path / "a.root",
            10**6,
            1,
            Provenance("", simulated=True),
            file_format,
            progress=stop,
        )
    assert [path.name for path in tmp_path.iterdir()] == ["a.root"]
    assert (tmp_path / "a.root").read_text() == "what was there before"


@pytest.mark.parametrize("file_format", ["rntuple", "ttree"])
def test_a_file_is_written_under_the_name_that_was_asked_for(file_format: str, tmp_path: Path) -> None:
    """ROOT reads brackets in a name as a pattern, and dies where no file matches it."""
    path = tmp_path / "a[1] {2}, ~.root"
    (tmp_path / "x.root").mkdir()
    for target in (path, tmp_path / "x.root" / "y.root"):
        write_simulation(simulated_tracks(0.5), target, 30, 1, Provenance("", simulated=True), file_format)
        with uproot.open(target) as file:
            assert file["tracks"].num_entries == 30
