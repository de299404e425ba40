"""From --sample to files: the catalogue, a file or an address, and simulation only where it is asked for."""

from __future__ import annotations

import hashlib
import json
import socket
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

import analysis.samples
from analysis.errors import ChecksumMismatch, ConfigurationError, DataError, SampleUnavailable, UnknownSample
from analysis.samples import Sample, find_sample
from analysis.samples.inputs import InputFile, RunInput
from plotting.results.run_record import as_table
from tests.analysis.samples.resolved import resolve
from tests.analysis.samples.tiny import CONTENT

pytestmark = pytest.mark.usefixtures("own_cache")


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
        files=(InputFile(str(path), path.stat().st_size, sha256),),
        tree=None,
        simulated=False,
        doi="10.7483/OPENDATA.CMS.GACK.GEJA",
        record=554,
        licence="CC0-1.0",
        energy="7 TeV",
        luminosity=None,
        simulation=None,
        events=21726,
    )
    described = as_table(resolve("cms2010b", schema="cms_razor").describe())
    assert described["files"] == [{"path": str(path), "size": path.stat().st_size, "sha256": sha256}]
    assert described["schema"] == "cms_razor"
    # It was not simulated, so the name of a generator has no place in its record.
    assert described["simulated"] is False
    assert "simulation" not in described


def test_sample_is_found_where_the_environment_says(portal_down: Path) -> None:
    (portal_down / "a.csv").write_bytes(CONTENT)
    (file,) = resolve("tiny").files
    assert file == InputFile(str(portal_down / "a.csv"), len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


def test_unavailable_sample_is_an_error(portal_down: Path) -> None:
    with pytest.raises(SampleUnavailable, match=r"sample tiny is neither at hand nor downloadable: cannot reach"):
        resolve("tiny")


def test_unavailable_sample_is_simulated_where_that_is_allowed(portal_down: Path) -> None:
    data = resolve("tiny", allow_simulated=True)
    assert (data.simulated, data.files) == (True, ())
    assert (data.simulation, data.events) == ("razor_multijet", 21726)
    assert as_table(data.describe())["simulated"] is True
    assert as_table(data.describe())["simulation"] == "razor_multijet"
    assert as_table(data.describe())["doi"] is None
    assert as_table(data.describe())["stands_in_for"] == {
        "title": "CMS 2010 Run B MultiJet, razor filter",
        "doi": "10.7483/OPENDATA.CMS.GACK.GEJA",
        "record": 554,
        "licence": "CC0-1.0",
    }


def test_sample_at_hand_is_not_simulated(portal_down: Path) -> None:
    (portal_down / "a.csv").write_bytes(CONTENT)
    data = resolve("tiny", allow_simulated=True)
    assert not data.simulated
    assert [file.path for file in data.files] == [str(portal_down / "a.csv")]


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
        files=(InputFile(str((tmp_path / name).resolve()), len(CONTENT), None),),
    )
    assert (data.simulated, data.doi, data.luminosity) == (False, None, None)
    assert as_table(data.describe())["files"] == [
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


def test_a_folder_without_files_of_events_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("nothing")
    with pytest.raises(DataError, match="is a folder in which no file has an ending of a format that is read"):
        resolve(tmp_path, schema="cms_razor")


# --- samples whose published events are simulated


def test_published_simulation_is_no_stand_in(opendata: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENDATA_DIR", str(opendata))
    data = resolve("hzz_tutorial")
    assert (data.simulated, data.simulation, len(data.files)) == (True, None, 1)
    described = as_table(data.describe())
    assert described["simulated"] is True
    assert described["title"] == "CMS HEP tutorial, ZZ"
    assert "simulation" not in described
    assert "stands_in_for" not in described


def test_published_simulation_keeps_its_record() -> None:
    file = InputFile("a.root", 1, None)
    own = RunInput("a", "A", "lhco", (file,), simulated=True, doi="10.5/X", record=1, licence="CC0-1.0")
    described = as_table(own.describe())
    assert [described[key] for key in ("simulated", "doi", "record", "licence")] == [True, "10.5/X", 1, "CC0-1.0"]
    assert "stands_in_for" not in described


def test_sample_without_a_generator_is_never_simulated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENDATA_DIR", raising=False)
    with pytest.raises(SampleUnavailable, match="sample nano_dimuon is neither at hand"):
        resolve("nano_dimuon", allow_simulated=True)


@pytest.mark.parametrize(("sample", "tree"), [("higgs_signal", "sig_tree"), ("higgs_background", "bkg_tree")])
def test_tree_of_the_sample_goes_with_it(
    opendata: Path, monkeypatch: pytest.MonkeyPatch, sample: str, tree: str
) -> None:
    monkeypatch.setenv("OPENDATA_DIR", str(opendata))
    data = resolve(sample)
    assert (data.tree, data.schema_name, data.simulated) == (tree, "higgs", True)
    assert data.files[0].path == str(opendata / "higgs" / "Higgs_data.root")


def test_sample_of_several_files(opendata: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENDATA_DIR", str(opendata))
    data = resolve("atlas2020_4lep")
    assert [Path(file.path).name for file in data.files] == [f"data_{period}.4lep.root" for period in "ABC"]
    assert [file.size for file in data.files] == [25826, 60364, 84525]
    assert data.events == 39 + 156 + 237


# --- files that are read over the network


def test_streamed_sample_comes_with_sizes_and_without_checksums(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, storage: str
) -> None:
    content = json.dumps(
        [{"uri": f"root://{storage}//data/a.root", "size": 7, "checksum": "adler32:0a1b2c3d", "filename": "a.root"}]
    ).encode()
    index = {"path": "a.json", "size": len(content), "adler32": f"{zlib.adler32(content):08x}"}
    keys = {"name": "big", "title": "Big", "schema": "cms_nanoaod", "access": "stream", "indexes": [index]}
    monkeypatch.setattr(analysis.samples, "catalogue", lambda: {"big": Sample.model_validate(keys)})
    monkeypatch.setenv("OPENDATA_DIR", str(tmp_path))
    (tmp_path / "a.json").write_bytes(content)
    assert resolve("big").files == (InputFile(f"root://{storage}//data/a.root", 7, None),)
    (described,) = resolve("big").describe().files
    assert as_table(described) == {"path": f"root://{storage}//data/a.root", "size": 7, "sha256": None}


def test_address_with_a_schema_is_taken(storage: str) -> None:
    url = f"root://{storage}//eos/user/m/me/mine.root"
    assert resolve(url, schema="atlas2020") == RunInput(
        name="mine", title=url, schema_name="atlas2020", files=(InputFile(url, None, None),)
    )


def test_address_whose_host_does_not_answer_is_named() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        port = deaf.getsockname()[1]
        with pytest.raises(SampleUnavailable, match=rf"cannot reach 127\.0\.0\.1:{port} for root://.*refused"):
            resolve(f"root://127.0.0.1:{port}//a.root", schema="atlas2020")


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("https://host/a.root", "cannot be read as it is; give a root:// address, or download it"),
        ("root://host:port//a.root", "is no address of the form root://host//path/file"),
        ("root://", "is no address of the form root://host//path/file"),
    ],
)
def test_address_of_another_form_is_refused(url: str, fault: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"--sample: {url} {fault}"):
        resolve(url, schema="atlas2020")


def test_address_without_a_schema_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"root://host//a\.root is a file: say its format with --schema"):
        resolve("root://host//a.root")
