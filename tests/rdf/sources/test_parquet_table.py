"""Parquet files: every value comes back by the name of its column, and what does not fit is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import uproot

from rdf.errors import MalformedRow, MissingColumn, NoEvents, SourceError, UnreadableFile
from rdf.schema.model import Schema
from rdf.sources.parquet_table import read_portions
from rdf.sources.portions import Vectors
from rdf.sources.tabular import convert


def schema_of(**columns: str) -> Schema:
    table = {"columns": columns, "quantities": {}}
    return Schema(name="table", title="a table", tree="events", features="razor", **table)  # type: ignore[arg-type]


KINDS = {"mass": "float64", "jets": "int32", "event": "uint64", "tagged": "bool"}
TABLE = schema_of(**KINDS)
ROWS = 5000
RANDOM = np.random.default_rng(12)
COLUMNS: dict[str, Any] = {
    "tagged": RANDOM.integers(0, 2, ROWS).astype(bool),
    "event": RANDOM.integers(0, 2**64, ROWS, dtype=np.uint64),
    "note": [f"event {i}" for i in range(ROWS)],
    "jets": RANDOM.integers(-5, 5, ROWS, dtype=np.int64),
    "mass": RANDOM.normal(90, 20, ROWS),
}


def written(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    pa.parquet.write_table(pa.table(columns), path, **options)
    return path


def read(path: Path, schema: Schema = TABLE) -> dict[str, list[Any]]:
    batches = [batch for batch, _ in read_portions(path, schema)]
    return {name: np.concatenate([np.asarray(batch[name]) for batch in batches]).tolist() for name in schema.columns}


@pytest.mark.parametrize("name", ["table.parquet", "table.pq", "Table.PARQUET"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"row_group_size": 700, "compression": "zstd"},
        {"use_dictionary": False, "data_page_version": "2.0", "compression": "gzip", "write_page_checksum": True},
    ],
)
def test_columns_by_name(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    path = written(tmp_path / name, COLUMNS, **options)
    with uproot.open(convert(path, TABLE, tmp_path / "cache")) as file:
        found = file["events"].arrays(library="np")
    assert {kind: str(found[kind].dtype) for kind in KINDS} == KINDS
    assert all(found[kind].tolist() == COLUMNS[kind].tolist() for kind in KINDS)
    assert found["source_row"].tolist() == list(range(ROWS))


@pytest.mark.parametrize("kind", ["float16", "float32", "float64", "int8", "uint8", "int16", "int32", "uint64", "bool"])
def test_types(kind: str, tmp_path: Path) -> None:
    whole = np.array([0, 1, 1, 0])
    path = written(tmp_path / "a.parquet", {name: whole.astype(kind) for name in KINDS})
    assert read(path) == dict.fromkeys(KINDS, whole.tolist())


def test_lists(tmp_path: Path) -> None:
    """Several values in an event, as awkward-array writes them, become vectors."""
    counts = RANDOM.integers(0, 5, ROWS)
    pt, charge = RANDOM.normal(50, 9, counts.sum()), RANDOM.integers(-1, 2, counts.sum())
    events = ak.zip({"jet_pt": ak.unflatten(pt, counts), "jet_q": ak.unflatten(charge, counts)}, depth_limit=1)
    events["met"] = RANDOM.normal(30, 9, ROWS)
    path = tmp_path / "events.parquet"
    pa.parquet.write_table(ak.to_arrow_table(events, extensionarray=False), path, row_group_size=999)
    schema = schema_of(met="float64", jet_q="int8[]", jet_pt="float32[]")
    with uproot.open(convert(path, schema, tmp_path / "cache")) as file:
        found = file["events"].arrays()
    assert ak.to_list(found["jet_pt"]) == ak.to_list(ak.values_astype(events["jet_pt"], np.float32))
    assert ak.to_list(found["jet_q"]) == ak.to_list(events["jet_q"])
    assert ak.to_list(found["met"]) == ak.to_list(events["met"])


@pytest.mark.parametrize("kind", [pa.list_(pa.float32()), pa.large_list(pa.float32()), pa.list_(pa.float32(), 2)])
def test_kinds_of_lists(kind: Any, tmp_path: Path) -> None:
    path = written(tmp_path / "a.parquet", {"x": pa.array([[1, 2], [3, None], [5, 6]], kind)})
    ((batch, _),) = read_portions(path, schema_of(x="float32[]"))
    assert isinstance(batch["x"], Vectors)
    np.testing.assert_array_equal(batch["x"].values, np.float32([1, 2, 3, np.nan, 5, 6]))
    assert batch["x"].counts.tolist() == [2, 2, 2]


def test_a_missing_value_is_nan_in_a_real_column(tmp_path: Path) -> None:
    path = written(tmp_path / "a.parquet", {"x": [1.5, None, np.nan], "n": pa.array([2**53 - 1, None, 3])})
    found = read(path, schema_of(x="float64", n="float64"))
    np.testing.assert_array_equal([found["x"], found["n"]], [[1.5, np.nan, np.nan], [2**53 - 1, np.nan, 3]])


GOOD: dict[str, Any] = {"mass": [1.5, 2.5], "jets": [1, 2], "event": [3, 4], "tagged": [True, False]}


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"jets": [1, None]}, MalformedRow, ", row 1 (from 0): column 'jets' has no value (null)"),
        ({"tagged": [None, True]}, MalformedRow, ", row 0 (from 0): column 'tagged' has no value (null)"),
        ({"jets": [1, 2**31]}, MalformedRow, ", row 1 (from 0): column 'jets' holds 2147483648, which no int32"),
        ({"jets": [1.5, 2]}, MalformedRow, ", row 0 (from 0): column 'jets' holds 1.5, which no int32 can be"),
        ({"event": [3, -4]}, MalformedRow, ", row 1 (from 0): column 'event' holds -4, which no uint64 can be"),
        ({"tagged": [0, 2]}, MalformedRow, ", row 1 (from 0): column 'tagged' holds 2, which no bool can be"),
        ({"mass": ["1", "2"]}, MissingColumn, ": column 'mass' holds string, not numbers; save it as numbers"),
        ({"mass": [[1.0], [2.0]]}, MissingColumn, ": column 'mass' holds list<"),
        (
            {"mass": pa.array([1, 2], pa.timestamp("ns"))},
            MissingColumn,
            ": column 'mass' holds timestamp[ns], not numb",
        ),
        ({"mass": pa.array([1, 2], pa.decimal128(5, 2))}, MissingColumn, ": column 'mass' holds decimal128(5, 2), not"),
        ({"mass": pa.array([{"x": 1.0}] * 2)}, MissingColumn, ": column 'mass' holds struct<x: double>, not numbers"),
        ({"mass": pa.array(["a", "b"]).dictionary_encode()}, MissingColumn, ": column 'mass' holds dictionary<"),
        ({"mass": pa.nulls(2)}, MissingColumn, ": column 'mass' holds null, not numbers"),
    ],
)
def test_what_is_refused(changes: dict[str, Any], error: type[SourceError], message: str, tmp_path: Path) -> None:
    path = written(tmp_path / "a.parquet", GOOD | changes)
    with pytest.raises(error) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}{message}")
    assert "\n" not in str(caught.value)


def test_other_columns_than_the_schemas(tmp_path: Path) -> None:
    path = written(tmp_path / "a.parquet", {**GOOD, "njets": GOOD["jets"], "x": [[1.0], None], "n": [[1], [2, None]]})
    with pytest.raises(MissingColumn, match=r"no column 'jet', which schema table needs; did you mean jets, njets"):
        read(path, schema_of(jet="int32"))
    with pytest.raises(
        MissingColumn, match=r"column 'jets' holds int64, where schema table says int32\[\]; name the sch"
    ):
        read(path, schema_of(jets="int32[]"))
    with pytest.raises(MalformedRow, match=r"row 1 \(from 0\): column 'x' has no value"):
        list(read_portions(path, schema_of(x="float64[]")))
    with pytest.raises(MalformedRow, match=r"row 1 \(from 0\): column 'n' has no value"):
        list(read_portions(path, schema_of(n="int32[]")))
    twice = pa.table([[1.5], [2.5]], names=["mass", "mass"])
    pa.parquet.write_table(twice, path)
    with pytest.raises(MissingColumn, match="column 'mass' appears 2 times; rename one"):
        read(path, schema_of(mass="float64"))
    written(path, {name: pa.array([], pa.float64()) for name in KINDS})
    with pytest.raises(NoEvents, match=r"a\.parquet has no rows; nothing can be analysed"):
        read(path)


def test_files_that_are_not_whole(tmp_path: Path) -> None:
    whole = written(tmp_path / "a.parquet", COLUMNS, write_page_checksum=True).read_bytes()
    path = tmp_path / "b.parquet"
    for length in (4, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(UnreadableFile, match=r"b\.parquet is truncated or damaged \(.*\); get it again"):
            read(path)
    found = 0
    for _ in range(30):
        content = bytearray(whole)
        content[int(RANDOM.integers(len(content)))] ^= 1 << int(RANDOM.integers(8))
        path.write_bytes(content)
        try:
            same = read(path) == {name: COLUMNS[name].tolist() for name in KINDS}
        except SourceError:
            found += 1
        else:
            assert same  # a bit that is not read, of a column that nobody wants or a statistic
    assert found > 10
