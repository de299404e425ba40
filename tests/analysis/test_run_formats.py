"""The main job from end to end on every format: what it writes, against independent calculations on the same files."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot
from numpy.typing import NDArray
from sklearn.covariance import EllipticEnvelope
from sklearn.ensemble import IsolationForest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from analysis.configuration import RunConfiguration
from analysis.errors import ConfigurationError
from analysis.options import load_configuration
from analysis.run import run
from analysis.steps.own_models import are_own
from models.errors import TrainingError
from models.folder import read_model_folder
from rdf.errors import SchemaError, UnknownFeature
from rdf.schema.model import load_schema
from tests.conftest import cache_apart, draw_nothing
from tests.macros.graph.test_rows import lots_of
from tests.rdf import reference

pytestmark = pytest.mark.compiler

Columns = dict[str, NDArray[Any]]

LEPTONS = ("mll", "pt_ll", "delta_r_ll", "delta_phi_ll", "lepton_pt_sum")
DILEPTON = (
    *LEPTONS,
    "MET",
    "MET_over_ST",
    "MET_over_pt_ll",
    "transverse_mass",
    "HT",
    "centrality",
    "n_jets",
    "n_leptons",
)
LEPTONS_ONLY = (*LEPTONS, "centrality", "n_leptons")
NEEDS_MORE = ("MET", "MET_over_ST", "MET_over_pt_ll", "transverse_mass", "HT", "n_jets")
RAZOR = ("MR", "Rsq", "HT", "MET", "pt1", "pt2", "MET_over_HT", "pt_ratio")
LHCO = ("mjj", "mj_min", "delta_mj", "tau21_light", "tau21_heavy")

MY_SCHEMA = """
title: two muons a line, as I have them
tree: lines
columns: {Run: uint32, Event: uint64, pt1: float64, eta1: float64, phi1: float64, Q1: int32,
          pt2: float64, eta2: float64, phi2: float64, Q2: int32}
quantities:
  run: {expression: Run}
  event: {expression: Event}
  lepton_pt: {expression: "ROOT::RVec<double>{pt1, pt2}", unit: GeV}
  lepton_eta: {expression: "ROOT::RVec<double>{eta1, eta2}"}
  lepton_phi: {expression: "ROOT::RVec<double>{phi1, phi2}", unit: rad}
  lepton_mass: {expression: "ROOT::RVec<double>(2, 0.1056583755)", unit: GeV}
  lepton_charge: {expression: "ROOT::RVec<int>{Q1, Q2}"}
  lepton_flavour: {expression: "ROOT::RVec<int>(2, 13)"}
define:
  imbalance: {expression: (lepton1_pt - lepton2_pt) / lepton_pt_sum, title: "(p_{T,1} - p_{T,2}) / #Sigma p_{T}"}
feature_sets:
  mine: {features: [mll, pt_ll, imbalance], plane: [mll, imbalance]}
features: mine
"""


def lhco(path: Path) -> Columns:
    """The features in GeV; rows are the events' numbers."""
    table = np.load(path)
    return {name: table[:, i] * (1000 if i < 3 else 1) for i, name in enumerate(LHCO)}


def my_muons(path: Path) -> Columns:
    columns = reference.muons_csv(path, 2)
    imbalance = (columns["lepton1_pt"] - columns["lepton2_pt"]) / columns["lepton_pt_sum"]
    return {**columns, "imbalance": imbalance}


@dataclass(frozen=True)
class Case:
    """A run, the files that it reads, and the independent calculation for each of them.

    `lacking` are the kinds of objects whose identification the files lack.
    """

    options: dict[str, str]
    files: tuple[str, ...]
    calculate: Callable[[Path], Columns]
    features: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    objects: Callable[[Path], reference.Events] | None = None
    lacking: list[str] = field(default_factory=list)


