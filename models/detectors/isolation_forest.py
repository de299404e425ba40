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

from models.detectors.detector import Detector, Features, Labels, Progress, Scores
from models.detectors.tree_tables import PathAttribution, TreeTables, TreeWalk, refuse_without_cuts
from models.rounding import FEW, UNIT_ROUNDOFF, roundings_of_sum
from models.thresholds import Rounding


class IsolationForest(Detector):
    """StandardScaler and scikit-learn's IsolationForest of 100 trees; the score is its `-score_samples`, in (0, 1]."""

    name: ClassVar[str] = "isolation_forest"

    def learn(self, X: Features, labels: Labels | None, progress: Progress) -> None:
        """Train the forest on scaled features."""
        # In float64, so that the scaled features do not depend on how a float32 sum over millions is rounded.
        self.scaler = StandardScaler().fit(X.astype(np.float64))
        self.forest = SklearnIsolationForest(n_estimators=100, random_state=self.seed).fit(self._scaled(X))
        refuse_without_cuts(self.name, [tree.tree_ for tree in self.forest.estimators_])

    def _scaled(self, X: Features) -> npt.NDArray[np.float64]:
        scaled: npt.NDArray[np.float64] = self.scaler.transform(X.astype(np.float64))
        return scaled

    def score(self, X: Features) -> Scores:
        """Return 2^(-mean path length / expected path length), shape (events,); higher is more anomalous."""
        scores: Scores = -self.forest.score_samples(self._scaled(X)).astype(np.float32)
        return scores

    def rounding(self, X: Features, scores: Scores) -> Rounding:
        """Return what rounding can change of a power of e: what it changes of the exponent, the sum of the paths."""
        exact = scores.astype(np.float64)
        paths = -np.log(exact)
        return UNIT_ROUNDOFF * exact * (FEW + roundings_of_sum(len(self.forest.estimators_)) * paths)

    def network(self) -> torch.nn.Module:
        """Return the forest as a torch module of comparisons and look-ups."""
        tables = self._tables()
        return ForestNetwork(TreeWalk(tables), path_lengths(tables), self._normalisation)

    def contributions(self) -> torch.nn.Module:
        """Return what the cuts on each feature did to the path lengths, as a torch module.

        At each node of an event's path the expected path length is the mean over the training events that came through
        it. A contribution is by how much the cuts on a feature shortened it, summed over the trees, as a fraction of
        the normalisation. They add up to log2(score) less the log2(score) of the roots' expected path lengths.
        """
        tables = self._tables()
        return PathAttribution(tables, -tables.means_of_leaves(path_lengths(tables)) / self._normalisation)

    def _tables(self) -> TreeTables:
        return TreeTables([tree.tree_ for tree in self.forest.estimators_], self.scaler.mean_, self.scaler.scale_)

    @property
    def _normalisation(self) -> float:
        expected = average_path_length(np.array([self.forest.max_samples_]))[0]
        return float(len(self.forest.estimators_) * expected)


class ForestNetwork(torch.nn.Module):
    """An isolation forest's score as tensor operations."""

    path_length: torch.Tensor
    exponents: torch.Tensor

    def __init__(self, walk: TreeWalk, path_length: npt.NDArray[np.float64], normalisation: float) -> None:
        """Prepare the network.

        Args:
            walk: through the forest's trees.
            path_length: of the nodes, shape (nodes,); only those of the leaves count.
            normalisation: a path length over all trees for which the score is 1/2.
        """
        super().__init__()
        self.walk = walk
        self.register_buffer("path_length", torch.tensor(path_length, dtype=torch.float32))
        # score = 2^(-sum of path lengths / normalisation), as a power of e; the sum as a product of matrices
        exponents = torch.full((walk.roots.shape[1], 1), float(-np.log(2) / normalisation))
        self.register_buffer("exponents", exponents)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map raw features, shape (events, features), to scores, shape (events, 1)."""
        leaf = self.walk(features)
        return torch.exp(self.path_length[leaf] @ self.exponents)


def path_lengths(tables: TreeTables) -> npt.NDArray[np.float64]:
    """Return the path length of an event that ends at a node, for each node, shape (nodes,)."""
    # A leaf with several training events stands for the tree that would have told them apart.
    return tables.level + average_path_length(tables.samples)


def average_path_length(samples: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
    """Return the mean depth of an unsuccessful search in a binary tree of samples (equation 1 of the paper)."""
    n = np.maximum(samples, 3).astype(np.float64)
    many = 2 * (np.log(n - 1) + np.euler_gamma) - 2 * (n - 1) / n
    return np.where(samples <= 1, 0.0, np.where(samples == 2, 1.0, many))
