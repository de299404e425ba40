"""Cuts on events by a run: what passes, what travels with the models, what merges, and how what is wrong is told."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot
import yaml
from numpy.typing import NDArray

from analysis.batch import inspect_sample
from analysis.configuration import RunConfiguration
from analysis.errors import ConfigurationError, DamagedPart
from analysis.options import load_configuration
from analysis.output.merging import merge_parts
from analysis.run import run
from plotting.report.page import write_report
from rdf.errors import NoEvents, SchemaError
from rdf.schema.model import load_schema
from tests.analysis.same_results import assert_same_results, scored_events
from tests.analysis.samples.resolved import resolve
from tests.models.trained import write_table
from tests.rdf import reference
from tests.rdf.trees import NANOAOD_KINDS, nanoaod, write_ttree

pytestmark = [pytest.mark.compiler, pytest.mark.usefixtures("apart")]

SELECT = {"vertices": "PV_npvsGood >= 6", "jets": "n_jets >= 2 && Jet_pt[1] > 30", "hard": "HT > 150"}


@pytest.fixture(scope="module")
def path(opendata: Path) -> Path:
    return opendata / "cmsnano" / "nanoAOD_2015_CMS_Open_Data_ttbar.root"


def start(sample: Path, output: Path, **options: Any) -> Path:
    given = {"sample": str(sample), "schema": "cms_nanoaod", "output": str(output), **options}
    run(load_configuration(RunConfiguration, given, None), "test")
    return output


@pytest.fixture(scope="module")
def selected(apart: None, path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a run with cuts."""
    folder = tmp_path_factory.mktemp("select") / "run"
    return start(path, folder, select=SELECT, features=["HT", "MET"], detectors="isolation_forest", vary="jes")


def unspoiled(path: Path) -> NDArray[np.bool_]:
    """Which events pass the noise filters that the file has of those that CMS recommends."""
    with uproot.open(path) as file:
        flags = [name for name in load_schema("cms_nanoaod").filters if name in file["Events"]]
        assert len(flags) == 5
        passed: NDArray[np.bool_] = np.all([file["Events"][name].array(library="np") for name in flags], axis=0)
    return passed


def by_awkward_arrays(path: Path, scale: float = 1.0) -> list[NDArray[np.bool_]]:
    """Which events are left after each cut, with the energies of the jets that count scaled."""
    with uproot.open(path) as file:
        tree = file["Events"]
        vertices = tree["PV_npvsGood"].array(library="np") >= 6
        second = ak.fill_none(ak.pad_none(tree["Jet_pt"].array(), 2)[:, 1], np.nan).to_numpy()
    jets = reference.nanoaod_objects(path, scale).jets
    after = [np.ones(len(vertices), bool), unspoiled(path)]
    after.append(after[-1] & vertices)
    after.append(after[-1] & (ak.num(jets).to_numpy() >= 2) & (second > 30))
    after.append(after[-1] & (ak.sum(jets.pt, axis=1).to_numpy() > 150))
    return after


def test_the_events_that_pass_are_those_of_awkward_arrays(selected: Path, path: Path) -> None:
    after = by_awkward_arrays(path)
    record = json.loads((selected / "run.json").read_text())
    counts = [int(events.sum()) for events in after]
    assert 0 < counts[4] < counts[3] < counts[2] < counts[1] == counts[0]
    names = ["all", "filters", *SELECT, "finite"]
    assert record["cutflow"] == [{"name": n, "events": e} for n, e in zip(names, [*counts, counts[-1]], strict=True)]
    with uproot.open(path) as file:
        numbers = file["Events"]["event"].array(library="np")
    assert scored_events(selected)["event"].tolist() == sorted(numbers[after[-1]].tolist())
    with uproot.open(selected / "histograms.root") as file:
        assert file["cutflow/cutflow"].values().tolist() == [*counts, counts[-1]]
        assert file["cutflow/cutflow"].axis().labels() == names
    assert record["configuration"]["select"] == SELECT
    assert json.loads((selected / "models" / "models.json").read_text())["select"] == SELECT


