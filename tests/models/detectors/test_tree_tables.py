"""Trees laid out in tables: raw cuts against scikit-learn's rounding, walks and means by hand."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.ensemble import IsolationForest
from sklearn.tree import DecisionTreeRegressor

from models.detectors.decision_tree import DecisionTree
from models.detectors.tree_tables import PathAttribution, TreeTables, TreeWalk, raw_cuts, refuse_without_cuts
from models.errors import TrainingError
from tests.models.conftest import evaluated

INFINITY = np.float32(np.inf)


@pytest.fixture(name="tables")
def two_trees() -> TreeTables:
    """A tree that cuts on the second and then on the first feature, and one that cuts on the first.

    The first: b <= 10 -> node 1; else a <= 3 -> node 3, else node 4. The second, nodes 5 to 7: a <= 5 -> 6, else 7.
    """
    X = np.array([[1, 0], [2, 0], [1, 20], [5, 20], [5, 20], [5, 20]], dtype=np.float32)
    first = DecisionTreeRegressor(max_depth=2, random_state=0).fit(X, [0, 0, 50, 80, 80, 80])
    second = DecisionTreeRegressor(random_state=0).fit([[1, 0], [9, 0], [9, 0]], [0, 1, 1])
    return TreeTables([first.tree_, second.tree_], np.zeros(2), np.ones(2))


EVENTS = np.array([[9, 10], [3, 11], [4, 11]], dtype=np.float32)


def test_tables_by_hand(tables: TreeTables) -> None:
    np.testing.assert_array_equal(tables.roots, [0, 5])
    np.testing.assert_array_equal(tables.feature[[0, 2, 5]], [1, 0, 0])
    np.testing.assert_array_equal(tables.cut[[0, 2, 5]], [10, 3, 5])
    np.testing.assert_array_equal(tables.left, [1, 1, 3, 3, 4, 6, 6, 7])
    np.testing.assert_array_equal(tables.right, [2, 1, 4, 3, 4, 7, 6, 7])
    np.testing.assert_array_equal(tables.level, [0, 1, 1, 2, 2, 0, 1, 1])
    np.testing.assert_array_equal(tables.samples, [6, 2, 4, 1, 3, 3, 1, 2])


def test_walk_by_hand(tables: TreeTables) -> None:
    np.testing.assert_array_equal(evaluated(TreeWalk(tables), EVENTS), [[1, 7], [3, 6], [4, 6]])


def test_attribution_by_hand(tables: TreeTables) -> None:
    values = tables.means_of_leaves(np.array([-1.0, 6, -1, 2, 10, -1, 3, 9]))
    # Node 2: (1 x 2 + 3 x 10) / 4; node 0: (2 x 6 + 4 x 8) / 6; node 5: (1 x 3 + 2 x 9) / 3.
    np.testing.assert_allclose(values, [44 / 6, 6, 8, 2, 10, 7, 3, 9])
    expected = [[9 - 7, 6 - 44 / 6], [2 - 8 + 3 - 7, 8 - 44 / 6], [10 - 8 + 3 - 7, 8 - 44 / 6]]
    np.testing.assert_allclose(evaluated(PathAttribution(tables, values), EVENTS), expected, rtol=1e-6)


def passes(raw: np.float32, cut: float, mean: float, scale: float) -> bool:
    """Say whether scikit-learn would send a raw value left at a cut: scaled in float64, then rounded to float32."""
    with np.errstate(over="ignore"):
        return bool(np.float32((np.float64(raw) - mean) / scale) <= cut)


def check_raw_cuts(cuts: npt.ArrayLike, means: npt.ArrayLike, scales: npt.ArrayLike) -> None:
    cuts, means, scales = (np.asarray(values, dtype=np.float64) for values in (cuts, means, scales))
    for raw, cut, mean, scale in zip(raw_cuts(cuts, means, scales), cuts, means, scales, strict=True):
        assert raw.dtype == np.float32
        case = f"cut {cut!r}, mean {mean!r}, scale {scale!r}: {raw!r}"
        assert passes(raw, cut, mean, scale), case
        assert not passes(np.nextafter(raw, INFINITY), cut, mean, scale), case


def test_raw_cut_is_the_largest_float_that_passes() -> None:
    random = np.random.default_rng(7)
    count = 3000
    means = random.normal(size=count) * 10.0 ** random.uniform(-6, 9, count)
    scales = 10.0 ** random.uniform(-6, 6, count)
    cuts = random.normal(size=count)
    # Half of them on numbers that float32 holds, as those of a trained tree often are.
    cuts[::2] = cuts[::2].astype(np.float32)
    check_raw_cuts(cuts, means, scales)


@pytest.mark.parametrize(
    ("cut", "mean", "scale"),
    [
        pytest.param(0.0, 0.0, 1.0, id="zero"),
        pytest.param(-0.0, 0.0, 1.0, id="negative zero"),
        pytest.param(0.0, 5.0, 2.0, id="at the mean"),
        pytest.param(0.3, 1e6, 0.06, id="huge mean, tiny scale"),
        pytest.param(-0.3, -1e6, 0.06, id="huge negative mean, tiny scale"),
        pytest.param(1e5, 1e30, 1e25, id="astronomic mean"),
        pytest.param(0.7, 1e-41, 3e-42, id="denormal"),
        pytest.param(-0.7, 0.0, 1e-44, id="a few denormals"),
        pytest.param(1e-40, 0.0, 1.0, id="denormal cut"),
        pytest.param(-1.0, 1e3, 1e3, id="at zero, where floats are dense"),
        pytest.param(-(1 + 2**-25), (1 + 2**-25) * 1e9, 1e9, id="below zero, a thousand million floats off"),
        pytest.param(-(1 + 2**-25), (1 + 2**-25) * 1e38, 1e38, id="below zero, nearly all floats off"),
        pytest.param(3.4, 0.0, 1e38, id="largest values"),
        pytest.param(-3.4, 0.0, 1e38, id="lowest values"),
        pytest.param(0.5, 0.0, 1e-10, id="scaled values that overflow beside the cut"),
    ],
)
def test_raw_cut_at_the_edges_of_float32(cut: float, mean: float, scale: float) -> None:
    check_raw_cuts([cut], [mean], [scale])


def test_raw_cut_is_the_cut_where_there_is_no_scaling() -> None:
    assert raw_cuts(np.array([math.pi]), np.zeros(1), np.ones(1))[0] == np.float32(3.1415925)
    assert raw_cuts(np.array([-math.pi]), np.zeros(1), np.ones(1))[0] == np.float32(-3.1415927)


def test_trees_without_a_cut_are_refused() -> None:
    """20,000 events of which three differ, fewer than a leaf needs; and a forest of events that are all alike."""
    X = np.zeros((20_000, 2), dtype=np.float32)
    X[[7, 77, 777]] = [[1, 0], [0, 1], [1, 1]]
    labels = (np.arange(20_000) % 2).astype(np.int8)
    with pytest.raises(TrainingError, match="decision_tree: no cut on any feature is possible"):
        DecisionTree(("a", "b")).fit(X, labels)
    forest = IsolationForest(n_estimators=5).fit(np.zeros((300, 2)))
    with pytest.raises(TrainingError, match="isolation_forest: no cut on any feature is possible"):
        refuse_without_cuts("isolation_forest", [tree.tree_ for tree in forest.estimators_])
