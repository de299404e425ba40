"""The look-up order of a sample's files, and what was checked once; nothing here needs a network."""

from __future__ import annotations

import hashlib
import os
import zlib
from pathlib import Path

import pytest

import analysis.samples
from analysis.errors import ChecksumMismatch, SampleUnavailable
from analysis.samples import Sample, SampleFile, find_sample, locate, obtain, opendata_folder
from analysis.samples.__main__ import main
from analysis.samples.checks import check
from tests.analysis.samples.tiny import CONTENT, put


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
