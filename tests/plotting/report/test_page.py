"""The report: its numbers are those of the files, and files that are damaged or missing are named."""

from __future__ import annotations

import csv
import errno
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plotting.errors import MissingResult, PageFolderError, UnreadableResult
from plotting.report.page import write_report
from plotting.results.record_tables import MEANING
from tests.plotting.report.parsed import Page
from tests.plotting.report.written import DETECTORS, FEATURES, make_record, write_run, write_top_events


def test_tables_have_the_numbers_of_run_json(page: Page) -> None:
    assert page.tables["Events after each step"][1:] == [
        ["all", "25,000", "", "100.00 %"],
        ["finite", "20,000", "80.00 %", "80.00 %"],
    ]
    assert page.tables["What each detector flags of 20,000 selected events"][1:] == [
        ["Isolation forest", "0.5582", "1,087", "5.43 %"],  # 5.435 % in binary lies below
        ["Autoencoder", "0.001451", "1,090", "5.45 %"],
        ["One-class SVM", "−4.778 × 10−6", "1,085", "5.42 %"],
        ["Ensemble", "2 of 3 votes", "1,014", "5.07 %"],
    ]
    assert page.tables["Events flagged by both of two detectors"][1:] == [
        ["Isolation forest", "1,087", "503", "647"],
        ["Autoencoder", "503", "1,090", "649"],
        ["One-class SVM", "647", "649", "1,085"],
    ]
    assert page.tables["Events by their votes"][1:] == [
        ["0", "17,388", "86.94 %"],
        ["1", "1,598", "7.99 %"],
        ["2", "864", "4.32 %"],
        ["3", "150", "0.75 %"],
    ]
    assert page.tables["Means of the features"][1:] == [
        ["MR [GeV]", "MR", "338.9", "618.8", "1.826"],
        ["R2", "Rsq", "0.02251", "0.03842", "1.707"],
        ["Δφjj [rad]", "dphi", "−0.01000", "0.04000", "–"],
    ]
    assert page.tables["Events with a scale up, nominal and down"][-1] == [
        *("flagged by votes", "1,077 +6.2 %", "1,014", "1,000 −1.4 %"),
    ]
    assert page.tables["Stages"][1:] == [
        ["training", "30", "75.00 %"],
        ["scoring loop", "10", "25.00 %"],
        ["total", "40", ""],
    ]
    inside = page.tables["Inside the event loop, summed over threads"]
    assert inside[1] == ["read", "0.2500", "25.00 %", "10"]  # 0.25 s over 25,000 events are 10 µs
    assert ["autoencoder.latent", "7"] in page.tables["Configuration"]
    assert ["vary.jes", "0.03"] in page.tables["Configuration"]
    assert page.tables["Versions"][1:] == [["numpy", "9.8.7"]]


def test_the_summary_and_the_provenance_have_the_numbers_of_run_json(page: Page) -> None:
    summary = page.parts["summary"]
    for said in (
        "Events read 25,000 20,000 selected (80.00 %)",
        "Flagged 1,014 5.07 %, by 2 or more of 3 detectors",
        "24,707 2 threads",
        "the isolation forest flags 1,087",
        "run 149181, luminosity block 900, event 98",
        "MR 1.826, R2 1.707.",
        "1,077 events are flagged up and 1,000 down, in place of 1,014",
    ):
        assert said in summary
    provenance = page.parts["provenance"]
    for said in ("python -m analysis.run --sample synthetic", "0123456789abcdef, with changes", "Abacus, Wood-1"):
        assert said in provenance
    assert "c980" * 16 in provenance
    assert "ce91" * 16 in provenance
    assert "2,725,994" in provenance
    assert "the seed was 4242" in page.parts["training"]
    for said in ("10.7483/OPENDATA.TEST.0001", "CC0-1.0", "7 TeV", "32 pb−1"):
        assert said in page.text


