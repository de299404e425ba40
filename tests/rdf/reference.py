"""The physics columns of real files, computed from their definitions without ROOT and without the toolkit.

Plain float64 over whole files; GeV, radians. Each reader gives one value per event, in the order of the file, for every
column that its format has the objects for, and NaN where the event has no such object. Numbers in the files are mostly
float32 and are widened before anything is computed. `run`, `luminosityBlock` and `event` are integers and given where
the file has them.

Megajets come from all partitions of the jets, tried one by one, so the cost grows as 2^n with the number of jets.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot
import vector
from numpy.typing import NDArray

vector.register_awkward()

Columns = dict[str, NDArray[Any]]
Values = NDArray[np.float64]

MUON_MASS = 0.1056583755  # GeV, PDG
Z_MASS = 91.1876  # GeV, PDG
ELECTRON, MUON = 11, 13


@dataclass(frozen=True)
class Cut:
    """Objects with pT > min_pt [GeV] and |eta| < max_eta; one whose pT is NaN is no cut's to remove."""

    min_pt: float = -math.inf
    max_eta: float = math.inf

    def passed(self, objects: ak.Array) -> ak.Array:
        return ~(objects.pt <= self.min_pt) & ~(abs(objects.eta) >= self.max_eta)


@dataclass(frozen=True)
class Selection:
    """Cuts by kind of object; `jet_id` is the least Jet_jetId where the file has it."""

    jets: Cut = Cut()
    muons: Cut = Cut()
    electrons: Cut = Cut()
    jet_id: int = 0


EVERY_OBJECT = Selection()
NANOAOD = Selection(jets=Cut(30, 2.4), muons=Cut(10, 2.4), electrons=Cut(10, 2.5), jet_id=2)


@dataclass(frozen=True)
class Events:
    """What a file holds, as four-vectors in GeV: jets and leptons of every event, and MET; None where it has none.

    Leptons have `charge` and `flavour` (11 or 13), jets maybe `id`.
    """

    ids: Columns
    jets: ak.Array | None = None
    leptons: ak.Array | None = None
    met: ak.Array | None = None


# Readers: one for each format.


def nanoaod(path: Path, selection: Selection = NANOAOD) -> Columns:
    """CMS NanoAOD, TTree or RNTuple: the tree Events in GeV."""
    with uproot.open(path) as file:
        return physics_columns(_nanoaod_events(file["Events"]), selection)


def _nanoaod_events(tree: Any) -> Events:
    names = set(tree.keys())
    collections = []
    for name, flavour in (("Electron", ELECTRON), ("Muon", MUON)):
        if f"{name}_pt" in names:
            arrays = _branches(tree, {part: f"{name}_{part}" for part in ("pt", "eta", "phi", "mass", "charge")})
            collections.append(_vectors(**arrays, flavour=ak.full_like(arrays["charge"], flavour)))
    jets = None
    if "Jet_pt" in names:
        wanted = {part: f"Jet_{part}" for part in ("pt", "eta", "phi", "mass")}
        if "Jet_jetId" in names:
            wanted["id"] = "Jet_jetId"
        jets = _vectors(**_branches(tree, wanted))
    met = None
    for name in ("PuppiMET", "MET", "PFMET"):
        if f"{name}_pt" in names:
            met = _vectors(**_branches(tree, {"pt": f"{name}_pt", "phi": f"{name}_phi"}))
            break
    ids = {name: tree[name].array(library="np") for name in ("run", "luminosityBlock", "event") if name in names}
    leptons = ak.concatenate(collections, axis=1) if collections else None
    return Events(ids, jets, leptons, met)


def atlas2020(path: Path, selection: Selection = EVERY_OBJECT) -> Columns:
    """ATLAS 13 TeV release of 2020: the tree mini in MeV; it has event numbers above 2^31 as negative ones."""
    with uproot.open(path) as file:
        columns = physics_columns(_atlas_events(file["mini"], energy="E", met="met_et", gev=1e-3), selection)
    return columns | {"event": columns["event"].astype(np.int64) % 2**32}


