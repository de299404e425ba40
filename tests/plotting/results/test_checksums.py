"""What figures and reports are made of is compared with the checksums that the run left."""

from __future__ import annotations

import hashlib
import random
import shutil
from pathlib import Path

import pytest

from plotting.errors import MissingResult, PlottingError, UnreadableResult
from plotting.report.page import render_report
from plotting.results.checksums import CHECKSUMS, check_results
from plotting.results.run import read_results

FLIPPED = ("run.json", "anomalies.csv", "latent.csv", "histograms.root")


@pytest.fixture
def folder(trained_folder: Path, tmp_path: Path) -> Path:
    folder = Path(shutil.copytree(trained_folder, tmp_path / "run"))
    files = sorted(path for path in folder.iterdir() if path.is_file())
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (folder / CHECKSUMS).write_text("".join(lines))
    return folder


def test_whole_files_are_read(folder: Path) -> None:
    assert list(read_results(folder).detectors)
    assert "Synthetic" in render_report(folder, {})[0]


@pytest.mark.parametrize("name", FLIPPED)
def test_a_bit_that_flips_is_found(folder: Path, name: str) -> None:
    path = folder / name
    data = path.read_bytes()
    source = random.Random(name)
    for _ in range(30):
        damaged = bytearray(data)
        damaged[source.randrange(len(data))] ^= 1 << source.randrange(8)
        path.write_bytes(damaged)
        with pytest.raises(UnreadableResult, match=rf"{name}: not as it was written .*; get it again, or repeat"):
            read_results(folder)
        if name in ("run.json", "anomalies.csv"):
            with pytest.raises(UnreadableResult, match=rf"{name}: not as it was written"):
                render_report(folder, {})


@pytest.mark.parametrize("name", FLIPPED)
@pytest.mark.parametrize("kept", [0, 1, 0.5, 0.99])
def test_a_file_that_is_cut_short_is_found(folder: Path, name: str, kept: float) -> None:
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[: int(kept if kept in (0, 1) else kept * len(data))])
    with pytest.raises(UnreadableResult, match=rf"{name}: not as it was written"):
        read_results(folder)


def test_a_file_that_is_gone_or_not_listed_is_found(folder: Path) -> None:
    (folder / "objects.json").write_text('{"events": []}')
    with pytest.raises(UnreadableResult, match=r"objects.json: SHA256SUMS has no line of it"):
        read_results(folder)
    (folder / "objects.json").unlink()
    (folder / "anomalies.csv").unlink()
    with pytest.raises(MissingResult, match=r"anomalies.csv: not there"):
        read_results(folder)


def test_damaged_checksums_are_found(folder: Path) -> None:
    data = (folder / CHECKSUMS).read_bytes()
    source = random.Random(5)
    names = ("run.json", "histograms.root", "anomalies.csv", "latent.csv", "objects.json")
    for _ in range(30):
        damaged = bytearray(data)
        damaged[source.randrange(len(data) - 1)] ^= 1 << source.randrange(8)
        (folder / CHECKSUMS).write_bytes(damaged)
        with pytest.raises(PlottingError):
            check_results(folder, names, "")
