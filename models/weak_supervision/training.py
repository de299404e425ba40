"""Training of weakly supervised classifiers: one a window and fold, which has not seen the events that it scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.errors import TrainingError
from models.training import Trained, TrainingEvents, TrainingRecipe
from models.weak_supervision.forest import WeakForest
from models.weak_supervision.window import Window

FEWEST_IN_REGION = 100
"""Events of a region, below which nothing is learned from them."""

FEWEST_IN_SIDEBAND = 20
"""Events of a sideband, below which nothing is compared with them."""


@dataclass(frozen=True)
class WindowRecipe(TrainingRecipe):
    """How classifiers of windows are trained.

    Attributes:
        windows: by the names of their detectors.
        values: of the observable in the training events, shape (events,).
    """

    windows: Mapping[str, Window]
    values: npt.NDArray[np.floating]

    def _learned_from(
        self,
        events: TrainingEvents,
        rows: npt.NDArray[np.bool_],
        detector: str,
    ) -> npt.NDArray[np.bool_]:
        return rows & self.windows[detector].holds(self.values)


def sideband_fault(window: Window, values: npt.NDArray[np.floating]) -> str | None:
    """Say which sideband of a window has too few events; None where neither has.

    Args:
        window: with its sidebands.
        values: of the observable in all events, shape (events,).
    """
    for low, high in window.sidebands:
        beside = int(((values >= low) & (values < high)).sum())
        if beside < FEWEST_IN_SIDEBAND:
            return f"the sideband {low:g}:{high:g} holds {beside} events, fewer than {FEWEST_IN_SIDEBAND}"
    return None


def fold_fault(
    window: Window, values: npt.NDArray[np.floating], fold_of: npt.NDArray[np.integer], folds: int
) -> str | None:
    """Say which fold has no event in a sideband of a window; None where each has one.

    Args:
        window: with its sidebands.
        values: of the observable in all events, shape (events,).
        fold_of: number of the fold of each event, from 0 on, shape (events,).
        folds: their number.
    """
    for fold in range(folds):
        here = values[fold_of == fold]
        for low, high in window.sidebands:
            if not ((here >= low) & (here < high)).any():
                return (
                    f"fold {fold} of {folds} has no event in the sideband {low:g}:{high:g}; its events are those of "
                    f"event % {folds} == {fold}"
                )
    return None


def window_fault(window: Window, values: npt.NDArray[np.floating]) -> str | None:
    """Say why nothing can be learned from a window; None where it can.

    Args:
        window: with its region and sidebands.
        values: of the observable in all events, shape (events,).
    """
    region = int(window.in_region(values).sum())
    if region < FEWEST_IN_REGION:
        return f"the region {window.low:g}:{window.high:g} holds {region} events, fewer than {FEWEST_IN_REGION}"
    return sideband_fault(window, values)


def train_windows(events: TrainingEvents, recipe: WindowRecipe, progress: Callable[[str, int, int], None]) -> Trained:
    """Train a classifier for each window and fold.

    Args:
        events: all of them; a window takes its own.
        recipe: with the windows.
        progress: told what is being trained, and the classifiers that are done and their number.

    Raises:
        TrainingError: a window or a fold has too few events.
    """
    recipe.check_folds(events)
    trained: Trained = {}
    done, total = 0, len(recipe.windows) * recipe.folds
    for name, window in recipe.windows.items():
        if fault := window_fault(window, recipe.values):
            raise TrainingError(fault)
        trained[name] = []
        for fold in range(recipe.folds):
            progress(f"{name}, fold {fold}", done, total)
            rows = recipe.training_rows(events, fold, name)
            if fault := window_fault(window, recipe.values[rows]):
                raise TrainingError(f"without the events of fold {fold} {fault}; take more folds or a wider region")
            forest = WeakForest(events.features, window=window, values=recipe.values[rows], seed=recipe.seed)
            forest.fit(events.X[rows])
            trained[name].append(forest.calibrate(events.X[recipe.calibration_rows(events, fold, name)]))
            done += 1
    progress("", total, total)
    return trained
