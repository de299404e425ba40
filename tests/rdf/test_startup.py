"""How programs begin and end: signals from their first line on, streams that lead nowhere, too little memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from rdf.startup import Interruption, interruptible, uninterrupted

pytestmark = pytest.mark.compiler

PROJECT = Path(__file__).parents[2]
NOTHING_LEFT = "interrupted; no result was left under its final name\n"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def started(folder: Path, *command: str, ignored: Sequence[signal.Signals] = ()) -> Iterator[subprocess.Popen[str]]:
    """Start Python; TMPDIR and what it writes lie under a folder. It does not outlive the block."""
    (folder / "temporary").mkdir(exist_ok=True)

    def set_signals() -> None:  # whatever started the tests has made of them
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)

    with subprocess.Popen(
        [sys.executable, *command],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "XDG_STATE_HOME": str(folder / "state"), "TMPDIR": str(folder / "temporary")},
        preexec_fn=set_signals,  # noqa: PLW1509 - it takes no lock
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for_first_line(process: subprocess.Popen[str], number: signal.Signals = signal.SIGHUP) -> None:
    """Wait until a program has its signals handled; Python itself does not handle SIGHUP."""
    until = time.monotonic() + 300
    while time.monotonic() < until:
        status = Path(f"/proc/{process.pid}/status").read_text()
        if int(status.partition("SigCgt:")[2].split()[0], 16) & 1 << (number - 1):
            return
        time.sleep(0.001)
    raise AssertionError("signals are not handled")


def left_by(folder: Path) -> list[str]:
    """Files, and folders that are not empty, but for the log."""
    found = [path for path in folder.rglob("*") if path.is_file() or path.name == ".staging"]
    return [str(path.relative_to(folder)) for path in found if not path.is_relative_to(folder / "state")]


PROGRAMS: dict[str, list[str]] = {
    "analysis.run": ["--sample", "cms2010b", "--output", "{}/output"],
    "analysis.evaluate": ["--background", "higgs_background", "--signal", "higgs_signal", "--output", "{}/output"],
    "analysis.watch": ["--replay", "cms2010b", "--rate", "10", "--models", "{}/none", "--output", "{}/output"],
    "analysis.simulate": ["qcd", "--events", "1e8", "-o", "{}/events.root"],
    "analysis.samples": [],
    "analysis.doctor": [],
    "condor": ["status", "{}"],
    "plotting": ["{}"],
}
MOMENTS = [
    *(("analysis.run", number, delay) for number in SIGNALS for delay in (0.0, 0.3, 0.7, 1.5)),
    *(("analysis.simulate", number, delay) for number, delay in zip(SIGNALS, (0.0, 0.5, 4.0), strict=True)),
    *((program, signal.SIGINT, 0.0) for program in PROGRAMS if program not in ("analysis.run", "analysis.simulate")),
]


@pytest.mark.parametrize(("program", "number", "delay"), MOMENTS)
def test_a_signal_after_the_first_line_is_exit_130_and_one_line(
    program: str, number: signal.Signals, delay: float, tmp_path: Path, opendata: Path
) -> None:
    arguments = [argument.format(tmp_path) for argument in PROGRAMS[program]]
    with started(tmp_path, "-m", program, *arguments) as process:
        wait_for_first_line(process)
        time.sleep(delay)
        process.send_signal(number)
        _, said = process.communicate()
    assert process.returncode == 130, said
    assert said.splitlines(keepends=True)[-1] == NOTHING_LEFT
    assert "Traceback" not in said
    assert left_by(tmp_path) == []


def test_nohup_lets_a_program_outlive_its_terminal(tmp_path: Path) -> None:
    with started(
        tmp_path, "-m", "analysis.simulate", "qcd", "--events", "1e8", "-o", f"{tmp_path}/x.root",
        ignored=[signal.SIGHUP, signal.SIGINT],
    ) as process:  # fmt: skip
        wait_for_first_line(process, signal.SIGTERM)
        process.send_signal(signal.SIGHUP)
        time.sleep(0.2)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)  # which a shell has ignored in the background: it counts even so
        assert process.communicate()[1].endswith(NOTHING_LEFT)
    assert process.returncode == 130


def test_who_imports_the_packages_keeps_signals_and_streams(tmp_path: Path) -> None:
    source = (
        "import signal, sys\n"
        "before = [signal.getsignal(n) for n in (1, 2, 15)], sys.stdout, sys.stderr\n"
        "import analysis, condor, plotting, rdf.startup, analysis.run\n"
        "assert ([signal.getsignal(n) for n in (1, 2, 15)], sys.stdout, sys.stderr) == before\n"
    )
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "__init__.py").write_text(source)
    (tmp_path / "theirs" / "program.py").write_text("")
    for command in (["-c", source], ["-m", "theirs.program", "analysis.run"]):
        environment = {**os.environ, "PYTHONPATH": f"{PROJECT}:{tmp_path}"}
        done = subprocess.run([sys.executable, *command], env=environment, cwd=tmp_path, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


WAITING = """
import sys, time
from rdf.startup import begin_program
begin_program()
from analysis.console.program import run_program
def main(arguments):
    {body}
    return 0
