"""A cache of compiled libraries for each test, and compilers that do as a test says."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.rdf.code.compiling.answers import forget


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
