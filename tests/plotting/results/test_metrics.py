"""metrics.json as types: its text is that of earlier versions, and what has another form is refused."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from plotting.errors import UnreadableResult
from plotting.results.metrics import Confusion, DetectorMetrics, LargestImprovement, Metric, metrics_text, read_metrics

MERITS = ("auc", "accuracy", "precision", "recall", "f1", "tpr", "tnr")


def table(**more: Any) -> dict[str, Any]:
    """One detector, as JSON has it, in the order of the file."""
    found: dict[str, Any] = {name: {"value": 0.5 + place / 16, "error": None} for place, name in enumerate(MERITS)}
    best = {"value": 1.5, "error": 0.25, "tpr": 0.75, "fpr": 0.125, "min_background": 25}
    found = {"auc": found.pop("auc"), "max_sic": best, **found}
    kinds = ("true_positive", "false_positive", "true_negative", "false_negative")
    return {**found, "confusion": dict(zip(kinds, (1, 2, 40, 3), strict=True)), "signal": 4, "background": 42, **more}


def write(folder: Path, *detectors: dict[str, Any]) -> Path:
    path = folder / "metrics.json"
    path.write_text(json.dumps({f"detector_{i}": detector for i, detector in enumerate(detectors)}))
    return path


def test_the_text_is_written_as_it_was_read(tmp_path: Path) -> None:
    importance = {"MR": {"value": 0.25, "error": 0.125}, "Rsq": {"value": -0.5, "error": 0.0}}
    path = write(tmp_path, table(), table(threshold=2.5), table(threshold=-1.0, importance=importance))
    metrics = read_metrics(path, "evaluate again")
    assert metrics_text(metrics) == json.dumps(json.loads(path.read_text()), indent=1) + "\n"


def test_each_number_is_under_its_name(tmp_path: Path) -> None:
    (found,) = read_metrics(write(tmp_path, table(importance={"MR": {"value": 0.25, "error": 0.5}})), "again").values()
    merits = {name: Metric(value=0.5 + place / 16, error=None) for place, name in enumerate(MERITS)}
    best = LargestImprovement(value=1.5, error=0.25, tpr=0.75, fpr=0.125, min_background=25)
    confusion = Confusion(true_positive=1, false_positive=2, true_negative=40, false_negative=3)
    assert (confusion.right, confusion.events) == (41, 46)
    drops = {"MR": Metric(value=0.25, error=0.5)}
    assert found == DetectorMetrics(
        **merits, max_sic=best, confusion=confusion, signal=4, background=42, importance=drops
    )


@pytest.mark.parametrize(
    ("damage", "key"),
    [
        ({"auc": {"value": 0.5}}, "auc.error"),
        ({"auc": {"value": "0.5", "error": None}}, "auc.value"),
        ({"signal": 4.5}, "signal"),
        ({"confusion": None}, "confusion"),
        ({"AUC": 1}, "AUC"),
    ],
)
def test_another_form_is_refused(tmp_path: Path, damage: dict[str, Any], key: str) -> None:
    path = write(tmp_path, table(), table(**damage))
    with pytest.raises(
        UnreadableResult,
        match=rf"metrics\.json: lacks a key or has another form at detector_1\.{key} \([^\n]*\); evaluate again$",
    ):
        read_metrics(path, "evaluate again")


@pytest.mark.parametrize(("text", "fault"), [('{"mlp": {"au', "truncated or not JSON"), ("[]", "not a table")])
def test_no_table_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "metrics.json"
    path.write_text(text)
    with pytest.raises(UnreadableResult, match=rf"metrics\.json: {fault}.*; evaluate again$"):
        read_metrics(path, "evaluate again")


def test_a_number_that_is_not_finite_is_not_written(tmp_path: Path) -> None:
    (found,) = read_metrics(write(tmp_path, table(threshold=1.5)), "again").values()
    with pytest.raises(ValueError, match="not JSON compliant"):
        metrics_text({"mlp": replace(found, threshold=math.nan)})