def test_a_varied_scale_moves_events_over_the_cuts(selected: Path, path: Path) -> None:
    with uproot.open(selected / "histograms.root") as file:
        for direction, scale in (("up", 1.03), ("down", 0.97)):
            passed = by_awkward_arrays(path, scale)[-1]
            assert file[f"variations/jes_{direction}/features/HT"].values(flow=True).sum() == passed.sum()
        assert file["features/HT"].values(flow=True).sum() == by_awkward_arrays(path)[-1].sum()
        sums = {file[f"variations/jes_{name}/features/HT"].values(flow=True).sum() for name in ("up", "down")}
    assert len(sums) == 2


def test_cuts_travel_with_the_models_and_parts_merge(selected: Path, path: Path, tmp_path: Path) -> None:
    models = str(selected / "models")
    whole = start(path, tmp_path / "whole", models=models)
    np.testing.assert_equal(scored_events(whole), scored_events(selected))
    parts = [
        start(path, tmp_path / f"part{first}", models=models, entries=[first, last])
        for first, last in ((0, 3), (3, 120), (120, 200))
    ]
    merge_parts(parts, tmp_path / "merged", "test")
    assert_same_results(tmp_path / "merged", whole, at_least=5)
    cutflows = [json.loads((folder / "run.json").read_text())["cutflow"] for folder in (tmp_path / "merged", whole)]
    assert cutflows[0] == cutflows[1]


TRIGGERS = ["HLT_PFJet*", "HLT_AK4PFJet30", "HLT_Nonsense", "!HLT_Mu8*", "!HLT_Ele9999"]


def fired(path: Path) -> NDArray[np.bool_]:
    """In which events a jet trigger has fired and no muon trigger of 8 GeV."""
    with uproot.open(path) as file:
        tree = file["Events"]
        names = list(tree.keys())
        jets = [name for name in names if name.startswith("HLT_PFJet") or name == "HLT_AK4PFJet30"]
        muons = [name for name in names if name.startswith("HLT_Mu8")]
        assert len(jets) > 5
        assert len(muons) > 2
        jets_fired, muons_fired = (
            np.any([tree[n].array(library="np") for n in names], axis=0) for names in (jets, muons)
        )
    return jets_fired & ~muons_fired


def test_triggers_are_the_first_cut(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = {"features": ["HT", "MET"], "detectors": "isolation_forest", "select": {"hard": "HT > 100"}}
    results = start(path, tmp_path / "run", triggers=TRIGGERS, filters="none", **options)
    passed = fired(path)
    hard = passed & (ak.sum(reference.nanoaod_objects(path).jets.pt, axis=1).to_numpy() > 100)
    record = json.loads((results / "run.json").read_text())
    counts = [200, int(passed.sum()), int(hard.sum()), int(hard.sum())]
    assert counts[0] > counts[1] > counts[2] > 0
    assert [cut["events"] for cut in record["cutflow"]] == counts
    assert [cut["name"] for cut in record["cutflow"]] == ["all", "triggers", "hard", "finite"]
    assert record["cuts"].keys() == {"triggers", "hard"}
    with uproot.open(path) as file:
        numbers = file["Events"]["event"].array(library="np")
    assert scored_events(results)["event"].tolist() == sorted(numbers[hard].tolist())
    lacking = "no trigger HLT_Nonsense, !HLT_Ele9999: the sample has no such column"
    assert {"kind": "schema", "sentence": lacking} in record["warnings"]
    assert f"warning: {lacking}" in capsys.readouterr().err


BLOCKS = {"1": [[2272915, 2272916], [2272919, 2272920]], "2": [[1, 9]]}


@pytest.fixture
def sample(path: Path, tmp_path: Path) -> Path:
    """A sample file with triggers and certified runs."""
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "runs.json").write_text(json.dumps(BLOCKS))
    keys = {"schema": "cms_nanoaod", "triggers": TRIGGERS, "certified": "lists/runs.json"}
    sample = tmp_path / "jets.yaml"
    sample.write_text(yaml.safe_dump({**keys, "files": [{"path": str(path)}]}))
    return sample


