"""C++ of networks: what is SOFIE's in it, what is this project's, and when it is the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import torch

from models.detectors.autoencoder import Autoencoder
from models.detectors.detector import Detector
from models.detectors.isolation_forest import IsolationForest
from models.detectors.one_class_svm import OneClassSVM
from models.detectors.settings import AutoencoderSettings
from models.onnx_export import export_onnx
from rdf.code.sofie import network_source

FEATURES = ("a", "b", "c")


@pytest.fixture(scope="module", name="X")
def events() -> npt.NDArray[np.float32]:
    return np.random.default_rng(4).normal(size=(600, 3)).astype(np.float32)


def exported(detector: Detector, folder: Path) -> Path:
    path = folder / f"{detector.name}.onnx"
    export_onnx(detector.network(), FEATURES, path)
    return path


def autoencoder(X: npt.NDArray[np.float32], preset: str = "dense") -> Autoencoder:
    return Autoencoder(FEATURES, settings=AutoencoderSettings.model_validate({"preset": preset, "epochs": 1})).fit(X)


def test_code_is_the_same_for_each_training_and_each_time(X: npt.NDArray[np.float32], tmp_path: Path) -> None:
    code, weights = network_source(exported(autoencoder(X), tmp_path), "model")
    again, same_weights = network_source(tmp_path / "autoencoder.onnx", "model")
    other, other_weights = network_source(exported(autoencoder(2 * X + 1), tmp_path), "model")
    assert code == again == other
    assert weights == same_weights != other_weights
    assert "namespace SOFIE_model{" in code


@pytest.mark.parametrize(
    "kind", [autoencoder, lambda X: autoencoder(X, "denoising"), lambda X: OneClassSVM(FEATURES).fit(X)]
)
def test_products_and_exponentials_are_this_projects(
    kind: type[Detector], X: npt.NDArray[np.float32], tmp_path: Path
) -> None:
    detector = kind(X)
    code, _ = network_source(exported(detector, tmp_path), "model")
    assert "dense::sgemm(" in code
    assert ("dense::squared_distances(" in code) == (detector.name == "one_class_svm")
    sigmoids = any(node.op_type == "Sigmoid" for node in onnx.load(tmp_path / f"{detector.name}.onnx").graph.node)
    assert ("exponential::exp(" in code) == (sigmoids or detector.name == "one_class_svm")
    if detector.name == "one_class_svm":  # its only sums are those that the distances are
        assert "operator ReduceSum" not in code
    for theirs in ("BLAS::sgem", "std::exp", "std::vector<float> fTensor", "std::vector<char> fIntermediate"):
        assert theirs not in code


def test_trees_are_walked_by_this_project_and_sofie_does_the_rest(X: npt.NDArray[np.float32], tmp_path: Path) -> None:
    forest = IsolationForest(FEATURES).fit(X)
    code, weights = network_source(exported(forest, tmp_path), "model")
    # Of SOFIE's look-ups only that of the leaves' path lengths is left.
    assert code.count("//--------- Gather") == 1
    assert "session.walk(features, leaves)" in code
    words = weights.split()
    nodes = sum(tree.tree_.node_count for tree in forest.forest.estimators_)
    assert words[words.index("tensor_path_length") + 1] == str(nodes)
    assert words[words.index("walk.roots") + 1] == "100"
    place = words.index("walk.cut")
    cuts = np.array(words[place + 2 : place + 2 + nodes], dtype=np.uint32).view(np.float32)
    tables = {table.name: table for table in onnx.load(tmp_path / "isolation_forest.onnx").graph.initializer}
    np.testing.assert_array_equal(cuts, onnx.numpy_helper.to_array(tables["walk.cut"]))


def test_layers_are_products_of_weights_by_inputs(X: npt.NDArray[np.float32], tmp_path: Path) -> None:
    """A Gemm of torch's has them by outputs, which takes twice as long for one event."""
    graph = onnx.load(exported(autoencoder(X), tmp_path)).graph
    operators = [node.op_type for node in graph.node]
    assert "Gemm" not in operators
    weights = [list(table.dims) for table in graph.initializer if table.name.endswith("weight")]
    expected = [[3, 128], [128, 64], [64, 32], [32, 64], [64, 128], [128, 3]]
    assert sorted(weights) == sorted(expected)
    assert operators.count("MatMul") == len(expected)


def test_code_of_an_unknown_layer_is_still_sofies(tmp_path: Path) -> None:
    export_onnx(torch.nn.Linear(3, 1), FEATURES, tmp_path / "linear.onnx")
    code, weights = network_source(tmp_path / "linear.onnx", "linear")
    assert "Gemm_Call(tensor_score, true, false, 1, 1, 3" in code
    assert weights.split()[1] in ("1", "3")
