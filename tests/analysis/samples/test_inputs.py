"""From --sample to files: the catalogue, the user's own file, and simulation only where it is asked for."""

from __future__ import annotations

import hashlib
import json
import socket
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import analysis.samples
from analysis.configuration import RunConfiguration
from analysis.errors import ChecksumMismatch, ConfigurationError, DataError, SampleUnavailable, UnknownSample
from analysis.options import load_configuration
from analysis.samples import Sample, find_sample
from analysis.samples.inputs import InputFile, RunInput, resolve_input
from plotting.results.run_record import as_table

pytestmark = pytest.mark.usefixtures("own_cache")

CONTENT = b"Run,Lumi,Event\n147926,1,1\n"


def resolve(sample: object, **options: Any) -> RunInput:
    return resolve_input(load_configuration(RunConfiguration, {"sample": str(sample), **options}, None))


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


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


@pytest.fixture
def storage() -> Iterator[str]:
    """A host and port that answer, as those of a server of root:// addresses would."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


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


# --- the user's own schema and sample file


def test_schema_of_the_users_own_is_passed_on_as_given(tmp_path: Path) -> None:
    (tmp_path / "mine.root").write_bytes(CONTENT)
    assert resolve(tmp_path / "mine.root", schema="schemas/mine.yaml").schema_name == "schemas/mine.yaml"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder with two files of data."""
    folder = tmp_path / "own"
    (folder / "data").mkdir(parents=True)
    for name in ("a.csv", "b.csv"):
        (folder / "data" / name).write_bytes(CONTENT)
    return folder


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_sample_file_makes_one_sample_of_several_files(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(own / "mine.yaml", "schema: cms_razor\nfiles:\n  - path: data/a.csv\n  - path: data/b.csv\n")
    monkeypatch.chdir(own.parent)  # paths are relative to the file, not to where the program runs
    assert resolve("own/mine.yaml") == RunInput(
        name="mine",
        title="mine",
        schema_name="cms_razor",
        files=tuple(InputFile(str(own / "data" / name), len(CONTENT), None) for name in ("a.csv", "b.csv")),
    )


def test_sample_file_says_what_it_likes(own: Path, storage: str) -> None:
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    path = write(
        own / "mine.yaml",
        f"""
        title: My collisions
        schema: formats/mine.yaml
        tree: collisions
        doi: 10.5/MINE
        licence: CC0-1.0
        energy: 13 TeV
        luminosity: 1.5
        events: 2
        simulated: true
        files:
          - {{path: data/a.csv, size: {len(CONTENT)}, sha256: {sha256}}}
          - {{url: "root://{storage}//data/b.root", size: 12}}
          - {{path: {own}/data/b.csv, adler32: "{zlib.adler32(CONTENT):08x}"}}
        """,
    )
    assert resolve(path) == RunInput(
        name="mine",
        title="My collisions",
        schema_name=str(own / "formats" / "mine.yaml"),
        files=(
            InputFile(str(own / "data" / "a.csv"), len(CONTENT), sha256),
            InputFile(f"root://{storage}//data/b.root", 12, None),
            InputFile(str(own / "data" / "b.csv"), len(CONTENT), None),
        ),
        tree="collisions",
        simulated=True,
        doi="10.5/MINE",
        licence="CC0-1.0",
        energy="13 TeV",
        luminosity=1.5,
        events=2,
    )


# --- some entries of a sample file that says how many events each file holds

COUNTED = "schema: cms_razor\nfiles:\n" + "".join(
    f"  - {{path: data/{name}.csv, events: {events}}}\n" for name, events in (("a", 100), ("b", 50), ("c", 0), ("d", 7))
)


@pytest.mark.parametrize(
    ("entries", "names", "skipped"),
    [
        ("0:1", "a", 0),
        ("0:100", "a", 0),
        ("99:101", "ab", 0),
        ("100:150", "b", 100),
        ("149:150", "b", 100),
        ("149:151", "bcd", 100),
        ("150:157", "d", 150),
        ("0:157", "abcd", 0),
    ],
)
def test_only_the_files_that_hold_the_entries_are_looked_at(
    entries: str, names: str, skipped: int, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    for name in names:
        (tmp_path / "data" / f"{name}.csv").write_bytes(CONTENT)
    data = resolve(write(tmp_path / "mine.yaml", COUNTED), entries=entries)
    events = {"a": 100, "b": 50, "c": 0, "d": 7}
    assert data.skipped == skipped
    assert [(Path(file.path).stem, file.events) for file in data.files] == [(name, events[name]) for name in names]
    (tmp_path / "data" / f"{names[-1]}.csv").unlink()
    with pytest.raises(DataError, match=rf"data/{names[-1]}\.csv does not exist; check `files` in"):
        resolve(tmp_path / "mine.yaml", entries=entries)


def test_entries_beyond_the_last_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="--entries 157:160: the sample has 157 events"):
        resolve(write(tmp_path / "mine.yaml", COUNTED), entries="157:160")


def test_all_files_are_looked_at_where_one_does_not_say_its_events(own: Path) -> None:
    path = write(own / "mine.yaml", "schema: cms_razor\nfiles: [{path: data/a.csv, events: 9}, {path: data/b.csv}]")
    data = resolve(path, entries="0:9")
    assert ([Path(file.path).name for file in data.files], data.skipped) == (["a.csv", "b.csv"], 0)


def test_a_copy_is_described_as_what_it_is_a_copy_of(own: Path) -> None:
    sha256 = "ab" * 32
    path = write(
        own / "mine.yaml",
        f"""
        schema: cms_razor
        files:
          - {{path: data/a.csv, copy_of: {{path: /far/away/A.csv, size: 12, sha256: {sha256}}}}}
          - {{path: data/b.csv, copy_of: {{path: "root://host//b.csv"}}}}
        """,
    )
    data = resolve(path)
    assert [Path(file.path).name for file in data.files] == ["a.csv", "b.csv"]
    assert as_table(data.describe())["files"] == [
        {"path": "/far/away/A.csv", "size": 12, "sha256": sha256},
        {"path": "root://host//b.csv", "size": None, "sha256": None},
    ]


def test_sample_file_without_a_schema_takes_the_options(own: Path) -> None:
    path = write(own / "mine.yml", "files: [{path: data/a.csv}]")
    assert resolve(path, schema="cms_razor").schema_name == "cms_razor"
    with pytest.raises(ConfigurationError, match="sample mine has no `schema`; add it there or say it with --schema"):
        resolve(path)
    write(path, "schema: cms_dimuon\nfiles: [{path: data/a.csv}]")
    with pytest.raises(ConfigurationError, match="--schema: sample mine has the schema cms_dimuon; leave it out"):
        resolve(path, schema="cms_razor")


@pytest.mark.parametrize(
    ("keys", "error", "fault"),
    [
        ("files: [{path: data/c.csv}]", DataError, r"own/data/c\.csv does not exist; check `files` in .*mine\.yaml"),
        ("files: [{path: data, size: 5}]", ConfigurationError, r"mine\.yaml: `size` of data is that of one file; list"),
        (
            "files: [{path: data/a.csv, size: 5}]",
            ChecksumMismatch,
            rf"a\.csv is not the file that .*mine\.yaml describes: expected 5 bytes, found {len(CONTENT)}; correct one",
        ),
        ("files: []", ConfigurationError, "mine.yaml is no sample .*needs either `files` or `indexes`"),
        ("fils: [{path: data/a.csv}]", ConfigurationError, "mine.yaml is no sample .*fils: Extra inputs"),
        ("- a", ConfigurationError, "mine.yaml is no sample"),
        ("name: other\nfiles: [{path: data/a.csv}]", ConfigurationError, "describes the sample other; rename"),
        ("indexes: [{url: 'root://host//a.json'}]", ConfigurationError, "`indexes` is for samples of the catalogue"),
        ("files: [{url: 'https://host/a.root'}]", ConfigurationError, "https://host/a.root cannot be read as it is; "),
    ],
)
def test_fault_in_a_sample_file_is_named(own: Path, keys: str, error: type[Exception], fault: str) -> None:
    with pytest.raises(error, match=fault):
        resolve(write(own / "mine.yaml", keys), schema="cms_razor")


def test_sample_file_that_is_missing_is_named(own: Path) -> None:
    with pytest.raises(DataError, match=r"none\.yaml does not exist; check --sample"):
        resolve(own / "none.yaml", schema="cms_razor")
