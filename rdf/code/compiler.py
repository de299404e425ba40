"""The system's C++ compiler: which one there is, a build that works beside its caller, and what its errors say."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import weakref
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rdf.errors import CompileError, OutOfMemory, TemporaryFolderError
from rdf.temporary import TemporaryFolder

MACROS = Path(__file__).resolve().parents[2] / "macros"

_WIDE = ("-mprefer-vector-width=512",) if platform.machine() == "x86_64" else ()
FLAGS = ("-O3", "-march=native", *_WIDE, "-fPIC", "-shared", "-w")
"""No -ffast-math, for which NaN is a number like others. Vectors of 512 bits, which g++ would not use by itself."""

COMPILERS = ("g++", "clang++")

_RIGHT = "#include <cmath>\n#include <vector>\n#include <ROOT/RVec.hxx>\n"
_NO_ROOM = re.compile("No space left on device|Disk quota exceeded|Read-only file system")
_NO_MEMORY = re.compile("Killed signal|out of memory|virtual memory exhausted|Cannot allocate memory")
_STANDARD = re.compile(r"-std=\S+")
_ERROR = re.compile(r"^(?P<place>.*?):\d+:(?:\d+:)? (?:fatal )?error: (?P<reason>.*)$", re.MULTILINE)
_REQUIRED = re.compile(r"^(?P<place>.*?):\d+:(?:\d+:)? +required from here", re.MULTILINE)
_REQUESTED = re.compile(r"^(?P<place>.*?):\d+:(?:\d+:)? note: in instantiation .* requested here", re.MULTILINE)


@dataclass(frozen=True)
class Compiler:
    """A compiler of the system, and all of it that compiled code depends on.

    Attributes:
        path: of the executable.
        version: as it tells it.
        arguments: flags and include paths.
        identity: of this compiler, CPU and ROOT; another one of these gives another identity.
    """

    path: str
    version: str
    arguments: tuple[str, ...]
    identity: str


@functools.cache
def find_compiler() -> Compiler | None:
    """Return the system's compiler, or None where there is none and Cling has to do."""
    path = next((found for name in COMPILERS if (found := shutil.which(name))), None)
    headers = _root_headers()
    if path is None or headers is None:
        return None
    try:
        asked = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    except OSError:  # it is for another machine
        return None
    version = asked.stdout.partition("\n")[0].strip()
    executable = Path(path).resolve()
    stat = executable.stat()
    built = (headers / "compiledata.h").read_text(errors="replace")
    # The language version that ROOT itself was compiled as: its types differ between them.
    standard = _STANDARD.search(built)
    arguments = (standard[0] if standard else "-std=c++17", *FLAGS, f"-I{MACROS}", f"-I{headers}")
    root = (headers / "ROOT" / "RVersion.hxx").read_text(errors="replace")
    identity = (str(executable), stat.st_size, stat.st_mtime_ns, version, FLAGS, str(headers), built, root, _cpu())
    return Compiler(path, version, arguments, hashlib.sha256(repr(identity).encode()).hexdigest())


def _root_headers() -> Path | None:
    """Return the folder of ROOT's headers; ROOT itself need not be loaded for that."""
    found = importlib.util.find_spec("ROOT")
    folder = Path(found.origin).parent / "include" if found and found.origin else None
    if folder is not None and (folder / "compiledata.h").is_file():
        return folder
    if config := shutil.which("root-config"):
        asked = subprocess.run([config, "--incdir"], capture_output=True, text=True, check=False)
        folder = Path(asked.stdout.strip())
        if (folder / "compiledata.h").is_file():
            return folder
    return None


def _cpu() -> str:
    """Return what this CPU is and can do, for which -march=native compiles."""
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().partition("\n\n")[0].splitlines()
        return "\n".join(
            line for line in lines if line.startswith(("vendor", "cpu family", "model", "stepping", "flags"))
        )
    return platform.machine() + platform.processor()


class Build:
    """A compiler at work in a folder of its own."""

    def __init__(self, compiler: Compiler, code: str, what: str) -> None:
        self.compiler, self.what = compiler, what
        self._failure: CompileError | OutOfMemory | TemporaryFolderError | None = None
        self._folder = TemporaryFolder("compile")
        folder = self._folder.path
        source, self.output = folder / "code.cxx", folder / "code.so"
        with self._folder.errors_named():
            source.write_text(code, encoding="utf-8")
        self._process = subprocess.Popen(
            [compiler.path, *compiler.arguments, str(source), "-o", str(self.output)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            # Errors in English. A batch job may have no PATH, by which the compiler finds the linker. What the compiler
            # leaves when it is killed goes with the folder.
            env={"PATH": os.defpath, **os.environ, "LC_ALL": "C", "TMPDIR": str(folder)},
            process_group=0,  # it can be ended as a whole; Ctrl-C reaches this process alone, which then ends the group
        )
        self._end = weakref.finalize(self, _end_group, self._process)

    def wait(self) -> bytes:
        """Return the finished library, or raise the compiler's first error, each time again."""
        if self._process.returncode is None:
            _, stderr = self._process.communicate()
            self._failure = self._reason(stderr) if self._process.returncode else None
        if self._failure is not None:
            raise self._failure
        return self.output.read_bytes()

    def _reason(self, stderr: str) -> CompileError | OutOfMemory | TemporaryFolderError:
        if _NO_ROOM.search(stderr):
            return self._folder.full()
        if lack := _NO_MEMORY.search(stderr):
            return OutOfMemory(
                f"{self.compiler.path} has not enough memory for {self.what} ({lack[0]}); free some, or raise the "
                "limit (ulimit -v, the memory of the job)"
            )
        found = _ERROR.search(stderr)
        last_words = next(iter(stderr.splitlines()), f"exit code {self._process.returncode}")
        return CompileError(self.what, found["reason"] if found else last_words, place_of_error(stderr))

    def has_no_compiler(self) -> bool:
        """Wait for the compiler, and say whether it failed since it can compile nothing."""
        try:
            self.wait()
        except CompileError:
            return not can_compile(self.compiler)
        except (OutOfMemory, TemporaryFolderError):
            pass  # to be told by whoever loads
        return False

    def remove(self) -> None:
        """End the compiler if it still works, and remove its folder."""
        self._end()
        self._folder.remove()


def _end_group(process: subprocess.Popen[str]) -> None:
    """End a compiler that was not waited for, and the programs that it has called."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    if process.stderr is not None and not process.stderr.closed:
        process.communicate()


@functools.cache
def can_compile(compiler: Compiler) -> bool:
    """Tell whether a compiler compiles a program that is known to be right; where it does not, stderr says so."""
    build = Build(compiler, _RIGHT, "a test")
    try:
        build.wait()
    except CompileError as error:
        sys.stderr.write(f"{compiler.path} cannot compile: {error.reason}; Cling compiles instead, to slower code\n")
        return False
    finally:
        build.remove()
    return True


def place_of_error(stderr: str) -> str:
    """Return the file of a compiler's first error; where that is in a template, the file that uses it.

    g++ says before the error who uses the template, clang after it.
    """
    error = _ERROR.search(stderr)
    if not error:
        return ""
    following = _ERROR.search(stderr, error.end())
    end = following.start() if following else len(stderr)
    used = [*_REQUIRED.finditer(stderr, 0, error.start()), *_REQUESTED.finditer(stderr, error.end(), end)]
    return used[-1]["place"] if used else error["place"]
