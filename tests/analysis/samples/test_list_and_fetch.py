"""The command line over the catalogue: what it lists, fetches and refuses."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from analysis.samples import catalogue
from analysis.samples.__main__ import main
from tests.analysis.samples.tiny import CONTENT, put

ROOT_OF_PROJECT = Path(__file__).parents[3]


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


def test_simulated_samples_are_marked(tmp_path: Path) -> None:
    simulated = {name for name, sample in catalogue().items() if sample.simulated}
    assert simulated == {
        *("nano_v5_simulated", "nano_ttbar_2015", "nano_ttbar_v12", "hzz_tutorial"),
        *("lhco", "lhco_train", "lhco_test", "lhco_evaluation"),
        *("higgs_signal", "higgs_background", "higgs_csv"),
        *("darkmachines_background", "darkmachines_gluino", "darkmachines_monojet"),
    }
    listed = run(HOME=str(tmp_path), XDG_CACHE_HOME=str(tmp_path))
    lines = listed.stdout.splitlines()
    marked = {above.split()[0] for above, line in pairwise(lines) if "SIMULATED" in line}
    assert marked == simulated


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
