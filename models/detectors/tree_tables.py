"""Decision trees as tables of nodes that tensor operations walk through."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from models.errors import TrainingError

Values = npt.NDArray[np.float64]
Nodes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class GrownTree:
    """A tree that is not kept as scikit-learn keeps most of its own, under the names that these have.

    Attributes:
        children_left, children_right: of each node, behind it; -1 for a leaf; these and all others have the shape
            (nodes,).
        feature: that a node cuts on.
        threshold: the largest value that goes left.
        n_node_samples: training events that came through a node.
        depths: how many cuts lead to a node.
    """

    children_left: Nodes
    children_right: Nodes
    feature: Nodes
    threshold: Values
    n_node_samples: Nodes
    depths: Nodes

    @property
    def node_count(self) -> int:
        """Number of the nodes."""
        return len(self.feature)

    @property
    def max_depth(self) -> int:
        """Largest number of cuts that an event goes through."""
        return int(self.depths.max())

    def compute_node_depths(self) -> Nodes:
        """Return how many nodes lead to a node, itself included, shape (nodes,)."""
        return self.depths + 1


class TreeTables:
    """The nodes of scikit-learn's trees, those of all trees laid end to end.

    Attributes:
        feature: that a node cuts on, 0 for a leaf; this and all that follow but `roots` have the shape (nodes,).
        cut: the largest raw float32 that goes left.
        left: the child on the left; a leaf is its own child.
        right: the child on the right.
        level: how many cuts lead to a node.
        samples: training events that came through a node.
        roots: first node of each tree, shape (trees,).
    """

    def __init__(self, trees: Sequence[Any], means: Values, scales: Values) -> None:
        """Lay out trees.

        Args:
            trees: the `tree_` of scikit-learn's trees, or others, trained on (raw - mean) / scale.
            means: of the features, shape (features,).
            scales: of the features, shape (features,); the scaling is folded into the cuts.
        """
        self.roots: Nodes = np.concatenate([[0], np.cumsum([tree.node_count for tree in trees])])[:-1]
        is_leaf = np.concatenate([tree.children_left < 0 for tree in trees])
        nodes = np.arange(len(is_leaf))
        self.left, self.right = (
            np.where(
                is_leaf,
                nodes,
                np.concatenate([getattr(t, side) + root for t, root in zip(trees, self.roots, strict=True)]),
            )
            for side in ("children_left", "children_right")
        )
        self.feature: Nodes = np.where(is_leaf, 0, np.concatenate([tree.feature for tree in trees]))
        self.cut = raw_cuts(
            np.concatenate([tree.threshold for tree in trees]), means[self.feature], scales[self.feature]
        )
        self.level: Nodes = np.concatenate([tree.compute_node_depths() - 1 for tree in trees])
        self.samples: Nodes = np.concatenate([tree.n_node_samples for tree in trees])

    def means_of_leaves(self, values: Values) -> Values:
        """Replace the value of each inner node by the mean over the training events that came through it.

        Args:
            values: of the nodes, shape (nodes,); only those of the leaves count.
        """
        means = values.copy()
        is_inner = self.left != np.arange(len(self.left))
        for level in range(int(self.level.max()) - 1, -1, -1):
            (inner,) = np.nonzero(is_inner & (self.level == level))
            children = np.stack([self.left[inner], self.right[inner]])
            means[inner] = np.average(means[children], axis=0, weights=self.samples[children])
        return means


def refuse_without_cuts(name: str, trees: Sequence[Any]) -> None:
    """Refuse trees where none has a cut.

    Args:
        name: of the detector.
        trees: scikit-learn's.

    Raises:
        TrainingError: no event can be told from another.
    """
    if all(tree.max_depth == 0 for tree in trees):
        raise TrainingError(
            f"{name}: no cut on any feature is possible, nearly all training events are alike in them; take other "
            "features or more events"
        )


class TreeWalk(torch.nn.Module):
    """Sends events down trees.

    Each tree holds one node at a time, starting at its root, and every step replaces it by its left or right child.
    After as many steps as the deepest tree has levels all trees are at their leaves.

    A network has it as its member `walk`. By the names that the ONNX file has from that, the event loop finds the
    tables, and walks down the trees without the tensor operations (macros/numerics/forest.hxx).
    """

    feature: torch.Tensor
    cut: torch.Tensor
    left: torch.Tensor
    right: torch.Tensor
    roots: torch.Tensor

    def __init__(self, tables: TreeTables) -> None:
        super().__init__()
        self.depth = int(tables.level.max())
        for name in ("feature", "cut", "left", "right"):
            self.register_buffer(name, torch.tensor(getattr(tables, name)))
        self.register_buffer("roots", torch.tensor(tables.roots[np.newaxis]))

    def _children(self, features: torch.Tensor, node: torch.Tensor) -> torch.Tensor:
        """Return the nodes, shape (events, trees), that the events go to from these nodes."""
        events, width = features.shape
        first_value = torch.arange(events)[:, None] * width
        goes_left = features.reshape(-1)[first_value + self.feature[node]] <= self.cut[node]
        return torch.where(goes_left, self.left[node], self.right[node])

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map raw features, shape (events, features), to the leaves that they reach, shape (events, trees)."""
        node = self.roots.expand(features.shape[0], -1)
        for _ in range(self.depth):
            node = self._children(features, node)
        return node


