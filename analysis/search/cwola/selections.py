"""What the spectra of a window are made of: events of high rank, or all events by the likelihood ratio of their score.

A cut throws away what it does not keep, and where features hardly tell a signal it loses more than it gains. Weights by
the likelihood ratio of region to sidebands lose little then, since they are nearly the same for all events; where a cut
works well they gain less than it does. Both are compared for the Upsilon in arXiv:2502.14036.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from models.weak_supervision.ranked import MOST_RATIO, RankedEvents, likelihood_ratios
from models.weak_supervision.window import Window

Numbers = npt.NDArray[np.float64]

Priority = Literal["first", "last"]
"""Whether weighted events are reported before the cuts that select events, or after them, and nothing else."""


@dataclass(frozen=True)
class SpectrumSelection:
    """A spectrum that is declared.

    Attributes:
        fraction: of the events that it keeps.
        by_ratio: whether they count by likelihood ratios.
    """

    fraction: float
    by_ratio: bool = False

    def words(self) -> str:
        """Name it in a message."""
        return "weighted events" if self.by_ratio else f"cut {self.fraction:g}"

    def expression(self, window: str) -> str | None:
        """Write what it asks of an event, by the columns that the classifier of a window has; None for all events."""
        if self.by_ratio:
            return f"weight min(score_{window} / (1 - score_{window}), {MOST_RATIO:g})"
        return None if self.fraction == 1 else f"rank_{window} >= {1 - self.fraction:g}"


def declared_selections(cuts: Sequence[float], *, weighted: bool) -> tuple[SpectrumSelection, ...]:
    """Return the spectra that are declared: that of all events is the first, that of weighted events the last.

    Args:
        cuts: fractions that are kept, the first of which is 1.
        weighted: whether there is a spectrum of weighted events.
    """
    selections = [SpectrumSelection(fraction) for fraction in cuts]
    return (*selections, SpectrumSelection(1.0, by_ratio=True)) if weighted else tuple(selections)


def selected_counts(
    window: Window, selections: Sequence[SpectrumSelection], values: npt.NDArray[np.float64], ranked: RankedEvents
) -> Numbers:
    """Return the events of each selection and bin of a window, shape (selections, bins).

    Weighted events are counted in units of the sum of squared weights over the sum of weights: the mean and the
    variance of such a number are alike, as those of a Poisson distribution are (G. Bohm, G. Zech, arXiv:1309.1287). The
    unit is that of the whole window, since weights do not depend on the observable where there is no signal.

    Args:
        window: with its bins.
        selections: that are counted.
        values: of the observable, all within the window, shape (events,).
        ranked: scores and ranks of these events.
    """
    edges = window.edges()
    bins = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)

    def row(selection: SpectrumSelection) -> Numbers:
        if selection.by_ratio:
            weights = likelihood_ratios(ranked.scores)
            unit = (weights**2).sum() / weights.sum() if len(weights) else 1.0
            return np.bincount(bins, weights, len(edges) - 1) / unit
        kept = bins if selection.fraction == 1 else bins[ranked.ranks >= np.float32(1 - selection.fraction)]
        return np.bincount(kept, minlength=len(edges) - 1).astype(np.float64)

    return np.array([row(selection) for selection in selections])


def scaled_spurious(spurious: Numbers, selection: SpectrumSelection, counts: Numbers, place: int) -> Numbers | None:
    """Return the error of a selection's signal by a spurious one, which is proportional to its events; None without.

    Args:
        spurious: error that all events have, shape (1,); empty without one.
        selection: that is fitted.
        counts: of all selections, shape (selections, bins); the first one has all events.
        place: of the selection among these.
    """
    if not len(spurious):
        return None
    return spurious * (counts[place].sum() / counts[0].sum() if selection.by_ratio else selection.fraction)