def atlas2025(path: Path, selection: Selection = EVERY_OBJECT) -> Columns:
    """ATLAS 13 TeV release of 2025: the tree analysis in GeV."""
    with uproot.open(path) as file:
        return physics_columns(_atlas_events(file["analysis"], energy="e", met="met", gev=1.0), selection)


def atlas2025_objects(path: Path) -> Events:
    """The objects of the ATLAS release of 2025, by falling pT."""
    with uproot.open(path) as file:
        return selected(_atlas_events(file["analysis"], energy="e", met="met", gev=1.0), EVERY_OBJECT)


def nanoaod_objects(path: Path) -> Events:
    """The objects of CMS NanoAOD that count, by falling pT."""
    with uproot.open(path) as file:
        return selected(_nanoaod_events(file["Events"]), NANOAOD)


def selected(events: Events, selection: Selection) -> Events:
    """The objects that count, by falling pT."""
    jets, leptons = events.jets, events.leptons
    return Events(
        events.ids,
        None if jets is None else by_falling_pt(jets[_passed_jets(jets, selection)]),
        None if leptons is None else by_falling_pt(leptons[_passed_leptons(leptons, selection)]),
        events.met,
    )


def _atlas_events(tree: Any, energy: str, met: str, gev: float) -> Events:
    def momenta(prefix: str) -> dict[str, ak.Array]:
        parts = {"pt": "pt", "eta": "eta", "phi": "phi", "energy": energy}
        arrays = _branches(tree, {part: f"{prefix}_{name}" for part, name in parts.items()})
        return arrays | {part: arrays[part] * gev for part in ("pt", "energy")}

    lepton_kinds = _branches(tree, {"charge": "lep_charge", "flavour": "lep_type"})
    missing = _branches(tree, {"pt": met, "phi": "met_phi"})
    return Events(
        ids={"run": tree["runNumber"].array(library="np"), "event": tree["eventNumber"].array(library="np")},
        jets=_vectors(**momenta("jet")),
        leptons=_vectors(**momenta("lep"), **lepton_kinds),
        met=_vectors(pt=missing["pt"] * gev, phi=missing["phi"]),
    )


def hep_tutorial(path: Path, selection: Selection = EVERY_OBJECT) -> Columns:
    """CMS HEP tutorial: the tree events in GeV, with cartesian momenta."""
    with uproot.open(path) as file:
        return physics_columns(_hep_tutorial_events(file["events"]), selection)


def _hep_tutorial_events(tree: Any) -> Events:
    def momenta(name: str) -> dict[str, ak.Array]:
        parts = {"px": "Px", "py": "Py", "pz": "Pz", "energy": "E"}
        return _branches(tree, {part: f"{name}_{branch}" for part, branch in parts.items()})

    leptons = []
    for name, flavour in (("Electron", ELECTRON), ("Muon", MUON)):
        charge = _branches(tree, {"charge": f"{name}_Charge"})["charge"]
        leptons.append(_vectors(**momenta(name), charge=charge, flavour=ak.full_like(charge, flavour)))
    return Events(
        ids={},
        jets=_vectors(**momenta("Jet")),
        leptons=ak.concatenate(leptons, axis=1),
        met=_vectors(**_branches(tree, {"px": "MET_px", "py": "MET_py"})),
    )


def muons_csv(path: Path, number: int, selection: Selection = EVERY_OBJECT) -> Columns:
    """CMS tables for education with `number` muons a line: pt1, eta1, phi1, Q1, pt2, ..., in GeV."""
    table = read_csv(path)

    def per_event(part: str) -> ak.Array:
        columns = [table[f"{part}{i}"].astype(np.float64) for i in range(1, number + 1)]
        return ak.from_regular(np.stack(columns, axis=1))

    pt = per_event("pt")
    leptons = _vectors(
        pt=pt,
        eta=per_event("eta"),
        phi=per_event("phi"),
        mass=ak.full_like(pt, MUON_MASS),
        charge=per_event("Q"),
        flavour=ak.full_like(pt, MUON),
    )
    return physics_columns(Events({"run": table["Run"], "event": table["Event"]}, leptons=leptons), selection)


