"""NanoAOD that was made up, as a graph, and its jets counted by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rdf.schema.model import load_schema
from rdf.schema.tables import Definition, Objects
from tests.rdf.trees import Values, graph_of, opened


def graph(path: Path, wanted: str, objects: dict[str, Objects] | None = None, **definitions: str) -> Any:
    schema = load_schema("cms_nanoaod")
    defined = {name: Definition(expression=expression) for name, expression in definitions.items()}
    return graph_of(opened(path, schema), schema, [wanted], objects, defined)


def selected_jets(columns: dict[str, Values], with_id: bool = True) -> list[list[tuple[float, int]]]:
    """(pT, place in the file) of the jets of each event that pass NanoAOD's default selection, in the file's order."""
    identity = columns["Jet_jetId"] if with_id else [[6] * len(pt) for pt in columns["Jet_pt"]]
    return [
        [(pt, i) for i, (pt, eta, j) in enumerate(zip(*event, strict=True)) if pt > 30 and abs(eta) < 2.4 and j >= 2]
        for event in zip(columns["Jet_pt"], columns["Jet_eta"], identity, strict=True)
    ]
