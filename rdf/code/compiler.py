"""C++ compiled once by the system's compiler, and kept: the graph's nodes, the columns and the detectors of a run.

Cling would compile it anew at every start, to code that is two to four times slower. A shared library lies in the cache
under a name that is a hash of all that it was made of: the code, every header of ours in it, the flags, the compiler,
the CPU and ROOT. Whatever changes, it is another library. Where there is no compiler, Cling compiles the same code.
"""

from __future__ import annotations

import ctypes
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
import time
import weakref
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from rdf.cache import cache_folder, is_own, open_own
from rdf.errors import CompileError, OutOfMemory, TemporaryFolderError
from rdf.temporary import TemporaryFolder

MACROS = Path(__file__).resolve().parents[2] / "macros"

_WIDE = ("-mprefer-vector-width=512",) if platform.machine() == "x86_64" else ()
FLAGS = ("-O3", "-march=native", *_WIDE, "-fPIC", "-shared", "-w")
"""No -ffast-math, for which NaN is a number like others. Vectors of 512 bits, which g++ would not use by itself."""

KEPT = 90 * 24 * 3600
"""Seconds after which a library that nobody has used leaves the cache."""

COMPILERS = ("g++", "clang++")

CLING = "Cling"
"""Compiles where there is no compiler."""

_RIGHT = "#include <cmath>\n#include <vector>\n#include <ROOT/RVec.hxx>\n"
_NO_ROOM = re.compile("No space left on device|Disk quota exceeded|Read-only file system")
_NO_MEMORY = re.compile("Killed signal|out of memory|virtual memory exhausted|Cannot allocate memory")
_INCLUDE = re.compile(rb'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
_STANDARD = re.compile(r"-std=\S+")
_SEAL = b"\0sealed by sha256 "
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


@dataclass(eq=False)
class Library:
    """C++ that is compiled, or is being compiled while its user does something else.

    Attributes:
        what: it is, for messages.
        code: of the translation unit.
        interface: what Cling has to know of it to call it.
        compiled_by: the compiler's name and version.
    """

    what: str
    code: str
    interface: str
    compiled_by: str
    _place: Path | None = None
    _build: _Build | None = None
    _kept: int | None = None
    _loaded: ctypes.CDLL | None = field(default=None, repr=False)

    def load(self) -> None:
        """Wait for the compiler, and make the functions callable; again is harmless.

        Raises:
            CompileError: the code does not compile; with the first error.
        """
        from rdf.code.interpreter import declare

        if self._loaded is None and self._build is not None and self._build.has_no_compiler():
            self._build.remove()
            self._place = self._build = None
            self.compiled_by = CLING
        if self._place is None and self._build is None:
            # Code that does not compile is forgotten, and with it what it was the first to include: that comes before.
            for name in _INCLUDE.findall(self.code.encode()):
                if name.endswith(b".hxx"):
                    declare(f'#include "{MACROS / name.decode()}"', self.what)
            # Cling keeps what was declared once, and refuses to be told again.
            guard = f"COMPILED_{_digest(self.code)[:32]}"
            declare(f"#ifndef {guard}\n#define {guard}\n{self.code}\n{self.interface}\n#endif", self.what)
        elif self._loaded is None:
            self._loaded = self._open()
            if self.interface:
                declare(self.interface, self.what)

    def _open(self) -> ctypes.CDLL:
        if self._build is None:
            return self._load(self._kept)
        try:
            content = self._build.wait()
            # A header that was changed meanwhile would be kept under the name of what it was.
            if self._place is not None and _key(self.code, self._build.compiler) == self._place.stem:
                _keep(content, self._place)
                self._kept = _open_sealed(self._place)
            return self._load(self._kept, self._build.output)
        finally:
            self._build.remove()  # what is loaded stays so

    def _load(self, kept: int | None, output: Path | None = None) -> ctypes.CDLL:
        """Load the file that was opened and checked, at whose path something else may lie by now; or a new one."""
        # The file stays open: libraries are told apart by these paths, and another one would get its number.
        path = output if kept is None else f"/proc/self/fd/{kept}"
        try:
            return ctypes.CDLL(str(path), os.RTLD_NOW | os.RTLD_GLOBAL)
        except OSError as error:
            raise CompileError(self.what, f"{error}") from error

    def address(self, symbol: str) -> int:
        """Return where a function that is declared `extern "C"` lies; the library has to be loaded."""
        if self._loaded is not None:
            return int(ctypes.cast(self._loaded[symbol], ctypes.c_void_p).value or 0)
        from rdf.code.interpreter import ROOT

        return int(ROOT.gInterpreter.Calc(f"reinterpret_cast<long>(&{symbol})"))


class _Build:
    """A compiler at work in a folder of its own."""

    def __init__(self, compiler: Compiler, code: str, what: str) -> None:
        self.compiler, self.what = compiler, what
        self._failure: CompileError | OutOfMemory | TemporaryFolderError | None = None
        self._folder = TemporaryFolder("compile")
        folder = self._folder.path
        source, self.output = folder / "code.cxx", folder / "code.so"
        with self._folder.told():
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
            process_group=0,  # of which all can be ended; Ctrl-C reaches this process alone, which then ends them
        )
        self._end = weakref.finalize(self, _end_group, self._process)

    def wait(self) -> bytes:
        """Return the finished library, or raise the compiler's first error, each time again."""
        if self._process.returncode is None:
            _, said = self._process.communicate()
            self._failure = self._reason(said) if self._process.returncode else None
        if self._failure is not None:
            raise self._failure
        return self.output.read_bytes()

    def _reason(self, said: str) -> CompileError | OutOfMemory | TemporaryFolderError:
        if _NO_ROOM.search(said):
            return self._folder.full()
        if lack := _NO_MEMORY.search(said):
            return OutOfMemory(
                f"{self.compiler.path} has not enough memory for {self.what} ({lack[0]}); free some, or raise the "
                "limit (ulimit -v, the memory of the job)"
            )
        found = _ERROR.search(said)
        last_words = next(iter(said.splitlines()), f"exit code {self._process.returncode}")
        return CompileError(self.what, found["reason"] if found else last_words, place_of_error(said))

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
        self._end()
        self._folder.remove()


