"""Extremely randomised trees: the mean probability of signal by many trees whose cuts are random.

P. Geurts, D. Ernst, L. Wehenkel, "Extremely randomized trees", Machine Learning 63 (2006) 3; trained by scikit-learn.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from sklearn.ensemble import ExtraTreesClassifier

from models.detectors.decision_tree import ProbabilityTrees
from models.detectors.detector import Features, Labels, Progress, Scores
from models.detectors.tree_tables import LeafSum, TreeTables, TreeWalk, Values, largest_passing, refuse_without_cuts
from models.rounding import UNIT_ROUNDOFF, roundings_of_sum
from models.thresholds import Rounding

TREES = 100
MIN_LEAF, MIN_LEAF_FRACTION = 10, 0.001
"""Fewest training events in a leaf, as a number and as a fraction of all: trees with fewer grow larger, not better."""


LEVELS = np.linspace(0, 1, 1000)
"""Of the quantiles between which a feature's values become positions."""


class Positions:
    """What trees learn from in place of values: the fraction of the training events that lies below each value.

    A random cut lies anywhere between the smallest and the largest value, which tells few events of a long-tailed
    feature from the others; positions are spread evenly. They are linear between quantiles of the training events.
    """

    def __init__(self, X: Features) -> None:
        """Take the quantiles of training events.

        Args:
            X: features, shape (events, features).
        """
        self._quantiles = [_quantiles(column) for column in X.astype(np.float64).T]

    def __call__(self, X: Features) -> Values:
        """Return the positions of events, of the shape of X."""
        return np.column_stack([np.interp(x, *quantiles) for x, quantiles in zip(X.T, self._quantiles, strict=True)])

    def carry_over(self, tables: TreeTables, cuts: Values) -> None:
        """Put cuts on raw values into tables, in place of cuts on positions.

        Args:
            tables: of the trees.
            cuts: of all nodes, on positions, shape (nodes,).
        """
        inner = tables.left != np.arange(len(tables.left))
        for feature, (values, positions) in enumerate(self._quantiles):
            nodes = inner & (tables.feature == feature)
            tables.cut[nodes] = _raw_cuts(cuts[nodes], values, positions)


class ExtraTrees(ProbabilityTrees):
    """scikit-learn's ExtraTreesClassifier of 100 trees; of all features, each with a random cut, the best one cuts."""

    name: ClassVar[str] = "extra_trees"

    @property
    def minimum_events(self) -> int:
        """Number of events that fill two leaves."""
        return 2 * MIN_LEAF

    def grow(self, positions: Values, labels: Labels | None) -> ExtraTreesClassifier:
        """Train trees on positions, shape (events, features)."""
        return ExtraTreesClassifier(
            TREES,
            min_samples_leaf=max(MIN_LEAF, round(MIN_LEAF_FRACTION * len(positions))),
            max_features=None,
            class_weight="balanced",
            random_state=self.seed,
            n_jobs=-1,
        ).fit(positions, labels)

    def learn(self, X: Features, labels: Labels | None, progress: Progress) -> None:
        """Train the trees on positions, and carry their cuts over to raw features."""
        self.positions = Positions(X)
        self.forest = self.grow(self.positions(X), labels)
        self.forest.n_jobs = 1  # scores of several threads would be added up in any order
        self.trees = self.forest.estimators_
        trees = [tree.tree_ for tree in self.trees]
        refuse_without_cuts(self.name, trees)
        self.tables = TreeTables(trees, np.zeros(X.shape[1]), np.ones(X.shape[1]))
        self.positions.carry_over(self.tables, np.concatenate([tree.threshold for tree in trees]))

    def score(self, X: Features) -> Scores:
        """Return the mean over the trees of P(signal) in the leaves that an event reaches, shape (events,)."""
        scores: Scores = self.forest.predict_proba(self.positions(X))[:, 1].astype(np.float32)
        return scores

    def rounding(self, X: Features, scores: Scores) -> Rounding:
        """Return what rounding can change of the sum over the trees, none of which has a negative term."""
        return UNIT_ROUNDOFF * roundings_of_sum(TREES) * scores.astype(np.float64)

    def network(self) -> torch.nn.Module:
        """Return the trees as a torch module of comparisons, look-ups and a sum."""
        return LeafSum(TreeWalk(self.tables), self.signal_fractions(), 1 / TREES)


def _quantiles(values: Values) -> tuple[Values, Values]:
    """Return the quantiles of values, each once, and their positions; of several levels the mean."""
    distinct, place = np.unique(np.quantile(values, LEVELS), return_inverse=True)
    return distinct, np.bincount(place, weights=LEVELS) / np.bincount(place)


def _raw_cuts(cuts: Values, values: Values, positions: Values) -> npt.NDArray[np.float32]:
    """Carry cuts on positions over to raw values, so that every float32 falls on the same side.

    Args:
        cuts: on float32(position), any shape.
        values: quantiles of the feature, shape (quantiles,).
        positions: of these, same shape.
    """

    def passes(raw: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
        return np.interp(raw, values, positions).astype(np.float32) <= cuts

    return largest_passing(passes, np.interp(cuts, positions, values).astype(np.float32))
