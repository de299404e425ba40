"""The catalogue, the look-up order, and the command line over both; nothing here needs a network."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
import zlib
from collections import Counter
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot
import yaml

import analysis.samples
from analysis.errors import ChecksumMismatch, ConfigurationError, DataError, SampleUnavailable, UnknownSample
from analysis.samples import (
    Sample,
    SampleFile,
    catalogue,
    find_sample,
    list_files,
    locate,
    obtain,
    opendata_folder,
    read_sample,
)
from analysis.samples.__main__ import main
from analysis.samples.checks import check

ROOT_OF_PROJECT = Path(__file__).parents[3]
CONTENT = b"Run,Lumi,Event\n147926,1,1\n"


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that refuses: bound, so that nobody else takes it, but not listening."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        yield deaf.getsockname()[1]


@pytest.fixture
def tiny(closed_port: int) -> Sample:
    """A sample of two files whose portal is down."""
    sample = find_sample("cms2010b").model_dump(by_alias=True)
    url = f"http://127.0.0.1:{closed_port}/"
    sample["files"] = [
        file
        | {"path": f"tiny/{name}", "size": len(CONTENT), "sha256": hashlib.sha256(CONTENT).hexdigest()}
        | {"download": file["download"] | {"url": url + name}}
        for file in sample["files"]
        for name in ("a.csv", "b.csv")
    ]
    return Sample.model_validate(sample | {"name": "tiny"})


def put(folder: Path, *names: str, content: bytes = CONTENT) -> Path:
    for name in names:
        path = folder / "tiny" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name not in ("OPENDATA_DIR", "COLUMNS")}
    return subprocess.run(
        [sys.executable, "-m", "analysis.samples", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT_OF_PROJECT,
        env=inherited | environment,
    )


def test_cms2010b_is_the_published_record() -> None:
    sample = find_sample("cms2010b")
    assert sample.doi == "10.7483/OPENDATA.CMS.GACK.GEJA"
    assert sample.page == "https://opendata.cern.ch/record/554"
    assert sample.schema_name == "cms_razor"
    assert sample.luminosity is None
    (file,) = sample.files
    assert file.download
    assert (file.download.size, file.download.adler32) == (1130837, "9412cf10")


def test_cms2010b_agrees_with_the_file(opendata: Path) -> None:
    sample = find_sample("cms2010b")
    content = (opendata / "cms2010b" / "MultiJetRun2010B.csv").read_bytes()
    (file,) = sample.files
    assert len(content) == file.size
    assert hashlib.sha256(content).hexdigest() == file.sha256
    header, *lines = content.splitlines()
    assert header.startswith(b"Run,Lumi,Event,MR,Rsq,")
    assert len(lines) == sample.events
    # What the catalogue's comment on the missing luminosity says.
    assert {line.partition(b",")[0] for line in lines} == {b"147926", b"147929", b"148029", b"149181"}


def test_unknown_sample_names_the_near_ones() -> None:
    with pytest.raises(UnknownSample, match=r"no sample 'cms2010' in the catalogue; did you mean cms2010b"):
        find_sample("cms2010")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"lumi": 1.0}, "lumi: Extra inputs"),
        ({"events": -1}, "events: "),
        ({"files": []}, "needs either `files` or `indexes`"),
        ({"indexes": [{"url": "root://host//a.json"}]}, "needs either `files` or `indexes`"),
        ({"access": "stream"}, "files.0: `access: stream` needs a `url` of the form root://"),
        ({"files": [{"url": "root://host//a/../../b.root"}]}, "'..' in root://host//a/../../b.root; give a `path`"),
        ({"files": [{"url": "root://host:99999//b.root"}]}, "files.0.url: .*Port out of range"),
        ({"files": [{"url": "/data/b.root"}]}, "files.0.url: "),
        ({"luminosity": "much"}, "luminosity: "),
        ({"name": "other"}, "describes the sample other; rename"),
    ],
)
def test_wrong_key_is_named(tmp_path: Path, change: dict[str, object], fault: str) -> None:
    good = yaml.safe_load((Path(analysis.samples.__file__).parent / "cms2010b.yaml").read_text())
    path = tmp_path / "cms2010b.yaml"
    path.write_text(yaml.safe_dump(good))
    assert read_sample(path) == find_sample("cms2010b")
    path.write_text(yaml.safe_dump(good | change))
    with pytest.raises(ConfigurationError, match=rf"cms2010b\.yaml .*{fault}"):
        read_sample(path)


def test_file_that_is_not_yaml_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("name: [broken\n")
    with pytest.raises(ConfigurationError, match=r"broken\.yaml is not valid YAML"):
        read_sample(path)


def test_opendata_folder_beats_the_cache_file_by_file(tiny: Sample, tmp_path: Path) -> None:
    opendata, cache = put(tmp_path / "opendata", "a.csv"), put(tmp_path / "cache", "a.csv", "b.csv")
    expected = [opendata / "tiny" / "a.csv", cache / "tiny" / "b.csv"]
    assert locate(tiny, opendata, cache) == expected
    assert obtain(tiny, opendata, cache) == list(map(str, expected))
    assert locate(tiny, None, cache) == [cache / "tiny" / "a.csv", cache / "tiny" / "b.csv"]


def test_sample_with_a_file_missing_is_not_at_hand(tiny: Sample, tmp_path: Path) -> None:
    assert locate(tiny, put(tmp_path / "opendata", "a.csv"), tmp_path / "cache") is None


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (CONTENT[:-1], "expected 26 bytes, found 25"),
        (CONTENT[::-1], "expected sha256 [0-9a-f]{64}, found [0-9a-f]{64}"),
    ],
    ids=["cut off", "changed"],
)
def test_damaged_file_is_an_error_and_not_passed_over(tiny: Sample, tmp_path: Path, content: bytes, fault: str) -> None:
    opendata, cache = put(tmp_path / "opendata", "b.csv", content=content), put(tmp_path / "cache", "a.csv", "b.csv")
    for look_up in (locate, obtain):
        with pytest.raises(
            ChecksumMismatch, match=rf"opendata/tiny/b\.csv is not the published file: {fault}; replace"
        ):
            look_up(tiny, opendata, cache)


def test_unavailable_sample_names_the_file_and_both_remedies(
    tiny: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(SampleUnavailable) as caught:
        obtain(tiny, put(tmp_path / "opendata", "a.csv"), tmp_path / "cache")
    message = str(caught.value)
    assert "put tiny/b.csv (https://opendata.cern.ch/record/554) under OPENDATA_DIR" in message
    assert "'python -m analysis.samples fetch tiny'" in message
    assert "--allow-simulated" in message
    assert "\n" not in message


def test_opendata_dir_that_is_no_folder_counts_as_not_at_hand(
    tiny: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    misspelt = tmp_path / "misspelt"
    monkeypatch.setenv("OPENDATA_DIR", str(misspelt))
    assert opendata_folder() == misspelt
    # A run goes on with what is in the cache, and says what is wrong with the variable where that does not suffice.
    cache = put(tmp_path / "cache", "a.csv", "b.csv")
    assert obtain(tiny, opendata_folder(), cache) == [str(cache / "tiny" / "a.csv"), str(cache / "tiny" / "b.csv")]
    assert locate(tiny, opendata_folder(), tmp_path / "empty") is None
    with pytest.raises(
        SampleUnavailable, match=rf"downloadable: OPENDATA_DIR={misspelt} is not a folder; cannot reach"
    ):
        obtain(tiny, opendata_folder(), tmp_path / "empty")


def test_opendata_dir_that_is_a_folder_is_not_complained_of(
    tiny: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(SampleUnavailable) as caught:
        obtain(tiny, tmp_path, tmp_path / "cache")
    assert "is not a folder" not in str(caught.value)
    monkeypatch.setenv("OPENDATA_DIR", "")
    assert opendata_folder() is None


@pytest.mark.parametrize("arguments", [[], ["list"]])
def test_list_is_readable_in_a_pipe(arguments: list[str], tmp_path: Path) -> None:
    listed = run(*arguments, HOME=str(tmp_path), XDG_CACHE_HOME=str(tmp_path))
    assert listed.returncode == 0, listed.stderr
    assert listed.stderr == ""
    assert max(map(len, listed.stdout.splitlines())) <= 80
    assert "\x1b" not in listed.stdout
    (row,) = [line.split() for line in listed.stdout.splitlines() if line.startswith("cms2010b")]
    assert row[1:] == ["no", "2.7", "MB", "21,726"]
    assert "10.7483/OPENDATA.CMS.GACK.GEJA" in listed.stdout


def test_list_and_fetch_see_opendata_dir(
    opendata: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENDATA_DIR", str(opendata))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")
    assert main([]) == 0
    rows = capsys.readouterr().out.splitlines()
    (row,) = [row.split() for row in rows if row.startswith("cms2010b")]
    assert row == ["cms2010b", "OPENDATA_DIR", "2.7", "MB", "21,726"]
    assert main(["fetch", "cms2010b"]) == 0
    assert capsys.readouterr().out == f"{opendata / 'cms2010b' / 'MultiJetRun2010B.csv'}\n"


def test_list_says_corrupted(tmp_path: Path) -> None:
    path = tmp_path / "cms2010b" / "MultiJetRun2010B.csv"
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    listed = run(HOME=str(tmp_path), XDG_CACHE_HOME=str(tmp_path / "cache"), OPENDATA_DIR=str(tmp_path))
    assert listed.returncode == 0
    assert " corrupted " in listed.stdout
    assert listed.stderr.startswith(f"{path} is not the published file: expected 2725994 bytes, found 26; ")
    fetched = run("fetch", "cms2010b", HOME=str(tmp_path), OPENDATA_DIR=str(tmp_path))
    assert fetched.returncode == 3
    assert fetched.stderr.startswith(f"error: {path} is not the published file: ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fetch", "cms2010c"], "did you mean cms2010b"),
        (["fetch"], "fetch needs the name of a sample; known: atlas2020_2lep, "),
        (["fetsh", "cms2010b"], "invalid choice: 'fetsh'"),
        (["list", "cms2010b"], "python -m analysis.samples fetch cms2010b"),
        (["--fetch"], "unknown option --fetch"),
    ],
)
def test_bad_command_is_exit_2_and_one_line(arguments: list[str], words: str, tmp_path: Path) -> None:
    ended = run(*arguments, HOME=str(tmp_path))
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.startswith("error: ")
    assert ended.stderr.count("\n") == 1
    assert words in ended.stderr


def test_unreachable_portal_is_exit_3_and_one_line(tmp_path: Path, closed_port: int) -> None:
    proxies = dict.fromkeys(("https_proxy", "HTTPS_PROXY"), f"http://127.0.0.1:{closed_port}")
    none = {"no_proxy": "", "NO_PROXY": ""}
    ended = run("fetch", "cms2010b", HOME=str(tmp_path), XDG_CACHE_HOME=str(tmp_path), **proxies, **none)
    assert ended.returncode == 3
    assert ended.stderr.count("\n") == 1
    assert f"cannot reach 127.0.0.1:{closed_port} for https://opendata.cern.ch/" in ended.stderr
    assert "--allow-simulated" in ended.stderr


def test_sample_at_hand_needs_no_root_and_no_http_client(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib, analysis.samples.__main__; from analysis.samples import obtain, read_sample; "
        "folder = pathlib.Path(sys.argv[1]); obtain(read_sample(folder / 'mine.yaml'), folder, folder); "
        "print(*{'ROOT', 'requests', 'torch', 'sklearn'} & set(sys.modules))"
    )
    put(tmp_path, "a.csv")
    (tmp_path / "mine.yaml").write_text("files: [{path: tiny/a.csv}]")
    ended = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True, cwd=ROOT_OF_PROJECT
    )
    assert ended.stdout.strip() == ""


# --- the catalogue against the data and against what the portal says of them


def test_every_sample_is_named_as_its_file_and_complete() -> None:
    samples = catalogue()
    assert len(samples) > 20
    for name, sample in samples.items():
        assert sample.name == name
        assert name == name.lower()
        assert sample.title != name
        assert sample.schema_name
        assert sample.doi or sample.record or sample.origin
        assert sample.bytes
        for file in (*sample.files, *sample.indexes):
            assert file.size
            assert file.sha256 or file.adler32
            assert file.published or sample.origin


def test_every_file_at_hand_is_in_the_catalogue_once(opendata: Path, tmp_path: Path) -> None:
    """Each file of the folder belongs to one sample, or one for each of its trees, and is what the catalogue says."""
    sums = dict(reversed(line.split()) for line in (opendata / "SHA256SUMS").read_text().splitlines())
    named = [
        (str(file.path), sample.tree, file)
        for sample in catalogue().values()
        for file in sample.files
        if file.sha256 and sample.access == "fetch"
    ]
    assert {path: file.sha256 for path, _, file in named} == sums
    assert set(Counter((path, tree) for path, tree, _ in named).values()) == {1}
    assert {path for path, count in Counter(path for path, *_ in named).items() if count > 1} == {
        "higgs/Higgs_data.root"
    }
    for path, _, file in named:
        assert check(opendata / path, file, tmp_path) is None


def test_adler32_beside_a_sha256_is_of_the_same_file(opendata: Path) -> None:
    both = [file for sample in catalogue().values() for file in sample.files if file.sha256 and file.adler32]
    assert len(both) == 3
    for file in both:
        assert f"{zlib.adler32((opendata / file.path).read_bytes()):08x}" == file.adler32


def test_events_are_those_of_the_files(opendata: Path, tmp_path: Path) -> None:
    trees = {"atlas2020": "mini", "atlas2025": "analysis", "cms_nanoaod": "Events", "hep_tutorial": "events"}
    counted = {}
    for name, sample in catalogue().items():
        paths = locate(sample, opendata, tmp_path)
        for path in paths or ():
            if path.suffix == ".root":
                with uproot.open(path) as file:
                    events = file[sample.tree or trees[str(sample.schema_name)]].num_entries
            elif path.suffix == ".npy":
                events = len(np.load(path, mmap_mode="r"))
            else:  # Dark Machines alone has no header
                events = len(path.read_text().splitlines()) - (sample.schema_name != "darkmachines")
            counted[name] = counted.get(name, 0) + events
    assert len(counted) == 22
    assert counted == {name: find_sample(name).events for name in counted}


def test_published_files_are_those_of_the_records(opendata: Path) -> None:
    records = {record["recid"]: record for record in json.loads((opendata / "records.json").read_text())}
    published = {
        file["uri"]: (file["size"], file["checksum"], file.get("type"))
        for record in records.values()
        for file in record["files"]
    }
    for sample in catalogue().values():
        if sample.record:
            record = records[sample.record]
            assert sample.doi == record["doi"]
            # Record 554 states no licence; its parent, record 11, does.
            assert sample.licence == (record["license"] or records[11]["license"])
        for file in sample.files:
            if file.url:
                assert published[file.url] == (file.size, f"adler32:{file.adler32}", None)
        for index in sample.indexes:
            assert index.url
            assert published[index.url] == (index.size, f"adler32:{index.adler32}", "index.json")
            assert index.published
            assert index.published.url.startswith("https://opendata.cern.ch/eos/opendata/cms/Run2016")


@pytest.mark.parametrize(
    ("name", "record", "files", "events"),
    [
        ("cms2012_dimuon", 12341, 1, 61540413),
        ("cms2012b_doublemu", 12365, 1, 26084708),
        ("atlas2020_2lep", 15007, 4, None),
        ("atlas2020_4lep_full", 15005, 4, None),
        ("atlas2025_2to4lep", 93919, 16, 283951733),
        ("atlas2025_4lep", 93924, 16, 1362611),
        ("cms2016g_doublemuon", 30522, 29, 45235604),
        ("cms2016h_doublemuon", 30555, 28, 48912812),
        ("cms2016g_jetht", 30525, 70, 120688407),
        ("cms2016h_jetht", 30558, 72, 124050331),
    ],
)
def test_full_data_sets_are_whole(opendata: Path, name: str, record: int, files: int, events: int | None) -> None:
    sample = find_sample(name)
    (stated,) = [stated for stated in json.loads((opendata / "records.json").read_text()) if stated["recid"] == record]
    assert (sample.record, sample.events, sample.simulated) == (record, events, False)
    assert events == stated["distribution"].get("number_events")
    if sample.indexes:
        assert {index.url for index in sample.indexes} == {file["uri"] for file in stated["files"]}
        assert (files, sample.bytes) == (stated["distribution"]["number_files"], stated["distribution"]["size"])
    else:
        data = [file for file in stated["files"] if "/MC/" not in file["uri"] and file["uri"].endswith(".root")]
        assert {file.url for file in sample.files} == {file["uri"] for file in data}
        assert (len(sample.files), sample.bytes) == (files, sum(file["size"] for file in data))


def test_simulated_samples_are_marked(tmp_path: Path) -> None:
    simulated = {name for name, sample in catalogue().items() if sample.simulated}
    assert simulated == {
        *("nano_v5_simulated", "nano_ttbar_2015", "nano_ttbar_v12", "hzz_tutorial"),
        *("lhco_train", "lhco_test", "lhco_evaluation"),
        *("higgs_signal", "higgs_background", "higgs_csv"),
        *("darkmachines_background", "darkmachines_gluino", "darkmachines_monojet"),
    }
    listed = run(HOME=str(tmp_path), XDG_CACHE_HOME=str(tmp_path))
    lines = listed.stdout.splitlines()
    marked = {above.split()[0] for above, line in pairwise(lines) if "SIMULATED" in line}
    assert marked == simulated


# --- data sets that the portal publishes as lists of files


@pytest.fixture
def portal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, str]]:
    """A folder, and the address at which an HTTP server on this machine serves it."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    folder = tmp_path / "portal"
    folder.mkdir()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def listed_on(portal: tuple[Path, str], **indexes: object) -> Sample:
    """A sample whose indexes, each of this content, lie on the portal."""
    folder, address = portal
    entries = []
    for name, content in indexes.items():
        written = json.dumps(content).encode()
        (folder / f"{name}.json").write_bytes(written)
        url = f"{address}/{name}.json"
        entries.append({"url": url, "size": len(written), "adler32": f"{zlib.adler32(written):08x}"})
    return Sample.model_validate(
        {"name": "listed", "title": "Listed", "record": 30525, "access": "stream", "indexes": entries}
    )


