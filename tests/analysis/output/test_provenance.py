"""Versions, commit and machine, against git itself and the libraries' own word."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import pyarrow as pa
import pytest
import sklearn

import analysis.output.provenance
from analysis.output.provenance import git_commit, library_versions, machine
from plotting.results.record_tables import Commit

PROJECT = Path(__file__).parents[3]


def git(folder: Path, *arguments: str) -> str | None:
    """Return what git says, None where it refuses."""
    identity = ["-c", "user.name=A. Nobody", "-c", "user.email=nobody@example.org", "-c", "commit.gpgsign=false"]
    ended = subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments], capture_output=True, text=True, check=False
    )
    return ended.stdout.strip() if ended.returncode == 0 else None


def copied_to(folder: Path) -> ModuleType:
    """Return the module as it is in a copy of the toolkit in another place."""
    copy = folder / "analysis" / "output" / "provenance.py"
    copy.parent.mkdir(parents=True)
    shutil.copyfile(analysis.output.provenance.__file__, copy)
    spec = importlib.util.spec_from_file_location("copied_provenance", copy)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_commit_is_gits() -> None:
    head, changes = git(PROJECT, "rev-parse", "HEAD"), git(PROJECT, "status", "--porcelain", "-uno")
    # These files may also lie here without a checkout.
    expected = None if head is None else Commit(hash=head, clean=changes == "")
    assert git_commit() == expected


def test_there_is_no_commit_outside_a_checkout(tmp_path: Path) -> None:
    if git(tmp_path, "rev-parse", "--show-toplevel"):
        pytest.skip("the folder for temporary files is in a checkout")
    assert copied_to(tmp_path / "toolkit").git_commit() is None


def test_checkout_of_another_project_around_the_toolkit_is_not_its_own(tmp_path: Path) -> None:
    assert git(tmp_path, "init", "--quiet") is not None
    assert git(tmp_path, "commit", "--quiet", "--allow-empty", "--message", "other") is not None
    assert copied_to(tmp_path / "toolkit").git_commit() is None


def test_changed_file_is_not_clean_and_an_added_one_is(tmp_path: Path) -> None:
    module = copied_to(tmp_path)
    assert git(tmp_path, "init", "--quiet") is not None
    assert module.git_commit() is None  # no commit yet
    assert git(tmp_path, "add", "analysis/output/provenance.py") is not None
    assert git(tmp_path, "commit", "--quiet", "--message", "first") is not None
    head = git(tmp_path, "rev-parse", "HEAD")
    (tmp_path / "results.txt").write_text("left by a run")
    assert module.git_commit() == Commit(hash=head, clean=True)
    (tmp_path / "analysis" / "output" / "provenance.py").write_text("changed")
    assert module.git_commit() == Commit(hash=head, clean=False)


def test_no_git_is_no_commit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_commit() is None


def test_versions_are_what_the_libraries_say() -> None:
    versions = library_versions()
    assert versions["python"] == platform.python_version()
    for package, module in {"numpy": np, "scikit-learn": sklearn, "onnx": onnx, "pyarrow": pa}.items():
        assert versions[package] == module.__version__
    assert {"root", "sofie", "torch", "uproot", "matplotlib"} <= versions.keys()


def test_package_that_is_not_installed_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analysis.output.provenance, "PACKAGES", ("numpy", "no-such-package-at-all"))
    assert library_versions() == {"python": platform.python_version(), "numpy": np.__version__}


def test_machine_is_this_one() -> None:
    assert machine().system == platform.platform()
    named = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    expected = named[0].split(":", 1)[1].strip() if named else platform.machine()
    assert machine().processor == expected
