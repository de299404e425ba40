"""Isolation forest: unusual events are told from the others by few random cuts.

F. T. Liu, K. M. Ting, Z.-H. Zhou, "Isolation Forest", ICDM 2008; trained by scikit-learn.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from sklearn.ensemble import IsolationForest as SklearnIsolationForest
from sklearn.preprocessing import StandardScaler

from models.detector import Detector, Features, Scores
from models.errors import TrainingError

MINIMUM_EVENTS = 2
"""Fewest events that a tree can tell apart."""


class IsolationForest(Detector):
    """StandardScaler and scikit-learn's IsolationForest of 100 trees; the score is its `-score_samples`, in (0, 1]."""

    name: ClassVar[str] = "isolation_forest"

    def _fit(self, X: Features) -> None:
        if len(X) < MINIMUM_EVENTS:
            raise TrainingError(
                f"{self.name}: {len(X)} training events, at least {MINIMUM_EVENTS} are needed; read more of the sample"
            )
        if (X[0] == X).all():
            raise TrainingError(f"{self.name}: the {len(X)} training events are all alike; take more or other events")
        # In float64, so that the scaled features do not depend on how a float32 sum over millions is rounded.
        self.scaler = StandardScaler().fit(X.astype(np.float64))
        self.forest = SklearnIsolationForest(
            n_estimators=100, contamination=self.contamination, random_state=self.seed
        ).fit(self._scaled(X))

    def _scaled(self, X: Features) -> npt.NDArray[np.float64]:
        scaled: npt.NDArray[np.float64] = self.scaler.transform(X.astype(np.float64))
        return scaled

    def score(self, X: Features) -> Scores:
        """Return 2^(-mean path length / expected path length), shape (events,); higher is more anomalous."""
        scores: Scores = -self.forest.score_samples(self._scaled(X)).astype(np.float32)
        return scores

    def network(self) -> torch.nn.Module:
        """Return the forest as a torch module of comparisons and look-ups."""
        return ForestNetwork(self.forest, self.scaler)


class ForestNetwork(torch.nn.Module):
    """A scikit-learn isolation forest as tensor operations.

    All trees are laid end to end in tables of nodes. Each tree holds one node at a time, starting at its root, and
    every step replaces it by its left or right child; a leaf is its own child. After as many steps as the deepest tree
    has levels all trees are at their leaves.
    """

    feature: torch.Tensor
    cut: torch.Tensor
    left: torch.Tensor
    right: torch.Tensor
    path_length: torch.Tensor
    roots: torch.Tensor

    def __init__(self, forest: SklearnIsolationForest, scaler: StandardScaler) -> None:
        """Lay out the forest's trees.

        Args:
            forest: trained on scaled features.
            scaler: its scaling, which is folded into the cuts.
        """
        super().__init__()
        trees = [estimator.tree_ for estimator in forest.estimators_]
        roots = np.concatenate([[0], np.cumsum([tree.node_count for tree in trees])])[:-1]
        is_leaf = np.concatenate([tree.children_left < 0 for tree in trees])
        nodes = np.arange(len(is_leaf))
        left, right = (
            np.where(
                is_leaf, nodes, np.concatenate([getattr(t, side) + root for t, root in zip(trees, roots, strict=True)])
            )
            for side in ("children_left", "children_right")
        )
        feature = np.where(is_leaf, 0, np.concatenate([tree.feature for tree in trees]))
        cut = np.concatenate([tree.threshold for tree in trees])
        cut = raw_cuts(cut, scaler.mean_[feature], scaler.scale_[feature])
        self.depth = max(tree.max_depth for tree in trees)
        # A leaf with several training events stands for the tree that would have told them apart.
        path_length = np.concatenate([tree.compute_node_depths() - 1 for tree in trees]) + average_path_length(
            np.concatenate([tree.n_node_samples for tree in trees])
        )
        expected = len(trees) * average_path_length(np.array([forest.max_samples_]))[0]
        # score = 2^(-sum of path lengths / expected), as a power of e
        self.exponent = float(-np.log(2) / expected)

        for name, values, dtype in (
            ("feature", feature, torch.int64),
            ("cut", cut, torch.float32),
            ("left", left, torch.int64),
            ("right", right, torch.int64),
            ("path_length", path_length, torch.float32),
            ("roots", roots[np.newaxis], torch.int64),
        ):
            self.register_buffer(name, torch.tensor(values, dtype=dtype))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map raw features, shape (events, features), to scores, shape (events, 1)."""
        events, width = features.shape
        values = features.reshape(-1)
        first_value = torch.arange(events)[:, None] * width
        node = self.roots.expand(events, -1)
        for _ in range(self.depth):
            goes_left = values[first_value + self.feature[node]] <= self.cut[node]
            node = torch.where(goes_left, self.left[node], self.right[node])
        return torch.exp(self.path_length[node].sum(dim=1, keepdim=True) * self.exponent)


def average_path_length(samples: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
    """Return the mean depth of an unsuccessful search in a binary tree of so many samples (equation 1 of the paper)."""
    n = np.maximum(samples, 3).astype(np.float64)
    many = 2 * (np.log(n - 1) + np.euler_gamma) - 2 * (n - 1) / n
    return np.where(samples <= 1, 0.0, np.where(samples == 2, 1.0, many))


def raw_cuts(
    cuts: npt.NDArray[np.float64], means: npt.NDArray[np.float64], scales: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
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
    # Many raw values share a scaled one where the mean is large, so the steps double before they are halved. They end
    # at the infinities, beyond which there are only NaNs: -inf passes every cut, inf none.
    keys = _ordered(raw)
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
