"""Events with weights: what a run fills, counts and writes of them against numpy, and what merges and is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot
import yaml
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from analysis import load_models, simulate
from analysis.batch import inspect_sample
from analysis.configuration import EvaluationConfiguration, RunConfiguration
from analysis.errors import ConfigurationError, DamagedPart
from analysis.evaluate import evaluate
from analysis.options import load_configuration
from analysis.output.merging import merge_parts
from analysis.run import run
from tests.analysis.output.contents import bins
from tests.analysis.same_results import assert_same_results, scored_events
from tests.rdf import reference

pytestmark = [pytest.mark.compiler, pytest.mark.usefixtures("apart")]

Array = NDArray[np.float64]

PRODUCTION = {"cross_section": 831.8, "k_factor": 1.1, "filter_efficiency": 0.5, "sum_of_weights": 4.1e7}
LUMINOSITY = 2.3
FACTOR = 1000 * LUMINOSITY * 831.8 * 1.1 * 0.5 / 4.1e7
RANGES = ((0, 70), (70, 71), (71, 200))
DETECTORS = ("isolation_forest", "elliptic_envelope")


@pytest.fixture(scope="module")
def path(opendata: Path) -> Path:
    return opendata / "cmsnano" / "nanoAOD_2015_CMS_Open_Data_ttbar.root"


@pytest.fixture(scope="module")
def sample(path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    keys = {"schema": "cms_nanoaod", "simulated": True, "files": [{"path": str(path), "events": 200}]}
    written = tmp_path_factory.mktemp("sample") / "ttbar.yaml"
    written.write_text(yaml.safe_dump({**keys, **PRODUCTION}))
    return written


def start(sample: Path, output: Path, **options: Any) -> Path:
    given = {"sample": str(sample), "output": str(output), "luminosity": LUMINOSITY, "filters": "none", **options}
    run(load_configuration(RunConfiguration, given, None), "test")
    return output


@pytest.fixture(scope="module")
def weighted(apart: None, sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    options = {"features": ["HT", "MET"], "select": {"hard": "MET_pt > 20"}, "vary": "jes", "threads": 2}
    output = tmp_path_factory.mktemp("weights") / "run"
    return start(sample, output, detectors=",".join(DETECTORS), threshold={"contamination": 0.2}, **options)


def record(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "run.json").read_text())
    return found


@pytest.fixture(scope="module")
def events(weighted: Path) -> dict[str, NDArray[Any]]:
    return scored_events(weighted)


def test_a_weight_is_that_of_the_file_normalised_to_the_luminosity(
    weighted: Path, events: dict[str, NDArray[Any]], path: Path
) -> None:
    with uproot.open(path) as file:
        stored = file["Events"].arrays(["event", "genWeight"], library="np")
    assert (stored["genWeight"] < 0).sum() == 26
    weights = dict(zip(stored["event"].tolist(), stored["genWeight"].astype(float) * FACTOR, strict=True))
    assert events["weight"].dtype == np.float64
    expected = [weights[number] for number in events["event"].tolist()]
    np.testing.assert_allclose(events["weight"], expected, rtol=1e-14)
    assert list(events)[:4] == ["run", "luminosityBlock", "event", "weight"]
    said = record(weighted)["weights"]
    assert said.pop("factor") == pytest.approx(FACTOR, rel=1e-14)
    assert said == {
        "expression": "genWeight",
        "per_event": None,
        "luminosity": LUMINOSITY,
        "sum_of_weights": PRODUCTION["sum_of_weights"],
    }
    assert {name: record(weighted)["sample"][name] for name in PRODUCTION} == PRODUCTION


def test_the_cutflow_has_events_and_weights(weighted: Path, path: Path) -> None:
    with uproot.open(path) as file:
        weights = file["Events"]["genWeight"].array(library="np").astype(float) * FACTOR
        hard = file["Events"]["MET_pt"].array(library="np") > 20
    assert 100 < hard.sum() < 200
    cuts = record(weighted)["cutflow"]
    for cut, name, passed in zip(cuts, ("all", "hard", "finite"), (hard | True, hard, hard), strict=True):
        assert (cut["name"], cut["events"], cut["negative"]) == (name, passed.sum(), (weights[passed] < 0).sum())
        assert cut["weighted"] == pytest.approx(weights[passed].sum(), rel=1e-12)
    with uproot.open(weighted / "histograms.root") as file:
        histogram = file["cutflow/weighted"]
        assert histogram.axis().labels() == file["cutflow/negative"].axis().labels() == ["all", "hard", "finite"]
        assert histogram.values().tolist() == [cut["weighted"] for cut in cuts]
        squares = [(weights[passed] ** 2).sum() for passed in (hard | True, hard, hard)]
        np.testing.assert_allclose(histogram.variances(), squares, rtol=1e-12)
        assert file["cutflow/negative"].values().tolist() == [cut["negative"] for cut in cuts]
        assert file["cutflow/cutflow"].values().tolist() == [cut["events"] for cut in cuts]
        assert file["cutflow/non_finite"].axis().labels() == ["HT", "MET", "weight"]


def spectrum(histogram: Any, values: NDArray[Any], weights: Array) -> None:
    """Compare a histogram, with its flows, with numpy's sums of weights and of their squares."""
    edges = histogram.axis().edges(flow=True)
    for found, of in ((histogram.values(flow=True), weights), (histogram.variances(flow=True), weights**2)):
        place = np.searchsorted(edges[1:-1], values.astype(float), side="right")
        np.testing.assert_allclose(found, np.bincount(place, of, len(edges) - 1), rtol=1e-12, atol=1e-12)
    assert histogram.member("fEntries") == len(values)


