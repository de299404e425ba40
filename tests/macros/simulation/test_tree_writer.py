"""TTrees with arrays as NanoAOD has them, read back by uproot."""

from __future__ import annotations

from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot

from rdf.code.interpreter import ROOT, include_kernels

pytestmark = pytest.mark.compiler

include_kernels("simulation/tree_writer")


def test_scalars_and_arrays_of_every_type(tmp_path: Path) -> None:
    path = tmp_path / "a.root"
    ROOT.TFile(str(path), "RECREATE").Close()
    writer = ROOT.tree_writer.TreeWriter(str(path), "Events", "a title", ["run", "event", "x", "A_f", "A_i", "B_d"], 2)
    entries = [(1, 2**63, 0.5, [1.5, 2.5], [3, -4], []), (2, 1, 1.5, [], [], [0.1]), (3, 0, 2.5, [7.0], [8], [1, 2, 3])]
    for run, event, x, f, i, d in entries:
        arrays = (ROOT.RVec[kind](values) for kind, values in (("float", f), ("int", i), ("double", d)))
        assert writer.fill[
            "unsigned int", "unsigned long long", "double", "ROOT::RVec<float>", "ROOT::RVec<int>", "ROOT::RVec<double>"
        ](run, event, x, *arrays)
    writer.close()
    with uproot.open(path) as file:
        tree = file["Events"]
        assert tree.title == "a title"
        found = tree.arrays()
        assert tree["A_f"].typename == "float[]"
    assert set(found.fields) == {"run", "event", "x", "A_f", "A_i", "B_d", "nA", "nB"}
    for name, values in zip(("run", "event", "x", "A_f", "A_i", "B_d"), zip(*entries, strict=True), strict=True):
        assert found[name].to_list() == list(values), name
    assert found.nA.to_list() == [2, 0, 1]
    assert found.nB.to_list() == [0, 1, 3]
    for name, kind in (("run", np.uint32), ("event", np.uint64), ("x", np.float64)):
        assert ak.to_numpy(found[name]).dtype == kind


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"cannot write to|nowhere"):
        ROOT.tree_writer.TreeWriter(str(tmp_path / "nowhere" / "a.root"), "Events", "", ["x"], 2)
