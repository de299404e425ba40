"""search.json is read as the record of its method, and written as it was read."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from plotting.errors import UnreadableResult
from plotting.results.record_tables import SampleHeader
from plotting.results.search.cwola import CwolaRecord
from plotting.results.search.formats import read_search_record, search_text
from plotting.results.search.head import Inputs
from plotting.results.search.record import SearchRecord
from tests.plotting import cwola_records


def peak_record() -> SearchRecord:
    return SearchRecord(
        status="refused",
        reason="too few events",
        quote="No statement can be made: too few events.",
        configuration={"method": "spectrum"},
        configuration_sha256="0" * 64,
        inputs=Inputs(run="output/x", run_json_sha256="0" * 64, events_sha256="0" * 64),
        sample=SampleHeader(name="x", title="A sample", doi=None, energy=None, luminosity=None, simulated=False),
        commit=None,
        versions={},
        observable="mjj",
        title="m_{jj}",
        unit="GeV",
        seed=1,
        timings={"total": 1.5},
    )


@pytest.mark.parametrize("record", [peak_record(), cwola_records.record(), cwola_records.blinded()])
def test_what_is_written_is_read(record: SearchRecord | CwolaRecord, tmp_path: Path) -> None:
    path = tmp_path / "search.json"
    path.write_text(search_text(record), encoding="utf-8")
    found = read_search_record(path)
    assert type(found) is type(record)
    assert found == record
    assert json.loads(path.read_text())["status"] == record.status


def test_the_method_stands_at_the_top_of_weak_supervision_alone() -> None:
    assert json.loads(search_text(cwola_records.record()))["method"] == "cwola"
    table = json.loads(search_text(peak_record()))
    assert "method" not in table
    assert table["configuration"]["method"] == "spectrum"


def test_numbers_of_a_window_stand_in_the_file() -> None:
    table = json.loads(search_text(cwola_records.record()))
    (window,) = table["windows"]
    assert window["edges"] == [100, 110, 120, 130, 170, 180, 190, 200]
    assert window["cuts"][1]["counts"] == [10, 9, 8, 48, 4, 4, 0]
    assert len(window["cuts"][1]["calibrated"]["nulls"]) == 199
    # A key without a default stands there though it is None; one that is None by default is left out.
    blinded = json.loads(search_text(cwola_records.blinded()))
    assert blinded["inputs"]["run"] == ""
    assert "events" not in blinded["windows"][0]["cuts"][0]
    assert blinded["windows"][0]["cuts"][0]["counts"][3] is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "tarot"}, "is of the method 'tarot'; a newer version of the toolkit is needed"),
        ({"method": ["cwola"]}, "is of the method ['cwola']; a newer version"),
        ({"format": 2}, "is of format 2; a newer version of the toolkit is needed"),
        ({"format": 0}, "is of format 0; repeat the search"),
        ({"folds": "five"}, "has another form at folds"),
        ({"method": None}, "has another form at"),  # a table of weak supervision is none of a search for a peak
    ],
)
def test_another_table_is_refused_by_name(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = tmp_path / "search.json"
    path.write_text(json.dumps(asdict(cwola_records.record()) | change))
    with pytest.raises(UnreadableResult) as caught:
        read_search_record(path)
    assert str(caught.value).startswith(f"{path}: {message}")


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "search.json"
    with pytest.raises(UnreadableResult, match=r"cannot be read \(No such file or directory\); repeat the search"):
        read_search_record(path)
    path.write_text(search_text(replace(cwola_records.record(), windows=()))[:100])
    with pytest.raises(UnreadableResult, match="is truncated or no table in JSON; repeat the search"):
        read_search_record(path)
    path.write_text("[1]")
    with pytest.raises(UnreadableResult, match="is of format None; repeat the search"):
        read_search_record(path)
