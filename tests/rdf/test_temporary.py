"""Folders in TMPDIR: removed by their process, or by the next one where it was killed, never while they are used."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from rdf import temporary
from rdf.errors import TemporaryFolderError
from rdf.temporary import TemporaryFolder

PROJECT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A TMPDIR that no orphan was looked for in."""
    folder = tmp_path / "with blanks = and signs"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    temporary._remove_orphans.cache_clear()
    yield folder
    temporary._remove_orphans.cache_clear()


def other(parent: Path, then: str) -> subprocess.Popen[str]:
    """Another process that makes a folder with a file, and does something then."""
    source = (
        "import os, signal, sys\nfrom rdf.temporary import TemporaryFolder\n"
        "folder = TemporaryFolder('test')\n(folder.path / 'file').write_text('x')\n"
        f"print(folder.path.name, flush=True)\n{then}\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", source],
        cwd=PROJECT,
        env={**os.environ, "TMPDIR": str(parent)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_folder_is_there_in_the_block_and_not_after_it(parent: Path) -> None:
    with TemporaryFolder("test") as folder:
        assert folder.parent == parent
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "file").write_text("x")
        assert list(parent.iterdir()) == [folder]
    assert list(parent.iterdir()) == []


@pytest.mark.parametrize("end", ["", "sys.exit(3)", "raise SystemError"])
def test_a_folder_ends_with_its_process(end: str, parent: Path) -> None:
    with other(parent, f"sys.stderr = open(os.devnull, 'w')\n{end}") as process:
        process.communicate()
    assert list(parent.iterdir()) == []


def test_a_folder_of_a_killed_process_is_removed_by_the_next_and_one_in_use_is_not(parent: Path) -> None:
    with other(parent, "os.kill(os.getpid(), signal.SIGKILL)") as killed, other(parent, "sys.stdin.read()") as working:
        killed.wait()
        assert killed.stdout is not None
        assert working.stdout is not None
        orphan, used = killed.stdout.readline().strip(), working.stdout.readline().strip()
        # Of the user's own, and of folders that others make with names that begin alike.
        for name in ("root-anomaly-search-mine", "root-anomaly-search", "sofie-x"):
            (parent / name).mkdir()
        with TemporaryFolder("test") as folder:
            found = {path.name for path in parent.iterdir()}
            assert found == {used, folder.name, "root-anomaly-search-mine", "root-anomaly-search", "sofie-x"}
            assert orphan not in found
        assert (parent / used / "file").read_text() == "x"
        working.communicate("")
    assert not (parent / used).exists()


def test_what_only_looks_like_an_orphan_stays(parent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link, a file, a folder that is just being made, and what belongs to another user."""
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("x")
    (parent / "root-anomaly-search.link").symlink_to(kept)
    (parent / "root-anomaly-search.file").write_text("x")
    (parent / "root-anomaly-search.sofie-x.new").mkdir()
    before = sorted(parent.iterdir())
    with TemporaryFolder("test"):
        pass
    assert sorted(parent.iterdir()) == before
    assert (kept / "file").exists()
    (parent / "root-anomaly-search.of_another").mkdir()
    monkeypatch.setattr(temporary.os, "getuid", lambda: 4321)
    temporary._remove_orphans.cache_clear()
    with TemporaryFolder("test"):
        pass
    assert (parent / "root-anomaly-search.of_another").exists()


def test_a_copy_of_a_process_does_not_remove_its_folders(parent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = TemporaryFolder("test")
    with monkeypatch.context() as forked:
        forked.setattr(temporary.os, "getpid", lambda: 1)
        folder._end.peek()[1](*folder._end.peek()[2])  # as it would be called at the end of the copy
    assert folder.path.is_dir()
    folder.remove()
    folder.remove()
    assert list(parent.iterdir()) == []


def test_a_full_disk_is_told_before_it_is_written_to(parent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(temporary.shutil, "disk_usage", lambda _: SimpleNamespace(free=64_000))
    with pytest.raises(TemporaryFolderError) as caught:
        TemporaryFolder("test")
    assert str(caught.value) == (
        f"TMPDIR ({parent}) has 0.1 MB free, about 20 MB are needed; free some space there, or set TMPDIR to another "
        "folder"
    )
    assert list(parent.iterdir()) == []


@pytest.mark.parametrize("where", ["in it", "not told", "elsewhere", "another error"])
def test_only_an_error_of_the_folder_is_told_as_one(where: str, parent: Path, tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        number = errno.ENOSPC if where != "another error" else errno.ENOEXEC
        path = {"in it": folder / "file", "elsewhere": tmp_path / "output"}.get(where)
        raise OSError(number, os.strerror(number), *([path] if path else []))

    expected = TemporaryFolderError if where in ("in it", "not told") else OSError
    with pytest.raises(expected) as caught, TemporaryFolder("test") as folder:
        fail(folder)
    if expected is TemporaryFolderError:
        assert str(caught.value).startswith(f"TMPDIR ({parent}) cannot be written (No space left on device); ")
    assert list(parent.iterdir()) == []


def test_where_no_folder_can_be_made_tmpdir_is_named(parent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), "/x")

    monkeypatch.setattr(temporary.tempfile, "mkdtemp", refuse)
    with pytest.raises(TemporaryFolderError, match=r"^TMPDIR \(.*\) cannot be written \(Read-only file system\); "):
        TemporaryFolder("test")
