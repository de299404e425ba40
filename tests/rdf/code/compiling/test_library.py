"""What is compiled is kept, and never stale: each library does what its code, headers, flags and compiler say."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rdf.code import compiler, library
from rdf.code.compiler import find_compiler
from tests.rdf.code.compiling.answers import DEFINED, answer, is_sealed, kept

pytestmark = pytest.mark.compiler


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
