"""Whether features tell the mass by themselves: then a classifier of region against sidebands learns the mass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from models.detectors.detector import Features
from models.detectors.extra_trees import Positions
from models.weak_supervision.forest import grow_trees
from models.weak_supervision.window import Window

MOST = 0.01
"""Largest amount by which the AUC may exceed 1/2 beyond three of its errors. With it the features of the LHC Olympics
pass as they are (0.503 +- 0.002), and are refused with a tenth of the mass added to two of them (0.722)."""

ERRORS = 3.0


@dataclass(frozen=True)
class MassTest:
    """How well the features tell the upper sideband of a window from the lower one.

    Attributes:
        auc: area under the ROC curve; 1/2 where they do not tell it.
        error: of that area where they do not.
        passed: whether the features may be used.
    """

    auc: float
    error: float

    @property
    def passed(self) -> bool:
        """Whether the features may be used."""
        return self.auc - ERRORS * self.error - MOST <= 0.5


def mass_test(
    X: Features, values: npt.NDArray[np.floating], fold_of: npt.NDArray[np.integer], window: Window, seed: int
) -> MassTest:
    """Train the classifier of a search to tell one sideband from the other, on events that it has not seen.

    The region is not looked at. The error is that of the statistic of Mann and Whitney.

    Args:
        X: features, shape (events, features).
        values: of the observable, shape (events,).
        fold_of: number of the fold of each event, from 0 on, shape (events,).
        window: with the sidebands.
        seed: of the trees.
    """
    beside = window.holds(values) & ~window.in_region(values)
    X, upper, fold_of = X[beside], values[beside] >= window.high, fold_of[beside]
    scores = np.empty(len(X))
    for fold in range(int(fold_of.max()) + 1):
        held = fold_of == fold
        labels = upper[~held]
        weights = np.where(labels, len(labels) / max(labels.sum(), 1), len(labels) / max((~labels).sum(), 1))
        positions = Positions(X[~held])
        trees = grow_trees(positions(X[~held]), labels, weights / 2, seed, threads=-1)
        said = trees.predict_proba(positions(X[held]))[:, -1]
        scores[held] = rankdata(said) / len(said)  # scores of two forests are compared by their ranks alone
    above, below = int(upper.sum()), int((~upper).sum())
    auc = (rankdata(scores)[upper].sum() - above * (above + 1) / 2) / (above * below)
    return MassTest(float(auc), float(np.sqrt((above + below + 1) / (12 * above * below))))