def entry(host: str, name: str, content: bytes = CONTENT) -> dict[str, Any]:
    """One file as an index.json of the portal lists it."""
    return {
        "checksum": f"adler32:{zlib.adler32(content):08x}",
        "filename": name,
        "size": len(content),
        "uri": f"root://{host}//eos/opendata/cms/{name}",
    }


def test_indexes_are_fetched_once_and_name_the_files(portal: tuple[Path, str], tmp_path: Path) -> None:
    sample = listed_on(
        portal, first=[entry("host", "a.root"), entry("host", "b.root")], second=[entry("host", "c.root")]
    )
    cache = tmp_path / "cache"
    assert locate(sample, None, cache) is None
    whole = list_files(sample, None, cache)
    assert [(str(file.path), file.url, file.size, file.adler32) for file in whole.files] == [
        (f"cms/{name}", f"root://host//eos/opendata/cms/{name}", len(CONTENT), f"{zlib.adler32(CONTENT):08x}")
        for name in ("a.root", "b.root", "c.root")
    ]
    assert (whole.bytes, whole.indexes, whole.record) == (3 * len(CONTENT), (), 30525)
    assert (cache / "first.json").exists()
    for path in portal[0].iterdir():
        path.unlink()
    assert list_files(sample, None, cache) == whole


