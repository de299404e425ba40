"""ROOT and its C++ interpreter Cling: start them with the right flags, declare code so that a failure is an exception.

All of this package takes `ROOT` from here, since Cling reads its flags only once, when ROOT is imported: `start_root`
gives it them, and the first use of `ROOT` calls that. ROOT reports a
failed declaration by a return value and the compiler's words on the process's stderr alone.
"""

from __future__ import annotations

import functools
import math
import os
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from rdf import RNode
from rdf.code.compiler import MACROS, place_of_error
from rdf.errors import BrokenInterpreter, CompileError
from rdf.memory import require_memory

__all__ = [
    "MACROS",
    "ROOT",
    "captured_stderr",
    "check_interpreter",
    "declare",
    "first_reason",
    "include_kernels",
    "open_file",
    "start_root",
]

NEEDED = 1_400_000_000
"""Bytes of address space that ROOT and its compiler take, at least; without them they abort."""

CLING_ARGUMENTS = "-O3 -march=native -mllvm -optimize-regalloc=1"
"""Cling compiles for any x86-64 and without optimising by default; these flags make dense loops about four times and
the reading of files up to 1.6 times faster. optimize-regalloc undoes a setting of Cling's own that spills vector
registers in every iteration."""


@functools.cache
def start_root() -> Any:
    """Import ROOT with the flags and settings that this package needs, and return it; again is harmless.

    It turns batch mode and thread safety on, keeps histograms out of the current file, and silences ROOT's warnings,
    since this package's own checks and errors say the same. Where ROOT was imported before, its interpreter has read
    its flags already: a warning says so, and code that Cling compiles is slower.

    Raises:
        OutOfMemory: the process may not have as much memory as ROOT needs.
    """
    require_memory(NEEDED, "ROOT")
    if "ROOT" in sys.modules and os.environ.get("EXTRA_CLING_ARGS") != CLING_ARGUMENTS:
        warnings.warn(
            "ROOT was imported before analysis.start_root(): what its interpreter compiles is not optimised; call "
            f'start_root() first, or set EXTRA_CLING_ARGS="{CLING_ARGUMENTS}"',
            stacklevel=2,
        )
    os.environ.setdefault("EXTRA_CLING_ARGS", CLING_ARGUMENTS)
    # ROOT opens all libraries that the process has once more, for all to see, numpy's BLAS with its 64-bit integers
    # among them. A BLAS with 32-bit integers that is loaded after that takes functions of numpy's for its own, and
    # computes nonsense: scipy's has to be loaded before. Where there is no scipy there is nothing to protect.
    with suppress(ImportError):
        import scipy.linalg  # noqa: F401

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"[\s\S]*This distribution of ROOT is in alpha stage")
        import ROOT as root  # noqa: N811 - the name ROOT is taken below
    # ROOT itself starts when it is used first: what it is to know has to be said before. A user's logon macro
    # (.rootlogon.C) is for sessions; in a job it prints among the results, changes styles, or ends it by an error.
    root.PyConfig.DisableRootLogon = True
    root.PyConfig.IgnoreCommandLineOptions = True
    root.gROOT.SetBatch(True)
    # An event loop runs in a thread of its own even when it uses one core.
    root.EnableThreadSafety()
    # Histograms belong to whoever booked them, not to the file that happens to be open.
    root.TH1.AddDirectory(False)
    root.gErrorIgnoreLevel = root.kError
    # Where a process dies all the same, a debugger that ROOT starts would hold it up by ten seconds and more.
    root.gEnv.SetValue("Root.Stacktrace", 0)
    # Compiled code of ours finds ROOT's in the process.
    root.gSystem.Load("libROOTDataFrame")
    root.gInterpreter.AddIncludePath(str(MACROS))
    return root


