"""What an ONNX file of a model folder may hold. It may come from a stranger, and SOFIE makes C++ of it.

Operators that compute, on numbers that stand in the file itself, in shapes that are numbers: no names of files, no
symbols, no code of its own. Trees are checked node by node, since they are packed and walked without looking.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import onnx
from google.protobuf.message import Message  # type: ignore[import-untyped]

from rdf.errors import ToolkitError

OPERATORS = frozenset(
    (
        *("Abs", "Acos", "Acosh", "Add", "And", "Asin", "Asinh", "Atan", "Atanh", "BatchNormalization", "Cast", "Ceil"),
        *(
            "Clip",
            "Concat",
            "Constant",
            "ConstantOfShape",
            "Cos",
            "Cosh",
            "Div",
            "Einsum",
            "Elu",
            "Equal",
            "Erf",
            "Exp",
        ),
        *("Expand", "Flatten", "Floor", "Gather", "GatherND", "Gemm", "Greater", "GreaterOrEqual", "HardSigmoid"),
        *("Identity", "LeakyRelu", "Less", "LessOrEqual", "Log", "MatMul", "Max", "Mean", "Min", "Mul", "Neg", "Not"),
        *("Or", "PRelu", "Pow", "Reciprocal", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum"),
        *("ReduceSumSquare", "Relu", "Reshape", "Round", "Selu", "Shape", "Sigmoid", "Sin", "Sinh", "Slice", "Softmax"),
        *("Softplus", "Sqrt", "Squeeze", "Sub", "Sum", "Swish", "Tan", "Tanh", "TopK", "Transpose", "Unsqueeze"),
        *("Where", "Xor"),
    )
)
"""Operators that a network may be made of: they compute, and none writes to places that the data name."""

_NAME = re.compile(r"[A-Za-z0-9_./:-]*")
_TEXT = re.compile(r"[A-Za-z0-9_.,>\- ]*")
_TREES = ("roots", "left", "right", "feature", "cut")


class UnfitNetwork(ToolkitError):
    """An ONNX file holds what no network of a detector does; the message says what."""


def check_network(model: onnx.ModelProto, features: int, outputs: int) -> None:
    """Refuse what does more than compute from one event's features.

    Args:
        model: the file's content.
        features: that it is given, in the shape (1, features).
        outputs: that it has to give, in the shape (1, outputs).

    Raises:
        UnfitNetwork: says what is wrong.
    """
    for message in _messages(model):
        if isinstance(message, onnx.TensorShapeProto.Dimension) and message.dim_param:
            raise UnfitNetwork(f"the size {message.dim_param!a} of a tensor is a symbol, where a number is expected")
        if isinstance(message, onnx.TensorProto) and (message.data_location or message.external_data):
            raise UnfitNetwork(f"the numbers of tensor {message.name!a} are in another file, which is not read")
        if isinstance(message, onnx.NodeProto):
            _check_node(message)
        if isinstance(message, (onnx.NodeProto, onnx.TensorProto, onnx.ValueInfoProto, onnx.GraphProto)):
            _check_name(message.name)
    if model.functions or model.training_info or model.graph.sparse_initializer:
        raise UnfitNetwork("it has functions, training or sparse tensors, which no detector's network has")
    if any(opset.domain not in ("", "ai.onnx") for opset in model.opset_import):
        raise UnfitNetwork("it has operators that are not ONNX's own")
    _check_value(model.graph.input, "input", features)
    _check_value(model.graph.output, "output", outputs)
    _check_trees(model, features)
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise UnfitNetwork(f"it is not valid ONNX: {' '.join(str(error).split())[:200]!a}") from error


def _messages(message: Message) -> Iterator[Message]:
    """Yield a message of the file and all that lie in it."""
    yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for inner in value if hasattr(value, "__len__") else (value,):
                yield from _messages(inner)


def _check_node(node: onnx.NodeProto) -> None:
    if node.op_type not in OPERATORS or node.domain not in ("", "ai.onnx"):
        raise UnfitNetwork(f"it has the operator {node.op_type!a}, which no detector's network has")
    for name in (*node.input, *node.output):
        _check_name(name)
    for attribute in node.attribute:
        _check_name(attribute.name)
        if attribute.graphs or attribute.HasField("g") or attribute.ref_attr_name:
            raise UnfitNetwork(f"the operator {node.op_type} has a graph within it")
        for text in (attribute.s, *attribute.strings):
            if not _TEXT.fullmatch(text.decode("utf-8", "replace")):
                raise UnfitNetwork(f"{attribute.name} of the operator {node.op_type} is {text[:40]!a}")


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise UnfitNetwork(f"{name[:40]!a} is no name of a tensor or a node")


def _check_value(values: object, what: str, size: int) -> None:
    """Refuse all but one tensor of float32 of the shape (1, size)."""
    shapes = [[dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in values]  # type: ignore[attr-defined]
    kinds = [value.type.tensor_type.elem_type for value in values]  # type: ignore[attr-defined]
    if shapes != [[1, size]] or kinds != [onnx.TensorProto.FLOAT]:
        raise UnfitNetwork(f"its {what}s have the shapes {shapes}, one of float32 and shape [1, {size}] is expected")


def _check_trees(model: onnx.ModelProto, features: int) -> None:
    """Refuse trees in which a step leads out of the tables, or to a node from two sides, as no tree does."""
    if not any(node.name.startswith("/walk/") for node in model.graph.node):
        return
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    try:
        tables = [onnx.numpy_helper.to_array(tensors[f"walk.{name}"]).ravel() for name in _TREES]
    except (KeyError, ValueError, TypeError) as error:
        raise UnfitNetwork("the tables of its trees are not whole") from error
    if not _are_trees(*tables, features=features):
        raise UnfitNetwork("the nodes of its trees do not make trees")


_Table = npt.NDArray[np.generic]


def _are_trees(roots: _Table, left: _Table, right: _Table, feature: _Table, cut: _Table, *, features: int) -> bool:
    nodes = np.arange(len(left))
    if not len(roots) or len({len(left), len(right), len(feature), len(cut)}) != 1 or cut.dtype != np.float32:
        return False
    if any(not np.issubdtype(table.dtype, np.integer) for table in (roots, left, right, feature)):
        return False
    inside = all(
        table.min() >= 0 and table.max() < size
        for table, size in ((roots, len(left)), (left, len(left)), (right, len(left)), (feature, features))
    )
    leaf = left == nodes
    # Each node is a root or the child of one other, which stands before it; a leaf is its own child on both sides.
    reached = np.sort(np.concatenate([roots, left[~leaf], right[~leaf]]))
    return bool(
        inside
        and np.array_equal(leaf, right == nodes)
        and np.array_equal(reached, nodes)
        and (left[~leaf] > nodes[~leaf]).all()
        and (right[~leaf] > nodes[~leaf]).all()
    )
