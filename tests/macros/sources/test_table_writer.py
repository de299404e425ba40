"""Tables of numbers written to an RNTuple and read back by uproot, which shares no code with ROOT."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import uproot

from rdf.code.interpreter import MACROS, ROOT, include_kernels

pytestmark = pytest.mark.compiler

include_kernels("sources/table_writer")

TYPES = {
    "i32": ("std::int32_t", np.int32),
    "u32": ("std::uint32_t", np.uint32),
    "i64": ("std::int64_t", np.int64),
    "u64": ("std::uint64_t", np.uint64),
    "f32": ("float", np.float32),
    "f64": ("double", np.float64),
}


def batch(rows: int, seed: int) -> dict[str, np.ndarray]:
    """Any bits at all for whole numbers; for real ones all magnitudes, with NaN and infinities in front."""
    random = np.random.default_rng(seed)
    columns = {}
    for name, (_, kind) in TYPES.items():
        if np.issubdtype(kind, np.integer):
            info = np.iinfo(kind)
            columns[name] = random.integers(info.min, info.max, rows, dtype=kind, endpoint=True)
            columns[name][-2:] = info.min, info.max
        else:
            columns[name] = (random.normal(size=rows) * 10.0 ** random.uniform(-30, 30, rows)).astype(kind)
            columns[name][:4] = np.nan, np.inf, -np.inf, -0.0
    return columns


def test_every_type_comes_back_bit_by_bit_and_each_batch_is_a_cluster(tmp_path: Path) -> None:
    path, sizes = tmp_path / "table.root", (5, 300, 40)
    writer = ROOT.table_writer.TableWriter(str(path), "numbers", list(TYPES), [cpp for cpp, _ in TYPES.values()])
    batches = [batch(rows, seed) for seed, rows in enumerate(sizes)]
    for columns in batches:
        writer.write(len(columns["i32"]), [columns[name].ctypes.data for name in TYPES])
    writer.close()

    with uproot.open(path) as file:
        table = file["numbers"]
        assert table.keys() == list(TYPES)
        assert [cluster.num_entries for cluster in table.cluster_summaries] == list(sizes)
        for name, (_, kind) in TYPES.items():
            found = table[name].array(library="np")
            assert found.dtype == kind
            assert found.tobytes() == np.concatenate([columns[name] for columns in batches]).tobytes()


def test_vectors_come_back_bit_by_bit_between_numbers(tmp_path: Path) -> None:
    path, sizes = tmp_path / "table.root", (300, 1, 40)
    random = np.random.default_rng(9)
    types = {"flag": "bool", **{name: f"ROOT::RVec<{cpp}>" for name, (cpp, _) in TYPES.items()}, "last": "std::int8_t"}
    writer = ROOT.table_writer.TableWriter(str(path), "vectors", list(types), list(types.values()))
    written: dict[str, list[list[int] | list[float]]] = {name: [] for name in types}
    for seed, rows in enumerate(sizes):
        # Each column has counts of its own: none, one, and more than an RVec holds within itself.
        counts = {name: random.permutation(np.arange(rows, dtype=np.uint64) % 23) for name in TYPES}
        columns = {
            "flag": random.integers(0, 2, rows).astype(np.bool_),
            **{name: batch(max(int(counts[name].sum()), 6), seed)[name] for name in TYPES},
            "last": random.integers(-128, 128, rows).astype(np.int8),
        }
        writer.write(
            rows, [columns[name].ctypes.data for name in types], [column.ctypes.data for column in counts.values()]
        )
        for name, values in columns.items():
            ends = np.cumsum(counts.get(name, np.ones(rows, dtype=np.uint64))).tolist()
            written[name] += [values[first:last].tolist() for first, last in zip([0, *ends], ends, strict=False)]
    writer.close()

    with uproot.open(path) as file:
        table = file["vectors"]
        assert [cluster.num_entries for cluster in table.cluster_summaries] == list(sizes)
        for name in types:
            found = table[name].array().tolist()
            expected = written[name] if name in TYPES else [values[0] for values in written[name]]
            assert repr(found) == repr(expected)  # NaN and -0.0 too
    events = ROOT.RDataFrame("vectors", str(path))
    assert str(events.GetColumnType("f64")) == "ROOT::VecOps::RVec<double>"


def test_an_address_for_each_column_is_needed(tmp_path: Path) -> None:
    writer = ROOT.table_writer.TableWriter(str(tmp_path / "table.root"), "numbers", ["a", "b"], ["float", "float"])
    with pytest.raises(Exception, match="one address a column"):
        writer.write(1, [np.zeros(1, dtype=np.float32).ctypes.data])


def test_counts_for_each_column_of_vectors_are_needed(tmp_path: Path) -> None:
    types = ["ROOT::RVec<float>", "ROOT::RVec<float>"]
    writer = ROOT.table_writer.TableWriter(str(tmp_path / "table.root"), "numbers", ["a", "b"], types)
    values, counts = np.zeros(1, dtype=np.float32), np.ones(1, dtype=np.uint64)
    with pytest.raises(Exception, match="counts of each column of vectors"):
        writer.write(1, [values.ctypes.data] * 2, [counts.ctypes.data])


def test_a_file_that_was_not_completed_cannot_be_opened(tmp_path: Path) -> None:
    path = tmp_path / "table.root"
    # A process of its own, which ends as by kill -9 between two batches, with no destructor.
    code = f"""
import os
import numpy as np
from rdf.code.interpreter import ROOT, include_kernels
include_kernels("sources/table_writer")
writer = ROOT.table_writer.TableWriter({str(path)!r}, "numbers", ["a"], ["double"])
column = np.random.default_rng(0).normal(size=100_000)
writer.write(len(column), [column.ctypes.data])
os._exit(7)
"""
    ended = subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=MACROS.parent, check=False)
    assert ended.returncode == 7
    with pytest.raises(Exception):  # noqa: B017, PT011 - a C++ exception, whose Python type is ROOT's affair
        ROOT.RNTupleReader.Open("numbers", str(path))
