"""The summary says what run.json and anomalies.csv say, in about ten lines."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis.console.summary import print_summary
from plotting.results.run_record import as_table
from tests.records import TRAINING, run_table, sample_table


def files(*paths: str) -> list[dict[str, Any]]:
    return [{"path": path, "size": None, "sha256": None} for path in paths]


SIMULATED = {"samples": [as_table(replace(TRAINING.samples[0], simulated=True))]}

RUN: dict[str, Any] = run_table() | {
    "sample": sample_table(title="Made-up sample", doi="10.1234/ABC", files=files("/data/a.csv")),
    "threads": 2,
    "engine": {"name": "local"},
    "cutflow": [{"name": "all", "events": 12345}, {"name": "finite", "events": 12000}],
    "counts": {"expected": 12345, "processed": 12345, "selected": 12000, "normal": 11400, "anomalous": 600},
    "detectors": {
        "isolation_forest": {"threshold": 0.51239, "flagged": 600, "parity": 1e-7, "notes": []},
        "autoencoder": {"threshold": 3.25, "flagged": 1200, "parity": 1e-6, "notes": []},
    },
    "agreement": {
        "flagged": {
            "isolation_forest": {"isolation_forest": 600, "autoencoder": 600},
            "autoencoder": {"isolation_forest": 600, "autoencoder": 1200},
        },
        "votes": [10_800, 600, 600],
    },
    "ensemble": ["isolation_forest", "autoencoder"],
    "min_votes": 1,
    "variations": {},
    "means": {
        "MR": {"normal": 100.0, "anomalous": 174.0, "ratio": 1.74},
        "Rsq": {"normal": 0.0, "anomalous": 0.2, "ratio": None},
        "HT": {"normal": 200.0, "anomalous": 342.6, "ratio": 1.713},
    },
    "timings": {"import": 0.5, "jit": 2.25, "compile": 3.5, "training": 1.0, "scoring_loop": 0.0, "total": 12.5},
    "events_per_second": 34567,
    "loop_seconds": {"writing": 0.25, "read": 0.5, "columns": 0.0, "histograms": 0.05, "one_class_svm": 0.2},
}
LOOP = "read 0.5 s (50%), writing 0.25 s (25%), one_class_svm 0.2 s (20%), histograms 0.05 s (5%)"
ANOMALIES = """\
place,sample,run,luminosityBlock,event,score_isolation_forest,score_autoencoder,why
1,made_up,149181,42,970943320,0.712345,19.87654,"MR 61%, HT 20%"
2,made_up,149181,43,1,0.7,18,MR 55%
"""


def summary(folder: Path, capsys: pytest.CaptureFixture[str], **changes: Any) -> str:
    run = copy.deepcopy(RUN)
    for key, change in changes.items():
        run[key] = run.get(key, {}) | change if isinstance(change, dict) else change
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_text(json.dumps(run))
    (folder / "anomalies.csv").write_text(ANOMALIES)
    (folder / "figures").mkdir(exist_ok=True)
    print_summary(folder)
    return capsys.readouterr().out


def test_summary_is_what_the_run_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = summary(tmp_path, capsys)
    lines = [re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in text.splitlines()]
    assert lines == [
        ["sample", "Made-up sample (DOI 10.1234/ABC)"],
        ["events", "12,345 read, 345 dropped (all 12,345, finite 12,000)"],
        ["flagged", "isolation_forest 600 (5.00%), autoencoder 1,200 (10.00%)"],
        ["ensemble", "600 (5.00%) flagged by 1 or more of 2 detectors"],
        ["most unusual", "run 149181 luminosityBlock 42 event 970943320 for its MR 61%, HT 20%"],
        ["means", "anomalous / normal: MR 1.74, HT 1.71"],
        [
            "speed",
            f"34,567 events/s on 2 threads; an event's time: {LOOP}",
        ],
        ["time", "12.5 s: compilation 5.75 s (46%), training 1 s (8%), import 0.5 s (4%)"],
        [
            "histograms",
            f"{tmp_path}/histograms.root (python -m plotting browse {tmp_path} opens a TBrowser)",
        ],
        ["events", f"{tmp_path}/events.root; the most unusual in {tmp_path}/anomalies.csv"],
        ["figures", f"{tmp_path}/figures; on one page: {tmp_path}/report.html"],
        ["models", f"{tmp_path}/models (score more events with --models)"],
    ]
    assert "\x1b" not in text


def rows(text: str, name: str) -> list[str]:
    """Return what stands in the rows of this name."""
    lines = (re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in text.splitlines())
    return [what for row, what in lines if row == name]


def test_each_variation_has_a_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def counts(anomalous: int) -> dict[str, Any]:
        return {"selected": 12000, "anomalous": anomalous, "flagged": {"isolation_forest": 600, "autoencoder": 1200}}

    varied = {
        "jes": {"size": 0.03, "up": counts(1234), "nominal": counts(600), "down": counts(0)},
        "lepton": {"size": 0.005, "up": counts(601), "nominal": counts(600), "down": counts(599)},
    }
    text = summary(tmp_path, capsys, variations=varied)
    assert rows(text, "varied") == [
        "jes by 3.0%: 1,234 flagged up, 600 nominal, 0 down",
        "lepton by 0.5%: 601 flagged up, 600 nominal, 599 down",
    ]
    names = [line.split()[0] for line in text.splitlines()]
    assert names[names.index("means") :][:4] == ["means", "varied", "varied", "speed"]


def test_efficiencies_of_cuts_and_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cutflow = [
        {"name": "all", "events": 12345, "weighted": 200.5, "negative": 40},
        {"name": "hard", "events": 6000, "weighted": 100.25, "negative": 30},
        {"name": "finite", "events": 3000, "weighted": 25.0625, "negative": 15},
    ]
    weights = {"expression": "genWeight", "per_event": None, "factor": 0.5, "luminosity": 36.1, "sum_of_weights": 4e6}
    text = summary(tmp_path, capsys, cutflow=cutflow, weights=weights)
    assert rows(text, "selection") == ["all 12,345, hard 6,000 (48.60%), finite 3,000 (24.30%, 50.00% of hard)"]
    [said] = rows(text, "weights")
    of_what, sums, negative = said.split("; ")
    assert of_what == "genWeight * 0.5, normalised to 36.1/fb"
    assert sums == "sum: all 200.5, hard 100.25 (50.00%), finite 25.0625 (12.50%, 25.00% of hard)"
    assert negative == "15 (0.50%) of 3,000 events have negative weights"


def test_eight_means_are_printed_those_that_differ_most(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # A factor counts as much below 1 as above: 0.82 = 1/1.22 is farther from it than 1.2.
    more = {"pt1": 1.2, "n_jets": 1.0, "MET": 0.1, "pt_ratio": 0.82, "pt2": 0.5, "mll": 12345.6, "ST": 3.0, "MTR": 4.0}
    means = {name: {"normal": 1.0, "anomalous": ratio, "ratio": ratio} for name, ratio in more.items()}
    assert rows(summary(tmp_path, capsys, means=means), "means") == [
        "anomalous / normal: MR 1.74, HT 1.71, MET 0.10, pt_ratio 0.82, pt2 0.50, mll 1.23e+04, ST 3.00, MTR 4.00"
    ]


def test_means_without_a_ratio_are_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # The logarithm of neither can be compared: no ratio, and an anomalous mean of 0.
    means = {
        "delta_mj": {"normal": -1.0, "anomalous": 3.0, "ratio": None},
        "n_jets": {"normal": 2.0, "anomalous": 0.0, "ratio": 0.0},
    }
    assert rows(summary(tmp_path, capsys, means=means), "means") == ["anomalous / normal: MR 1.74, HT 1.71"]


def test_simulated_sample_is_said_to_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = summary(tmp_path, capsys, sample={"simulated": True}, training=SIMULATED)
    first, *_, last = text.splitlines()
    assert re.split(r"\s{2,}", first)[1].strip() == "SIMULATED Made-up sample"
    assert "10.1234" not in text
    assert "(trained on SIMULATED events; score more events with --models)" in last


def test_simulated_file_of_the_users_own_is_said_to_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = summary(tmp_path, capsys, sample={"simulated": True, "doi": None})
    assert re.split(r"\s{2,}", text.splitlines()[0])[1].strip() == "SIMULATED Made-up sample"


def test_real_events_scored_by_models_of_simulated_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, *_, last = summary(tmp_path, capsys, training=SIMULATED).splitlines()
    assert "SIMULATED" not in first
    assert "trained on SIMULATED events" in last


def test_file_without_a_doi_is_named_by_its_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "Made-up sample (/data/a.csv)" in summary(tmp_path, capsys, sample={"doi": None})
    many = files(*(f"/data/{i}.root" for i in range(1005)))
    said = summary(tmp_path, capsys, sample={"doi": None, "files": many})
    assert "Made-up sample (/data/0.root, /data/1.root, /data/2.root and 1,002 more files)" in said


def test_figures_that_nobody_has_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary(tmp_path, capsys)
    (tmp_path / "figures").rmdir()
    print_summary(tmp_path)
    assert f"figures       python -m plotting {tmp_path} draws them\n" in re.sub(" +\n", "\n", capsys.readouterr().out)


def test_event_loops_on_dask_workers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = summary(tmp_path, capsys, engine={"name": "dask", "cluster": "htcondor", "workers": 40})
    assert "34,567 events/s on 40 Dask workers (htcondor); an event's time: " in text


def test_nothing_flagged_one_thread_and_no_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = summary(tmp_path, capsys, counts={"anomalous": 0, "normal": 12000}, threads=1, events_per_second=None)
    assert "no event is flagged" in text
    assert "0 events/s on 1 thread;" in text


def test_paths_are_printed_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "out[bold]" / "[/x] :smile:" / ("long" * 40)
    text = summary(folder, capsys)
    assert f"{folder}/report.html\n" in re.sub(" +\n", "\n", text)
    assert len(text.splitlines()) == 12
