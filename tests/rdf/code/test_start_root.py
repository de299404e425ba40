"""ROOT starts when it is asked for: an import changes none of its settings."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.compiler

PROJECT = Path(__file__).parents[3]

SETTINGS = """
import warnings
warnings.simplefilter("ignore")
import ROOT
def settings():
    paths = ROOT.gInterpreter.GetIncludePath()
    return (ROOT.gROOT.IsBatch(), ROOT.gErrorIgnoreLevel, ROOT.TH1.AddDirectoryStatus(), paths)
ROOT.gErrorIgnoreLevel = 1234
before = settings()
warnings.simplefilter("error")
import {module}
assert settings() == before
"""

STARTED = """
import warnings
from rdf.code.interpreter import ROOT, start_root
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    root = start_root()
assert not said, said
assert root.gROOT.IsBatch() and not root.TH1.AddDirectoryStatus() and ROOT.gErrorIgnoreLevel == root.kError
assert start_root() is root
"""

LATE = """
import warnings
warnings.simplefilter("ignore")
import ROOT
from rdf.code.interpreter import start_root
warnings.simplefilter("error")
try:
    start_root()
except UserWarning as warning:
    print(warning)
"""


def run(code: str) -> str:
    # This process has started ROOT, and its flags stand in the environment that another process would get.
    environment = {name: value for name, value in os.environ.items() if name != "EXTRA_CLING_ARGS"}
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=PROJECT, env=environment
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


@pytest.mark.parametrize("module", ["analysis", "rdf.graph.histograms", "rdf.code.interpreter", "plotting.results.run"])
def test_an_import_changes_no_setting(module: str) -> None:
    assert run(SETTINGS.format(module=module)) == ""


def test_the_settings_of_this_package() -> None:
    assert run(STARTED) == ""


def test_root_that_was_there_already_is_told() -> None:
    assert "ROOT was imported before" in run(LATE)
