"""What is compiled is kept, and never stale: each library does what its code, headers, flags and compiler say."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import rdf.cache
import rdf.temporary
from rdf.code import compiler, library
from rdf.code.compiler import find_compiler, place_of_error
from rdf.code.library import compile_library
from rdf.errors import CompileError, OutOfMemory, TemporaryFolderError

pytestmark = pytest.mark.compiler

REPOSITORY = Path(__file__).parents[3]
ANSWER = 'extern "C" int answer() { return 42; }'
DEFINED = 'extern "C" int answer() { return ANSWER; }'


def forget() -> None:
    """Begin as a new process does."""
    find_compiler.cache_clear()
    compile_library.cache_clear()
    compiler.can_compile.cache_clear()
    rdf.temporary._remove_orphans.cache_clear()
    rdf.cache._replacement.cache_clear()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of compiled libraries, not there yet, and a folder for what is temporary, which is left empty."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    forget()
    yield tmp_path / "cache" / "root-anomaly-search" / "compiled"
    monkeypatch.undo()
    forget()
    assert list(temporary.iterdir()) == []


def answer(code: str = ANSWER) -> int:
    forget()
    library = compile_library(code, "the answer")
    library.load()
    return int(ctypes.CFUNCTYPE(ctypes.c_int)(library.address("answer"))())


def kept(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir()) if cache.is_dir() else []


def is_sealed(path: Path) -> bool:
    """A library and, after a mark, its sha256."""
    content, mark, seal = path.read_bytes().rpartition(b"\0sealed by sha256 ")
    return bool(mark) and hashlib.sha256(content).digest() == seal and content.startswith(b"\x7fELF")


# Whatever changes, it is another library.


def test_the_same_code_is_compiled_once_and_other_code_is_another_library(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (answer(), answer('extern "C" int answer() { return 43; }')) == (42, 43)
    found = kept(cache)
    assert len(found) == 2
    assert all(is_sealed(cache / name) for name in found)
    assert cache.stat().st_mode & 0o777 == 0o700
    before = [(cache / name).stat().st_ino for name in found]

    def no_more(*_: object, **__: object) -> None:
        raise AssertionError("compiled again")

    monkeypatch.setattr(library, "Build", no_more)
    assert (answer(), answer('extern "C" int answer() { return 43; }')) == (42, 43)
    assert [(cache / name).stat().st_ino for name in found] == before
    with pytest.raises(AssertionError, match="compiled again"):
        answer('extern "C" int answer() { return 44; }')


def test_what_nobody_has_used_for_long_leaves_the_cache(cache: Path) -> None:
    answer()
    (used,) = kept(cache)
    answer('extern "C" int answer() { return 43; }')
    (unused,) = {*kept(cache)} - {used}
    left_by_a_killed_process = cache / f".{used}.1.partial"
    left_by_a_killed_process.touch()
    for path in cache.iterdir():
        os.utime(path, (0, time.time() - library.KEPT - 60))
    assert answer() == 42
    answer('extern "C" int answer() { return 44; }')
    assert used in kept(cache)
    assert unused not in kept(cache)
    assert not left_by_a_killed_process.exists()
    assert len(kept(cache)) == 2


@pytest.mark.parametrize("changed", ["first.hxx", "second.hxx", "third.hxx"])
def test_a_changed_header_is_another_library(
    changed: str, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one that another header includes, by a name that follows spaces."""
    macros = tmp_path / "macros"
    macros.mkdir()
    (macros / "first.hxx").write_text('#include "second.hxx"\ninline int first() { return 1 + second(); }\n')
    (macros / "second.hxx").write_text('  #  include   "third.hxx"\ninline int second() { return 10 + third(); }\n')
    (macros / "third.hxx").write_text("inline int third() { return 100; }\n")
    for module in (compiler, library):
        monkeypatch.setattr(module, "MACROS", macros)
    code = '#include "first.hxx"\nextern "C" int answer() { return first(); }\n'
    assert answer(code) == answer(code) == 111
    assert len(kept(cache)) == 1
    (macros / changed).write_text((macros / changed).read_text().replace("return 1", "return 5"))
    assert answer(code) == {"first.hxx": 115, "second.hxx": 151, "third.hxx": 511}[changed]
    assert len(kept(cache)) == 2


