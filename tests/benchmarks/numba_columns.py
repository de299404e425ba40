"""The columns with uproot and numba alone: arrays of a cluster or more, and one compiled loop over its events."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import awkward as ak
import numba
import numpy as np
import numpy.typing as npt
import uproot

from tests.benchmarks.events import (
    BRANCHES,
    FEATURES,
    MAX_JET_ETA,
    MAX_MUON_ETA,
    MIN_JET_PT,
    MIN_MUON_PT,
    TREE,
)

STEP = 100_000
"""Events that are in memory at a time; more or fewer are not faster."""

MAX_OBJECTS = 20
"""More jets are not made; all partitions of these are tried."""


@numba.njit(cache=True)
def best_partition(px, py, pz, e, n, sums):  # type: ignore[no-untyped-def]
    """Return the four-momentum of the first megajet of n jets, n > 1: the sums of all groups, each from a smaller one.

    sums: room for 4 x 2^(n - 1) numbers.
    """
    x, y, z, t = sums[0], sums[1], sums[2], sums[3]
    x[0] = y[0] = z[0] = t[0] = 0.0
    for k in range(n - 1):
        half = 1 << k
        for i in range(half):
            x[half + i] = x[i] + px[k]
            y[half + i] = y[i] + py[k]
            z[half + i] = z[i] + pz[k]
            t[half + i] = t[i] + e[k]
    last = (1 << (n - 1)) - 1
    total_x, total_y, total_z = x[last] + px[n - 1], y[last] + py[n - 1], z[last] + pz[n - 1]
    total_e = t[last] + e[n - 1]
    best, greatest = 0, -np.inf
    for i in range(1, last + 1):
        product = t[i] * (total_e - t[i]) - x[i] * (total_x - x[i]) - y[i] * (total_y - y[i]) - z[i] * (total_z - z[i])
        if product > greatest:
            greatest = product
            best = i
    return x[best], y[best], z[best], total_x - x[best], total_y - y[best], total_z - z[best]


@numba.njit(cache=True)
def razor(px, py, pz, e, n, sums, met_pt, met_phi):  # type: ignore[no-untyped-def]
    """Return MR and Rsq of n jets; NaN with fewer than two."""
    if n < 2:
        return np.nan, np.nan
    x1, y1, z1, x2, y2, z2 = best_partition(px, py, pz, e, n, sums)
    pt1, pt2 = np.sqrt(x1 * x1 + y1 * y1), np.sqrt(x2 * x2 + y2 * y2)
    momentum = np.sqrt(pt1 * pt1 + z1 * z1) + np.sqrt(pt2 * pt2 + z2 * z2)
    mr = np.sqrt((momentum - z1 - z2) * (momentum + z1 + z2))
    along = (x1 + x2) * np.cos(met_phi) + (y1 + y2) * np.sin(met_phi)
    mtr_squared = met_pt * max(pt1 + pt2 - along, 0.0) / 2
    return mr, mtr_squared / (mr * mr)


@numba.njit(cache=True)
def compute(  # type: ignore[no-untyped-def]
    jet_offsets,
    jet_pt,
    jet_eta,
    jet_phi,
    jet_mass,
    muon_offsets,
    muon_pt,
    muon_eta,
    muon_phi,
    muon_mass,
    met_pt,
    met_phi,
    columns,
):
    """Fill the columns, shape (events, 8)."""
    px, py, pz, e = np.empty(MAX_OBJECTS), np.empty(MAX_OBJECTS), np.empty(MAX_OBJECTS), np.empty(MAX_OBJECTS)
    sums = np.empty((4, 1 << (MAX_OBJECTS - 1)))
    for event in range(len(met_pt)):
        n, ht, energy = 0, 0.0, 0.0
        for i in range(jet_offsets[event], jet_offsets[event + 1]):
            if jet_pt[i] > MIN_JET_PT and abs(jet_eta[i]) < MAX_JET_ETA:
                pt, mass = np.float64(jet_pt[i]), np.float64(jet_mass[i])
                px[n], py[n] = pt * np.cos(np.float64(jet_phi[i])), pt * np.sin(np.float64(jet_phi[i]))
                pz[n] = pt * np.sinh(np.float64(jet_eta[i]))
                e[n] = np.sqrt(pt * pt + pz[n] * pz[n] + mass * abs(mass))
                ht += pt
                energy += e[n]
                n += 1
        met, phi = np.float64(met_pt[event]), np.float64(met_phi[event])
        mr, rsq = razor(px, py, pz, e, n, sums, met, phi)
        visible, muons, x, y, z, t = ht, 0, 0.0, 0.0, 0.0, 0.0
        for i in range(muon_offsets[event], muon_offsets[event + 1]):
            if muon_pt[i] > MIN_MUON_PT and abs(muon_eta[i]) < MAX_MUON_ETA:
                pt, mass = np.float64(muon_pt[i]), np.float64(muon_mass[i])
                muon_z = pt * np.sinh(np.float64(muon_eta[i]))
                muon_e = np.sqrt(pt * pt + muon_z * muon_z + mass * abs(mass))
                visible += pt
                energy += muon_e
                if muons < 2:
                    x += pt * np.cos(np.float64(muon_phi[i]))
                    y += pt * np.sin(np.float64(muon_phi[i]))
                    z += muon_z
                    t += muon_e
                muons += 1
        columns[event, 0] = mr
        columns[event, 1] = rsq
        columns[event, 2] = ht
        columns[event, 3] = met
        columns[event, 4] = met / ht
        columns[event, 5] = met / np.sqrt(ht)
        columns[event, 6] = np.sqrt(max(t * t - x * x - y * y - z * z, 0.0)) if muons > 1 else np.nan
        columns[event, 7] = visible / energy


def batches(path: Path) -> Iterator[Any]:
    """Yield the branches, so many events at a time."""
    with uproot.open(path) as file:
        yield from file[TREE].iterate(BRANCHES, step_size=STEP)


def columns(path: Path) -> npt.NDArray[np.float32]:
    """Return the columns of all events, shape (events, columns)."""
    return np.concatenate([_columns(batch) for batch in batches(path)])


def _columns(batch: Any) -> npt.NDArray[np.float32]:
    made = np.empty((len(batch), len(FEATURES)), dtype=np.float32)
    layouts = {name: ak.to_layout(batch[name]) for name in BRANCHES}
    arguments = []
    for kind in ("Jet", "Muon"):
        arguments.append(layouts[f"{kind}_pt"].offsets.data)
        arguments += [layouts[f"{kind}_{part}"].content.data for part in ("pt", "eta", "phi", "mass")]
    arguments += [layouts["MET_pt"].data, layouts["MET_phi"].data, made]
    compute(*arguments)
    return made


def read(path: Path) -> int:
    """Read the branches and do nothing with them; return the number of events."""
    return sum(len(batch) for batch in batches(path))
