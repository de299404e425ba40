"""The report: its numbers are those of the files, it needs nothing else, and it can be read everywhere."""

from __future__ import annotations

import base64
import csv
import errno
import io
import itertools
import json
import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from plotting.errors import MissingResult, PageFolderError, UnreadableResult
from plotting.figures.votes import VotesFigure
from plotting.report.page import write_report
from plotting.style.markup import number_markup, title_markup
from tests.plotting.chromium import Chromium, chromium
from tests.plotting.evaluations import sample, write_evaluation
from tests.records import run_table, sample_table

__all__ = ["chromium"]

DETECTORS = ("isolation_forest", "autoencoder", "one_class_svm")
FEATURES = ("MR", "Rsq", "dphi")
FIGURES = (
    *(
        "cutflow",
        "flagged",
        "reconstruction_autoencoder",
        "mll_flagged",
        "score_ensemble",
        "score_isolation_forest",
        "score_autoencoder",
        "agreement",
        "votes",
    ),
    *("feature_MR", "feature_dphi", "feature_centrality", "means", "correlation", "plane_MR_Rsq"),
    *("plane_MR_Rsq_score_autoencoder", "contributions_autoencoder", "loss_autoencoder", "latent_ranks"),
    *("display_1", "something_new"),
)
VOID = {"meta", "link", "img", "br"}


def whole_errors(events: int, mean: list[float]) -> dict[str, Any]:
    return {"events": events, "mean": mean, **dict.fromkeys(("low", "median", "high"), mean)}


def make_record() -> dict[str, Any]:
    flagged = [[1087, 503, 647], [503, 1090, 649], [647, 649, 1085]]
    counted = {
        "selected": 20_000,
        "anomalous": 1014,
        "flagged": {"isolation_forest": 1087, "autoencoder": 1090, "one_class_svm": 1085},
    }
    return run_table() | {
        "command": "python -m analysis.run --sample synthetic",
        "configuration": {"seed": 4242, "autoencoder": {"latent": 7}, "vary": {"jes": 0.03}},
        "started": "2026-03-04T05:06:07+00:00",
        "versions": {"numpy": "9.8.7"},
        "commit": {"hash": "0123456789abcdef", "clean": False},
        "machine": {"processor": "Abacus", "system": "Wood-1"},
        "sample": {
            **sample_table(**sample()),
            "licence": "CC0-1.0",
            "record": 554,
            "files": [{"path": "/data/synthetic.root", "size": 2_725_994, "sha256": "c980" * 16}],
        },
        "training": {
            "samples": [
                {
                    "sample": "synthetic",
                    "title": "Synthetic",
                    "simulated": False,
                    "tree": "Events",
                    "files": [],
                    "sha256": [],
                    "entries": [0, 25_000],
                    "events": 20_000,
                }
            ],
            "part": None,
            "train_events": None,
            "events": 20_000,
            "train_on": "all",
            "folds": 1,
        },
        "threads": 2,
        "engine": {"name": "local"},
        "entries": [0, 25_000],
        "plan": None,
        "models_sha256": "ce91" * 16,
        "merged": None,
        "features": [
            {"name": "MR", "title": "M_{R}", "unit": "GeV"},
            {"name": "Rsq", "title": "R^{2}", "unit": ""},
            {"name": "dphi", "title": "#Delta#phi_{jj}", "unit": "rad"},
        ],
        "observables": [{"name": "centrality", "title": "centrality", "unit": ""}],
        "cutflow": [{"name": "all", "events": 25_000}, {"name": "finite", "events": 20_000}],
        "non_finite": {"MR": 0, "Rsq": 5000, "dphi": 0},
        "counts": {"expected": 25_000, "processed": 25_000, "selected": 20_000, "normal": 18_986, "anomalous": 1014},
        "ensemble": list(DETECTORS),
        "min_votes": 2,
        "detectors": {
            "isolation_forest": {"threshold": 0.55822, "flagged": 1087, "parity": 0.0, "notes": []},
            "autoencoder": {"threshold": 0.0014511, "flagged": 1090, "parity": 0.0, "notes": ["few layers"]},
            "one_class_svm": {"threshold": -4.7784e-06, "flagged": 1085, "parity": 0.0, "notes": []},
        },
        "history": {"autoencoder": [{"training": [0.5, 0.3, 0.2], "validation": [0.6, 0.25, 0.31]}]},
        "reconstruction": {
            "autoencoder": [
                {
                    "normal": whole_errors(18_910, [0.001, 0.002, 0.0015]),
                    "flagged": whole_errors(1090, [0.5, 0.1, 0.2]),
                }
            ]
        },
        "agreement": {
            "flagged": {
                one: dict(zip(DETECTORS, row, strict=True)) for one, row in zip(DETECTORS, flagged, strict=True)
            },
            "votes": [17_388, 1598, 864, 150],
        },
        "variations": {
            "jes": {
                "size": 0.03,
                "up": {**counted, "anomalous": 1077},
                "nominal": counted,
                "down": {**counted, "anomalous": 1000},
            }
        },
        "means": {
            "MR": {"normal": 338.918, "anomalous": 618.811, "ratio": 1.82584},
            "Rsq": {"normal": 0.0225109, "anomalous": 0.0384175, "ratio": 1.70662},
            "dphi": {"normal": -0.01, "anomalous": 0.04, "ratio": None},
        },
        "events_per_second": 24_707,
        "loop_seconds": {"read": 0.25, "autoencoder": 0.75},
        "compiled_by": "g++ 12",
        "latent": {"features": [0.385, 0.313]},
        "timings": {"training": 30.0, "scoring_loop": 10.0, "total": 40.0},
    }


