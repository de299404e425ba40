"""Decision tree: signal is told from background by cuts on one feature after the other.

L. Breiman, J. Friedman, R. Olshen, C. Stone, "Classification and Regression Trees", 1984; trained by scikit-learn.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from sklearn.tree import DecisionTreeClassifier

from models.detector import Detector, Features, Labels, Progress, Scores
from models.thresholds import ThresholdRule
from models.tree_tables import PathAttribution, TreeTables, TreeWalk, Values, refuse_without_cuts

MAX_DEPTH = 8
MIN_LEAF_FRACTION = 0.005
"""Fewest training events in a leaf, as a fraction of all: fewer would be learned by heart."""


class DecisionTree(Detector):
    """scikit-learn's DecisionTreeClassifier of limited depth.

    The score is the probability of signal, in [0, 1], if there were as much signal as background: each kind has the
    same weight in the training, however many events it has.
    """

    name: ClassVar[str] = "decision_tree"
    supervised: ClassVar[bool] = True
    default_rule: ClassVar[ThresholdRule] = ThresholdRule(score=0.5)

    def _fit(self, X: Features, labels: Labels | None, progress: Progress) -> None:
        self.tree = DecisionTreeClassifier(
            max_depth=MAX_DEPTH, min_samples_leaf=MIN_LEAF_FRACTION, class_weight="balanced", random_state=self.seed
        ).fit(X, labels)
        refuse_without_cuts(self.name, [self.tree.tree_])

    def score(self, X: Features) -> Scores:
        """Return P(signal), shape (events,): the weight of signal among the training events in an event's leaf."""
        scores: Scores = self.tree.predict_proba(X)[:, 1].astype(np.float32)
        return scores

    def network(self) -> torch.nn.Module:
        """Return the tree as a torch module of comparisons and look-ups."""
        return TreeNetwork(TreeWalk(self._tables()), self._signal_fractions())

    def contributions(self) -> torch.nn.Module:
        """Return by how much the cuts on each feature raised P(signal), as a torch module.

        The contributions add up to the score less 1/2, which is P(signal) before any cut.
        """
        return PathAttribution(self._tables(), self._signal_fractions())

    def _tables(self) -> TreeTables:
        width = self.tree.n_features_in_
        return TreeTables([self.tree.tree_], np.zeros(width), np.ones(width))  # it was trained on raw features

    def _signal_fractions(self) -> Values:
        """Return the fraction of signal among the training events of each node, shape (nodes,)."""
        fractions: Values = self.tree.tree_.value[:, 0, 1]
        return fractions


class TreeNetwork(torch.nn.Module):
    """A single tree's score as tensor operations."""

    value: torch.Tensor

    def __init__(self, walk: TreeWalk, value: Values) -> None:
        """Prepare the network.

        Args:
            walk: through the tree.
            value: of the nodes, shape (nodes,).
        """
        super().__init__()
        self.walk = walk
        self.register_buffer("value", torch.tensor(value, dtype=torch.float32))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map raw features, shape (events, features), to scores, shape (events, 1)."""
        return self.value[self.walk(features)]