class _Root:
    """The module ROOT, which starts when it is used first, so that an import of this package changes no setting."""

    def __getattr__(self, name: str) -> Any:
        return getattr(start_root(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(start_root(), name, value)


ROOT: Any = _Root()


class CapturedStderr:
    """What C++ code wrote to the process's stderr."""

    text = ""

    def first_error(self) -> str:
        """Return the compiler's first error line without its location, or the first line there is."""
        lines = [line for line in self.text.splitlines() if line.strip()]
        error = next((line for line in lines if "error:" in line), lines[0] if lines else "no message")
        return re.sub(r"^.*?error:\s*", "", error)


@contextmanager
def captured_stderr() -> Iterator[CapturedStderr]:
    """Collect what C++ code writes to file descriptor 2 for the duration of the block."""
    captured = CapturedStderr()
    with suppress(AttributeError, OSError):  # there is none, or it leads to a full disk
        sys.stderr.flush()
    saved = os.dup(2)
    # In memory: a compiler's message has to be understood also where no disk has room for it.
    with open(os.memfd_create("stderr"), "w+b") as file:  # noqa: PTH123 - it has no path
        os.dup2(file.fileno(), 2)
        try:
            yield captured
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            file.seek(0)
            captured.text = file.read().decode(errors="replace")


def first_reason(error: BaseException) -> str:
    """Return the first thing that a C++ exception says, without the signatures that cppyy puts before it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    thrown = (re.search(r"(?:Exception|_error|out_of_range|invalid_argument): (.+)", line) for line in lines)
    messages = [line for line in lines if not line.endswith(("=>", "thrown:"))]
    return next((found[1] for found in thrown if found), messages[0] if messages else type(error).__name__)


def open_file(path: str) -> Any:
    """Open a ROOT file that is whole.

    Raises:
        OSError: it is not, or there is none; with ROOT's reason.
    """
    with captured_stderr() as stderr:
        try:
            file = ROOT.TFile.Open(path)
        except OSError:
            file = None
    # ROOT offers what it could recover of a truncated file, which is not what was written.
    if not file or file.IsZombie() or file.TestBit(ROOT.TFile.kRecovered):
        raise OSError(stderr.first_error())
    return file


def declare(code: str, what: str) -> None:
    """Compile C++ code in Cling.

    Args:
        code: declarations; several of the same name are an error.
        what: what the code is, for the message of an error.

    Raises:
        CompileError: with the compiler's first error line.
    """
    with captured_stderr() as stderr:
        declared = ROOT.gInterpreter.Declare(code)
    if not declared:
        raise CompileError(f"{what} does not compile", stderr.first_error(), place_of_error(stderr.text))


def define(events: RNode, name: str, expression: str) -> RNode:
    """Define a column that Cling compiles, also where there is one of that name already, whose place it then takes.

    Raises:
        CompileError: the expression is not valid C++ over the columns there are; with the compiler's first error line.
    """
    with captured_stderr() as stderr:
        try:
            return events.Redefine(name, expression) if events.HasColumn(name) else events.Define(name, expression)
        except Exception as error:  # noqa: BLE001 - cppyy raises TypeError and std::runtime_error alike
            failure = error
    reason = stderr.first_error() if stderr.text.strip() else str(failure).splitlines()[-1].strip()
    raise CompileError(f"column {name!r} = {expression!r}", reason) from failure


def include_kernels(topic: str) -> None:
    """Make the kernels of `macros/<topic>.hxx` known to Cling; again is harmless."""
    header = MACROS / f"{topic}.hxx"
    declare(f'#include "{header}"', f"{header}")


def check_interpreter() -> None:
    """Compile and run a few lines of C++ and compare with Python.

    Without the C++ standard headers Cling goes on in silence and gives wrong numbers, so each program that uses it
    makes this check first.

    Raises:
        BrokenInterpreter: with the command that looks deeper.
    """
    remedy = "run `python -m analysis.doctor`, which names the missing system package"
    try:
        include_kernels("execution/interpreter_check")
        found = float(ROOT.interpreter_check.sum_of_roots(100))
    except (CompileError, AttributeError, TypeError) as error:
        raise BrokenInterpreter(f"Cling cannot compile C++ ({error}); {remedy}") from error
    expected = math.fsum(math.sqrt(i) for i in range(100))
    if not math.isclose(found, expected, rel_tol=1e-12):
        raise BrokenInterpreter(f"Cling computes {found} where {expected} is right; {remedy}")
