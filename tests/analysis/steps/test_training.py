"""How a run trains, against scikit-learn used directly: folds, thresholds, and what is learned from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM
from sklearn.tree import DecisionTreeClassifier

from analysis.configuration import RunConfiguration
from analysis.console.program import exit_code
from analysis.errors import AnalysisError
from analysis.options import load_configuration
from analysis.run import run
from models.errors import TrainingError
from tests.analysis.published import read_events, read_json, read_labelled_higgs
from tests.rdf import reference

pytestmark = pytest.mark.compiler

RAZOR = ("MR", "Rsq", "HT", "MET", "pt1", "pt2", "MET_over_HT", "pt_ratio")
Values = NDArray[np.float64]


def start(folder: Path, **options: Any) -> Path:
    """Run, and return the folder of the results."""
    run(load_configuration(RunConfiguration, {"output": str(folder), **options}, None), "test")
    return folder


def forest_of(X: Values) -> Pipeline:
    return make_pipeline(StandardScaler(), IsolationForest(random_state=42)).fit(X)


def agrees(found: NDArray[np.float32], expected: Values) -> float:
    """The fraction of events whose scores are equal within 1e-5 of the range."""
    return float(np.mean(np.abs(found - expected) < 1e-5 * np.ptp(expected)))


@pytest.fixture(scope="module")
def folded(apart: None, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The same run twice."""
    options = {"sample": "cms2010b", "detectors": "isolation_forest", "folds": 2, "threshold": {"contamination": 0.1}}
    return [start(tmp_path_factory.mktemp("folded"), **options) for _ in range(2)]


def test_no_event_is_scored_by_a_model_that_has_seen_it(folded: list[Path], opendata: Path) -> None:
    table = reference.razor_csv(opendata / "cms2010b" / "MultiJetRun2010B.csv")
    X = np.stack([table[name] for name in RAZOR], axis=1).astype(np.float32).astype(float)
    events, order = read_events(folded[0]), np.lexsort([table["event"], table["run"]])
    place = np.argsort(order)  # of each row of the table in events.root
    np.testing.assert_array_equal(events["event"][place], table["event"])
    np.testing.assert_array_equal(events["fold"], events["event"] % 2)

    score, flag = events["score_isolation_forest"][place], events["flag_isolation_forest"][place]
    record = read_json(folded[0] / "run.json")
    networks = read_json(folded[0] / "models" / "models.json")["detectors"]["isolation_forest"]["networks"]
    for fold in (0, 1):
        own = table["event"] % 2 == fold
        unseen, seen = forest_of(X[~own]), forest_of(X[own])
        expected = -unseen.score_samples(X[own])
        assert agrees(score[own], expected) >= 0.9995
        assert agrees(score[own], -seen.score_samples(X[own])) < 0.01
        threshold = np.quantile(expected, 0.9)  # of what it has not seen, too
        # Between the two scores on either side of it: half way, where it is within rounding of one of them.
        above = np.searchsorted(ordered := np.sort(expected), threshold, side="right")
        found = record["detectors"]["isolation_forest"]["threshold"][fold]
        assert ordered[above - 1] - 1e-6 < found < ordered[above] + 1e-6
        assert np.count_nonzero(flag[own] != (expected > threshold)) <= 0.005 * flag[own].sum()
        assert networks[fold]["events"] == np.count_nonzero(~own)
    assert record["training"]["folds"] == 2


def test_the_same_seed_gives_the_same_results(folded: list[Path]) -> None:
    first, second = (read_events(folder) for folder in folded)
    assert list(first) == list(second)
    for name, values in first.items():
        assert values.tobytes() == second[name].tobytes(), name
    for name in ("anomalies.csv", "latent.csv"):
        assert (folded[0] / name).read_bytes() == (folded[1] / name).read_bytes()
    models = [read_json(folder / "models" / "models.json")["detectors"] for folder in folded]
    assert models[0] == models[1]


