"""ONNX files of a model folder compute and do nothing else; whatever else they hold is refused before SOFIE sees it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from models.errors import ModelFolderError
from models.folder import read_model_folder
from models.network_file import UnfitNetwork, check_network
from tests.models.altered import ONNX, alter, network


@pytest.fixture(scope="module")
def written_once(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Score = features x weights, one number."""
    weights = numpy_helper.from_array(np.ones((3, 1), dtype=np.float32), "weights")
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, k]) for n, k in (("features", 3), ("score", 1))]
    node = helper.make_node("MatMul", ["features", "weights"], ["score"], name="/product")
    graph = helper.make_graph([node], "graph", values[:1], values[1:], [weights])
    written: bytes = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString()
    return written


@pytest.fixture
def model(written_once: bytes) -> onnx.ModelProto:
    return onnx.load_model_from_string(written_once)


def set_symbol(value: onnx.ValueInfoProto) -> None:
    value.type.tensor_type.shape.dim[0].dim_param = '1]; system("touch /tmp/mark"); int x[1'


def keep_elsewhere(tensor: onnx.TensorProto) -> None:
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")


def add_graph(model: onnx.ModelProto) -> None:
    inner = helper.make_graph([], "inner", [], [])
    model.graph.node[0].attribute.append(helper.make_attribute("body", inner))


def rename(model: onnx.ModelProto, name: str) -> None:
    model.graph.initializer[0].name = model.graph.node[0].input[1] = name


def trees(change: Callable[[dict[str, np.ndarray]], object]) -> Callable[[onnx.ModelProto], object]:
    """Add the tables of two trees, a root with two leaves and a lonely leaf, and change them."""

    def add(model: onnx.ModelProto) -> None:
        tables: dict[str, np.ndarray] = {
            "roots": np.array([0, 3]),
            "left": np.array([1, 1, 2, 3]),
            "right": np.array([2, 1, 2, 3]),
            "feature": np.array([2, 0, 0, 0]),
            "cut": np.zeros(4, dtype=np.float32),
        }
        change(tables)
        model.graph.initializer.extend(numpy_helper.from_array(t, f"walk.{name}") for name, t in tables.items())
        model.graph.node[0].name = "/walk/product"

    return add


def place(table: str, index: int, number: int) -> Callable[[dict[str, np.ndarray]], object]:
    return lambda tables: tables[table].__setitem__(index, number)


