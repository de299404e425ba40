"""An evaluation as a user starts it, against scikit-learn on the published events with the same split."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest
from sklearn.inspection import permutation_importance
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    make_scorer,
    precision_score,
    recall_score,
    roc_auc_score,
)
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM
from sklearn.tree import DecisionTreeClassifier

from analysis.configuration import EvaluationConfiguration, RunConfiguration
from analysis.console.program import exit_code
from analysis.evaluate import evaluate
from analysis.options import load_configuration
from analysis.run import run
from analysis.simulate import main as simulate
from plotting.results.opened import open_results
from tests.analysis.published import read_json, read_labelled_higgs

pytestmark = pytest.mark.compiler

ROOM = Path(__file__).resolve().parents[2]
TRACKS = ("track_pt", "track_eta", "track_phi", "track_d0", "track_dz")
Features = NDArray[np.float32]
Labels = NDArray[np.int64]


def start(folder: Path, **options: Any) -> Path:
    """Evaluate, and return the folder of the results."""
    evaluate(load_configuration(EvaluationConfiguration, {"output": str(folder), **options}, None), "test")
    return folder


def new_tree() -> DecisionTreeClassifier:
    return DecisionTreeClassifier(max_depth=8, min_samples_leaf=0.005, class_weight="balanced", random_state=42)


def check_merits(
    found: dict[str, Any], scores: NDArray[np.floating], flagged: NDArray[np.bool_], labels: Labels
) -> None:
    """Compare with scikit-learn's figures of merit; the score of an event at an edge may fall to either side."""
    assert found["auc"]["value"] == pytest.approx(roc_auc_score(labels, scores), abs=1e-4)
    (tn, fp), (fn, tp) = confusion_matrix(labels, flagged)
    confusion = {"true_positive": tp, "false_positive": fp, "true_negative": tn, "false_negative": fn}
    assert found["confusion"] == pytest.approx(confusion, abs=2)
    assert (found["signal"], found["background"]) == (tp + fn, tn + fp)
    merits = {"accuracy": accuracy_score, "precision": precision_score, "recall": recall_score, "f1": f1_score}
    for name, merit in merits.items():
        assert found[name]["value"] == pytest.approx(merit(labels, flagged), abs=1e-3), name
    assert found["tpr"]["value"] == pytest.approx(tp / (tp + fn), abs=1e-3)
    assert found["tnr"]["value"] == pytest.approx(tn / (tn + fp), abs=1e-3)
    # Of a sum of as many signal events and as many background events each time.
    variance = tp * fn / (tp + fn) + tn * fp / (tn + fp)
    assert found["accuracy"]["error"] == pytest.approx(np.sqrt(variance) / len(labels), rel=0.25)


@pytest.fixture(scope="module")
def higgs(opendata: Path) -> tuple[Features, Labels, NDArray[np.bool_]]:
    """Features and labels of both trees, the background's first, and which rows are to be learned from."""
    with uproot.open(opendata / "higgs" / "Higgs_data.root") as file:
        trees = [file[name].arrays(library="np") for name in ("bkg_tree", "sig_tree")]
    X = np.concatenate([np.stack(list(tree.values()), axis=1) for tree in trees]).astype(np.float32)
    events = [len(next(iter(tree.values()))) for tree in trees]
    rows = np.concatenate([np.arange(n) for n in events])
    return X, np.repeat([0, 1], events), rows % 2 == 0


