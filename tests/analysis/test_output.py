"""The output folder: whole results under final names or none, one run at a time, and killed runs leave no trace."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from analysis.errors import OutputFolderError
from analysis.output import STAGING, check_space, staged_output, write_checksums

PROJECT = Path(__file__).parents[2]
FILES = ("anomalies.csv", "events.root", "histograms.root", "run.json", "votes.root")

# Writes results of one generation into argv[1], and dies at the argv[3]-th step that changes a final name.
PUBLISHER = """
import os, sys
from pathlib import Path
from analysis.output import staged_output

folder, generation, steps = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])

def die(event, arguments):
    global steps
    if event in ("os.rename", "os.remove", "os.rmdir") and publishing:
        if steps == 0:
            os._exit(9)
        steps -= 1

publishing = False
sys.addaudithook(die)
with staged_output(folder) as staging:
    for name in ("anomalies.csv", "events.root", "histograms.root", "run.json", "votes.root"):
        (staging / name).write_text(generation)
    (staging / "figures").mkdir()
    (staging / "figures" / "MR.png").write_text(generation)
    publishing = True
"""

# Holds the folder argv[1] until it is ended.
HOLDER = """
import sys, time
from pathlib import Path
from analysis.output import staged_output

with staged_output(Path(sys.argv[1])) as staging:
    (staging / "events.root").write_text("half")
    print("holding", flush=True)
    time.sleep(600)