def test_histograms_are_sums_of_weights_with_their_squares(weighted: Path, events: dict[str, NDArray[Any]]) -> None:
    weights, flagged = events["weight"], events["flag_ensemble"].astype(bool)
    assert (weights[flagged] < 0).any()
    kinds = {"": flagged | True, "normal/": ~flagged, "anomalous/": flagged}
    with uproot.open(weighted / "histograms.root") as file:
        for part, of in kinds.items():
            for name in ("HT", "MET"):
                spectrum(file[f"features/{part}{name}"], events[name][of], weights[of])
            X = np.column_stack([np.ones(of.sum()), events["HT"][of], events["MET"][of]])
            moments = file[f"moments/{(part or 'all/')[:-1]}"]
            np.testing.assert_allclose(moments.values(), X.T @ (X * weights[of, None]), rtol=1e-12)
            plane = file[f"planes/{part}HT_MET"]
            edges = [axis.edges() for axis in plane.axes]
            x, y = (events[name][of].astype(float) for name in ("HT", "MET"))
            for found, power in ((plane.values(), 1), (plane.variances(), 2)):
                expected = np.histogram2d(x, y, edges, weights=weights[of] ** power)[0]
                np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
        for name in ("ensemble", *DETECTORS):
            spectrum(file[f"scores/score_{name}"], events[f"score_{name}"], weights)
        spectrum(file["agreement/votes_weighted"], events["votes"], weights)
        assert file["agreement/votes"].values().tolist() == np.bincount(events["votes"], minlength=3).tolist()
        flags = np.column_stack([events[f"flag_{name}"] for name in DETECTORS]).astype(float)
        both = file["agreement/flagged_weighted"].values()
        np.testing.assert_allclose(both, flags.T @ (flags * weights[:, None]), rtol=1e-12)
        assert file["agreement/flagged"].values().tolist() == (flags.T @ flags).tolist()


def test_means_of_scores_are_weighted(weighted: Path, events: dict[str, NDArray[Any]]) -> None:
    with uproot.open(weighted / "histograms.root") as file:
        profile = file["planes/score_isolation_forest_HT_MET"]
        edges = [axis.edges(flow=True) for axis in profile.axes]
        x, y = (
            np.searchsorted(of[1:-1], events[name].astype(float), side="right")
            for of, name in zip(edges, ("HT", "MET"), strict=True)
        )
        bins_of_events, size = x + (len(edges[0]) - 1) * y, (len(edges[0]) - 1) * (len(edges[1]) - 1)
        weights, score = events["weight"], events["score_isolation_forest"].astype(float)
        expected = {
            "fBinEntries": weights,
            "fBinSumw2": weights**2,
            "fSumw2": weights * score**2,
        }
        for member, of in expected.items():
            found = np.asarray(profile.member(member))
            np.testing.assert_allclose(found, np.bincount(bins_of_events, of, size), rtol=1e-12, atol=1e-12)
        assert profile.member("fEntries") == len(weights)


def test_a_varied_scale_moves_weights(weighted: Path, path: Path) -> None:
    with uproot.open(path) as file:
        weights = file["Events"]["genWeight"].array(library="np").astype(float) * FACTOR
        hard = file["Events"]["MET_pt"].array(library="np") > 20
    with uproot.open(weighted / "histograms.root") as file:
        for direction, scale in (("up", 1.03), ("down", 0.97)):
            ht = ak.sum(reference.nanoaod_objects(path, scale).jets.pt, axis=1).to_numpy().astype(np.float32)
            spectrum(file[f"variations/jes_{direction}/features/HT"], ht[hard], weights[hard])


