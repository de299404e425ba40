"""From --sample to files: the catalogue, the user's own file, and simulation only where it is asked for."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import analysis.samples
from analysis.configuration import load_configuration
from analysis.errors import ChecksumMismatch, ConfigurationError, DataError, SampleUnavailable, UnknownSample
from analysis.inputs import InputFile, RunInput, resolve_input
from analysis.samples import Sample, find_sample

CONTENT = b"Run,Lumi,Event\n147926,1,1\n"


def resolve(sample: object, **options: Any) -> RunInput:
    return resolve_input(load_configuration({"sample": str(sample), **options}, None))


@pytest.fixture
def portal_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A catalogue of one small sample whose portal refuses, and the folder where its file may be put."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # bound, so that nobody else takes the port, but not listening
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/a.csv.gz"
        sample = find_sample("cms2010b").model_dump(by_alias=True)
        file = sample["files"][0]
        sample["name"] = "tiny"
        sample["files"] = [
            {
                "path": "tiny/a.csv",
                "size": len(CONTENT),
                "sha256": hashlib.sha256(CONTENT).hexdigest(),
                "download": file["download"] | {"url": url},
            }
        ]
        tiny = Sample.model_validate(sample)
        monkeypatch.setattr(analysis.samples, "catalogue", lambda: {"tiny": tiny})
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        monkeypatch.setenv("OPENDATA_DIR", str(tmp_path / "opendata"))
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        monkeypatch.chdir(tmp_path)
        (tmp_path / "opendata" / "tiny").mkdir(parents=True)
        yield tmp_path / "opendata" / "tiny"


def test_sample_of_the_catalogue_comes_with_its_record(opendata: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENDATA_DIR", str(opendata))
    path = opendata / "cms2010b" / "MultiJetRun2010B.csv"
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    assert resolve("cms2010b") == RunInput(
        name="cms2010b",
        title="CMS 2010 Run B MultiJet, razor filter",
        schema_name="cms_razor",
        files=(InputFile(path, path.stat().st_size, sha256),),
        simulated=False,
        doi="10.7483/OPENDATA.CMS.GACK.GEJA",
        record=554,
        licence="CC0-1.0",
        energy="7 TeV",
        luminosity=None,
        simulation="razor_multijet",
        events=21726,
    )
    described = resolve("cms2010b", schema="cms_razor").describe()
    assert described["files"] == [{"path": str(path), "size": path.stat().st_size, "sha256": sha256}]
    assert described["schema"] == "cms_razor"
    # It was not simulated, so the name of a generator has no place in its record.
    assert described["simulated"] is False
    assert "simulation" not in described


def test_sample_is_found_where_the_environment_says(portal_down: Path) -> None:
    (portal_down / "a.csv").write_bytes(CONTENT)
    (file,) = resolve("tiny").files
    assert file == InputFile(portal_down / "a.csv", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


def test_unavailable_sample_is_an_error(portal_down: Path) -> None:
    with pytest.raises(SampleUnavailable, match=r"sample tiny is neither at hand nor downloadable: cannot reach"):
        resolve("tiny")


def test_unavailable_sample_is_simulated_where_that_is_allowed(portal_down: Path) -> None:
    data = resolve("tiny", allow_simulated=True)
    assert (data.simulated, data.files) == (True, ())
    assert (data.simulation, data.events) == ("razor_multijet", 21726)
    assert data.describe()["simulated"] is True
    assert data.describe()["simulation"] == "razor_multijet"


def test_sample_at_hand_is_not_simulated(portal_down: Path) -> None:
    (portal_down / "a.csv").write_bytes(CONTENT)
    data = resolve("tiny", allow_simulated=True)
    assert not data.simulated
    assert [file.path for file in data.files] == [portal_down / "a.csv"]


def test_damaged_sample_is_not_replaced_by_a_simulation(portal_down: Path) -> None:
    (portal_down / "a.csv").write_bytes(CONTENT[::-1])
    with pytest.raises(ChecksumMismatch, match=r"a\.csv is not the published file"):
        resolve("tiny", allow_simulated=True)


def test_unknown_sample_is_not_simulated(portal_down: Path) -> None:
    with pytest.raises(UnknownSample, match="no sample 'tini' in the catalogue; did you mean tiny"):
        resolve("tini", allow_simulated=True)


def test_other_schema_than_the_samples_is_refused(portal_down: Path) -> None:
    with pytest.raises(ConfigurationError, match="--schema: sample tiny has the schema cms_razor; leave it out"):
        resolve("tiny", schema="cms_nano")


@pytest.mark.parametrize("name", ["mine.csv", "mine"])
def test_file_with_a_schema_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (tmp_path / name).write_bytes(CONTENT)
    monkeypatch.chdir(tmp_path)
    data = resolve(name, schema="cms_razor")
    assert data == RunInput(
        name="mine",
        title=name,
        schema_name="cms_razor",
        files=(InputFile((tmp_path / name).resolve(), len(CONTENT), None),),
    )
    assert (data.simulated, data.doi, data.luminosity) == (False, None, None)
    assert data.describe()["files"] == [
        {"path": str((tmp_path / name).resolve()), "size": len(CONTENT), "sha256": None}
    ]


def test_file_without_a_schema_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_bytes(CONTENT)
    with pytest.raises(ConfigurationError, match=r"mine\.csv is a file: say its format with --schema"):
        resolve(tmp_path / "mine.csv")


@pytest.mark.parametrize("sample", ["none.csv", "data/none", "none.root"])
@pytest.mark.parametrize("allow_simulated", [True, False])
def test_missing_file_is_an_error_and_never_simulated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sample: str, allow_simulated: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=rf"{sample} does not exist; check --sample"):
        resolve(sample, schema="cms_razor", allow_simulated=allow_simulated)


def test_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a folder, not a file"):
        resolve(tmp_path, schema="cms_razor")
