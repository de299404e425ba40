"""How programs end: the exit code of each family of errors, one line on stderr, the log, and interruptions."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

import analysis.errors
import models.errors
import plotting.errors
import rdf.errors
from analysis.console.program import OptionParser, check_interruption, run_program
from rdf.cache import cache_folder

PROJECT = Path(__file__).parents[3]

# Written out, not taken from the program: shells and batch systems rely on these numbers.
CODES = {
    analysis.errors.ConfigurationError: 2,
    analysis.errors.UnknownSample: 2,
    rdf.errors.SchemaError: 2,
    rdf.errors.UnknownSchema: 2,
    rdf.errors.UnknownFeature: 2,
    rdf.errors.SpectrumError: 2,
    models.errors.ModelFolderError: 2,
    models.errors.DetectorError: 2,
    analysis.errors.DataError: 3,
    analysis.errors.SampleUnavailable: 3,
    analysis.errors.ChecksumMismatch: 3,
    analysis.errors.OutputFolderError: 3,
    analysis.errors.DamagedPart: 3,
    rdf.errors.SourceError: 3,
    rdf.errors.UnreadableFile: 3,
    rdf.errors.MissingColumn: 3,
    rdf.errors.ExecutionError: 3,
    rdf.errors.EventLoopFailed: 3,
    rdf.errors.ClusterError: 3,
    rdf.errors.MalformedRow: 3,
    rdf.errors.NoEvents: 3,
    rdf.errors.CacheUnusable: 3,
    rdf.errors.TemporaryFolderError: 3,
    rdf.errors.OutOfMemory: 3,
    models.errors.TrainingError: 3,
    plotting.errors.MissingResult: 3,
    plotting.errors.UnreadableResult: 3,
    plotting.errors.BadCommand: 2,
    plotting.errors.UnfitRuns: 3,
    plotting.errors.FigureFolderError: 3,
    plotting.errors.PageFolderError: 3,
    plotting.errors.WorkerDied: 3,
    plotting.errors.FigureFailed: 3,
    plotting.errors.BrowserFailed: 3,
    plotting.errors.PackageUnavailable: 3,
    analysis.errors.AnalysisError: 4,
    analysis.errors.FiguresFailed: 4,
    rdf.errors.ComputationError: 4,
    rdf.errors.StatisticsFailed: 4,
    analysis.errors.SearchRefused: 4,
    rdf.errors.BrokenInterpreter: 4,
    rdf.errors.CompileError: 4,
    rdf.errors.LostEvents: 4,
    rdf.errors.ScoreMismatch: 4,
    rdf.errors.Interrupted: 130,
}

MESSAGE = ("file.csv, line 3: too short;\n  mend it",)
PARTS: dict[type[Exception], tuple[str, ...]] = {rdf.errors.CompileError: ("file.csv, line 3", "too short;\n  mend it")}
"""What an error is made of that puts its message together itself."""


@pytest.fixture(autouse=True)
def as_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give the program a log folder of its own, and the tests their signal handlers back."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


def logs(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "state").rglob("*.log"))


def end_with(error: BaseException) -> int:
    def main(_: Sequence[str]) -> int:
        raise error

    return run_program("analysis.made_up", main, [])


@contextmanager
def child(program: str, tmp_path: Path, prefix: Sequence[str] = ()) -> Iterator[subprocess.Popen[str]]:
    """Start a program whose `main` has this body, and leave no process behind."""
    source = (
        "import signal, sys, time\nfrom analysis.console.program import check_interruption, run_program\n"
        f"def main(arguments):\n{textwrap.indent(textwrap.dedent(program), '    ')}\n"
        "sys.exit(run_program('analysis.made_up', main, []))\n"
    )
    with subprocess.Popen(
        [*prefix, sys.executable, "-c", source],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=PROJECT,
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("error", CODES, ids=lambda error: error.__name__)
def test_each_family_of_errors_has_its_code(error: type[Exception], capsys: pytest.CaptureFixture[str]) -> None:
    assert end_with(error(*PARTS.get(error, MESSAGE))) == CODES[error]
    said = capsys.readouterr()
    assert said.out == ""
    expected = "error: file.csv, line 3: too short; mend it\n"
    if error is rdf.errors.CompileError:
        expected = "error: file.csv, line 3: too short; mend it; run `python -m analysis.doctor`\n"
    if CODES[error] == 130:
        expected = "interrupted; no result was left under its final name\n"
    assert said.err == expected


def test_every_error_of_the_rooms_is_in_that_table() -> None:
    rooms = (analysis.errors, rdf.errors, models.errors, plotting.errors)
    found = {
        error
        for room in rooms
        for error in vars(room).values()
        if isinstance(error, type) and issubclass(error, Exception) and error.__module__ == room.__name__
    }
    # Base classes are never raised, and a detector that ONNX cannot express is an error of the toolkit's own.
    never_raised = {rdf.errors.ToolkitError, plotting.errors.PlottingError}
    assert found - CODES.keys() == {*never_raised, models.errors.ExportError}


def test_long_message_is_one_line_and_printed_as_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    message = "/data/[bold]run[1]/:smile:/" + "very_long_name_" * 20 + ".csv is missing; look for it"
    assert end_with(analysis.errors.DataError(message)) == 3
    assert capsys.readouterr().err == f"error: {message}\n"


def test_unforeseen_error_names_the_log_with_the_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert end_with(ZeroDivisionError("by\nzero")) == 4
    (log,) = logs(tmp_path)
    assert capsys.readouterr().err == f"error: unforeseen ZeroDivisionError: by zero (traceback: {log})\n"
    assert re.fullmatch(r"made_up-\d{8}T\d{6}-\d+\.log", log.name)
    content = log.read_text()
    assert "Traceback (most recent call last):" in content
    assert 'test_program.py", line' in content
    assert "ZeroDivisionError: by\nzero" in content


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "not enough memory (); free some"),
        (RuntimeError("can't start new thread"), "not enough memory (can't start new thread); free some"),
        (rdf.errors.EventLoopFailed("the loop broke off: std::bad_alloc"), "not enough memory (the loop broke off: "),
        (ImportError("libx.so: failed to map segment from shared object"), "not enough memory (libx.so: "),
        (rdf.errors.OutOfMemory("not enough memory: ROOT takes 1.4 GB"), "not enough memory: ROOT takes 1.4 GB"),
        (OSError(36, "File name too long", "/data/x"), "/data/x: File name too long; check the path, "),
        (PermissionError(13, "Permission denied", b"/data/\xff"), "/data/\\udcff: Permission denied; check the path, "),
    ],
)
def test_what_the_machine_refuses_is_exit_3(
    error: Exception, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert end_with(error) == 3
    told = capsys.readouterr().err
    assert told.encode("utf-8", "backslashreplace").decode().startswith(f"error: {said}")
    assert told.count("\n") == 1


def test_foreseen_error_has_its_traceback_in_the_log_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert end_with(analysis.errors.DataError("no file; fetch it")) == 3
    (log,) = logs(tmp_path)
    assert "Traceback" in log.read_text()
    assert capsys.readouterr().err == "error: no file; fetch it\n"


@pytest.mark.parametrize("obstacle", ["file", "unwritable"])
def test_program_ends_as_it_should_without_a_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, obstacle: str
) -> None:
    state = tmp_path / "state" / "root-anomaly-search"
    if obstacle == "file":
        state.parent.mkdir()
        state.write_text("in the way")
    else:
        # A folder that is there, but in which not even root can make a file.
        state.mkdir(parents=True)
        (state / "log").symlink_to("/proc/self")
    assert end_with(ZeroDivisionError("by zero")) == 4
    assert capsys.readouterr().err == "error: unforeseen ZeroDivisionError: by zero\n"


def test_program_that_ends_well_says_nothing_and_leaves_no_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    got: list[str] = []

    def main(arguments: Sequence[str]) -> int:
        got.extend(arguments)
        return 0

    assert run_program("analysis.made_up", main, ["--a", "b"]) == 0
    assert got == ["--a", "b"]
    assert capsys.readouterr() == ("", "")
    assert logs(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_program_ends_with_130(tmp_path: Path, number: signal.Signals) -> None:
    with child("print('working', flush=True); time.sleep(20)", tmp_path) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "working\n"
        program.send_signal(number)
        assert program.communicate() == ("", "interrupted; no result was left under its final name\n")
    assert program.returncode == 130
    (log,) = logs(tmp_path)
    assert "KeyboardInterrupt" in log.read_text()


def test_ctrl_c_reaches_a_program_that_a_script_started_in_the_background(tmp_path: Path) -> None:
    # A shell has SIGINT ignored in what it starts with `&`.
    ignoring = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh"]
    with child("print('working', flush=True); time.sleep(20)", tmp_path, ignoring) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "working\n"
        program.send_signal(signal.SIGINT)
        assert program.communicate()[1].startswith("interrupted; ")
    assert program.returncode == 130


def test_swallowed_interruption_is_raised_again(tmp_path: Path) -> None:
    swallowing = """
        try:
            print('working', flush=True)
            time.sleep(20)
        except KeyboardInterrupt:  # as PyROOT does where C++ has called Python
            pass
        print('went on', flush=True)
        check_interruption()
        print('went on too far', flush=True)
        return 0
    """
    with child(swallowing, tmp_path) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "working\n"
        program.send_signal(signal.SIGINT)
        assert program.communicate() == ("went on\n", "interrupted; no result was left under its final name\n")
    assert program.returncode == 130


def test_bar_that_is_moved_raises_it_again(tmp_path: Path) -> None:
    swallowing = """
        from analysis.console.progress import progress_bar
        from rich.console import Console
        with progress_bar(Console(stderr=True, quiet=True), 'toys', 'toys') as move:
            move(1, 3)
            try:
                print('working', flush=True)
                time.sleep(20)
            except KeyboardInterrupt:  # as PyROOT does in the conversion of arguments and results
                pass
            move(2, 3)
            print('went on too far', flush=True)
        return 0
    """
    with child(swallowing, tmp_path) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "working\n"
        program.send_signal(signal.SIGINT)
        assert program.communicate() == ("", "interrupted; no result was left under its final name\n")
    assert program.returncode == 130


def test_nothing_is_raised_without_an_interruption(capsys: pytest.CaptureFixture[str]) -> None:
    check_interruption()  # no program runs, so no handler of its is in place

    def main(_: Sequence[str]) -> int:
        check_interruption()
        return 0

    assert run_program("analysis.made_up", main, []) == 0


def test_interruption_of_one_program_does_not_end_the_next() -> None:
    assert end_with(KeyboardInterrupt()) == 130

    def main(_: Sequence[str]) -> int:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            check_interruption()
        return 0

    assert run_program("analysis.made_up", main, []) == 0
    assert run_program("analysis.made_up", lambda _: check_interruption() or 0, []) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--thread", "2"], "unknown option --thread; did you mean --threads, --help?"),
        (["--thraeds=2"], "unknown option --thraeds; did you mean --threads, --help?"),
        (["--xyz"], "unknown option --xyz; known: --help, --threads"),
        (["--threads"], "argument --threads: expected one argument (see python -m analysis.made_up --help)"),
        (["--threads", "two"], "argument --threads: invalid int value: 'two' (see python -m analysis.made_up --help)"),
    ],
)
def test_wrong_option_is_named_with_near_ones(arguments: list[str], words: str) -> None:
    parser = OptionParser("analysis.made_up", "Made up.")
    parser.add_argument("--threads", type=int)
    with pytest.raises(analysis.errors.ConfigurationError) as caught:
        parser.parse_args(arguments)
    assert str(caught.value) == words


def test_wrong_option_of_the_main_job_is_exit_2_and_one_line(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "analysis.run", "--sampel", "cms2010b"],
        capture_output=True,
        text=True,
        check=False,
        cwd=PROJECT,
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")},
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("error: unknown option --sampel; did you mean --sample")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("program", ["analysis.run", "analysis.samples"])
def test_help_exits_0_and_imports_neither_root_nor_torch(program: str, tmp_path: Path) -> None:
    source = textwrap.dedent(f"""
        import runpy, sys
        sys.argv = ["run", "--help"]
        try:
            runpy.run_module("{program}", run_name="__main__", alter_sys=True)
        except SystemExit as end:
            code = end.code
        print("ended", code, *sorted({{"ROOT", "torch", "sklearn", "matplotlib", "sofie"}} & set(sys.modules)))
    """)
    ended = subprocess.run(
        [sys.executable, "-c", source],
        capture_output=True,
        text=True,
        check=True,
        cwd=PROJECT,
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")},
    )
    assert ended.stdout.startswith(f"usage: python -m {program} ")
    assert ended.stdout.splitlines()[-1] == "ended 0"
    assert logs(tmp_path) == []


def test_errors_and_their_codes_need_no_root() -> None:
    source = (
        "import sys, analysis.console.program; print(*{'ROOT', 'torch', 'sklearn', 'matplotlib'} & set(sys.modules))"
    )
    ended = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True, cwd=PROJECT)
    assert ended.stdout.strip() == ""


def test_cache_is_moved_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "root-anomaly-search"