def test_counts_are_of_events_and_means_of_weights(weighted: Path, events: dict[str, NDArray[Any]]) -> None:
    flagged, found = events["flag_ensemble"].astype(bool), record(weighted)
    assert found["counts"]["anomalous"] == flagged.sum()
    assert found["agreement"]["votes"] == np.bincount(events["votes"], minlength=3).tolist()
    nominal = found["variations"]["jes"]["nominal"]
    assert (nominal["selected"], nominal["anomalous"]) == (len(flagged), flagged.sum())
    for kind, of in (("normal", ~flagged), ("anomalous", flagged)):
        expected = np.average(events["MET"][of].astype(float), weights=events["weight"][of])
        assert found["means"]["MET"][kind] == pytest.approx(expected, rel=1e-12)


def test_parts_merge_to_the_last_bit(weighted: Path, sample: Path, tmp_path: Path) -> None:
    """In whatever parts, those of a merge among them; and the file of the batch's jobs is another one."""
    options = {"models": str(weighted / "models"), "vary": "jes"}
    parts = [start(sample, tmp_path / f"part{a}", entries=[a, b], **options) for a, b in RANGES]
    assert "remainders/planes/score_ensemble_HT_MET" in bins(parts[0])
    merge_parts(parts[1:], tmp_path / "two", "test", as_part=True)
    merge_parts([tmp_path / "two", parts[0]], tmp_path / "merged", "test")
    assert_same_results(tmp_path / "merged", weighted, at_least=100)
    found, expected = bins(tmp_path / "merged"), bins(weighted)
    assert found == expected
    merged = record(tmp_path / "merged")
    for key in ("cutflow", "non_finite", "means", "variations", "agreement", "weights", "counts"):
        assert merged[key] == record(weighted)[key], key
    other = start(sample, tmp_path / "other", entries=[71, 200], **{**options, "luminosity": 4})
    with pytest.raises(DamagedPart, match=r"is of another sample than .*luminosity"):
        merge_parts([parts[0], parts[1], other], tmp_path / "bad", "test")


def test_a_file_that_says_its_sum_of_weights(weighted: Path, tmp_path: Path) -> None:
    """NanoAOD has it in the tree Runs; jobs of a batch, which open some of the files alone, are told it."""
    simulate.main(["qcd", "--events", "500", "--format", "ttree", "-o", str(tmp_path / "qcd.root")])
    with uproot.update(tmp_path / "qcd.root") as file:
        file["Runs"] = {"genEventSumw": np.array([1.5e7, 2.5e7])}
    sample, models = tmp_path / "qcd.yaml", weighted / "models"
    keys = {"schema": "cms_nanoaod", "cross_section": 10.0, "luminosity": 3.0, "files": [{"path": "qcd.root"}]}
    sample.write_text(yaml.safe_dump(keys))
    whole = start(sample, tmp_path / "whole", models=str(models), luminosity=None)
    said = record(whole)
    assert said["weights"]["expression"] is None
    assert said["weights"]["factor"] == pytest.approx(1000 * 3 * 10 / 4e7, rel=1e-15)
    assert said["sample"]["sum_of_weights"] == said["weights"]["sum_of_weights"] == 4e7
    weights = scored_events(whole)["weight"]
    assert set(weights) == {said["weights"]["factor"]}
    assert said["cutflow"][-1]["weighted"] == pytest.approx(weights.sum(), rel=1e-12)
    configuration = load_configuration(RunConfiguration, {"sample": str(sample), "models": str(models)}, None)
    (tmp_path / "jobs").mkdir()
    told = inspect_sample(configuration).write(tmp_path / "jobs")
    assert yaml.safe_load(told.read_text())["sum_of_weights"] == 4e7


def test_without_weights_the_results_are_those_of_events(
    weighted: Path, sample: Path, path: Path, tmp_path: Path
) -> None:
    """Simulated events with --weights false are treated as data are, whose weights count for nothing."""
    options = {"models": str(weighted / "models"), "vary": "jes"}
    without = start(sample, tmp_path / "without", weights=False, **options)
    data = tmp_path / "ttbar.yaml"
    data.write_text(yaml.safe_dump({"schema": "cms_nanoaod", "files": [{"path": str(path)}]}))
    as_data = start(data, tmp_path / "data", **options)
    found, expected = bins(without), bins(as_data)
    assert {path: {**of, "title": of["title"].removeprefix("SIMULATED ")} for path, of in found.items()} == expected
    assert not any("weighted" in name for name in expected)
    events, others = scored_events(without), scored_events(weighted)
    assert list(events) == list(scored_events(as_data)) == [name for name in others if name != "weight"]
    for name, column in events.items():
        np.testing.assert_array_equal(column, others[name], err_msg=name)
    assert "weights" not in record(as_data)
    asked = start(data, tmp_path / "asked", weights=True, **options)
    np.testing.assert_allclose(scored_events(asked)["weight"] * FACTOR, others["weight"], rtol=1e-14)
    assert record(asked)["weights"]["luminosity"] is None
    assert any(
        "not normalised to the luminosity: no cross section" in line["sentence"] for line in record(asked)["warnings"]
    )


