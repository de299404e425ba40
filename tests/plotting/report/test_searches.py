"""The report of a run shows the search that made the run, or was made in it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from plotting.drawing.search import draw_search
from plotting.errors import UnreadableResult
from plotting.report.page import write_report
from plotting.report.searches import find_search
from plotting.results.checksums import sha256
from plotting.results.search.cwola import CwolaInputs, CwolaRecord
from plotting.results.search.formats import search_text
from tests.plotting import cwola_records
from tests.plotting.report.parsed import Page
from tests.plotting.report.written import make_record, write_run, write_top_events


def write_search(folder: Path, record: CwolaRecord, **inputs: Any) -> Path:
    """Write a search with the run that it made, and return the folder of the run."""
    folder.mkdir()
    run = write_run(folder / "run", make_record(), ("cutflow",))
    write_top_events(run)
    read = replace(record.inputs, **{"run_json_sha256": sha256(run / "run.json"), **inputs})
    (folder / "search.json").write_text(search_text(replace(record, inputs=read)), encoding="utf-8")
    return run


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    folder = tmp_path_factory.mktemp("report") / "search"
    run = write_search(folder, cwola_records.record())
    draw_search(cwola_records.record(), folder)
    return Page(write_report(run).path)


def test_the_report_states_the_search(page: Page) -> None:
    assert "The largest calibrated significance is 2.00." in page.source
    assert page.tables["Events in the region of each window"] == [
        [
            *("Region [GeV]", "Cut", "Events", "Expected", "Z", "Mean Z of sets", "Width", "Calibrated Z"),
            *("p", "Limit (expected)"),
        ],
        [
            *("130 to 170", "all events", "2,600", "2,580 ± 31", "0.34", "0.10", "1.20", "0.20 ± 0.25"),
            *("0.4550", "130 (115)"),
        ],
        [
            *("130 to 170", "the 1 % of highest rank", "48", "26.0 ± 3.2", "3.28", "0.28", "1.50", "2.00 ± 0.25"),
            *("0.02500", "38 (13)"),
        ],
    ]
    assert page.tables["Whether the features tell the mass"][1:] == [
        ["130 to 170", "0.5120", "0.01100", "0.4950", "0.01200", "exp-polynomial 2"]
    ]


def test_its_tables_are_accessible(page: Page) -> None:
    assert all(attributes.get("scope") for tag, attributes in page.tags if tag == "th")


def test_its_figures_are_those_of_the_search(page: Page) -> None:
    ids = [attributes["id"] for tag, attributes in page.tags if tag == "figure"]
    assert ids == ["figure-spectra_1", "figure-nulls_1", "figure-fractions_1", "figure-cutflow"]


def test_a_cut_without_sets_has_its_local_probability_and_a_closed_one_its_reason(tmp_path: Path) -> None:
    (window,) = cwola_records.record().windows
    loose, tight = window.cuts
    closed = replace(tight, opened=False, reason="its sidebands hold too few events", counts=())
    cuts = (replace(loose, calibrated=None, limit=None), closed)
    run = write_search(tmp_path / "x", replace(cwola_records.record(), windows=(replace(window, cuts=cuts),)))
    table = Page(write_report(run).path).tables["Events in the region of each window"]
    assert table[1][4:] == ["0.34", "–", "–", "–", "0.3700", "–"]
    assert table[2][1:] == ["the 1 % of highest rank", "its sidebands hold too few events"]


def test_a_refused_search_has_no_table(tmp_path: Path) -> None:
    refused = replace(
        cwola_records.record(), status="refused", reason="x", quote="No statement can be made: x.", windows=()
    )
    page = Page(write_report(write_search(tmp_path / "x", replace(refused, largest=None))).path)
    assert "No statement can be made: x." in page.source
    assert "Events in the region of each window" not in page.tables


def test_a_search_of_another_run_beside_it_is_not_shown(tmp_path: Path) -> None:
    run = write_search(tmp_path / "other", cwola_records.record(), run="elsewhere")
    assert find_search(run) is None
    blinded = write_search(tmp_path / "blinded", cwola_records.blinded(), run_json_sha256="")
    assert find_search(blinded) is None
    alone = write_run(tmp_path / "alone", make_record(), ())
    assert find_search(alone) is None


def test_a_search_of_an_earlier_run_of_the_name_is_refused(tmp_path: Path) -> None:
    run = write_search(tmp_path / "search", cwola_records.record(), run_json_sha256="f" * 64)
    with pytest.raises(UnreadableResult) as caught:
        write_report(run)
    folder = tmp_path / "search"
    assert str(caught.value) == (
        f"{folder}/search.json was made from another run.json; move {folder} away, and search again"
    )


def test_the_search_is_found_from_within_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = write_search(tmp_path / "search", cwola_records.record())
    monkeypatch.chdir(run)
    found = find_search(Path())
    assert found is not None
    assert isinstance(found.record.inputs, CwolaInputs)
    assert found.folder == tmp_path / "search"