class LeafSum(torch.nn.Module):
    """Adds up a value of the leaf that an event reaches in each tree."""

    value: torch.Tensor
    weights: torch.Tensor

    def __init__(self, walk: TreeWalk, value: Values, weight: float = 1.0) -> None:
        """Prepare the sum.

        Args:
            walk: through the trees.
            value: of the nodes, shape (nodes,); only those of the leaves count.
            weight: that each tree's value is multiplied by.
        """
        super().__init__()
        self.walk = walk
        self.register_buffer("value", torch.tensor(value, dtype=torch.float32))
        # The sum is a product of matrices, which the event loop takes in partial sums.
        self.register_buffer("weights", torch.full((walk.roots.shape[1], 1), weight))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map raw features, shape (events, features), to sums, shape (events, 1)."""
        sums: torch.Tensor = self.value[self.walk(features)] @ self.weights
        return sums


class PathAttribution(TreeWalk):
    """Sums, for each feature, what the cuts on it changed along the paths of an event, over all trees.

    The sum over the features is what the leaves' values have more than the roots'.
    """

    value: torch.Tensor

    def __init__(self, tables: TreeTables, value: Values) -> None:
        """Prepare the walk.

        Args:
            tables: the trees.
            value: of the nodes, shape (nodes,).
        """
        super().__init__(tables)
        self.register_buffer("value", torch.tensor(value, dtype=torch.float32))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map raw features to the changes that each of them made, both of shape (events, features)."""
        column = torch.arange(features.shape[1])
        node = self.roots.expand(features.shape[0], -1)
        total = torch.zeros_like(features)
        for _ in range(self.depth):
            child = self._children(features, node)
            change = (self.value[child] - self.value[node])[:, :, None]
            is_of_column = self.feature[node][:, :, None] == column
            total = total + (change * is_of_column.to(torch.float32)).sum(dim=1)
            node = child
        return total


def raw_cuts(cuts: Values, means: Values, scales: Values) -> npt.NDArray[np.float32]:
    """Carry cuts on scaled features over to the raw ones, so that every float32 falls on the same side.

    Scaling in the network's float32 would round otherwise than scikit-learn's float64 and send events near a cut down
    the other branch. But a scaled feature grows with the raw one, so there is one largest raw value that passes a cut.

    Args:
        cuts: on float32((raw - mean) / scale), any shape.
        means: of the cut feature, same shape.
        scales: of the cut feature, same shape, positive.

    Returns:
        The largest float32 values that pass the cuts.
    """

    def passes(raw: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
        with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and on the right side as such
            return ((raw.astype(np.float64) - means) / scales).astype(np.float32) <= cuts

    with np.errstate(over="ignore"):
        raw = (cuts * scales + means).astype(np.float32)
    return largest_passing(passes, raw)


def largest_passing(
    passes: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.bool_]], near: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Return the largest float32 values that pass cuts which lower values pass and higher ones do not.

    Args:
        passes: says which raw values, of the shape of `near`, pass their cuts; -inf passes all of them, inf none.
        near: where the search begins.
    """
    # Many raw values share a scaled one where the mean is large, so the steps double before they are halved. They end
    # at the infinities, beyond which there are only NaNs.
    keys = _ordered(near)
    (infinity,) = _ordered(np.array([np.inf], dtype=np.float32))
    low, high, step = keys.copy(), keys.copy(), 1
    while not (passes(_unordered(low)) & ~passes(_unordered(high))).all():
        low = np.where(passes(_unordered(low)), low, np.maximum(low - step, -infinity))
        high = np.where(passes(_unordered(high)), np.minimum(high + step, infinity), high)
        step *= 2
    while (high - low > 1).any():
        middle = (low + high) // 2
        passed = passes(_unordered(middle))
        low, high = np.where(passed, middle, low), np.where(passed, high, middle)
    return _unordered(low)


def _ordered(values: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """Number the float32 values in their order, neighbours by neighbouring integers."""
    bits = values.view(np.int32).astype(np.int64)
    return np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)


def _unordered(keys: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    bits = np.where(keys < 0, -keys | 0x80000000, keys)
    return bits.astype(np.uint32).view(np.float32)
