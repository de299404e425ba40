"""The physics columns of real files without ROOT and without the toolkit: a reader for each format.

Each reader gives one value per event, in the order of the file, for every column that its format has the objects for,
and NaN where the event has no such object. Numbers in the files are mostly float32 and are widened before anything is
computed. `run`, `luminosityBlock` and `event` are integers and given where the file has them.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot
from numpy.typing import NDArray

from tests.rdf.reference_physics import megajet_columns, physics_columns, visible_columns
from tests.rdf.reference_selection import (
    ATLAS_2025,
    ELECTRON,
    EVERY_OBJECT,
    MUON,
    NANOAOD,
    Columns,
    Events,
    Selection,
    selected,
    vectors,
)

__all__ = [
    "EVERY_OBJECT", "Events", "atlas2020", "atlas2025", "atlas2025_objects", "hep_tutorial", "muons_csv", "nanoaod",
    "nanoaod_objects", "razor_csv", "read_csv",
]  # fmt: skip

MUON_MASS = 0.1056583755  # GeV, PDG


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
            arrays["good"] = _identified(tree, names, name, arrays["pt"])
            collections.append(vectors(**arrays, flavour=ak.full_like(arrays["charge"], flavour)))
    jets = None
    if "Jet_pt" in names:
        wanted = {part: f"Jet_{part}" for part in ("pt", "eta", "phi", "mass")}
        if "Jet_jetId" in names:
            wanted["id"] = "Jet_jetId"
        jets = vectors(**_branches(tree, wanted), btagged=tree["Jet_btagDeepFlavB"].array() > 0.2489)
    met = None
    for name in ("PuppiMET", "MET", "PFMET"):
        if f"{name}_pt" in names:
            met = vectors(**_branches(tree, {"pt": f"{name}_pt", "phi": f"{name}_phi"}))
            break
    ids = {name: tree[name].array(library="np") for name in ("run", "luminosityBlock", "event") if name in names}
    leptons = ak.concatenate(collections, axis=1) if collections else None
    return Events(ids, jets, leptons, met, *_more_of_nanoaod(tree, names))


def _identified(tree: Any, names: set[str], name: str, pt: ak.Array) -> ak.Array:
    """Electrons and muons that are loosely identified and isolated; all where the file does not say."""
    if name == "Electron" and "Electron_cutBased" in names:
        return tree["Electron_cutBased"].array() >= 2
    if name == "Muon" and "Muon_looseId" in names:
        return tree["Muon_looseId"].array() & (tree["Muon_pfRelIso04_all"].array() < 0.25)
    return pt > -1


def _more_of_nanoaod(tree: Any, names: set[str]) -> tuple[ak.Array | None, ak.Array | None, ak.Array | None]:
    """Photons, taus and large-radius jets, where a file has them."""
    photons = taus = large_jets = None
    if "Photon_pt" in names:
        medium = "Photon_cutBased" in names
        quality = (
            tree["Photon_cutBased"].array() >= 2 if medium else tree["Photon_cutBasedBitmap"].array() // 2 % 2 == 1
        )
        parts = _branches(tree, {part: f"Photon_{part}" for part in ("pt", "eta", "phi")})
        photons = vectors(**parts, mass=ak.zeros_like(parts["pt"]), good=quality & tree["Photon_electronVeto"].array())
    if "Tau_pt" in names:
        bits = {"Tau_idDeepTau2017v2p1VSjet": 16, "Tau_idMVAoldDM2017v2": 8, "Tau_idMVAoldDM": 4}
        branch = next(name for name in bits if name in names)
        good = ak.values_astype(tree[branch].array(), np.int64) // bits[branch] % 2 == 1
        taus = vectors(**_branches(tree, {part: f"Tau_{part}" for part in ("pt", "eta", "phi", "mass")}), good=good)
    if "FatJet_pt" in names:
        parts = {part: f"FatJet_{part}" for part in ("pt", "eta", "phi", "mass")}
        if "FatJet_msoftdrop" in names:
            parts["mass"] = "FatJet_msoftdrop"
        tau21 = tree["FatJet_tau2"].array() / tree["FatJet_tau1"].array()
        large_jets = vectors(**_branches(tree, parts), tau21=tau21, good=tree["FatJet_jetId"].array() >= 2)
    return photons, taus, large_jets


def atlas2020(path: Path, selection: Selection = EVERY_OBJECT) -> Columns:
    """ATLAS 13 TeV release of 2020: the tree mini in MeV; it has event numbers above 2^31 as negative ones."""
    with uproot.open(path) as file:
        columns = physics_columns(_atlas_events(file["mini"], energy="E", met="met_et", gev=1e-3), selection)
    return columns | {"event": columns["event"].astype(np.int64) % 2**32}


def atlas2025(path: Path, selection: Selection = ATLAS_2025) -> Columns:
    """ATLAS 13 TeV release of 2025: the tree analysis in GeV."""
    with uproot.open(path) as file:
        return physics_columns(_atlas_events(file["analysis"], energy="e", met="met", gev=1.0), selection)


def atlas2025_objects(path: Path) -> Events:
    """The objects of the ATLAS release of 2025, by falling pT."""
    with uproot.open(path) as file:
        return selected(_atlas_events(file["analysis"], energy="e", met="met", gev=1.0), ATLAS_2025)


def nanoaod_objects(path: Path, jes: float = 1.0) -> Events:
    """The objects of CMS NanoAOD that count, by falling pT, where all energies of jets are multiplied by a number."""
    with uproot.open(path) as file:
        events = _nanoaod_events(file["Events"])
    if events.jets is not None:
        jets = events.jets
        kept = {name: jets[name] for name in ("id", "btagged") if name in jets.fields}
        scaled = vectors(pt=jets.pt * jes, eta=jets.eta, phi=jets.phi, mass=jets.mass * jes, **kept)
        events = replace(events, jets=scaled)
    return selected(events, NANOAOD)


def _atlas_events(tree: Any, energy: str, met: str, gev: float) -> Events:
    def momenta(prefix: str, energy: str = energy) -> dict[str, ak.Array]:
        last = "mass" if energy == "m" else "energy"
        parts = {"pt": "pt", "eta": "eta", "phi": "phi", last: energy}
        arrays = _branches(tree, {part: f"{prefix}_{name}" for part, name in parts.items()})
        return arrays | {part: arrays[part] * gev for part in ("pt", last)}

    lepton_kinds = _branches(tree, {"charge": "lep_charge", "flavour": "lep_type"})
    is_2025 = energy == "e"
    if is_2025:
        lepton_kinds["good"] = tree["lep_isLooseID"].array() & tree["lep_isLooseIso"].array()
        btagged = tree["jet_btag_quantile"].array() >= 4
    else:
        btagged = tree["jet_MV2c10"].array() > 0.8244273
    photons, large_jets = momenta("photon"), momenta("largeRJet" if is_2025 else "largeRjet", energy="m")
    photons["energy"] = photons["pt"] * np.cosh(photons["eta"])
    qualities = {}
    if is_2025:
        qualities = {
            "photon": {"good": tree["photon_isTightID"].array() & tree["photon_isLooseIso"].array()},
            "tau": {"good": tree["tau_isTight"].array()},
        }
    missing = _branches(tree, {"pt": met, "phi": "met_phi"})
    return Events(
        ids={"run": tree["runNumber"].array(library="np"), "event": tree["eventNumber"].array(library="np")},
        jets=vectors(**momenta("jet"), btagged=btagged),
        leptons=vectors(**momenta("lep"), **lepton_kinds),
        met=vectors(pt=missing["pt"] * gev, phi=missing["phi"]),
        photons=vectors(**photons, **qualities.get("photon", {})),
        taus=vectors(**momenta("tau"), **qualities.get("tau", {})),
        large_jets=vectors(**large_jets),
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
        leptons.append(vectors(**momenta(name), charge=charge, flavour=ak.full_like(charge, flavour)))
    return Events(
        ids={},
        jets=vectors(**momenta("Jet")),
        leptons=ak.concatenate(leptons, axis=1),
        met=vectors(**_branches(tree, {"px": "MET_px", "py": "MET_py"})),
    )


def muons_csv(path: Path, number: int, selection: Selection = EVERY_OBJECT) -> Columns:
    """CMS tables for education with `number` muons a line: pt1, eta1, phi1, Q1, pt2, ..., in GeV."""
    table = read_csv(path)

    def per_event(part: str) -> ak.Array:
        columns = [table[f"{part}{i}"].astype(np.float64) for i in range(1, number + 1)]
        return ak.from_regular(np.stack(columns, axis=1))

    pt = per_event("pt")
    leptons = vectors(
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
    return columns | visible_columns(vectors(px=p[..., 0], py=p[..., 1], pz=p[..., 2], energy=p[..., 3]))


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
