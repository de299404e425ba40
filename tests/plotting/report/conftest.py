"""Reports of a run and of an evaluation."""

from __future__ import annotations

from pathlib import Path

import pytest

from plotting.report.page import write_report
from tests.plotting.evaluations import write_evaluation
from tests.plotting.report.parsed import Page
from tests.plotting.report.written import make_record, write_figures, write_run, write_top_events


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_run(tmp_path_factory.mktemp("report") / "run", make_record())
    write_top_events(folder)
    write_report(folder)
    return folder


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report") / "evaluation"
    write_evaluation(folder, simulated=True)
    write_figures(folder, ("roc", "metrics", "confusion", "score_mlp", "importance_mlp"))
    write_report(folder)
    return folder


@pytest.fixture(scope="module")
def page(run: Path) -> Page:
    return Page(run / "report.html")