def test_thresholds_by_detector_and_training_on_background(apart: None, opendata: Path, tmp_path: Path) -> None:
    rules = {
        "isolation_forest": {"percentile": 90},
        "one_class_svm": {"sigma": 2},
        "decision_tree": {"score": 0.3},
    }
    results = start(tmp_path, sample="higgs_csv", detectors=",".join(rules), threshold=rules, train_on="background")
    X, labels = read_labelled_higgs(opendata)
    exact = X.astype(float)
    background = exact[labels == 0]
    forest = forest_of(background)
    machine = make_pipeline(StandardScaler(), OneClassSVM(nu=0.05, gamma="scale")).fit(background)
    tree = DecisionTreeClassifier(max_depth=8, min_samples_leaf=0.005, class_weight="balanced", random_state=42)
    tree.fit(X, labels)
    distances = -machine.decision_function(background)
    expected = {
        "isolation_forest": (-forest.score_samples(exact), np.quantile(-forest.score_samples(background), 0.9)),
        "one_class_svm": (-machine.decision_function(exact), distances.mean() + 2 * distances.std()),
        "decision_tree": (tree.predict_proba(X)[:, 1], 0.3),
    }

    events, record = read_events(results), read_json(results / "run.json")
    np.testing.assert_array_equal(events["event"], np.arange(len(X)))
    np.testing.assert_array_equal(events["label"], labels)
    for name, (scores, threshold) in expected.items():
        assert agrees(events[f"score_{name}"], scores) >= 0.9995, name
        assert record["detectors"][name]["threshold"] == pytest.approx(threshold, abs=1e-5 * np.ptp(scores)), name
        flagged = scores > threshold
        assert np.count_nonzero(events[f"flag_{name}"] != flagged) <= 0.005 * flagged.sum(), name
    assert record["training"]["train_on"] == "background"
    # A detector that has learned from labels has no vote among those that have not.
    assert record["ensemble"] == ["isolation_forest", "one_class_svm"]
    votes = events["flag_isolation_forest"].astype(int) + events["flag_one_class_svm"]
    np.testing.assert_array_equal(events["votes"], votes)


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (
            {"train_on": "background"},
            2,
            "--train-on: background needs labels, and CMS 2011 Run A, Z to two muons has none",
        ),
        ({"detectors": "isolation_forest,mlp"}, 2, "--detectors: mlp learns from labels, and .* has none"),
        ({"features": "mll,n_leptons"}, 3, "the feature n_leptons is 2 in all 10583 training events"),
        ({"max_events": 1}, 3, "1 training event, from which nothing can be learned; read more of the sample"),
        ({"features": "mll,pt_ll", "max_events": 5, "detectors": "elliptic_envelope"}, 3, "5 training events"),
    ],
)
def test_what_cannot_be_learned_from(
    options: dict[str, Any], code: int, message: str, apart: None, tmp_path: Path
) -> None:
    options = {"sample": "zmumu2011", "detectors": "isolation_forest"} | options
    with pytest.raises((AnalysisError, TrainingError), match=message) as caught:
        start(tmp_path, **options)
    assert exit_code(caught.value) == code
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def alike(apart: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of which 600 in 1000 events are alike in all of three features, and its schema."""
    folder = tmp_path_factory.mktemp("alike")
    X = np.random.default_rng(9).normal(size=(1000, 3))
    X[:600] = 0
    np.save(folder / "alike.npy", X)
    (folder / "alike.yaml").write_text(
        "title: alike\ntree: events\ncolumns: {x0: float64, x1: float64, x2: float64}\nquantities: {}\n"
        "feature_sets: {mine: {features: [x0, x1, x2], plane: [x0, x1]}}\nfeatures: mine\n"
    )
    return folder


def test_a_detector_that_cannot_be_trained_is_left_out_and_the_others_vote(
    alike: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {"sample": str(alike / "alike.npy"), "schema": str(alike / "alike.yaml")}
    results = start(tmp_path / "both", detectors="isolation_forest,elliptic_envelope", **options)
    reason = "more than half of the 1000 training events are alike in all features"
    assert f"left out: elliptic_envelope: {reason}" in capsys.readouterr().err
    record = read_json(results / "run.json")
    assert record["left_out_detectors"].keys() == {"elliptic_envelope"}
    assert record["left_out_detectors"]["elliptic_envelope"].startswith(reason)
    assert (record["ensemble"], record["min_votes"]) == (["isolation_forest"], 1)
    assert record["detectors"]["isolation_forest"]["flagged"] == 50
    # What scores with these models says it too.
    again = start(tmp_path / "again", models=str(results / "models"), **options)
    assert read_json(again / "run.json")["left_out_detectors"] == record["left_out_detectors"]
    with pytest.raises(TrainingError, match=f"elliptic_envelope: {reason}") as caught:
        start(tmp_path / "alone", detectors="elliptic_envelope", **options)
    assert exit_code(caught.value) == 3


def test_one_feature_alone_has_no_plane(alike: Path, tmp_path: Path) -> None:
    options = {"sample": str(alike / "alike.npy"), "schema": str(alike / "alike.yaml"), "features": "x1"}
    results = start(tmp_path / "one", detectors="isolation_forest", **options)
    record, X = read_json(results / "run.json"), np.load(alike / "alike.npy")[:, 1:2].astype(np.float32).astype(float)
    assert [feature["name"] for feature in record["features"]] == ["x1"]
    events = read_events(results)
    assert agrees(events["score_isolation_forest"], -forest_of(X).score_samples(X)) >= 0.9995
    with uproot.open(results / "histograms.root") as file:
        assert not [key for key in file.keys() if key.startswith("planes/")]  # noqa: SIM118
        assert file["features/x1"].values(flow=True).sum() == 1000