def test_another_flag_is_another_library(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flags = compiler.FLAGS
    for number in (1, 2, 1):
        monkeypatch.setattr(compiler, "FLAGS", (*flags, f"-DANSWER={number}"))
        assert answer(DEFINED) == number
    assert len(kept(cache)) == 2


@pytest.fixture
def compilers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Makes `g++` a script that does something before the real compiler works."""
    real = shutil.which("g++") or shutil.which("clang++")
    assert real, "needs a C++ compiler"
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def make(first: str, arguments: str = "") -> Path:
        script = folder / "g++"
        script.write_text(f'#!/bin/sh\n{first}\nexec {real} "$@" {arguments}\n')
        script.chmod(0o755)
        return script

    return make


def test_another_compiler_is_another_library(cache: Path, compilers: Any) -> None:
    """Also one of the same path, name and version."""
    versions = set()
    for number in (1, 2, 3):
        compilers("", f"-DANSWER={number}")
        assert answer(DEFINED) == number
        found = find_compiler()
        assert found
        versions.add((found.path, found.version))
    assert len(versions) == 1
    assert len(kept(cache)) == 3


CPU = """\
processor\t: {number}
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: {model}
model name\t: Intel(R) Xeon(R)
stepping\t: 1
cpu MHz\t\t: {mhz}
flags\t\t: fpu sse2 {flags}
"""


def test_another_cpu_is_another_library_and_the_same_at_another_clock_is_not(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = tmp_path / "cpuinfo"
    monkeypatch.setattr(compiler, "Path", lambda path: described if path == "/proc/cpuinfo" else Path(path))
    first = {"number": 0, "model": 85, "mhz": 2000.0, "flags": "avx2 avx512f"}
    libraries = []
    for change in ({}, {"mhz": 3100.5}, {"model": 106}, {"flags": "avx2"}):
        cpu = first | change
        described.write_text(CPU.format_map(cpu) + "\n" + CPU.format_map(cpu | {"number": 1}))
        assert answer() == 42
        libraries.append(len(kept(cache)))
    assert libraries == [1, 1, 2, 3]


@pytest.mark.parametrize("changed", ["compiledata.h", "ROOT/RVersion.hxx"])
def test_another_root_is_another_library(
    changed: str, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = compiler._root_headers()
    assert installed
    headers = tmp_path / "include"
    (headers / "ROOT").mkdir(parents=True)
    for name in ("compiledata.h", "ROOT/RVersion.hxx"):
        shutil.copy(installed / name, headers / name)
    monkeypatch.setattr(compiler, "_root_headers", lambda: headers)
    assert answer() == answer() == 42
    assert len(kept(cache)) == 1
    (headers / changed).write_text((headers / changed).read_text() + "// another version\n")
    assert answer() == 42
    assert len(kept(cache)) == 2


# Entries that are not what was written.


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: content[:0],
    "cut off in its head": lambda content: content[:50],
    "cut off in its middle": lambda content: content[: len(content) // 2],
    "cut off by a byte": lambda content: content[:-1],
    "a bit of its code": lambda content: flipped(content, len(content) // 2),
    "a bit of its head": lambda content: flipped(content, 18),
    "a bit of its seal": lambda content: flipped(content, len(content) - 1),
    "without a seal": lambda content: content.rpartition(b"\0sealed by sha256 ")[0],
    "more after the seal": lambda content: content + b"\0",
    "all zeros": lambda content: bytes(len(content)),
    "text": lambda _: b"this is no library",
    "another program": lambda _: Path(sys.executable).read_bytes(),
}


@pytest.fixture
def entry(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the answer's entry belongs in another cache, whose folder is there: what was loaded stays loaded."""
    assert answer() == 42
    (name,) = kept(cache)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another"))
    place = tmp_path / "another" / "root-anomaly-search" / "compiled" / name
    place.parent.mkdir(parents=True)
    return place


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_is_built_again(damage: str, cache: Path, entry: Path) -> None:
    (whole,) = (path.read_bytes() for path in cache.iterdir())
    entry.write_bytes(DAMAGES[damage](whole))
    assert not is_sealed(entry)
    assert answer() == 42
    assert kept(entry.parent) == [entry.name]
    assert is_sealed(entry)


def test_an_entry_of_another_user_is_not_loaded(cache: Path, entry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert answer('extern "C" int answer() { return 13; }') == 13
    (other,) = kept(entry.parent)
    (entry.parent / other).rename(entry)  # whole and sealed, and not what it should be
    assert answer() == 13
    monkeypatch.setattr(os, "getuid", lambda: 4321)
    monkeypatch.setenv("XDG_CACHE_HOME", str(shutil.copytree(entry.parents[2], entry.parents[3] / "copied")))
    assert answer() == 42


@pytest.mark.parametrize("kind", ["folder", "link to nothing", "link to itself"])
def test_something_else_in_the_place_of_an_entry(kind: str, entry: Path) -> None:
    if kind == "folder":
        entry.mkdir()
    else:
        entry.symlink_to("nothing" if kind == "link to nothing" else entry.name)
    assert answer() == 42
    assert kept(entry.parent) == [entry.name]


@pytest.mark.parametrize("place", ["a file", "a file in the folder", "no device", "a file as the last folder"])
def test_a_cache_that_cannot_be_written_is_no_error(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chmod would not stop root."""
    home = {"no device": Path("/proc/nowhere"), "a file": tmp_path / "file"}.get(place, tmp_path / "home")
    if place == "a file":
        home.write_text("")
    elif place == "a file in the folder":
        home.mkdir()
        (home / "root-anomaly-search").write_text("")
    elif place == "a file as the last folder":
        (home / "root-anomaly-search").mkdir(parents=True)
        (home / "root-anomaly-search" / "compiled").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    assert answer() == answer() == 42


# Code that does not compile.


def test_code_that_does_not_compile_is_an_error_each_time_and_leaves_nothing(cache: Path) -> None:
    library = compile_library('#line 7 "the place"\nint one = two;\nint three = four;\n', "the code")
    for _ in range(2):
        with pytest.raises(CompileError, match=r"^the code: .*\btwo\b") as caught:
            library.load()
        assert "\n" not in str(caught.value)
        assert caught.value.place == "the place"
        assert "two" in caught.value.reason
    assert kept(cache) == []


G_PLUS_PLUS = """\
In file included from code.cxx:1:
macros/physics/objects.hxx: In instantiation of 'auto objects::as_reals(const T&, double) [with T = float]':
macros/other.hxx:9:1:   required from 'auto other(const T&) [with T = float]'
column x:1:40:   required from here
    1 |    const auto column_x = (objects::as_reals(file_x, 1.0));
macros/physics/objects.hxx:33:12: error: request for member 'size' in 'values'
column y:1:40:   required from here
macros/physics/objects.hxx:33:12: error: another
"""
CLANG = """\
macros/physics/objects.hxx:33:12: error: member reference base type 'const float' is not a structure or union
   return values.size();
          ~~~~~~^~~~~
macros/other.hxx:9:1: note: in instantiation of function template specialization 'as_reals<float>' requested here
column x:1:40: note: in instantiation of function template specialization 'other<float>' requested here
macros/physics/objects.hxx:33:12: error: another
column y:1:40: note: in instantiation of function template specialization 'objects::as_reals<float>' requested here
"""


@pytest.mark.parametrize(
    ("said", "place"),
    [
        (G_PLUS_PLUS, "column x"),
        (CLANG, "column x"),
        ("column x:1:3: error: no\ncolumn y:1:4:   required from here\nobjects.hxx:3:3: error: two\n", "column x"),
        ("code.cxx:1:10: fatal error: none.hxx: No such file\n", "code.cxx"),
        ("g++: fatal error: Killed signal terminated program cc1plus\n", ""),
        ("", ""),
    ],
)
def test_an_error_in_a_template_is_where_it_is_used(said: str, place: str) -> None:
    assert place_of_error(said) == place


@pytest.mark.parametrize("language", ["de_DE.UTF-8", "fr_FR.UTF-8"])
def test_the_compiler_speaks_english(language: str, compilers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LANG", "LC_ALL", "LC_MESSAGES"):
        monkeypatch.setenv(name, language)
    compilers('case "$LC_ALL" in C*) ;; *) echo "code.cxx:1:1: Fehler: nein" >&2; exit 1;; esac')
    assert answer() == 42


# Several processes.

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
    until = time.monotonic() + 60
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
        out, err = process.communicate(timeout=60)
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
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert kept(cache) == []
    slow.unlink()
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


# Without a compiler.


def test_without_a_compiler_there_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_compiler() is None


BROKEN = {
    "says nothing": ("exit 1", "exit code 1"),
    "has no headers": ('case "$*" in *--version*) ;; *) set -- "$@" -nostdinc -nostdinc++;; esac', "cmath"),
    "has no linker": ('case "$*" in *code.so*) echo "collect2: fatal error: cannot find ld" >&2; exit 1;; esac', "ld"),
    "does not know the language": ('case "$*" in *--version*) ;; *) set -- "$@" -std=c++77;; esac', "c++77"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_where_the_compiler_compiles_nothing_cling_does_and_says_so_once(
    fault: str, cache: Path, compilers: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    first, said = BROKEN[fault]
    script = compilers(first)
    for number in (1, 2):
        name = f"answer_of_cling_{fault.replace(' ', '_')}_{number}"
        library = compile_library(
            f'#include <vector>\nextern "C" int {name}() {{ return 40 + {number}; }}', "the answer"
        )
        library.load()
        assert library.compiled_by == "Cling"
        assert int(ctypes.CFUNCTYPE(ctypes.c_int)(library.address(name))()) == 40 + number
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{script} cannot compile: ")
    assert said in line
    assert line.endswith("; Cling compiles instead, to slower code")
    assert kept(cache) == []


def test_code_that_is_wrong_is_not_blamed_on_the_compiler(capsys: pytest.CaptureFixture[str]) -> None:
    library = compile_library("int one = two;\n", "the code")
    with pytest.raises(CompileError, match=r"\btwo\b"):
        library.load()
    assert library.compiled_by != "Cling"
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("said", "error", "words"),
    [
        (
            "fatal error: error writing to /tmp/x.s: No space left on device",
            TemporaryFolderError,
            "TMPDIR",
        ),
        ("g++: fatal error: Killed signal terminated program cc1plus", OutOfMemory, "memory"),
        ("cc1plus: out of memory allocating 65536 bytes after a total of 1 bytes", OutOfMemory, "memory"),
        ("virtual memory exhausted: Cannot allocate memory", OutOfMemory, "memory"),
    ],
)
def test_what_the_machine_lacks_is_not_blamed_on_the_code(
    said: str, error: type[Exception], words: str, cache: Path, compilers: Any
) -> None:
    compilers(f'case "$*" in *code.cxx*) echo "{said}" >&2; exit 1;; esac')
    library = compile_library(ANSWER, "the answer")
    for _ in range(2):
        with pytest.raises(error, match=words):
            library.load()
    assert kept(cache) == []


def test_a_compiler_for_another_machine_is_none(compilers: Any) -> None:
    script = compilers("")
    script.write_bytes(b"\x7fELF of another machine")
    assert find_compiler() is None


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
