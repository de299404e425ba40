"""Processes that compile at once, beside their caller, or are killed while they do."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from rdf.code.library import compile_library
from tests.rdf.code.compiling.answers import ANSWER, answer, is_sealed, kept

pytestmark = pytest.mark.compiler

REPOSITORY = Path(__file__).parents[4]

SCRIPT = """
import ctypes, sys, time
from pathlib import Path
from rdf.code.library import compile_library
import rdf.code.interpreter
folder, number = Path(sys.argv[1]), sys.argv[2]
(folder / f"ready{number}").touch()
while not (folder / "go").exists():
    time.sleep(0.001)
library = compile_library((folder / "code.cxx").read_text(), "the answer")
library.load()
print(ctypes.CFUNCTYPE(ctypes.c_int)(library.address("answer"))(), library.compiled_by)
"""


def started(folder: Path, number: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder), str(number)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for(condition: Callable[[], object]) -> None:
    until = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_processes_that_compile_the_same_at_once(cache: Path, tmp_path: Path, compilers: Any) -> None:
    (tmp_path / "code.cxx").write_text(ANSWER)
    # Each compiler begins when both have been called.
    compilers(f'case "$*" in *code.cxx*) echo >> {tmp_path}/called; while [ $(wc -l < {tmp_path}/called) -lt 2 ]; '
              "do sleep 0.01; done;; esac")  # fmt: skip
    processes = [started(tmp_path, i) for i in range(2)]
    wait_for(lambda: len(list(tmp_path.glob("ready*"))) == 2)
    (tmp_path / "go").touch()
    for process in processes:
        out, err = process.communicate(timeout=300)
        assert (process.returncode, out.split()[:1]) == (0, ["42"]), err
    assert len((tmp_path / "called").read_text().splitlines()) == 2
    (name,) = kept(cache)
    assert is_sealed(cache / name)


def test_a_process_that_is_killed_while_it_compiles_does_not_stop_the_next(
    cache: Path, tmp_path: Path, compilers: Any
) -> None:
    (tmp_path / "code.cxx").write_text(ANSWER)
    slow = tmp_path / "slow"
    slow.touch()
    compilers(f'case "$*" in *code.cxx*) touch {tmp_path}/called; while [ -e {slow} ]; do sleep 0.01; done;; esac')
    (tmp_path / "go").touch()
    process = started(tmp_path, 0)
    wait_for((tmp_path / "called").exists)
    compiler = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert kept(cache) == []
    slow.unlink()
    # The compiler, which nobody waits for any more, goes on, and writes to its folder until it ends.
    _, working = psutil.wait_procs(compiler, timeout=300)
    assert working == []
    # What a process leaves that is killed while it writes the entry.
    cache.mkdir(parents=True, exist_ok=True)
    (cache / ".of_another.so.1.partial").write_bytes(b"\x7fELF")
    assert answer() == answer() == 42
    (name,) = (name for name in kept(cache) if not name.endswith(".partial"))
    assert is_sealed(cache / name)
    # Nor does its folder stay where temporary files are.
    assert list((tmp_path / "temporary").iterdir()) == []


def test_the_compiler_works_beside_its_caller(tmp_path: Path, compilers: Any) -> None:
    compilers(f'case "$*" in *code.cxx*) while [ ! -e {tmp_path}/go ]; do sleep 0.01; done;; esac')
    library = compile_library(ANSWER, "the answer")
    (tmp_path / "go").touch()  # not reached if the call above waited
    library.load()
    library.load()
    assert int(ctypes.CFUNCTYPE(ctypes.c_int)(library.address("answer"))()) == 42


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_what_a_compiler_calls_does_not_outlive_a_caller_that_is_interrupted(
    ending: signal.Signals, cache: Path, tmp_path: Path, compilers: Any
) -> None:
    """Nor do its temporary files stay; what a caller leaves that is killed, the next one removes."""
    (tmp_path / "code.cxx").write_text(ANSWER)
    (tmp_path / "go").touch()
    compilers(
        f'case "$*" in *code.cxx*) touch "$TMPDIR/cc.s"; sleep 600 & echo $! > {tmp_path}/child; '
        f"touch {tmp_path}/called; wait;; esac"
    )
    process = started(tmp_path, 0)
    wait_for((tmp_path / "called").exists)
    process.send_signal(ending)
    process.communicate()
    called = int((tmp_path / "child").read_text())
    if ending == signal.SIGINT:
        wait_for(lambda: not Path(f"/proc/{called}").exists())
    else:
        os.kill(called, signal.SIGKILL)
        compilers("")
        assert answer() == 42
    assert list((tmp_path / "temporary").iterdir()) == []