def write_top_events(folder: Path, events: int = 12) -> list[dict[str, str]]:
    random = np.random.default_rng(3)
    rows = [
        {
            "place": str(place + 1),
            "sample": "synthetic",
            "run": "149181",
            "luminosityBlock": str(900 + place),
            "event": str(98 + place),
            **{name: f"{random.exponential(100):.6g}" for name in (*FEATURES, "centrality")},
            **{f"score_{name}": f"{random.random():.6g}" for name in DETECTORS},
            **{f"flag_{name}": "1" for name in DETECTORS},
            "votes": "3",
            "score_ensemble": f"{0.999 - place / 1000:.6g}",
            "why": f"MR {60 - place}%, Rsq 20%",
            **{f"why_{detector}_{name}": share for detector in DETECTORS for name, share in SHARES.items()},
        }
        for place in range(events)
    ]
    with (folder / "anomalies.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return rows


SHARES = {"MR": "3.0", "Rsq": "1.0", "dphi": "-5.0"}  # 75 % and 25 % of the positive ones


def write_figures(folder: Path, names: tuple[str, ...]) -> None:
    (folder / "figures").mkdir()
    random = np.random.default_rng(5)
    for name in names:
        width = 2100 if name == "latent_ranks" else 700
        pixels = random.integers(0, 256, (30, width // 10, 3), dtype=np.uint8).repeat(10, axis=0).repeat(10, axis=1)
        Image.fromarray(pixels).save(folder / "figures" / f"{name}.png")


def write_run(folder: Path, record: dict[str, Any], figures: tuple[str, ...] = FIGURES) -> Path:
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps(record))
    write_figures(folder, figures)
    return folder


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


class Page(HTMLParser):
    """What stands in a page, by what it stands in.

    Attributes:
        tables: rows of cells, by caption.
        captions: of figures, by the figure's id.
        parts: texts of elements with an id.
        addresses: of all that is loaded or linked: (tag, attribute, value).
        tags: each with its attributes.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.captions: dict[str, str] = {}
        self.parts: dict[str, str] = {}
        self.addresses: list[tuple[str, str, str]] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self._open: list[tuple[str, dict[str, str], list[str]]] = []
        self._rows: list[list[str]] = []
        self._caption = ""
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        assert not self._open, self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.tags.append((tag, attributes))
        loading = ("src", "href", "srcset", "data", "action", "poster", "background", "xlink:href")
        self.addresses += [(tag, name, attributes[name]) for name in loading if name in attributes]
        if tag not in VOID:
            self._open.append((tag, attributes, []))
        if tag == "table":
            self._rows, self._caption = [], ""
        if tag == "tr":
            self._rows.append([])

    def handle_endtag(self, tag: str) -> None:
        opened, attributes, texts = self._open.pop()
        assert opened == tag, f"{opened} ends with {tag}"
        text = "".join(texts)
        words = " ".join(text.split())
        if tag in ("td", "th"):
            self._rows[-1].append(words)
        elif tag == "caption":
            self._caption = words
        elif tag == "table":
            self.tables[self._caption] = self._rows
        elif tag == "figcaption":
            self.captions[self._open[-1][1]["id"]] = words
        if "id" in attributes:
            self.parts[attributes["id"]] = words
        if self._open:
            self._open[-1][2].append(text if tag in ("sub", "sup", "a", "code", "i") else f" {text} ")
        else:
            self.text = words

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1][0] not in ("style", "script"):
            self._open[-1][2].append(data)


@pytest.fixture(scope="module")
def page(run: Path) -> Page:
    return Page(run / "report.html")


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


CAPTIONS = {
    "cutflow": "All 25,000, finite 20,000; 20,000 of 25,000 events (80.00 %) pass the whole selection.",
    "score_ensemble": "1,014 of 20,000 events (5.07 %) are flagged by 2 or more of 3 detectors.",
    "score_isolation_forest": "1,087 of 20,000 events (5.43 %) lie above the threshold 0.5582.",
    "flagged": "The isolation forest flags 1,087 (5.43 %), the autoencoder flags 1,090 (5.45 %), the one-class SVM "
    "flags 1,085 (5.42 %). 1,014 of 20,000 events (5.07 %) are flagged by 2 or more of 3 detectors.",
    "reconstruction_autoencoder": "Of 18,910 events not flagged, the mean is largest for R2, 0.002000; of 1,090 events "
    "flagged, the mean is largest for MR, 0.5000.",
    "mll_flagged": "20,000 selected events, of which 1,014 (5.07 %) are flagged.",
    "agreement": "The autoencoder and the one-class SVM agree most (649 events flagged by both, 1,526 by one at least: "
    "42.53 %); the isolation forest and the autoencoder agree least (503 events flagged by both, 1,674 by one",
    "votes": "0 votes: 17,388, 1 vote: 1,598, 2 votes: 864, 3 votes: 150.",
    "feature_MR": "Mean 338.9 GeV for 18,986 normal events and 618.8 GeV for 1,014 anomalous events, a ratio of 1.826.",
    "feature_dphi": "Mean −0.01000 rad for 18,986 normal events and 0.04000 rad for 1,014 anomalous events.",
    "feature_centrality": "18,986 normal and 1,014 anomalous events; the detectors do not see this quantity.",
    "means": "the ratios farthest from 1 are MR 1.826, R2 1.707.",
    "correlation": "3 features over 20,000 selected events",
    "plane_MR_Rsq": "MR and R2. 20,000 selected events, of which 1,014 (5.07 %) are flagged.",
    "plane_MR_Rsq_score_autoencoder": "of which 1,090 (5.45 %) are flagged by this detector",
    "contributions_autoencoder": "Over the 10 most anomalous events the largest mean shares are MR 75 %, R2 25 %",
    "loss_autoencoder": "3 epochs; the lowest validation loss, 0.2500, is that of epoch 2.",
    "latent_ranks": "38.5 % and 31.3 % of the variance of the features",
    "something_new": "Something new.",
}


@pytest.mark.parametrize("name", CAPTIONS)
def test_a_caption_states_the_numbers_of_its_figure(page: Page, name: str) -> None:
    assert CAPTIONS[name] in page.captions[f"figure-{name}"]


def test_folds_have_their_thresholds_and_losses(tmp_path: Path) -> None:
    record = make_record()
    record["detectors"]["isolation_forest"]["threshold"] = [0.53, 0.55]
    record["history"]["autoencoder"] *= 2
    folder = write_run(tmp_path / "run", record, ("score_isolation_forest", "loss_autoencoder"))
    captions = Page(write_report(folder).path).captions
    score = captions["figure-score_isolation_forest"]
    assert score.endswith("lie above the thresholds of the 2 folds, 0.5300, 0.5500.")
    assert captions["figure-loss_autoencoder"].count("of epoch 2") == 2


def test_a_caption_that_fails_is_told_and_keeps_no_other_from_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(VotesFigure, "caption", lambda *_: {}["votes"])
    folder = write_run(tmp_path / "run", make_record(), ("votes", "flagged"))
    report = write_report(folder)
    assert report.failed == {"votes": "KeyError: 'votes'"}
    page = Page(report.path)
    assert "Figures whose numbers could not be stated: votes (KeyError: 'votes')." in page.parts["summary"]
    assert page.captions["figure-votes"] == "Votes."
    assert CAPTIONS["flagged"] in page.captions["figure-flagged"]
    assert "no caption of votes" in caplog.text
    monkeypatch.undo()
    assert write_report(folder).failed == {}


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
    page = Page(write_report(write_run(tmp_path / "run", make_record() | {"warnings": said}, ())).path)
    summary = page.parts["summary"]
    assert f"Warning: {said[0]}" in summary
    assert summary.index("Warning:") < summary.index("Events read")
    assert (
        "Warning"
        not in Page(write_report(write_run(tmp_path / "none", make_record() | {"warnings": []}, ())).path).text
    )


def test_what_is_not_recorded_is_left_out(tmp_path: Path) -> None:
    """A run whose detectors have no epochs, which varied nothing, and of which no event, table or figure was left."""
    absent = ("history", "reconstruction", "variations", "latent", "loop_seconds", "left_out_detectors")
    record = make_record() | {key: {} for key in absent} | {"commit": None, "events_per_second": None}
    folder = write_run(tmp_path / "run", record, ("score_isolation_forest", "score_mlp", "loss_mlp", "latent_ranks"))
    page = Page(write_report(folder).path)
    assert CAPTIONS["score_isolation_forest"] in page.captions["figure-score_isolation_forest"]
    assert page.captions["figure-score_mlp"] == "Score mlp."  # of a detector that the run does not have
    assert page.captions["figure-loss_mlp"] == "Loss mlp."
    assert "Loss mlp. Score mlp." in page.parts["more"]
    assert page.captions["figure-latent_ranks"] == "Events in two dimensions, coloured by their mean rank."
    assert "Events with a scale up, nominal and down" not in page.tables
    assert "Inside the event loop, summed over threads" not in page.tables
    assert {"events", "variations"}.isdisjoint(page.parts)
    assert "Commit" not in page.parts["provenance"]
    assert "per second" not in page.text


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (
            lambda record: record.pop("format"),
            "has no number of a format: an earlier version .* wrote it; repeat the run",
        ),
        (
            lambda record: record.update(format=2),
            "is of format 2, .* reads format 1; a newer version .* is needed",
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


def test_the_page_loads_nothing(page: Page, evaluation: Path) -> None:
    for tag, name, address in (*page.addresses, *Page(evaluation / "report.html").addresses):
        if tag == "a":
            assert address.startswith(("#", "https://doi.org/", "https://opendata.cern.ch/record/"))
        else:
            assert address.startswith("data:"), (tag, name)
    assert not {"script", "iframe", "object", "embed"} & {tag for tag, _ in page.tags}
    assert not re.search(r"@import|url\(|@font-face", page.source)


def test_links_within_the_page_lead_somewhere(page: Page) -> None:
    for _, _, address in page.addresses:
        if address.startswith("#"):
            assert address[1:] in page.parts


def test_images_are_the_figures_pixel_by_pixel(run: Path, page: Page) -> None:
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(images) == len(FIGURES)
    ids = [attributes["id"].removeprefix("figure-") for tag, attributes in page.tags if tag == "figure"]
    for name, attributes in zip(ids, images, strict=True):
        packed = base64.b64decode(attributes["src"].partition("base64,")[2])
        with Image.open(io.BytesIO(packed)) as shown, Image.open(run / "figures" / f"{name}.png") as drawn:
            assert np.array_equal(np.asarray(shown), np.asarray(drawn))
            assert (attributes["width"], attributes["height"]) == tuple(map(str, drawn.size))


def test_the_page_is_accessible(page: Page) -> None:
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert all(attributes["alt"] for tag, attributes in page.tags if tag == "img")
    assert all(attributes.get("scope") for tag, attributes in page.tags if tag == "th")
    assert ("html", {"lang": "en"}) in page.tags


def test_text_of_the_results_is_text(tmp_path: Path) -> None:
    record = make_record()
    hostile = '<script>alert(1)</script><img src=x onerror="alert(2)">'
    record["sample"] |= {"title": hostile, "doi": '"><script>x</script>', "energy": hostile}
    record["command"] = hostile
    record["features"][0] |= {"title": hostile, "unit": hostile}
    record["detectors"]["autoencoder"]["notes"] = [hostile]
    folder = write_run(tmp_path / "run", record, FIGURES)
    write_top_events(folder)
    page = Page(write_report(folder).path)
    assert hostile in page.text
    assert "script" not in {tag for tag, _ in page.tags}
    assert all(attributes["src"].startswith("data:") for tag, attributes in page.tags if tag == "img")


@pytest.mark.parametrize(
    ("title", "markup"),
    [
        ("p_{T}^{miss} / H_{T}", "p<sub>T</sub><sup>miss</sup> / H<sub>T</sub>"),
        ("#Delta#phi_{jj}", "Δφ<sub>jj</sub>"),
        ("m_{l#nu} #nonsense", "m<sub>lν</sub> #nonsense"),
        ("a<b & R^2", "a&lt;b &amp; R<sup>2</sup>"),
    ],
)
def test_titles(title: str, markup: str) -> None:
    assert title_markup(title) == markup


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (1003.42395, "1,003"),
        (-78.5804, "−78.58"),
        (0.0077454, "0.007745"),
        (99.996, "100.0"),
        (81407901696.0, "8.141\u00a0×\u00a010<sup>10</sup>"),
        (-4.778437e-06, "−4.778\u00a0×\u00a010<sup>−6</sup>"),
        (None, "–"),
        (float("inf"), "∞"),
    ],
)
def test_numbers(number: float | None, text: str) -> None:
    assert number_markup(number) == text


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


@pytest.mark.browser
@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("kind", ["run", "evaluation"])
def test_the_page_opens_in_a_browser(chromium: Chromium, request: pytest.FixtureRequest, kind: str, width: int) -> None:
    address = (request.getfixturevalue(kind) / "report.html").as_uri()
    with chromium.page(address, width) as page:
        decoded = page.evaluate("Promise.all([...document.images].map(image => image.decode())).then(() => true)")
        assert decoded
        assert page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
        assert page.evaluate("document.images.length") == (len(FIGURES) if kind == "run" else 5)
        assert page.evaluate("innerWidth") == width
        assert page.evaluate("document.scrollingElement.scrollWidth") <= width
        assert page.requests == [address]
        assert page.complaints == []


@pytest.mark.browser
def test_a_browser_says_what_a_page_asks_for(chromium: Chromium, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text('<img src="missing.png"><script>console.error("so"); nothing()</script>')
    with chromium.page((tmp_path / "page.html").as_uri(), 400) as page:
        assert [Path(address).name for address in page.requests] == ["page.html", "missing.png"]
        assert "so" in page.complaints
        assert any("nothing is not defined" in complaint for complaint in page.complaints)
