"""Samples of pairs of muons whose masses are what one wants them to be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import yaml

Numbers = npt.NDArray[np.float64]

MUON = 0.1056583755


def write_dimuons(
    folder: Path, name: str, masses: Numbers, *, simulated: bool = False, labels: Numbers | None = None
) -> Path:
    """Write events of two muons that go opposite ways across the beam, and return the file of their sample.

    Args:
        folder: for the files.
        name: of the sample.
        masses: of the pairs [GeV], shape (events,).
        simulated: whether the sample says so.
        labels: 1 for signal and 0 for background; none by default.
    """
    random = np.random.default_rng(len(masses))
    pt = np.sqrt(masses**2 / 4 - MUON**2)  # of both, whatever eta they have in common
    eta, phi = random.uniform(-1, 1, len(masses)), random.uniform(-3.1, 0, len(masses))
    one = np.ones(len(masses))
    columns = {"Run": one, "Event": np.arange(1, len(masses) + 1)}
    columns |= {"pt1": pt, "eta1": eta, "phi1": phi, "Q1": one, "pt2": pt, "eta2": eta, "phi2": phi + np.pi, "Q2": -one}
    kinds = {"Run": "%d", "Event": "%d", "Q1": "%d", "Q2": "%d"}
    schema: str | Path = "cms_dimuon"
    if labels is not None:
        columns["label"], kinds["label"] = labels, "%d"
        schema = folder / f"{name}_schema.yaml"
        known = yaml.safe_load((Path("rdf/schema/schemas") / "cms_dimuon.yaml").read_text())
        known["columns"]["label"] = "int32"
        known["quantities"]["label"] = {"expression": "label"}
        schema.write_text(yaml.safe_dump(known))
    np.savetxt(
        folder / f"{name}.csv",
        np.column_stack(list(columns.values())),
        fmt=[kinds.get(column, "%.9f") for column in columns],
        delimiter=",",
        header=",".join(columns),
        comments="",
    )
    sample = folder / f"{name}.yaml"
    described = {"name": name, "title": f"Pairs of {name}", "schema": str(schema), "simulated": simulated}
    sample.write_text(yaml.safe_dump({**described, "files": [{"path": f"{name}.csv"}]}))
    return sample
