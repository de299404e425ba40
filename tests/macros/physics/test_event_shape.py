"""Shape variables against hand-worked values and numpy's eigenvalues."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from rdf.code.interpreter import ROOT, include_kernels
from tests.macros.momenta import EMPTY, components, massless, momenta

pytestmark = pytest.mark.compiler

include_kernels("physics/event_shape")
shape = ROOT.event_shape
NAN = math.nan
AXES = [(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)]


def along(directions: Any, size: float = 40) -> Any:
    return momenta(*(massless(*(size * part for part in direction)) for direction in directions))


def test_centrality_is_one_for_massless_jets_across_the_beam() -> None:
    assert shape.compute_centrality(momenta((30, 40, 0, 50), (-60, 80, 0, 100))) == pytest.approx(1, rel=1e-15)


def test_centrality_of_slanted_and_of_forward_objects() -> None:
    assert shape.compute_centrality(momenta((3, 0, 4, 5))) == 0.6
    assert shape.compute_centrality(momenta((0, 0, 7, 7))) == 0
    # (3 + 12) / (5 + 20)
    assert shape.compute_centrality(momenta((3, 0, 4, 5), (0, 12, -16, 20))) == 0.6
    assert shape.compute_centrality(momenta((3, 0, 4, 10))) == 0.3  # of an object with mass
    assert math.isnan(shape.compute_centrality(EMPTY))
    assert math.isnan(shape.compute_centrality(momenta((NAN, 0, 0, 1))))
    assert math.isnan(shape.compute_centrality(momenta((1, 0, 0, NAN))))


def test_two_back_to_back_have_no_sphericity() -> None:
    for direction in ((1, 0, 0), (0, 0, 1), (2 / 7, 3 / 7, 6 / 7)):
        visible = along([direction, [-part for part in direction]])
        assert shape.compute_sphericity(visible) == pytest.approx(0, abs=1e-15)
        assert shape.compute_aplanarity(visible) == 0


def test_six_along_the_axes_are_a_sphere() -> None:
    assert shape.compute_sphericity(along(AXES)) == pytest.approx(1, rel=1e-14)
    assert shape.compute_aplanarity(along(AXES)) == pytest.approx(1 / 2, rel=1e-14)


def test_three_in_a_plane_at_equal_angles() -> None:
    # sum p_a p_b = 3/2 in each direction of the plane: l = (1/2, 1/2, 0), S = 3/4, A = 0, whatever the plane.
    angles = [0, 2 * math.pi / 3, 4 * math.pi / 3]
    across = along([(math.cos(a), math.sin(a), 0) for a in angles])
    slanted = along([(math.cos(a), 0.6 * math.sin(a), 0.8 * math.sin(a)) for a in angles])
    for visible in (across, slanted):
        assert shape.compute_sphericity(visible) == pytest.approx(3 / 4, rel=1e-14)
        assert shape.compute_aplanarity(visible) == 0


def test_a_tensor_with_three_different_eigenvalues() -> None:
    # Along the axes with 3, 2 and 1 GeV: l = (9, 4, 1) / 14, so S = 3/2 * 5/14 and A = 3/2 / 14.
    visible = momenta((3, 0, 0, 3), (0, 0, 2, 2), (0, 1, 0, 5))  # energies do not matter
    assert list(shape.momentum_tensor_eigenvalues(visible)) == pytest.approx([9 / 14, 4 / 14, 1 / 14], rel=1e-14)
    assert shape.compute_sphericity(visible) == pytest.approx(15 / 28, rel=1e-14)
    assert shape.compute_aplanarity(visible) == pytest.approx(3 / 28, rel=1e-14)


def test_rounding_is_no_shape() -> None:
    """Two momenta lie in a plane, one or two opposite ones on a line; any real shape is kept, however small."""
    random = np.random.default_rng(21)
    for p in random.normal(0, 50, (300, 2, 3)):
        pair = along([tuple(map(float, row)) for row in p])
        assert shape.compute_aplanarity(pair) == 0
        assert shape.compute_sphericity(pair) > 0
        line = along([tuple(map(float, p[0])), tuple(map(float, -2 * p[0]))])
        assert shape.compute_aplanarity(line) == shape.compute_sphericity(line) == 0
    # l3 = h^2 / (2 + h^2) of unit vectors along x and y and of one of length h along z.
    for height in (1e-2, 1e-4, 1e-6):
        slight = along([(1, 0, 0), (0, 1, 0), (0, 0, height)])
        assert shape.compute_aplanarity(slight) == pytest.approx(1.5 * height**2 / (2 + height**2), rel=1e-3)


def test_one_object_and_none() -> None:
    assert shape.compute_sphericity(momenta((3, 4, 5, 9))) == 0
    for compute in (shape.compute_sphericity, shape.compute_aplanarity):
        assert math.isnan(compute(EMPTY))
        assert math.isnan(compute(momenta((0, 0, 0, 7))))
        assert math.isnan(compute(momenta((3, 4, NAN, 9), (1, 1, 1, 2))))
        assert math.isnan(compute(momenta((math.inf, 4, 0, 9), (1, 1, 1, 2))))


def test_eigenvalues_of_random_events_are_those_of_numpy() -> None:
    random = np.random.default_rng(12)
    for _ in range(200):
        p = random.normal(0, 50, (random.integers(1, 12), 3))
        expected = np.sort(np.linalg.eigvalsh(p.T @ p / (p**2).sum()))[::-1]
        found = shape.momentum_tensor_eigenvalues(momenta(*(massless(*map(float, row)) for row in p)))
        np.testing.assert_allclose(list(found), expected, atol=1e-14)
        assert all(value >= 0 for value in list(found)[1:])


def test_visible_objects_are_jets_and_then_leptons() -> None:
    jets, leptons = momenta((3, 0, 4, 5)), momenta((0, 1, 0, 1), (2, 0, 0, 2))
    found = [components(p).tolist() for p in shape.make_visible(jets, leptons)]
    assert found == [[3, 0, 4, 5], [0, 1, 0, 1], [2, 0, 0, 2]]
    assert shape.make_visible(EMPTY, EMPTY).size() == 0
    assert shape.make_visible(EMPTY, leptons).size() == 2


def test_st() -> None:
    assert shape.compute_ST(200, 60, 40) == 300
    assert math.isnan(shape.compute_ST(200, NAN, 40))


def test_pt_ratio() -> None:
    assert shape.compute_pt_ratio(80, 20) == 0.25
    assert shape.compute_pt_ratio(80, 0) == 0
    assert shape.compute_pt_ratio(0, 20) == math.inf
    assert math.isnan(shape.compute_pt_ratio(0, 0))
    assert math.isnan(shape.compute_pt_ratio(NAN, 20))