def test_the_events_are_those_of_anomalies_csv(run: Path, page: Page) -> None:
    with (run / "anomalies.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))[:10]
    expected = [
        [
            row["place"],
            row["run"],
            row["luminosityBlock"],
            row["event"],
            "3",
            f"{float(row['score_ensemble']):.4f}",
            row["why"],
        ]
        for row in rows
    ]
    assert page.tables["The 10 most anomalous events"][1:] == expected
    for row in rows:
        text = page.parts[f"event-{row['place']}"]
        for name in (*FEATURES, *(f"score_{detector}" for detector in DETECTORS)):
            shown = re.findall(r"[\d,]+\.\d+|\d[\d,]*", text)
            assert any(abs(float(number.replace(",", "")) / float(row[name]) - 1) < 5e-4 for number in shown), name
        assert text.count("MR 75 %, R2 25 %") == len(DETECTORS)
    assert "event-11" not in page.parts
    assert page.captions["figure-display_1"] == "Event 1, transverse view. mean rank 0.9990."


def test_an_evaluation_has_the_numbers_of_metrics_json(evaluation: Path) -> None:
    page = Page(evaluation / "report.html")
    metrics = json.loads((evaluation / "metrics.json").read_text())
    merits = page.tables["Figures of merit, with bootstrap uncertainties"][1:]
    taken = page.tables["Events by what they are and what they are taken for"][1:]
    for name, row, confusion in zip(metrics, merits, taken, strict=True):
        keys = ("auc", "max_sic", "accuracy", "precision", "recall", "f1")
        for key, cell in zip(keys, row[1:], strict=True):
            value, error = (float(number) for number in cell.split("±"))
            assert value == pytest.approx(metrics[name][key]["value"], abs=error)
            assert error == pytest.approx(metrics[name][key]["error"], rel=0.06)
        kinds = ("true_positive", "false_negative", "false_positive", "true_negative")
        assert confusion[2:] == [f"{metrics[name]['confusion'][kind]:,}" for kind in kinds]
    found = metrics["mlp"]["confusion"]
    assert f"{found['true_positive']} of 400 signal events" in page.captions["figure-score_mlp"]
    assert f"above the threshold 1.500; AUC {merits[5][1]}" in page.captions["figure-score_mlp"]
    drops = {name: drop["value"] for name, drop in metrics["mlp"]["importance"].items()}
    assert max(drops, key=drops.__getitem__) == "x0"
    assert "most for pTmiss / HT1/2 " in page.captions["figure-importance_mlp"]  # the title of x0
    assert "SIMULATED" in page.text


def test_simulated_events_are_said_to_be_so(tmp_path: Path) -> None:
    record = make_record()
    published = {"title": "Real events", "doi": "10.1/REAL", "record": 1, "licence": "CC0-1.0"}
    record["sample"] |= dict.fromkeys(published)
    record["sample"] |= {
        "title": "stand-in for Real events",
        "simulated": True,
        "simulation": "razor_multijet",
        "stands_in_for": published,
    }
    text = Page(write_report(write_run(tmp_path / "run", record, ())).path).text
    assert text.startswith("SIMULATED: stand-in for Real events")
    assert "SIMULATED These events are of the embedded generator razor_multijet" in text
    assert "Real events (DOI 10.1/REAL), which was not at hand" in text
    assert "SIMULATED" not in Page(write_report(write_run(tmp_path / "real", make_record(), ())).path).text
    record = make_record()
    record["training"]["samples"][0]["simulated"] = True
    assert "Trained on SIMULATED events" in Page(write_report(write_run(tmp_path / "trained", record, ())).path).text


def test_merged_runs_of_dask_and_of_one_detector_without_events(tmp_path: Path) -> None:
    record = make_record()
    name = DETECTORS[0]
    record |= {
        "merged": {"parts": 12},
        "engine": {"name": "dask", "cluster": "slurm", "workers": 7},
        "counts": dict.fromkeys(("expected", "processed", "selected", "normal", "anomalous"), 0),
        "cutflow": [{"name": "all", "events": 0}, {"name": "finite", "events": 0}],
        "detectors": {name: {**record["detectors"][name], "flagged": 0}},
        "ensemble": [name],
        "min_votes": 1,
        "agreement": {"flagged": {name: {name: 0}}, "votes": [0, 0]},
        "means": {feature: dict.fromkeys(("normal", "anomalous", "ratio")) for feature in FEATURES},
        "variations": {},
        "events_per_second": None,
        "loop_seconds": {},
    }
    folder = write_run(tmp_path / "run", record, ("cutflow", "feature_MR", "means", f"score_{name}"))
    (folder / "anomalies.csv").write_text("place,sample,run,luminosityBlock,event,why\n")
    page = Page(write_report(folder).path)
    assert "None of the events passed the selection" in page.text
    assert "summed over the parts" in page.text
    assert "Times are sums over 12 parts" in page.text
    assert "events" not in page.parts
    assert page.tables["Events after each step"][2] == ["finite", "0", "–", "–"]
    assert "No event was selected." in page.captions["figure-feature_MR"]
    record["events_per_second"] = 5
    (folder / "run.json").write_text(json.dumps(record))
    assert "5 events per second on 7 Dask workers (slurm)" in Page(write_report(folder).path).text


def test_the_objects_of_an_event_are_shown(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", make_record(), ())
    rows = write_top_events(folder, 2)
    ids = {name: int(rows[1][name]) for name in ("run", "luminosityBlock", "event")}
    jets = [{"pt": 120.54, "eta": 0.31, "phi": -1.25, "mass": 9.0}]
    leptons = [{"pt": 40.25, "eta": 2.1, "phi": 0.5, "mass": 0.1, "charge": -1, "flavour": 13}]
    event = {"place": 2, **ids, "score_ensemble": 0.9, "jets": jets, "leptons": leptons, "met": {"pt": 88.125}}
    (folder / "objects.json").write_text(json.dumps({"events": [event]}))
    page = Page(write_report(folder).path)
    assert "Jet 1 120.5 0.3100 −1.250" in page.parts["event-2"]
    assert "Muon 40.25 2.100 0.5000" in page.parts["event-2"]
    assert "pTmiss 88.12" in page.parts["event-2"]
    assert "Jet" not in page.parts["event-1"]


@pytest.mark.parametrize(
    ("objects", "shown"),
    [
        (
            {"megajets": [{"px": -30.0, "py": 40.5, "pz": None, "energy": 130.0}], "met": {"pt": 12.25}},
            ("Megajet 1 −30 40.50 – 130", "pTmiss 12.25"),
        ),
        ({"leptons": [{"pt": None, "eta": 0.5, "phi": 1.5}]}, ("Lepton 1 – 0.5000 1.500",)),
        ({"leptons": [], "met": {"pt": 3.5, "phi": None}}, ("pTmiss 3.500 –",)),
        ({"jets": [{"pt": 10.5, "eta": -0.5, "phi": 1.25}], "leptons": []}, ("Jet 1 10.50 −0.5000 1.250",)),
    ],
)
def test_objects_of_every_sample(tmp_path: Path, objects: dict[str, Any], shown: tuple[str, ...]) -> None:
    """A sample without jets, one without leptons, one with megajets only; and numbers that were not finite."""
    folder = write_run(tmp_path / "run", make_record(), ())
    (_, row) = write_top_events(folder, 2)
    ids = {name: int(row[name]) for name in ("run", "luminosityBlock", "event")}
    event = {"place": 2, **ids, "score_ensemble": 0.9, **objects}
    (folder / "objects.json").write_text(json.dumps({"events": [event]}))
    said = Page(write_report(folder).path).parts["event-2"]
    for words in shown:
        assert words in said


def test_warnings_of_the_run_stand_before_its_results(tmp_path: Path) -> None:
    said = ["feature set razor is used without Rsq: <b>the sample</b> does not have what it is made of"]
    page = Page(
        write_report(
            write_run(tmp_path / "run", make_record() | {"warnings": [{"kind": "schema", "sentence": said[0]}]}, ())
        ).path
    )
    summary = page.parts["summary"]
    assert f"Warning: {said[0]}" in summary
    assert summary.index("Warning:") < summary.index("Events read")
    assert f"What a flag means. {MEANING}" in summary
    assert summary.index("What a flag means.") < summary.index("Events read")
    assert (
        "Warning"
        not in Page(write_report(write_run(tmp_path / "none", make_record() | {"warnings": []}, ())).path).text
    )


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (
            lambda record: record.pop("format"),
            "has no number of a format: an earlier version .* wrote it; repeat the run",
        ),
        (
            lambda record: record.update(format=3),
            "is of format 3, .* reads format 2; a newer version .* is needed",
        ),
        (lambda record: record.pop("counts"), "has no 'counts', so no run of this version left it; repeat the run"),
    ],
)
def test_a_run_json_of_another_version_is_refused_by_name(
    change: Callable[[dict[str, Any]], Any], fault: str, tmp_path: Path
) -> None:
    record = make_record()
    change(record)
    folder = write_run(tmp_path / "run", record, ())
    with pytest.raises(UnreadableResult, match=rf"run\.json: {fault}"):
        write_report(folder)
    assert not (folder / "report.html").exists()


