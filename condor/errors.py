"""What can go wrong between this toolkit and a pool."""

from __future__ import annotations

from analysis.errors import DataError


class NoPool(DataError):
    """No pool answers, or there is nothing to speak to it with (exit 3)."""


class RefusedByPool(DataError):
    """The pool answers and does not do what it is asked for (exit 3)."""


class NoBatch(DataError):
    """A folder holds no batch, or none that can be read (exit 3)."""


class BatchInTheWay(DataError):
    """The folder holds a batch that forbids what was asked for (exit 3)."""
