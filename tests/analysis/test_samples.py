"""The catalogue, the look-up order, and the command line over both; nothing here needs a network."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import analysis.samples
from analysis.errors import ChecksumMismatch, ConfigurationError, SampleUnavailable, UnknownSample
from analysis.samples import Sample, catalogue, find_sample, locate, obtain, opendata_folder, read_sample
from analysis.samples.__main__ import main

ROOT_OF_PROJECT = Path(__file__).parents[2]
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
    with pytest.raises(UnknownSample, match=r"no sample 'cms2010' in the catalogue; did you mean cms2010b\?"):
        find_sample("cms2010")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"lumi": 1.0}, "lumi: Extra inputs"),
        ({"events": -1}, "events: "),
        ({"files": []}, "files: "),
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
    assert obtain(tiny, opendata, cache) == expected
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
    assert obtain(tiny, opendata_folder(), cache) == [cache / "tiny" / "a.csv", cache / "tiny" / "b.csv"]
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
    assert row[-4:] == ["no", "2.7", "MB", "21,726"]
    assert "10.7483/OPENDATA.CMS.GACK.GEJA" in listed.stdout


def test_list_and_fetch_see_opendata_dir(
    opendata: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENDATA_DIR", str(opendata))
    monkeypatch.setenv("COLUMNS", "80")
    assert main([]) == 0
    assert " OPENDATA_DIR " in capsys.readouterr().out
    assert main(["fetch", "cms2010b"]) == 0
    assert capsys.readouterr().out == f"{opendata / 'cms2010b' / 'MultiJetRun2010B.csv'}\n"


def test_list_says_corrupted(tmp_path: Path) -> None:
    path = tmp_path / "cms2010b" / "MultiJetRun2010B.csv"
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    listed = run(HOME=str(tmp_path), OPENDATA_DIR=str(tmp_path))
    assert listed.returncode == 0
    assert " corrupted " in listed.stdout
    assert listed.stderr.startswith(f"{path} is not the published file: expected 2725994 bytes, found 26; ")
    fetched = run("fetch", "cms2010b", HOME=str(tmp_path), OPENDATA_DIR=str(tmp_path))
    assert fetched.returncode == 3
    assert fetched.stderr.startswith(f"error: {path} is not the published file: ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fetch", "cms2010c"], "did you mean cms2010b?"),
        (["fetch"], "fetch needs the name of a sample; known: cms2010b"),
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


def test_catalogue_needs_no_root_and_no_http_client() -> None:
    program = (
        "import sys, analysis.samples.__main__; print(*{'ROOT', 'requests', 'torch', 'sklearn'} & set(sys.modules))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT_OF_PROJECT
    )
    assert ended.stdout.strip() == ""


def test_every_sample_is_named_as_its_file() -> None:
    assert [sample.name for sample in catalogue().values()] == list(catalogue())
