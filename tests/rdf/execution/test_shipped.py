"""What a Dask worker unpacks: it may serve several runs, and what it has loaded must not change under it."""

from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from analysis.steps.shipping import archive
from rdf.execution.shipped import Shipped

LIBRARIES = "root-anomaly-search/compiled"


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A worker, as far as it is looked at; what it changes in its process is undone."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("XDG_CACHE_HOME", os.environ.get("XDG_CACHE_HOME", ""))
    return SimpleNamespace(local_directory=str(tmp_path))


def shipped(code: dict[str, bytes], libraries: dict[str, bytes], task: object = None) -> Shipped:
    cache = archive({f"{LIBRARIES}/{name}": content for name, content in libraries.items()})
    return Shipped(archive(code), cache, pickle.dumps(task))


def test_a_second_run_adds_libraries_and_writes_over_none(worker: SimpleNamespace, tmp_path: Path) -> None:
    code = {"package_of_the_test/__init__.py": b"answer = 42\n"}
    first = shipped(code, {"a.so": b"first"}, "one task")
    first.setup(worker)
    assert first.task == "one task"
    folder = tmp_path / "anomaly-search" / "cache" / LIBRARIES
    before = (folder / "a.so").stat()
    second = shipped(code, {"a.so": b"first", "b.so": b"second"}, "another task")
    second.setup(worker)
    assert second.task == "another task"
    after = (folder / "a.so").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"a.so": b"first", "b.so": b"second"}
    assert os.environ["XDG_CACHE_HOME"] == str(tmp_path / "anomaly-search" / "cache")
    (unpacked,) = (tmp_path / "anomaly-search").glob("code-*")
    assert sys.path.count(str(unpacked)) == 1
    assert (unpacked / "package_of_the_test" / "__init__.py").read_bytes() == b"answer = 42\n"


def test_other_code_is_refused(worker: SimpleNamespace) -> None:
    shipped({"package_of_the_test/__init__.py": b"answer = 42\n"}, {}).setup(worker)
    with pytest.raises(RuntimeError, match="another version of the toolkit and has to be restarted"):
        shipped({"package_of_the_test/__init__.py": b"answer = 43\n"}, {}).setup(worker)
