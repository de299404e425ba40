"""Four-vectors and columns of one event, as the kernels take them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdf.code.interpreter import ROOT, include_kernels

include_kernels("physics/objects")
Momentum = ROOT.objects.Momentum


def massless(px: float, py: float, pz: float) -> Any:
    return Momentum(px, py, pz, math.sqrt(px * px + py * py + pz * pz))


def momenta(*parts: Any) -> Any:
    """An event's objects: four-vectors, or (px, py, pz, E)."""
    result = ROOT.objects.Momenta()
    for p in parts:
        result.push_back(Momentum(*map(float, p)) if isinstance(p, Sequence | np.ndarray) else p)
    return result


def components(p: Any) -> NDArray[np.float64]:
    return np.array([p.Px(), p.Py(), p.Pz(), p.E()])


def reals(values: Iterable[float]) -> Any:
    return ROOT.RVec["double"]([float(value) for value in values])


def integers(values: Iterable[int]) -> Any:
    return ROOT.RVec["int"]([int(value) for value in values])


EMPTY = momenta()
