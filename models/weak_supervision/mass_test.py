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
"""Number of errors of an area that count as none: `MOST` lies beyond them."""


@dataclass(frozen=True)
class SidebandAreas:
    """Areas under the ROC curves of two classifiers; each is 1/2 where the features do not tell the mass.

    Attributes:
        auc: of the upper sideband against the lower one.
        error: standard deviation of that area where it is 1/2.
        outer_auc: of the outer halves of both sidebands against the inner halves.
        outer_error: standard deviation of that area where it is 1/2.
    """

    auc: float
    error: float
    outer_auc: float
    outer_error: float

    @property
    def passed(self) -> bool:
        """Whether the features may be used."""
        areas = ((self.auc, self.error), (self.outer_auc, self.outer_error))
        return all(auc - ERRORS * error - MOST <= 0.5 for auc, error in areas)


def mass_test(
    X: Features, values: npt.NDArray[np.floating], fold_of: npt.NDArray[np.integer], window: Window, seed: int
) -> SidebandAreas:
    """Train the classifier of a search to tell parts of the sidebands apart, on events that it has not seen.

    The region is not looked at. Upper against lower sideband shows a dependence on the mass that rises or falls; outer
    against inner halves shows one that bends, which the weights of the sidebands do not cancel.

    Args:
        X: features, shape (events, features).
        values: of the observable, shape (events,).
        fold_of: number of the fold of each event, from 0 on, shape (events,).
        window: with the sidebands, each with events of every fold.
        seed: of the trees.
    """
    beside = window.holds(values) & ~window.in_region(values)
    X, values, fold_of = X[beside], values[beside], fold_of[beside]
    upper = values >= window.high
    halves = np.where(upper, (window.high + window.end) / 2, (window.begin + window.low) / 2)
    outer = np.where(upper, values >= halves, values < halves)
    return SidebandAreas(*_area(X, upper, fold_of, seed), *_area(X, outer, fold_of, seed))


def _area(
    X: Features, labels: npt.NDArray[np.bool_], fold_of: npt.NDArray[np.integer], seed: int
) -> tuple[float, float]:
    """Return the area under the ROC curve of a cross-fitted classifier, and its error (H. Mann, D. Whitney, 1947)."""
    ranks = np.full(len(X), 0.5)
    for fold in np.unique(fold_of):
        held = fold_of == fold
        taught = labels[~held]
        if not 0 < taught.sum() < len(taught):
            continue
        weights = np.where(taught, len(taught) / (2 * taught.sum()), len(taught) / (2 * (~taught).sum()))
        positions = Positions(X[~held])
        trees = grow_trees(positions(X[~held]), taught, weights, seed, threads=-1)
        said = trees.predict_proba(positions(X[held]))[:, 1]
        ranks[held] = rankdata(said) / len(said)  # scores of two forests are compared by their ranks alone
    ones, zeros = int(labels.sum()), int((~labels).sum())
    if not ones or not zeros:
        return 0.5, 0.5
    auc = (rankdata(ranks)[labels].sum() - ones * (ones + 1) / 2) / (ones * zeros)
    return float(auc), float(np.sqrt((ones + zeros + 1) / (12 * ones * zeros)))
