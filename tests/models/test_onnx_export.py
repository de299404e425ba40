"""The exported file against scikit-learn, run by onnxruntime, and against what SOFIE can translate."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
import torch

from models.detectors.isolation_forest import IsolationForest
from models.errors import ExportError
from models.onnx_export import export_onnx
from tests.models.conftest import FEATURES

# Of SOFIE's operators those that stand for tensor arithmetic, choice and shape.
SOFIE_OPERATORS = {
    *("Gemm", "MatMul", "Add", "Sub", "Mul", "Div", "Exp", "Log", "Sqrt", "Pow", "Relu", "Tanh", "Sigmoid"),
    *("ReduceSum", "ReduceMean", "ReduceMax", "Gather", "GatherND", "Where", "Less", "LessOrEqual", "Greater", "Equal"),
    *("Cast", "Reshape", "Transpose", "Concat", "Slice", "Clip", "Expand", "Constant", "ConstantOfShape"),
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, forest: IsolationForest) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "isolation_forest.onnx"
    export_onnx(forest.network(), FEATURES, path)
    return path


def test_onnxruntime_scores_as_scikit_learn(
    exported: Path, forest: IsolationForest, made_up: npt.NDArray[np.float32]
) -> None:
    session = onnxruntime.InferenceSession(exported)
    # From the least to the most unusual of the training events, and some that are far outside.
    X = np.concatenate([made_up[np.argsort(forest.score(made_up))[::15]], 50 * made_up[:20], -50 * made_up[:20]])
    scores = np.concatenate([session.run(["score"], {"features": event[np.newaxis]})[0] for event in X])
    assert scores.shape == (240, 1)
    expected = -forest.forest.score_samples(forest.scaler.transform(X.astype(np.float64)))
    np.testing.assert_allclose(scores[:, 0], expected, rtol=0, atol=1e-6)


def test_one_event_goes_in_and_one_score_comes_out(exported: Path) -> None:
    graph = onnx.load(exported).graph
    shapes = {
        value.name: [dimension.dim_value for dimension in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.output)
    }
    assert shapes == {"features": [1, 3], "score": [1, 1]}


def test_metadata_names_the_features_in_order(exported: Path) -> None:
    model = onnx.load(exported)
    assert {entry.key: entry.value for entry in model.metadata_props} == {"features": "MR,Rsq,HT"}


def test_only_operators_that_sofie_has(exported: Path) -> None:
    nodes = onnx.load(exported).graph.node
    assert {node.domain for node in nodes} == {""}
    operators = {node.op_type for node in nodes}
    assert {"Gather", "Where", "LessOrEqual"} <= operators <= SOFIE_OPERATORS


def test_sofie_reads_the_file(exported: Path) -> None:
    # In a process of its own: SOFIE prints, and brings libraries along.
    program = "import sys; from sofie import onnx; sys.exit(not onnx.check_model(sys.argv[1]))"
    ended = subprocess.run([sys.executable, "-c", program, str(exported)], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_network_that_onnx_cannot_express_is_an_error(tmp_path: Path) -> None:
    class Special(torch.nn.Module):
        def forward(self, features: torch.Tensor) -> torch.Tensor:
            return torch.special.bessel_j0(features)

    with pytest.raises(ExportError, match=r"^special: .*bessel_j0"):
        export_onnx(Special(), FEATURES, tmp_path / "special.onnx")