def test_index_that_is_not_the_published_one_is_refused(portal: tuple[Path, str], tmp_path: Path) -> None:
    sample = listed_on(portal, first=[entry("host", "a.root")])
    path = portal[0] / "first.json"
    path.write_bytes(path.read_bytes().replace(b"a.root", b"b.root"))
    with pytest.raises(ChecksumMismatch, match=r"first\.json did not send the published file: expected adler32"):
        list_files(sample, None, tmp_path / "cache")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ({"files": []}, "file: Input should be a valid array"),
        ([], "file: List should have at least 1 item"),
        ([{"uri": "root://host//a.root", "size": 1}], "0.checksum: Field required"),
        ([entry("host", "a.root") | {"checksum": "md5:0"}], "0.checksum: String should match"),
        ([entry("host", "../../../../a.root")], r"'\.\.' in root://host"),
        ([entry("host", "a.root") | {"uri": "https://host/a.root"}], "0.uri: String should match"),
    ],
)
def test_index_of_another_form_is_named(portal: tuple[Path, str], tmp_path: Path, content: object, fault: str) -> None:
    with pytest.raises(DataError, match=rf"first\.json is no list of files as the portal publishes them .*{fault}"):
        list_files(listed_on(portal, first=content), None, tmp_path / "cache")


# --- data sets that are read over the network where they are not at hand


