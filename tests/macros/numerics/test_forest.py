"""Walks down trees against scikit-learn's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.ensemble import RandomForestRegressor

from rdf.code.interpreter import ROOT, include_kernels
from tests.macros.compiled import WAYS, compiled

pytestmark = pytest.mark.compiler

TREES = 23  # two tens and three

Events = npt.NDArray[np.float32]


@pytest.fixture(scope="module", name="X")
def events() -> Events:
    random = np.random.default_rng(11)
    return random.normal(size=(3000, 5)).astype(np.float32)


@pytest.fixture(scope="module", name="forest")
def trained(X: Events) -> RandomForestRegressor:
    """Trees of all depths up to seven, the last one of them without a cut."""
    y = X[:, 0] * X[:, 1] + np.abs(X[:, 2])
    forest = RandomForestRegressor(TREES, max_depth=7, max_features=2, random_state=3).fit(X, y)
    stump = RandomForestRegressor(1, max_depth=1, min_samples_leaf=2000, random_state=3).fit(X, y)
    assert stump.estimators_[0].tree_.node_count == 1
    forest.estimators_[-1] = stump.estimators_[0]
    return forest


def tables(forest: RandomForestRegressor) -> dict[str, npt.NDArray[np.generic]]:
    """Lay the nodes of all trees end to end; a leaf is its own child."""
    trees = [tree.tree_ for tree in forest.estimators_]
    roots = np.cumsum([0, *(tree.node_count for tree in trees)])[:-1]
    nodes = np.arange(sum(tree.node_count for tree in trees))
    children = {
        side: np.concatenate(
            [getattr(tree, f"children_{side}") + root for tree, root in zip(trees, roots, strict=True)]
        )
        for side in ("left", "right")
    }
    is_leaf = np.concatenate([tree.children_left < 0 for tree in trees])
    # scikit-learn compares a float32 with a float64: the largest float32 that is no larger.
    cut = np.concatenate([tree.threshold for tree in trees])
    rounded = cut.astype(np.float32)
    return {
        "roots": roots,
        **{side: np.where(is_leaf, nodes, child) for side, child in children.items()},
        "feature": np.where(is_leaf, 0, np.concatenate([tree.feature for tree in trees])),
        "cut": np.where(rounded > cut, np.nextafter(rounded, np.float32(-np.inf)), rounded),
    }


def written(tables: dict[str, npt.NDArray[np.generic]], path: Path) -> Path:
    """Write tables behind one of SOFIE's, as a network's weights are."""
    text = "tensor_path_length 3\n1.5 nan -inf\n"
    for name, table in tables.items():
        integers = table.view(np.uint32) if table.dtype == np.float32 else table
        text += f"walk.{name} {len(table)}\n{' '.join(map(str, integers.tolist()))}\n"
    path.write_text(text)
    return path


Leaves = Callable[[Path, Events], npt.NDArray[np.int64]]


@pytest.fixture(scope="module", params=WAYS, name="leaves")
def compiled_walk(request: pytest.FixtureRequest) -> Leaves:
    code = """
#include "numerics/forest.hxx"
API(leaves)(const char *weights, int trees, int events, int width, const float *X, std::int64_t *found)
{
   const forest::Walk walk(forest::read_tables(weights));
   for (int i = 0; i < events; ++i)
      walk(X + i * width, found + i * trees);
}
"""
    function = compiled(code, request.param)("leaves")

    def leaves(weights: Path, X: Events) -> npt.NDArray[np.int64]:
        found = np.full((len(X), TREES), -1)
        name = np.frombuffer(f"{weights}\0".encode(), dtype=np.uint8)
        function(name, TREES, *X.shape, X, found)
        return found

    return leaves


def test_events_reach_the_leaves_that_scikit_learn_says(
    forest: RandomForestRegressor, X: Events, leaves: Leaves, tmp_path: Path
) -> None:
    laid = tables(forest)
    far = np.float32([[1e30] * 5, [-1e30] * 5])
    # Values on a cut, and the next ones above.
    inner = np.flatnonzero(laid["left"] != laid["right"])[:400]
    on_cuts = np.tile(X[:400], (2, 1))
    on_cuts[np.arange(400), laid["feature"][inner]] = laid["cut"][inner]
    on_cuts[400 + np.arange(400), laid["feature"][inner]] = np.nextafter(laid["cut"][inner], np.float32(np.inf))
    events = np.concatenate([X, far, on_cuts])
    np.testing.assert_array_equal(
        leaves(written(laid, tmp_path / "weights"), events), forest.apply(events) + laid["roots"]
    )


def test_nan_is_not_below_any_cut(forest: RandomForestRegressor, leaves: Leaves, tmp_path: Path) -> None:
    laid = tables(forest)
    rightmost = laid["roots"].copy()
    for _ in range(8):
        rightmost = laid["right"][rightmost]
    nan, infinite = np.full((1, 5), np.nan, dtype=np.float32), np.full((1, 5), np.inf, dtype=np.float32)
    found = leaves(written(laid, tmp_path / "weights"), np.concatenate([nan, infinite]))
    np.testing.assert_array_equal(found, [rightmost, rightmost])


def test_infinite_cuts_are_read_as_they_are(tmp_path: Path) -> None:
    include_kernels("numerics/forest")
    cut = np.array([np.inf, -np.inf, 1e-45, 0.1], dtype=np.float32)
    laid = {**dict.fromkeys(("roots", "left", "right", "feature"), np.arange(4)), "cut": cut}
    read = ROOT.forest.read_tables(str(written(laid, tmp_path / "weights")))
    np.testing.assert_array_equal(np.array(list(read.cut), dtype=np.float32), cut)
    assert list(read.left) == [0, 1, 2, 3]


def test_a_table_that_is_not_whole_is_an_error(forest: RandomForestRegressor, tmp_path: Path) -> None:
    include_kernels("numerics/forest")
    path = written(tables(forest), tmp_path / "weights")
    path.write_text(path.read_text()[:-20])
    with pytest.raises(Exception, match=r"no whole table walk\.cut among the weights"):
        ROOT.forest.read_tables(str(path))