def test_a_sample_carries_triggers_and_certified_runs_and_so_do_its_batch_jobs(
    sample: Path, path: Path, tmp_path: Path, selected: Path
) -> None:
    models = str(selected / "models")
    whole = start(sample, tmp_path / "whole", models=models, schema=None)
    with uproot.open(path) as file:
        blocks = file["Events"]["luminosityBlock"].array(library="np")
    certified = np.isin(blocks, [2272915, 2272916, 2272919, 2272920])
    passed = certified & unspoiled(path)
    counts = [200, int(certified.sum()), int(passed.sum()), int((passed & fired(path)).sum())]
    assert counts[0] > counts[1] > counts[3] > 0
    record = json.loads((whole / "run.json").read_text())
    assert [cut["events"] for cut in record["cutflow"][:4]] == counts
    assert [cut["name"] for cut in record["cutflow"]][:4] == ["all", "certified", "filters", "triggers"]
    assert record["sample"]["triggers"] == TRIGGERS
    digest = hashlib.sha256(json.dumps(BLOCKS).encode()).hexdigest()
    described = {"name": "runs.json", "sha256": digest, "runs": 2, "sections": 4 + 9}
    assert record["sample"]["certified"] == described
    assert record["sample"]["uncertified"] is False

    configuration = load_configuration(RunConfiguration, {"sample": str(sample), "models": models}, None)
    (tmp_path / "batch").mkdir()
    sample_of_jobs = inspect_sample(configuration).write(tmp_path / "batch")
    (tmp_path / "lists" / "runs.json").unlink()  # a job on another machine has the list that was shipped
    options = {"models": models, "schema": None}
    parts = [
        start(sample_of_jobs, tmp_path / f"part{first}", entries=[first, last], **options)
        for first, last in ((0, 90), (90, 200))
    ]
    merge_parts(parts, tmp_path / "merged", "test")
    assert_same_results(tmp_path / "merged", whole, at_least=1)
    assert json.loads((tmp_path / "merged" / "run.json").read_text())["sample"]["certified"] == described

    (tmp_path / "other.json").write_text(json.dumps({**BLOCKS, "3": []}))
    options["certified"] = str(tmp_path / "other.json")
    parts[0] = start(sample_of_jobs, tmp_path / "other", entries=[0, 90], **options)
    with pytest.raises(DamagedPart, match=r"is of another sample than .*: sample \(certified\) differs"):
        merge_parts(parts, tmp_path / "again", "test")


def test_without_its_list_a_sample_is_called_uncertified_everywhere(
    sample: Path, tmp_path: Path, selected: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "lists" / "runs.json").unlink()
    results = start(sample, tmp_path / "run", models=str(selected / "models"), schema=None, uncertified=True)
    said = capsys.readouterr()
    warning = "UNCERTIFIED: the sample's list of certified runs is not applied"
    assert f"warning: {warning}" in said.err
    assert "UNCERTIFIED RUNS" in said.out
    record = json.loads((results / "run.json").read_text())
    assert record["sample"]["uncertified"] is True
    assert "certified" not in record["sample"]
    assert any(each["sentence"].startswith(warning) for each in record["warnings"])
    assert [cut["name"] for cut in record["cutflow"]][:3] == ["all", "filters", "triggers"]
    assert "jets (UNCERTIFIED)" in (results / "anomalies.csv").read_text()
    for name in ("events.root", "histograms.root"):
        with uproot.open(results / name) as file:
            assert "UNCERTIFIED" in file
            assert json.loads(file["provenance"].member("fTitle"))["sample"]["uncertified"] is True
    assert "UNCERTIFIED RUNS" in write_report(results).path.read_text()
    # A job has no list either.
    configuration = {"sample": str(sample), "models": str(selected / "models"), "uncertified": True}
    (tmp_path / "batch").mkdir()
    batch = inspect_sample(load_configuration(RunConfiguration, configuration, None)).write(tmp_path / "batch")
    assert resolve(batch, uncertified=True).describe() == resolve(sample, uncertified=True).describe()


