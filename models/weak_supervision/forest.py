"""The classifier of weak supervision: trees that tell events of a region from events of its sidebands.

J. Collins, K. Howe, B. Nachman, "Anomaly detection for resonant new physics with machine learning", arXiv:1805.02664;
trees in place of networks as in T. Finke et al., arXiv:2309.13111.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import ExtraTreesClassifier

from models.detectors.detector import Features, Labels
from models.detectors.extra_trees import TREES, ExtraTrees, Positions
from models.detectors.tree_tables import Values
from models.thresholds import ThresholdRule
from models.weak_supervision.ranked import RankedEvents
from models.weak_supervision.window import NAME, Weights, Window

MIN_LEAF, MIN_LEAF_FRACTION = 20, 1 / 800
"""Fewest training events in a leaf, as a number and as a fraction of all: with fewer, trees learn noise."""

RANK_POINTS = 2**14 + 1
"""Points of a rank table: between them a rank is off by less than 1e-4, which moves hardly an event over a cut."""


def grow_trees(
    positions: Values, in_region: npt.NDArray[np.bool_], weights: Weights, seed: int, threads: int
) -> ExtraTreesClassifier:
    """Train trees to tell events of a region from those of its sidebands.

    Args:
        positions: of the events, shape (events, features), as `Positions` gives them.
        in_region: whether an event lies in the region, shape (events,).
        weights: of the events, shape (events,).
        seed: of the trees.
        threads: that train them; -1 for all cores. The trees are the same, whatever their number.
    """
    return ExtraTreesClassifier(
        TREES,
        min_samples_leaf=max(MIN_LEAF, round(MIN_LEAF_FRACTION * len(positions))),
        max_features=None,
        random_state=seed,
        n_jobs=threads,
    ).fit(positions, in_region, weights)


class WeakForest(ExtraTrees):
    """Trees that learn, from the observable alone and from no label, what is more frequent in a window's region."""

    name: ClassVar[str] = NAME
    supervised: ClassVar[bool] = False
    rank_points: ClassVar[int] = RANK_POINTS

    def __init__(self, *given: Any, window: Window, values: npt.NDArray[np.floating], **more: Any) -> None:
        """Prepare the detector.

        Args:
            given: as every detector takes it.
            window: with the region.
            values: of the observable in the training events, all within the window, shape (events,).
            more: as every detector takes it.
        """
        super().__init__(*given, rule=ThresholdRule(contamination=min(window.cuts[-1], 0.5)), **more)
        self._window, self._values = window, values

    @property
    def minimum_events(self) -> int:
        """Number of events that fill two leaves."""
        return 2 * MIN_LEAF

    def grow(self, positions: Values, labels: Labels | None) -> ExtraTreesClassifier:
        """Train trees on positions, shape (events, features), and on where the events lie."""
        weights = self._window.weights(self._values)
        return grow_trees(positions, self._window.in_region(self._values), weights, self.seed, threads=-1)


def rank_held_out(
    X: Features, values: npt.NDArray[np.floating], fold_of: npt.NDArray[np.integer], window: Window, seed: int
) -> RankedEvents:
    """Score each event by trees that were trained on the other folds, and rank it among all events of its fold.

    Events of the region and of the sidebands are ranked together: an event of a sideband that is ranked among those of
    the sidebands counts itself, an event of the region does not, and that alone would make an excess.

    Args:
        X: features, shape (events, features).
        values: of the observable, all within the window, shape (events,).
        fold_of: number of the fold of each event, from 0 on, shape (events,).
        window: with the region.
        seed: of the trees.
    """
    region = window.in_region(values)
    scores, ranks = np.empty(len(X), dtype=np.float32), np.empty(len(X))
    for fold in range(int(fold_of.max()) + 1):
        held = fold_of == fold
        if not held.any():
            continue
        positions = Positions(X[~held])
        trees = grow_trees(positions(X[~held]), region[~held], window.weights(values[~held]), seed, threads=1)
        scores[held] = trees.predict_proba(positions(X[held]))[:, 1]
        ranks[held] = np.searchsorted(np.sort(scores[held]), scores[held], side="left") / held.sum()
    return RankedEvents(scores, ranks)
