"""What training writes: axes, ranks, reference events and the description, checked by counting."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest

from models.folder import Axis, ModelFolder
from models.isolation_forest import IsolationForest
from models.training import train, write_model_folder
from tests.models.conftest import COLUMNS as COLUMNS_OF_A_RUN
from tests.models.conftest import FEATURES, written

RANDOM = np.random.default_rng(11)
COLUMNS = {
    "positive": RANDOM.exponential(200.0, 3000),
    "offset": RANDOM.normal(1e6, 3.0, 3000),
    "negative": -RANDOM.exponential(0.3, 3000) - 5,
    "both_signs": RANDOM.normal(0, 1e-3, 3000),
    "fraction": RANDOM.uniform(0, 1, 3000),
    "half_steps": RANDOM.integers(0, 197, 3000) / 2,
    "tiny": RANDOM.exponential(1e-30, 3000),
    "large": RANDOM.uniform(-3e38, 3e38, 3000),
    "one_event_off": np.where(np.arange(3000) == 7, 1e7, 1.0),
    "constant": np.full(3000, 7.25),
    "negative_constant": np.full(3000, -0.1),
}
COUNTS = {
    "jets": np.arange(3000) % 13,
    "charges": np.arange(3000) % 3 - 1,
    "zero": np.zeros(3000),
    "whole_and_missing": np.where(np.arange(3000) % 5, 1 + np.arange(3000) % 5, np.nan),
    "wide": np.arange(3000) % 981,
}


@pytest.fixture(scope="module")
def axes(
    tmp_path_factory: pytest.TempPathFactory, forest: IsolationForest, made_up: npt.NDArray[np.float32]
) -> dict[str, Axis]:
    observables = {name: values.astype(np.float32) for name, values in COLUMNS.items()}
    observables["partly_finite"] = np.where(np.arange(3000) % 2, np.nan, observables["fraction"])
    observables["infinite"] = np.where(np.arange(3000) % 2, np.inf, observables["fraction"])
    observables |= {name: values.astype(np.float32) for name, values in COUNTS.items()}
    observables["not_finite"] = np.full(3000, np.nan, dtype=np.float32)
    models = write_model_folder(
        tmp_path_factory.mktemp("axes"),
        [forest],
        made_up,
        np.column_stack(list(observables.values())),
        COLUMNS_OF_A_RUN.model_copy(update={"observables": list(observables)}),
        training=written(tmp_path_factory.mktemp("other"), forest, made_up).training,
        versions={},
    )
    return models.feature_axes


@pytest.mark.parametrize("name", COLUMNS)
def test_axis_holds_all_values_between_round_edges(axes: dict[str, Axis], name: str) -> None:
    axis, values = axes[name], COLUMNS[name].astype(np.float32).astype(np.float64)
    assert axis.low <= values.min()
    assert values.max() < axis.high
    width = (axis.high - axis.low) / axis.bins
    # A bin's width has two digits, and the edges are multiples of it.
    assert width == pytest.approx(float(f"{width:.1e}"), rel=1e-6)
    assert axis.low / width == pytest.approx(round(axis.low / width), rel=1e-9, abs=1e-6)
    # No more room than rounding and starting at zero call for.
    if np.ptp(values):
        assert axis.high - axis.low < 2.3 * np.ptp(values)


def test_axes_by_hand(axes: dict[str, Axis]) -> None:
    # 0 to 98 in 98 bins of 1, and two bins of margin.
    assert axes["half_steps"] == Axis(bins=100, low=0, high=100)
    # Widths 1/98, rounded up to two digits: 0.011.
    assert axes["fraction"] == Axis(bins=100, low=0, high=1.1)
    assert axes["one_event_off"] == Axis(bins=100, low=0, high=11e6)


def test_counts_have_a_bin_for_each_number(axes: dict[str, Axis]) -> None:
    # One bin around each whole number, and one to spare on either side.
    assert axes["jets"] == Axis(bins=15, low=-1.5, high=13.5)
    assert axes["charges"] == Axis(bins=5, low=-2.5, high=2.5)
    assert axes["zero"] == Axis(bins=3, low=-1.5, high=1.5)
    assert axes["whole_and_missing"] == Axis(bins=6, low=0.5, high=6.5)  # 2 to 5
    # Whole numbers of a wide range are binned as any others: 0 to 980 in 98 bins of 10.
    assert axes["wide"] == Axis(bins=100, low=0, high=1000)


@pytest.mark.parametrize("name", ["partly_finite", "infinite", "not_finite"])
def test_axis_leaves_out_what_is_not_finite(axes: dict[str, Axis], name: str) -> None:
    assert axes[name] == Axis(bins=100, low=0, high=1.1)


def test_features_and_observables_have_axes(folder: Path) -> None:
    assert list(json.loads((folder / "models.json").read_text())["feature_axes"]) == [*FEATURES, "centrality"]


def test_entry_describes_the_detector(folder: Path, forest: IsolationForest, made_up: npt.NDArray[np.float32]) -> None:
    described = json.loads((folder / "models.json").read_text())
    entry = described["detectors"]["isolation_forest"]
    assert (folder / entry["file"]).name == "isolation_forest.onnx"
    assert entry["sha256"] == hashlib.sha256((folder / "isolation_forest.onnx").read_bytes()).hexdigest()
    scores = -forest.forest.score_samples(forest.scaler.transform(made_up.astype(np.float64))).astype(np.float32)
    assert (scores > entry["threshold"]).sum() == 150
    assert entry["score_axis"]["low"] <= scores.min()
    assert scores.max() < entry["score_axis"]["high"]
    np.testing.assert_allclose(entry["rank_table"]["scores"], np.unique(scores), rtol=0, atol=0)
    ranks = np.interp(scores, entry["rank_table"]["scores"], entry["rank_table"]["ranks"])
    fewer = (scores[:, np.newaxis] > scores).sum(axis=1)
    np.testing.assert_array_equal(ranks, fewer / 3000)
    assert described["contamination"] == 0.05
    assert described["seed"] == 42
    assert described["min_votes"] == 1


def test_reference_events_span_the_scores(folder: Path, made_up: npt.NDArray[np.float32]) -> None:
    reference = json.loads((folder / "models.json").read_text())["reference"]
    X, scores = np.array(reference["features"], dtype=np.float32), reference["scores"]["isolation_forest"]
    assert X.shape == (64, 3)
    events = {tuple(event) for event in made_up}
    assert all(tuple(event) in events for event in X)
    assert scores == sorted(scores)
    session = onnxruntime.InferenceSession(folder / "isolation_forest.onnx")
    found = [session.run(None, {"features": event[np.newaxis]})[0].item() for event in X]
    np.testing.assert_allclose(found, scores, rtol=0, atol=1e-6)
    # The least and the most anomalous of all are among them.
    all_scores = [session.run(None, {"features": event[np.newaxis]})[0].item() for event in made_up]
    assert (min(found), max(found)) == (min(all_scores), max(all_scores))


def test_train_trains_what_is_named(made_up: npt.NDArray[np.float32]) -> None:
    told: list[str] = []
    (detector,) = train(made_up[:200], ["isolation_forest"], seed=3, progress=told.append)
    assert told == ["isolation_forest"]
    np.testing.assert_array_equal(detector.score(made_up), IsolationForest(seed=3).fit(made_up[:200]).score(made_up))


def test_same_training_writes_the_same_files(tmp_path: Path, folder: Path, made_up: npt.NDArray[np.float32]) -> None:
    written(tmp_path / "again", IsolationForest().fit(made_up), made_up)
    for name in ("models.json", "isolation_forest.onnx"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()
    assert isinstance(ModelFolder.model_validate_json((folder / "models.json").read_bytes()), ModelFolder)