def test_a_list_for_other_runs_ends_in_one_line(path: Path, opendata: Path, tmp_path: Path) -> None:
    for blocks, message in (
        ({"273158": [[1, 9]]}, "the events are of run 1, and runs.json lists none of that, but run 273158; name the"),
        ({"1": [[1, 9]], "5": []}, "the events are of run 1, and runs.json lists other luminosity blocks; name the"),
    ):
        (tmp_path / "runs.json").write_text(json.dumps(blocks))
        options = {"certified": str(tmp_path / "runs.json"), "detectors": "isolation_forest", "features": ["HT"]}
        with pytest.raises(NoEvents, match=f"no event passes the cut 'certified': {message}") as said:
            start(path, tmp_path / "out", **options)
        assert "\n" not in str(said.value)
    with pytest.raises(ConfigurationError, match="select: with certified there is a cut 'certified' already"):
        start(path, tmp_path / "out", select={"certified": "HT > 1"}, **options)
    with pytest.raises(ConfigurationError, match=r"schema atlas2020 the events of data_A.4lep.root have no luminosity"):
        start(opendata / "atlas2020" / "data_A.4lep.root", tmp_path / "out", **{**options, "schema": "atlas2020"})


def test_noise_filters_that_a_file_lacks_are_told(
    path: Path, tmp_path: Path, selected: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lacking = "no noise filter Flag_globalSuperTightHalo2016Filter, Flag_BadPFMuonFilter, Flag_BadPFMuonDzFilter: the"
    record = json.loads((selected / "run.json").read_text())
    assert any(warning["sentence"].startswith(lacking) for warning in record["warnings"])
    assert record["cuts"]["filters"].split(" && ") == [
        *("Flag_goodVertices", "Flag_HBHENoiseFilter", "Flag_HBHENoiseIsoFilter"),
        *("Flag_EcalDeadCellTriggerPrimitiveFilter", "Flag_eeBadScFilter"),
    ]
    with pytest.raises(SchemaError, match="filters: the sample has no Flag_goodVertixes; did you mean Flag_goodVert"):
        start(path, tmp_path / "out", filters="Flag_goodVertixes", detectors="isolation_forest")


def test_a_trigger_that_no_file_has_ends_in_one_line(path: Path, tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"triggers: the sample has no HLT_PFJett40; did you mean HLT_PFJet40"):
        start(path, tmp_path / "out", triggers="HLT_PFJett40", detectors="isolation_forest")
    with pytest.raises(ConfigurationError, match="there is a cut 'triggers' already"):
        start(path, tmp_path / "out", triggers="HLT_PFJet40", select={"triggers": "HT > 1"})
    with pytest.raises(ConfigurationError, match="triggers"):
        start(path, tmp_path / "out", triggers="HLT_PFJet40 || true")


def test_the_cut_that_took_the_last_event_is_named(path: Path, tmp_path: Path, selected: Path) -> None:
    cuts = {"jets": "n_jets >= 2", "huge": "HT > 1e5", "more": "MET > 0"}
    with pytest.raises(
        NoEvents, match=r"no event passes the cut 'huge', 'HT > 1e5', to which \d+ events came; check"
    ) as said:
        start(path, tmp_path / "out", select=cuts, detectors="isolation_forest")
    assert len(str(said.value).splitlines()) == 1
    assert not list((tmp_path / "out").iterdir())


def other_file(path: Path, **columns: NDArray[np.int32]) -> Path:
    """Twenty made-up events of NanoAOD whose leptons are identified, with these branches besides."""
    made = nanoaod(20, 1)
    identified: dict[str, Any] = {
        "Electron_cutBased": [[4] * len(event) for event in made["Electron_charge"]],
        "Muon_looseId": [[True] * len(event) for event in made["Muon_charge"]],
        "Muon_pfRelIso04_all": [[0.0] * len(event) for event in made["Muon_charge"]],
    }
    kinds = {
        **NANOAOD_KINDS,
        **dict(zip(identified, ("int32[]", "bool[]", "float32[]"), strict=True)),
        **dict.fromkeys(columns, "int32"),
    }
    return write_ttree(path, "Events", {**made, **identified, **columns}, kinds)


VERTICES = "no event passes the cut 'vertices', 'PV_npvsGood >= 6', to which 20 events came"
NO_BRANCH = r"select 'vertices', 'PV_npvsGood >= 6': .*did you mean PV_npvsGod"


def test_cuts_of_models_are_told_of_alike_in_runs_and_batches(selected: Path, tmp_path: Path) -> None:
    models = str(selected / "models")
    none = other_file(tmp_path / "none.root", PV_npvsGood=np.full(20, 3))
    with pytest.raises(NoEvents, match=VERTICES):
        start(none, tmp_path / "out", models=models)
    parts = [start(none, tmp_path / f"part{i}", models=models, entries=[i, i + 10]) for i in (0, 10)]
    with pytest.raises(NoEvents, match="no event passes the cut 'vertices' in any part"):
        merge_parts(parts, tmp_path / "merged", "test")
    lacking = other_file(tmp_path / "lacking.root", PV_npvsGod=np.full(20, 9))
    with pytest.raises(SchemaError, match=NO_BRANCH):
        start(lacking, tmp_path / "out", models=models)
    given = {"sample": str(lacking), "schema": "cms_nanoaod", "models": models}
    with pytest.raises(SchemaError, match=NO_BRANCH):
        inspect_sample(load_configuration(RunConfiguration, given, None))


def test_a_watch_sets_a_file_aside_that_lacks_the_branch_of_a_cut(selected: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    other_file(tmp_path / "in" / "a.root", PV_npvsGood=np.full(20, 3))
    other_file(tmp_path / "in" / "b.root", PV_npvsGod=np.full(20, 9))
    output = tmp_path / "out"
    command = [*("-m", "analysis.watch", str(tmp_path / "in")), *("--models", str(selected / "models"))]
    with subprocess.Popen([sys.executable, *command, "--output", str(output), "--settle", "0"]) as watch:
        until = time.monotonic() + 300
        try:
            while not ((output / "set_aside.csv").exists() and [*output.glob("parts/*/run.json")]):
                assert time.monotonic() < until, "in vain"
                time.sleep(0.05)
        finally:
            watch.send_signal(signal.SIGINT)
    (row,) = csv.DictReader((output / "set_aside.csv").read_text().splitlines())
    assert row["file"].endswith("b.root")
    assert re.search(NO_BRANCH, row["reason"])
    (part,) = output.glob("parts/*/run.json")
    assert [cut["events"] for cut in json.loads(part.read_text())["cutflow"]] == [20, 0, 0, 0, 0]


def test_a_branch_that_no_file_has_is_told_with_near_names(path: Path, tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"select 'it', 'HLT_IsoMu21': .*did you mean HLT_IsoMu2"):
        start(path, tmp_path / "out", select={"it": "HLT_IsoMu21"}, detectors="isolation_forest")


def test_cuts_of_a_stranger_are_formulas(selected: Path, path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    for file in (selected / "models").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    table = json.loads((folder / "models.json").read_text())
    for select, message in (
        ({"x": '[]{ gSystem->Exec("true"); return true; }()'}, "select 'x': "),
        ({'x", 0); evil("': "HT > 1"}, "select"),
    ):
        write_table(folder / "models.json", {**table, "select": select})
        with pytest.raises(ConfigurationError, match=message):
            start(path, tmp_path / "out", models=str(folder))
