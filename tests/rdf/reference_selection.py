"""Which objects of an event count, computed from definitions without ROOT and without the toolkit.

Plain float64 over whole files; GeV, radians.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import awkward as ak
import vector
from numpy.typing import NDArray

vector.register_awkward()

Columns = dict[str, NDArray[Any]]

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
    """Cuts by kind of object; `jet_id` is the least Jet_jetId where the file has it.

    Of objects that say whether they are identified (`good`) those count that are, if `identified`. In each step of
    `overlap`, (dropped, near, Delta R), objects of one kind are dropped that are near one of another.
    """

    jets: Cut = Cut()
    muons: Cut = Cut()
    electrons: Cut = Cut()
    photons: Cut = Cut()
    taus: Cut = Cut()
    large_jets: Cut = Cut()
    jet_id: int = 0
    identified: bool = True
    overlap: tuple[tuple[str, str, float], ...] = ()


EVERY_OBJECT = Selection(identified=False)
NANOAOD = Selection(
    jets=Cut(30, 2.4),
    muons=Cut(10, 2.4),
    electrons=Cut(10, 2.5),
    photons=Cut(20, 2.5),
    taus=Cut(20, 2.3),
    large_jets=Cut(200, 2.4),
    jet_id=2,
    overlap=(("jet", "lepton", 0.4), ("tau", "lepton", 0.4)),
)
ATLAS_2025 = Selection(
    overlap=(
        *(("electron", "electron", 0.1), ("electron", "muon", 0.1), ("tau", "lepton", 0.2), ("photon", "lepton", 0.4)),
        *(("jet", "lepton", 0.2), ("lepton", "jet", 0.4), ("jet", "photon", 0.4), ("jet", "tau", 0.2)),
    )
)


@dataclass(frozen=True)
class Events:
    """What a file holds, as four-vectors in GeV: jets and leptons of every event, and MET; None where it has none.

    Leptons have `charge` and `flavour` (11 or 13), jets maybe `id` and `btagged`, large-radius jets maybe `tau21`.
    """

    ids: Columns
    jets: ak.Array | None = None
    leptons: ak.Array | None = None
    met: ak.Array | None = None
    photons: ak.Array | None = None
    taus: ak.Array | None = None
    large_jets: ak.Array | None = None


def selected(events: Events, selection: Selection) -> Events:
    """The objects that count, by falling pT."""
    found = {
        "jet": events.jets,
        "lepton": events.leptons,
        "photon": events.photons,
        "tau": events.taus,
        "largeRjet": events.large_jets,
    }
    cuts = {"photon": selection.photons, "tau": selection.taus, "largeRjet": selection.large_jets}
    passed = {}
    for kind, objects in found.items():
        if objects is None:
            continue
        if kind in cuts:
            mask = cuts[kind].passed(objects)
        else:
            mask = (_passed_jets if kind == "jet" else _passed_leptons)(objects, selection)
        passed[kind] = mask & objects.good if selection.identified and "good" in objects.fields else mask
    for step in selection.overlap:
        _drop_overlapping(*step, found, passed)
    jets, leptons, photons, taus, large_jets = (
        by_falling_pt(found[kind][passed[kind]]) if kind in passed else None for kind in found
    )
    return Events(events.ids, jets, leptons, events.met, photons, taus, large_jets)


def _drop_overlapping(drop: str, near: str, within: float, found: dict[str, Any], passed: dict[str, ak.Array]) -> None:
    """Take objects out of the masks that lie near others."""
    flavours = {"electron": ELECTRON, "muon": MUON}
    kind, other = ("lepton" if name in flavours else name for name in (drop, near))
    if kind not in passed or other not in passed:
        return
    objects, others = found[kind], found[other]
    candidates, staying = passed[kind], passed[other]
    if drop in flavours:
        candidates = candidates & (objects.flavour == flavours[drop])
    if near in flavours:
        staying = staying & (others.flavour == flavours[near])
    pairs = ak.cartesian([_directions(objects), _directions(others[staying])], nested=True)
    one, two = ak.unzip(pairs)
    close = one.deltaR(two) < within
    if drop == near:
        passed[kind] = passed[kind] & ~_softer(objects, candidates, within)
    else:
        passed[kind] = passed[kind] & ~(candidates & ak.any(close, axis=2))


def _softer(objects: ak.Array, candidates: ak.Array, within: float) -> ak.Array:
    """Those that are near a harder one which is not dropped itself, event by event."""
    dropped = []
    for those, marks in zip(_directions(objects), candidates.tolist(), strict=True):
        order = sorted((i for i, marked in enumerate(marks) if marked), key=lambda i: -those[i].pt)
        kept: list[int] = []
        for i in order:
            if all(those[i].deltaR(those[j]) >= within for j in kept):
                kept.append(i)
        dropped.append([marked and i not in kept for i, marked in enumerate(marks)])
    return ak.Array(dropped)


def _directions(objects: ak.Array) -> ak.Array:
    return vectors(pt=objects.pt, eta=objects.eta, phi=objects.phi, mass=ak.zeros_like(objects.pt))


def vectors(**parts: ak.Array) -> ak.Array:
    """Momenta (two- or four-vectors) with whatever else is known of the objects.

    An energy is kept as it is. A negative mass stands for -sqrt(p^2 - E^2), in `vector` as in ROOT.
    """
    return vector.zip(parts)


def _passed_jets(jets: ak.Array, selection: Selection) -> ak.Array:
    passed = selection.jets.passed(jets)
    return passed & (jets.id >= selection.jet_id) if "id" in jets.fields else passed


def _passed_leptons(leptons: ak.Array, selection: Selection) -> ak.Array:
    is_muon, is_electron = leptons.flavour == MUON, leptons.flavour == ELECTRON
    return (is_muon & selection.muons.passed(leptons)) | (is_electron & selection.electrons.passed(leptons))


def by_falling_pt(objects: ak.Array) -> ak.Array:
    """The objects of each event by falling pT; equal ones in the order of the file."""
    return objects[ak.argsort(-objects.pt, axis=1, stable=True)]
