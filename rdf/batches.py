"""Tables of events on their way from a file to an RNTuple: batch by batch, each of them columns of numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

WRITTEN_INFINITY = re.compile(r"\s*[+-]?inf(inity)?\s*", re.IGNORECASE)
"""How a text says infinite. Other texts that are read as infinite are numbers too large for their type."""


@dataclass(frozen=True)
class Vectors:
    """A column with any number of values in an event.

    Attributes:
        values: of all events, one event behind the other.
        counts: how many of them each event has, shape (events,).
    """

    values: NDArray[Any]
    counts: NDArray[np.integer[Any]]

    def __len__(self) -> int:
        """Number of events."""
        return len(self.counts)


Batch = Mapping[str, NDArray[Any] | Vectors]
"""Column -> its values for some successive events."""

Batches = Iterator[tuple[Batch, int]]
"""Batches of a file, in order, each with the bytes of the file that are read with it."""


def batch_bytes(size: int) -> int:
    """Return how many bytes of a file of that size to read as one batch.

    A batch becomes a cluster, and so work for one core: a file should make many of them.
    """
    return min(max(size // 32, 1 << 16), 1 << 24)
