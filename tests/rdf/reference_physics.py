"""The physics columns of an event's objects, computed from their definitions without ROOT and without the toolkit.

Plain float64 over whole files; GeV, radians; NaN where the event has no such object.

Megajets come from all partitions of the jets, tried one by one, so the cost grows as 2^n with the number of jets.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from tests.rdf.reference_selection import ELECTRON, MUON, Columns, Events, Selection, selected, vectors

Values = NDArray[np.float64]

Z_MASS = 91.1876  # GeV, PDG


def physics_columns(events: Events, selection: Selection) -> Columns:
    """Every column that the events have the objects for."""
    events = selected(events, selection)
    jets, leptons, met = events.jets, events.leptons, events.met
    columns: Columns = dict(events.ids)
    if jets is not None:
        columns |= jet_columns(jets)
        columns |= megajet_columns(*megajets(jets), met)
    if leptons is not None:
        columns |= lepton_columns(leptons)
    if jets is not None and leptons is not None:
        columns["delta_r_lj"] = _values(nth(leptons, 0).deltaR(nth(jets, 0)))
    columns |= photon_columns(events.photons) | tau_columns(events.taus) | large_jet_columns(events.large_jets)
    if met is not None:
        columns |= met_columns(met, jets, leptons)
    kinds = [kind for kind in (jets, leptons) if kind is not None]
    return columns | visible_columns(_momenta_of(kinds))


def jet_columns(jets: ak.Array) -> Columns:
    first, second = nth(jets, 0), nth(jets, 1)
    columns = {
        "n_jets": _number(jets),
        "HT": _values(ak.sum(jets.pt, axis=1)),
        "jet1_pt": _values(first.pt),
        "jet2_pt": _values(second.pt),
        "mjj": _root(_values((first + second).mass2)),
        "pt_jj": _values((first + second).pt),
        "delta_r_jj": _values(first.deltaR(second)),
        "delta_eta_jj": _values(abs(first.deltaeta(second))),
        "delta_phi_jj": _values(abs(first.deltaphi(second))),
    }
    return columns | ({"n_bjets": _number(jets[jets.btagged])} if "btagged" in jets.fields else {})


def photon_columns(photons: ak.Array | None) -> Columns:
    if photons is None:
        return {}
    first, second = nth(photons, 0), nth(photons, 1)
    return {
        "n_photons": _number(photons),
        "photon1_pt": _values(first.pt),
        "photon2_pt": _values(second.pt),
        # Of massless ones: m^2 = 2 pT1 pT2 (cosh(delta eta) - cos(delta phi)).
        "m_photon_photon": np.sqrt(
            _values(2 * first.pt * second.pt * (np.cosh(first.deltaeta(second)) - np.cos(first.deltaphi(second))))
        ),
        "pt_photon_photon": _values((first + second).pt),
        "delta_r_photon_photon": _values(first.deltaR(second)),
    }


def tau_columns(taus: ak.Array | None) -> Columns:
    if taus is None:
        return {}
    first, second = nth(taus, 0), nth(taus, 1)
    return {
        "n_taus": _number(taus),
        "tau1_pt": _values(first.pt),
        "m_tau_tau": _root(_values((first + second).mass2)),
        "delta_r_tau_tau": _values(first.deltaR(second)),
    }


def large_jet_columns(jets: ak.Array | None) -> Columns:
    if jets is None:
        return {}
    first = nth(jets, 0)
    columns = {
        "n_largeRjets": _number(jets),
        "largeRjet1_pt": _values(first.pt),
        "largeRjet1_mass": np.maximum(_values(first.mass), 0),
    }
    return columns | ({"largeRjet1_tau21": _values(first.tau21)} if "tau21" in jets.fields else {})


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
        "lepton3_pt": _values(third.pt),
        "lepton4_pt": _values(fourth.pt),
        "mll": _root(_values(pair.mass2)),
        "pt_ll": _values(pair.pt),
        "delta_r_ll": _values(first.deltaR(second)),
        "delta_phi_ll": _values(abs(first.deltaphi(second))),
        "mz1": _nearest_z_mass(leptons),
        "mz2": _second_z_mass(leptons),
        "m4l": _root(_values((pair + third + fourth).mass2)),
        "pt_4l": _values((pair + third + fourth).pt),
    }


def _second_z_mass(leptons: ak.Array) -> Values:
    """Mass of the pair that is left of four leptons when the pair nearest to the Z is taken away, event by event.

    Of more than four leptons it is the pair of opposite charge and same flavour with the highest sum of pT.
    """
    masses = np.full(len(leptons), np.nan)
    for event in np.flatnonzero(ak.to_numpy(ak.num(leptons)) >= 4):
        those = list(zip(*(np.asarray(part) for part in _cartesian(leptons[event])), strict=True))
        charges, flavours = np.asarray(leptons.charge[event]), np.asarray(leptons.flavour[event])
        z_like = {
            pair: _root(mass_squared(np.add(*(np.array(those[i]) for i in pair))))
            for pair in combinations(range(len(those)), 2)
            if charges[pair[0]] * charges[pair[1]] < 0 and flavours[pair[0]] == flavours[pair[1]]
        }
        if z_like:
            first = min(z_like, key=lambda pair: abs(z_like[pair] - Z_MASS))
            pt = np.asarray(leptons.pt[event])
            others = [pair for pair in z_like if not {*pair} & {*first}]
            if others:
                masses[event] = z_like[max(others, key=lambda pair: pt[pair[0]] + pt[pair[1]])]
    return masses


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
            columns["delta_phi_met_lepton"] = _values(abs(met.deltaphi(first)))
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
    return vectors(**{name: ak.concatenate(list(part), axis=1) for name, part in zip(names, parts, strict=True)})


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
