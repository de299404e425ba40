"""A watch in a process of its own: files arrive, some of them bad, it is killed and started again; against one run."""

from __future__ import annotations

import csv
import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from analysis import simulate
from analysis.configuration import RunConfiguration, load_configuration
from analysis.run import run
from tests.analysis.same_results import assert_same_results

FILES, EVENTS = 46, 500
WAIT = 60.0
"""Seconds after which a test gives up."""


class Watch:
    """A watch that runs."""

    def __init__(self, *arguments: str | Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "analysis.watch", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.said = ""

    def end(self, sent: signal.Signals = signal.SIGINT) -> float:
        """Send a signal, and return the seconds until the process has ended."""
        begin = time.monotonic()
        self.process.send_signal(sent)
        self.said, _ = self.process.communicate(timeout=WAIT)
        return time.monotonic() - begin

    @property
    def code(self) -> int:
        return self.process.returncode


def wait_until(condition: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < until, f"in vain: {what}"
        time.sleep(0.05)


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def scored_files(output: Path) -> list[str]:
    """The files of the result, in the order in which they were scored; none where it is being replaced."""
    try:
        return [file["path"] for file in read(output / "run.json")["sample"]["files"]]
    except FileNotFoundError:
        return []


def set_aside(output: Path) -> dict[str, str]:
    try:
        with (output / "set_aside.csv").open(newline="") as file:
            return {row["file"]: row["reason"] for row in csv.DictReader(file)}
    except FileNotFoundError:
        return {}


def place(source: Path, target: Path) -> None:
    """Let a file appear as a whole."""
    draft = target.with_name(f".{target.name}")
    shutil.copyfile(source, draft)
    draft.rename(target)


@pytest.fixture(scope="module")
def made(apart: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Simulated files, and models of two detectors."""
    folder = tmp_path_factory.mktemp("made")
    for i in range(FILES):
        simulate.main(["qcd", "--events", str(EVENTS), "--seed", str(i + 1), "-o", str(folder / f"{i:02}.root")])
    simulate.main(["tracks", "--events", "100", "-o", str(folder / "tracks.root")])
    simulate.main(["qcd", "--events", "4000", "--seed", "99", "-o", str(folder / "training.root")])
    options = {"sample": str(folder / "training.root"), "schema": "cms_nanoaod", "threads": 1}
    options |= {"output": str(folder / "trained"), "detectors": "isolation_forest,elliptic_envelope"}
    run(load_configuration(RunConfiguration, options, None), "test")
    return folder


@pytest.fixture(scope="module")
def models(made: Path) -> Path:
    return made / "trained" / "models"


def batch(folder: Path, files: list[str], models: Path) -> Path:
    """Leave what one run over these files leaves; the sample is called `good`, as the watched folders are."""
    sample = {"title": "good", "schema": "cms_nanoaod", "files": [{"path": file} for file in files]}
    (folder / "good.yaml").write_text(yaml.safe_dump(sample))
    options = {"sample": str(folder / "good.yaml"), "models": str(models), "output": str(folder / "batch")}
    run(load_configuration(RunConfiguration, options, None), "test")
    return folder / "batch"


def write_slowly(source: Path, target: Path) -> Iterator[None]:
    """Write a file in pieces, and yield after each."""
    content = source.read_bytes()
    for i in range(4):
        with target.open("ab") as file:
            file.write(content[i * len(content) // 4 : (i + 1) * len(content) // 4])
        yield


def test_good_files_are_scored_once_and_bad_ones_set_aside(made: Path, models: Path, tmp_path: Path) -> None:
    good, output = tmp_path / "good", tmp_path / "output"
    good.mkdir()
    watch = Watch(good, "--models", models, "--output", output, "--settle", "0.3")
    slowly = write_slowly(made / "45.root", good / "slow.root")
    for i in range(45):
        place(made / f"{i:02}.root", good / f"{i:02}.root")
        time.sleep(0.1)
        if i % 10 == 5:
            next(slowly)
        if i == 10:
            (good / "notes.txt").write_text("shift log\n")
            (good / "truncated.root").write_bytes((made / "44.root").read_bytes()[:-9000])
        if i == 20:
            place(made / "00.root", good / "duplicate.root")
            place(made / "tracks.root", good / "tracks.root")
    next(slowly, None)
    bad = {"notes.txt", "truncated.root", "duplicate.root", "tracks.root"}
    wait_until(lambda: len(scored_files(output)) == 46 and set_aside(output).keys() == bad, "46 files, 4 set aside")
    assert watch.end() < 2
    assert watch.code == 0, watch.said

    files = scored_files(output)
    assert {Path(file).name for file in files} == {*(f"{i:02}.root" for i in range(45)), "slow.root"}
    reasons = set_aside(output)
    assert "has the content of 00.root" in reasons["duplicate.root"]
    assert "has no tree 'Events'" in reasons["tracks.root"]
    assert "is not a whole ROOT file" in reasons["truncated.root"]
    assert "is not a whole ROOT file" in reasons["notes.txt"]
    assert all(name in watch.said for name in bad)
    assert "latency of files p50" in watch.said
    assert "flagged: run 1 luminosityBlock" in watch.said
    assert "drift" not in watch.said
    assert_same_results(output, batch(tmp_path, files, models), at_least=FILES * EVENTS // 3)
    assert read(output / "run.json")["counts"]["processed"] == FILES * EVENTS
    assert sorted(path.name for path in good.iterdir()) == sorted({Path(file).name for file in files} | bad)


def test_killed_at_any_moment_and_started_again_gives_the_same(made: Path, models: Path, tmp_path: Path) -> None:
    good, output = tmp_path / "good", tmp_path / "output"
    good.mkdir()
    names = [f"{i:02}.root" for i in range(20)]
    (good / "notes.txt").write_text("shift log\n")
    draw = random.Random(1)
    waiting = list(names)
    for kill in range(6):
        for name in waiting[:4]:
            place(made / name, good / name)
        waiting = waiting[4:]
        watch = Watch(good, "--models", models, "--output", output, "--settle", "0")
        if kill < 5:
            time.sleep(draw.uniform(2, 6))
            watch.end(signal.SIGKILL)
    wait_until(lambda: len(scored_files(output)) == len(names), "20 files")
    assert watch.end() < 2
    assert watch.code == 0, watch.said
    files = scored_files(output)
    assert sorted(Path(file).name for file in files) == names
    assert set_aside(output).keys() == {"notes.txt"}
    assert_same_results(output, batch(tmp_path, files, models), at_least=20 * EVENTS // 3)
    assert not (output / ".staging").exists()
