"""A significance among those of background-only data sets: of one window and cut, and of all of them together."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.stats import norm

from plotting.results.search.cwola import Calibrated, CountedCut, LargestWindow, SearchedWindow


def calibrated(cut: CountedCut, nulls: Sequence[float]) -> Calibrated:
    """Return a significance among those of background-only sets.

    Args:
        cut: with its significance.
        nulls: significances of the sets in the same window and cut.
    """
    assert cut.z is not None
    values, sets = np.array(nulls), len(nulls)
    mean, width = float(values.mean()), float(values.std(ddof=1))
    z = (cut.z - mean) / width
    above = int((values >= cut.z).sum())
    return Calibrated(
        sets=sets,
        mean=mean,
        width=width,
        above=above,
        p=(1 + above) / (1 + sets),
        z=z,
        # The errors of a mean and of a width of normal deviates.
        z_error=math.sqrt(1 / sets + z * z / (2 * (sets - 1))),
        nulls=tuple(round(value, 4) for value in nulls),
    )


def largest_window(windows: Sequence[SearchedWindow], *, weighted: bool = True) -> LargestWindow:
    """Return the largest calibrated significance, and how often background-only sets have one as large anywhere.

    Args:
        windows: with calibrated cuts, one at least.
        weighted: whether weighted events are among those that are looked at.
    """
    opened = [
        (window, cut, cut.calibrated)
        for window in windows
        for cut in window.cuts
        if cut.calibrated and (weighted or not cut.by_ratio)
    ]
    window, cut, best = max(opened, key=lambda each: each[2].z)
    scaled = np.array([(np.array(each.nulls) - each.mean) / each.width for _, _, each in opened])
    above, sets = int((scaled.max(axis=0) >= best.z).sum()), best.sets
    return LargestWindow(
        window=window.name,
        cut=cut.fraction,
        by_ratio=cut.by_ratio,
        z=best.z,
        global_p=(1 + above) / (1 + sets),
        above=above,
        sets=sets,
        trials=len(opened),
        bound=min(1.0, len(opened) * float(norm.sf(best.z))),
    )