sys.exit(run_program("analysis.made_up", main, []))
"""


def test_a_second_signal_does_not_cut_short_the_cleaning_up(tmp_path: Path) -> None:
    body = f"""
    try:
        print("working", flush=True)
        time.sleep(60)
    finally:
        print("cleaning", flush=True)
        time.sleep(0.5)
        open({str(tmp_path / "cleaned")!r}, "w").close()
    """
    with started(tmp_path, "-c", WAITING.format(body=body.strip())) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "working\n"
        process.send_signal(signal.SIGHUP)
        assert process.stdout.readline() == "cleaning\n"
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        assert process.communicate()[1] == NOTHING_LEFT
    assert process.returncode == 130
    assert (tmp_path / "cleaned").exists()


def test_a_second_signal_counts_where_the_first_got_lost(tmp_path: Path) -> None:
    body = """
    try:
        print("working", flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        pass
    print("went on", flush=True)
    time.sleep(60)
    """
    with started(tmp_path, "-c", WAITING.format(body=body.strip())) as process:
        assert process.stdout is not None
        for line in ("working\n", "went on\n"):
            assert process.stdout.readline() == line
            process.send_signal(signal.SIGINT)
        assert process.communicate()[1] == NOTHING_LEFT
    assert process.returncode == 130


def test_an_interruption_in_code_that_c_runs_does_not_make_python_end_by_a_signal(tmp_path: Path) -> None:
    """As in an import that ROOT makes; nor does what an object says that is being removed reach the terminal."""
    body = """
    import ctypes
    class Stubborn:
        def __del__(self):
            ctypes.pythonapi.PyRun_SimpleString(b"import signal; signal.raise_signal(2)")
            raise ValueError("in the removal of an object")
    stubborn = Stubborn()
    del stubborn
    import signal
    signal.raise_signal(signal.SIGTERM)
    """
    with started(tmp_path, "-c", WAITING.format(body=body.strip())) as process:
        said = process.communicate()[1]
    assert process.returncode == 130
    assert said.endswith(NOTHING_LEFT)
    assert "removal" not in said


def test_a_signal_after_the_end_does_not_change_the_exit_code(tmp_path: Path) -> None:
    source = (
        "import atexit, signal\n"
        "atexit.register(lambda: [signal.raise_signal(n) for n in (1, 2, 15)])\n"
        "from rdf.startup import begin_program\nbegin_program()\n"
        "from analysis.console.program import run_program\n"
        "import sys\n"
        "code = run_program('analysis.made_up', lambda _: 4, [])\n"
        "[signal.raise_signal(n) for n in (1, 2, 15)]\n"
        "sys.exit(code)\n"
    )
    with started(tmp_path, "-c", source) as process:
        assert process.communicate() == ("", "")
    assert process.returncode == 4


def test_signals_are_put_off_while_something_must_not_be_interrupted() -> None:
    done = []

    @uninterrupted()
    def publish() -> None:
        signal.raise_signal(signal.SIGTERM)
        done.append("published")

    with interruptible() as interruption:
        interruption.working = True
        with pytest.raises(KeyboardInterrupt):
            publish()
        assert interruption.requested
    assert done == ["published"]
    assert not isinstance(signal.getsignal(signal.SIGTERM), Interruption)


# Streams.

STREAMS = [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", "> /dev/full", "2> /dev/full", "| true", "2>&1 | head -n 1"]


@pytest.mark.parametrize("streams", STREAMS)
@pytest.mark.parametrize(("arguments", "code"), [("analysis.samples", 0), ("analysis.simulate x", 2)])
def test_a_stream_that_leads_nowhere_does_not_change_the_exit_code(arguments: str, code: int, streams: str) -> None:
    # What the program says of itself goes to a stream of its own.
    command = f"{{ {sys.executable} -m {arguments}; echo $? >&3; }} {streams}"
    done = subprocess.run(["bash", "-c", f"exec 3>&1; {command}"], cwd=PROJECT, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == str(code)
    assert "Traceback" not in done.stdout + done.stderr
    assert "Exception ignored" not in done.stdout + done.stderr


def test_no_file_takes_the_place_of_a_closed_stream(tmp_path: Path) -> None:
    body = f"""
    file = open({str(tmp_path / "result")!r}, "w")
    print("to nobody")
    print("to nobody", file=sys.stderr)
    import os
    os.write(1, b"from C"), os.write(2, b"from C")
    assert file.fileno() > 2
    """
    program = tmp_path / "program.py"
    program.write_text(WAITING.format(body=body.strip()))
    command = f"exec {sys.executable} {program} <&- >&- 2>&-"
    done = subprocess.run(["sh", "-c", command], cwd=PROJECT, env={**os.environ, "PYTHONPATH": str(PROJECT)})
    assert done.returncode == 0
    assert (tmp_path / "result").read_text() == ""


def test_a_name_that_the_terminal_has_no_letters_for_is_printed_even_so(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    program = WAITING.format(body="print('Z → ll')")
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "Z \\u2192 ll\n")


# Memory.


@pytest.mark.parametrize("limit", [100, 200, 300, 600, 1000])
def test_too_little_memory_is_one_line(limit: int, tmp_path: Path) -> None:
    program = f"{sys.executable} -m analysis.simulate qcd --events 10 -o {tmp_path}/x.root"
    done = subprocess.run(
        ["sh", "-c", f"ulimit -v {1000 * limit}; exec {program}"], cwd=PROJECT, capture_output=True, text=True
    )
    assert done.returncode == 3
    (line,) = (line for line in done.stderr.splitlines() if "starting ROOT" not in line)
    assert line.startswith("error: not enough memory: ")
    assert f"the limit is {1.024e-3 * limit:.2g} GB" in line
    assert list(tmp_path.iterdir()) == []


# ROOT.


@pytest.mark.parametrize("logon", [".rootlogon.C", ".rootlogon.py", ".rootrc"])
def test_a_logon_macro_of_the_user_is_not_run(logon: str, tmp_path: Path) -> None:
    texts = {
        ".rootlogon.C": '{ printf("Welcome!\\n"); fflush(stdout); no_such_function(); }\n',
        ".rootlogon.py": "print('Welcome!', flush=True)\nraise RuntimeError\n",
        ".rootrc": f"Rint.Logon: {tmp_path}/logon.C\nRoot.ErrorIgnoreLevel: 6000\nTTreeCache.Size: 0\n",
    }
    (tmp_path / "logon.C").write_text(texts[".rootlogon.C"])
    (tmp_path / logon).write_text(texts[logon])
    source = "from rdf.code.interpreter import ROOT; print(ROOT.RDataFrame(4).Sum('rdfentry_').GetValue())"
    done = subprocess.run(
        [sys.executable, "-c", source],
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path), "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "6.0\n"), done.stderr
