from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from plotting.__main__ import main
from plotting.figures.contents import list_figures
from plotting.results.run import Results

pytestmark = pytest.mark.pool

ROOT_FOLDER = Path(__file__).parents[2]


def run_program(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "plotting", *map(str, arguments)],
        cwd=ROOT_FOLDER,
        capture_output=True,
        text=True,
        check=False,
    )


def test_redraws_a_run_and_leaves_whole_files(results: Results, run_folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run_folder, tmp_path / "run")
    done = run_program(copy)
    assert done.returncode == 0, done.stderr
    names = [name for name, _ in list_figures(results)]
    assert done.stderr.splitlines() == [f"drew {name}" for name in names]
    assert done.stdout.startswith(f"{2 * len(names)} files")
    drawn = {path.name: path.read_bytes() for path in (copy / "figures").iterdir()}
    assert set(drawn) == {f"{name}.{kind}" for name in names for kind in ("png", "pdf")}
    for name, data in drawn.items():
        start, end = (b"\x89PNG", b"IEND\xaeB`\x82") if name.endswith("png") else (b"%PDF", b"%%EOF\n")
        assert data.startswith(start)
        assert data.endswith(end)
    check_fonts(drawn["feature_MR.pdf"])


def check_fonts(pdf: bytes) -> None:
    """Assert that all fonts are embedded TrueType: no Type 3, and no CFF font under a TrueType label."""
    assert b"/Type3" not in pdf
    streams = []
    for data in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL):
        try:
            streams.append(zlib.decompress(data))
        except zlib.error:
            continue
    assert not any(stream.startswith(b"OTTO") for stream in streams)
    assert sum(stream.startswith(b"\x00\x01\x00\x00") for stream in streams) >= 2  # upright and italic at least


@pytest.mark.parametrize("name", ["run.json", "histograms.root"])
@pytest.mark.parametrize("damage", ["missing", "truncated"])
def test_bad_results_end_with_one_line_and_exit_3(
    run_folder: Path, tmp_path: Path, name: str, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = shutil.copytree(run_folder, tmp_path / "run")
    if damage == "missing":
        (copy / name).unlink()
    else:
        (copy / name).write_bytes((copy / name).read_bytes()[:200])
    assert main([str(copy)]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert str(copy / name) in line
    assert "repeat the run" in line
    assert not (copy / "figures").exists()


def test_missing_folder_and_bad_command(tmp_path: Path) -> None:
    done = run_program(tmp_path / "none")
    assert done.returncode == 3
    assert len(done.stderr.splitlines()) == 1
    assert run_program("--colour", tmp_path).returncode == 2
    assert run_program().returncode == 2
