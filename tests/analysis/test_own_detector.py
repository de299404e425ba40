"""A detector from a file outside of this toolkit, from its registration to events.root."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest

from analysis.configuration import RunConfiguration
from analysis.errors import ConfigurationError
from analysis.options import load_configuration
from analysis.run import run
from analysis.trained import load_models
from models.detectors import registry
from models.detectors.registry import register_detector
from models.errors import ModelFolderError
from rdf.code.sofie import PARITY
from tests.analysis.published import Columns, read_events, read_json
from tests.models.detectors.own import import_own

pytestmark = pytest.mark.compiler

PROJECT = Path(__file__).parents[2]
FEATURES = ("MR", "Rsq", "HT", "MET", "pt1", "pt2", "MET_over_HT", "pt_ratio")


def configured(**options: Any) -> RunConfiguration:
    return load_configuration(RunConfiguration, {"sample": "cms2010b", **options}, None)


@pytest.fixture(scope="module")
def results(apart: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with the detector of a file that lies elsewhere; it is known here and in no other process."""
    folder = tmp_path_factory.mktemp("own")
    options = {
        "output": str(folder / "results"),
        "max_events": 4000,
        "detectors": "isolation_forest,deep_distance",
        "settings": "{deep_distance: {width: 5, epochs: 4}}",
        "threshold": {"deep_distance": {"percentile": 90}},
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "_registered", {})
        register_detector(import_own(folder).DeepDistance)
        run(configured(**options), "test")
    return folder / "results"


@pytest.fixture(scope="module")
def events(results: Path) -> Columns:
    return read_events(results)


def by_numpy(folder: Path, X: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The score as the file defines it, in float64, with the numbers of the exported network."""
    model = onnx.load(folder / "deep_distance.onnx")
    tables = {tensor.name: onnx.numpy_helper.to_array(tensor).astype(float) for tensor in model.graph.initializer}
    scaled = (X - tables["scaling.mean"] - tables["scaling.rest"]) / tables["scaling.scale"]
    hidden = np.tanh(scaled @ tables["net.0.weight"].T + tables["net.0.bias"])
    place = hidden @ tables["net.2.weight"].T + tables["net.2.bias"]
    return ((place - tables["centre"]) ** 2).sum(axis=1)


def test_it_goes_to_the_scored_events(results: Path, events: Columns) -> None:
    X = np.stack([events[name] for name in FEATURES], axis=1).astype(float)
    expected = by_numpy(results / "models", X)
    score = events["score_deep_distance"]
    assert np.abs(score - expected).max() <= 1e-5 * np.ptp(expected)
    record = read_json(results / "run.json")
    said = record["detectors"]["deep_distance"]
    assert said["parity"] <= PARITY * np.ptp(expected)
    assert record["ensemble"] == ["isolation_forest", "deep_distance"]
    # The rule that was asked for: a tenth of the training events, which are all events here.
    assert events["flag_deep_distance"].sum() == pytest.approx(400, abs=2)
    np.testing.assert_array_equal(events["flag_deep_distance"], score > said["threshold"])
    less = np.searchsorted(np.sort(score), score) / len(score)
    np.testing.assert_allclose(events["rank_deep_distance"], less, atol=1e-3)
    np.testing.assert_allclose(
        events["score_ensemble"], (events["rank_deep_distance"] + events["rank_isolation_forest"]) / 2, atol=1e-6
    )


def test_its_settings_and_its_training_are_written_down(results: Path) -> None:
    entry = read_json(results / "models" / "models.json")["detectors"]["deep_distance"]
    assert entry["settings"] == {"width": 5, "epochs": 4}
    assert entry["rule"] == {"percentile": 90}
    history = read_json(results / "run.json")["history"]["deep_distance"]
    assert len(history) == 1
    assert len(history[0]["training"]) == 4
    assert history[0]["training"] == sorted(history[0]["training"], reverse=True)


def test_its_events_have_reasons_by_occlusion(results: Path) -> None:
    with (results / "anomalies.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    found = np.array([[float(row[f"why_deep_distance_{name}"]) for name in FEATURES] for row in rows])
    X = np.array([[float(row[name]) for name in FEATURES] for row in rows])
    folder = results / "models"
    training = np.stack([read_events(results)[name] for name in FEATURES], axis=1).astype(float).mean(axis=0)
    lost = np.empty_like(X)
    for i in range(len(FEATURES)):
        without = X.copy()
        without[:, i] = training[i]
        lost[:, i] = by_numpy(folder, X) - by_numpy(folder, without)
    np.testing.assert_allclose(found, lost, atol=1e-4 * np.abs(lost).max())


def test_its_models_are_refused_where_it_is_not_known(results: Path, tmp_path: Path) -> None:
    scoring = ["--sample", "cms2010b", "--models", str(results / "models"), "--output", str(tmp_path / "out")]
    ended = subprocess.run(
        [sys.executable, "-m", "analysis.run", *scoring], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert "has the detector deep_distance, which is none of this toolkit's; register its class" in ended.stderr
    with pytest.raises(ModelFolderError, match="deep_distance"):
        load_models(results / "models")


def test_the_other_detectors_of_its_models_score_alone(results: Path, events: Columns) -> None:
    others = load_models(results / "models", detectors=["isolation_forest"])
    found = others.score(np.stack([events[name] for name in FEATURES], axis=1))
    assert found.scores["isolation_forest"].tobytes() == events["score_isolation_forest"].tobytes()


def test_arrays_are_scored_where_it_is_known(
    results: Path, events: Columns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_registered", {})
    register_detector(import_own(tmp_path).DeepDistance)
    found = load_models(results / "models").score({name: events[name] for name in FEATURES})
    assert found.scores["deep_distance"].tobytes() == events["score_deep_distance"].tobytes()
    assert found.ensemble.tobytes() == events["score_ensemble"].tobytes()


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"detectors": "deep_distance"}, "unknown detector 'deep_distance'"),
        ({"settings": "{deep_distance: {width: 5}}"}, "--settings: unknown detector 'deep_distance'"),
        (
            {"settings": {"autoencoder": {"latent": 2}}},
            "autoencoder has an option of its own, --autoencoder",
        ),
        ({"settings": {"mlp": {"width": 2}}}, "--settings: mlp: unknown key 'width'; it has no settings"),
        ({"settings": "width"}, "--settings: 'width' is not of the form"),
    ],
)
def test_what_is_not_known_is_refused_by_name(options: dict[str, Any], fault: str) -> None:
    with pytest.raises(ConfigurationError, match=fault):
        configured(**options)


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"widht": 5}, r"--settings: deep_distance: unknown key 'widht'; did you mean width\?"),
        ({"width": 0}, "--settings: deep_distance.width: Input should be greater than or equal to 1"),
    ],
)
def test_its_settings_are_checked_as_it_says(
    settings: dict[str, Any], fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_registered", {})
    register_detector(import_own(tmp_path).DeepDistance)
    assert configured(settings={"deep_distance": {"width": 3}}).settings == {"deep_distance": {"width": 3, "epochs": 2}}
    with pytest.raises(ConfigurationError, match=fault):
        configured(settings={"deep_distance": settings})
