"""Fetching against a real HTTP server on this machine that can misbehave as portals do."""

from __future__ import annotations

import gzip
import hashlib
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from analysis.errors import ChecksumMismatch, DataError, SampleUnavailable
from analysis.samples import SampleFile
from analysis.samples.checks import check
from analysis.samples.fetch import check_room, fetch_file
from tests.analysis.samples.portal import BROKEN_AT, CONTENT, PACKED, Portal, left_in, published, published_plain


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def portal() -> Iterator[Portal]:
    with Portal() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.go_on.set()
        server.shutdown()
        thread.join()


def break_off(portal: Portal, cache: Path) -> int:
    """Fetch over a connection that breaks, and return how many bytes are left for a resume."""
    portal.break_at = BROKEN_AT
    with pytest.raises(SampleUnavailable, match=r"events\.csv\.gz broke off .* resumes"):
        fetch_file(published(portal), cache)
    portal.break_at = None
    part = (cache / "tiny" / "events.csv.part").read_bytes()
    assert 0 < len(part) <= BROKEN_AT
    assert PACKED.startswith(part)
    assert "events.csv" not in left_in(cache)
    return len(part)


def test_whole_download_is_unpacked_and_leaves_nothing_else(portal: Portal, tmp_path: Path) -> None:
    path = fetch_file(published(portal), tmp_path)
    assert path == tmp_path / "tiny" / "events.csv"
    assert path.read_bytes() == CONTENT
    assert left_in(tmp_path) == {"events.csv"}
    assert portal.asked == [None]


def test_gzip_labelled_as_content_encoding_is_taken_as_published(portal: Portal, tmp_path: Path) -> None:
    portal.labels = {"Content-Encoding": "gzip"}
    assert fetch_file(published(portal), tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("version", "condition"),
    [
        ({"ETag": '"first"', "Last-Modified": "Mon, 04 Aug 2014 10:00:00 GMT"}, '"first"'),
        ({"ETag": 'W/"weak"', "Last-Modified": "Mon, 04 Aug 2014 10:00:00 GMT"}, "Mon, 04 Aug 2014 10:00:00 GMT"),
        ({}, None),
    ],
    ids=["strong ETag", "weak ETag", "no version"],
)
def test_broken_connection_is_resumed_where_it_broke(
    portal: Portal, tmp_path: Path, version: dict[str, str], condition: str | None
) -> None:
    portal.version = version
    have = break_off(portal, tmp_path)
    assert fetch_file(published(portal), tmp_path).read_bytes() == CONTENT
    assert portal.asked == [None, f"bytes={have}-"]
    assert portal.conditions == [None, condition]
    assert portal.sent[1] == len(PACKED) - have
    assert left_in(tmp_path) == {"events.csv"}


def test_server_without_ranges_sends_all_again(portal: Portal, tmp_path: Path) -> None:
    break_off(portal, tmp_path)
    portal.ranges = False
    assert fetch_file(published(portal), tmp_path).read_bytes() == CONTENT
    assert portal.sent[1] == len(PACKED)


def test_changed_remote_file_is_not_joined_to_the_old_part(portal: Portal, tmp_path: Path) -> None:
    break_off(portal, tmp_path)
    content = CONTENT[::-1]
    portal.content, portal.version = gzip.compress(content, mtime=0), {"ETag": '"second"'}
    path = fetch_file(published(portal, content, portal.content), tmp_path)
    assert path.read_bytes() == content
    assert portal.conditions[1] == '"first"'
    assert portal.sent[1] == len(portal.content)


def test_part_longer_than_the_remote_file_starts_over(portal: Portal, tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "events.csv.part").write_bytes(b"x" * (len(PACKED) + 5))
    assert fetch_file(published(portal), tmp_path).read_bytes() == CONTENT
    assert portal.asked == [f"bytes={len(PACKED) + 5}-", None]


def test_complete_part_is_unpacked_without_a_request(portal: Portal, tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "events.csv.part").write_bytes(PACKED)
    assert fetch_file(published(portal), tmp_path).read_bytes() == CONTENT
    assert portal.asked == []


def damaged(packed: bytes) -> bytes:
    return packed[:1000] + bytes([packed[1000] ^ 1]) + packed[1001:]