CASES = {
    "ATLAS 2020": Case(
        {"sample": "atlas2020_4lep"},
        tuple(f"atlas2020/data_{period}.4lep.root" for period in "ABC"),
        reference.atlas2020,
        DILEPTON,
    ),
    "ATLAS 2025": Case(
        {"sample": "atlas2025_4lep_period_d"},
        ("atlas2025/ODEO_FEB2025_v0_exactly4lep_data15_periodD.exactly4lep.root",),
        reference.atlas2025,
        DILEPTON,
        objects=reference.atlas2025_objects,
    ),
    "NanoAOD": Case(
        {"sample": "{opendata}/cmsnano/NanoAODv5_sample.root", "schema": "cms_nanoaod"},
        ("cmsnano/NanoAODv5_sample.root",),
        reference.nanoaod,
        RAZOR,
        objects=reference.nanoaod_objects,
    ),
    "RNTuple of muons": Case(
        {"sample": "cms2012_dimuon_1000"},
        ("cmsnano/Run2012BC_DoubleMuParked_Muons_1000evts_rntuple_v1-0-0-0.root",),
        reference.nanoaod,
        LEPTONS_ONLY,
        (*NEEDS_MORE,),
        reference.nanoaod_objects,
        ["muons"],
    ),
    "dimuon CSV": Case(
        {"sample": "zmumu2011"},
        ("cmscsv/Zmumu_Run2011A.csv",),
        lambda path: reference.muons_csv(path, 2),
        LEPTONS_ONLY,
        (*NEEDS_MORE,),
    ),
    "LHC Olympics": Case({"sample": "lhco_test"}, ("lhco/innerdata_test.npy",), lhco, LHCO),
    "a user's own schema": Case(
        {"sample": "{opendata}/cmscsv/Ymumu.csv", "schema": "{folder}/my_schema.yaml"},
        ("cmscsv/Ymumu.csv",),
        my_muons,
        ("mll", "pt_ll", "imbalance"),
    ),
}


