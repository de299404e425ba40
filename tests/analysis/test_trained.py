"""Trained detectors on arrays: the numbers of events.root, bit for bit, and those of other libraries."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest

from analysis.configuration import RunConfiguration
from analysis.errors import ConfigurationError, DataError
from analysis.options import load_configuration
from analysis.run import run
from analysis.trained import EventScores, TrainedModels, load_models
from models.errors import ModelFolderError
from tests.analysis.published import Columns, read_events, read_json

PROJECT = Path(__file__).parents[2]

pytestmark = pytest.mark.compiler

DETECTORS = ("isolation_forest", "autoencoder", "one_class_svm", "elliptic_envelope")
FEATURES = ("MR", "Rsq", "HT", "MET", "pt1", "pt2", "MET_over_HT", "pt_ratio")


def started(folder: Path, **options: Any) -> Path:
    """Run on the first events of the razor sample, and return the folder of the results."""
    given = {"sample": "cms2010b", "max_events": 3000, "output": str(folder), **options}
    run(load_configuration(RunConfiguration, given, None), "test")
    return folder


class _Frame:
    """Columns by name as a data frame has them: no mapping, but with `keys` and columns that are no numpy arrays."""

    def __init__(self, columns: dict[str, npt.NDArray[np.float64]]) -> None:
        self._columns = columns

    def keys(self) -> list[str]:
        return list(self._columns)

    def __getitem__(self, name: str) -> list[float]:
        return self._columns[name].tolist()


@pytest.fixture(scope="module")
def results(apart: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return started(tmp_path_factory.mktemp("trained"), autoencoder={"layers": [16], "latent": 3, "epochs": 3})


@pytest.fixture(scope="module")
def events(results: Path) -> Columns:
    return read_events(results)


@pytest.fixture(scope="module", name="X")
def features(events: Columns) -> npt.NDArray[np.float32]:
    return np.stack([events[name] for name in FEATURES], axis=1)


@pytest.fixture(scope="module")
def models(results: Path) -> TrainedModels:
    return load_models(results / "models", threads=2)


def assert_same(found: EventScores, events: Columns, detectors: tuple[str, ...]) -> None:
    """All that detectors say is what events.root has, to the last bit."""
    assert tuple(found.scores) == tuple(found.ranks) == tuple(found.flags) == detectors
    for name in detectors:
        assert found.scores[name].tobytes() == events[f"score_{name}"].tobytes()
        assert found.ranks[name].tobytes() == events[f"rank_{name}"].tobytes()
        np.testing.assert_array_equal(found.flags[name], events[f"flag_{name}"])
    assert found.ensemble.tobytes() == events["score_ensemble"].tobytes()
    np.testing.assert_array_equal(found.votes, events["votes"])
    np.testing.assert_array_equal(found.flagged, events["flag_ensemble"])


def test_arrays_have_the_numbers_of_the_event_loop(
    models: TrainedModels, events: Columns, X: npt.NDArray[np.float32]
) -> None:
    assert models.features == FEATURES
    assert models.detectors == DETECTORS
    found = models.score(X)
    assert_same(found, events, DETECTORS)
    assert all(flags.dtype == np.bool_ for flags in (*found.flags.values(), found.flagged))
    assert not found.fold.any()
    np.testing.assert_array_equal(models.rank(X), events["score_ensemble"])
    np.testing.assert_array_equal(models.predict(X), events["flag_ensemble"])


def test_the_number_of_threads_and_the_size_of_the_array_change_nothing(
    results: Path, models: TrainedModels, X: npt.NDArray[np.float32]
) -> None:
    many = np.tile(X, (70_000 // len(X) + 1, 1))  # more than a thread scores at a time
    ours, alone = models.score(many), load_models(results / "models", threads=1).score(many)
    for name in DETECTORS:
        assert ours.scores[name].tobytes() == alone.scores[name].tobytes()
        np.testing.assert_array_equal(ours.scores[name][: len(X)], ours.scores[name][len(X) : 2 * len(X)])
    one_by_one = [models.score(row[np.newaxis]).ensemble for row in X[:20]]
    np.testing.assert_array_equal(np.concatenate(one_by_one), ours.ensemble[:20])
    assert len(models.score(X[:0]).ensemble) == 0


def test_a_process_that_only_scores_arrays_needs_no_training_library(
    results: Path, X: npt.NDArray[np.float32], events: Columns, tmp_path: Path
) -> None:
    np.save(tmp_path / "X.npy", X)
    program = (
        "import sys; import numpy as np; from analysis.trained import load_models;"
        "assert 'ROOT' not in sys.modules;"
        "folder, work = sys.argv[1:];"
        "np.save(f'{work}/scores.npy', load_models(folder).score(np.load(f'{work}/X.npy')).ensemble);"
        "assert not {'torch', 'sklearn', 'matplotlib'} & sys.modules.keys()"
    )
    command = [sys.executable, "-c", program, str(results / "models"), str(tmp_path)]
    subprocess.run(command, cwd=PROJECT, check=True)
    assert np.load(tmp_path / "scores.npy").tobytes() == events["score_ensemble"].tobytes()


def test_scores_are_those_of_onnxruntime(results: Path, models: TrainedModels, X: npt.NDArray[np.float32]) -> None:
    found = models.score(X[:300])
    for name in DETECTORS:
        session = onnxruntime.InferenceSession(results / "models" / f"{name}.onnx", providers=["CPUExecutionProvider"])
        expected = np.array([session.run(None, {"features": row[np.newaxis]})[0].item() for row in X[:300]])
        scale = max(float(np.ptp(expected)), float(np.abs(expected).max()))
        np.testing.assert_allclose(found.scores[name], expected, rtol=0, atol=2e-5 * scale)


def test_flags_ranks_and_votes_follow_from_the_scores(
    results: Path, models: TrainedModels, X: npt.NDArray[np.float32]
) -> None:
    found, table = models.score(X), read_json(results / "models" / "models.json")
    for name in DETECTORS:
        (network,) = table["detectors"][name]["networks"]
        np.testing.assert_array_equal(found.flags[name], found.scores[name] > np.float32(network["threshold"]))
        points = network["rank_table"]
        expected = np.interp(found.scores[name], points["scores"], points["ranks"], right=1.0)
        np.testing.assert_allclose(found.ranks[name], expected, atol=1e-6)
    np.testing.assert_array_equal(found.votes, np.sum(list(found.flags.values()), axis=0))
    np.testing.assert_allclose(found.ensemble, np.mean(list(found.ranks.values()), axis=0), atol=1e-6)
    np.testing.assert_array_equal(found.flagged, found.votes >= 2)


def test_features_may_come_by_name_and_in_any_order_and_type(models: TrainedModels, X: npt.NDArray[np.float32]) -> None:
    expected = models.score(X).ensemble.tobytes()
    columns = {name: X[:, i] for i, name in enumerate(FEATURES)}
    shuffled = {name: columns[name].astype(np.float64) for name in reversed(FEATURES)}
    structured = np.empty(len(X), dtype=[(name, np.float64) for name in reversed(FEATURES)])
    for name in FEATURES:
        structured[name] = columns[name]
    for given in (columns, shuffled, structured, _Frame(shuffled), X.astype(np.float64), np.asfortranarray(X)):
        assert models.score(given).ensemble.tobytes() == expected
    # A number that float32 does not have is rounded to the nearest that it has.
    nearest = {**shuffled, "MR": shuffled["MR"] * (1 + 1e-9)}
    assert models.score(nearest).ensemble.tobytes() == expected


def test_a_missing_or_a_further_feature_is_named(models: TrainedModels, X: npt.NDArray[np.float32]) -> None:
    columns = {name: X[:, i] for i, name in enumerate(FEATURES)}
    lacking = {name: values for name, values in columns.items() if name != "Rsq"}
    with pytest.raises(DataError, match="X lacks the feature Rsq; "):
        models.score(lacking)
    with pytest.raises(DataError, match=r"X lacks the feature Rsq; did you mean RsQ\?"):
        models.score({**lacking, "RsQ": columns["Rsq"]})
    with pytest.raises(DataError, match="X has centrality, which is no feature of these models; give them MR, Rsq, "):
        models.score({**columns, "centrality": columns["Rsq"]})
    with pytest.raises(DataError, match=r"X has the shape \(3000, 7\), where \(events, 8\) .* MR, Rsq, HT, "):
        models.score(X[:, :7])
    with pytest.raises(DataError, match=r"X has the shape \(8,\)"):
        models.score(X[0])


@pytest.mark.parametrize(("value", "said"), [(np.nan, "nan"), (-np.inf, "-inf"), (1e39, "inf")])
def test_a_feature_that_is_not_finite_is_named_with_its_event(
    value: float, said: str, models: TrainedModels, X: npt.NDArray[np.float32]
) -> None:
    wrong = X.astype(np.float64)
    wrong[17, 2] = value
    with pytest.raises(DataError, match=f"the feature HT of event 17 is {said}; leave out"):
        models.score(wrong)


def test_what_is_no_number_is_refused(models: TrainedModels, X: npt.NDArray[np.float32]) -> None:
    columns: dict[str, Any] = {name: X[:, i] for i, name in enumerate(FEATURES)}
    with pytest.raises(DataError, match="the feature MET has the type <U"):
        models.score({**columns, "MET": np.full(len(X), "much")})
    with pytest.raises(DataError, match=r"have the shapes MR \(3000,\), .*pt2 \(2999,\)"):
        models.score({**columns, "pt2": X[1:, 5]})


def assert_contributions(found: npt.NDArray[np.float32], network: Path, X: npt.NDArray[np.float32]) -> None:
    """They are what ONNX Runtime makes of the network, as far as float32 goes."""
    session = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
    expected = np.concatenate([session.run(None, {"features": row[np.newaxis]})[0] for row in X])
    scale = np.abs(expected).max(axis=1, keepdims=True) + 1e-6
    np.testing.assert_allclose(found / scale, expected / scale, rtol=0, atol=1e-3)


def test_contributions_are_those_of_the_networks_for_them(
    results: Path, models: TrainedModels, X: npt.NDArray[np.float32]
) -> None:
    found = models.contributions(X[:25])
    scores = models.score(X[:25]).scores
    assert tuple(found) == DETECTORS
    assert all(values.shape == (25, 8) for values in found.values())
    np.testing.assert_allclose(found["autoencoder"].sum(axis=1), scores["autoencoder"], rtol=1e-4)
    for name in DETECTORS:
        assert_contributions(found[name], results / "models" / f"{name}_contributions.onnx", X[:25])


def test_some_detectors_alone_vote_among_themselves(results: Path, events: Columns, X: npt.NDArray[np.float32]) -> None:
    names = ("isolation_forest", "elliptic_envelope")
    some = load_models(results / "models", detectors=tuple(reversed(names)))
    found = some.score(X)
    assert some.detectors == names
    assert found.scores["isolation_forest"].tobytes() == events["score_isolation_forest"].tobytes()
    np.testing.assert_array_equal(found.votes, np.sum([events[f"flag_{name}"] for name in names], axis=0))
    np.testing.assert_array_equal(found.flagged, found.votes >= 1)
    with pytest.raises(ConfigurationError, match="models has no mlp, only isolation_forest, "):
        load_models(results / "models", detectors=["mlp"])
    with pytest.raises(ConfigurationError, match="no detector is asked for"):
        load_models(results / "models", detectors=[])


def test_each_event_is_scored_by_the_network_of_its_fold(apart: None, tmp_path: Path) -> None:
    detectors = ("isolation_forest", "elliptic_envelope")
    folder = started(tmp_path, detectors=",".join(detectors), folds=3)
    events = read_events(folder)
    X = np.stack([events[name] for name in FEATURES], axis=1)
    models = load_models(folder / "models")
    found = models.score(X, events["event"])
    assert_same(found, events, detectors)
    np.testing.assert_array_equal(found.fold, events["fold"])
    assert set(found.fold.tolist()) == {0, 1, 2}
    contributions = models.contributions(X[:9], events["event"][:9])["elliptic_envelope"]
    for fold in range(3):
        own = events["fold"][:9] == fold
        network = folder / "models" / f"elliptic_envelope_fold{fold}_contributions.onnx"
        assert_contributions(contributions[own], network, X[:9][own])
    with pytest.raises(DataError, match=r"these models have 3 folds, .* give them as `events`"):
        models.score(X)
    for wrong in (events["event"][:-1], events["event"].astype(float), -1 - events["event"].astype(np.int64)):
        with pytest.raises(DataError, match="give 3000 whole numbers, none of them negative"):
            models.score(X, wrong)


def test_a_folder_that_is_not_as_it_was_written_is_refused(results: Path, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    for path in (results / "models").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    content = (folder / "autoencoder.onnx").read_bytes()
    (folder / "autoencoder.onnx").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ModelFolderError, match=r"autoencoder\.onnx: checksum"):
        load_models(folder)
    with pytest.raises(ModelFolderError, match=r"has no models\.json"):
        load_models(tmp_path)