@pytest.mark.parametrize(
    ("served", "entry", "fault"),
    [
        (damaged(PACKED), (CONTENT, PACKED), "expected adler32 [0-9a-f]{8}, found [0-9a-f]{8}"),
        (PACKED[:-9], (CONTENT, PACKED), f"expected {len(PACKED)} bytes, found {len(PACKED) - 9}"),
        (PACKED + b"more", (CONTENT, PACKED), f"expected {len(PACKED)} bytes, {len(PACKED) + 4} are announced"),
        (PACKED, (CONTENT[::-1], PACKED), "expected sha256 [0-9a-f]{64}, found [0-9a-f]{64}"),
        (PACKED, (CONTENT + b"1", PACKED), "expected 300001 bytes, found 300000"),
        (PACKED[:-9], (CONTENT, PACKED[:-9]), "not a whole gzip file"),
        (damaged(PACKED), (CONTENT, damaged(PACKED)), "not a whole gzip file|expected sha256"),
        (CONTENT, (CONTENT, CONTENT), "not a whole gzip file"),
    ],
    ids=["adler32", "too short", "too long", "sha256", "size", "truncated gzip", "damaged gzip", "no gzip"],
)
def test_wrong_file_is_removed_and_never_used(
    portal: Portal, tmp_path: Path, served: bytes, entry: tuple[bytes, bytes], fault: str
) -> None:
    portal.content = served
    with pytest.raises(ChecksumMismatch, match=rf"events\.csv.*({fault}).*fetch again") as caught:
        fetch_file(published(portal, *entry), tmp_path)
    assert "\n" not in str(caught.value)
    assert left_in(tmp_path) == set()


def test_more_than_was_published_is_not_read(portal: Portal, tmp_path: Path) -> None:
    """Neither what is announced, nor of what is not announced more than one byte."""
    portal.content = PACKED + bytes(3_000_000)
    with pytest.raises(
        ChecksumMismatch, match=rf"expected {len(PACKED)} bytes, {len(PACKED) + 3_000_000} are announced"
    ):
        fetch_file(published(portal), tmp_path)
    assert left_in(tmp_path) == set()
    portal.announced = False
    with pytest.raises(
        ChecksumMismatch, match=rf"expected {len(PACKED)} bytes, found {len(PACKED) + 1}; it was removed"
    ):
        fetch_file(published(portal), tmp_path)
    assert left_in(tmp_path) == set()