@pytest.fixture
def storage() -> Iterator[str]:
    """A host and port that answer, as those of a server of root:// addresses would."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def streamed(host: str, *names: str) -> Sample:
    checksum = f"{zlib.adler32(CONTENT):08x}"
    files = [
        {"path": f"tiny/{name}", "url": f"root://{host}//data/{name}", "size": len(CONTENT), "adler32": checksum}
        for name in names
    ]
    return Sample.model_validate({"name": "tiny", "title": "Tiny", "record": 554, "access": "stream", "files": files})


def test_what_is_not_at_hand_is_streamed(storage: str, tmp_path: Path) -> None:
    opendata, cache = put(tmp_path / "opendata", "a.root"), put(tmp_path / "cache", "c.root")
    sample = streamed(storage, "a.root", "b.root", "c.root")
    assert locate(sample, opendata, cache) is None
    assert obtain(sample, opendata, cache) == [
        str(opendata / "tiny" / "a.root"),
        f"root://{storage}//data/b.root",
        str(cache / "tiny" / "c.root"),
    ]


def test_listed_sample_is_streamed(portal: tuple[Path, str], storage: str, tmp_path: Path) -> None:
    sample = listed_on(portal, first=[entry(storage, "a.root")])
    assert obtain(sample, None, tmp_path) == [f"root://{storage}//eos/opendata/cms/a.root"]
    (tmp_path / "cms").mkdir()
    (tmp_path / "cms" / "a.root").write_bytes(CONTENT)
    assert obtain(sample, None, tmp_path) == [str(tmp_path / "cms" / "a.root")]
    assert locate(sample, None, tmp_path) == [tmp_path / "cms" / "a.root"]


def test_storage_that_does_not_answer_is_named_with_the_remedies(closed_port: int, tmp_path: Path) -> None:
    sample = streamed(f"127.0.0.1:{closed_port}", "a.root")
    with pytest.raises(SampleUnavailable) as caught:
        obtain(sample, None, tmp_path)
    assert str(caught.value).startswith(
        f"sample tiny is neither at hand nor readable over the network: cannot reach 127.0.0.1:{closed_port} for "
        f"root://127.0.0.1:{closed_port}//data/a.root (Connection refused); "
        "put tiny/a.root (https://opendata.cern.ch/record/554) under OPENDATA_DIR"
    )
    # There is no generator for it, and nothing serves it over https.
    assert "--allow-simulated" not in str(caught.value)
    assert "analysis.samples fetch" not in str(caught.value)


def test_sample_at_hand_needs_no_network(closed_port: int, tmp_path: Path) -> None:
    put(tmp_path, "a.root")
    assert obtain(streamed(f"127.0.0.1:{closed_port}", "a.root"), None, tmp_path) == [str(tmp_path / "tiny" / "a.root")]


def test_damaged_file_is_not_replaced_by_the_stream(storage: str, tmp_path: Path) -> None:
    put(tmp_path, "a.root", content=CONTENT[::-1])
    with pytest.raises(ChecksumMismatch, match=r"a\.root is not the published file: expected adler32 .*, found"):
        obtain(streamed(storage, "a.root"), None, tmp_path)


def test_default_port_of_root_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr("analysis.samples.connection.check_host", lambda *host_and_url: asked.append(host_and_url[:2]))
    obtain(find_sample("atlas2025_4lep"), None, tmp_path)
    assert asked == [("eospublic.cern.ch", 1094)]


def test_download_takes_also_what_would_be_streamed(
    portal: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, address = portal
    monkeypatch.setattr("analysis.samples.model.PORTAL", f"{address}/")
    sample = listed_on(portal, first=[entry("eospublic.cern.ch", "a.root"), entry("eospublic.cern.ch", "b.root")])
    (folder / "cms").mkdir()
    for name in ("a.root", "b.root"):
        (folder / "cms" / name).write_bytes(CONTENT)
    opendata = tmp_path / "opendata"
    (opendata / "cms").mkdir(parents=True)
    (opendata / "cms" / "a.root").write_bytes(CONTENT)
    cache = tmp_path / "cache"
    places = obtain(sample, opendata, cache, download=True)
    assert places == [str(opendata / "cms" / "a.root"), str(cache / "cms" / "b.root")]
    assert (cache / "cms" / "b.root").read_bytes() == CONTENT
    assert not (cache / "cms" / "a.root").exists()


def test_fetch_says_how_much_it_would_download_and_refuses_without_room(tmp_path: Path) -> None:
    program = (
        "import shutil, sys; from types import SimpleNamespace; "
        "shutil.disk_usage = lambda _: SimpleNamespace(free=10**9); "
        "from analysis.console.program import run_program; from analysis.samples.__main__ import main; "
        "sys.exit(run_program('analysis.samples', main, ['fetch', 'atlas2025_2to4lep']))"
    )
    environment = {name: value for name, value in os.environ.items() if name != "OPENDATA_DIR"}
    ended = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT_OF_PROJECT,
        env=environment | {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)},
    )
    said, error = ended.stderr.splitlines()
    cache = tmp_path / "root-anomaly-search" / "samples"
    assert ended.returncode == 3
    assert said == f"atlas2025_2to4lep: 16 files, 79.7 GB; downloads go to {cache}"
    assert error.startswith(f"error: {cache}: 79.7 GB are to be downloaded and 1.0 GB are free; make room there")


def test_origin_is_named_where_nobody_publishes_the_file(tmp_path: Path) -> None:
    with pytest.raises(SampleUnavailable) as caught:
        obtain(find_sample("nano_dimuon"), None, tmp_path)
    assert str(caught.value) == (
        "sample nano_dimuon is neither at hand nor downloadable: no portal publishes cmsnano/nano_dimuon.root; "
        "put cmsnano/nano_dimuon.root (coffea 2026.9.0 source distribution) under OPENDATA_DIR"
    )


# --- what was checked once is not read again


@pytest.fixture
def checked(tmp_path: Path) -> tuple[Path, SampleFile]:
    path = put(tmp_path, "a.csv") / "tiny" / "a.csv"
    keys = {"path": "tiny/a.csv", "size": len(CONTENT), "sha256": hashlib.sha256(CONTENT).hexdigest()}
    return path, SampleFile.model_validate(keys)


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files of which a checksum was computed, in order."""
    read: list[Path] = []
    compute = analysis.samples.checks._read_checksum
    monkeypatch.setattr(
        analysis.samples.checks, "_read_checksum", lambda path, algorithm: read.append(path) or compute(path, algorithm)
    )
    return read


