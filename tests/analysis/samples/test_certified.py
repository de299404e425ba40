"""Lists of certified runs: where they are looked for, and what is said where there is none."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

import analysis.samples
from analysis.errors import ChecksumMismatch, DataError, SampleUnavailable
from analysis.samples import Sample, catalogue
from analysis.samples.__main__ import main
from analysis.samples.certified import LARGEST, given_list, list_of_catalogue
from plotting.results.run_record import as_table
from rdf.errors import UnreadableFile
from tests.analysis.samples.portal import Portal
from tests.analysis.samples.resolved import resolve

pytestmark = pytest.mark.usefixtures("own_cache")

LIST = b'{"273158": [[1, 1279], [1300, 1310]], "273302": [[1, 459]]}'
BLOCKS = {273158: ((1, 1279), (1300, 1310)), 273302: ((1, 459),)}
SHA256 = hashlib.sha256(LIST).hexdigest()
DESCRIBED = {"name": "runs.txt", "sha256": SHA256, "runs": 2, "sections": 1279 + 11 + 459}


@pytest.fixture
def portal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Portal]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Portal()
    server.content = LIST
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def address(port: int) -> str:
    return f"http://127.0.0.1:{port}/record/1/files/runs.txt"


def sample(port: int, **keys: Any) -> Sample:
    certified = {"path": "cms/runs.txt", "url": address(port), **keys}
    files = [{"path": "tiny/a.root"}]
    table = {"name": "tiny", "title": "Tiny", "schema": "cms_nanoaod", "certified": certified, "files": files}
    return Sample.model_validate({**table, "simulation": "multijet_nanoaod"})


def put(folder: Path, content: bytes = LIST) -> Path:
    (folder / "cms").mkdir(parents=True)
    (folder / "cms" / "runs.txt").write_bytes(content)
    return folder


def test_a_list_of_the_catalogue_is_fetched_once(portal: Portal, tmp_path: Path) -> None:
    tiny, cache = sample(portal.server_port), tmp_path / "cache"
    for _ in range(2):
        found = list_of_catalogue(tiny, None, cache)
        assert (found.name, found.blocks, found.sha256) == ("runs.txt", BLOCKS, SHA256)
    assert len(portal.asked) == 1
    assert (cache / "cms" / "runs.txt").read_bytes() == LIST


def test_a_list_at_hand_is_not_fetched(closed_port: int, tmp_path: Path) -> None:
    found = list_of_catalogue(sample(closed_port), put(tmp_path / "opendata"), tmp_path / "cache")
    assert found.blocks == BLOCKS


def test_a_list_that_cannot_be_had_says_what_to_do(closed_port: int, tmp_path: Path) -> None:
    with pytest.raises(SampleUnavailable) as refused:
        list_of_catalogue(sample(closed_port), tmp_path, tmp_path / "cache")
    said = str(refused.value)
    assert "\n" not in said
    assert (
        "sample tiny: its list of certified runs, runs.txt, is neither at hand nor downloadable: cannot reach" in said
    )
    assert f"put it ({address(closed_port)}) under OPENDATA_DIR as cms/runs.txt, name a copy with --certified" in said
    assert said.endswith("or go on without it with --uncertified")


@pytest.mark.parametrize(
    ("content", "keys", "error", "message"),
    [
        (b"<html>not found</html>", {}, UnreadableFile, "runs.txt: is no JSON"),
        (b'{"273158": [[9, 1]]}', {}, UnreadableFile, r"runs.txt: run 273158: \[9, 1\] ends before it begins"),
        (b"[" + b" " * LARGEST, {}, DataError, "is larger than"),
        (LIST, {"size": 7}, ChecksumMismatch, f"expected size 7, found {len(LIST)}"),
        (LIST, {"sha256": "0" * 64}, ChecksumMismatch, f"expected sha256 0*, found {SHA256}"),
        (LIST, {"adler32": "0" * 8}, ChecksumMismatch, "expected adler32 0*, found"),
    ],
)
@pytest.mark.parametrize("at_hand", [True, False])
def test_what_is_not_the_list_is_refused_and_not_kept(
    content: bytes, keys: dict[str, Any], error: type, message: str, at_hand: bool, portal: Portal, tmp_path: Path
) -> None:
    portal.content = content
    opendata = put(tmp_path / "opendata", content) if at_hand else None
    with pytest.raises(error, match=message):
        list_of_catalogue(sample(portal.server_port, **keys), opendata, tmp_path / "cache")
    assert not (tmp_path / "cache" / "cms").exists()


def test_a_server_that_refuses_or_breaks_off(portal: Portal) -> None:
    portal.status = 404
    with pytest.raises(SampleUnavailable, match="answers 404"):
        given_list(address(portal.server_port))
    portal.status, portal.break_at = None, 10
    with pytest.raises(SampleUnavailable, match="broke off"):
        given_list(address(portal.server_port))


def test_the_list_that_is_given(portal: Portal, tmp_path: Path) -> None:
    path = put(tmp_path) / "cms" / "runs.txt"
    for named in (address(portal.server_port), str(path)):
        assert given_list(named).blocks == BLOCKS
        assert given_list(named).name == "runs.txt"
    with pytest.raises(DataError, match=r"no.txt does not exist; check --certified"):
        given_list(str(tmp_path / "no.txt"))
    with pytest.raises(SampleUnavailable, match=r"is no address that begins with http"):
        given_list("root://host//runs.txt")


# --- with the sample


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A sample file that names a list beside it."""
    put(tmp_path)
    (tmp_path / "a.root").write_bytes(b"root")
    keys = {"schema": "cms_nanoaod", "certified": "cms/runs.txt", "files": [{"path": "a.root"}]}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(keys))
    return tmp_path / "own.yaml"