@pytest.mark.parametrize("members", [1, 50])
def test_no_more_is_unpacked_than_is_expected(
    members: int, portal: Portal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a small file that unpacks to 50 MB, in one piece or in many, 1,000 bytes and one."""
    portal.content = gzip.compress(bytes(50_000_000 // members), mtime=0) * members
    unpacked: list[int] = []
    read = gzip.GzipFile.read

    def counted(file: gzip.GzipFile, size: int | None = -1) -> bytes:
        content = read(file, size)
        unpacked.append(len(content))
        return content

    monkeypatch.setattr(gzip.GzipFile, "read", counted)
    with pytest.raises(ChecksumMismatch, match=r"it holds more than the expected 1000 bytes; it was removed"):
        fetch_file(published(portal, bytes(1000), portal.content), tmp_path)
    assert sum(unpacked) == 1001
    assert left_in(tmp_path) == set()


def test_what_comes_packed_has_a_size(portal: Portal) -> None:
    entry = published(portal).model_dump(mode="json", exclude_none=True)
    with pytest.raises(ValueError, match="`size` is missing: what comes packed"):
        SampleFile.model_validate({key: value for key, value in entry.items() if key != "size"})


@pytest.mark.parametrize("status", [403, 404, 503])
def test_http_error_is_named(portal: Portal, tmp_path: Path, status: int) -> None:
    portal.status = status
    with pytest.raises(SampleUnavailable, match=rf"events\.csv\.gz answers {status} "):
        fetch_file(published(portal), tmp_path)
    assert portal.asked == [None]
    assert left_in(tmp_path) == set()


def test_refused_port_is_unavailable(portal: Portal, tmp_path: Path) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        port = deaf.getsockname()[1]
        with pytest.raises(SampleUnavailable, match=rf"cannot reach 127\.0\.0\.1:{port} .*refused"):
            fetch_file(published(portal, port=port), tmp_path)


def test_unanswered_connection_is_unavailable(portal: Portal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analysis.samples.connection.HOST_TIMEOUT", 0.1)
    answered = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answered.wait() and [])
    with pytest.raises(SampleUnavailable, match=r"cannot reach .*no answer within 0\.1 s"):
        fetch_file(published(portal), tmp_path)
    answered.set()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk that is always full (Linux)")
@pytest.mark.parametrize("name", ["events.csv.part.validator", "events.csv.unpacked"])
def test_full_disk_is_named(portal: Portal, tmp_path: Path, name: str) -> None:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / name).symlink_to("/dev/full")
    with pytest.raises(DataError, match=r"cannot write .*tiny/events\.csv: No space left on device; .*XDG_CACHE_HOME"):
        fetch_file(published(portal), tmp_path)
    assert "events.csv" not in left_in(tmp_path)


def test_cache_that_is_no_folder_is_named(portal: Portal, tmp_path: Path) -> None:
    (tmp_path / "tiny").write_text("a file where a folder should be")
    with pytest.raises(DataError, match=r"cannot write .*tiny/events\.csv: .*XDG_CACHE_HOME"):
        fetch_file(published(portal), tmp_path)


def test_file_damaged_in_the_cache_is_not_overwritten(portal: Portal, tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "events.csv").write_bytes(CONTENT[:-1])
    with pytest.raises(ChecksumMismatch, match=r"tiny/events\.csv .*expected 300000 bytes, found 299999; remove it"):
        fetch_file(published(portal), tmp_path)
    assert portal.asked == []


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait for what another thread or process does; each condition also holds when that one has ended."""
    while not condition():
        time.sleep(0.01)


def test_two_at_once_download_once(portal: Portal, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    portal.pause_at = 100
    with ThreadPoolExecutor() as pool:
        first = pool.submit(fetch_file, published(portal), tmp_path)
        wait_for(lambda: bool(portal.asked) or first.done())
        second = pool.submit(fetch_file, published(portal), tmp_path)
        seen: list[str] = []
        wait_for(lambda: bool(seen.append(capfd.readouterr().err)) or "waiting" in "".join(seen) or second.done())
        portal.go_on.set()
        assert first.result().read_bytes() == CONTENT
        assert second.result() == first.result()
    assert portal.asked == [None]
    assert left_in(tmp_path) == {"events.csv"}


def test_interrupt_leaves_the_part_for_a_resume(portal: Portal, tmp_path: Path) -> None:
    portal.pause_at = BROKEN_AT
    program = (
        "import sys; from pathlib import Path; from analysis.samples import SampleFile; "
        "from analysis.samples.fetch import fetch_file; "
        "fetch_file(SampleFile.model_validate_json(sys.argv[1]), Path(sys.argv[2]))"
    )
    part = tmp_path / "tiny" / "events.csv.part"
    command = [sys.executable, "-c", program, published(portal).model_dump_json(), str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        wait_for(lambda: (part.exists() and part.stat().st_size > 0) or process.poll() is not None)
        process.send_signal(signal.SIGINT)
    assert process.returncode == -signal.SIGINT
    portal.pause_at = None
    portal.go_on.set()
    assert left_in(tmp_path) == {"events.csv.part", "events.csv.part.validator"}
    have = part.stat().st_size
    assert fetch_file(published(portal), tmp_path).read_bytes() == CONTENT
    assert portal.asked == [None, f"bytes={have}-"]


def test_file_published_as_it_is_is_taken_as_it_is(portal: Portal, tmp_path: Path) -> None:
    portal.content = CONTENT
    path = fetch_file(published_plain(portal), tmp_path)
    assert path == tmp_path / "tiny" / "events.csv"
    assert path.read_bytes() == CONTENT
    assert left_in(tmp_path) == {"events.csv"}


def test_file_published_as_it_is_is_resumed(portal: Portal, tmp_path: Path) -> None:
    portal.content, portal.break_at = CONTENT, BROKEN_AT
    with pytest.raises(SampleUnavailable, match=r"tiny/events\.csv broke off .* resumes"):
        fetch_file(published_plain(portal), tmp_path)
    portal.break_at = None
    have = (tmp_path / "tiny" / "events.csv.part").stat().st_size
    assert fetch_file(published_plain(portal), tmp_path).read_bytes() == CONTENT
    assert portal.asked == [None, f"bytes={have}-"]
    assert left_in(tmp_path) == {"events.csv"}


@pytest.mark.parametrize(
    ("served", "keys", "fault"),
    [
        (damaged(CONTENT), {}, "expected adler32 [0-9a-f]{8}, found [0-9a-f]{8}"),
        (CONTENT[:-9], {}, "expected 300000 bytes, found 299991"),
        # The stronger of two checksums decides.
        (CONTENT, {"sha256": "0" * 64}, f"expected sha256 0{{64}}, found {hashlib.sha256(CONTENT).hexdigest()}"),
    ],
    ids=["adler32", "too short", "sha256"],
)
def test_wrong_file_published_as_it_is_is_removed(
    portal: Portal, tmp_path: Path, served: bytes, keys: dict[str, object], fault: str
) -> None:
    portal.content = served
    with pytest.raises(ChecksumMismatch, match=rf"events\.csv did not send the published file: {fault}; .*fetch again"):
        fetch_file(published_plain(portal, **keys), tmp_path)
    assert left_in(tmp_path) == set()


def test_address_of_the_storage_is_also_one_of_the_portal() -> None:
    keys = {"size": 2599212, "adler32": "5eef7b87"}
    place = "cms/Run2011A/DoubleMu/CSV/12Oct2013-v1/files/Ymumu.csv"
    file = SampleFile.model_validate({"url": f"root://eospublic.cern.ch//eos/opendata/{place}"} | keys)
    assert str(file.path) == place
    assert file.published is not None
    assert file.published.url == f"https://opendata.cern.ch/eos/opendata/{place}"
    assert (file.published.size, file.published.adler32) == (2599212, "5eef7b87")
    # Nobody promises that another host serves its files over https.
    assert SampleFile.model_validate({"url": "root://host.example//eos/opendata/a.root"} | keys).published is None


def test_file_that_nobody_publishes_is_unavailable(tmp_path: Path) -> None:
    file = SampleFile.model_validate({"path": "tiny/events.csv", "size": 1})
    with pytest.raises(SampleUnavailable, match=r"no portal publishes tiny/events\.csv"):
        fetch_file(file, tmp_path)


def test_what_was_fetched_is_not_read_again(portal: Portal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = published(portal)
    path = fetch_file(file, tmp_path)
    monkeypatch.setattr(Path, "open", lambda *_, **__: pytest.fail("the file was opened"))
    assert check(path, file, tmp_path) is None


def test_download_that_the_disk_cannot_hold_is_not_begun(portal: Portal, tmp_path: Path) -> None:
    cache = tmp_path / "not" / "yet" / "there"
    check_room([published(portal), published_plain(portal)], cache)
    with pytest.raises(
        DataError, match=r"not/yet/there: 2\.0 EB are to be downloaded and .* are free; .*XDG_CACHE_HOME"
    ):
        check_room([published_plain(portal, size=10**18), published_plain(portal, size=10**18)], cache)
    assert not cache.exists()


def test_room_is_asked_for_what_is_still_to_come(
    portal: Portal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = 1000
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": free})())
    part = tmp_path / "tiny" / "events.csv.part"
    part.parent.mkdir()
    part.write_bytes(CONTENT[: len(CONTENT) - free])
    check_room([published_plain(portal)], tmp_path)
    part.write_bytes(CONTENT[: len(CONTENT) - free - 1])
    with pytest.raises(DataError, match=r"1\.0 kB are to be downloaded and 1\.0 kB are free"):
        check_room([published_plain(portal)], tmp_path)
    # A packed download needs room for itself and for what is in it.
    free = len(PACKED) + len(CONTENT)
    part.unlink()
    check_room([published(portal)], tmp_path)
    free -= 1
    with pytest.raises(DataError, match="are to be downloaded"):
        check_room([published(portal)], tmp_path)
