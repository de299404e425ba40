"""What the rounding of float32, in which the event loop computes, can change of a sum."""

from __future__ import annotations

UNIT_ROUNDOFF = 2.0**-24
"""Largest relative error of one operation in float32."""

FEW = 8
"""Roundings that a number goes through at most in a few operations that follow one another, as in a scaling and an
exponential."""

PARTIAL_SUMS, LANES = 64, 16
"""Parts in which a long sum is taken in the event loop, and lanes of each part (macros/numerics/dense.hxx)."""


def roundings_of_sum(terms: int) -> float:
    """Return how many roundings a term of a long sum goes through at most in the event loop."""
    return FEW + LANES + terms / PARTIAL_SUMS
