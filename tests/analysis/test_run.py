"""The main job as a user starts it, on the real data: its results against independent calculations."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import onnxruntime
import pytest
import scipy.linalg
import scipy.stats
import uproot
from sklearn.covariance import EllipticEnvelope
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from plotting.results.record_tables import MEANING
from tests.conftest import cache_apart
from tests.models.trained import write_table

pytestmark = pytest.mark.compiler

ROOM = Path(__file__).resolve().parents[2]
FEATURES = ("MR", "Rsq", "HT", "MET", "pt1", "pt2", "MET_over_HT", "pt_ratio")
DETECTORS = ("isolation_forest", "autoencoder", "one_class_svm", "elliptic_envelope")
FINAL_NAMES = {"histograms.root", "events.root", "models", "anomalies.csv", "latent.csv", "figures", "run.json"}
FINAL_NAMES |= {"objects.json", "pick.txt", "report.html", "SHA256SUMS", "SHA256SUMS.drawn"}
FOREST_ONLY = ("--detectors", "isolation_forest")
WITHOUT_FIGURES = """
import sys, pytest
from analysis.console.program import run_program
from analysis.run import main
from tests.conftest import draw_nothing
with pytest.MonkeyPatch.context() as patch:
    draw_nothing(patch)
    code = run_program("analysis.run", main, sys.argv[1:])
print([name for name in ("torch", "sklearn") if name in sys.modules], file=sys.stderr)
sys.exit(code)
"""
Columns = dict[str, np.ndarray]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def command(*options: object) -> list[str]:
    return [sys.executable, "-m", "analysis.run", *map(str, options)]


@dataclass(frozen=True)
class Finished:
    """A run that ended well: its folder and what it printed."""

    folder: Path
    stdout: str
    stderr: str

    def events(self) -> Columns:
        """Return events.root, in the order of the event numbers."""
        with uproot.open(self.folder / "events.root") as file:
            arrays = file["events"].arrays()
        columns = {name: ak.to_numpy(arrays[name]) for name in arrays.fields}
        order = np.lexsort([columns[name] for name in ("event", "luminosityBlock", "run")])
        return {name: values[order] for name, values in columns.items()}

    def record(self) -> dict[str, Any]:
        return json.loads((self.folder / "run.json").read_text())

    def table(self, name: str) -> list[dict[str, str]]:
        """Return the rows of a CSV file."""
        with (self.folder / name).open(newline="") as file:
            return list(csv.DictReader(file))


@dataclass(frozen=True)
class Runner:
    """Runs the program in a child process, with a cache of its own."""

    environment: dict[str, str]

    def __call__(self, folder: Path, *options: object) -> Finished:
        return self._finished(folder, self.attempt("--output", folder, *options))

    def without_figures(self, folder: Path, *options: object) -> Finished:
        """Run as ever, but draw nothing; the last line of stderr says which libraries were imported."""
        arguments = [sys.executable, "-c", WITHOUT_FIGURES, "--output", *map(str, (folder, *options))]
        return self._finished(folder, self._run(arguments))

    def attempt(self, *options: object) -> subprocess.CompletedProcess[str]:
        return self._run(command(*options))

    def _run(self, arguments: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(arguments, cwd=ROOM, env=self.environment, capture_output=True, text=True)

    def _finished(self, folder: Path, done: subprocess.CompletedProcess[str]) -> Finished:
        assert done.returncode == 0, done.stderr
        return Finished(folder, done.stdout, done.stderr)

    def start(self, *options: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command(*options), cwd=ROOM, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )


@pytest.fixture(scope="module")
def runner(opendata: Path, tmp_path_factory: pytest.TempPathFactory) -> Runner:
    cache = cache_apart(tmp_path_factory.mktemp("cache"))
    return Runner({**os.environ, "OPENDATA_DIR": str(opendata), "XDG_CACHE_HOME": str(cache), "COLUMNS": "200"})


@pytest.fixture(scope="module")
def table(opendata: Path) -> Columns:
    """The published CSV, read by nothing of this project, in the order of the event numbers."""
    with (opendata / "cms2010b" / "MultiJetRun2010B.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    columns: Columns = {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}
    columns |= {name: np.array([int(row[name]) for row in rows]) for name in ("Run", "Lumi", "Event")}
    columns["row"] = np.arange(len(rows))
    order = np.lexsort([columns[name] for name in ("Event", "Lumi", "Run")])
    return {name: values[order] for name, values in columns.items()}


@pytest.fixture(scope="module")
def features(table: Columns) -> Columns:
    """The eight features in float64, from the CSV's own MR."""
    pt1, pt2 = np.hypot(table["Px1"], table["Py1"]), np.hypot(table["Px2"], table["Py2"])
    derived = {"pt1": pt1, "pt2": pt2, "MET_over_HT": table["MET"] / table["HT"], "pt_ratio": pt2 / pt1}
    return {name: derived[name] if name in derived else table[name] for name in FEATURES}


