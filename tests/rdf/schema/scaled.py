"""NanoAOD whose scales are changed, in numpy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from rdf.schema.model import Schema
from rdf.sources.source import Source
from tests.rdf import reference_physics, reference_selection
from tests.rdf.trees import Values

OVERLAPPING = replace(reference_selection.NANOAOD, overlap=())
SIZES = {"jes": 0.04, "lepton": 0.02, "met": 0.1}
FACTORS = {
    "nominal": 1.0,
    **{f"{name}:{d}": 1 + s * size for name, size in SIZES.items() for d, s in (("up", 1), ("down", -1))},
}


@dataclass(frozen=True)
class Sample:
    schema: Schema
    source: Source
    columns: dict[str, Values]

    def expected(self, varied: str, selection: reference_selection.Selection = OVERLAPPING) -> dict[str, NDArray[Any]]:
        """Columns of the events with one scale changed, by numpy; `varied` is a key of FACTORS."""
        jes, lepton, met = (FACTORS[varied] if varied.startswith(name) else 1.0 for name in SIZES)
        jets = self.objects("Jet", jes, id="jetId")
        leptons = ak.concatenate(
            [
                self.objects(kind, lepton, charge="charge", flavour=number)
                for kind, number in (("Electron", 11), ("Muon", 13))
            ],
            axis=1,
        )
        before = self.objects("Jet", 1.0)
        pt, phi = (np.asarray(self.columns[f"PuppiMET_{part}"], dtype=np.float64) for part in ("pt", "phi"))
        px, py = pt * np.cos(phi), pt * np.sin(phi)
        # What the jets gain, all of them, MET loses.
        px -= (jes - 1) * ak.to_numpy(ak.sum(before.pt * np.cos(before.phi), axis=1))
        py -= (jes - 1) * ak.to_numpy(ak.sum(before.pt * np.sin(before.phi), axis=1))
        missing = reference_selection.vector.zip({"px": ak.Array(px * met), "py": ak.Array(py * met)})
        with np.errstate(invalid="ignore", divide="ignore"):
            return reference_physics.physics_columns(reference_selection.Events({}, jets, leptons, missing), selection)

    def objects(self, kind: str, scale: float, **extras: str | int) -> ak.Array:
        parts = {
            part: ak.values_astype(ak.Array(self.columns[f"{kind}_{part}"]), np.float64)
            for part in ("pt", "eta", "phi", "mass")
        }
        parts |= {"pt": parts["pt"] * scale, "mass": parts["mass"] * scale}
        for name, extra in extras.items():
            filled = (
                ak.full_like(parts["pt"], extra)
                if isinstance(extra, int)
                else ak.Array(self.columns[f"{kind}_{extra}"])
            )
            parts[name] = filled
        return reference_selection.vector.zip(parts)
