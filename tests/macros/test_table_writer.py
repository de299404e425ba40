"""Tables of numbers written to an RNTuple and read back by uproot, which shares no code with ROOT."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import uproot

from rdf.interpreter import MACROS, ROOT, include_kernels

include_kernels("table_writer")

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


def test_an_address_for_each_column_is_needed(tmp_path: Path) -> None:
    writer = ROOT.table_writer.TableWriter(str(tmp_path / "table.root"), "numbers", ["a", "b"], ["float", "float"])
    with pytest.raises(Exception, match="one address a column"):
        writer.write(1, [np.zeros(1, dtype=np.float32).ctypes.data])


def test_a_file_that_was_not_completed_cannot_be_opened(tmp_path: Path) -> None:
    path = tmp_path / "table.root"
    # A process of its own, which ends as by kill -9 between two batches, with no destructor.
    code = f"""
import os
import numpy as np
from rdf.interpreter import ROOT, include_kernels
include_kernels("table_writer")
writer = ROOT.table_writer.TableWriter({str(path)!r}, "numbers", ["a"], ["double"])
column = np.random.default_rng(0).normal(size=100_000)
writer.write(len(column), [column.ctypes.data])
os._exit(7)
"""
    ended = subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=MACROS.parent, check=False)
    assert ended.returncode == 7
    with pytest.raises(Exception):  # noqa: B017, PT011 - a C++ exception, whose Python type is ROOT's affair
        ROOT.RNTupleReader.Open("numbers", str(path))
