"""What names, weights and labels an event, of columns of whatever type and name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rdf.code.columns import define_columns
from rdf.schema.columns import rounded
from tests.rdf.tables import in_order, table_of
from tests.rdf.trees import arrays, columns_of, opened, write_ttree

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.compiler]


@pytest.mark.parametrize(
    ("ids", "background", "labels"),
    [
        (np.int32([0, 3, 1, -2, 3, 7]), [0, 3], [0, 0, 1, 1, 0, 1]),
        (np.int8([0, 3, 1, -1, 127, -128]), [256, 3, -1], [1, 0, 1, 0, 1, 1]),
        (np.uint64([0, 2**64 - 1, 2**63, 1, 5, 2**53]), [-1, 5, 2**53], [1, 1, 1, 1, 0, 0]),
        (np.float64([0, np.nan, np.inf, -np.inf, 2.5, 3]), [0, 3], [0, -1, -1, -1, 1, 0]),
        (np.float32([16777216, 0, 1, 2, 3, 4]), [16777217], [1, 1, 1, 1, 1, 1]),
        (np.bool_([0, 1, 1, 0, 1, 0]), [0], [0, 1, 1, 0, 1, 0]),
        (np.int32([0, 1, 2, -1, 1, 0]), None, [0, 1, -1, -1, 1, 0]),
        (np.uint8([0, 1, 2, 255, 1, 0]), None, [0, 1, -1, -1, 1, 0]),
        (np.float64([0, 1, 0.5, np.nan, np.inf, -0.0]), None, [0, 1, -1, -1, -1, 0]),
        (np.bool_([0, 1, 1, 0, 1, 0]), None, [0, 1, 1, 0, 1, 0]),
    ],
)
@pytest.mark.parametrize("column", ["Dataset_ID", "label"])
def test_labels(column: str, ids: np.ndarray, background: list[int] | None, labels: list[int], tmp_path: Path) -> None:
    label = {"expression": column, "optional": True} | ({} if background is None else {"background": background})
    source, schema = table_of(tmp_path, {"weight": np.ones(6), column: ids}, quantities={"label": label})
    found = in_order(source, schema, "label")["label"]
    assert found.dtype == np.int32
    assert found.tolist() == labels


def test_there_is_a_label_only_where_the_source_has_one(tmp_path: Path) -> None:
    label = {"label": {"expression": "Dataset_ID", "optional": True}}
    source, schema = table_of(tmp_path, {"Dataset_ID": np.arange(2)}, quantities=label)
    assert "label" in columns_of(source, schema)
    ttree = write_ttree(tmp_path / "t.root", "events", {"x": np.arange(2)}, {"x": "float64"})
    assert "label" not in columns_of(opened(ttree, schema), schema)
    source, schema = table_of(tmp_path, {"label": np.arange(2)})
    assert "label" not in columns_of(source, schema)


def test_weight_and_label_of_a_file_that_has_columns_of_these_names_for_something_else(tmp_path: Path) -> None:
    """Quantities are over the file's columns, also where a feature or another quantity has their name."""
    sets = {
        "event": np.array([5, 6, 7, 8]),
        "weight": np.array([1.5, -2.0, 3.0, -4.0]),
        "label": np.array([10.0, 11.0, 10.0, 11.0]),
        "kind": np.array([3, 4, 4, 3]),
        "mass": np.array([0.25, 0.5, 0.75, 1.0]),
    }
    quantities = {
        "event": {"expression": "event * 2"},
        "weight": {"expression": "label - 10"},
        "label": {"expression": "weight * mass > event - 7", "background": [0]},
    }
    define = {"mass": "mass * 1000", "kind": "kind"}
    source, schema = table_of(tmp_path, sets, quantities=quantities, define=define)
    columns = rounded(columns_of(source, schema), ["mass", "kind"])
    names = ["event", "weight", "label", "mass", "kind"]
    found = arrays(define_columns(source.open(), columns, names), [*names, "source_row"])
    order = np.argsort(found["source_row"])
    assert found["event"][order].tolist() == [10, 12, 14, 16]
    assert found["weight"][order].tolist() == [0, 1, 0, 1]
    assert found["label"][order].tolist() == [1, 0, 1, 0]
    assert found["mass"][order].tolist() == [250, 500, 750, 1000]
    assert found["kind"][order].tolist() == [3, 4, 4, 3]
