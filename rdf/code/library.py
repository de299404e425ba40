"""Libraries of C++ that is compiled once and kept: the graph's nodes, the columns and the detectors of a run.

Cling would compile it anew at every start, to code that is two to four times slower. A shared library lies in the cache
under a name that is a hash of all that it was made of: the code, every header of ours in it, the flags, the compiler,
the CPU and ROOT. Whatever changes, it is another library. Where there is no compiler, Cling compiles the same code.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import re
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from rdf.cache import cache_folder, is_own, open_own
from rdf.code.compiler import MACROS, Build, Compiler, find_compiler
from rdf.code.interpreter import ROOT, declare, start_root
from rdf.drafts import whole_file
from rdf.errors import CompileError

KEPT = 90 * 24 * 3600
"""Seconds after which a library that nobody has used leaves the cache."""

CLING = "Cling"
"""Compiles where there is no compiler."""

_INCLUDE = re.compile(rb'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
_SEAL = b"\0sealed by sha256 "


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
    _build: Build | None = None
    _kept: int | None = None
    _loaded: ctypes.CDLL | None = field(default=None, repr=False)

    def load(self) -> None:
        """Wait for the compiler, and make the functions callable; again is harmless.

        Raises:
            CompileError: the code does not compile; with the first error.
        """
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
        start_root()  # whose functions the library finds in the process
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
        return int(ROOT.gInterpreter.Calc(f"reinterpret_cast<long>(&{symbol})"))


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
        build = Build(compiler, code, what)
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
    # A process that compiled the same at the same time has put its library in the place of the one that is loaded.
    mapped = {Path(f[5].removesuffix(" (deleted)")) for line in maps if len(f := line.split(maxsplit=5)) == 6}
    return sorted(path for path in mapped if path.parent == folder and is_own(path))


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
    with suppress(OSError):
        with whole_file(place) as draft:
            draft.write_bytes(content + _SEAL + hashlib.sha256(content).digest())
            draft.chmod(0o700)
        _clear(place.parent)


def _clear(folder: Path) -> None:
    """Remove what nobody has used for long, and what a process that was killed has left."""
    for path in folder.iterdir():
        with suppress(OSError):  # another process may be at the same
            if time.time() - path.stat().st_mtime > KEPT:
                path.unlink()


@functools.cache
def graph_library(name: str) -> Library:
    """Have the graph's nodes of one file compiled: `events`, `columns` or `scores`; see macros/graph/graph.hxx."""
    file = f"graph/graph_{name}.cxx"
    return compile_library(f'#include "{file}"\n', f"macros/{file}", f'#include "{MACROS / "graph/graph.hxx"}"')


if __name__ == "__main__":
    # What every run needs, compiled beforehand: `make install` does it.
    for compiling in [graph_library(name) for name in ("events", "columns", "scores")]:
        compiling.load()
