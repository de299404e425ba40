"""Certified runs, noise filters, triggers and cuts together, against uproot and numpy, event by event."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot
from numpy.typing import NDArray

from rdf.code.columns import define_columns
from rdf.code.interpreter import ROOT
from rdf.execution.event_loop import EventLoop, use_threads
from rdf.graph.selection import Cut, book_cutflow, select_finite
from rdf.schema.certified import SECTION, SECTION_EXPRESSION, parse_certified
from rdf.schema.columns import physics_columns, rounded
from rdf.schema.filters import FILTERS, filter_cut
from rdf.schema.model import load_schema
from rdf.schema.object_selection import effective_overlap, effective_selection
from rdf.schema.triggers import TRIGGERS, trigger_cut
from rdf.sources.source import open_source
from tests.rdf import reference

pytestmark = pytest.mark.compiler

MADE = {
    "run": "static_cast<unsigned int>(270000 + rdfentry_ / 150)",
    "luminosityBlock": "static_cast<unsigned int>(1 + rdfentry_ % 150 / 7)",
    "Flag_goodVertices": "rdfentry_ % 13 != 0",
    "Flag_eeBadScFilter": "rdfentry_ % 17 != 5",
    "HLT_PFJet450": "rdfentry_ % 3 == 0",
    "HLT_PFHT800": "rdfentry_ % 5 == 1",
    "HLT_Mu50": "rdfentry_ % 4 == 3",
}
"""What of the events is made up: nine runs of 22 luminosity blocks, and noise."""

KEPT = (
    *(f"Jet_{part}" for part in ("pt", "eta", "phi", "mass", "jetId", "btagDeepFlavB")),
    *("Electron_cutBased", "Muon_looseId", "Muon_pfRelIso04_all"),
    *(f"{kind}_{part}" for kind in ("Muon", "Electron") for part in ("pt", "eta", "phi", "mass", "charge")),
    *("PuppiMET_pt", "PuppiMET_phi", "PV_npvsGood", "event"),
    *("Flag_HBHENoiseFilter", "Flag_BadPFMuonFilter"),
)
FILES = ((0, 400), (400, 700), (700, 1000))
LIST = {
    "270001": [[2, 5], [9, 9], [14, 40]],
    "270002": [[1, 22]],
    "270003": [],
    "270004": [[23, 99]],
    "270005": [[20, 21], [1, 3]],
    "299999": [[1, 22]],
}


@dataclass(frozen=True)
class Asked:
    """What is asked of events: a list, filters, triggers and cuts."""

    certified: Mapping[str, list[list[int]]] | None = None
    filters: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()
    select: tuple[str, ...] = ()


CASES = {
    "certified": Asked(LIST),
    "certified, filters": Asked(LIST, load_schema("cms_nanoaod").filters),
    "filters, triggers": Asked(None, ("Flag_goodVertices",), ("HLT_PF*", "!HLT_Mu50")),
    "certified, triggers": Asked(LIST, (), ("HLT_PFJet450", "HLT_PFHT800")),
    "all": Asked(LIST, load_schema("cms_nanoaod").filters, ("HLT_PF*",), ("PV_npvsGood > 10", "HT > 200")),
}


@pytest.fixture(scope="module")
def files(opendata: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, list[Path]]:
    """Three files each, as TTree and RNTuple."""
    folder, made = tmp_path_factory.mktemp("nanoaod"), dict[str, list[Path]]()
    use_threads(1)
    for kind in ("TTree", "RNTuple"):
        options = ROOT.RDF.RSnapshotOptions()
        options.fOutputFormat = getattr(ROOT.RDF.ESnapshotOutputFormat, f"k{kind}")
        for i, (first, last) in enumerate(FILES):
            events = ROOT.RDataFrame("Events", str(opendata / "cmsnano" / "NanoAODv5_sample.root"))
            known = {str(name) for name in events.GetColumnNames()}
            for name, expression in MADE.items():
                events = (events.Redefine if name in known else events.Define)(name, expression)
            path = folder / f"{kind}_{i}.root"
            events.Range(first, last).Snapshot("Events", str(path), [*MADE, *KEPT], options)
            made.setdefault(kind, []).append(path)
    return made


def by_numpy(paths: list[Path], asked: Asked) -> tuple[dict[str, int], NDArray[Any], NDArray[Any]]:
    """Events that pass each cut, and the numbers and HT of those that pass all."""
    names = (
        "run",
        "luminosityBlock",
        "event",
        "PV_npvsGood",
        *(n for n in (*MADE, *KEPT) if n[:4] in ("Flag", "HLT_")),
    )
    parts = []
    for path in paths:
        with uproot.open(path) as file:
            parts.append({name: np.asarray(file["Events"][name].array()) for name in names})
        parts[-1]["HT"] = reference.nanoaod(path)["HT"]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    passed = np.ones(len(columns["run"]), bool)
    counts = {"all": len(passed)}
    if asked.certified is not None:
        ranges = {int(run): blocks for run, blocks in asked.certified.items()}
        passed &= [
            any(first <= block <= last for first, last in ranges.get(int(run), ()))
            for run, block in zip(columns["run"], columns["luminosityBlock"], strict=True)
        ]
        counts["certified"] = int(passed.sum())
    if asked.filters:
        for name in asked.filters:
            passed &= columns.get(name, passed)
        counts["filters"] = int(passed.sum())
    if asked.triggers:
        passed &= columns["HLT_PFJet450"] | columns["HLT_PFHT800"]
        if "!HLT_Mu50" in asked.triggers:
            passed &= ~columns["HLT_Mu50"]
        counts["triggers"] = int(passed.sum())
    for cut in asked.select:
        name, _, least = cut.partition(" > ")
        passed &= columns[name] > float(least)
        counts[name] = int(passed.sum())
    passed &= np.isfinite(columns["HT"])
    counts["finite"] = int(passed.sum())
    return counts, columns["event"][passed], columns["HT"][passed]


def by_the_graph(paths: list[Path], asked: Asked, threads: int, cache: Path) -> tuple[list[Cut], dict[str, Any]]:
    use_threads(threads)
    schema = load_schema("cms_nanoaod")
    source = open_source([str(path) for path in paths], schema, cache, [None] * len(paths))
    available = source.available.columns
    cuts = {FILTERS: filter_cut(asked.filters, available, asked=False).expression} if asked.filters else {}
    if asked.triggers:
        cuts[TRIGGERS] = trigger_cut(asked.triggers, available).expression
    cuts |= {cut.partition(" > ")[0]: cut for cut in asked.select}
    certified, wanted = None, ["run", "luminosityBlock", "event"]
    objects = effective_selection(schema, source.available, {})
    overlap = effective_overlap(schema, source.available, {}, None)
    columns = physics_columns(schema, source.available, objects, {}, (), cuts, overlap=overlap)
    if asked.certified is not None:
        certified = parse_certified(json.dumps(asked.certified).encode(), "list")
        columns, wanted = {**columns, SECTION: SECTION_EXPRESSION}, [*wanted, SECTION]
    loop = EventLoop(source, (0, source.events))
    events = define_columns(
        loop.events, rounded(columns, ["HT"]), wanted, ["HT"], None, list(cuts), certified=certified
    )
    events = select_finite(events, 1)
    cutflow = book_cutflow(events)
    found = {name: np.asarray(values) for name, values in events.AsNumpy(["event", "HT"]).items()}
    return cutflow.cuts(), found


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("kind", ["TTree", "RNTuple"])
@pytest.mark.parametrize("name", CASES)
def test_events_and_cutflow(
    name: str, kind: str, threads: int, files: Mapping[str, list[Path]], tmp_path: Path
) -> None:
    counts, event, ht = by_numpy(files[kind], CASES[name])
    passed = list(counts.values())
    assert passed == sorted(passed, reverse=True)
    assert passed[-2] < passed[-3 if len(passed) > 2 else 0]
    assert passed[-1] > 5
    cuts, found = by_the_graph(files[kind], CASES[name], threads, tmp_path)
    assert cuts == [Cut(name, events) for name, events in counts.items()]
    ours, theirs = np.lexsort([found["HT"], found["event"]]), np.lexsort([ht, event])
    np.testing.assert_array_equal(found["event"][ours], event[theirs])
    np.testing.assert_allclose(found["HT"][ours], ht[theirs], rtol=1e-5)