def test_the_list_of_a_sample_file(own: Path, tmp_path: Path) -> None:
    described = as_table(resolve(own).describe())
    assert (described["certified"], described["uncertified"]) == (DESCRIBED, False)
    (tmp_path / "mine.json").write_text('{"5": [[1, 1]]}')
    described = as_table(resolve(own, certified=str(tmp_path / "mine.json")).describe())
    assert described["certified"]["name"] == "mine.json"
    assert described["uncertified"] is False
    (tmp_path / "cms" / "runs.txt").unlink()
    described = as_table(resolve(own, uncertified=True).describe())
    assert (described.get("certified"), described["uncertified"]) == (None, True)
    with pytest.raises(DataError, match=r"runs.txt does not exist; check `certified` in .*own.yaml"):
        resolve(own)


def test_a_file_without_a_list_is_not_called_uncertified(tmp_path: Path) -> None:
    (tmp_path / "a.root").write_bytes(b"root")
    assert resolve(tmp_path / "a.root", schema="cms_nanoaod", uncertified=True).uncertified is False


def test_events_that_stand_in_for_data_are_of_no_run(
    closed_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(analysis.samples, "catalogue", lambda: {"tiny": sample(closed_port)})
    monkeypatch.delenv("OPENDATA_DIR", raising=False)
    path = put(tmp_path) / "cms" / "runs.txt"
    for options in ({}, {"certified": str(path)}, {"uncertified": True}):
        data = resolve("tiny", allow_simulated=True, **options)
        assert (data.simulation, data.certified, data.uncertified) == ("multijet_nanoaod", None, False)
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "a.root").write_bytes(b"root")
    monkeypatch.setenv("OPENDATA_DIR", str(tmp_path))
    assert resolve("tiny", allow_simulated=True).certified == given_list(str(path))
    path.unlink()
    with pytest.raises(
        SampleUnavailable, match="its list of certified runs"
    ):  # the data are there, which is no stand-in
        resolve("tiny", allow_simulated=True)


def test_fetch_brings_the_list_too(
    portal: Portal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("analysis.samples.__main__.find_sample", lambda _: sample(portal.server_port))
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "a.root").write_bytes(b"root")
    monkeypatch.setenv("OPENDATA_DIR", str(tmp_path))
    assert main(["fetch", "tiny"]) == 0
    data, fetched = capsys.readouterr().out.splitlines()
    assert data == str(tmp_path / "tiny" / "a.root")
    assert json.loads(Path(fetched).read_bytes()) == json.loads(LIST)


def test_which_samples_of_the_catalogue_have_a_list() -> None:
    assert {name for name, each in catalogue().items() if each.certified} == {
        *("cms2016g_doublemuon", "cms2016h_doublemuon", "cms2016g_jetht", "cms2016h_jetht"),
        "cms2016gh_lowmass",
    }