def _end_group(process: subprocess.Popen[str]) -> None:
    """End a compiler that was not waited for, and the programs that it has called."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@functools.cache
def can_compile(compiler: Compiler) -> bool:
    """Say whether a compiler compiles a program of which it is known that it is right; if not, tell so on stderr."""
    build = _Build(compiler, _RIGHT, "a test")
    try:
        build.wait()
    except CompileError as error:
        sys.stderr.write(f"{compiler.path} cannot compile: {error.reason}; Cling compiles instead, to slower code\n")
        return False
    finally:
        build.remove()
    return True


@functools.cache
def compile_library(code: str, what: str, interface: str = "") -> Library:
    """Have C++ compiled, unless that was done before; the compiler works beside the caller until `load` is called.

    The same code is the same library, to be asked for early by whoever knows that it will be needed.

    Args:
        code: a translation unit; may include headers of `macros/` by their names.
        what: it is, for the message of an error.
        interface: declarations by which Cling can call what the code defines.
    """
    compiler = find_compiler()
    if compiler is None:
        return Library(what, code, interface, CLING)
    key = _key(code, compiler)
    place = cache_folder("compiled") / f"{key}.so"
    kept = _open_sealed(place)
    if kept is not None:
        with suppress(OSError):
            os.utime(place)  # it is in use
        return Library(what, code, interface, compiler.version, place, _kept=kept)
    try:
        build = _Build(compiler, code, what)
    except OSError:  # no folder to compile in
        return Library(what, code, interface, CLING)
    return Library(what, code, interface, compiler.version, place, build)


def loaded_libraries() -> list[Path]:
    """Return which libraries of the cache this process has loaded; none where the system does not tell (no /proc).

    A machine with the same CPU, compiler and ROOT that finds them in its own cache need not compile.
    """
    folder = cache_folder("compiled").resolve()
    try:
        maps = Path("/proc/self/maps").read_text(errors="surrogateescape").splitlines()
    except OSError:
        return []
    mapped = {Path(fields[5]) for line in maps if len(fields := line.split(maxsplit=5)) == 6}
    return sorted(path for path in mapped if path.parent == folder and is_own(path))


def place_of_error(said: str) -> str:
    """Return the file of a compiler's first error; where that is in a template, the file that uses it.

    g++ says before the error who uses the template, clang after it.
    """
    error = _ERROR.search(said)
    if not error:
        return ""
    following = _ERROR.search(said, error.end())
    end = following.start() if following else len(said)
    used = [*_REQUIRED.finditer(said, 0, error.start()), *_REQUESTED.finditer(said, error.end(), end)]
    return used[-1]["place"] if used else error["place"]


def _key(code: str, compiler: Compiler) -> str:
    return _digest(repr((code, sorted(_headers(code.encode()).items()), compiler.identity)))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _headers(code: bytes) -> dict[str, str]:
    """Return the files of `macros/` that code includes, those that they include and so on, each with its sha256."""
    found: dict[str, str] = {}
    waiting = [name.decode() for name in _INCLUDE.findall(code)]
    while waiting:
        name = waiting.pop()
        path = MACROS / name
        if name not in found and path.is_file():
            content = path.read_bytes()
            found[name] = hashlib.sha256(content).hexdigest()
            waiting += [included.decode() for included in _INCLUDE.findall(content)]
    return found


def _open_sealed(place: Path) -> int | None:
    """Open the library that lies there as it was written, by this user; None where there is no such thing."""
    descriptor = open_own(place)
    if descriptor is None:
        return None
    with os.fdopen(descriptor, "rb", closefd=False) as file:
        content, _, seal = file.read().rpartition(_SEAL)
    if content and hashlib.sha256(content).digest() == seal:
        return descriptor
    os.close(descriptor)
    return None


def _keep(content: bytes, place: Path) -> None:
    """Write a library to the cache, whole or not at all."""
    draft = place.with_name(f".{place.name}.{os.getpid()}.partial")
    try:
        draft.write_bytes(content + _SEAL + hashlib.sha256(content).digest())
        draft.chmod(0o700)
        draft.replace(place)
    except OSError:
        with suppress(OSError):
            draft.unlink()
        return
    _clear(place.parent)


def _clear(folder: Path) -> None:
    """Remove what nobody has used for long, and what a process that was killed has left."""
    for path in folder.iterdir():
        with suppress(OSError):  # another process may be at the same
            if time.time() - path.stat().st_mtime > KEPT:
                path.unlink()


@functools.cache
def graph_library(part: str) -> Library:
    """Have a part of the graph's nodes compiled: `events`, `columns` or `scores`; see macros/graph/graph.hxx."""
    node = f"graph/graph_{part}.cxx"
    return compile_library(f'#include "{node}"\n', f"macros/{node}", f'#include "{MACROS / "graph/graph.hxx"}"')


if __name__ == "__main__":
    # What every run needs, compiled beforehand: `make install` does it.
    for compiling in [graph_library(part) for part in ("events", "columns", "scores")]:
        compiling.load()
