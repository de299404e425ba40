"""The system's compiler: what its errors say, and what is done where it compiles nothing or there is none."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import pytest

from rdf.code.compiler import find_compiler, place_of_error
from rdf.code.library import compile_library
from rdf.errors import CompileError, OutOfMemory, TemporaryFolderError
from tests.rdf.code.compiling.answers import ANSWER, answer, kept

pytestmark = pytest.mark.compiler


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
