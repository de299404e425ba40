"""Whether all ways give the same columns and scores: checked before anything is timed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from tests.benchmarks.events import FEATURES

COLUMNS = 1e-5
"""Largest relative difference of a column between two ways, for any event."""

PEERS = 5e-5
"""Largest difference of a peer's score from the detector's own, as a fraction of the scores' range. Peers may round
more than the toolkit: ONNX Runtime's autoencoder is up to 2.5e-5 off."""


class Disagreement(Exception):
    """Two ways give different numbers, so comparing their times means nothing."""


def check_columns(name: str, made: npt.NDArray[np.float32], expected: npt.NDArray[np.float32]) -> None:
    """Compare columns of shape (events, columns), event by event; NaN has to be NaN in both.

    Raises:
        Disagreement: names the way and the column.
    """
    if made.shape != expected.shape:
        raise Disagreement(f"{name}: columns of shape {made.shape}, expected {expected.shape}")
    for i, feature in enumerate(FEATURES):
        if not np.allclose(made[:, i], expected[:, i], rtol=COLUMNS, atol=0, equal_nan=True):
            raise Disagreement(f"{name}: {feature} differs by more than {COLUMNS:g} in some event")


def check_scores(
    name: str,
    made: Mapping[str, npt.NDArray[np.floating]],
    expected: Mapping[str, npt.NDArray[np.floating]],
    allowed: float,
) -> None:
    """Compare the scores of each detector, shape (events,); `allowed` is a fraction of their range.

    Raises:
        Disagreement: names the way and the detector.
    """
    for detector, scores in expected.items():
        difference = float(np.abs(made[detector] - scores).max())
        if not difference <= allowed * float(np.ptp(scores)):
            raise Disagreement(f"{name}: {detector} differs by {difference:.2g}")