@pytest.fixture(scope="module")
def two_threads(runner: Runner, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return runner(tmp_path_factory.mktemp("two"), "--sample", "cms2010b", "--threads", 2)


@pytest.fixture(scope="module")
def one_thread(runner: Runner, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return runner.without_figures(tmp_path_factory.mktemp("one"), "--sample", "cms2010b", "--threads", 1)


@pytest.fixture(scope="module")
def inputs(table: Columns, features: Columns) -> np.ndarray:
    """The features as the detectors get them, with MR of massless megajets, in the order of the event numbers."""
    momenta = [np.sqrt(table[f"Px{i}"] ** 2 + table[f"Py{i}"] ** 2 + table[f"Pz{i}"] ** 2) for i in (1, 2)]
    MR = np.sqrt((momenta[0] + momenta[1]) ** 2 - (table["Pz1"] + table["Pz2"]) ** 2)
    return np.stack(list((features | {"MR": MR}).values()), axis=1).astype(np.float32)


@pytest.fixture(scope="module")
def by_scikit_learn(inputs: np.ndarray, table: Columns) -> Columns:
    """The scores of its own detectors, in the order of the event numbers."""
    # What is drawn in a training depends on the order of the events.
    order = np.argsort(table["row"])
    scaler = StandardScaler().fit(inputs[order].astype(float))
    scaled = scaler.transform(inputs.astype(float))
    in_file_order = scaled[order]
    forest = IsolationForest(random_state=42).fit(in_file_order)
    machine = OneClassSVM(nu=0.05, gamma="scale").fit(in_file_order)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of the determinant: HT is nearly pt1 + pt2
        envelope = EllipticEnvelope(random_state=42).fit(in_file_order)
    # The squared distance without that direction, by a pseudo-inverse of the robust correlation.
    spreads = np.sqrt(np.diag(envelope.covariance_))
    distance = (scaled - envelope.location_) / spreads
    precision = scipy.linalg.pinvh(envelope.covariance_ / np.outer(spreads, spreads), rtol=1e-6)
    return {
        "isolation_forest": -forest.score_samples(scaled),
        "one_class_svm": -machine.decision_function(scaled),
        "elliptic_envelope": np.einsum("ni,ij,nj->n", distance, precision, distance),
    }


def test_events_are_those_of_the_published_table(two_threads: Finished, table: Columns) -> None:
    events = two_threads.events()
    assert len(events["event"]) == 21_726
    for ours, theirs in {"run": "Run", "luminosityBlock": "Lumi", "event": "Event"}.items():
        np.testing.assert_array_equal(events[ours], table[theirs])


def test_every_feature_equals_numpy(two_threads: Finished, features: Columns) -> None:
    """MR among them, which the graph computes from the momenta and the file holds."""
    events = two_threads.events()
    for name, expected in features.items():
        np.testing.assert_allclose(events[name], expected, rtol=1e-5, err_msg=name)


def test_published_results_are_reproduced(two_threads: Finished) -> None:
    """The figures that an earlier notebook published on this file (opendata/README)."""
    events = two_threads.events()
    flag = events["flag_isolation_forest"]
    assert abs(int(flag.sum()) - 1_087) <= 2
    published = {"MR": 1.74, "Rsq": 2.11, "HT": 1.71, "MET": 2.31}
    for name, ratio in published.items():
        values = events[name].astype(float)
        assert values[flag].mean() / values[~flag].mean() == pytest.approx(ratio, abs=0.01), name
    top = int(np.argmax(events["score_isolation_forest"]))
    assert (events["run"][top], events["event"][top]) == (149181, 970943320)


def test_every_detector_flags_a_twentieth(two_threads: Finished) -> None:
    events, record = two_threads.events(), two_threads.record()
    assert record["ensemble"] == list(record["detectors"]) == list(DETECTORS)
    for name in DETECTORS:
        assert abs(events[f"flag_{name}"].mean() - 0.05) <= 0.001
        assert record["detectors"][name]["flagged"] == events[f"flag_{name}"].sum()
        above = events[f"score_{name}"] > np.float32(record["detectors"][name]["threshold"])
        np.testing.assert_array_equal(events[f"flag_{name}"], above)


@pytest.mark.parametrize("name", ["isolation_forest", "one_class_svm", "elliptic_envelope"])
def test_scores_equal_scikit_learn(name: str, two_threads: Finished, by_scikit_learn: Columns) -> None:
    events, expected = two_threads.events(), by_scikit_learn[name]
    close = np.abs(events[f"score_{name}"] - expected) < 1e-5 * np.ptp(expected)
    assert close.mean() >= 0.9995
    flagged = expected > np.quantile(expected, 0.95)
    assert np.count_nonzero(events[f"flag_{name}"] != flagged) <= 0.005 * flagged.sum()


@pytest.mark.parametrize("name", DETECTORS)
def test_scores_equal_onnx_runtime(name: str, two_threads: Finished, inputs: np.ndarray) -> None:
    scores = two_threads.events()[f"score_{name}"]
    session = onnxruntime.InferenceSession(two_threads.folder / "models" / f"{name}.onnx")
    found = [session.run(None, {"features": event[np.newaxis]})[0].item() for event in inputs[::7]]
    assert np.mean(np.abs(found - scores[::7]) < 1e-5 * np.ptp(scores)) >= 0.9995


def test_ranks_are_those_among_the_training_scores(two_threads: Finished, by_scikit_learn: Columns) -> None:
    events = two_threads.events()
    for name, scores in by_scikit_learn.items():
        less_anomalous = np.searchsorted(np.sort(scores), scores, side="left") / len(scores)
        np.testing.assert_allclose(events[f"rank_{name}"], less_anomalous, atol=1 / 4096, err_msg=name)


def test_directions_of_the_leading_megajets_are_counted(two_threads: Finished, table: Columns) -> None:
    flagged = two_threads.events()["flag_ensemble"].astype(bool)  # in the order of the table
    pt = np.stack([np.hypot(table[f"Px{i}"], table[f"Py{i}"]) for i in (1, 2)])
    first = pt[0] >= pt[1]
    px, py, pz = (np.where(first, table[f"{axis}1"], table[f"{axis}2"]) for axis in ("Px", "Py", "Pz"))
    eta, phi = np.arcsinh(pz / np.hypot(px, py)), np.arctan2(py, px)
    edges = [np.linspace(-5, 5, 51), np.linspace(-np.pi, np.pi, 33)]
    with uproot.open(two_threads.folder / "histograms.root") as file:
        for name, chosen in (("eta_phi", flagged | True), ("eta_phi_flagged", flagged)):
            expected = np.histogram2d(eta[chosen], phi[chosen], edges)[0]
            found = file[f"shares/{name}"].values()
            assert found.sum() == expected.sum()
            # float32 puts an event or two that lie on an edge into the neighbouring bin.
            assert np.abs(found - expected).sum() <= 4


def test_what_is_not_sane_is_said_by_run_json_and_console(two_threads: Finished) -> None:
    """Runs and azimuths do not differ in this sample; the flagged share grows with the masses and depends on eta."""
    events, record = two_threads.events(), two_threads.record()
    assert [warning["kind"] for warning in record["warnings"]] == ["share", "sculpting", "sculpting"]
    direction, *sculpted = (warning["sentence"] for warning in record["warnings"])
    assert direction.startswith("the flagged share depends on eta of the leading object: ")
    assert [sentence.split()[3].rstrip(":") for sentence in sculpted] == ["MR", "dijet_mass"]
    lines = [line.split(None, 1) for line in two_threads.stdout.splitlines()]
    assert [line[1].strip() for line in lines if line[0] == "warning"] == [w["sentence"] for w in record["warnings"]]
    assert record["meaning"] == MEANING
    with uproot.open(two_threads.folder / "histograms.root") as file:
        for name, numbers in (("runs", events["run"]), ("luminosity_blocks", events["luminosityBlock"] // 100 * 100)):
            found = file[f"shares/{name}"]
            assert [int(label) for label in found.axis("x").labels()] == np.unique(numbers).tolist()
            expected = [
                [np.count_nonzero((numbers == number) & (events["flag_ensemble"] == flag)) for flag in (False, True)]
                for number in np.unique(numbers)
            ]
            np.testing.assert_array_equal(found.values(), expected)
    flagged = [[row[1], row[0]] for row in expected]  # the last: of groups of blocks
    assert scipy.stats.chi2_contingency(flagged).pvalue > 0.01


def test_no_feature_is_all_of_the_envelopes_reasons(two_threads: Finished, inputs: np.ndarray) -> None:
    """HT is pt1 + pt2 in most events: the score goes by the others too, and has no twelve digits."""
    scores = two_threads.events()["score_elliptic_envelope"]
    assert scores.max() < 1e6
    session = onnxruntime.InferenceSession(two_threads.folder / "models" / "elliptic_envelope_contributions.onnx")
    top = inputs[np.argsort(-scores)[:10]]
    terms = np.concatenate([session.run(None, {"features": event[np.newaxis]})[0] for event in top])
    raised = np.maximum(terms, 0)
    assert (raised / raised.sum(axis=1, keepdims=True)).mean(axis=0).max() < 0.6


def test_votes_and_ensemble(two_threads: Finished) -> None:
    events, record = two_threads.events(), two_threads.record()
    votes = np.sum([events[f"flag_{name}"] for name in DETECTORS], axis=0)
    np.testing.assert_array_equal(events["votes"], votes)
    mean_rank = np.mean([events[f"rank_{name}"] for name in DETECTORS], axis=0)
    np.testing.assert_allclose(events["score_ensemble"], mean_rank, rtol=1e-6)
    assert record["min_votes"] == 2
    np.testing.assert_array_equal(events["flag_ensemble"], votes >= 2)


def test_agreement_is_counted(two_threads: Finished) -> None:
    events, agreement = two_threads.events(), two_threads.record()["agreement"]
    flags = np.stack([events[f"flag_{name}"] for name in DETECTORS]).astype(int)
    assert agreement["votes"] == np.bincount(flags.sum(axis=0), minlength=5).tolist()
    assert [list(row.values()) for row in agreement["flagged"].values()] == (flags @ flags.T).tolist()
    assert [list(row) for row in agreement["flagged"].values()] == [list(DETECTORS)] * 4
    with uproot.open(two_threads.folder / "histograms.root") as file:
        np.testing.assert_array_equal(file["agreement/flagged"].values(), flags @ flags.T)
        np.testing.assert_array_equal(file["agreement/votes"].values(), agreement["votes"])
        assert file["agreement/flagged"].axis(0).labels() == list(DETECTORS)


def test_means_are_those_of_what_the_ensemble_flags(two_threads: Finished) -> None:
    events, means = two_threads.events(), two_threads.record()["means"]
    flag = events["flag_ensemble"]
    assert set(means) == set(FEATURES)
    for name in FEATURES:
        anomalous, normal = (events[name][which].astype(float).mean() for which in (flag, ~flag))
        expected = {"normal": normal, "anomalous": anomalous, "ratio": anomalous / normal}
        assert means[name] == pytest.approx(expected, rel=1e-9)


def test_threads_and_a_second_run_make_no_difference(two_threads: Finished, one_thread: Finished) -> None:
    first, second = two_threads.events(), one_thread.events()
    assert list(first) == list(second)
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)
    assert (two_threads.folder / "anomalies.csv").read_text() == (one_thread.folder / "anomalies.csv").read_text()


def test_histograms_add_up(two_threads: Finished) -> None:
    events, record = two_threads.events(), two_threads.record()
    selected = {"": np.ones(21_726, bool), "normal/": ~events["flag_ensemble"], "anomalous/": events["flag_ensemble"]}
    with uproot.open(two_threads.folder / "histograms.root") as file:
        cutflow = file["cutflow/cutflow"].values()
        np.testing.assert_array_equal(cutflow, [21_726, 21_726])
        assert [cut["events"] for cut in record["cutflow"]] == list(cutflow)
        for name in (*FEATURES, "dijet_mass", "centrality"):
            found = {which: file[f"features/{which}{name}"].values(flow=True) for which in selected}
            np.testing.assert_array_equal(found["normal/"] + found["anomalous/"], found[""])
            assert found[""].sum() == cutflow[-1]
            edges = file[f"features/{name}"].axis().edges()
            for which, mask in selected.items():
                # ROOT finds bins in float64 arithmetic of its own: a value on an edge may fall to either side.
                expected = np.histogram(events[name][mask].astype(float), edges)[0]
                assert np.abs(found[which][1:-1] - expected).sum() <= 4, (which, name)


def test_histograms_open_in_root(two_threads: Finished) -> None:
    code = (
        "import ROOT; f = ROOT.TFile.Open(%r); h = f.Get('features/anomalous/MR'); print(int(h.GetEntries()));"
        "f = ROOT.TFile.Open(%r); print(ROOT.RDataFrame('events', %r).Count().GetValue())"
    )
    paths = [str(two_threads.folder / name) for name in ("histograms.root", "events.root", "events.root")]
    done = subprocess.run([sys.executable, "-c", code % tuple(paths)], capture_output=True, text=True)
    assert done.stdout.split() == [str(two_threads.events()["flag_ensemble"].sum()), "21726"], done.stderr


def test_anomalies_are_the_highest_mean_ranks(two_threads: Finished) -> None:
    """And among equals those of the highest scores."""
    events, rows = two_threads.events(), two_threads.table("anomalies.csv")
    keys = [-events[f"score_{name}"] for name in ("ensemble", *DETECTORS)]
    best = np.lexsort(keys[::-1])[:100]
    assert [int(row["event"]) for row in rows] == list(events["event"][best])
    assert [int(row["place"]) for row in rows] == list(range(1, 101))
    for row, i in zip(rows, best, strict=True):
        assert np.float32(row["MR"]) == events["MR"][i]
        for name in ("ensemble", *DETECTORS):
            assert np.float32(row[f"score_{name}"]) == events[f"score_{name}"][i]


@pytest.mark.parametrize("name", ["autoencoder", "elliptic_envelope"])
def test_contributions_add_up_to_the_score(name: str, two_threads: Finished) -> None:
    for row in two_threads.table("anomalies.csv"):
        contributions = [float(row[f"why_{name}_{feature}"]) for feature in FEATURES]
        assert sum(contributions) == pytest.approx(float(row[f"score_{name}"]), rel=1e-3)


def test_reasons_are_the_largest_mean_shares(two_threads: Finished) -> None:
    for row in two_threads.table("anomalies.csv"):
        table = np.array([[float(row[f"why_{name}_{feature}"]) for feature in FEATURES] for name in DETECTORS])
        raised = np.maximum(table, 0)
        share = (raised / raised.sum(axis=1, keepdims=True)).mean(axis=0)
        named = [FEATURES[i] for i in np.argsort(-share)[:3]]
        assert row["why"] == ", ".join(f"{feature} {share[FEATURES.index(feature)]:.0%}" for feature in named)


def test_latent_space_and_features_in_two_dimensions(two_threads: Finished, inputs: np.ndarray) -> None:
    events, rows = two_threads.events(), two_threads.table("latent.csv")
    place = {event: i for i, event in enumerate(zip(events["run"].tolist(), events["event"].tolist(), strict=True))}
    shown = [place[int(row["run"]), int(row["event"])] for row in rows]
    assert len(set(shown)) == 1_000
    # Drawn without preference: places are uniform, with a mean of half of all and a width of 1 / sqrt(12 n).
    assert abs(np.mean(shown) / 21_726 - 0.5) < 4 / np.sqrt(12 * 1_000)
    found = {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}
    assert {f"{kind}_{of}_{i}" for kind in ("pca", "tsne") for of in ("features", "latent") for i in (1, 2)} <= set(
        found
    )
    analysis = PCA(2)
    expected = analysis.fit_transform(StandardScaler().fit_transform(inputs[shown].astype(float)))
    for i in range(2):
        assert np.allclose(np.abs(found[f"pca_features_{i + 1}"]), np.abs(expected[:, i]), atol=1e-4)
    explained = two_threads.record()["latent"]["features"]
    assert explained == pytest.approx(analysis.explained_variance_ratio_.tolist(), abs=1e-6)
    mean_rank = events["score_ensemble"][shown]
    np.testing.assert_allclose(found["rank"], mean_rank, atol=0.002)  # without the rank tables' interpolation


def test_run_json_tells_all(two_threads: Finished) -> None:
    record = two_threads.record()
    assert record["command"].startswith("python -m analysis.run --output")
    assert record["configuration"]["seed"] == 42
    assert record["sample"]["doi"] == "10.7483/OPENDATA.CMS.GACK.GEJA"
    assert record["sample"]["files"][0]["sha256"].startswith("c980b2a250fea408")
    assert record["sample"]["simulated"] is False
    assert record["versions"]["scikit-learn"] == "1.9.1"
    head = subprocess.run(["git", "-C", str(ROOM), "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()
    assert record["commit"]["hash"] == head
    assert record["training"] == {
        "samples": [
            {
                "sample": "cms2010b",
                "title": record["sample"]["title"],
                "simulated": False,
                "tree": "events",
                "files": [record["sample"]["files"][0]["path"]],
                "sha256": [record["sample"]["files"][0]["sha256"]],
                "entries": [0, 21_726],
                "events": 21_726,
            }
        ],
        "part": None,
        "train_events": 100_000,
        "events": 21_726,
        "train_on": "all",
        "folds": 1,
    }
    assert record["training"] == json.loads((two_threads.folder / "models" / "models.json").read_text())["training"]
    anomalous = int(two_threads.events()["flag_ensemble"].sum())
    assert record["counts"] == {
        "expected": 21_726,
        "processed": 21_726,
        "selected": 21_726,
        "normal": 21_726 - anomalous,
        "anomalous": anomalous,
    }
    (history,) = record["history"]["autoencoder"]
    best = int(np.argmin(history["validation"]))
    assert len(history["training"]) == len(history["validation"]) == min(best + 4, 20)  # patience of three epochs
    assert set(record["timings"]) >= {"import", "jit", "snapshot", "training", "compile", "scoring_loop", "total"}
    assert all(seconds > 0 for seconds in record["timings"].values())
    assert list(record["loop_seconds"]) == ["writing", "read", "columns", "histograms", *DETECTORS]
    assert all(seconds > 0 for seconds in record["loop_seconds"].values())
    assert re.search(r"g\+\+|clang|Cling", record["compiled_by"])
    assert record["events_per_second"] == pytest.approx(21_726 / record["timings"]["scoring_loop"], rel=0.05)


def test_figures_and_summary(two_threads: Finished) -> None:
    figures = {path.name for path in (two_threads.folder / "figures").iterdir()}
    of_detectors = [f"{kind}_{name}" for kind in ("plane_MR_Rsq_score", "score", "contributions") for name in DETECTORS]
    of_features = [f"feature_{feature}" for feature in FEATURES]
    once = ("plane_MR_Rsq", "correlation", "means", "loss_autoencoder", "agreement", "votes", "latent_ranks")
    for name in (*of_detectors, *of_features, *once):
        assert {f"{name}.png", f"{name}.pdf"} <= figures
    events, means = two_threads.events(), two_threads.record()["means"]
    assert (
        f"{events['flag_ensemble'].sum():,} ({events['flag_ensemble'].mean():.2%}) flagged by 2" in two_threads.stdout
    )
    assert "one_class_svm 1,087 (5.00%)" in two_threads.stdout
    top = two_threads.table("anomalies.csv")[0]
    place = f"run {top['run']} luminosityBlock {top['luminosityBlock']} event {top['event']} for its {top['why']}"
    assert place in two_threads.stdout
    assert ", ".join(f"{name} {means[name]['ratio']:.2f}" for name in FEATURES[:4]) in two_threads.stdout
    assert "SIMULATED" not in two_threads.stdout + two_threads.stderr
    assert names(two_threads.folder) == FINAL_NAMES


def test_models_score_without_torch_or_scikit_learn(runner: Runner, two_threads: Finished, tmp_path: Path) -> None:
    models = two_threads.folder / "models"
    scored = runner.without_figures(tmp_path, "--sample", "cms2010b", "--models", models)
    assert scored.stderr.splitlines()[-1] == "[]"
    assert names(tmp_path) == FINAL_NAMES - {"latent.csv", "figures", "report.html", "SHA256SUMS.drawn"}
    again, first = scored.events(), two_threads.events()
    assert list(again) == list(first)
    for name in first:
        np.testing.assert_array_equal(again[name], first[name], err_msg=name)
    assert scored.table("anomalies.csv") == two_threads.table("anomalies.csv")


def test_a_part_with_broken_values_of_a_file_of_the_users_own(
    runner: Runner, two_threads: Finished, opendata: Path, tmp_path: Path
) -> None:
    """Entries 100 to 600, of which some are not finite: those are dropped and counted, the others scored as ever."""
    lines = (opendata / "cms2010b" / "MultiJetRun2010B.csv").read_text().splitlines()
    header = lines[0].split(",")
    broken = {150: ("MET", "nan"), 151: ("Rsq", "inf"), 152: ("Rsq", ""), 153: ("HT", "0"), 154: ("MET", "1e39")}
    for row, (column, text) in broken.items():
        fields = lines[row + 1].split(",")
        fields[header.index(column)] = text
        lines[row + 1] = ",".join(fields)
    sample = tmp_path / "own.csv"
    sample.write_text("\n".join(lines) + "\n")
    models = two_threads.folder / "models"
    options = ("--sample", sample, "--schema", "cms_razor", "--models", models, "--entries", "100:600", *FOREST_ONLY)
    own = runner.without_figures(tmp_path / "out", *options)
    assert [(cut["name"], cut["events"]) for cut in own.record()["cutflow"]] == [("all", 500), ("finite", 495)]
    # MET = 1e39 is too large for a float32, but not once divided by HT; HT = 0 makes MET/HT infinite.
    counts = {"MR": 0, "Rsq": 2, "HT": 0, "MET": 2, "pt1": 0, "pt2": 0, "MET_over_HT": 2, "pt_ratio": 0}
    assert own.record()["non_finite"] == counts
    expected = {int(line.split(",")[2]) for row, line in enumerate(lines[1:]) if 100 <= row < 600 and row not in broken}
    events, all_events = own.events(), two_threads.events()
    assert set(events["event"]) == expected
    kept = np.isin(all_events["event"], list(expected))
    np.testing.assert_array_equal(events["score_isolation_forest"], all_events["score_isolation_forest"][kept])


@pytest.fixture(scope="module")
def simulated(runner: Runner, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The sample at hand nowhere, and the portal behind a proxy that refuses."""
    environment = {**runner.environment, "HTTPS_PROXY": "http://127.0.0.1:1", "https_proxy": "http://127.0.0.1:1"}
    environment["OPENDATA_DIR"] = str(tmp_path_factory.mktemp("nothing"))
    folder = tmp_path_factory.mktemp("simulated")
    missing = Runner(environment).attempt("--sample", "cms2010b", "--output", folder)
    assert missing.returncode == 3
    assert "--allow-simulated" in missing.stderr
    assert "OPENDATA_DIR" in missing.stderr
    assert not FINAL_NAMES & names(folder)
    return Runner(environment).without_figures(folder, "--sample", "cms2010b", "--allow-simulated", *FOREST_ONLY)


def test_simulated_events_say_so_everywhere(simulated: Finished) -> None:
    assert "SIMULATED" in simulated.stdout
    assert "SIMULATED" in simulated.stderr
    assert simulated.record()["sample"]["simulated"] is True
    assert [sample["simulated"] for sample in simulated.record()["training"]["samples"]] == [True]
    with uproot.open(simulated.folder / "histograms.root") as file:
        assert "SIMULATED" in file
        titled = [file[name].title for name in file.keys(recursive=True, filter_classname="T[HP]*")]
        assert titled
        assert all(title.startswith("SIMULATED") for title in titled)
    with uproot.open(simulated.folder / "events.root") as file:
        assert "SIMULATED" in file
    assert {row["sample"] for row in simulated.table("anomalies.csv")} == {"cms2010b (SIMULATED)"}
    assert set(simulated.events()["run"]) == {1}  # no collision was ever recorded in run 1


def test_simulated_heavy_pairs_are_found(simulated: Finished, runner: Runner) -> None:
    """Pairs of 700 GeV particles, a few per cent of the events, are what an anomaly search has to flag."""
    cache = Path(runner.environment["XDG_CACHE_HOME"]) / "root-anomaly-search" / "simulated"
    (path,) = cache.glob("*.root")
    with uproot.open(path) as file:
        truth = file["events"].arrays(["Event", "label"])
    heavy = set(ak.to_numpy(truth["Event"])[ak.to_numpy(truth["label"]) == 1])
    events = simulated.events()
    is_heavy = np.isin(events["event"], list(heavy))
    assert 0.02 < is_heavy.mean() < 0.04
    assert events["flag_ensemble"][is_heavy].mean() > 0.9
    assert events["flag_ensemble"][~is_heavy].mean() < 0.05


@pytest.fixture
def half_way(runner: Runner, two_threads: Finished, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A run that has begun to write its results."""
    folder = tmp_path / "out"
    models = two_threads.folder / "models"
    options = ("--sample", "cms2010b", "--models", models, "--output", folder, *FOREST_ONLY)
    process = runner.start(*options)
    try:
        while not (folder / ".staging" / "events.root").exists():
            assert process.poll() is None, process.communicate()
            time.sleep(0.05)
        yield process, folder
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_run_leaves_nothing(half_way: tuple[subprocess.Popen[str], Path], number: signal.Signals) -> None:
    process, folder = half_way
    process.send_signal(number)
    _, stderr = process.communicate()
    assert process.returncode == 130
    assert stderr.splitlines()[-1].startswith("interrupted")
    assert not names(folder)


def test_killed_run_leaves_nothing_under_a_final_name(
    half_way: tuple[subprocess.Popen[str], Path], runner: Runner
) -> None:
    process, folder = half_way
    second = runner.attempt("--sample", "cms2010b", "--output", folder)
    assert second.returncode == 3
    assert "another run is writing to" in second.stderr
    process.kill()
    process.communicate()
    assert not FINAL_NAMES & names(folder)


BAD_ROWS = {
    "short row": (lambda fields: fields[:5], "5 fields where the header has 17"),
    "long row": (lambda fields: [*fields, "1"], "18 fields where the header has 17"),
    "text": (lambda fields: ["abc" if i == 3 else f for i, f in enumerate(fields)], "column 'MR' holds 'abc'"),
    "overflow": (lambda fields: ["1e400" if i == 3 else f for i, f in enumerate(fields)], "column 'MR' holds '1e400'"),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_bad_rows_are_named(case: str, runner: Runner, opendata: Path, tmp_path: Path) -> None:
    spoil, message = BAD_ROWS[case]
    lines = (opendata / "cms2010b" / "MultiJetRun2010B.csv").read_text().splitlines()[:50]
    lines[30] = ",".join(spoil(lines[30].split(",")))
    sample = tmp_path / "bad.csv"
    sample.write_text("\n".join(lines) + "\n")
    done = runner.attempt("--sample", sample, "--schema", "cms_razor", "--output", tmp_path / "out")
    assert done.returncode == 3
    error = done.stderr.splitlines()[-1]
    assert error.startswith(f"error: {sample}, line 31: ")
    assert message in error
    assert not names(tmp_path / "out")


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--sample", "cms2010"], 2, "did you mean cms2010b, "),
        (["--sampel", "cms2010b"], 2, "unknown option --sampel; did you mean --sample"),
        (["--sample", "cms2010b", "--detectors", "izolation_forest"], 2, "did you mean isolation_forest?"),
        (["--sample", "nothing.csv", "--schema", "cms_razor"], 3, "nothing.csv does not exist"),
        (["--sample", "cms2010b", "--output", "/proc/nothing"], 3, "cannot make the output folder /proc/nothing"),
        (["--sample", "cms2010b", "--models", "/proc"], 2, "/proc has no models.json"),
    ],
)
def test_bad_commands_end_in_one_line(runner: Runner, options: list[str], code: int, message: str) -> None:
    done = runner.attempt(*options)
    assert done.returncode == code
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_entries_beyond_the_sample(runner: Runner, tmp_path: Path) -> None:
    done = runner.attempt("--sample", "cms2010b", "--entries", "0:99999", "--output", tmp_path)
    assert done.returncode == 2
    assert "--entries 0:99999: the sample has 21726 events" in done.stderr


def test_altered_models_are_refused(runner: Runner, two_threads: Finished, tmp_path: Path) -> None:
    """A feature list or a checksum that does not fit, by name and before any work."""
    models = tmp_path / "models"
    models.mkdir()
    for path in (two_threads.folder / "models").iterdir():
        (models / path.name).write_bytes(path.read_bytes())
    table = json.loads((models / "models.json").read_text())
    swapped = {**table, "features": [table["features"][1], table["features"][0], *table["features"][2:]]}
    write_table(models / "models.json", swapped)
    done = runner.attempt("--sample", "cms2010b", "--models", models, "--output", tmp_path / "out")
    assert done.returncode == 2
    assert "was trained on the features MR, Rsq" in done.stderr

    write_table(models / "models.json", table)
    network = bytearray((models / "isolation_forest.onnx").read_bytes())
    network[len(network) // 2] ^= 1
    (models / "isolation_forest.onnx").write_bytes(network)
    done = runner.attempt("--sample", "cms2010b", "--models", models, "--output", tmp_path / "out")
    assert done.returncode == 2
    assert "isolation_forest.onnx: checksum" in done.stderr
