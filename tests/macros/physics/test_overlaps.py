"""Which objects overlap, by hand and by loops over made-up events."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest

from rdf.code.interpreter import ROOT, include_kernels
from tests.macros.momenta import integers, reals

pytestmark = pytest.mark.compiler

include_kernels("physics/overlaps")
overlaps = ROOT.overlaps
NAN = math.nan


def distance(eta1: float, phi1: float, eta2: float, phi2: float) -> float:
    apart = abs(phi1 - phi2) % (2 * math.pi)
    return math.hypot(eta1 - eta2, min(apart, 2 * math.pi - apart))


def test_objects_near_others() -> None:
    eta, phi = reals([0, 0, 2, -1, 1]), reals([0, 3.1, 1, 1, NAN])
    others = integers([1, 1, 0, 1]), reals([0.3, 0, 2, 1]), reals([0.2, -3.1, 1, 0])
    # Delta R of the first is 0.3606, of the second 2 pi - 6.2 = 0.0832; the third is near one that does not count.
    for within, expected in ((0.4, [1, 1, 0, 0, 0]), (0.36, [0, 1, 0, 0, 0]), (0.08, [0, 0, 0, 0, 0])):
        assert list(overlaps.find_near(integers([1] * 5), eta, phi, *others, within)) == expected
    assert list(overlaps.find_near(integers([0, 1, 1, 1, 1]), eta, phi, *others, 0.4)) == [0, 1, 0, 0, 0]
    assert list(overlaps.find_near(integers([]), reals([]), reals([]), *others, 0.4)) == []
    assert list(overlaps.find_near(integers([1]), reals([0]), reals([0]), integers([]), reals([]), reals([]), 9)) == [0]


def test_the_softer_of_two_objects() -> None:
    eta, phi = reals([0, 0.08, 0.16, 5]), reals([0, 0, 0, 0])
    # One that is dropped drops no other; of equal ones the first stays.
    for pt, expected in (
        ([30, 20, 10, 40], [0, 1, 0, 0]),
        ([10, 20, 30, 40], [0, 1, 0, 0]),
        ([20, 30, 10, 40], [1, 0, 1, 0]),
        ([20, 20, 20, 20], [0, 1, 0, 0]),
    ):
        assert list(overlaps.find_softer(integers([1] * 4), reals(pt), eta, phi, 0.1)) == expected
    assert list(overlaps.find_softer(integers([1, 0, 1, 1]), reals([10, 30, 20, 40]), eta, phi, 0.17)) == [1, 0, 0, 0]
    assert list(overlaps.find_softer(integers([]), reals([]), reals([]), reals([]), 0.1)) == []


def test_dense_events_by_loops() -> None:
    random = np.random.default_rng(5)
    found = 0
    for _ in range(300):
        (n, m), within = random.integers(0, 6, 2), random.uniform(0.1, 1)
        (eta, phi), (other_eta, other_phi) = (
            (random.uniform(-1, 1, size), random.uniform(-4, 4, size)) for size in (n, m)
        )
        pt, mask, others = random.uniform(5, 90, n), random.random(n) < 0.8, random.random(m) < 0.8
        near = np.zeros(n, dtype=int)
        for i, j in product(range(n), range(m)):
            if mask[i] and others[j] and distance(eta[i], phi[i], other_eta[j], other_phi[j]) < within:
                near[i] = 1
        place = reals(eta), reals(phi)
        other_place = integers(others.astype(int)), reals(other_eta), reals(other_phi)
        assert list(overlaps.find_near(integers(mask.astype(int)), *place, *other_place, within)) == near.tolist()
        kept: list[int] = []
        for i in sorted((i for i in range(n) if mask[i]), key=lambda i: -pt[i]):
            if all(distance(eta[i], phi[i], eta[j], phi[j]) >= within for j in kept):
                kept.append(i)
        softer = [int(mask[i] and i not in kept) for i in range(n)]
        assert list(overlaps.find_softer(integers(mask.astype(int)), reals(pt), *place, within)) == softer
        found += sum(near) + sum(softer)
    assert found > 100
