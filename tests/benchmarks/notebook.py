"""The notebook way: columns with awkward arrays and the razor in numba; scores with scikit-learn and torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import awkward as ak
import numba
import numpy as np
import numpy.typing as npt
import torch

from models.detectors.detector import Detector
from models.detectors.elliptic_envelope import EllipticEnvelope
from models.detectors.isolation_forest import IsolationForest
from models.detectors.one_class_svm import OneClassSVM
from tests.benchmarks.events import MAX_JET_ETA, MAX_MUON_ETA, MIN_JET_PT, MIN_MUON_PT
from tests.benchmarks.numba_columns import MAX_OBJECTS, batches, razor

Scores = npt.NDArray[np.floating]
TORCH_BATCH = 4096
"""Events that go through the autoencoder at a time: with more, what the layers make of them does not fit a cache."""

Score = Callable[[npt.NDArray[np.float32]], Scores]


@numba.njit(cache=True)
def razor_of_events(px, py, pz, e, met_pt, met_phi, mr, rsq):  # type: ignore[no-untyped-def]
    """Fill MR and Rsq of each event from awkward arrays of its jets' four-momenta."""
    x, y, z, t = np.empty(MAX_OBJECTS), np.empty(MAX_OBJECTS), np.empty(MAX_OBJECTS), np.empty(MAX_OBJECTS)
    sums = np.empty((4, 1 << (MAX_OBJECTS - 1)))
    for event in range(len(met_pt)):
        n = len(px[event])
        for i in range(n):
            x[i], y[i], z[i], t[i] = px[event][i], py[event][i], pz[event][i], e[event][i]
        mr[event], rsq[event] = razor(x, y, z, t, n, sums, met_pt[event], met_phi[event])


def columns(path: Path) -> npt.NDArray[np.float32]:
    """Return the columns of all events, shape (events, columns)."""
    return np.concatenate([_columns(batch) for batch in batches(path)])


def _columns(batch: Any) -> npt.NDArray[np.float32]:
    jets = _momenta(batch, "Jet", MIN_JET_PT, MAX_JET_ETA)
    muons = _momenta(batch, "Muon", MIN_MUON_PT, MAX_MUON_ETA)
    met_pt, met_phi = (ak.to_numpy(batch[name]).astype(np.float64) for name in ("MET_pt", "MET_phi"))
    mr, rsq = np.empty(len(batch)), np.empty(len(batch))
    razor_of_events(jets.px, jets.py, jets.pz, jets.e, met_pt, met_phi, mr, rsq)
    ht = ak.to_numpy(ak.sum(jets.pt, axis=1))
    visible = ht + ak.to_numpy(ak.sum(muons.pt, axis=1))
    energy = ak.to_numpy(ak.sum(jets.e, axis=1) + ak.sum(muons.e, axis=1))
    pair = {part: _sum_of_two(muons[part]) for part in ("px", "py", "pz", "e")}
    squared = pair["e"] ** 2 - pair["px"] ** 2 - pair["py"] ** 2 - pair["pz"] ** 2
    mll = np.sqrt(np.where(squared < 0, 0, squared))
    made = (mr, rsq, ht, met_pt, met_pt / ht, met_pt / np.sqrt(ht), mll, visible / energy)
    return np.stack(made, axis=1, dtype=np.float32, casting="same_kind")


def _momenta(batch: Any, kind: str, min_pt: float, max_eta: float) -> Any:
    counts = (batch[f"{kind}_pt"] > min_pt) & (abs(batch[f"{kind}_eta"]) < max_eta)
    pt, eta, phi, mass = (
        ak.values_astype(batch[f"{kind}_{part}"][counts], np.float64) for part in ("pt", "eta", "phi", "mass")
    )
    pz = pt * np.sinh(eta)
    e = np.sqrt(pt**2 + pz**2 + mass * abs(mass))
    return ak.zip({"pt": pt, "px": pt * np.cos(phi), "py": pt * np.sin(phi), "pz": pz, "e": e})


def _sum_of_two(values: Any) -> npt.NDArray[np.float64]:
    """Return the sum of the first two values of each event; NaN where there are fewer."""
    padded = ak.fill_none(ak.pad_none(values, 2, axis=1, clip=True), np.nan)
    summed: npt.NDArray[np.float64] = ak.to_numpy(padded).sum(axis=1)
    return summed


def finite(X: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the events that have all features."""
    return X[np.isfinite(X).all(axis=1)]


def scorers(detectors: Mapping[str, Detector]) -> dict[str, Score]:
    """Return what scores events of shape (events, features) in one batch, higher for the more anomalous."""
    return {name: scorer(detector) for name, detector in detectors.items()}


def scorer(detector: Detector) -> Score:
    """Return what scores events with a detector of scikit-learn's, or in torch."""
    if isinstance(detector, IsolationForest):
        return lambda X: -detector.forest.score_samples(detector.scaler.transform(X))
    if isinstance(detector, OneClassSVM):
        return lambda X: detector.machine.offset_[0] - detector.machine.score_samples(detector.scaler.transform(X))
    if isinstance(detector, EllipticEnvelope):
        return lambda X: -detector.envelope.score_samples(detector.scaler.transform(X))
    network = detector.network().eval()

    def score(X: npt.NDArray[np.float32]) -> Scores:
        batches_of_events = torch.split(torch.from_numpy(X), TORCH_BATCH)
        with torch.no_grad():
            scores: Scores = torch.cat([network(batch) for batch in batches_of_events])[:, 0].numpy()
        return scores

    return score
