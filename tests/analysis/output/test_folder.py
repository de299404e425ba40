"""The output folder: whole results under final names or none, one run at a time, and killed runs leave no trace."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uproot

from analysis.errors import OutputFolderError
from analysis.output.folder import (
    STAGING,
    check_space,
    held_output,
    replace_record,
    staged_output,
    write_checksums,
    write_record,
)
from plotting.results.record_tables import Figures
from rdf.code.interpreter import ROOT
from rdf.code.library import graph_library
from rdf.errors import EventLoopFailed
from rdf.graph.events import book_events
from rdf.provenance import Provenance
from rdf.startup import interruptible
from tests.analysis.output.generations import FILES, draw, generations, publish_results, whole, write_results
from tests.records import RUN

PROJECT = Path(__file__).parents[3]

# Writes new results into copies of argv[1] beside it, called 0, 1, ..., and dies in each at another step that changes a
# final name, until it lives; prints the exit codes.
PUBLISHER = """
import os, shutil, sys
from pathlib import Path
from analysis.output.folder import staged_output
from tests.analysis.output.generations import write_results

old, steps, code = Path(sys.argv[1]), 0, 9
while code == 9:
    folder = shutil.copytree(old, old.with_name(str(steps)))
    child = os.fork()
    if not child:
        left, publishing = steps, False

        def die(event, arguments):
            global left
            if event in ("os.rename", "os.remove", "os.rmdir") and publishing:
                if left == 0:
                    os._exit(9)
                left -= 1

        sys.addaudithook(die)
        with staged_output(folder) as staging:
            write_results(staging, "new")
            publishing = True
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(code)
    steps += 1
"""

# Holds the folder argv[1] until it is ended.
HOLDER = """
import sys, time
from pathlib import Path
from analysis.output.folder import staged_output

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
    publish_results(tmp_path)

    def fail() -> None:
        with staged_output(tmp_path) as staging:
            write_results(staging, "new")
            raise error

    with pytest.raises(error):
        fail()
    assert generations(tmp_path) == whole("old")
    assert not (tmp_path / STAGING).exists()


def test_results_replace_those_of_an_earlier_run(tmp_path: Path) -> None:
    publish_results(tmp_path)
    draw(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    with staged_output(tmp_path) as staging:
        (staging / "models").mkdir()
        (staging / "models" / "b.onnx").write_text("new")
        write_record(staging, dataclasses.replace(RUN, command="new"))
        write_checksums(staging)
    # A folder is replaced, not added to, and nothing of the old results or of what was drawn of them stays; what no run
    # wrote stays.
    of_new = {"models/b.onnx": "new", "run.json": "new", "SHA256SUMS": "new"}
    assert generations(tmp_path) == of_new | {"notes.txt": "mine"}


def test_a_list_vouches_wherever_publishing_is_cut_short(tmp_path: Path) -> None:
    """What stands there is one run's wherever run.json is there, and the next run goes well from everywhere."""
    old = publish_results(tmp_path / "old")
    assert generations(old) == whole("old")
    draw(old)
    (old / "notes.txt").write_text("mine")
    command = [sys.executable, "-c", PUBLISHER, str(old)]
    codes = subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True).stdout.split()
    assert len(codes) > 15
    seen = set()
    for steps, code in enumerate(codes):
        folder = tmp_path / str(steps)
        found = generations(folder)
        if "run.json" in found:
            assert {found[name] for name in FILES} in ({"old"}, {"new"})
        seen.add((code, found.get("run.json"), found.get("events.root")))
        publish_results(folder, "new")
        assert generations(folder) == whole("new") | {"notes.txt": "mine"}
    expected = {("9", "old", "old"), ("9", None, "old"), ("9", None, "new"), ("9", "new", "new"), ("0", "new", "new")}
    assert expected <= seen