def test_checked_file_is_read_once(checked: tuple[Path, SampleFile], readings: list[Path], tmp_path: Path) -> None:
    path, file = checked
    for _ in range(3):
        assert check(path, file, tmp_path / "cache") is None
    assert readings == [path]
    link = tmp_path / "link.csv"
    link.symlink_to(path)
    assert check(link, file, tmp_path / "cache") is None
    assert readings == [path]


def test_changed_file_is_read_again(checked: tuple[Path, SampleFile], readings: list[Path], tmp_path: Path) -> None:
    path, file = checked
    assert check(path, file, tmp_path / "cache") is None
    before = path.stat()
    path.write_bytes(CONTENT[::-1])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    for _ in range(2):  # that it was found wrong is not remembered: it may be mended
        assert "expected sha256" in str(check(path, file, tmp_path / "cache"))
    assert len(readings) == 3


def test_other_checksum_in_the_catalogue_is_checked(
    checked: tuple[Path, SampleFile], readings: list[Path], tmp_path: Path
) -> None:
    path, file = checked
    assert check(path, file, tmp_path / "cache") is None
    other = file.model_copy(update={"sha256": "0" * 64})
    assert "expected sha256 000" in str(check(path, other, tmp_path / "cache"))


def test_size_is_always_checked(checked: tuple[Path, SampleFile], readings: list[Path], tmp_path: Path) -> None:
    path, file = checked
    path.write_bytes(CONTENT[:-1])
    assert check(path, file, tmp_path / "cache") == f"expected {len(CONTENT)} bytes, found {len(CONTENT) - 1}"
    assert readings == []


