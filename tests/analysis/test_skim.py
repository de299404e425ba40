"""What a run leaves for work on its sample: flagged events whole, their numbers, scores as a friend of its trees."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot
from numpy.typing import NDArray

from analysis.configuration import RunConfiguration
from analysis.errors import ConfigurationError, DamagedPart
from analysis.options import load_configuration
from analysis.output.merging import merge_parts
from analysis.run import run
from analysis.trained import load_models
from condor.configuration import BatchConfiguration
from rdf.code.interpreter import ROOT
from tests.analysis.same_results import scored_events
from tests.rdf import reference

pytestmark = [pytest.mark.compiler, pytest.mark.usefixtures("apart")]


def start(sample: object, output: Path, **options: Any) -> Path:
    given = {"sample": str(sample), "output": str(output), "detectors": "isolation_forest", **options}
    run(load_configuration(RunConfiguration, given, None), "test")
    return output


def tree_of(path: Path, name: str) -> Any:
    with uproot.open(path) as file:
        return file[name].arrays()


def flagged_numbers(folder: Path) -> NDArray[Any]:
    """run, luminosityBlock and event of the flagged events, by rising numbers."""
    events = scored_events(folder)
    rows = np.stack([events[name][events["flag_ensemble"]] for name in ("run", "luminosityBlock", "event")], axis=1)
    return rows[np.lexsort(rows.T[::-1])]


def picked(folder: Path) -> list[list[int]]:
    return [[int(number) for number in line.split(":")] for line in (folder / "pick.txt").read_text().splitlines()]


def assert_whole(skim: Path, tree: str, expected: Any) -> None:
    """All branches, in their order, with the types and values that they have in the sample."""
    found = tree_of(skim, tree)
    assert found.fields == expected.fields
    for name in expected.fields:
        assert str(found[name].type) == str(expected[name].type), name
        assert ak.array_equal(found[name], expected[name], equal_nan=True), name


def leaves(path: Path, tree: str) -> tuple[int, list[tuple[str, ...]]]:
    """Entries and leaves of a TTree, as ROOT reads it."""
    with ROOT.TFile.Open(str(path)) as file:
        found = file.Get(tree)
        of_leaf = ("GetName", "GetTypeName", "GetTitle")
        return found.GetEntries(), [
            tuple(str(getattr(leaf, of)()) for of in of_leaf) for leaf in found.GetListOfLeaves()
        ]


@pytest.fixture(scope="module")
def files(opendata: Path) -> list[Path]:
    return [opendata / "atlas2020" / f"data_{period}.4lep.root" for period in "ABC"]


@pytest.fixture(scope="module")
def atlas(apart: None, files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a run over three files, on two threads, in which a cut drops events."""
    folder = tmp_path_factory.mktemp("atlas") / "run"
    options = {"schema": "atlas2020", "threads": 2, "skim": True, "friend": True, "select": {"pairs": "mll > 80"}}
    return start(",".join(map(str, files)), folder, **options)


def test_the_flagged_events_are_there_with_all_branches(atlas: Path, files: list[Path]) -> None:
    sample = ak.concatenate([tree_of(path, "mini") for path in files])
    numbers = flagged_numbers(atlas)
    flagged = np.isin(ak.to_numpy(sample["eventNumber"]).astype(np.uint32), numbers[:, 2])
    assert flagged.sum() == len(numbers) > 10
    assert (
        len({*np.searchsorted(np.cumsum([len(tree_of(path, "mini")) for path in files]), np.flatnonzero(flagged))}) > 1
    )
    assert_whole(atlas / "skim.root", "mini", sample[flagged])
    entries, types = leaves(atlas / "skim.root", "mini")
    assert entries == len(numbers)
    assert types == leaves(files[0], "mini")[1]
    with ROOT.TFile.Open(str(atlas / "skim.root")) as file, uproot.open(files[0]) as first:
        assert file.GetCompressionSettings() == first.file.fCompress
        tree = file.Get("mini")
        tree.GetEntry(len(numbers) - 1)
        assert list(tree.lep_pt) == sample[flagged]["lep_pt"][-1].to_list()
    assert picked(atlas) == numbers[:, [0, 2]].tolist()  # the format has no luminosity blocks
    listed = {line.split("  ")[1] for line in (atlas / "SHA256SUMS").read_text().splitlines()}
    assert {"skim.root", "scores.root", "pick.txt"} <= listed