def test_a_list_vouches_while_run_json_is_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is killed after its results were published, while it draws, leaves what the next one may replace."""
    replaced: list[str] = []
    move = Path.replace

    def replace(path: Path, target: Path) -> Path:
        if path.parent.name == STAGING:
            if len(replaced) == stop:
                raise KeyboardInterrupt
            replaced.append(path.name)
        return move(path, target)

    for stop in range(4):
        folder = publish_results(tmp_path / str(stop))
        replaced.clear()
        with held_output(folder) as staging, monkeypatch.context() as patch:
            patch.setattr(Path, "replace", replace)
            try:
                again = dataclasses.replace(RUN, command="old", figures=Figures(drawn=("feature_MR",)))
                replace_record(staging, folder, again)
            except KeyboardInterrupt:
                assert stop < 3
        assert len(replaced) == stop
        draw(folder)
        publish_results(folder, "new")
        assert generations(folder) == whole("new")


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
        (staging / "run.json").write_text("{}")
    assert generations(tmp_path) == {"run.json": "{}"}
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


@pytest.mark.parametrize("name", ["what?", "run#1", "$HOME", "all*", "x|y", "http:/x", "file:/x"])
def test_paths_that_root_reads_otherwise_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputFolderError, match="in a path for something else"), staged_output(tmp_path / name):
        pass
    assert not (tmp_path / name).exists()


# Paths, and errors that are none of the folder's.


def as_long_as(parent: Path, length: int) -> Path:
    """A path of so many bytes, of names that the system takes."""
    path = parent
    while length - len(os.fsencode(path)) > 100:
        path = path / ("d" * 60)
    return path / ("é" + "e" * (length - len(os.fsencode(path)) - 3))


@pytest.mark.parametrize("length", [230, 300, 1100, 3600])
def test_a_path_that_root_aborts_at_is_refused(length: int, tmp_path: Path) -> None:
    """It takes 254 bytes for the file; of an output folder with .staging and the longest name in it."""
    folder = as_long_as(tmp_path, length)
    assert len(os.fsencode(folder)) == length
    with pytest.raises(OutputFolderError, match="too long for ROOT, which takes 254 bytes"), held_output(folder):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.compiler
def test_the_longest_path_that_is_not_refused_can_be_written(tmp_path: Path) -> None:
    folder = as_long_as(tmp_path, 254 - len("/.staging/histograms.root"))
    with held_output(folder) as staging:
        path = staging / "histograms.root"
        events = ROOT.RDF.AsRNode(ROOT.RDataFrame(3)).Define("x", "1.f * rdfentry_")
        for name in ("run", "luminosityBlock", "event"):
            events = events.Define(name, "static_cast<unsigned long long>(rdfentry_)")
        graph_library("scores").load()
        written = book_events(events, path, ["x"], Provenance("{}", False))
        ROOT.RDF.RunGraphs([written])
        with uproot.open(path) as file:
            assert file["events"]["x"].array().tolist() == [0, 1, 2]
        with pytest.raises(EventLoopFailed, match="too long for ROOT"):
            book_events(events, path.with_name("histograms2.root"), ["x"], Provenance("{}", False))


def test_a_name_that_the_system_refuses_is_one_line(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputFolderError, match=r"too long for ROOT|File name too long"),
        held_output(tmp_path / ("n" * 300)),
    ):
        pass


KINDS = {"inside": OutputFolderError, "unnamed": OutputFolderError, "outside": OSError}


@pytest.mark.parametrize(("where", "kind"), KINDS.items())
def test_only_an_error_of_the_output_folder_is_told_as_one(where: str, kind: type[Exception], tmp_path: Path) -> None:
    path = {"inside": tmp_path / "output" / ".staging" / "x", "outside": tmp_path / "another"}.get(where)

    def fail() -> None:
        raise OSError(28, "No space left on device", *([str(path)] if path else []))

    with pytest.raises(kind) as caught, held_output(tmp_path / "output"):
        fail()
    assert isinstance(caught.value, OSError) == (where == "outside")
    assert not (tmp_path / "output" / ".staging").exists()


def test_a_signal_does_not_interrupt_the_publication(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was interrupted is told once all results have their names."""
    moved = Path.replace

    def publish_results(folder: Path) -> None:
        with staged_output(folder) as staging:
            for name in ("run.json", "histograms.root"):
                (staging / name).write_text("{}")
            write_checksums(staging)

    def replace(path: Path, target: Path) -> Path:
        signal.raise_signal(signal.SIGTERM)
        return moved(path, target)

    monkeypatch.setattr(Path, "replace", replace)
    with interruptible() as interruption:
        interruption.working = True
        with pytest.raises(KeyboardInterrupt):
            publish_results(tmp_path / "output")
    names = {path.name for path in (tmp_path / "output").iterdir()}
    assert names == {"SHA256SUMS", "histograms.root", "run.json"}
