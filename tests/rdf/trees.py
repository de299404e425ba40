"""Made-up trees, written as TTree or RNTuple, and the columns that the graph makes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import uproot
from numpy.typing import NDArray

from rdf import RNode
from rdf.code.columns import define_columns
from rdf.code.interpreter import ROOT, define, include_kernels
from rdf.code.library import graph_library
from rdf.graph.variations import vary_scales
from rdf.schema.columns import physics_columns
from rdf.schema.model import Schema
from rdf.schema.object_selection import effective_selection
from rdf.schema.tables import Definition, Objects
from rdf.sources.source import Source, open_source

Values = NDArray[Any] | Sequence[Sequence[float]]
"""Numbers of a column: one an event, or a list of any length for each event."""

_CPP = {
    "float32": "float",
    "float64": "double",
    "int32": "std::int32_t",
    "uint8": "std::uint8_t",
    "uint32": "std::uint32_t",
    "uint64": "std::uint64_t",
}


NANOAOD_KINDS: Mapping[str, str] = {
    **{f"{kind}_{part}": "float32[]" for kind in ("Jet", "Muon", "Electron") for part in ("pt", "eta", "phi", "mass")},
    **{f"{kind}_charge": "int32[]" for kind in ("Muon", "Electron")},
    "Jet_jetId": "int32[]",
    **dict.fromkeys(("PuppiMET_pt", "PuppiMET_phi"), "float32"),
    "run": "uint32",
    "luminosityBlock": "uint32",
    "event": "uint64",
}
"""Type of each branch that `nanoaod` makes."""


def write_ttree(path: Path, tree: str, columns: Mapping[str, Values], kinds: Mapping[str, str]) -> Path:
    """By uproot; `kinds` has the type of each column, as a schema writes it."""
    types, data = {}, {}
    for name, values in columns.items():
        kind = kinds[name].removesuffix("[]")
        if kinds[name].endswith("[]"):
            types[name] = f"var * {kind}"
            data[name] = _jagged(values, kind)
        else:
            types[name] = kind
            data[name] = np.asarray(values, dtype=kind)
    with uproot.recreate(path) as file:
        file.mktree(tree, types)
        file[tree].extend(data)
    return path


def _jagged(values: Values, kind: str) -> Any:
    import awkward as ak

    counts = [len(numbers) for numbers in values]
    return ak.unflatten(np.array([x for numbers in values for x in numbers], dtype=kind), counts)


def write_rntuple(
    path: Path, tree: str, columns: Mapping[str, Values], kinds: Mapping[str, str], batch: int = 2**30
) -> Path:
    """By ROOT, in clusters of `batch` events."""
    include_kernels("sources/table_writer")
    types = [_CPP[k] if not k.endswith("[]") else f"ROOT::RVec<{_CPP[k[:-2]]}>" for k in map(kinds.get, columns)]  # type: ignore[union-attr, index]
    writer = ROOT.table_writer.TableWriter(str(path), tree, list(columns), types)
    size = len(next(iter(columns.values())))
    for first in range(0, size, batch):
        numbers, counts = [], []
        for name, values in columns.items():
            part, kind = values[first : first + batch], kinds[name]
            if kind.endswith("[]"):
                counts.append(np.array([len(inner) for inner in part], dtype=np.uint64))
                part = [x for inner in part for x in inner]
            numbers.append(np.array(part, dtype=kind.removesuffix("[]")))
        writer.write(min(batch, size - first), [n.ctypes.data for n in numbers], [c.ctypes.data for c in counts])
    writer.close()
    return path


WRITERS: Mapping[str, Callable[..., Path]] = {"ttree": write_ttree, "rntuple": write_rntuple}


def opened(files: Path | Sequence[Path], schema: Schema) -> Source:
    paths = [files] if isinstance(files, Path) else list(files)
    return open_source([str(path) for path in paths], schema, paths[0].parent / "cache", [None] * len(paths))


def columns_of(
    source: Source,
    schema: Schema,
    objects: Mapping[str, Objects] | None = None,
    definitions: Mapping[str, Definition] | None = None,
    varied: Sequence[str] = (),
) -> dict[str, str]:
    """Every column that the source can have, with its expression."""
    selection = effective_selection(schema, source.available, objects or {})
    return physics_columns(schema, source.available, selection, definitions or {}, varied)


def graph_of(
    source: Source,
    schema: Schema,
    wanted: Sequence[str],
    objects: Mapping[str, Objects] | None = None,
    definitions: Mapping[str, Definition] | None = None,
    vary: Mapping[str, float] | None = None,
) -> RNode:
    """The head of a graph with these columns."""
    columns = columns_of(source, schema, objects, definitions, tuple(vary or ()))
    return define_columns(vary_scales(source.open(), vary or {}), columns, wanted)


def events_of(X: NDArray[np.float32], first: int = 0) -> RNode:
    """The head of a graph whose events have the rows of X, which has to live as long, and the numbers from `first`."""
    assert X.flags.c_contiguous
    assert X.dtype == np.float32
    graph_library("events").load()
    values = f"reinterpret_cast<const float *>({X.ctypes.data}ull) + {X.shape[1]} * rdfentry_"
    event = f"recorded::Event{{0, 1, 2, rdfentry_ + {first}ull, -1, {values}}}"
    return define(ROOT.RDF.AsRNode(ROOT.RDataFrame(len(X))), "recorded_event", event)


def arrays(events: RNode, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    return {name: np.asarray(values) for name, values in events.AsNumpy(list(names)).items()}


def nanoaod(events: int, seed: int) -> dict[str, Values]:
    """Events with 0 to 6 jets, 0 to 3 muons and 0 to 2 electrons, to both sides of every cut of the format."""
    random = np.random.default_rng(seed)
    columns: dict[str, Values] = {}
    for kind, most, softest, mass in (("Jet", 6, 15, 8), ("Muon", 3, 5, 0.1057), ("Electron", 2, 5, 0.000511)):
        counts = random.integers(0, most, events, endpoint=True)
        ends = np.cumsum(counts)[:-1]
        size = counts.sum()
        parts = {
            "pt": softest + random.exponential(30, size),
            "eta": random.normal(0, 1.5, size),
            "phi": random.uniform(-np.pi, np.pi, size),
            "mass": random.exponential(mass, size) if kind == "Jet" else np.full(size, mass),
        }
        columns |= {
            f"{kind}_{part}": [x.tolist() for x in np.split(np.float32(values), ends)] for part, values in parts.items()
        }
        whole = (
            ("jetId", random.choice([0, 2, 6, 6, 6], size))
            if kind == "Jet"
            else ("charge", random.choice([-1, 1], size))
        )
        columns[f"{kind}_{whole[0]}"] = [x.tolist() for x in np.split(whole[1], ends)]
    columns |= {
        "PuppiMET_pt": np.float32(random.exponential(30, events)),
        "PuppiMET_phi": np.float32(random.uniform(-np.pi, np.pi, events)),
        "run": np.full(events, 1),
        "luminosityBlock": np.arange(events) // 100,
        "event": np.arange(events),
    }
    return columns