def razor_csv(path: Path) -> Columns:
    """CMS razor filter output of 2010: two megajets a line, in GeV, with HT, MET and Rsq as the filter made them."""
    table = read_csv(path)
    first, second = (np.stack([table[f"{part}{i}"] for part in ("Px", "Py", "Pz", "E")], axis=1) for i in "12")
    columns = {"run": table["Run"], "luminosityBlock": table["Lumi"], "event": table["Event"]}
    columns |= {name: table[name] for name in ("HT", "MET", "Rsq")}
    columns |= megajet_columns(first, second)
    columns |= {
        "MET_over_HT": table["MET"] / table["HT"],
        "MET_over_sqrt_HT": table["MET"] / np.sqrt(table["HT"]),
    }
    both = np.stack([first, second], axis=1)
    p = ak.from_regular(both)
    return columns | visible_columns(_vectors(px=p[..., 0], py=p[..., 1], pz=p[..., 2], energy=p[..., 3]))


def read_csv(path: Path) -> Columns:
    """Columns of a table: int64 where every field is a whole number, float64 where it is a number, else text."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: _column([row[name] for row in rows]) for name in rows[0]}


def _column(fields: list[str]) -> NDArray[Any]:
    for kind in (int, float, str):
        try:
            return np.array([kind(field) for field in fields])
        except ValueError:
            continue
    raise AssertionError


def _branches(tree: Any, names: Mapping[str, str]) -> dict[str, ak.Array]:
    """Branches by the name they get, their floats as float64."""
    arrays = {}
    for name, branch in names.items():
        values = tree[branch].array()
        arrays[name] = ak.values_astype(values, np.float64)
    return arrays


def _vectors(**parts: ak.Array) -> ak.Array:
    """Momenta (two- or four-vectors) with whatever else is known of the objects.

    An energy is kept as it is. A negative mass stands for -sqrt(p^2 - E^2), in `vector` as in ROOT.
    """
    return vector.zip(parts)


# Physics: one function for each group of columns.


def physics_columns(events: Events, selection: Selection) -> Columns:
    """Every column that the events have the objects for."""
    jets, leptons, met = events.jets, events.leptons, events.met
    columns: Columns = dict(events.ids)
    if jets is not None:
        jets = by_falling_pt(jets[_passed_jets(jets, selection)])
        columns |= jet_columns(jets)
        columns |= megajet_columns(*megajets(jets), met)
    if leptons is not None:
        leptons = by_falling_pt(leptons[_passed_leptons(leptons, selection)])
        columns |= lepton_columns(leptons)
    if met is not None:
        columns |= met_columns(met, jets, leptons)
    kinds = [kind for kind in (jets, leptons) if kind is not None]
    return columns | visible_columns(_momenta_of(kinds))


def _passed_jets(jets: ak.Array, selection: Selection) -> ak.Array:
    passed = selection.jets.passed(jets)
    return passed & (jets.id >= selection.jet_id) if "id" in jets.fields else passed


def _passed_leptons(leptons: ak.Array, selection: Selection) -> ak.Array:
    is_muon, is_electron = leptons.flavour == MUON, leptons.flavour == ELECTRON
    return (is_muon & selection.muons.passed(leptons)) | (is_electron & selection.electrons.passed(leptons))


def by_falling_pt(objects: ak.Array) -> ak.Array:
    """The objects of each event by falling pT; equal ones in the order of the file."""
    return objects[ak.argsort(-objects.pt, axis=1, stable=True)]


def jet_columns(jets: ak.Array) -> Columns:
    return {"n_jets": _number(jets), "HT": _values(ak.sum(jets.pt, axis=1))}


def megajets(jets: ak.Array) -> tuple[Values, Values]:
    """The two groups of jets whose squared masses have the least sum, the one of larger pT first.

    Every one of the 2^(n-1) - 1 ways to split n jets into two non-empty groups is tried.

    Returns:
        px, py, pz, E of each, shape (events, 4); NaN where there are fewer than two jets.
    """
    counts = ak.to_numpy(ak.num(jets))
    both = np.full((len(counts), 2, 4), np.nan)
    for n in np.unique(counts[counts >= 2]):
        chosen = np.flatnonzero(counts == n)
        p = np.stack([ak.to_numpy(part) for part in _cartesian(jets[chosen])], axis=-1)  # (event, jet, component)
        # Bit j of a partition's number: jet j is in the second group. The last jet is in the first one, so that no
        # partition comes twice, and 0 would leave the second one empty.
        partitions = np.arange(1, 2 ** (n - 1))
        in_second = (partitions[:, np.newaxis] >> np.arange(n)) & 1  # (partition, jet)
        groups = np.stack([np.einsum("kj,ejc->ekc", inside, p) for inside in (1 - in_second, in_second)], axis=2)
        best = mass_squared(groups).sum(axis=2).argmin(axis=1)
        pair = groups[np.arange(len(chosen)), best]  # (event, group, component)
        softer_first = pt_of(pair[:, 0]) < pt_of(pair[:, 1])
        pair[softer_first] = pair[softer_first][:, ::-1]
        both[chosen] = pair
    return both[:, 0], both[:, 1]


def mass_squared(p: Values) -> Values:
    """E^2 - p^2 of four-vectors (px, py, pz, E) along the last axis."""
    squared: Values = p[..., 3] ** 2 - (p[..., :3] ** 2).sum(axis=-1)
    return squared


def pt_of(p: Values) -> Values:
    return np.hypot(p[..., 0], p[..., 1])


def megajet_columns(first: Values, second: Values, met: ak.Array | None = None) -> Columns:
    """Razor variables (arXiv:1006.2727 and its successors), where megajets count as massless: E = |p|."""
    size1, size2 = (np.linalg.norm(p[:, :3], axis=1) for p in (first, second))
    pz1, pz2 = first[:, 2], second[:, 2]
    pt1, pt2 = pt_of(first), pt_of(second)
    MR = np.sqrt((size1 + size2) ** 2 - (pz1 + pz2) ** 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        squared = (size1 * pz2 - size2 * pz1) ** 2 / ((pz1 - pz2) ** 2 - (size1 - size2) ** 2)
        MR_2010 = 2 * np.sqrt(squared)
    columns = {
        "MR": MR,
        "MR_2010": MR_2010,
        "pt1": pt1,
        "pt2": pt2,
        "pt_ratio": pt2 / pt1,
        "dijet_mass": _root(mass_squared(first + second)),
    }
    if met is not None:
        MET, mpx, mpy = (ak.to_numpy(part) for part in (met.pt, met.px, met.py))
        along = mpx * (first[:, 0] + second[:, 0]) + mpy * (first[:, 1] + second[:, 1])
        columns["MTR"] = _root((MET * (pt1 + pt2) - along) / 2)
        columns["Rsq"] = (columns["MTR"] / MR) ** 2
    return columns


def lepton_columns(leptons: ak.Array) -> Columns:
    first, second, third, fourth = (nth(leptons, i) for i in range(4))
    pair = first + second
    return {
        "n_leptons": _number(leptons),
        "n_electrons": _number(leptons[leptons.flavour == ELECTRON]),
        "n_muons": _number(leptons[leptons.flavour == MUON]),
        "lepton_pt_sum": _values(ak.sum(leptons.pt, axis=1)),
        "lepton1_pt": _values(first.pt),
        "lepton2_pt": _values(second.pt),
        "mll": _root(_values(pair.mass2)),
        "pt_ll": _values(pair.pt),
        "delta_r_ll": _values(first.deltaR(second)),
        "delta_phi_ll": _values(abs(first.deltaphi(second))),
        "mz1": _nearest_z_mass(leptons),
        "m4l": _root(_values((pair + third + fourth).mass2)),
    }


def _nearest_z_mass(leptons: ak.Array) -> Values:
    """Mass of the opposite-charge same-flavour pair that is nearest to the Z; NaN where there is no such pair."""
    one, other = ak.unzip(ak.combinations(leptons, 2))
    is_z_like = (one.charge * other.charge < 0) & (one.flavour == other.flavour)
    squared = (one + other).mass2[is_z_like]
    masses = np.sqrt(ak.where(squared < 0, 0, squared))
    nearest = ak.argmin(abs(masses - Z_MASS), axis=1, keepdims=True)
    return _values(ak.firsts(masses[nearest]))


def met_columns(met: ak.Array, jets: ak.Array | None, leptons: ak.Array | None) -> Columns:
    MET = ak.to_numpy(met.pt)
    columns = {"MET": MET}
    with np.errstate(divide="ignore", invalid="ignore"):
        if jets is not None:
            HT = jet_columns(jets)["HT"]
            columns["MET_over_HT"] = MET / HT
            columns["MET_over_sqrt_HT"] = MET / np.sqrt(HT)
            columns["delta_phi_met_jet"] = _values(abs(met.deltaphi(nth(jets, 0))))
        if leptons is not None:
            first, second = nth(leptons, 0), nth(leptons, 1)
            pair = first + second
            columns["MET_over_pt_ll"] = MET / _values(pair.pt)
            columns["delta_phi_met_ll"] = _values(abs(met.deltaphi(pair)))
            # 1 - cos x = 2 sin^2(x/2) keeps its digits where the two are parallel.
            columns["transverse_mass"] = _values(2 * np.sqrt(first.pt * MET) * abs(np.sin(first.deltaphi(met) / 2)))
        if jets is not None and leptons is not None:
            columns["ST"] = HT + _values(ak.sum(leptons.pt, axis=1)) + MET
            columns["MET_over_ST"] = MET / columns["ST"]
    return columns


def visible_columns(objects: ak.Array) -> Columns:
    """Shape of the event from all its jets and leptons; NaN where it has none."""
    px, py, pz, energy = _cartesian(objects)
    components = (px, py, pz)
    with np.errstate(invalid="ignore"):
        centrality = _values(ak.sum(objects.pt, axis=1)) / _values(ak.sum(energy, axis=1))
        tensor = np.array([[_values(ak.sum(a * b, axis=1)) for a in components] for b in components])
        tensor = np.moveaxis(tensor / np.trace(tensor), -1, 0)  # (event, component, component)
    eigenvalues = np.full((len(tensor), 3), np.nan)
    is_finite = np.isfinite(tensor).all(axis=(1, 2))
    eigenvalues[is_finite] = np.linalg.eigvalsh(tensor[is_finite])  # rising
    return {
        "centrality": centrality,
        "sphericity": 1.5 * (eigenvalues[:, 0] + eigenvalues[:, 1]),
        "aplanarity": 1.5 * eigenvalues[:, 0],
    }


def nth(objects: ak.Array, i: int) -> ak.Array:
    """The i-th object of each event, None where there is none."""
    return ak.pad_none(objects, i + 1, axis=1)[:, i]


def _momenta_of(kinds: Iterable[ak.Array]) -> ak.Array:
    """All objects of each event, as four-vectors and nothing more."""
    names = ("px", "py", "pz", "energy")
    parts = zip(*(_cartesian(objects) for objects in kinds), strict=True)
    return _vectors(**{name: ak.concatenate(list(part), axis=1) for name, part in zip(names, parts, strict=True)})


def _cartesian(objects: ak.Array) -> tuple[ak.Array, ak.Array, ak.Array, ak.Array]:
    return objects.px, objects.py, objects.pz, objects.energy


def _root(squared: Values) -> Values:
    """Square root, 0 where rounding (of the file's numbers too) left less than 0; NaN stays NaN."""
    return np.sqrt(np.maximum(squared, 0))


def _number(objects: ak.Array) -> Values:
    return _values(ak.num(objects, axis=1))


def _values(values: ak.Array) -> Values:
    """One float64 an event, NaN for None."""
    return np.asarray(ak.to_numpy(ak.fill_none(values, np.nan)), dtype=np.float64)
