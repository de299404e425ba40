"""Entries of trees copied whole: of several files, branches of many kinds; what is not alike, and what is damaged."""

from __future__ import annotations

import shutil
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot
from numpy.typing import NDArray

from rdf.code.interpreter import ROOT
from rdf.errors import MissingColumn, UnreadableFile
from rdf.provenance import Provenance
from rdf.schema.model import load_schema
from rdf.sources.skim import join_trees, write_skim
from tests.rdf.trees import NANOAOD_KINDS, WRITERS, nanoaod, opened

pytestmark = pytest.mark.compiler

PLACE = Provenance("{}", simulated=True)


def numbers(*entries: int) -> NDArray[np.uint64]:
    return np.array(entries, dtype=np.uint64)


@pytest.mark.parametrize("kind", WRITERS)
def test_entries_of_several_files(kind: str, tmp_path: Path) -> None:
    files = [
        WRITERS[kind](tmp_path / f"{i}.root", "Events", nanoaod(events, i), NANOAOD_KINDS)
        for i, events in enumerate((700, 3, 600))
    ]
    source = opened(files, load_schema("cms_nanoaod"))
    chosen = numbers(0, 699, 701, 703, 1302)
    told: list[tuple[int, int]] = []
    assert write_skim(source, chosen, tmp_path / "skim.root", PLACE, lambda *done: told.append(done)) == ()
    sample = ak.concatenate([uproot.open(path)["Events"].arrays() for path in files])
    with uproot.open(tmp_path / "skim.root") as file:
        found = file["Events"].arrays()
        assert "SIMULATED" in file
    assert found.fields == sample.fields
    for name in sample.fields:
        assert str(found[name].type) == str(sample[chosen.astype(int)][name].type)
        assert found[name].to_list() == sample[chosen.astype(int)][name].to_list()
    assert told[-1] == (5, 5)
    write_skim(source, numbers(), tmp_path / "none.root", PLACE)
    parts = [tmp_path / name for name in ("none.root", "skim.root", "none.root", "skim.root")]
    assert join_trees(parts, tmp_path / "joined.root", PLACE) == 10
    joined = uproot.open(tmp_path / "joined.root")["Events"].arrays()
    assert joined.to_list() == 2 * found.to_list()


def filled(path: Path, extra: str) -> Path:
    """A tree `folder/Events` by ROOT: vectors, vectors of vectors, a fixed and a counted array, a bool, an object."""
    with ROOT.TFile.Open(str(path), "RECREATE", "", 207) as file:
        file.mkdir("folder").cd()
        tree = ROOT.TTree("Events", "")
        vector, nested = ROOT.std.vector["double"](), ROOT.std.vector["std::vector<int>"]()
        momentum, flag = ROOT.Math.PtEtaPhiMVector(), np.zeros(1, bool)
        matrix, size, counted = np.zeros(4, np.int16), np.zeros(1, np.int32), np.zeros(9, np.float32)
        tree.Branch("vector", vector)
        tree.Branch("nested", nested)
        tree.Branch("momentum", momentum)
        tree.Branch("flag", flag, "flag/O")
        tree.Branch("matrix", matrix, "matrix[2][2]/S")
        tree.Branch("size", size, "size/I")
        tree.Branch("counted", counted, "counted[size]/F")
        tree.Branch(extra, size, f"{extra}/I")
        for i in range(20):
            vector.assign(range(i % 3))
            nested.resize(i % 4)
            for j in range(i % 4):
                nested[j].assign(range(i, i + j))
            momentum.SetCoordinates(i, 0.5, 1, 2)
            flag[0], matrix[:], size[0], counted[:] = i % 2, range(i, i + 4), i % 9, i / 7
            tree.Fill()
        tree.Write()
    return path


def test_branches_that_not_all_files_have_are_left_out_and_named(tmp_path: Path) -> None:
    table = tmp_path / "own.yaml"
    table.write_text(
        "title: own\ntree: folder/Events\ncolumns: {size: int32}\nquantities: {event: {expression: size}}\n"
        "feature_sets: {own: {features: [size]}}\nfeatures: own\n"
    )
    files = [filled(tmp_path / f"{extra}.root", extra) for extra in ("one", "other")]
    source = opened(files, load_schema(str(table)))
    assert write_skim(source, numbers(5, 19, 20, 38), tmp_path / "skim.root", PLACE) == ("one", "other")
    with uproot.open(tmp_path / "skim.root") as file, uproot.open(files[0]) as first:
        assert file.file.fCompress == 207
        found, sample = file["folder/Events"], first["folder/Events"]
        assert [branch.name for branch in found.branches] == [branch.name for branch in sample.branches][:-1]
        for branch in found.branches:
            assert branch.typename == sample[branch.name].typename
            expected = sample[branch.name].array()[[5, 19, 0, 18]]
            assert found[branch.name].array().to_list() == expected.to_list(), branch.name


def test_rntuples_that_are_not_alike_are_refused(tmp_path: Path) -> None:
    for i in (1, 2):
        columns = {**nanoaod(9, i), f"extra{i}": np.ones(9)}
        WRITERS["rntuple"](tmp_path / f"{i}.root", "Events", columns, {**NANOAOD_KINDS, f"extra{i}": "float32"})
    source = opened([tmp_path / "1.root", tmp_path / "2.root"], load_schema("cms_nanoaod"))
    with pytest.raises(MissingColumn, match=r"2.root has other columns than .*1.root; analyse such files separately"):
        write_skim(source, numbers(1), tmp_path / "skim.root", PLACE)


def test_friends_stay_where_they_are(tmp_path: Path) -> None:
    path = WRITERS["ttree"](tmp_path / "nano.root", "Events", nanoaod(30, 1), NANOAOD_KINDS)
    friend = WRITERS["ttree"](tmp_path / "friend.root", "more", {"own": np.arange(30.0)}, {"own": "float32"})
    with ROOT.TFile.Open(str(path), "UPDATE") as file:
        tree = file.Get("Events")
        tree.AddFriend("more", str(friend))
        tree.Write("", ROOT.TObject.kOverwrite)
    write_skim(opened(path, load_schema("cms_nanoaod")), numbers(3, 29), tmp_path / "skim.root", PLACE)
    with ROOT.TFile.Open(str(tmp_path / "skim.root")) as file:
        assert not file.Get("Events").GetListOfFriends()
        assert file.Get("Events").GetEntries() == 2


def test_a_file_that_changed_or_is_damaged_is_named(tmp_path: Path) -> None:
    path = WRITERS["ttree"](tmp_path / "nano.root", "Events", nanoaod(2000, 1), NANOAOD_KINDS)
    whole = opened(shutil.copy(path, tmp_path / "copy.root"), load_schema("cms_nanoaod"))
    with uproot.open(path) as file:
        branch = file["Events"]["Muon_mass"]
        place = int(branch.member("fBasketSeek")[0]) + int(branch.member("fBasketBytes")[0]) // 2
    content = bytearray(path.read_bytes())
    content[place : place + 8] = bytes(8)
    path.write_bytes(content)
    source = opened(path, load_schema("cms_nanoaod"))
    with pytest.raises(UnreadableFile, match=rf"{path} is damaged"):
        write_skim(source, numbers(1, 1999), tmp_path / "skim.root", PLACE)
    (tmp_path / "copy.root").write_bytes(content)
    with pytest.raises(UnreadableFile, match=r"copy.root (was changed|is damaged)"):
        write_skim(whole, numbers(1, 1999), tmp_path / "skim.root", PLACE)