def test_weights_that_are_not_there_are_refused(opendata: Path, tmp_path: Path) -> None:
    data = opendata / "cmsnano" / "nano_dimuon.root"
    with pytest.raises(ConfigurationError, match=r"^--weights: .* has no weights: its files lack the column"):
        start(data, tmp_path / "run", schema="cms_nanoaod", weights="true")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, NDArray[Any]]]:
    """A sample file of a table with weights, some of which are no numbers, and the table."""
    folder, random = tmp_path_factory.mktemp("table"), np.random.default_rng(4)
    label = random.integers(0, 2, 3_000)
    sets = {
        **{name: random.normal(label * shift, 1, 3_000) for name, shift in (("x", 1.0), ("y", 0.5))},
        "w": random.lognormal(0, 1, 3_000),
        "label": label,
    }
    sets["w"][[5, 700, 701]] = np.nan, np.inf, -np.inf
    np.savez(folder / "table.npz", **sets)  # type: ignore[arg-type]
    schema = {
        "title": "a table with weights",
        "tree": "events",
        "columns": {name: str(values.dtype) for name, values in sets.items()},
        "quantities": {"weight": {"expression": "w * 2"}, "label": {"expression": "label"}},
        "feature_sets": {"xy": {"features": ["x", "y"], "plane": ["x", "y"]}},
        "features": "xy",
    }
    (folder / "mine.yaml").write_text(yaml.safe_dump(schema))
    files = {"schema": "mine.yaml", "simulated": True, "files": [{"path": "table.npz"}]}
    (folder / "table.yaml").write_text(yaml.safe_dump(files))
    return folder / "table.yaml", sets


def test_an_evaluation_with_weights_and_what_is_not_finite(
    apart: None, table: tuple[Path, dict[str, NDArray[Any]]], tmp_path: Path
) -> None:
    sample, sets = table
    given = {"sample": str(sample), "detectors": "isolation_forest", "output": str(tmp_path)}
    given |= {"threshold": {"contamination": 0.1, "weighted": True}}
    evaluate(load_configuration(EvaluationConfiguration, given, None), "test")
    finite = np.isfinite(sets["w"])
    odd = np.arange(3_000) % 2 == 1
    weights = 2 * sets["w"]
    [tested] = record(tmp_path)["samples"]
    assert [cut["events"] for cut in tested["cutflow"]] == [3_000, 2_997, (finite & odd).sum()]
    sums = [weights[of].sum() for of in (finite, finite, finite & odd)]
    assert [cut["weighted"] for cut in tested["cutflow"]] == pytest.approx(sums, rel=1e-12)
    assert tested["weights"]["expression"] == "w * 2"

    X = np.stack([sets["x"], sets["y"]], axis=1).astype(np.float32)
    said = load_models(tmp_path / "models").score(X)
    scores, flags = said.scores["isolation_forest"], said.flags["isolation_forest"]
    test, training = finite & odd, finite & ~odd & (sets["label"] == 0)
    part = weights[training & flags].sum() / weights[training].sum()
    assert 0.1 - weights[training].max() / weights[training].sum() < part <= 0.1
    found = json.loads((tmp_path / "metrics.json").read_text())["isolation_forest"]
    for name, value in (
        ("auc", roc_auc_score(sets["label"][test], scores[test], sample_weight=weights[test])),
        ("accuracy", np.average(flags[test] == sets["label"][test], weights=weights[test])),
    ):
        assert found[name]["value"] == pytest.approx(value, rel=1e-12), name
    with uproot.open(tmp_path / "events.root") as file:
        stored = file["events"].arrays(["event", "weight"], library="np")
    np.testing.assert_array_equal(stored["weight"], weights[stored["event"].astype(int)])
    with uproot.open(tmp_path / "curves.root") as file:
        signal = file["scores/isolation_forest_signal"]
        of = test & (sets["label"] == 1)
        spectrum(signal, scores[of], weights[of])


def test_thresholds_need_weights_to_go_by_them(table: tuple[Path, dict[str, NDArray[Any]]], tmp_path: Path) -> None:
    options = {"threshold": {"weighted": True}, "weights": False, "detectors": "isolation_forest"}
    with pytest.raises(ConfigurationError, match=r"^--threshold: weighted: the events of table have no weights"):
        start(table[0], tmp_path / "run", **options)
