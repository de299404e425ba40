"""Decision tree: signal is told from background by cuts on one feature after the other.

L. Breiman, J. Friedman, R. Olshen, C. Stone, "Classification and Regression Trees", 1984; trained by scikit-learn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from sklearn.tree import DecisionTreeClassifier

from models.detectors.detector import Detector, Features, Labels, Progress, Scores
from models.detectors.scaling import exact_factors
from models.detectors.tree_tables import PathAttribution, TreeTables, TreeWalk, Values, refuse_without_cuts
from models.thresholds import Rounding, ThresholdRule

MAX_DEPTH = 8
ORDINARY = 14
"""scikit-learn sees no difference below 1e-7 between values of a feature. Features whose spread is below 2^-14 or above
2^14 are scaled to about 1 by a power of two."""
MIN_LEAF_FRACTION = 0.005
"""Fewest training events in a leaf, as a fraction of all: fewer would be learned by heart."""


class ProbabilityTrees(Detector):
    """Trees of scikit-learn whose score is the probability of signal, for detectors that say how these are grown.

    The score, in [0, 1], holds if there were as much signal as background: each kind has the same weight in the
    training, however many events it has.

    Attributes:
        trees: scikit-learn's, each with its attribute `tree_`; set by `learn`.
        tables: the same with cuts on raw features, likewise.
    """

    supervised: ClassVar[bool] = True
    default_rule: ClassVar[ThresholdRule] = ThresholdRule(score=0.5)
    trees: Sequence[Any]
    tables: TreeTables

    def contributions(self) -> torch.nn.Module:
        """Return by how much the cuts on each feature raised P(signal), as a torch module.

        The contributions add up to the score less 1/2, which is P(signal) before any cut.
        """
        return PathAttribution(self.tables, self.signal_fractions() / len(self.trees))

    def signal_fractions(self) -> Values:
        """Return the fraction of signal among the training events of each node, shape (nodes,)."""
        return np.concatenate([tree.tree_.value[:, 0, 1] for tree in self.trees])


class DecisionTree(ProbabilityTrees):
    """scikit-learn's DecisionTreeClassifier of limited depth."""

    name: ClassVar[str] = "decision_tree"

    def learn(self, X: Features, labels: Labels | None, progress: Progress) -> None:
        """Train the tree on features that scikit-learn can tell apart."""
        self.factors = exact_factors(X.astype(np.float64).std(axis=0), ORDINARY)
        self.tree = DecisionTreeClassifier(
            max_depth=MAX_DEPTH, min_samples_leaf=MIN_LEAF_FRACTION, class_weight="balanced", random_state=self.seed
        ).fit(self._scaled(X), labels)
        refuse_without_cuts(self.name, [self.tree.tree_])
        self.trees = [self.tree]
        self.tables = TreeTables([self.tree.tree_], np.zeros(len(self.factors)), 1 / self.factors)

    def _scaled(self, X: Features) -> npt.NDArray[np.float64]:
        largest = float(np.finfo(np.float32).max)  # scikit-learn takes no more
        return np.asarray((X.astype(np.float64) * self.factors).clip(-largest, largest), dtype=np.float64)

    def score(self, X: Features) -> Scores:
        """Return P(signal), shape (events,): the weight of signal among the training events in an event's leaf."""
        scores: Scores = self.tree.predict_proba(self._scaled(X))[:, 1].astype(np.float32)
        return scores

    def rounding(self, X: Features, scores: Scores) -> Rounding:
        """Return zeros: a score is looked up."""
        return np.zeros(len(X))

    def network(self) -> torch.nn.Module:
        """Return the tree as a torch module of comparisons and look-ups."""
        return TreeNetwork(TreeWalk(self.tables), self.signal_fractions())


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