def test_a_network_that_computes_passes(model: onnx.ModelProto) -> None:
    check_network(model, 3, 1)
    trees(len)(model)
    check_network(model, 3, 1)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda m: set_symbol(m.graph.input[0]), "is a symbol, where a number is expected"),
        (lambda m: set_symbol(m.graph.output[0]), "is a symbol, where a number is expected"),
        (
            lambda m: m.graph.value_info.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])),
            "the size 'batch' of a tensor is a symbol",
        ),
        (lambda m: keep_elsewhere(m.graph.initializer[0]), "'weights' are in another file, which is not read"),
        (
            lambda m: m.graph.initializer[0].external_data.add(key="location", value="/etc/passwd"),
            "are in another file, which is not read",
        ),
        (
            lambda m: m.graph.node[0].attribute.append(
                helper.make_attribute("value", TensorProto(data_location=TensorProto.EXTERNAL))
            ),
            "are in another file, which is not read",
        ),
        (add_graph, "has a graph within it"),
        (lambda m: rename(m, 'x = {0}; static int i = system("touch /tmp/mark"); int y'), "is no name of a tensor"),
        (lambda m: rename(m, "a\nb"), "is no name of a tensor"),
        (lambda m: setattr(m.graph.node[0], "name", "a*/ system(0); /*"), "is no name of a tensor"),
        (lambda m: setattr(m.graph, "name", "a b"), "is no name of a tensor"),
        (lambda m: setattr(m.graph.node[0], "op_type", "Loop"), "operator 'Loop'"),
        (lambda m: setattr(m.graph.node[0], "op_type", "ScatterElements"), "operator 'ScatterElements'"),
        (lambda m: setattr(m.graph.node[0], "op_type", 'MatMul"; x'), "operator"),
        (lambda m: setattr(m.graph.node[0], "domain", "com.example"), "operator 'MatMul'"),
        (lambda m: m.opset_import.append(helper.make_opsetid("com.example", 1)), "that are not ONNX's own"),
        (
            lambda m: m.functions.append(helper.make_function("d", "f", [], [], [], [helper.make_opsetid("", 17)])),
            "functions",
        ),
        (
            lambda m: m.graph.node[0].attribute.append(helper.make_attribute("equation", 'ij"); system("x')),
            "equation of the operator MatMul is",
        ),
        (lambda m: m.graph.input.append(m.graph.input[0]), "its inputs have the shapes"),
        (lambda m: m.graph.output.append(m.graph.output[0]), "its outputs have the shapes"),
        (
            lambda m: m.graph.output[0].CopyFrom(helper.make_tensor_value_info("score", TensorProto.FLOAT, [1, 9])),
            r"its outputs have the shapes \[\[1, 9\]\]",
        ),
        (
            lambda m: m.graph.input[0].CopyFrom(helper.make_tensor_value_info("features", TensorProto.FLOAT, [1, 400])),
            r"its inputs have the shapes \[\[1, 400\]\]",
        ),
        (
            lambda m: m.graph.input[0].CopyFrom(helper.make_tensor_value_info("features", TensorProto.INT64, [1, 3])),
            "one of float32",
        ),
        (lambda m: setattr(m.graph.initializer[0], "raw_data", b"1234"), "not valid ONNX"),
        (lambda m: m.graph.node[0].input.__setitem__(1, "nothing"), "not valid ONNX"),
        (trees(place("left", 0, 4)), "do not make trees"),
        (trees(place("left", 0, -1)), "do not make trees"),
        (trees(place("right", 0, 1)), "do not make trees"),
        (trees(place("right", 0, 3)), "do not make trees"),
        (trees(place("left", 1, 0)), "do not make trees"),
        (trees(place("right", 3, 0)), "do not make trees"),
        (trees(place("roots", 1, 9)), "do not make trees"),
        (trees(place("roots", 1, 0)), "do not make trees"),
        (trees(place("feature", 0, 3)), "do not make trees"),
        (trees(lambda tables: tables.update(cut=np.zeros(3, dtype=np.float32))), "do not make trees"),
        (trees(lambda tables: tables.update(left=tables["left"].astype(np.float32))), "do not make trees"),
        (trees(lambda tables: tables.update(cut=np.zeros(4))), "do not make trees"),
        (trees(lambda tables: tables.pop("right")), "tables of its trees are not whole"),
    ],
)
def test_anything_else_is_refused(
    change: Callable[[onnx.ModelProto], object], fault: str, model: onnx.ModelProto
) -> None:
    change(model)
    with pytest.raises(UnfitNetwork, match=fault) as caught:
        check_network(model, 3, 1)
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()


def test_the_file_is_named_and_what_it_names_is_not_opened(folder: Path, tmp_path: Path) -> None:
    """In its place there is a pipe, at which whoever opens it waits."""

    os.mkfifo(tmp_path / "pipe")
    model = onnx.load(folder / ONNX)
    (cut,) = (tensor for tensor in model.graph.initializer if tensor.name == "walk.cut")
    keep_elsewhere(cut)
    cut.external_data[0].value = "../pipe"
    (folder / ONNX).write_bytes(model.SerializeToString())
    checksum = hashlib.sha256((folder / ONNX).read_bytes()).hexdigest()
    alter(folder, lambda content: network(content).update(sha256=checksum))
    with pytest.raises(
        ModelFolderError, match=r"isolation_forest\.onnx: the numbers of tensor 'walk.cut' are in another"
    ):
        read_model_folder(folder)
