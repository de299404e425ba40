from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from plotting.drawing.pool import Workers, draw_figures
from plotting.errors import UnreadableResult, WorkerDied
from plotting.figures.contents import list_figures
from plotting.results.run import Results, read_results

pytestmark = pytest.mark.pool

ROOT_FOLDER = Path(__file__).parents[2]


def children(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for_end(processes: list[int]) -> bool:
    deadline = time.monotonic() + 300
    while any(running(process) for process in processes) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not any(running(process) for process in processes)


@pytest.fixture(autouse=True)
def _own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a killed process leaves there goes with the test."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))


@pytest.fixture
def folder(run_folder: Path, tmp_path: Path) -> Path:
    """A run of one feature: few figures."""
    folder = Path(shutil.copytree(run_folder, tmp_path / "run"))
    record = json.loads((folder / "run.json").read_text())
    few = {"features": record["features"][:1], "observables": []}
    (folder / "run.json").write_text(json.dumps(record | few))
    return folder


@pytest.fixture
def few_results(folder: Path) -> Results:
    return read_results(folder)


def test_one_process_and_two_draw_the_same_bytes_in_the_same_order(
    run_folder: Path, results: Results, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(run_folder, tmp_path / "whole"))
    names = [name for name, _ in list_figures(results)]
    drawn = []
    for number in (1, 2):
        told: list[str] = []
        with Workers(number) as workers:
            written = draw_figures(folder, told.append, workers)
        assert told == names
        assert written == [folder / "figures" / f"{name}.{kind}" for name in names for kind in ("png", "pdf")]
        drawn.append([path.read_bytes() for path in written])
        shutil.rmtree(folder / "figures")
    assert drawn[0] == drawn[1]


def test_processes_draw_one_folder_after_another(folder: Path, evaluation_folder: Path, tmp_path: Path) -> None:
    evaluation = Path(shutil.copytree(evaluation_folder, tmp_path / "evaluation"))
    with Workers(2) as workers:
        for place, name in ((folder, "feature_MR.pdf"), (evaluation, "roc.png")):
            assert place / "figures" / name in draw_figures(place, lambda _: None, workers)
    assert list((tmp_path / "temporary").iterdir()) == []


def test_an_error_in_a_process_is_that_of_the_caller(folder: Path, few_results: Results) -> None:
    (folder / "figures").write_text("a file is in the way")
    with Workers(2) as workers:
        assert draw_figures(folder, lambda _: pytest.fail("drew a figure"), workers) == []
        assert set(workers.failed) == {name for name, _ in list_figures(few_results)}
        assert workers.drawn == []
    assert all(reason.startswith(f"{folder / 'figures'}: cannot write") for reason in workers.failed.values())
    (folder / "histograms.root").write_bytes((folder / "histograms.root").read_bytes()[:200])
    with pytest.raises(UnreadableResult) as here:
        read_results(folder)
    with Workers(2) as workers, pytest.raises(UnreadableResult) as there:
        draw_figures(folder, lambda _: None, workers)
    assert str(there.value) == str(here.value)


@pytest.mark.parametrize(("killed", "after"), [(1, 0), (1, 1), (2, 1)])
def test_a_process_that_is_killed_leaves_its_figure_to_be_named_and_the_others_to_the_rest(
    folder: Path, few_results: Results, killed: int, after: int
) -> None:
    names = [name for name, _ in list_figures(few_results)]
    others = set(children(os.getpid()))
    told: list[str] = []
    with Workers(2) as workers:
        processes = [child for child in children(os.getpid()) if child not in others]
        assert len(processes) == 2

        def kill(name: str = "") -> None:
            told.append(name)
            for process in processes[:killed]:
                with suppress(ProcessLookupError):  # the first time it was ended
                    os.kill(process, signal.SIGKILL)

        if not after:
            kill()
        draw_figures(folder, kill, workers)
    # A process may be killed between two figures, while it has nothing to do.
    assert 0 <= len(workers.failed) <= 1 if killed == 1 else len(workers.failed) >= len(names) - 4
    for reason in workers.failed.values():
        assert reason.startswith(f"{folder}: a process that draws its figures was ended by signal 9")
        assert len(reason.splitlines()) == 1
    assert sorted([*workers.drawn, *workers.failed]) == sorted(names)
    assert [name for name in told if name] == workers.drawn
    assert not any(running(process) for process in processes)
    assert [path.name for path in folder.glob("figures/.*")] == []


def test_processes_that_are_all_killed_at_the_start_end_in_one_line(folder: Path) -> None:
    others = set(children(os.getpid()))
    with Workers(2) as workers:
        for child in children(os.getpid()):
            if child not in others:
                os.kill(child, signal.SIGKILL)
        with pytest.raises(WorkerDied, match="was ended by signal 9") as died:
            draw_figures(folder, lambda _: None, workers)
    assert len(str(died.value).splitlines()) == 1


def test_what_killed_processes_left_is_removed_by_the_next(folder: Path, tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as ended:
        ended.wait()
    (folder / "figures").mkdir()
    left = [
        folder / "figures" / f".cutflow.png.{ended.pid}.partial",
        folder / "figures" / f".feature_MR.pdf.{ended.pid}.partial",
    ]
    kept = folder / "figures" / f".cutflow.png.{os.getpid()}.partial"  # of a process that is still drawing
    for path in (*left, kept):
        path.write_bytes(b"half")
    with Workers(1) as workers:
        draw_figures(folder, lambda _: None, workers)
    assert not any(path.exists() for path in left)
    assert kept.exists()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_caller_that_is_ended_leaves_no_process_and_no_half_figure(folder: Path, how: signal.Signals) -> None:
    caller = subprocess.Popen(
        [sys.executable, "-m", "plotting", str(folder)],
        cwd=ROOT_FOLDER,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert caller.stderr is not None
    assert caller.stderr.readline() == "drew cutflow\n"
    processes = children(caller.pid)
    assert processes
    os.killpg(caller.pid, how)  # as a terminal does for Ctrl-C
    told = caller.stderr.read()
    caller.stderr.close()
    assert caller.wait() == (130 if how == signal.SIGINT else -how)
    assert "Traceback" not in told
    assert wait_for_end(processes)
    assert [path.name for path in folder.glob("figures/.*")] == []


def test_the_caller_imports_neither_matplotlib_nor_uproot() -> None:
    code = "import plotting.drawing.pool, sys; assert not {'matplotlib', 'numpy', 'uproot', 'ROOT'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT_FOLDER, env={"PATH": ""})