def test_file_with_an_adler32_only_is_checked_by_that(checked: tuple[Path, SampleFile], tmp_path: Path) -> None:
    path, file = checked
    by_adler32 = file.model_copy(update={"sha256": None, "adler32": f"{zlib.adler32(CONTENT):08x}"})
    assert check(path, by_adler32, tmp_path / "cache") is None
    path.write_bytes(CONTENT[::-1])
    expected = f"expected adler32 {zlib.adler32(CONTENT):08x}, found {zlib.adler32(CONTENT[::-1]):08x}"
    assert check(path, by_adler32, tmp_path / "other") == expected


def test_cache_that_cannot_be_written_is_no_error(
    checked: tuple[Path, SampleFile], readings: list[Path], tmp_path: Path
) -> None:
    path, file = checked
    cache = tmp_path / "cache"
    cache.write_text("a file where a folder should be")
    assert check(path, file, cache) is None
    assert check(path, file, cache) is None
    assert readings == [path, path]


def test_second_listing_reads_no_file(
    opendata: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, readings: list[Path]
) -> None:
    monkeypatch.setenv("OPENDATA_DIR", str(opendata))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert main([]) == 0
    assert len(set(readings)) == len(readings) == 23
    assert main([]) == 0
    assert len(readings) == 23


def test_large_file_is_said_to_be_read(
    checked: tuple[Path, SampleFile],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("analysis.samples.checks.LARGE", 1)
    path, file = checked
    assert check(path, file, tmp_path / "cache") is None
    assert "checking a.csv" in capsys.readouterr().err
