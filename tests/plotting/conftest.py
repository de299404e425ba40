"""A run folder as `analysis.run` leaves it, filled from numpy events whose numbers the tests know."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from plotting.results.evaluation import Evaluation, read_evaluation
from plotting.results.run import Results, read_results
from rdf.code.interpreter import ROOT
from tests.plotting.evaluations import DETECTORS, training_record, write_anomalies, write_evaluation, write_latent
from tests.records import run_table, sample_table

# name: (title, unit, bins, low, high); the ranges cut off the far tail on purpose.
QUANTITIES = {
    "MR": ("M_{R}", "GeV", 40, 0.0, 2000.0),
    "Rsq": ("R^{2}", "", 40, 0.0, 1.0),
    "MET": ("p_{T}^{miss}", "GeV", 50, 0.0, 500.0),
    "centrality": ("centrality", "", 20, 0.0, 1.0),
    "mll": ("m_{ll}", "GeV", 60, 0.0, 300.0),
}
FEATURES = ("MR", "Rsq", "MET")
OBSERVABLES = ("centrality", "mll")
DETECTOR = "isolation_forest"
THRESHOLD = 0.55
TITLE = "Synthetic multijet events"
DOI = "10.7483/OPENDATA.TEST.0001"


@dataclass(frozen=True)
class Events:
    """Columns of the events, and the scores that a detector gave them."""

    columns: dict[str, NDArray[np.float64]]
    score: NDArray[np.float64]

    @property
    def flagged(self) -> NDArray[np.bool_]:
        return self.score > THRESHOLD

    @property
    def features(self) -> NDArray[np.float64]:
        return np.column_stack([self.columns[name] for name in FEATURES])

    def parts(self) -> dict[str, NDArray[np.bool_]]:
        return {"all": np.ones(len(self.score), dtype=bool), "normal": ~self.flagged, "anomalous": self.flagged}


def make_events(number: int, seed: int = 7) -> Events:
    """Falling spectra, with a score that grows towards their tails."""
    random = np.random.default_rng(seed)
    columns = {
        "MR": 100 + random.exponential(220, number),
        "Rsq": random.exponential(0.06, number),
        "MET": random.exponential(35, number),
        "centrality": random.uniform(0.2, 1, number),
    }
    resonance = np.random.default_rng(seed + 1)
    columns["mll"] = np.where(
        resonance.random(number) < 0.6, resonance.normal(91.2, 3, number), 10 + resonance.exponential(70, number)
    )
    tail = columns["MR"] / 700 + columns["Rsq"] / 0.2 + columns["MET"] / 120
    return Events(columns, 0.35 + 0.3 * np.tanh(0.35 * tail) + random.normal(0, 0.02, number))


def axis_title(name: str) -> str:
    title, unit, *_ = QUANTITIES[name]
    return f"{title} [{unit}]" if unit else title


def vary(events: Events, scale: float) -> Events:
    """The same events with MR, and with it the score, changed by a factor."""
    return Events(events.columns | {"MR": events.columns["MR"] * scale}, events.score + 0.3 * (scale - 1))


def write_run(
    folder: Path,
    events: Events,
    *,
    simulated: bool = False,
    scales: Mapping[str, float] | None = None,
    signal: NDArray[np.bool_] | None = None,
) -> Path:
    """Write run.json and histograms.root as a run does, also of one that varied scales and of one with labels."""
    folder.mkdir(parents=True)
    file = ROOT.TFile.Open(str(folder / "histograms.root"), "RECREATE")

    def write(directory: str, histogram: ROOT.TH1) -> None:
        file.mkdir(directory, "", True).cd()
        histogram.Write()
        histogram.SetDirectory(ROOT.nullptr)

    def fill(histogram: ROOT.TH1, *values: NDArray[np.float64]) -> ROOT.TH1:
        for event in zip(*(column.tolist() for column in values), strict=True):
            histogram.Fill(*event)
        return histogram

    def write_spectra(place: str, events: Events) -> None:
        for part, mask in events.parts().items():
            below = "" if part == "all" else f"/{part}"
            for name, (_, _, *binning) in QUANTITIES.items():
                histogram = ROOT.TH1D(name, f"{name};{axis_title(name)};Events", *binning)
                write(f"{place}features{below}", fill(histogram, events.columns[name][mask]))

    def write_scores(place: str, events: Events, mask: NDArray[np.bool_] | slice) -> None:
        rank = np.argsort(np.argsort(events.score)) / max(len(events.score), 1)
        for name, score in ((DETECTOR, events.score), ("ensemble", rank)):
            write(place, fill(ROOT.TH1D(f"score_{name}", ";score;Events", 50, 0, 1), score[mask]))

    number = len(events.score)
    cutflow = ROOT.TH1D("cutflow", ";step;Events", 2, 0, 2)
    for step, (label, passed) in enumerate((("all", number + 3), ("finite", number)), start=1):
        cutflow.GetXaxis().SetBinLabel(step, label)
        cutflow.SetBinContent(step, passed)
    write("cutflow", cutflow)

    labels = ("1", *FEATURES)
    for part, mask in events.parts().items():
        below = "" if part == "all" else f"/{part}"
        plane = ROOT.TH2D("MR_Rsq", f"plane;{axis_title('MR')};{axis_title('Rsq')}", 20, 0, 2000, 25, 0, 0.5)
        write(f"planes{below}", fill(plane, events.columns["MR"][mask], events.columns["Rsq"][mask]))
        vectors = np.column_stack([np.ones(mask.sum()), events.features[mask]])
        moments = ROOT.TH2D(part, "moments", len(labels), 0, len(labels), len(labels), 0, len(labels))
        for (row, column), total in np.ndenumerate(vectors.T @ vectors):
            moments.SetBinContent(row + 1, column + 1, total)
        for position, label in enumerate(labels, start=1):
            moments.GetXaxis().SetBinLabel(position, label)
            moments.GetYaxis().SetBinLabel(position, label)
        write("moments", moments)

    rank = np.argsort(np.argsort(events.score)) / max(number, 1)
    for name, score in ((DETECTOR, events.score), ("ensemble", rank)):
        mean = ROOT.TProfile2D(
            f"score_{name}_MR_Rsq", f";{axis_title('MR')};{axis_title('Rsq')};mean score", 20, 0, 2000, 25, 0, 0.5
        )
        write("planes", fill(mean, events.columns["MR"], events.columns["Rsq"], score))
    write_spectra("", events)
    write_scores("scores", events, slice(None))
    if signal is not None:
        write_scores("scores/signal", events, signal)
        write_scores("scores/background", events, ~signal)

    def counted(events: Events) -> dict[str, Any]:
        flagged = int(events.flagged.sum())
        return {"selected": number, "anomalous": flagged, "flagged": {DETECTOR: flagged}}

    variations: dict[str, Any] = {}
    for name, size in (scales or {}).items():
        variations[name] = {"size": size, "nominal": counted(events)}
        for direction, scale in (("up", 1 + size), ("down", 1 - size)):
            varied = vary(events, scale)
            write_spectra(f"variations/{name}_{direction}/", varied)
            write_scores(f"variations/{name}_{direction}/scores", varied, slice(None))
            variations[name][direction] = counted(varied)
    file.Close()

    def describe(names: tuple[str, ...]) -> list[dict[str, str]]:
        return [{"name": name, "title": QUANTITIES[name][0], "unit": QUANTITIES[name][1]} for name in names]

    changes = {
        "sample": sample_table(title=TITLE, doi=DOI, energy="7 TeV", luminosity=0.032, simulated=simulated),
        "features": describe(FEATURES),
        "observables": describe(OBSERVABLES),
        "counts": {
            "expected": number + 3,
            "processed": number + 3,
            "selected": number,
            "normal": int(number - events.flagged.sum()),
            "anomalous": int(events.flagged.sum()),
        },
        "ensemble": [DETECTOR],
        "min_votes": 1,
        "detectors": {
            DETECTOR: {"threshold": THRESHOLD, "flagged": int(events.flagged.sum()), "parity": 0.0, "notes": []}
        },
        "variations": variations,
        "means": {name: {"normal": None, "anomalous": None, "ratio": None} for name in FEATURES},
    }
    (folder / "run.json").write_text(json.dumps(run_table(**changes)))
    return folder


@pytest.fixture(scope="session")
def events() -> Events:
    return make_events(4000)


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory, events: Events) -> Path:
    return write_run(tmp_path_factory.mktemp("plotting") / "run", events)


@pytest.fixture(scope="session")
def results(run_folder: Path) -> Results:
    return read_results(run_folder)


@pytest.fixture(scope="session")
def simulated_results(tmp_path_factory: pytest.TempPathFactory, events: Events) -> Results:
    return read_results(write_run(tmp_path_factory.mktemp("plotting") / "run", events, simulated=True))


SCALES = {"jes": 0.03, "met": 0.1}


@pytest.fixture(scope="session")
def signal(events: Events) -> NDArray[np.bool_]:
    """Which of the events are signal."""
    return events.score > np.random.default_rng(4).normal(0.7, 0.1, len(events.score))


@pytest.fixture(scope="session")
def varied_results(tmp_path_factory: pytest.TempPathFactory, events: Events, signal: NDArray[np.bool_]) -> Results:
    """A run with systematic variations over events with labels."""
    folder = tmp_path_factory.mktemp("plotting") / "run"
    return read_results(write_run(folder, events, scales=SCALES, signal=signal))


@pytest.fixture(scope="session")
def quiet_results(tmp_path_factory: pytest.TempPathFactory, events: Events) -> Results:
    """A run that flagged nothing."""
    calm = Events(events.columns, np.minimum(events.score, THRESHOLD - 0.01))
    return read_results(write_run(tmp_path_factory.mktemp("plotting") / "run", calm))


@pytest.fixture(scope="session")
def empty_results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """A run whose selection left no event."""
    return read_results(write_run(tmp_path_factory.mktemp("plotting") / "run", make_events(0)))


@pytest.fixture(scope="session")
def trained_folder(tmp_path_factory: pytest.TempPathFactory, run_folder: Path) -> Path:
    """A run that trained four detectors, with all that it then leaves."""
    folder = Path(shutil.copytree(run_folder, tmp_path_factory.mktemp("plotting") / "run"))
    detectors = DETECTORS[:4]
    file = ROOT.TFile.Open(str(folder / "histograms.root"), "UPDATE")
    for name in detectors[1:]:
        file.GetDirectory("scores").WriteObject(file.Get(f"scores/score_{DETECTOR}"), f"score_{name}")
    file.Close()
    record = json.loads((folder / "run.json").read_text())
    record["detectors"] = dict.fromkeys(detectors, record["detectors"][DETECTOR])
    (folder / "run.json").write_text(json.dumps(record | training_record(detectors)))
    write_anomalies(folder / "anomalies.csv", detectors, FEATURES)
    write_latent(folder / "latent.csv", labels=False)
    return folder


@pytest.fixture(scope="session")
def trained_results(trained_folder: Path) -> Results:
    return read_results(trained_folder)


@pytest.fixture(scope="session")
def evaluation_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plotting") / "evaluation"
    write_evaluation(folder)
    return folder


@pytest.fixture(scope="session")
def evaluation(evaluation_folder: Path) -> Evaluation:
    return read_evaluation(evaluation_folder)


@pytest.fixture(scope="session")
def small_evaluation(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    """One supervised detector and many features, of simulated events."""
    folder = tmp_path_factory.mktemp("plotting") / "evaluation"
    write_evaluation(folder, ("mlp",), 28, simulated=True)
    return read_evaluation(folder)
