"""The cache is this user's alone: what others could have written is neither read nor loaded, and a run goes on."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rdf import cache
from rdf.cache import cache_folder, close_to_others, is_own, named_folder, read_own
from rdf.code.compiler import find_compiler
from rdf.code.library import compile_library, loaded_libraries

PROJECT = Path(__file__).parents[2]
SOMEBODY = 4321

GiveAway = Callable[[Path], None]


@pytest.fixture
def given_away(monkeypatch: pytest.MonkeyPatch) -> GiveAway:
    """Makes files belong to somebody else, which only root could do by itself."""
    theirs: set[int] = set()
    really = {name: getattr(os, name) for name in ("stat", "lstat", "fstat")}

    def asked(name: str) -> Callable[..., os.stat_result]:
        def ask(*arguments: Any, **keywords: Any) -> os.stat_result:
            found: os.stat_result = really[name](*arguments, **keywords)
            if found.st_ino not in theirs:
                return found
            values = list(found[:10])
            values[4] = SOMEBODY
            return os.stat_result(values, {key: getattr(found, key) for key in dir(found) if key.endswith("_ns")})

        return ask

    for name in really:
        monkeypatch.setattr(os, name, asked(name))
    return lambda path: theirs.add(really["lstat"](path).st_ino)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What XDG_CACHE_HOME names; it and TMPDIR are there."""
    (tmp_path / "home").mkdir()
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    for forget in (cache._replacement.cache_clear, find_compiler.cache_clear, compile_library.cache_clear):
        forget()
    yield tmp_path / "home"
    for forget in (cache._replacement.cache_clear, find_compiler.cache_clear, compile_library.cache_clear):
        forget()


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize("umask", [0o022, 0o002, 0o000])
def test_a_new_cache_is_closed_to_others_whatever_the_umask(home: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        folder = cache_folder("converted")
    finally:
        os.umask(before)
    assert folder == home / "root-anomaly-search" / "converted"
    assert (mode(folder), mode(folder.parent)) == (0o700, 0o700)


@pytest.mark.parametrize("lax", [0o755, 0o775, 0o777, 0o750, 0o1777])
def test_ones_own_folder_is_closed_and_what_is_in_it_stays(
    home: Path, lax: int, capsys: pytest.CaptureFixture[str]
) -> None:
    root = home / "root-anomaly-search"
    (root / "samples" / "tiny").mkdir(parents=True)
    (root / "samples" / "tiny" / "a.csv").write_text("1")
    home.chmod(0o777)  # what is above may be anything
    (root / "samples").chmod(lax)
    root.chmod(lax)
    assert cache_folder("samples") == root / "samples"
    assert (mode(root), mode(root / "samples")) == (0o700, 0o700)
    assert (root / "samples" / "tiny" / "a.csv").read_text() == "1"
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("theirs", ["", "converted", "converted/x.root", "samples/.checked", "compiled/link"])
def test_a_folder_that_others_could_fill_is_not_used_and_said_once(
    theirs: str, home: Path, tmp_path: Path, given_away: GiveAway, capsys: pytest.CaptureFixture[str]
) -> None:
    root = home / "root-anomaly-search"
    for part in ("converted", "samples/.checked", "compiled"):
        (root / part).mkdir(parents=True)
    (root / "converted" / "x.root").touch()
    (root / "compiled" / "link").symlink_to("/etc/passwd")
    root.chmod(0o777)
    given_away(root / theirs)
    for part in ("converted", "samples", "converted", "compiled"):
        folder = cache_folder(part)
        assert folder.parent.parent == tmp_path / "temporary"
        assert (folder.name, mode(folder), mode(folder.parent)) == (part, 0o700, 0o700)
        assert list(folder.iterdir()) == []
    said = capsys.readouterr().err
    fault = f"holds {theirs}, which belongs to another user" if theirs else "belongs to another user"
    assert said == (
        f"{root} {fault}: it is not used, and nothing is kept for the next time; set XDG_CACHE_HOME to a folder of "
        "your own\n"
    )
    assert mode(root) == 0o777  # the next run is not to take it for safe
    (temporary,) = (tmp_path / "temporary").iterdir()
    assert temporary.is_dir()
    cache._replacement.cache_clear()  # as the end of the process does
    assert not temporary.exists()


def test_a_part_that_others_made_is_not_used(home: Path, tmp_path: Path, given_away: GiveAway) -> None:
    cache_folder("converted")
    given_away(home / "root-anomaly-search" / "converted")
    assert cache_folder("converted").parent == tmp_path / "temporary"
    assert cache_folder("samples") == home / "root-anomaly-search" / "samples"


def test_links_lead_where_their_owner_wants(home: Path, tmp_path: Path, given_away: GiveAway) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    named_folder().symlink_to(disk)
    assert cache_folder("samples") == named_folder() / "samples"
    assert mode(disk) == 0o700
    given_away(named_folder())
    assert close_to_others(named_folder()) == "belongs to another user"


def test_a_file_system_without_modes_is_not_used(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named_folder().mkdir()
    named_folder().chmod(0o777)
    monkeypatch.setattr(Path, "chmod", lambda *_: None)
    assert close_to_others(named_folder()) == "can be written by other users"


def test_a_cache_that_cannot_be_made_is_for_its_writers_to_meet(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "root-anomaly-search").write_text("a file")
    assert cache_folder("converted") == home / "root-anomaly-search" / "converted"
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    assert cache_folder("converted") == Path("/proc/nowhere/root-anomaly-search/converted")


def test_without_a_place_to_go_the_cache_is_named(
    home: Path, tmp_path: Path, given_away: GiveAway, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache_folder()
    given_away(home / "root-anomaly-search")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(cache.CacheUnusable, match=r"belongs to another user, and nothing can be written .* XDG_CACHE"):
        cache_folder()


def test_files_that_count(tmp_path: Path, given_away: GiveAway) -> None:
    def judged(path: Path) -> tuple[bool, bytes | None]:
        return is_own(path), read_own(path)

    path = tmp_path / "file"
    assert judged(path) == (False, None)
    path.write_bytes(b"content")
    for allowed in (0o600, 0o644, 0o700, 0o755):
        path.chmod(allowed)
        assert judged(path) == (True, b"content")
    for lax in (0o664, 0o606, 0o666, 0o777):
        path.chmod(lax)
        assert judged(path) == (False, None)
    path.chmod(0o600)
    (tmp_path / "link").symlink_to(path)
    os.mkfifo(tmp_path / "pipe")
    for other in ("link", "pipe", "."):
        assert judged(tmp_path / other) == (False, None)
    given_away(path)
    assert judged(path) == (False, None)


# What is loaded.


def answer(number: int) -> int:
    compile_library.cache_clear()
    library = compile_library(f'extern "C" int answer() {{ return {number}; }}', "the answer")
    library.load()
    return int(ctypes.CFUNCTYPE(ctypes.c_int)(library.address("answer"))())


@pytest.mark.compiler
def test_what_is_loaded_is_what_was_checked(home: Path, given_away: GiveAway) -> None:
    """Whatever takes its place between the check and the loading."""
    assert (answer(41), answer(42)) == (41, 42)
    compile_library.cache_clear()
    library = compile_library('extern "C" int answer() { return 41; }', "the answer")
    (folder,) = {path.parent for path in loaded_libraries()}
    for place in folder.iterdir():  # whole libraries, and sealed, but each under the other's name
        place.rename(place.with_suffix(".other"))
    first, second = sorted(folder.iterdir())
    first.rename(second.with_suffix(".so"))
    second.rename(first.with_suffix(".so"))
    library.load()
    assert int(ctypes.CFUNCTYPE(ctypes.c_int)(library.address("answer"))()) == 41


@pytest.mark.compiler
def test_a_library_of_another_user_is_compiled_anew(home: Path, given_away: GiveAway) -> None:
    assert answer(43) == 43
    (place,) = (home / "root-anomaly-search" / "compiled").iterdir()
    place.rename(place.with_suffix(".loaded"))
    place.write_bytes(place.with_suffix(".loaded").read_bytes())
    given_away(place)
    assert answer(43) == 43
    assert is_own(place)


@pytest.mark.compiler
def test_the_libraries_that_are_loaded_are_known_by_their_names(home: Path) -> None:
    assert (answer(44), answer(45)) == (44, 45)
    folder = home / "root-anomaly-search" / "compiled"
    loaded = sorted(folder.iterdir())
    assert loaded_libraries() == loaded
    assert len(loaded) == 2
    # Another process has compiled the same, and puts it there.
    draft = folder.parent / "draft"
    shutil.copy2(loaded[0], draft)
    draft.replace(loaded[0])
    assert loaded_libraries() == loaded
    loaded[1].unlink()
    assert loaded_libraries() == loaded[:1]


def test_a_process_removes_what_took_the_caches_place(home: Path, tmp_path: Path) -> None:
    script = (
        "import os, rdf.cache\n"
        "os.getuid = lambda: 4321\n"
        "folder = rdf.cache.cache_folder('converted')\n"
        "(folder / 'a').touch()\n"
        "print(folder)\n"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path / "temporary")}
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT, env=environment, capture_output=True, text=True, check=True
    )
    assert Path(ended.stdout.strip()).parent.parent == tmp_path / "temporary"
    assert "belongs to another user" in ended.stderr
    assert list((tmp_path / "temporary").iterdir()) == []


# What is read.


def test_a_converted_table_of_another_user_is_made_anew(tmp_path: Path, given_away: GiveAway) -> None:
    from rdf.schema.model import Schema
    from rdf.sources.tabular import convert

    table = {"title": "t", "tree": "t", "columns": {"x": "float64"}, "quantities": {}, "features": "none"}
    schema = Schema.model_validate({"name": "t", **table})
    (tmp_path / "a.csv").write_text("x\n1.5\n2.5\n")
    made = convert(tmp_path / "a.csv", schema, tmp_path / "converted")
    whole = made.stat()
    assert (mode(made), mode(made.parent)) == (0o600, 0o700)
    assert convert(tmp_path / "a.csv", schema, tmp_path / "converted") == made
    assert made.stat().st_ino == whole.st_ino
    for spoil in (lambda: made.chmod(0o666), lambda: given_away(made)):
        made.write_bytes(b"planted")
        spoil()
        assert convert(tmp_path / "a.csv", schema, tmp_path / "converted") == made
        assert made.read_bytes().startswith(b"root")
        assert is_own(made)
