"""Where a result comes from: versions, commit, machine."""

from __future__ import annotations

import json
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from plotting.results.record_tables import Commit, Machine

COMMIT_NOTE = "analysis/commit.json"
"""File with the commit, in code that was sent to another machine."""

PACKAGES = (
    *("root", "sofie", "numpy", "scikit-learn", "torch", "onnx", "h5py"),
    *("pyarrow", "uproot", "matplotlib"),
)


def library_versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that a result depends on; those not installed are left out."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def git_commit() -> Commit | None:
    """Return the commit of this toolkit and whether its files were changed since; None outside a git checkout.

    Code that was sent to another machine has a note of it.
    """
    folder = Path(__file__).resolve().parents[2]
    if (note := folder / COMMIT_NOTE).is_file():
        noted = json.loads(note.read_bytes())
        return None if noted is None else Commit(**noted)

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(folder), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")).resolve() != folder:
            return None  # some other project's checkout around this folder
        return Commit(hash=git("rev-parse", "HEAD"), clean=not git("status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.CalledProcessError):
        return None


def machine() -> Machine:
    """Return what the run ran on: the processor and the system."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    model = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine()
    )
    return Machine(processor=model, system=platform.platform())
