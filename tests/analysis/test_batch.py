"""What batches know of their samples: jobs that read by it leave what runs on the sample itself leave."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot
import yaml

from analysis.batch import inspect_sample
from analysis.configuration import RunConfiguration
from analysis.errors import ConfigurationError, DataError, SampleUnavailable
from analysis.options import load_configuration
from analysis.output.merging import merge_parts
from analysis.run import run
from models.errors import ModelFolderError
from plotting.results.run_record import as_table
from rdf.cache import cache_folder
from rdf.errors import ScoreMismatch
from tests.models.trained import write_table

pytestmark = pytest.mark.compiler

SIZES = (600, 400)
"""Events in each of two tables."""
SCHEMA = """
title: jets, two a line, without a number
tree: lines
columns: {pt1: float64, eta1: float64, phi1: float64, pt2: float64, eta2: float64, phi2: float64}
quantities:
  jet_pt: {expression: "ROOT::RVec<double>{pt1, pt2}", unit: GeV}
  jet_eta: {expression: "ROOT::RVec<double>{eta1, eta2}"}
  jet_phi: {expression: "ROOT::RVec<double>{phi1, phi2}", unit: rad}
  jet_mass: {expression: "ROOT::RVec<double>(2, 5.0)", unit: GeV}
define:
  imbalance: (jet_pt[0] - jet_pt[1]) / (jet_pt[0] + jet_pt[1])
feature_sets:
  mine: {features: [HT, imbalance], plane: [HT, imbalance]}
features: mine
"""


def configured(**options: Any) -> RunConfiguration:
    return load_configuration(RunConfiguration, {"threads": 1, **options}, None)


def scored(output: Path, **options: Any) -> Path:
    run(configured(output=str(output), **options), "test")
    return output


def record(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "run.json").read_text())
    return found


def events(folder: Path) -> dict[str, np.ndarray]:
    with uproot.open(folder / "events.root") as file:
        columns = file["events"].arrays(library="np")
    order = np.argsort(columns["event"])
    return {name: values[order] for name, values in columns.items()}


def known_beforehand(sample: dict[str, Any]) -> dict[str, Any]:
    """What a batch says of its sample: its jobs do not each read whole files for the sake of their checksums."""
    return {**sample, "files": [{**file, "sha256": None} for file in sample["files"]]}


@pytest.fixture(scope="module")
def folder(apart: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tables of made-up jets, a sample file of both, a schema for them, and models."""
    folder, random = tmp_path_factory.mktemp("batch"), np.random.default_rng(2)
    (folder / "lines.yaml").write_text(SCHEMA)
    for name, size in zip(("a", "b"), SIZES, strict=True):
        pt = np.sort(random.exponential(60, (size, 2)) + 30, axis=1)[:, ::-1]
        angles = random.uniform(-2, 2, (size, 4))
        rows = np.column_stack([pt[:, 0], angles[:, :2], pt[:, 1], angles[:, 2:]])
        header = "pt1,eta1,phi1,pt2,eta2,phi2"
        np.savetxt(folder / f"{name}.csv", rows, "%.6f", delimiter=",", header=header, comments="")
    (folder / "jets.yaml").write_text(
        "title: My jets\nschema: lines.yaml\ndoi: 10.5/MINE\nlicence: CC0-1.0\nenergy: 13 TeV\nluminosity: 1.5\n"
        "files: [{path: a.csv}, {path: b.csv}]\n"
    )
    scored(folder / "trained", sample=str(folder / "jets.yaml"), detectors="isolation_forest")
    return folder


@pytest.fixture(scope="module")
def models(folder: Path) -> Path:
    return folder / "trained" / "models"


def test_tables_are_converted_once_and_described_as_they_were(folder: Path, models: Path, tmp_path: Path) -> None:
    batch = inspect_sample(configured(sample=str(folder / "jets.yaml"), models=str(models)))
    assert (batch.events, batch.schema) == (SIZES, SCHEMA)
    converted = cache_folder() / "converted"
    assert [Path(file).parent for file in batch.files] == [converted, converted]
    assert as_table(batch.data.describe()) == known_beforehand(record(folder / "trained")["sample"])
    assert [Path(file.path).name for file in batch.data.describe().files] == ["a.csv", "b.csv"]

    path = batch.write(tmp_path)
    assert path == tmp_path / "jets.yaml"
    assert yaml.safe_load(path.read_text()) == {
        "name": "jets",
        "title": "My jets",
        "schema": "schema/lines.yaml",
        "doi": "10.5/MINE",
        "licence": "CC0-1.0",
        "energy": "13 TeV",
        "luminosity": 1.5,
        "files": [
            {
                "path": file,
                "events": size,
                "size": Path(file).stat().st_size,
                "copy_of": {"path": str(folder / name), "size": (folder / name).stat().st_size},
            }
            for file, size, name in zip(batch.files, SIZES, ("a.csv", "b.csv"), strict=True)
        ],
    }
    assert (tmp_path / "schema" / "lines.yaml").read_text() == SCHEMA