def test_scores_are_a_friend_of_the_chain(atlas: Path, files: list[Path]) -> None:
    events = scored_events(atlas)
    of_event = dict(zip(events["event"].tolist(), events["score_isolation_forest"].tolist(), strict=True))
    chain = ROOT.TChain("mini")
    for path in files:
        chain.Add(str(path))
    chain.AddFriend("scores", str(atlas / "scores.root"))
    friend = uproot.open(atlas / "scores.root")["scores"].arrays(library="np")
    assert chain.GetEntries() == len(friend["selected"]) > len(of_event) == friend["selected"].sum() > 100
    for entry in range(chain.GetEntries()):
        chain.GetEntry(entry)
        number = chain.eventNumber % 2**32
        assert bool(chain.selected) == (number in of_event)
        if chain.selected:
            assert of_event[number] == chain.score_isolation_forest
        else:
            assert np.isnan(friend["score_isolation_forest"][entry])
            assert (friend["votes"][entry], friend["flag_ensemble"][entry]) == (-1, False)
    assert {name: values.dtype.name for name, values in friend.items()} == {
        "selected": "bool",
        **{f"{what}_isolation_forest": kind for what, kind in (("score", "float32"), ("rank", "float32"))},
        "flag_isolation_forest": "bool",
        "votes": "int32",
        "score_ensemble": "float32",
        "flag_ensemble": "bool",
    }


