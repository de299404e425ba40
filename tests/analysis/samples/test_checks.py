"""A file that was found right is not read again, unless anything of it, or of the note of that, could be another's."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from analysis.samples import SampleFile, checks
from analysis.samples.checks import check, remember

CONTENT = b"run,event\n1,2\n"
FILE = SampleFile.model_validate({"path": "a.csv", "size": len(CONTENT), "sha256": hashlib.sha256(CONTENT).hexdigest()})


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "a.csv"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Which files were read."""
    read: list[Path] = []
    really = checks.difference
    monkeypatch.setattr(checks, "difference", lambda path, file: (read.append(path), really(path, file))[1])
    return read


def note(cache: Path) -> Path:
    (place,) = (cache / ".checked").iterdir()
    return place


def test_what_was_found_right_is_not_read_again(data: Path, tmp_path: Path, reads: list[Path]) -> None:
    cache = tmp_path / "cache"
    assert [check(data, FILE, cache) for _ in range(3)] == [None] * 3
    assert reads == [data]
    assert note(cache).stat().st_mode & 0o777 == 0o600
    assert (cache / ".checked").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("how", ["in its place", "in place of it", "with its time of before"])
def test_a_changed_file_is_read_whatever_an_old_note_says(how: str, data: Path, tmp_path: Path) -> None:
    """Also one of the same size and the same time of its last change, which anybody can set."""
    cache = tmp_path / "cache"
    before = data.stat()
    remember(data, FILE, cache)
    changed = CONTENT.replace(b"2", b"3")
    if how == "in place of it":
        data.with_suffix(".new").write_bytes(changed)
        data.with_suffix(".new").replace(data)
    else:
        data.write_bytes(changed)
    if how != "in its place":
        os.utime(data, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert (data.stat().st_size, data.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    fault = check(data, FILE, cache)
    assert fault is not None
    assert f"expected sha256 {hashlib.sha256(CONTENT).hexdigest()}, found " in fault


@pytest.mark.parametrize("planted", ["empty", "another's content", "others can write it", "a link", "a folder"])
def test_a_note_that_others_may_have_left_is_not_believed(
    planted: str, data: Path, tmp_path: Path, reads: list[Path]
) -> None:
    cache = tmp_path / "cache"
    remember(data, FILE, cache)
    place = note(cache)
    content = place.read_bytes()
    place.unlink()
    match planted:
        case "empty":
            place.touch()
        case "another's content":
            place.write_bytes(content.replace(b"a.csv", b"b.csv"))
        case "others can write it":
            place.write_bytes(content)
            place.chmod(0o666)
        case "a link":
            (tmp_path / "target").write_bytes(content)
            place.symlink_to(tmp_path / "target")
        case "a folder":
            place.mkdir()
    assert check(data, FILE, cache) is None
    assert check(data, FILE, cache) is None
    assert reads == ([data, data] if planted == "a folder" else [data])


def test_without_a_cache_that_can_be_written_a_file_is_read_each_time(data: Path, reads: list[Path]) -> None:
    assert check(data, FILE, Path("/proc/nowhere")) is None
    assert check(data, FILE, Path("/proc/nowhere")) is None
    assert reads == [data, data]
