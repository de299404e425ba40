"""run.json is written and read as a type: what is written is read back, and nothing else is taken for it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from plotting.errors import UnreadableResult
from plotting.results.record_tables import DaskEngine, Merged, Published
from plotting.results.run_record import (
    AnyRecord,
    UnfitRecord,
    as_table,
    parse_record,
    read_evaluation_record,
    read_record,
    read_run_record,
    record_text,
)
from tests.records import EVALUATION, RUN, SAMPLE, evaluation_table, run_table

STAND_IN = replace(
    SAMPLE,
    simulated=True,
    simulation="razor_multijet",
    stands_in_for=Published(title="Real events", doi="10.1/REAL", record=None, licence=None),
)


@pytest.mark.parametrize(
    "record",
    [
        RUN,
        EVALUATION,
        replace(EVALUATION, sample=SAMPLE),
        replace(RUN, sample=STAND_IN, engine=DaskEngine(cluster="slurm", workers=7), merged=Merged(parts=3)),
        replace(
            RUN,
            commit=None,
            events_per_second=None,
            detectors={"isolation_forest": replace(RUN.detectors["isolation_forest"], threshold=(0.5, 0.6))},
        ),
    ],
)
def test_what_is_written_is_read_back(record: AnyRecord) -> None:
    text = record_text(record)
    assert parse_record(text.encode()) == record
    table = json.loads(text)
    assert next(iter(table)) == "format"
    assert table["format"] == 2
    # What a key has no value for is null, but for what only a stand-in has.
    assert table["commit"] == (None if record.commit is None else {"hash": "0123456789abcdef", "clean": False})
    assert ("stands_in_for" in table["sample"]) == (record.sample is STAND_IN)


def test_numbers_that_json_does_not_have_are_refused() -> None:
    with pytest.raises(ValueError, match="Out of range float"):
        record_text(replace(RUN, timings={"total": float("nan")}))


CHANGES: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (
        lambda table: table.pop("format"),
        "has no number of a format: an earlier version of the toolkit wrote it; run again",
    ),
    (
        lambda table: table.update(format=3),
        "is of format 3, where this version of the toolkit reads format 2; a newer version of the toolkit is needed",
    ),
    (
        lambda table: table.update(format="1"),
        "is of format '1', where this version of the toolkit reads format 2; run again",
    ),
    (
        lambda table: table.update(format=0),
        "is of format 0, where this version of the toolkit reads format 2; run again",
    ),
    (lambda table: table.pop("threads"), "has no 'threads', so no run of this version left it; run again"),
    (lambda table: table["sample"].pop("title"), "has no 'sample.title', so no run of this version left it; run again"),
    (
        lambda table: table.update(threads="2"),
        "has another form at threads (Input should be a valid integer); run again",
    ),
    (lambda table: table.update(flavour=1), "has another form at flavour (Unexpected keyword argument); run again"),
]


@pytest.mark.parametrize(("change", "fault"), CHANGES)
def test_what_is_not_of_this_format_is_refused_by_name(
    change: Callable[[dict[str, Any]], Any], fault: str, tmp_path: Path
) -> None:
    table = run_table()
    change(table)
    (tmp_path / "run.json").write_text(json.dumps(table))
    for read in (read_record, read_run_record):
        with pytest.raises(UnreadableResult, match=f"^{re.escape(f'{tmp_path}/run.json: {fault}')}$"):
            read(tmp_path / "run.json", "run again")


def test_a_run_is_no_evaluation(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text(json.dumps(run_table()))
    with pytest.raises(UnreadableResult, match="is that of a run, not of an evaluation; again"):
        read_evaluation_record(path, "again")
    path.write_text(json.dumps(evaluation_table()))
    assert read_evaluation_record(path, "again") == EVALUATION
    with pytest.raises(UnreadableResult, match="is that of an evaluation, not of a run; again"):
        read_run_record(path, "again")


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000, b'{"a":' * 100_000, b"[1]", b"\xff", b"\0", b"null"])
def test_files_that_are_no_tables(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(UnfitRecord, match="is truncated or no table in JSON"):
        parse_record(content)
    with pytest.raises(UnreadableResult, match=r"run\.json: cannot be read \(No such file or directory\); again"):
        read_record(tmp_path / "run.json", "again")


def test_every_text_that_is_cut_short_is_refused() -> None:
    text = record_text(RUN).encode()
    for length in range(0, len(text) - 2, 97):
        with pytest.raises(UnfitRecord):
            parse_record(text[:length])


def test_a_table_is_as_json_has_it() -> None:
    assert json.loads(json.dumps(as_table(RUN))) == as_table(RUN)


def test_results_are_read_without_matplotlib_and_root() -> None:
    program = """
import sys, plotting.results.run, plotting.results.evaluation
assert not {"matplotlib", "ROOT"} & set(sys.modules)
assert not any(name.startswith("plotting.style") for name in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
