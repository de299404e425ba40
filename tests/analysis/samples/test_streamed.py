"""Data sets that the portal publishes as lists of files, and what is read over the network."""

from __future__ import annotations

import json
import threading
import zlib
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from analysis.errors import ChecksumMismatch, DataError, SampleUnavailable
from analysis.samples import Sample, find_sample, list_files, locate, obtain
from tests.analysis.samples.tiny import CONTENT, put

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
