"""Histogram-based outlier score: unusual events have features with values that few others have, each by itself.

M. Goldstein, A. Dengel, "Histogram-based Outlier Score (HBOS): A fast Unsupervised Anomaly Detection Algorithm", KI
2012, with bins of equal width; empty bins and values off the histogram count as in PyOD.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import torch

from models.detectors.detector import Detector, Features, Labels, Progress, Scores
from models.detectors.tree_tables import GrownTree, LeafSum, Nodes, TreeTables, TreeWalk, Values
from models.rounding import UNIT_ROUNDOFF, roundings_of_sum
from models.thresholds import Rounding

BINS = 30
"""Of each feature: with few, many events score alike."""
REGULARISATION = 0.1
"""Added to the density of each bin, so that an empty one has a logarithm."""
TOLERANCE = 0.5
"""Bins by which a value may be off the histogram and still count to its last bin."""


class HBOS(Detector):
    """The sum over the features of -log2(density + 0.1) in the bin that a value lies in.

    A density is per standard deviation of the feature, so that no unit matters. A value off the histogram by more than
    half a bin counts as one in the emptiest bin.
    """

    name: ClassVar[str] = "hbos"

    def learn(self, X: Features, labels: Labels | None, progress: Progress) -> None:
        """Fill the histograms."""
        self.histograms = [Histogram.of(values) for values in X.astype(np.float64).T]

    def _terms(self, X: Features) -> Values:
        """Return the terms of the score, shape (events, features)."""
        columns = zip(self.histograms, X.astype(np.float64).T, strict=True)
        return np.column_stack([histogram.terms[np.searchsorted(histogram.cuts, x)] for histogram, x in columns])

    def score(self, X: Features) -> Scores:
        """Return the sum of the terms, shape (events,); higher is more anomalous."""
        scores: Scores = self._terms(X).sum(axis=1).astype(np.float32)
        return scores

    def rounding(self, X: Features, scores: Scores) -> Rounding:
        """Return what rounding can change of a sum whose terms have either sign."""
        terms = np.abs(self._terms(X)).sum(axis=1)
        return np.asarray(UNIT_ROUNDOFF * roundings_of_sum(X.shape[1]) * terms, dtype=np.float64)

    def network(self) -> torch.nn.Module:
        """Return the look-ups in histograms as walks down trees, one for each feature, and their sum."""
        return LeafSum(*self._trees())

    def contributions(self) -> torch.nn.Module:
        """Return the term of each feature less its mean over the training events, as a torch module.

        They add up to the score less its mean.
        """
        return HistogramTerms(*self._trees(), np.array([histogram.mean for histogram in self.histograms]))

    def _trees(self) -> tuple[TreeWalk, Values]:
        """Return a tree for each feature, whose leaves are bins, and the terms of the nodes, shape (nodes,)."""
        trees, values = zip(*(histogram.tree(i) for i, histogram in enumerate(self.histograms)), strict=True)
        width = len(self.histograms)
        return TreeWalk(TreeTables(trees, np.zeros(width), np.ones(width))), np.concatenate(values)


class HistogramTerms(torch.nn.Module):
    """What each feature adds to the sum."""

    value: torch.Tensor
    means: torch.Tensor

    def __init__(self, walk: TreeWalk, value: Values, means: Values) -> None:
        """Prepare the look-ups.

        Args:
            walk: through the trees, one for each feature.
            value: of the nodes, shape (nodes,); only those of the leaves count.
            means: of the values over the training events, shape (features,).
        """
        super().__init__()
        self.walk = walk
        self.register_buffer("value", torch.tensor(value, dtype=torch.float32))
        self.register_buffer("means", torch.tensor(means, dtype=torch.float32))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map raw features to contributions, both of shape (events, features)."""
        terms: torch.Tensor = self.value[self.walk(features)] - self.means
        return terms


@dataclass(frozen=True)
class Histogram:
    """Histogram of one feature, as a look-up table of terms of the score.

    Attributes:
        cuts: the largest values of what lies below the histogram and of its bins, ascending, shape (bins + 1,).
        terms: of what lies below, of the bins and of what lies above, shape (bins + 2,).
        counts: training events there, same shape.
    """

    cuts: Values
    terms: Values
    counts: Nodes

    @classmethod
    def of(cls, values: Values) -> Self:
        """Fill a histogram with the values of a feature, shape (events,)."""
        counts, edges = np.histogram(values, bins=BINS)
        width = edges[1] - edges[0]
        edges[0] -= TOLERANCE * width
        # A bin begins with its lower edge, which a cut leaves to the values above it; the last one ends with its upper.
        cuts = np.append(np.nextafter(edges[:-1], -np.inf), edges[-1] + TOLERANCE * width)
        terms = -np.log2(counts / counts.sum() / width * values.std() + REGULARISATION)
        return cls(cuts, np.pad(terms, 1, constant_values=terms.max()), np.pad(counts, 1))

    @property
    def mean(self) -> float:
        """Mean term of the training events."""
        return float(np.average(self.terms, weights=self.counts))

    def tree(self, feature: int) -> tuple[GrownTree, Values]:
        """Return a tree whose leaves are the bins, and a number for each node: the term of a leaf, 0 for an inner node.

        Args:
            feature: number of the feature that it cuts on.
        """
        # Of each node its first bin, the one behind its last, and how many cuts lead to it; children lie behind it.
        spans = [(0, len(self.terms), 0)]
        left: list[int] = []
        for first, end, depth in spans:
            if end - first == 1:
                left.append(-1)
                continue
            left.append(len(spans))
            middle = (first + end) // 2
            spans += [(first, middle, depth + 1), (middle, end, depth + 1)]
        firsts, ends, depths = np.array(spans).T
        is_leaf = ends - firsts == 1
        children = np.array(left)
        counts = np.append(0, np.cumsum(self.counts))
        tree = GrownTree(
            children_left=children,
            children_right=np.where(is_leaf, -1, children + 1),
            feature=np.full(len(spans), feature),
            threshold=np.where(is_leaf, 0.0, self.cuts[(firsts + ends) // 2 - 1]),
            n_node_samples=counts[ends] - counts[firsts],
            depths=depths,
        )
        return tree, np.where(is_leaf, self.terms[firsts], 0.0)