"""


@contextmanager
def killed_at_the_end(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT) as process:
        try:
            yield process
        finally:
            process.kill()


def generations(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and STAGING not in path.parts
    }


def publish(folder: Path, generation: str, steps: int) -> int:
    command = [sys.executable, "-c", PUBLISHER, str(folder), generation, str(steps)]
    return subprocess.run(command, cwd=PROJECT, check=False).returncode


def whole(generation: str) -> dict[str, str]:
    return dict.fromkeys((*FILES, "figures/MR.png"), generation)


def test_results_appear_only_at_the_end(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "results"
    with staged_output(folder) as staging:
        (staging / "run.json").write_text("{}")
        (staging / "figures").mkdir()
        (staging / "figures" / "MR.png").write_text("picture")
        assert [path.name for path in folder.iterdir()] == [STAGING]
    assert generations(folder) == {"figures/MR.png": "picture", "run.json": "{}"}
    assert not (folder / STAGING).exists()


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_failure_leaves_old_results_untouched(tmp_path: Path, error: type[BaseException]) -> None:
    (tmp_path / "run.json").write_text("old")

    def fail() -> None:
        with staged_output(tmp_path) as staging:
            (staging / "run.json").write_text("new")
            (staging / "events.root").write_text("new")
            raise error

    with pytest.raises(error):
        fail()
    assert generations(tmp_path) == {"run.json": "old"}
    assert not (tmp_path / STAGING).exists()


def test_results_replace_those_of_an_earlier_run(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "autoencoder.onnx").write_text("old")
    (tmp_path / "events.root").write_text("old")
    (tmp_path / "notes.txt").write_text("mine")
    with staged_output(tmp_path) as staging:
        (staging / "models").mkdir()
        (staging / "models" / "isolation_forest.onnx").write_text("new")
        (staging / "events.root").write_text("new")
    # A folder is replaced, not added to; what no run wrote stays.
    assert generations(tmp_path) == {
        "events.root": "new",
        "models/isolation_forest.onnx": "new",
        "notes.txt": "mine",
    }


def test_results_replace_what_is_of_another_kind(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "MR.png").write_text("not ours to remove")
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "figures").symlink_to(elsewhere)
    (folder / "models").write_text("a file")
    (folder / "events.root").mkdir()
    with staged_output(folder) as staging:
        (staging / "figures").mkdir()
        (staging / "figures" / "MR.png").write_text("new")
        (staging / "models").mkdir()
        (staging / "events.root").write_text("new")
    assert generations(folder) == {"events.root": "new", "figures/MR.png": "new"}
    assert (folder / "models").is_dir()
    assert generations(elsewhere) == {"MR.png": "not ours to remove"}


def test_run_json_vouches_for_one_run_only_wherever_publishing_is_cut_short(tmp_path: Path) -> None:
    old = tmp_path / "old"
    assert publish(old, "old", steps=100) == 0
    assert generations(old) == whole("old")
    seen = set()
    # Six renames, the removal of the old run.json, of its checksums and of the other results that there can be (there
    # or not), and of the old folder of figures with its file, and of the staging.
    for steps in range(22):
        folder = tmp_path / str(steps)
        shutil.copytree(old, folder)
        code = publish(folder, "new", steps)
        found = generations(folder)
        if "run.json" in found:
            assert found in (whole("old"), whole("new"))
        seen.add((code, found.get("run.json"), found.get("events.root")))
    assert {(9, "old", "old"), (9, None, "new"), (0, "new", "new")} <= seen


def test_what_an_earlier_run_or_evaluation_left_goes_with_it(tmp_path: Path) -> None:
    """A new run.json must not vouch for metrics or a projection that are not of its run; a file of the user's stays."""
    old = ("metrics.json", "curves.root", "latent.csv", "objects.json", "report.html", "browse.html", "figures/MR.png")
    for name in (*old, "SHA256SUMS", "notes.txt", "run.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("old")
    with staged_output(tmp_path) as staging:
        for name in ("run.json", "events.root"):
            (staging / name).write_text("new")
    assert generations(tmp_path) == {"run.json": "new", "events.root": "new", "notes.txt": "old"}


def test_checksums_are_those_of_all_results_but_figures(tmp_path: Path) -> None:
    for name in ("run.json", "events.root", "curves.root", "models/a.onnx", "models/models.json", "figures/MR.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    write_checksums(tmp_path)
    expected = ("run.json", "events.root", "curves.root", "models/a.onnx", "models/models.json")
    lines = (tmp_path / "SHA256SUMS").read_text().splitlines()
    assert lines == [f"{hashlib.sha256(name.encode()).hexdigest()}  {name}" for name in expected]


def test_second_run_is_refused_while_the_first_holds_the_folder(tmp_path: Path) -> None:
    with killed_at_the_end([sys.executable, "-c", HOLDER, str(tmp_path)]) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "holding\n"
        with (
            pytest.raises(OutputFolderError, match=r"another run is writing to .*; wait for it or choose another one"),
            staged_output(tmp_path),
        ):
            pytest.fail("two runs hold one folder")
        # The refused run has not disturbed the first.
        assert (tmp_path / STAGING / "events.root").read_text() == "half"
    # What SIGKILL left is no result, and the next run removes it.
    assert (tmp_path / STAGING / "events.root").read_text() == "half"
    with staged_output(tmp_path) as staging:
        assert list(staging.iterdir()) == []
        (staging / "run.json").write_text("new")
    assert generations(tmp_path) == {"run.json": "new"}
    assert not (tmp_path / STAGING).exists()


def test_folders_hold_one_run_each(tmp_path: Path) -> None:
    with staged_output(tmp_path / "a") as first, staged_output(tmp_path / "b") as second:
        assert first != second


@pytest.mark.parametrize("below", [".", "results"])
def test_file_in_place_of_the_folder_is_named(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("mine")
    folder = tmp_path / "file" / below
    with (
        pytest.raises(OutputFolderError, match=r"cannot make the output folder .*/file.*; choose another one with"),
        staged_output(folder),
    ):
        pytest.fail("a file was taken for a folder")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs /proc, a folder that not even root can write to")
@pytest.mark.parametrize(
    ("folder", "fault"),
    [
        ("/proc/results", "cannot make the output folder /proc/results: "),
        ("/proc/self", "cannot write to /proc/self: "),
    ],
)
def test_unwritable_folder_is_named(folder: str, fault: str) -> None:
    with pytest.raises(OutputFolderError) as caught, staged_output(Path(folder)):
        pytest.fail("something was written to /proc")
    assert str(caught.value).startswith(fault)
    assert str(caught.value).endswith("choose another one with --output")


def test_error_of_the_disk_is_named_with_the_folder(tmp_path: Path) -> None:
    with pytest.raises(OutputFolderError) as caught, staged_output(tmp_path):
        Path("/dev/full").write_text("x")
    assert str(caught.value).startswith(f"cannot write to {tmp_path}: No space left on device; free some space or ")


def test_space_is_refused_before_the_disk_is_full(tmp_path: Path) -> None:
    # Four bytes a value, 32 MB that each thread holds back (no more than there is) and 20 MB for the rest.
    with pytest.raises(OutputFolderError, match=r": about 4000000084 MB are needed and \d+ MB are free; free some"):
        check_space(tmp_path, events=10**13, columns=100, threads=2)
    free = shutil.disk_usage(tmp_path).free
    with pytest.raises(OutputFolderError):
        check_space(tmp_path, events=2 * free // 400, columns=100, threads=1)
    check_space(tmp_path, events=free // 4 // 400, columns=100, threads=1)
    check_space(tmp_path, events=1000, columns=10, threads=10**6)


@pytest.mark.parametrize(
    ("folder", "name"), [("models", "thesis.txt"), ("figures", "notes.tex"), ("models", "code.py")]
)
def test_folders_of_the_users_own_are_not_replaced(tmp_path: Path, folder: str, name: str) -> None:
    (tmp_path / folder).mkdir()
    (tmp_path / folder / name).write_text("mine")
    with pytest.raises(OutputFolderError, match=rf"{folder} holds {name}"), staged_output(tmp_path):
        pass
    assert (tmp_path / folder / name).read_text() == "mine"


@pytest.mark.parametrize("name", ["what?", "run#1", "$HOME", "all*"])
def test_paths_that_root_reads_otherwise_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputFolderError, match="in a path for something else"), staged_output(tmp_path / name):
        pass
    assert not (tmp_path / name).exists()
