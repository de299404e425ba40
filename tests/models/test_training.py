"""What training writes: axes, ranks, reference events and the description, checked by counting."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest

from models.detectors.decision_tree import DecisionTree
from models.detectors.elliptic_envelope import EllipticEnvelope
from models.detectors.isolation_forest import IsolationForest
from models.detectors.settings import AutoencoderSettings
from models.errors import TrainingError
from models.folder import ModelFolder, read_model_folder
from models.folder_writing import write_model_folder
from models.tables import Axis
from models.thresholds import ThresholdRule
from models.training import TrainingEvents, constant_features, mean_ranks, train
from tests.models.conftest import COLUMNS as COLUMNS_OF_A_RUN
from tests.models.conftest import FEATURES, written
from tests.models.trained import RECIPE, trained_on, without_labels, write_forest

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
    models = write_forest(
        tmp_path_factory.mktemp("axes"),
        forest,
        made_up,
        np.column_stack(list(observables.values())),
        COLUMNS_OF_A_RUN.model_copy(update={"observables": list(observables)}),
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
    (network,) = entry["networks"]
    assert (network["file"], network["events"]) == ("isolation_forest.onnx", 3000)
    assert network["sha256"] == hashlib.sha256((folder / "isolation_forest.onnx").read_bytes()).hexdigest()
    scores = -forest.forest.score_samples(forest.scaler.transform(made_up.astype(np.float64))).astype(np.float32)
    assert (scores > network["threshold"]).sum() == 150
    assert entry["score_axis"]["low"] <= scores.min()
    assert scores.max() < entry["score_axis"]["high"]
    np.testing.assert_allclose(network["rank_table"]["scores"], np.unique(scores), rtol=0, atol=0)
    ranks = np.interp(scores, network["rank_table"]["scores"], network["rank_table"]["ranks"])
    fewer = (scores[:, np.newaxis] > scores).sum(axis=1)
    np.testing.assert_array_equal(ranks, fewer / 3000)
    assert entry["rule"] == {"contamination": 0.05}
    assert (entry["supervised"], described["seed"]) == (False, 42)
    assert (described["ensemble"], described["min_votes"]) == (["isolation_forest"], 1)


def test_reference_events_span_the_scores(folder: Path, made_up: npt.NDArray[np.float32]) -> None:
    reference = json.loads((folder / "models.json").read_text())["reference"]
    X, scores = np.array(reference["features"], dtype=np.float32), reference["scores"]["isolation_forest"][0]
    assert X.shape == (64, 3)
    events = {tuple(event) for event in made_up}
    assert all(tuple(event) in events for event in X)
    session = onnxruntime.InferenceSession(folder / "isolation_forest.onnx")
    found = [session.run(None, {"features": event[np.newaxis]})[0].item() for event in X]
    np.testing.assert_allclose(found, scores, rtol=0, atol=1e-6)
    # The least and the most anomalous of all are among them.
    all_scores = [session.run(None, {"features": event[np.newaxis]})[0].item() for event in made_up]
    assert (min(found), max(found)) == (min(all_scores), max(all_scores))


def labelled(X: npt.NDArray[np.float32]) -> TrainingEvents:
    """Events numbered from 1000, every seventh of them signal."""
    labels = (np.arange(len(X)) % 7 == 0).astype(np.int8)
    return TrainingEvents(FEATURES, X, np.arange(1000, 1000 + len(X), dtype=np.uint64), labels)


def test_train_trains_what_is_named(made_up: npt.NDArray[np.float32]) -> None:
    told: list[tuple[str, int, int]] = []
    recipe = replace(RECIPE, seed=3)
    events = without_labels(list(FEATURES), made_up[:200])
    trained, _ = train(events, ["isolation_forest"], recipe, lambda *progress: told.append(progress))
    assert told == [("isolation_forest", 0, 0)]
    ((detector,),) = trained.values()
    expected = IsolationForest(FEATURES, seed=3).fit(made_up[:200])
    np.testing.assert_array_equal(detector.score(made_up), expected.score(made_up))


def test_a_detector_that_cannot_be_trained_is_left_out(tmp_path: Path, made_up: npt.NDArray[np.float32]) -> None:
    """More than half of the events are alike, which leaves the elliptic envelope no covariance."""
    X = made_up[:300].copy()
    X[100:] = X[100]
    events, told = without_labels(list(FEATURES), X), list[str]()
    names = ["isolation_forest", "elliptic_envelope", "mlp"]
    trained, left_out = train(events, names, RECIPE, lambda title, *_: told.append(title))
    assert list(trained) == ["isolation_forest"]
    assert told == names
    assert left_out["elliptic_envelope"].startswith("more than half of the 300 training events are alike in all feat")
    assert "no labels" in left_out["mlp"]
    models = write_model_folder(
        tmp_path,
        trained,
        events,
        np.zeros((300, 1), dtype=np.float32),
        COLUMNS_OF_A_RUN,
        training_recipe=RECIPE,
        training=trained_on(300),
        versions={},
        left_out=left_out,
    )
    assert read_model_folder(tmp_path) == models
    assert models.left_out == left_out
    assert (models.ensemble, list(models.detectors)) == (["isolation_forest"], ["isolation_forest"])


def test_where_none_can_be_trained_all_reasons_are_given(made_up: npt.NDArray[np.float32]) -> None:
    events = without_labels(list(FEATURES), made_up[:7])
    with pytest.raises(TrainingError) as caught:
        train(events, ["autoencoder", "one_class_svm", "elliptic_envelope", "mlp"], RECIPE, lambda *_: None)
    few = "training events, at least {} are needed; read more of the sample"
    assert str(caught.value).startswith(
        f"autoencoder, one_class_svm: 7 {few.format(10)}; elliptic_envelope: 7 {few.format(8)}; mlp: 7 {few.format(20)}"
    )


def test_each_fold_is_trained_without_its_own_events(made_up: npt.NDArray[np.float32]) -> None:
    events = labelled(made_up)
    recipe = replace(RECIPE, folds=3, rules={"isolation_forest": ThresholdRule(percentile=90)})
    trained, _ = train(events, ["isolation_forest", "decision_tree"], recipe, lambda *_: None)
    for fold in range(3):
        others = [i for i in range(len(made_up)) if (1000 + i) % 3 != fold]
        forest = IsolationForest(FEATURES).fit(made_up[others])
        found = trained["isolation_forest"][fold]
        np.testing.assert_array_equal(found.score(made_up), forest.score(made_up))
        # It refers to the events of the fold, which the network has not seen.
        own = [i for i in range(len(made_up)) if (1000 + i) % 3 == fold]
        assert found.threshold == np.float32(np.quantile(forest.score(made_up[own]), 0.9))
        assert events.labels is not None
        tree = DecisionTree(FEATURES).fit(made_up[others], events.labels[others])
        np.testing.assert_array_equal(trained["decision_tree"][fold].score(made_up), tree.score(made_up))


def test_background_is_learned_from_by_those_that_need_no_labels(made_up: npt.NDArray[np.float32]) -> None:
    events = labelled(made_up)
    recipe = replace(RECIPE, train_on="background")
    trained, _ = train(events, ["isolation_forest", "decision_tree"], recipe, lambda *_: None)
    assert events.labels is not None
    background = made_up[events.labels == 0]
    expected = IsolationForest(FEATURES).fit(background)
    np.testing.assert_array_equal(trained["isolation_forest"][0].score(made_up), expected.score(made_up))
    assert len(trained["decision_tree"][0].scores) == len(made_up)
    with pytest.raises(TrainingError, match="train_on: background needs labels"):
        train(without_labels(list(FEATURES), made_up), ["isolation_forest"], recipe, lambda *_: None)


def test_constant_features_are_those_of_any_fold(made_up: npt.NDArray[np.float32]) -> None:
    X = made_up.copy()
    X[:, 1] = 4.5
    assert constant_features(labelled(X), ["mlp"], RECIPE) == {"Rsq": 4.5}
    X[1::2, 1] = 7  # odd events differ, so that only a training on all of them can learn from it
    assert constant_features(labelled(X), ["mlp"], RECIPE) == {}
    assert constant_features(labelled(X), ["mlp"], replace(RECIPE, folds=2)).keys() == {"Rsq"}
    kept = labelled(X).without({"Rsq": 4.5})
    assert kept.features == ("MR", "HT")
    np.testing.assert_array_equal(kept.X, X[:, [0, 2]])


def test_a_folder_of_folds_has_a_network_for_each(tmp_path: Path, made_up: npt.NDArray[np.float32]) -> None:
    events, recipe = labelled(made_up), replace(RECIPE, folds=2)
    trained, _ = train(events, ["isolation_forest", "decision_tree"], recipe, lambda *_: None)
    training = trained_on(len(made_up)).model_copy(update={"folds": 2})
    observables = np.zeros((len(made_up), 1), dtype=np.float32)
    models = write_model_folder(
        tmp_path, trained, events, observables, COLUMNS_OF_A_RUN, training_recipe=recipe, training=training, versions={}
    )
    assert read_model_folder(tmp_path) == models
    assert models.ensemble == ["isolation_forest"]  # what learned from labels does not vote
    for name, of_folds in trained.items():
        for fold, network in enumerate(models.detectors[name].networks):
            assert network.file == f"{name}_fold{fold}.onnx"
            assert network.events == 1500
            session = onnxruntime.InferenceSession(tmp_path / network.file)
            X = np.array(models.reference.features, dtype=np.float32)
            found = [session.run(None, {"features": event[np.newaxis]})[0].item() for event in X]
            np.testing.assert_allclose(found, of_folds[fold].score(X), atol=1e-6)
            np.testing.assert_allclose(models.reference.scores[name][fold], found, atol=1e-6)


@pytest.mark.parametrize("far", [1.0, 100.0])
def test_axis_of_a_score_shows_the_threshold(tmp_path: Path, made_up: npt.NDArray[np.float32], far: float) -> None:
    """Scores of an envelope go on for orders of magnitude beyond it."""
    X = made_up.copy()
    X[0] *= far
    envelope = EllipticEnvelope(FEATURES).fit(X)
    models = write_model_folder(
        tmp_path,
        {"elliptic_envelope": [envelope]},
        without_labels(list(FEATURES), X),
        np.zeros((len(X), 1), dtype=np.float32),
        COLUMNS_OF_A_RUN,
        training_recipe=RECIPE,
        training=trained_on(len(X)),
        versions={},
    )
    axis = models.detectors["elliptic_envelope"].score_axis
    scores = envelope.score(X)
    median, threshold = np.median(scores), np.quantile(scores, 0.95)
    assert scores.max() > median + 3 * (threshold - median)
    assert axis.high == pytest.approx(median + 3 * (threshold - median), rel=0.1)
    assert axis.low == 0


def test_mean_ranks_by_counting(made_up: npt.NDArray[np.float32]) -> None:
    X = made_up[:300]
    trained, _ = train(labelled(X), ["isolation_forest", "elliptic_envelope", "mlp"], RECIPE, lambda *_: None)
    ranks = [
        (scores[:, np.newaxis] > scores).mean(axis=1)
        for scores in (trained[name][0].score(X) for name in ("isolation_forest", "elliptic_envelope"))
    ]
    numbers = np.arange(1000, 1300, dtype=np.uint64)
    np.testing.assert_allclose(mean_ranks(X, numbers, trained), np.mean(ranks, axis=0), atol=1e-6)


def test_mean_ranks_are_by_the_network_that_has_not_seen_the_event(made_up: npt.NDArray[np.float32]) -> None:
    X, numbers = made_up[:400], np.arange(1000, 1400, dtype=np.uint64)
    trained, _ = train(labelled(X), ["isolation_forest"], replace(RECIPE, folds=2), lambda *_: None)
    found = mean_ranks(X, numbers, trained)
    for fold in (0, 1):
        own, others = X[numbers % 2 == fold], X[numbers % 2 != fold]
        scores = IsolationForest(FEATURES).fit(others).score(own)
        expected = (scores[:, np.newaxis] > scores).mean(axis=1)
        np.testing.assert_allclose(found[numbers % 2 == fold], expected, atol=1e-6)


def test_what_only_labels_can_tell_is_refused_where_others_learn_too(made_up: npt.NDArray[np.float32]) -> None:
    events = labelled(made_up)
    assert events.labels is not None
    X = np.where((events.labels == 0)[:, np.newaxis] & (np.arange(3) == 1), np.float32(3), made_up)
    events = replace(events, X=X)
    recipe = replace(RECIPE, train_on="background")
    assert constant_features(events, ["decision_tree"], recipe) == {}
    assert constant_features(events, ["isolation_forest"], recipe) == {"Rsq": 3}
    with pytest.raises(TrainingError, match=r"the feature Rsq is 3 in all background events: .* train them apart"):
        constant_features(events, ["isolation_forest", "decision_tree"], recipe)


def test_empty_fold_is_refused(made_up: npt.NDArray[np.float32]) -> None:
    events = replace(labelled(made_up), numbers=np.arange(0, 6000, 2, dtype=np.uint64))
    with pytest.raises(TrainingError, match="none of the 3000 training events has event % 2 == 1, so a fold is empty"):
        train(events, ["isolation_forest"], replace(RECIPE, folds=2), lambda *_: None)


def test_same_training_writes_the_same_files(tmp_path: Path, folder: Path, made_up: npt.NDArray[np.float32]) -> None:
    written(tmp_path / "again", IsolationForest(FEATURES).fit(made_up), made_up)
    for name in ("models.json", "isolation_forest.onnx"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()
    assert isinstance(ModelFolder.model_validate_json((folder / "models.json").read_bytes()), ModelFolder)


@pytest.mark.parametrize("folds", [1, 2])
def test_reconstruction_errors_are_those_of_the_exported_network(
    tmp_path: Path, made_up: npt.NDArray[np.float32], folds: int
) -> None:
    """The network in the folder, run by onnxruntime, gives the errors anew; numpy sums them up."""
    events = without_labels(list(FEATURES), made_up)
    recipe = replace(
        RECIPE, folds=folds, settings={"autoencoder": AutoencoderSettings(layers=(8,), latent=1, epochs=3)}
    )
    trained, _ = train(events, ["autoencoder"], recipe, lambda *_: None)
    training = trained_on(len(made_up)).model_copy(update={"folds": folds})
    none = np.empty((len(made_up), 0), dtype=np.float32)
    columns = COLUMNS_OF_A_RUN.model_copy(update={"observables": []})
    write_model_folder(tmp_path, trained, events, none, columns, training_recipe=recipe, training=training, versions={})
    models = read_model_folder(tmp_path)
    tables = models.reconstructions()["autoencoder"]
    assert len(tables) == folds
    for fold, (network, table) in enumerate(zip(models.detectors["autoencoder"].networks, tables, strict=True)):
        X = made_up[events.numbers % folds == fold]
        session = onnxruntime.InferenceSession(tmp_path / network.contributions)
        shares = np.concatenate([session.run(None, {"features": event[None]})[0] for event in X])
        errors = len(FEATURES) * shares.astype(float)
        flagged = errors.mean(axis=1) > network.threshold
        for found, mask in ((table.normal, ~flagged), (table.flagged, flagged)):
            assert abs(found.events - mask.sum()) <= 1  # one may lie on the threshold
            np.testing.assert_allclose(found.mean, errors[mask].mean(axis=0), rtol=2e-3)
            for key, share in (("low", 16), ("median", 50), ("high", 84)):
                np.testing.assert_allclose(getattr(found, key), np.percentile(errors[mask], share, axis=0), rtol=0.02)


def test_a_bounded_number_of_events_is_reconstructed(
    tmp_path: Path, made_up: npt.NDArray[np.float32], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.detectors.autoencoder.RECONSTRUCTED_EVENTS", 100)
    events = without_labels(list(FEATURES), made_up)
    recipe = replace(RECIPE, settings={"autoencoder": AutoencoderSettings(layers=(8,), latent=1, epochs=1)})
    trained, _ = train(events, ["autoencoder"], recipe, lambda *_: None)
    none = np.empty((len(made_up), 0), dtype=np.float32)
    columns = COLUMNS_OF_A_RUN.model_copy(update={"observables": []})
    models = write_model_folder(
        tmp_path, trained, events, none, columns, training_recipe=recipe, training=trained_on(len(made_up)), versions={}
    )
    (table,) = models.reconstructions()["autoencoder"]
    assert sum(kind.events for kind in (table.normal, table.flagged) if kind) == 100