@pytest.fixture(scope="module")
def two_trees(apart: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    detectors = "decision_tree,mlp,isolation_forest"
    folder = tmp_path_factory.mktemp("higgs")
    return start(folder, background="higgs_background", signal="higgs_signal", detectors=detectors)


def test_the_supervised_equal_scikit_learn(two_trees: Path, higgs: tuple[Features, Labels, NDArray[np.bool_]]) -> None:
    X, labels, training = higgs
    metrics = read_json(two_trees / "metrics.json")
    assert set(metrics) == {"decision_tree", "mlp", "isolation_forest"}  # one alone is no ensemble
    tree = new_tree().fit(X[training], labels[training])
    scores = tree.predict_proba(X[~training])[:, 1]
    check_merits(metrics["decision_tree"], scores, scores > 0.5, labels[~training])
    assert metrics["decision_tree"]["auc"]["value"] >= 0.70

    classifier = MLPClassifier((128, 64), alpha=2.0, max_iter=200, early_stopping=True, random_state=42)
    mlp = make_pipeline(StandardScaler(), classifier).fit(X[training].astype(float), labels[training])
    auc = roc_auc_score(labels[~training], mlp.predict_proba(X[~training].astype(float))[:, 1])
    assert metrics["mlp"]["auc"]["value"] == pytest.approx(auc, abs=0.005)
    assert metrics["mlp"]["auc"]["value"] >= 0.73
    assert set(metrics["mlp"]["importance"]) == set(metrics["decision_tree"]["importance"])


def test_the_forest_learns_background_only(two_trees: Path, higgs: tuple[Features, Labels, NDArray[np.bool_]]) -> None:
    X, labels, training = higgs
    metrics = read_json(two_trees / "metrics.json")["isolation_forest"]
    background = X[training & (labels == 0)].astype(float)
    forest = make_pipeline(StandardScaler(), IsolationForest(random_state=42)).fit(background)
    scores = -forest.score_samples(X[~training].astype(float))
    threshold = np.quantile(-forest.score_samples(background), 0.95)
    check_merits(metrics, scores, scores > threshold, labels[~training])
    assert "importance" not in metrics
    record = read_json(two_trees / "run.json")
    assert record["part"] == "event % 2 == 1"
    assert (record["training"]["part"], record["training"]["train_on"]) == ("event % 2 == 0", "background")
    assert record["training"]["events"] == np.count_nonzero(training)
    assert [cut["events"] for sample in record["samples"] for cut in sample["cutflow"]] == [10_000, 10_000, 5_000] * 2


def test_the_scores_of_single_events_are_left(
    two_trees: Path, higgs: tuple[Features, Labels, NDArray[np.bool_]]
) -> None:
    X, labels, training = higgs
    results = open_results(two_trees)
    events, metrics = results.events(), read_json(two_trees / "metrics.json")
    features = [feature.name for feature in results.record.features]
    assert list(events)[:4] == ["run", "luminosityBlock", "event", "label"]
    np.testing.assert_array_equal(events["label"], labels[~training])
    np.testing.assert_array_equal(np.stack([events[name] for name in features], axis=1), X[~training])
    assert events["event"].tolist() == 2 * list(range(1, 10_000, 2))  # their places in the trees
    for name in ("decision_tree", "mlp", "isolation_forest"):
        auc = roc_auc_score(events["label"], events[f"score_{name}"])
        assert metrics[name]["auc"]["value"] == pytest.approx(auc, abs=1e-9)
        confusion = metrics[name]["confusion"]
        assert events[f"flag_{name}"].dtype == np.bool_
        assert events[f"flag_{name}"].sum() == confusion["true_positive"] + confusion["false_positive"]
    assert any(line.endswith("  events.root") for line in (two_trees / "SHA256SUMS").read_text().splitlines())


def test_a_sample_with_labels(apart: None, opendata: Path, tmp_path: Path) -> None:
    detectors = "decision_tree,isolation_forest,one_class_svm"
    metrics = read_json(start(tmp_path, sample="higgs_csv", detectors=detectors) / "metrics.json")
    assert set(metrics) == {"decision_tree", "isolation_forest", "one_class_svm", "ensemble"}
    X, labels = read_labelled_higgs(opendata)
    training = np.arange(len(X)) % 2 == 0
    scores = new_tree().fit(X[training], labels[training]).predict_proba(X[~training])[:, 1]
    check_merits(metrics["decision_tree"], scores, scores > 0.5, labels[~training])

    exact, background = X.astype(float), X[training & (labels == 0)].astype(float)
    ranks, votes = [], []
    for estimator in (IsolationForest(random_state=42), OneClassSVM(nu=0.05, gamma="scale")):
        trained = make_pipeline(StandardScaler(), estimator).fit(background)
        learned, tested = -trained.decision_function(background), -trained.decision_function(exact[~training])
        ranks.append(np.searchsorted(np.sort(learned), tested) / len(learned))
        votes.append(tested > np.quantile(learned, 0.95))
    check_merits(metrics["ensemble"], np.mean(ranks, axis=0), np.any(votes, axis=0), labels[~training])


def test_models_of_a_run_on_another_sample(apart: None, opendata: Path, tmp_path: Path) -> None:
    """Of the LHC Olympics, without torch: what is evaluated there was trained without labels on other events."""
    options = {"sample": "lhco_train", "detectors": "isolation_forest", "train_events": "all"}
    run(load_configuration(RunConfiguration, {"output": str(tmp_path / "run"), **options}, None), "test")
    code = (
        "import sys, pytest; from tests.conftest import draw_nothing; draw_nothing(pytest.MonkeyPatch());"
        "from analysis.evaluate import main; assert main(sys.argv[1:]) == 0; print('torch' in sys.modules)"
    )
    arguments = ["--sample", "lhco_test", "--models", tmp_path / "run" / "models", "--output", tmp_path / "results"]
    command = [sys.executable, "-c", code, *map(str, arguments), "--detectors", "all"]
    done = subprocess.run(command, cwd=ROOM, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "False"

    training, test = (np.load(opendata / "lhco" / f"innerdata_{part}.npy") for part in ("train", "test"))
    in_GeV = [1000, 1000, 1000, 1, 1]
    learned, X = ((table[:, :5] * in_GeV).astype(np.float32).astype(float) for table in (training, test))
    forest = make_pipeline(StandardScaler(), IsolationForest(random_state=42)).fit(learned)
    scores, labels = -forest.score_samples(X), test[:, 5].astype(int)
    metrics = read_json(tmp_path / "results" / "metrics.json")
    assert list(metrics) == ["isolation_forest"]
    threshold = np.quantile(-forest.score_samples(learned), 0.95)
    check_merits(metrics["isolation_forest"], scores, scores > threshold, labels)
    assert metrics["isolation_forest"]["signal"] == 377

    # The best of all cuts, each taken to pass 25 background events at least.
    order = np.argsort(-scores)
    signal, background = (np.cumsum(labels[order] == kind) for kind in (1, 0))
    efficiency, fraction = signal / signal[-1], np.maximum(background, 25) / background[-1]
    improvement = metrics["isolation_forest"]["max_sic"]
    assert improvement["value"] == pytest.approx(np.max(efficiency / np.sqrt(fraction)), rel=0.01)


def test_importances_of_displaced_tracks(apart: None, tmp_path: Path) -> None:
    tracks = tmp_path / "tracks.root"
    assert simulate(["tracks", "--events", "20000", "--signal-fraction", "0.3", "-o", str(tracks)]) == 0
    results = start(tmp_path / "out", sample=str(tracks), schema="tracks", detectors="decision_tree,mlp")
    with uproot.open(tracks) as file:
        columns = file["tracks"].arrays([*TRACKS, "event", "label"], library="np")
    order = np.argsort(columns["event"])
    X = np.stack([columns[name] for name in TRACKS], axis=1)[order].astype(np.float32)
    labels, training = columns["label"][order], columns["event"][order] % 2 == 0
    tree = new_tree().fit(X[training], labels[training])
    scores = tree.predict_proba(X[~training])[:, 1]
    metrics = read_json(results / "metrics.json")
    check_merits(metrics["decision_tree"], scores, scores > 0.5, labels[~training])

    auc = make_scorer(roc_auc_score, response_method="predict_proba")
    drops = permutation_importance(tree, X[~training], labels[~training], scoring=auc, n_repeats=5, random_state=1)
    expected = dict(zip(TRACKS, drops.importances_mean, strict=True))
    found = {name: drop["value"] for name, drop in metrics["decision_tree"]["importance"].items()}
    assert found == pytest.approx(expected, abs=0.01)
    assert sorted(found, key=lambda name: found[name])[-2:] == ["track_d0", "track_pt"]
    assert metrics["mlp"]["importance"]["track_pt"]["value"] > 0.1


def spoilt(opendata: Path, path: Path, label: str | None) -> Path:
    """The first events of the labelled table, with another label: of all of them, or in one row (row 7)."""
    header, *rows = (opendata / "higgs" / "sas_higgs.csv").read_text().splitlines()[:401]
    labels = [row.rpartition(",")[2] for row in rows]
    labels = ["0"] * len(rows) if label is None else [*labels[:7], label, *labels[8:]]
    lines = [f"{row.rpartition(',')[0]},{value}" for row, value in zip(rows, labels, strict=True)]
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        ({"sample": "zmumu2011"}, 2, "--sample: CMS 2011 Run A, Z to two muons has no labels; give its schema the"),
        ({"background": "higgs_background", "signal": "lhco_test"}, 2, "--signal: its schema is lhco, that of the"),
        ({"sample": "{one kind}"}, 3, "all 200 events are background; an evaluation needs both kinds"),
        ({"sample": "{one kind}", "detectors": "decision_tree"}, 3, "have labels 0 only; take a sample with labels"),
        (
            {"sample": "{one kind}", "select": "{hard: jet_1_ptt > 1}"},
            2,
            r"select 'hard', 'jet_1_ptt > 1': .*did you mean jet_1_pt",
        ),
        (
            {"sample": "{one kind}", "select": "{any: jet_1_pt > 0, hard: jet_1_pt > 1e6}"},
            3,
            r"no event passes the cut 'hard', 'jet_1_pt > 1e6', to which \d+ events came",
        ),
        ({"sample": "{label 2}"}, 3, " events have a label that is neither 0 nor 1; mend the labels, or list"),
        ({"sample": "{label 2}", "train_events": "all"}, 3, "label that is neither 0 nor 1"),
        (
            {"sample": "higgs_csv", "models": "{models}", "detectors": "one_class_svm"},
            2,
            "has no one_class_svm, only decision_tree, mlp, isol",
        ),
        ({"sample": "higgs_csv", "models": "{models}"}, 2, "was trained on the schema higgs, the sample has the"),
    ],
)
def test_what_cannot_be_evaluated(
    options: dict[str, str],
    code: int,
    message: str,
    apart: None,
    opendata: Path,
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    places = {
        "{one kind}": lambda: spoilt(opendata, tmp_path / "one_kind.csv", None),
        "{label 2}": lambda: spoilt(opendata, tmp_path / "label.csv", "2"),
        "{models}": lambda: request.getfixturevalue("two_trees") / "models",
    }
    filled = {key: str(places[value]()) if value in places else value for key, value in options.items()}
    if filled.get("sample", "").endswith(".csv"):
        filled["schema"] = "higgs_csv"
    if "models" not in filled:
        filled.setdefault("detectors", "isolation_forest")
    with pytest.raises(Exception, match=message) as caught:
        start(tmp_path / "out", **filled)
    assert exit_code(caught.value) == code
    assert not list(tmp_path.glob("out/*"))
