"""Windows of weak supervision: a region of an observable, and the sidebands on either side of it."""

from __future__ import annotations

import math
from typing import Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from models.tables import Table

Values = npt.NDArray[np.floating]
Truths = npt.NDArray[np.bool_]
Weights = npt.NDArray[np.float64]

NAME = "cwola"
"""Name of the method, classification without labels (Metodiev, Nachman, Thaler, arXiv:1708.02949)."""

BINS = 10
"""Bins of the spectrum in an interval as wide as the region."""

FEWEST_BINS = 3
"""Bins of a sideband, at least."""


def window_name(number: int) -> str:
    """Return the name of the detector of a window, the first of which has the number 1."""
    return f"{NAME}_{number}"


class Window(Table):
    """A region of an observable in which a signal is looked for, and the sidebands that it is compared with.

    All intervals are half-open.

    Attributes:
        observable: column whose spectrum is searched.
        low: begin of the region.
        high: its end.
        begin: where the lower sideband begins; it ends where the region begins.
        end: where the upper sideband ends.
        cuts: declared fractions of events that are kept, the loosest first; 1 keeps all.
    """

    observable: str
    low: float
    high: float
    begin: float
    end: float
    cuts: list[float] = Field(min_length=1)

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if not 0 < self.begin < self.low < self.high < self.end:
            raise ValueError(
                f"{self.low:g}:{self.high:g} has no sideband on either side within {self.begin:g}:{self.end:g}"
            )
        if sorted(set(self.cuts), reverse=True) != self.cuts or not 0 < self.cuts[-1] <= self.cuts[0] <= 1:
            raise ValueError("the cuts are not a falling list of fractions")
        return self

    @property
    def sidebands(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Begin and end of the lower sideband, and those of the upper one."""
        return (self.begin, self.low), (self.high, self.end)

    @property
    def centre(self) -> float:
        """The centre of the region."""
        return (self.low + self.high) / 2

    def holds(self, values: Values) -> Truths:
        """Say which values lie in the region or in a sideband; same shape."""
        return np.asarray((values >= self.begin) & (values < self.end))

    def in_region(self, values: Values) -> Truths:
        """Say which values lie in the region; same shape."""
        return np.asarray((values >= self.low) & (values < self.high))

    def edges(self) -> npt.NDArray[np.float64]:
        """Return the edges of the bins of the spectrum: the region is one bin, a sideband has bins of a tenth of it."""
        width = (self.high - self.low) / BINS
        return np.concatenate(
            [
                np.linspace(begin, end, max(math.ceil((end - begin) / width - 1e-6), FEWEST_BINS) + 1)
                for begin, end in self.sidebands
            ]
        )

    def rank_edges(self) -> npt.NDArray[np.float64]:
        """Return the edges between ranks that declared cuts tell apart: a cut keeps the ranks from its edge on."""
        cuts = [float(np.float32(1 - fraction)) for fraction in self.cuts if fraction < 1]
        return np.array([0.0, *cuts, 1 + 1e-6])

    def weights(self, values: Values) -> Weights:
        """Return weights by which sidebands and region count alike, with the mean of the sidebands in its centre.

        A feature that changes linearly with the observable then has nearly the same mean in both classes.

        Args:
            values: of the observable, all within the window, shape (events,); with some in the region and in each
                sideband.
        """
        exact = values.astype(np.float64)
        region = self.in_region(exact)
        lower, upper = exact < self.low, exact >= self.high
        below, above = self.centre - exact[lower].mean(), exact[upper].mean() - self.centre
        weights = np.ones(len(exact))
        weights[lower] = above / (above + below) / lower.sum()
        weights[upper] = below / (above + below) / upper.sum()
        weights[region] = 1 / region.sum()
        return weights * len(exact) / 2
