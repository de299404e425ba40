"""The content of files is known by its checksum: taken beside a run, compared with earlier runs and other parts."""

from __future__ import annotations

import hashlib
import json
import pickle
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from analysis.console.program import BAD_DATA, exit_code
from analysis.errors import ChecksumMismatch
from analysis.output.checksums import Checksums, check_as_before, merged_file
from analysis.samples import Original
from analysis.samples.inputs import InputFile
from plotting.results.record_tables import File
from tests.records import run_table, sample_table

A, B = hashlib.sha256(b"a").hexdigest(), hashlib.sha256(b"b").hexdigest()


def models_of(*samples: tuple[list[str], list[str]]) -> Any:
    of = [SimpleNamespace(files=files, sha256=sha256) for files, sha256 in samples]
    return SimpleNamespace(training=SimpleNamespace(samples=of))


def recorded(path: str, sha256: str | None) -> dict[str, Any]:
    return run_table(sample=sample_table(files=[{"path": path, "size": 1, "sha256": sha256}]))


def left(folder: Path, record: object) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "run.json").write_text(record if isinstance(record, str) else json.dumps(record))
    return folder


def test_files_without_a_checksum_get_one(tmp_path: Path) -> None:
    contents = {"small": b"a", "large": bytes(range(256)) * 20_000, "empty": b""}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    files = [InputFile(str(tmp_path / name), len(content), None) for name, content in contents.items()]
    known = InputFile(str(tmp_path / "small"), 1, B)
    remote = InputFile("root://host//x.root", None, None)
    copy = InputFile(str(tmp_path / "small"), 1, None, copy_of=Original(path="/there/x", size=1, sha256=None))
    gone = InputFile(str(tmp_path / "gone"), 1, None)
    *found, a, b, c, d = Checksums([*files, known, remote, copy, gone]).completed([*files, known, remote, copy, gone])
    assert [file.sha256 for file in found] == [hashlib.sha256(content).hexdigest() for content in contents.values()]
    assert (a, b, d) == (known, remote, gone)
    assert c.describe().sha256 is None
    assert Checksums().completed(files) == tuple(files)


def test_it_does_not_travel(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"a")
    file = InputFile(str(tmp_path / "x"), 1, None)
    assert pickle.loads(pickle.dumps(Checksums([file]))).completed([file]) == (file,)


def test_what_is_stopped_leaves_no_wrong_checksum(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(bytes(50_000_000))
    file = InputFile(str(tmp_path / "x"), 50_000_000, None)
    checksums = Checksums([file])
    checksums.stop()
    (found,) = checksums.completed([file])
    assert found.sha256 in (None, hashlib.sha256(bytes(50_000_000)).hexdigest())


def test_a_file_that_was_changed_since_the_training_is_refused(tmp_path: Path) -> None:
    file = InputFile("/d/x.root", 1, B)
    with pytest.raises(
        ChecksumMismatch, match=r"/d/x\.root was changed or damaged since the models were trained"
    ) as caught:
        check_as_before([file], models_of((["/d/w.root", "/d/x.root"], [B, A])), tmp_path)
    assert exit_code(caught.value) == BAD_DATA
    for samples in (
        (["/d/x.root"], [B]),
        (["/d/y.root"], [A]),
        (["/d/w.root", "/d/x.root"], [A]),  # of which of the two files it is cannot be told
        (["/d/x.root"], []),
    ):
        check_as_before([file], models_of(samples), tmp_path)
    check_as_before([InputFile("/d/x.root", 1, None)], models_of((["/d/x.root"], [A])), tmp_path)


def test_a_file_that_was_changed_since_the_last_run_is_refused(tmp_path: Path) -> None:
    file = InputFile("/d/x.root", 1, B)
    before = left(tmp_path / "out", recorded("/d/x.root", A))
    with pytest.raises(
        ChecksumMismatch, match=r"since the run that left .*out; get it again, .* choose another --output"
    ):
        check_as_before([file], models_of(), before)
    for record in (
        recorded("/d/x.root", B),
        recorded("/d/x.root", None),
        recorded("/d/y.root", A),
        {key: value for key, value in recorded("/d/x.root", A).items() if key != "format"},  # of an earlier version
        {"sample": {}},
        {"samples": []},
        [],
        "no JSON",
    ):
        check_as_before([file], models_of(), left(tmp_path / "out", record))
    check_as_before([file], models_of(), tmp_path / "nowhere")


def test_parts_agree_on_a_file_or_not() -> None:
    of_a, of_b, unknown = (File(path="x", size=1, sha256=sha256) for sha256 in (A, B, None))
    assert merged_file(of_a, of_b) is None
    assert merged_file(of_a, unknown) == merged_file(unknown, of_a) == merged_file(of_a, of_a) == of_a
    assert merged_file(unknown, unknown) == unknown
    assert merged_file(of_a, replace(of_a, size=2)) is None
