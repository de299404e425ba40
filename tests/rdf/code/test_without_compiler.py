"""A graph where there is no compiler, against the same graph compiled."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from models.detectors.isolation_forest import IsolationForest
from models.onnx_export import export_onnx
from rdf.code.columns import define_columns
from rdf.code.compiler import find_compiler
from rdf.code.interpreter import ROOT
from rdf.code.sofie import compile_detector, translate_network
from rdf.execution.event_loop import EventLoop, use_threads
from rdf.graph.fields import Fields, cpp_fields, score_fields
from rdf.graph.scoring import Ensemble, define_scores
from rdf.graph.selection import book_non_finite, select_finite
from rdf.graph.snapshot import book_snapshot, book_top_events
from rdf.schema.columns import rounded
from rdf.schema.model import load_schema
from rdf.schema.quantities import ID_QUANTITIES
from tests.rdf.trees import NANOAOD_KINDS, columns_of, nanoaod, opened, write_ttree

pytestmark = pytest.mark.compiler

WHOLE_GRAPH = """
import sys
from pathlib import Path
import numpy as np
from rdf.code.compiler import find_compiler
from tests.rdf.code.test_without_compiler import whole_graph
assert find_compiler() is None
folder = Path(sys.argv[1])
np.savez(folder / "by_cling.npz", **whole_graph(folder))
"""


def whole_graph(folder: Path) -> dict[str, np.ndarray]:
    """Columns, scores and sums of products of the NanoAOD in a folder, by its two networks, on two threads."""
    schema = load_schema("cms_nanoaod")
    source = opened(folder / "nano.root", schema)
    columns = columns_of(source, schema)
    features = ("HT", "MET", "n_jets", "lepton_pt_sum")
    doubles = ("MR", "Rsq", "mll", "sphericity", "centrality", "delta_phi_met_jet")
    slots = use_threads(2)
    networks = {path.stem: translate_network(path) for path in sorted(folder.glob("*.onnx"))}
    detectors = {
        name: [compile_detector(name, network, 0.5, [0.0, 0.5, 1.0], [0.0, 0.25, 1.0], slots)]
        for name, network in networks.items()
    }
    loop = EventLoop(source, (0, source.events))
    events = define_columns(
        loop.events, rounded(columns, features), (*ID_QUANTITIES, *doubles), features, loop.stopwatch
    )
    selected = select_finite(events, len(features))
    scored = define_scores(selected, detectors, Ensemble(tuple(detectors), 1), stopwatch=loop.stopwatch)
    fields = Fields(tuple(features), tuple(detectors))
    wanted = [*features, *(name for name in score_fields(tuple(detectors)) if name != "fold")]
    snapshot = book_snapshot(scored, fields, wanted, slots)
    top = book_top_events(scored, fields, ("score_ensemble",), features, 20, slots)
    non_finite = book_non_finite(events, features, slots)
    filling = ROOT.graph.Histograms()
    filling.add_products(ROOT.TH2D("", "", 4, 0, 4, 4, 0, 4), cpp_fields(fields.of(features)), False, filling.kAll)
    exact = {name: scored.Take["double"](name) for name in doubles}
    order = scored.Take["ULong64_t"]("event")
    products = filling.book(scored, slots, False, ROOT.nullptr)
    loop.run([snapshot.booked, top.booked, non_finite.booked, products, order, *exact.values()])
    use_threads(1)
    ids, values = snapshot.collected().arrays()
    place = np.argsort(list(order.GetValue()))
    matrix = filling.filled("nominal", 0)
    return {
        **{name: np.array(list(taken.GetValue()))[place] for name, taken in exact.items()},
        **dict(zip(wanted, values.T, strict=True)),
        "ids": ids,
        "top": top.collected().arrays()[0],
        "non_finite": np.array([*non_finite.counts().values()]),
        "products": np.array([[matrix.GetBinContent(i + 1, j + 1) for j in range(4)] for i in range(4)]),
    }


def without_compiler(folder: Path) -> Path:
    """A folder of the programs that ROOT calls, which asks `c++` where the standard headers are."""
    folder.mkdir()
    for program in ("c++", "sed", "ldd", "sh"):
        if found := shutil.which(program):
            (folder / program).symlink_to(found)
    return folder


def test_cling_gives_the_same_columns_and_scores_as_the_compiler(tmp_path: Path) -> None:
    assert find_compiler(), "needs a C++ compiler to compare with"
    write_ttree(tmp_path / "nano.root", "Events", nanoaod(3000, 11), NANOAOD_KINDS)
    names = list("abcd")
    X = np.random.default_rng(5).exponential(60, (300, 4)).astype(np.float32)
    export_onnx(IsolationForest(names).fit(X).network(), names, tmp_path / "forest.onnx")
    torch.manual_seed(0)
    dense = torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.ELU(), torch.nn.Linear(16, 1), torch.nn.Sigmoid())
    export_onnx(dense, names, tmp_path / "dense.onnx")
    subprocess.run(
        [sys.executable, "-c", WHOLE_GRAPH, str(tmp_path)],
        check=True,
        cwd=Path(__file__).parents[3],
        env=os.environ | {"PATH": str(without_compiler(tmp_path / "bin"))},
    )
    by_compiler, by_cling = whole_graph(tmp_path), dict(np.load(tmp_path / "by_cling.npz"))
    assert by_cling.keys() == by_compiler.keys() >= {"MR", "Rsq", "mll", "score_forest", "score_dense"}
    assert len(by_cling["ids"]) == 3000
    assert len(np.unique(by_cling["score_forest"])) > 100
    for name, values in by_compiler.items():
        if values.dtype == np.float64:
            # They round some a * b + c once, others twice.
            np.testing.assert_allclose(by_cling[name], values, rtol=1e-12, atol=1e-12, err_msg=name)
        elif name.startswith(("score", "rank")):
            np.testing.assert_allclose(by_cling[name], values, atol=1e-6, rtol=0, err_msg=name)  # they are 0 to 1
        else:
            np.testing.assert_array_equal(by_cling[name], values, err_msg=name)