def test_parts_merge_to_what_one_run_leaves(atlas: Path, files: list[Path], tmp_path: Path) -> None:
    options = {"schema": "atlas2020", "models": str(atlas / "models"), "skim": True, "friend": True}
    entries = len(tree_of(atlas / "scores.root", "scores"))
    cuts = [0, 1, entries // 2, entries]
    parts = [
        start(",".join(map(str, files)), tmp_path / f"part{first}", **options, entries=[first, last])
        for first, last in pairwise(cuts)
    ]
    merge_parts(parts, tmp_path / "merged", "test")
    assert_whole(tmp_path / "merged" / "skim.root", "mini", tree_of(atlas / "skim.root", "mini"))
    assert_whole(tmp_path / "merged" / "scores.root", "scores", tree_of(atlas / "scores.root", "scores"))
    assert (tmp_path / "merged" / "pick.txt").read_bytes() == (atlas / "pick.txt").read_bytes()
    lines = (parts[0] / "SHA256SUMS").read_text().splitlines(keepends=True)
    (parts[0] / "SHA256SUMS").write_text("".join(line for line in lines if "skim.root" not in line))
    (parts[0] / "skim.root").unlink()
    with pytest.raises(DamagedPart, match=r"part0: has no skim.root, which other parts have; run it again"):
        merge_parts(parts, tmp_path / "lacking", "test")


def test_a_nanoaod_tree_of_1479_branches(opendata: Path, tmp_path: Path) -> None:
    path = opendata / "cmsnano" / "NanoAODv5_sample.root"
    results = start(path, tmp_path / "run", schema="cms_nanoaod", skim=True, threads=1, features=["HT", "MET"])
    sample, numbers = tree_of(path, "Events"), flagged_numbers(results)
    assert len(sample.fields) == 1479
    flagged = np.isin(ak.to_numpy(sample["event"]), numbers[:, 2])
    assert flagged.sum() == len(numbers) > 0
    assert_whole(results / "skim.root", "Events", sample[flagged])
    assert leaves(results / "skim.root", "Events")[1] == leaves(path, "Events")[1]
    assert picked(results) == numbers.tolist()
    assert not (results / "scores.root").exists()


def test_an_rntuple_stays_one(opendata: Path, tmp_path: Path) -> None:
    path = opendata / "cmsnano" / "Run2012BC_DoubleMuParked_Muons_1000evts_rntuple_v1-0-0-0.root"
    results = start(path, tmp_path / "run", schema="cms_nanoaod", skim=True, friend=True, max_events=600)
    with uproot.open(results / "skim.root") as file:
        assert file.classnames(cycle=False)["Events"] == "ROOT::RNTuple"
    scores, sample = tree_of(results / "scores.root", "scores"), tree_of(path, "Events")
    assert len(scores) == len(sample) == 1000  # as many as in the sample, though some are not read
    assert not ak.any(scores["selected"][600:])
    assert 0 < ak.sum(scores["flag_ensemble"]) < ak.sum(scores["selected"])
    assert_whole(results / "skim.root", "Events", sample[scores["flag_ensemble"]])
    readers = [ROOT.RNTupleReader.Open("Events", str(file)) for file in (results / "skim.root", path)]
    assert readers[0].GetNEntries() == ak.sum(scores["flag_ensemble"])
    fields = [
        [(str(field.GetFieldName()), str(field.GetTypeName())) for field in reader.GetDescriptor().GetTopLevelFields()]
        for reader in readers
    ]
    assert fields[0] == fields[1]
    assert len(fields[0]) == 7
    assert not (results / "pick.txt").exists()  # the file has no event numbers


def test_a_table_leaves_its_columns_and_the_numbers_of_its_rows(opendata: Path, tmp_path: Path) -> None:
    lines = (opendata / "cms2010b" / "MultiJetRun2010B.csv").read_text().splitlines()[:401]
    (tmp_path / "jets.csv").write_text("\n".join(lines) + "\n")
    results = start(tmp_path / "jets.csv", tmp_path / "run", schema="cms_razor", skim=True)
    skim, numbers = tree_of(results / "skim.root", "events"), flagged_numbers(results)
    table = np.genfromtxt(lines, delimiter=",", names=True)
    rows = np.flatnonzero(np.isin(table["Event"].astype(np.uint64), numbers[:, 2]))
    assert skim["source_row"].to_list() == rows.tolist()
    assert {*skim.fields} == {*table.dtype.names, "source_row"}
    for name in table.dtype.names:
        assert skim[name].to_list() == table[name][rows].tolist(), name
    assert picked(results) == numbers.tolist()


def test_what_cannot_be_left_is_refused_before(files: list[Path]) -> None:
    options = {"sample": str(files[0]), "schema": "atlas2020"}
    batch = {**options, "models": "m", "jobs": 2, "friend": True, "max_events": 10}
    with pytest.raises(ConfigurationError, match="--friend has a row for every entry of the sample; leave out --max"):
        load_configuration(BatchConfiguration, batch, None)
    for key in ("skim", "friend"):
        with pytest.raises(ConfigurationError, match="--engine dask does not know the places of events in the sample"):
            load_configuration(RunConfiguration, {**options, key: True, "engine": "dask"}, None)


def test_models_of_one_schema_score_a_sample_of_another(
    atlas: Path, opendata: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = opendata / "atlas2025" / "ODEO_FEB2025_v0_exactly4lep_data15_periodD.exactly4lep.root"
    results = start(path, tmp_path / "run", schema="atlas2025", models=str(atlas / "models"), skim=True)
    warning = "the models were trained on the schema atlas2020, the sample has the schema atlas2025: "
    assert any(
        said["sentence"].startswith(warning) for said in json.loads((results / "run.json").read_text())["warnings"]
    )
    assert f"warning: {warning}" in " ".join(capsys.readouterr().err.split())
    events, models = scored_events(results), load_models(atlas / "models")
    with uproot.open(path) as file:
        sample = file["analysis"].arrays(["eventNumber", "met"])
    order = np.argsort(ak.to_numpy(sample["eventNumber"]))
    at = order[np.searchsorted(ak.to_numpy(sample["eventNumber"])[order], events["event"])]
    np.testing.assert_allclose(events["MET"], ak.to_numpy(sample["met"])[at], rtol=1e-6)
    # Leptons are identified, and overlaps removed, as the schema of the sample says.
    np.testing.assert_allclose(events["lepton_pt_sum"], reference.atlas2025(path)["lepton_pt_sum"][at], rtol=1e-5)
    scored = models.score({name: events[name] for name in models.features}).scores["isolation_forest"]
    np.testing.assert_array_equal(scored, events["score_isolation_forest"])
    assert (events["mll"] > 80).all()  # the cut of the models
    whole = tree_of(path, "analysis")
    flagged = np.isin(ak.to_numpy(whole["eventNumber"]), flagged_numbers(results)[:, 2])
    assert flagged.sum() == events["flag_ensemble"].sum() > 0
    assert_whole(results / "skim.root", "analysis", whole[flagged])
    assert leaves(results / "skim.root", "analysis")[1] == leaves(path, "analysis")[1]