@pytest.fixture(autouse=True)
def _apart(opendata: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let runs convert into a cache of their own; what figures look like does not depend on the format."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache_apart(tmp_path_factory.mktemp("cache"))))
    draw_nothing(monkeypatch)


def start(options: dict[str, str], opendata: Path, folder: Path) -> Path:
    """Run, with the isolation forest only unless other detectors are named, and return the folder of the results."""
    (folder / "my_schema.yaml").write_text(MY_SCHEMA)
    options = options if "models" in options else {"detectors": "isolation_forest"} | options
    filled = {
        key: value.replace("{opendata}", str(opendata)).replace("{folder}", str(folder))
        for key, value in options.items()
    }
    results = folder / "results"
    run(load_configuration(RunConfiguration, {**filled, "output": str(results)}, None), "test")
    return results


def written(results: Path) -> Columns:
    with uproot.open(results / "events.root") as file:
        arrays = file["events"].arrays()
    return {name: ak.to_numpy(arrays[name]) for name in arrays.fields}


def expected_columns(case: Case, opendata: Path) -> Columns:
    """The reference of all files, with row numbers where there are no event numbers, in the order of training.

    That is the order of the rows of a table, and of the event numbers of a tree.
    """
    parts = [case.calculate(opendata / file) for file in case.files]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    events = len(columns[case.features[0]])
    columns.setdefault("run", np.zeros(events, dtype=np.uint64))
    columns.setdefault("luminosityBlock", np.zeros(events, dtype=np.uint64))
    columns.setdefault("event", np.arange(events, dtype=np.uint64))
    if case.files[0].endswith(".root"):
        order = np.lexsort([columns[name] for name in ("event", "luminosityBlock", "run")])
        columns = {name: values[order] for name, values in columns.items()}
    return columns


def features_of(columns: Columns, names: Sequence[str]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        return np.stack([columns[name].astype(np.float32) for name in names], axis=1)


def noise_filters(case: Case, opendata: Path) -> tuple[list[str], list[str]]:
    """Those of the schema that a file has, all of whose events pass them, and those that it lacks."""
    if case.calculate is not reference.nanoaod:
        return [], []
    with uproot.open(opendata / case.files[0]) as file:
        has = {name: name in file["Events"].keys() for name in load_schema("cms_nanoaod").filters}  # noqa: SIM118
        assert all(np.all(file["Events"][name].array()) for name in has if has[name])
    return [name for name in has if has[name]], [name for name in has if not has[name]]


@pytest.mark.parametrize("name", CASES)
def test_runs_from_end_to_end(name: str, opendata: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = CASES[name]
    results = start(case.options, opendata, tmp_path)
    record = json.loads((results / "run.json").read_text())
    assert set(record["left_out"]) == set(case.left_out)
    # What the feature set loses is told on the console and in run.json, in a sentence that names it.
    told = capsys.readouterr().err.splitlines()
    said = [line.removeprefix("warning: ") for line in told if line.startswith("warning: ")]
    assert said == [warning["sentence"] for warning in record["warnings"] if warning["kind"] == "schema"]
    demanded, lacking = noise_filters(case, opendata)
    lost = f"without {', '.join(record['left_out'])}: "
    unidentified = [line.partition(" are selected without ")[0] for line in said if "selected without" in line]
    assert unidentified == case.lacking
    others = [line for line in said if "selected without" not in line]
    assert [lost in line or ", ".join(lacking) in line for line in others] == [True] * (
        bool(case.left_out) + bool(lacking)
    )

    expected = expected_columns(case, opendata)
    X = features_of(expected, case.features)
    finite = np.isfinite(X).all(axis=1)
    # What is the same in all events is recorded, but teaches nothing.
    constant = {f: X[finite][0, i] for i, f in enumerate(case.features) if not np.ptp(X[finite][:, i])}
    learned = tuple(feature for feature in case.features if feature not in constant)
    assert tuple(feature["name"] for feature in record["features"]) == learned
    assert set(constant) <= {feature["name"] for feature in record["observables"]}
    said = [line for line in told if line.startswith("not learned from")]
    assert said == [
        f"not learned from: {feature}, which is {value:g} in all training events" for feature, value in constant.items()
    ]
    assert record["cutflow"] == [
        {"name": "all", "events": len(X)},
        *[{"name": "filters", "events": len(X)}] * bool(demanded),
        {"name": "finite", "events": int(finite.sum())},
    ]
    assert record["non_finite"] == {
        feature: int((~np.isfinite(X[:, i])).sum()) for i, feature in enumerate(case.features) if feature in learned
    }

    events = written(results)
    # Event numbers of a table need not be unique: the features decide between equals, in both in the same way.
    found_order = np.lexsort([*features_of(events, case.features).T, events["event"], events["run"]])
    order = np.lexsort([*X[finite].T, expected["event"][finite], expected["run"][finite]])
    np.testing.assert_array_equal(events["event"][found_order], expected["event"][finite][order])
    np.testing.assert_array_equal(events["run"][found_order], expected["run"][finite][order])
    np.testing.assert_allclose(features_of(events, case.features)[found_order], X[finite][order], rtol=1e-5, atol=1e-6)

    forest = make_pipeline(StandardScaler(), IsolationForest(contamination=0.05, random_state=42))
    inputs = features_of(expected, learned)[finite]
    forest.fit(inputs)
    scores = -forest.score_samples(inputs)[order]
    found = events["score_isolation_forest"][found_order]
    assert np.mean(np.abs(found - scores) < 1e-5 * np.ptp(scores)) >= 0.99
    assert np.corrcoef(found, scores)[0, 1] > 0.9999
    flagged = forest.predict(inputs)[order] == -1
    assert np.count_nonzero(events["flag_isolation_forest"][found_order] != flagged) <= 0.005 * flagged.sum() + 1

    with uproot.open(results / "histograms.root") as file:
        for feature in case.features:
            contents = file[f"features/{feature}"].values(flow=True)
            edges = file[f"features/{feature}"].axis().edges()
            inside, _ = np.histogram(events[feature], edges)
            assert contents.sum() == finite.sum()
            assert contents[1:-1].tolist() == inside.tolist()

    assert (results / "objects.json").exists() == (name != "LHC Olympics")
    if case.objects:
        check_objects(results, events, case.objects(opendata / case.files[0]))


def check_objects(results: Path, events: Columns, objects: reference.Events) -> None:
    """Compare the objects of the ten most anomalous events with the file's."""
    ids = ("run", "luminosityBlock", "event")
    scores = (-events[name] for name in ("score_isolation_forest", "score_ensemble"))
    top = np.lexsort([*(events[name] for name in ids[::-1]), *scores])[:10]
    shown = json.loads((results / "objects.json").read_text())["events"]
    assert [event["place"] for event in shown] == list(range(1, 11))
    assert [[event[name] for name in ids] for event in shown] == [[events[name][i] for name in ids] for i in top]
    assert [event["score_ensemble"] for event in shown] == pytest.approx(events["score_ensemble"][top].tolist())
    for event in shown:
        # Events without numbers are named by their row.
        same = [of_all == event[name] for name, of_all in objects.ids.items()] or [np.arange(10**4) == event["event"]]
        (row,) = np.flatnonzero(np.all(same, axis=0))
        for kind, expected in (("jets", objects.jets), ("leptons", objects.leptons)):
            assert (kind in event) == (expected is not None)
            if expected is not None:
                compare_objects(event[kind], expected[row])
        assert ("met" in event) == (objects.met is not None)
        if objects.met is not None:
            compare_objects([event["met"]], objects.met[row : row + 1])
        assert "megajets" not in event


def compare_objects(found: list[dict[str, float]], expected: ak.Array) -> None:
    assert len(found) == len(expected)
    parts = [part for part in ("pt", "phi", "eta", "charge", "flavour") if found and part in found[0]]
    assert not found or parts[:2] == ["pt", "phi"]
    for part in parts:
        numbers = ak.to_numpy(getattr(expected, part)).astype(float)
        assert [one[part] for one in found] == pytest.approx(numbers.tolist(), rel=1e-5, abs=1e-6), part


UNSUPERVISED = ("isolation_forest", "autoencoder", "one_class_svm", "elliptic_envelope")


def by_scikit_learn(training: NDArray[np.float32], X: NDArray[np.float32]) -> Columns:
    """The scores of X by scikit-learn's own detectors, and for each the 95 % quantile of its training scores."""
    scaler = StandardScaler().fit(training.astype(float))
    learned, scaled = (scaler.transform(events.astype(float)) for events in (training, X))
    forest = IsolationForest(random_state=42).fit(learned)
    machine = OneClassSVM(nu=0.05, gamma="scale").fit(learned)
    envelope = EllipticEnvelope(random_state=42).fit(learned)
    methods = {
        "isolation_forest": forest.score_samples,
        "one_class_svm": machine.decision_function,
        "elliptic_envelope": envelope.score_samples,
    }
    return {name: np.append(-method(scaled), np.quantile(-method(learned), 0.95)) for name, method in methods.items()}


def check_scores(events: Columns, expected: Columns) -> None:
    for name, (*scores, threshold) in expected.items():
        score, flag = events[f"score_{name}"], events[f"flag_{name}"]
        assert np.mean(np.abs(score - scores) < 1e-5 * np.ptp(scores)) >= 0.9995, name
        flagged = np.array(scores) > threshold
        assert np.count_nonzero(flag != flagged) <= max(1, 0.005 * flagged.sum()), name


@pytest.mark.filterwarnings("ignore:Determinant has increased:RuntimeWarning")
def test_all_detectors_on_an_atlas_sample(opendata: Path, tmp_path: Path) -> None:
    """Of all objects in the file: four leptons an event, identified or not."""
    case = CASES["ATLAS 2025"]
    results = start({**case.options, "detectors": ",".join(UNSUPERVISED), "objects": "none"}, opendata, tmp_path)
    record = json.loads((results / "run.json").read_text())
    assert (record["objects"], record["overlap"], record["configuration"]["objects"]) == ({}, [], "none")
    columns = expected_columns(
        replace(case, calculate=lambda path: reference.atlas2025(path, reference.EVERY_OBJECT)), opendata
    )
    learned = [name for name in case.features if name != "n_leptons"]
    X = features_of(columns, learned)
    finite = np.isfinite(X).all(axis=1)
    events = written(results)
    order = np.lexsort([events["event"], events["run"]])
    events = {name: values[order] for name, values in events.items()}
    np.testing.assert_array_equal(events["event"], columns["event"][finite])
    check_scores(events, by_scikit_learn(X[finite], X[finite]))
    for name in UNSUPERVISED:
        assert abs(events[f"flag_{name}"].mean() - 0.05) <= 0.001


def test_all_detectors_on_training_events_that_were_drawn(opendata: Path, tmp_path: Path) -> None:
    """5,000 of 60,000: those whose lots are least, by the generator written down in Python."""
    options = {"sample": "lhco_train", "detectors": ",".join(UNSUPERVISED), "train_events": "5000"}
    results = start(options, opendata, tmp_path)
    X = features_of(lhco(opendata / "lhco" / "innerdata_train.npy"), LHCO)
    ids = np.zeros((len(X), 4), dtype=np.uint64)  # row, run, luminosityBlock, event
    ids[:, 0] = ids[:, 3] = np.arange(len(X))
    lots = lots_of(42, ids, X[:, :0])
    drawn = sorted(sorted(range(len(X)), key=lots.__getitem__)[:5_000])
    events = written(results)
    order = np.argsort(events["event"])
    check_scores({name: values[order] for name, values in events.items()}, by_scikit_learn(X[drawn], X))
    training = json.loads((results / "models" / "models.json").read_text())["training"]
    assert (training["train_events"], training["events"]) == (5_000, 5_000)
    assert [(sample["entries"], sample["events"]) for sample in training["samples"]] == [([0, 60_000], 60_000)]


def test_a_constant_feature_is_refused_if_it_was_asked_for(opendata: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="the feature n_leptons is 4 in all 3424 training events; leave it out of"):
        start({"sample": "atlas2025_4lep_period_d", "features": "mll,n_leptons", "objects": "none"}, opendata, tmp_path)
    assert not any((tmp_path / "results").iterdir())


def test_features_that_need_jets_are_refused_by_name_if_they_were_asked_for(opendata: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownFeature, match="'HT', 'n_jets' need objects that this sample does not have"):
        start({"sample": "cms2012_dimuon_1000", "features": "mll,HT,n_jets"}, opendata, tmp_path)
    assert not (tmp_path / "results").exists() or not any((tmp_path / "results").iterdir())


def test_own_columns_and_selection_and_models_that_remember_them(opendata: Path, tmp_path: Path) -> None:
    options = {
        "sample": "nano_ttbar_v12",
        "features": "HT,lead",
        "define": '{lead: {expression: "jet_pt[0] / HT", title: "p_{T}^{j1} / H_{T}"}}',
        "objects": "{jet: {pt: 50, eta: 2}}",
        "overlap": "none",
    }
    first = start(options, opendata, tmp_path)
    events = written(first)

    file = opendata / "cmsnano" / "nano_tt_v12.root"
    with uproot.open(file) as root:
        branches = root["Events"].arrays(["Jet_pt", "Jet_eta", "Jet_jetId", "event"])
    kept = branches.Jet_pt[(branches.Jet_pt > 50) & (abs(branches.Jet_eta) < 2) & (branches.Jet_jetId >= 2)]
    HT = ak.to_numpy(ak.sum(ak.values_astype(kept, np.float64), axis=1))
    lead = ak.to_numpy(ak.fill_none(ak.max(ak.values_astype(kept, np.float64), axis=1), np.nan))
    some = HT > 0
    order, expected = np.argsort(events["event"]), np.argsort(ak.to_numpy(branches.event)[some])
    np.testing.assert_allclose(events["HT"][order], HT[some][expected], rtol=1e-6)
    np.testing.assert_allclose(events["lead"][order], (lead[some] / HT[some])[expected], rtol=1e-6)

    assert are_own(read_model_folder(first / "models").sha256)

    again = tmp_path / "again"
    again.mkdir()
    second = written(start({"sample": "nano_ttbar_v12", "models": str(first / "models")}, opendata, again))
    for name, values in events.items():
        np.testing.assert_array_equal(second[name][np.argsort(second["event"])], values[order], err_msg=name)

    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(ConfigurationError, match="--objects: with --models it is what the models were trained with"):
        start(
            {"sample": "nano_ttbar_v12", "models": str(first / "models"), "objects": "{jet: {pt: 30}}"}, opendata, other
        )


def test_variations_leave_the_nominal_results_as_they_are(opendata: Path, tmp_path: Path) -> None:
    folders = {}
    for key, options in {"plain": {}, "varied": {"vary": "jes,met"}}.items():
        folders[key] = tmp_path / key
        folders[key].mkdir()
        folders[key] = start({"sample": "cms2010b", **options}, opendata, folders[key])
    plain, varied = written(folders["plain"]), written(folders["varied"])
    order, other = (np.lexsort([events["event"], events["run"]]) for events in (plain, varied))
    for name, values in plain.items():
        np.testing.assert_array_equal(varied[name][other], values[order], err_msg=name)

    # With MET as it is, MR, HT, pt1 and pt2 grow by the scale of the megajets, and Rsq = MTR^2 / MR^2 shrinks by it.
    record = json.loads((folders["varied"] / "run.json").read_text())
    columns = reference.razor_csv(opendata / "cms2010b" / "MultiJetRun2010B.csv")
    X = features_of(columns, RAZOR)
    forest = make_pipeline(StandardScaler(), IsolationForest(contamination=0.05, random_state=42)).fit(X)
    for side, scale in (("up", 1.03), ("nominal", 1.0), ("down", 0.97)):
        powers = {"MR": 1, "Rsq": -1, "HT": 1, "pt1": 1, "pt2": 1, "MET_over_HT": -1}
        scaled = {name: columns[name] * scale ** powers.get(name, 0) for name in RAZOR}
        flagged = int((forest.predict(features_of(scaled, RAZOR)) == -1).sum())
        counts = record["variations"]["jes"][side]
        assert counts["selected"] == len(X)
        assert abs(counts["flagged"]["isolation_forest"] - flagged) <= 1
        assert counts["anomalous"] == counts["flagged"]["isolation_forest"]
        with uproot.open(folders["varied"] / "histograms.root") as file:
            path = "features/MR" if side == "nominal" else f"variations/jes_{side}/features/MR"
            histogram = file[path]
        filled, _ = np.histogram(scaled["MR"].astype(np.float32), histogram.axis().edges())
        assert np.abs(histogram.values() - filled).sum() <= 2  # an event at an edge


def test_a_variation_of_what_is_not_there_is_refused(opendata: Path, tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="--vary jes: nothing of what is recorded depends on the jet energy scale"):
        start({"sample": "zmumu2011", "vary": "jes"}, opendata, tmp_path)
