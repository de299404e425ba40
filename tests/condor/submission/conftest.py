"""A batch that can be prepared and submitted without ROOT and without a pool."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.batch import BatchInput
from analysis.options import load_configuration
from analysis.samples.inputs import InputFile, RunInput
from condor.configuration import BatchConfiguration
from tests.condor.submission.listed_dags import ListedDags


@pytest.fixture
def schedd(monkeypatch: pytest.MonkeyPatch) -> ListedDags:
    listed = ListedDags()
    monkeypatch.setattr("condor.submission.Schedd", lambda: listed)
    return listed


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "models.json").write_text("{}")
    (folder / "forest.onnx").write_text("network")
    return folder


@pytest.fixture(autouse=True)
def inspected(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> BatchInput:
    """Spare the tests ROOT: the sample is two files of 600 and 400 events."""
    library = tmp_path / "root-anomaly-search" / "compiled" / "abc.so"
    library.parent.mkdir(parents=True)
    library.write_text("library")
    files = tuple(InputFile(f"/data/{name}.root", 50_000_000, None, n) for name, n in (("a", 600), ("b", 400)))
    data = RunInput(name="qcd", title="QCD", schema_name="cms_nanoaod", files=files)
    found = BatchInput(data, None, (library,), "0" * 64)
    monkeypatch.setattr("condor.submission.inspect_sample", lambda _: found)
    return found


@pytest.fixture
def configured(models: Path, tmp_path: Path) -> Callable[..., BatchConfiguration]:
    def configure(**options: Any) -> BatchConfiguration:
        common = {
            "sample": "qcd.root",
            "models": models,
            "output": tmp_path / "out",
            "python": "/opt/python/bin/python",
        }
        return load_configuration(BatchConfiguration, {**common, **options}, None)

    return configure
