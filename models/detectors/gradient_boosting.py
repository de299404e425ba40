"""Gradient boosting: each of many small trees corrects what those before it say of signal and background.

J. H. Friedman, "Greedy function approximation: a gradient boosting machine", Annals of Statistics 29 (2001) 1189; with
features in bins, after G. Ke et al., "LightGBM", NeurIPS 2017; trained by scikit-learn.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from models.detectors.detector import Detector, Features, Labels, Progress, Scores
from models.detectors.tree_tables import GrownTree, LeafSum, PathAttribution, TreeTables, TreeWalk, refuse_without_cuts
from models.rounding import FEW, UNIT_ROUNDOFF, roundings_of_sum
from models.thresholds import Rounding, ThresholdRule

TREES, LEAVES, LEARNING_RATE = 200, 15, 0.05
MIN_LEAF = 20
"""Fewest training events in a leaf."""


class GradientBoosting(Detector):
    """scikit-learn's HistGradientBoostingClassifier of 200 trees with 15 leaves at most.

    The score is the probability of signal, in (0, 1), if there were as much signal as background: each kind has the
    same weight in the training, however many events it has.
    """

    name: ClassVar[str] = "gradient_boosting"
    supervised: ClassVar[bool] = True
    default_rule: ClassVar[ThresholdRule] = ThresholdRule(score=0.5)

    @property
    def minimum_events(self) -> int:
        """Number of events that fill two leaves."""
        return 2 * MIN_LEAF

    def learn(self, X: Features, labels: Labels | None, progress: Progress) -> None:
        """Train a fixed number of trees: with few events of a kind none can be spared to stop the training early."""
        self.classifier = HistGradientBoostingClassifier(
            learning_rate=LEARNING_RATE,
            max_iter=TREES,
            max_leaf_nodes=LEAVES,
            min_samples_leaf=MIN_LEAF,
            early_stopping=False,
            class_weight="balanced",
            random_state=self.seed,
        )
        with threadpool_limits(1):  # sums come out the same on any machine
            self.classifier.fit(X.astype(np.float64), labels)
        # scikit-learn has no public way to its trees.
        nodes = [predictor.nodes for (predictor,) in self.classifier._predictors]
        self.trees = [_grown(tree) for tree in nodes]
        self.values = np.concatenate([tree["value"] for tree in nodes])
        self.start = float(self.classifier._baseline_prediction.item())
        refuse_without_cuts(self.name, self.trees)

    def score(self, X: Features) -> Scores:
        """Return P(signal), shape (events,): the logistic function of the sum of the leaves' values."""
        with threadpool_limits(1):  # several wait for one another where others are at work
            scores: Scores = self.classifier.predict_proba(X.astype(np.float64))[:, 1].astype(np.float32)
        return scores

    def rounding(self, X: Features, scores: Scores) -> Rounding:
        """Return what rounding can change of the score, by the largest values that the trees can add up."""
        tables = self._tables()
        leaves = np.where(tables.left == np.arange(len(tables.left)), np.abs(self.values), 0.0)
        largest = abs(self.start) + np.maximum.reduceat(leaves, tables.roots).sum()
        exact = scores.astype(np.float64)
        in_sum = roundings_of_sum(TREES) * largest * exact * (1 - exact)
        return np.asarray(UNIT_ROUNDOFF * (in_sum + FEW * exact), dtype=np.float64)

    def network(self) -> torch.nn.Module:
        """Return the trees as a torch module of comparisons, look-ups, a sum and its logistic function."""
        return BoostedNetwork(TreeWalk(self._tables()), self.values, self.start)

    def contributions(self) -> torch.nn.Module:
        """Return by how much the cuts on each feature raised the logarithm of the odds, as a torch module.

        At each node of an event's path, the expected value is the mean over the training events that came through it.
        The contributions add up to log(score / (1 - score)) less its mean over the training events.
        """
        tables = self._tables()
        return PathAttribution(tables, tables.means_of_leaves(self.values))

    def _tables(self) -> TreeTables:
        width = len(self.features)
        return TreeTables(self.trees, np.zeros(width), np.ones(width))


class BoostedNetwork(LeafSum):
    """The score of boosted trees as tensor operations."""

    start: torch.Tensor

    def __init__(self, walk: TreeWalk, value: npt.NDArray[np.float64], start: float) -> None:
        """Prepare the network.

        Args:
            walk: through the trees.
            value: of the nodes, shape (nodes,); only those of the leaves count.
            start: what the sum over the trees begins with.
        """
        super().__init__(walk, value)
        self.register_buffer("start", torch.full((1,), start))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map raw features, shape (events, features), to scores, shape (events, 1)."""
        return torch.sigmoid(super().forward(features) + self.start)


def _grown(nodes: npt.NDArray[Any]) -> GrownTree:
    """Return a tree of scikit-learn's table of nodes, in which children lie behind their parents."""
    is_leaf = nodes["is_leaf"].astype(np.bool_)
    left, right = (np.where(is_leaf, -1, nodes[side].astype(np.int64)) for side in ("left", "right"))
    return GrownTree(
        children_left=left,
        children_right=right,
        feature=nodes["feature_idx"].astype(np.int64),
        threshold=nodes["num_threshold"],
        n_node_samples=nodes["count"].astype(np.int64),
        depths=nodes["depth"].astype(np.int64),
    )