@pytest.mark.parametrize("name", ["run.json", "anomalies.csv", "figures/votes.png", "objects.json"])
def test_a_damaged_file_is_named(tmp_path: Path, run: Path, name: str) -> None:
    folder = write_run(tmp_path / "run", make_record(), ("votes",))
    write_top_events(folder)
    (folder / "objects.json").write_text('{"events": []}')
    path = folder / name
    path.write_bytes(path.read_bytes()[: 60 if path.suffix == ".png" else -5].replace(b"98,", b"x,"))
    if name == "anomalies.csv":
        path.write_text(path.read_text().replace("149181", "149181\n"))
    with pytest.raises(UnreadableResult, match=re.escape(str(path))):
        write_report(folder)
    assert not (folder / "report.html").exists()


def test_a_missing_folder_or_record_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingResult, match="no such folder"):
        write_report(tmp_path / "none")
    with pytest.raises(MissingResult, match=r"run\.json: not there; repeat the run"):
        write_report(tmp_path)


def test_a_full_disk_leaves_the_former_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_run(tmp_path / "run", make_record(), ())
    (folder / "report.html").write_text("the former one")

    def full(path: Path, text: str, encoding: str) -> int:
        path.write_bytes(text.encode()[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(PageFolderError, match=r"report\.html: cannot be written \(No space left.*free space"):
        write_report(folder)
    assert (folder / "report.html").read_text() == "the former one"
    assert sorted(path.name for path in folder.iterdir()) == ["figures", "report.html", "run.json"]


def test_neither_matplotlib_nor_root_is_needed() -> None:
    program = "import sys, plotting.report.page; sys.exit(bool({'matplotlib', 'ROOT', 'uproot'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