def test_jobs_need_only_the_files_that_hold_their_entries(folder: Path, models: Path, tmp_path: Path) -> None:
    """Each in a folder of its own, with copies; events without numbers get those of the whole sample."""
    batch = inspect_sample(configured(sample=str(folder / "jets.yaml"), models=str(models)))
    parts = []
    for i, (entries, needed) in enumerate({(0, 250): (0,), (250, 600): (0,), (600, 1000): (1,)}.items()):
        job = tmp_path / f"job{i}"
        (job / "data").mkdir(parents=True)
        places = {file: f"data/{Path(file).name}" for file in batch.files}
        sample = batch.write(job, places)
        for k in needed:
            shutil.copy(batch.files[k], job / places[batch.files[k]])
        parts.append(scored(job / "part", sample=str(sample), models=str(models), entries=f"{entries[0]}:{entries[1]}"))
    merge_parts(parts, tmp_path / "merged", "merge", (0, 1000))
    whole = scored(tmp_path / "whole", sample=str(folder / "jets.yaml"), models=str(models))
    expected, found = events(whole), events(tmp_path / "merged")
    np.testing.assert_array_equal(found["event"], np.arange(1000))
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)
    assert known_beforehand(record(tmp_path / "merged")["sample"]) == known_beforehand(record(whole)["sample"])
    assert (tmp_path / "merged" / "anomalies.csv").read_text() == (whole / "anomalies.csv").read_text()
    # The files that it did not need were not there.
    with pytest.raises(DataError, match=r"data/b-\w+\.root does not exist; check `files` in"):
        scored(tmp_path / "no", sample=str(tmp_path / "job0" / "jets.yaml"), models=str(models), entries="0:601")


def test_a_file_with_other_events_than_planned_is_refused(folder: Path, models: Path, tmp_path: Path) -> None:
    batch = inspect_sample(configured(sample=str(folder / "jets.yaml"), models=str(models)))
    sample = batch.write(tmp_path)
    sample.write_text(sample.read_text().replace("events: 600", "events: 601"))
    fault = rf"^{batch.files[0]} holds 600 events, where the sample says 601; correct `events` there, or get the file"
    with pytest.raises(DataError, match=fault):
        scored(tmp_path / "out", sample=str(sample), models=str(models), entries="0:10")


def test_the_compiled_code_is_named(folder: Path, models: Path) -> None:
    """That of the graph, of the columns and of the detector: all that the run before has compiled."""
    batch = inspect_sample(configured(sample=str(folder / "jets.yaml"), models=str(models)))
    compiled = (cache_folder() / "compiled").resolve()
    assert all(place.parent == compiled and place.suffix == ".so" for place in batch.libraries)
    contents = [place.read_bytes() for place in batch.libraries]
    for symbol in (b"graph9EventLoop", b"graph10Histograms", b"define", b"columns_"):
        assert any(symbol in content for content in contents), symbol


def test_events_of_a_stand_in_stay_marked(
    apart: None, models: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("OPENDATA_DIR")
    monkeypatch.setattr("analysis.samples.fetch.fetch_file", unreachable)
    options = {"sample": "cms2010b", "allow_simulated": True}
    trained = scored(tmp_path / "trained", **options, detectors="isolation_forest", train_events=1000)
    batch = inspect_sample(configured(**options, models=str(trained / "models")))
    assert as_table(batch.data.describe()) == known_beforehand(record(trained)["sample"])
    sample = batch.write(tmp_path)
    part = scored(tmp_path / "part", sample=str(sample), models=str(trained / "models"), entries="100:3000")
    found = record(part)["sample"]
    assert known_beforehand(found) == known_beforehand(record(trained)["sample"])
    assert (found["simulated"], found["title"]) == (True, "stand-in for CMS 2010 Run B MultiJet, razor filter")
    assert found["stands_in_for"]["doi"] == "10.7483/OPENDATA.CMS.GACK.GEJA"
    for name in ("events.root", "histograms.root"):
        with uproot.open(part / name) as file:
            assert "SIMULATED" in file
    assert "cms2010b (SIMULATED)" in (part / "anomalies.csv").read_text()


def unreachable(*_: object) -> None:
    raise SampleUnavailable("no network")


def test_models_that_would_end_every_job_are_found_before(folder: Path, models: Path, tmp_path: Path) -> None:
    sample = str(folder / "jets.yaml")
    with pytest.raises(ConfigurationError, match=r"a batch only scores; name models with --models"):
        inspect_sample(configured(sample=sample))
    with pytest.raises(ConfigurationError, match="trained on the schema lines, the sample has the schema cms_razor"):
        inspect_sample(configured(sample="cms2010b", models=str(models)))
    broken = shutil.copytree(models, tmp_path / "broken")
    table = json.loads((broken / "models.json").read_text())
    scores = table["reference"]["scores"]["isolation_forest"]
    table["reference"]["scores"]["isolation_forest"] = [[score + 0.1 for score in of_fold] for of_fold in scores]
    write_table(broken / "models.json", table)
    with pytest.raises(ScoreMismatch, match="isolation_forest"):
        inspect_sample(configured(sample=sample, models=str(broken)))
    (broken / "isolation_forest.onnx").unlink()
    with pytest.raises(ModelFolderError, match=r"isolation_forest\.onnx is missing"):
        inspect_sample(configured(sample=sample, models=str(broken)))
