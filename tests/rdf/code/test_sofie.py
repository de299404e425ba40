"""Compiled detectors against scikit-learn and ONNX Runtime."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from models.detectors.one_class_svm import OneClassSVM
from models.detectors.registry import detector_class
from models.onnx_export import export_onnx
from models.thresholds import rank_table
from rdf.code.sofie import check_parity, compile_detector, translate_network
from rdf.errors import CompileError, ScoreMismatch

pytestmark = pytest.mark.compiler

DETECTOR = "isolation_forest"


@pytest.fixture(scope="module", name="X")
def usable_events(made_up: Any, trained: Any) -> np.ndarray:
    """All usable events, three quarters of which the forest has not seen."""
    return made_up.matrix(trained.models.features)


@pytest.fixture(scope="module")
def by_sklearn(trained: Any, X: np.ndarray) -> np.ndarray:
    return -trained.detector.forest.score_samples(trained.detector.scaler.transform(X.astype(np.float64)))


def test_compiled_scores_are_those_of_scikit_learn(trained: Any, X: np.ndarray, by_sklearn: np.ndarray) -> None:
    scores = trained.compiled().scores(X)
    assert scores.dtype == np.float32
    # Scores lie in (0, 1); a migration of one event over one cut would show as 1e-3.
    assert np.abs(scores - by_sklearn).max() < 1e-6


def test_compiled_scores_are_those_of_onnxruntime(trained: Any, X: np.ndarray) -> None:
    session = onnxruntime.InferenceSession(trained.folder / f"{DETECTOR}.onnx", providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    by_runtime = np.array([session.run(None, {name: row[np.newaxis]})[0].item() for row in X])
    assert np.abs(trained.compiled().scores(X) - by_runtime).max() < 1e-6


def test_rank_is_the_empirical_fraction_of_less_anomalous_training_events(trained: Any) -> None:
    scores = trained.detector.score(trained.X)
    detector = trained.compiled()
    fractions = np.array([(scores < score).mean() for score in scores])
    found = np.array([detector.instance.rank(float(score)) for score in scores])
    np.testing.assert_allclose(found, fractions, atol=1e-7)
    assert detector.instance.rank(float(scores.max()) + 0.01) == 1
    assert detector.instance.rank(0.0) == 0


def test_five_per_cent_of_the_training_events_are_flagged(trained: Any) -> None:
    detector = trained.compiled()
    flagged = np.array([detector.instance.flag(float(score)) for score in trained.detector.score(trained.X)])
    assert flagged.sum() == 25  # of 500


def test_the_same_network_with_another_threshold_and_rank_table_is_another_detector(
    trained: Any, X: np.ndarray
) -> None:
    right = trained.compiled()
    network = translate_network(trained.folder / f"{DETECTOR}.onnx")
    wrong = compile_detector(DETECTOR, network, 0.0, [0.0, 1.0], [0.0, 0.5], 2)
    np.testing.assert_array_equal(wrong.scores(X[:50]), right.scores(X[:50]))
    assert all(wrong.instance.flag(float(score)) for score in right.scores(X[:50]))
    assert not all(right.instance.flag(float(score)) for score in right.scores(X[:50]))
    # Linear from (0, 0) to (1, 0.5): half the score.
    assert wrong.instance.rank(0.5) == 0.25


def test_another_training_in_the_same_file_gives_other_scores(tmp_path: Path) -> None:
    """Of the same shape, so that only the weights are others."""
    path, X = tmp_path / "dense.onnx", np.random.default_rng(1).normal(size=(20, 3)).astype(np.float32)
    for seed in (0, 1, 0):
        torch.manual_seed(seed)
        network = torch.nn.Linear(3, 1)
        export_onnx(network, list("abc"), path)
        found = compile_detector("dense", translate_network(path), 0.0, [0.0, 1.0], [0.0, 1.0], 1).scores(X)
        np.testing.assert_allclose(found, network(torch.from_numpy(X)).detach().numpy().ravel(), rtol=1e-5, atol=1e-6)


def test_parity_with_the_reference_scores(trained: Any, by_sklearn: np.ndarray, X: np.ndarray) -> None:
    detector = trained.compiled()
    reference = np.array(trained.models.reference.features, dtype=np.float32)
    expected = np.array(trained.models.reference.scores[DETECTOR][0], dtype=np.float32)
    assert check_parity(detector, reference, expected) < 1e-6
    assert check_parity(detector, X, by_sklearn.astype(np.float32)) < 1e-6


@pytest.mark.parametrize("change", [1e-3, -1e-3, np.nan, np.inf])
def test_altered_reference_scores_are_a_mismatch(change: float, trained: Any) -> None:
    reference = np.array(trained.models.reference.features, dtype=np.float32)
    altered = np.array(trained.models.reference.scores[DETECTOR][0], dtype=np.float32)
    altered[17] += np.float32(change)
    with np.errstate(invalid="ignore"), pytest.raises(ScoreMismatch, match="isolation_forest: compiled scores differ"):
        check_parity(trained.compiled(), reference, altered)


def test_altered_reference_events_are_a_mismatch(trained: Any) -> None:
    reference = np.array(trained.models.reference.features, dtype=np.float32)
    expected = np.array(trained.models.reference.scores[DETECTOR][0], dtype=np.float32)
    with pytest.raises(ScoreMismatch, match=r"is allowed; run `python -m analysis\.doctor`"):
        check_parity(trained.compiled(), reference[::-1].copy(), expected)


BITS = np.random.default_rng(11).integers(0, 2, (1000, 3)).astype(np.float32)


def test_parity_where_the_terms_of_a_score_cancel(tmp_path: Path) -> None:
    """The allowed difference goes by the terms; a wrong weight in a digit that rounding leaves is found."""
    machine = OneClassSVM(("a", "b", "c")).fit(BITS)
    network = machine.network()
    rho, kernels = float(network.rho), float(machine.machine.dual_coef_.sum())
    assert np.abs(machine.scores).max() < 1e-3 * min(rho, kernels)
    rounding = machine.rounding(BITS, machine.scores)
    X, expected = BITS[::20], machine.scores[::20]

    def compiled(change: float) -> Any:
        wrong = copy.deepcopy(network)
        wrong.alpha[0] += change
        export_onnx(wrong, list("abc"), tmp_path / "svm.onnx")
        return compile_detector("svm", translate_network(tmp_path / "svm.onnx"), 0.0, [0.0, 1.0], [0.0, 1.0], 1)

    right = compiled(0.0)
    assert check_parity(right, X, expected, rounding[::20]) < rounding.max() < 1e-5 * rho
    with pytest.raises(ScoreMismatch):  # of a folder that does not say what rounding can do
        check_parity(right, X, expected)
    with pytest.raises(ScoreMismatch, match="svm: compiled scores differ"):
        check_parity(compiled(3 * float(rounding.max())), X, expected, rounding[::20])


def test_a_rounding_does_not_weaken_the_check_where_nothing_cancels(trained: Any) -> None:
    """Of scores over a range of 0.3, differences of 1e-5 of that range are found, as without a rounding."""
    reference = np.array(trained.models.reference.features, dtype=np.float32)
    expected = np.array(trained.models.reference.scores[DETECTOR][0], dtype=np.float32)
    rounding = np.array(trained.models.reference.rounding[DETECTOR][0])
    assert rounding.max() < 5e-6 * np.ptp(expected)
    check_parity(trained.compiled(), reference, expected, rounding)
    altered = expected.copy()
    altered[17] += np.float32(1.2e-5 * np.ptp(expected))
    for known in (rounding, None):
        with pytest.raises(ScoreMismatch):
            check_parity(trained.compiled(), reference, altered, known)


@pytest.mark.parametrize(
    ("name", "X"),
    [
        ("one_class_svm", BITS),
        ("one_class_svm", BITS[:10].cumsum(axis=0)[np.arange(1000) % 10]),  # of ten kinds
        ("autoencoder", BITS),
        ("elliptic_envelope", BITS * np.float32(1e-42)),
        ("isolation_forest", BITS + np.float32(1e38) * BITS),
    ],
    ids=["SVM of bits", "SVM of ten kinds", "autoencoder of bits", "envelope of 1e-42", "forest of 1e38"],
)
def test_events_that_score_alike_are_on_one_side_of_the_threshold_when_compiled(
    name: str, X: np.ndarray, tmp_path: Path
) -> None:
    """No kind is as rare as 5 %, so that none can be flagged; and all events of a kind have one rank."""
    detector = detector_class(name)(("a", "b", "c")).fit(X)
    export_onnx(detector.network(), detector.features, tmp_path / "network.onnx")
    ranks, network = rank_table(detector.scores, detector.scores_rounding), translate_network(tmp_path / "network.onnx")
    compiled = compile_detector(name, network, detector.threshold, ranks.scores, ranks.ranks, 1)
    check_parity(compiled, X, detector.scores, detector.scores_rounding)
    scores = compiled.scores(X)
    assert (np.abs(scores.astype(float) - detector.scores) <= detector.scores_rounding).all()
    assert not any(compiled.instance.flag(float(score)) for score in scores)
    found = np.array([compiled.instance.rank(float(score)) for score in scores])
    less = (detector.scores < detector.scores[:, np.newaxis]).mean(axis=1)
    assert (found <= less + 1e-3).all()  # less where kinds differ by no more than rounding
    assert name == "autoencoder" or found.max() > 0.5


def broken_network(kind: str, good: Path, path: Path) -> None:
    if kind == "cut off":
        path.write_bytes(good.read_bytes()[:5000])
    elif kind == "text":
        path.write_text("this is no network")
    else:  # an operator that SOFIE has not
        node = onnx.helper.make_node("Sign", ["features"], ["score"])
        value = [
            onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 8]) for name in ("features", "score")
        ]
        onnx.save(onnx.helper.make_model(onnx.helper.make_graph([node], "g", value[:1], value[1:])), path)


@pytest.mark.parametrize("kind", ["cut off", "text", "unknown operator"])
def test_a_broken_network_is_a_compile_error_that_names_the_file(kind: str, trained: Any, tmp_path: Path) -> None:
    path = tmp_path / "broken.onnx"
    broken_network(kind, trained.folder / f"{DETECTOR}.onnx", path)
    with pytest.raises(CompileError, match=r"broken\.onnx: .+") as caught:
        translate_network(path)
    assert "\n" not in str(caught.value)


def test_a_network_of_dense_layers_needs_no_blas(tmp_path: Path) -> None:
    """In a process without torch, whose own BLAS would do for SOFIE's calls."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 1))
    export_onnx(network, list("abcdefgh"), tmp_path / "dense.onnx")
    X = np.random.default_rng(1).normal(size=(100, 8)).astype(np.float32)
    np.save(tmp_path / "X.npy", X)
    code = (
        "import sys; from pathlib import Path; import numpy as np;"
        "from rdf.code.sofie import compile_detector, translate_network;"
        "folder = Path(sys.argv[1]);"
        "dense = compile_detector('dense', translate_network(folder / 'dense.onnx'), 0.0, [0.0, 1.0], [0.0, 1.0], 1);"
        "np.save(folder / 'scores.npy', dense.scores(np.load(folder / 'X.npy'))); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, cwd=Path(__file__).parents[3])
    session = onnxruntime.InferenceSession(tmp_path / "dense.onnx")
    expected = [float(session.run(None, {"features": x[np.newaxis]})[0][0, 0]) for x in X]
    np.testing.assert_allclose(np.load(tmp_path / "scores.npy"), expected, atol=1e-6)
