"""Cuts on events: the events that pass, and the cutflow, against uproot and awkward arrays, event by event."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot
from numpy.typing import NDArray

from rdf.code.columns import define_columns
from rdf.errors import SchemaError
from rdf.execution.event_loop import EventLoop, use_threads
from rdf.graph.selection import Cut, book_cutflow, select_finite
from rdf.schema.columns import physics_columns, rounded
from rdf.schema.model import load_schema
from rdf.schema.object_selection import effective_overlap, effective_selection
from rdf.schema.tables import Definition
from rdf.sources.source import open_source
from tests.rdf import reference

pytestmark = pytest.mark.compiler

Columns = Mapping[str, NDArray[Any]]
Arrays = Callable[[str], ak.Array]
IDS = ["run", "luminosityBlock", "event"]


@dataclass(frozen=True)
class Selected:
    """A file and cuts on its events.

    Attributes:
        schema: of the file.
        file: under the open data.
        tree: name of the tree.
        calculate: gives our columns, by uproot and awkward arrays.
        cuts: name of a cut -> its expression, and the same of our columns and of the file's, read by uproot.
    """

    schema: str
    file: str
    tree: str
    calculate: Callable[[Path], Columns]
    cuts: Mapping[str, tuple[str, Callable[[Columns, Arrays], Any]]]


def nth(values: ak.Array, i: int) -> ak.Array:
    """Element i of each event; NaN where there is none."""
    return ak.fill_none(ak.pad_none(ak.values_astype(values, np.float64), i + 1)[:, i], np.nan)


NANO_V5 = partial(Selected, "cms_nanoaod", "cmsnano/NanoAODv5_sample.root", "Events", reference.nanoaod)
NANO_V12 = partial(Selected, "cms_nanoaod", "cmsnano/nano_tt_v12.root", "Events", reference.nanoaod)
NANO_2015 = partial(
    Selected, "cms_nanoaod", "cmsnano/nanoAOD_2015_CMS_Open_Data_ttbar.root", "Events", reference.nanoaod
)
ATLAS_2020 = partial(Selected, "atlas2020", "atlas2020/data_A.4lep.root", "mini", reference.atlas2020)
ATLAS_2025 = partial(
    Selected,
    "atlas2025",
    "atlas2025/ODEO_FEB2025_v0_exactly4lep_data15_periodD.exactly4lep.root",
    "analysis",
    reference.atlas2025,
)
CASES = {
    "a physics column": NANO_V5({"HT": ("HT > 300", lambda ours, _: ours["HT"] > 300)}),
    "a branch, then columns": NANO_V5(
        {
            "vertices": ("PV_npvsGood >= 20", lambda _, file: file("PV_npvsGood") >= 20),
            "jets": ("n_jets >= 4", lambda ours, _: ours["n_jets"] >= 4),
            "heavy": ("MR > 500 && Rsq < 0.2", lambda ours, _: (ours["MR"] > 500) & (ours["Rsq"] < 0.2)),
        }
    ),
    "columns, then a branch": NANO_V5(
        {
            "heavy": ("MR > 300", lambda ours, _: ours["MR"] > 300),
            "vertices": ("PV_npvsGood < 30", lambda _, file: file("PV_npvsGood") < 30),
        }
    ),
    "a trigger": NANO_V12({"jets": ("HLT_PFHT1050", lambda _, file: file("HLT_PFHT1050"))}),
    "noise filters": NANO_V12(
        {
            "vertices": ("Flag_goodVertices", lambda _, file: file("Flag_goodVertices")),
            "noise": (
                "Flag_HBHENoiseFilter && !(Flag_CSCTightHaloFilter && n_jets < 3)",
                lambda ours, file: (
                    file("Flag_HBHENoiseFilter") & ~(file("Flag_CSCTightHaloFilter") & (ours["n_jets"] < 3))
                ),
            ),
        }
    ),
    "an element that few events have": NANO_2015(
        {"third": ("Jet_pt[4] > 40", lambda _, file: nth(file("Jet_pt"), 4) > 40)}
    ),
    "any of an array": NANO_2015(
        {
            "muon": (
                "Any(Muon_pt > 20 && abs(Muon_eta) < 2.4)",
                lambda _, file: ak.any((file("Muon_pt") > 20) & (abs(file("Muon_eta")) < 2.4), axis=1),
            )
        }
    ),
    "a number for true": NANO_2015({"leptons": ("n_leptons", lambda ours, _: ours["n_leptons"] != 0)}),
    "a column that is not finite": NANO_V5({"mll": ("mll", lambda ours, _: np.nan_to_num(ours["mll"]) != 0)}),
    "ATLAS 2020": ATLAS_2020(
        {
            "trigger": ("trigE || trigM", lambda _, file: file("trigE") | file("trigM")),
            "mass": ("mz1 > 66 && mz1 < 116", lambda ours, _: (ours["mz1"] > 66) & (ours["mz1"] < 116)),
            "four": ("lep_n == 4", lambda _, file: file("lep_n") == 4),
        }
    ),
    "ATLAS 2025": ATLAS_2025(
        {
            "one": ("trigE + trigM == 1", lambda _, file: file("trigE") ^ file("trigM")),
            "MET": ("MET < 100", lambda ours, _: ours["MET"] < 100),
        }
    ),
    "a column of the user's own": ATLAS_2025(
        {"twice": ("twice_HT > 200 && run > 0", lambda ours, _: 2 * ours["HT"] > 200)},
    ),
}
DEFINE = {"twice_HT": Definition(expression="2 * HT")}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", CASES)
def test_events_and_cutflow(name: str, threads: int, opendata: Path, tmp_path: Path) -> None:
    case = CASES[name]
    path = opendata / case.file
    ours = case.calculate(path)
    with uproot.open(path) as file:
        tree = file[case.tree]
        passed = np.ones(tree.num_entries, dtype=bool)
        expected = [Cut("all", tree.num_entries)]
        for cut, (_, calculate) in case.cuts.items():
            passed &= np.asarray(calculate(ours, lambda branch: tree[branch].array()), dtype=bool)
            expected.append(Cut(cut, np.count_nonzero(passed)))
    finite = passed & np.isfinite(ours["HT"])
    found, cutflow = select(case, path, threads, tmp_path)
    assert cutflow == [*expected, Cut("finite", np.count_nonzero(finite))]
    assert cutflow[-1].events > 0
    theirs = [ours[id][finite].astype(np.int64) for id in ("run", "event")]
    order, other = np.lexsort([found["HT"], found["event"]]), np.lexsort([ours["HT"][finite], theirs[1]])
    for id, values in zip(("run", "event"), theirs, strict=True):
        np.testing.assert_array_equal(found[id].astype(np.int64)[order], values[other])
    np.testing.assert_allclose(found["HT"][order], ours["HT"][finite][other], rtol=1e-5)


def select(case: Selected, path: Path, threads: int, cache: Path) -> tuple[dict[str, NDArray[Any]], list[Cut]]:
    """The events of the graph that pass, and its cutflow."""
    use_threads(threads)
    schema = load_schema(case.schema)
    source = open_source([str(path)], schema, cache, [None])
    cuts = {name: expression for name, (expression, _) in case.cuts.items()}
    objects = effective_selection(schema, source.available, {})
    overlap = effective_overlap(schema, source.available, {}, None)
    columns = physics_columns(schema, source.available, objects, DEFINE, (), cuts, overlap=overlap)
    columns = rounded(columns, ["HT"])
    loop = EventLoop(source, (0, source.events))
    events = select_finite(define_columns(loop.events, columns, IDS, ["HT"], None, list(cuts)), 1)
    cutflow = book_cutflow(events)
    found = {name: np.asarray(values) for name, values in events.AsNumpy(["run", "event", "HT"]).items()}
    return found, cutflow.cuts()


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("PV_npvsGod > 3", r"select 'it', 'PV_npvsGod > 3': .*PV_npvsGod.*did you mean PV_npvsGood"),
        ("n_jetz > 3", r"select 'it', 'n_jetz > 3': .*did you mean n_jets"),
        ("Jet_pt > 30", r"select 'it', 'Jet_pt > 30': .*Any\(\.\.\.\) or All\(\.\.\.\) of an array"),
        ("HT >", r"select 'it', 'HT >': .*correct the expression"),
    ],
)
def test_what_is_no_cut_is_told_with_its_name(expression: str, message: str, opendata: Path, tmp_path: Path) -> None:
    case = NANO_V5({"it": (expression, lambda *_: None)})
    with pytest.raises(SchemaError, match=message):
        select(case, opendata / case.file, 1, tmp_path)


def test_a_column_that_one_file_lacks_is_refused(opendata: Path) -> None:
    schema = load_schema("cms_nanoaod")
    source = open_source([str(opendata / "cmsnano" / "NanoAODv5_sample.root")], schema, opendata, [None])
    available = replace(source.available, partly=frozenset({"HLT_PFHT1050"}))
    with pytest.raises(SchemaError, match=r"not every file of the sample has 'HLT_.*; analyse them separately"):
        physics_columns(schema, available, {}, {}, (), {"jets": "HLT_CaloJet500_NoJetID || HLT_PFHT1050"})
