"""Damaged TTrees: whatever bit is wrong, no crash; the file is refused by its name, or what is read is right."""

from __future__ import annotations

import json
import os
import random
import signal
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rdf.code.columns import define_columns
from rdf.code.interpreter import ROOT
from rdf.errors import ExecutionError, SourceError
from rdf.execution.event_loop import EventLoop, use_threads
from rdf.provenance import Provenance
from rdf.schema.model import load_schema
from rdf.simulation.generators import simulated_collisions
from rdf.simulation.processes import PROCESSES
from rdf.simulation.writing import write_simulation
from tests.rdf.trees import columns_of, opened

pytestmark = pytest.mark.compiler

EVENTS = 1000
COLUMNS = ("MR", "Rsq", "HT", "MET", "mll", "event")


def sums(path: Path) -> list[float]:
    """Sums over the columns of a file, one loop by one thread."""
    use_threads(1)
    schema = load_schema("cms_nanoaod")
    source = opened(path, schema)
    loop = EventLoop(source, (0, source.events))
    node = define_columns(loop.events, columns_of(source, schema), COLUMNS)
    booked = [node.Sum(name) for name in COLUMNS]
    loop.run(booked)
    return [float(result.GetValue()) for result in booked]


def outcome(path: Path, right: list[float]) -> str:
    """What reading a file comes to, in a child process, since the failure in question is a segmentation fault."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        ROOT.gSystem.ResetSignals()
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        signal.alarm(60)
        try:
            said = "right" if np.allclose(sums(path), right, rtol=1e-12, equal_nan=True) else "other numbers"
        except (ExecutionError, SourceError) as error:
            said = f"refused: {error}"
        except BaseException as error:  # noqa: BLE001 - a child has to end here
            said = f"unforeseen {type(error).__name__}: {error}"
        os.write(writer, json.dumps(said).encode()[:4000])
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        said = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return json.loads(said) if said else f"crash {status}"


def flipped(content: bytes, bit: int) -> bytes:
    damaged = bytearray(content)
    damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


def records(content: bytes) -> Iterator[tuple[int, int, int, int, str]]:
    """Records of a ROOT file: place, length, length of the header, length unpacked, class."""
    place, end = struct.unpack(">ii", content[8:16])
    while place < end:
        (length,) = struct.unpack(">i", content[place : place + 4])
        if length > 0:
            version, unpacked, _, key, _ = struct.unpack(">hiIhh", content[place + 4 : place + 18])
            name = place + 18 + (16 if version > 1000 else 8)
            kind = content[name + 1 : name + 1 + content[name]].decode()
            yield place, length, key, unpacked, kind
        place += abs(length)


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Simulated events as they are written, and as a TTree with ROOT's default compression."""
    folder = tmp_path_factory.mktemp("trees")
    simulation = simulated_collisions("qcd", PROCESSES["qcd"].parameters)
    for kind in ("ttree", "rntuple"):
        write_simulation(simulation, folder / f"{kind}.root", EVENTS, 1, Provenance("", simulated=True), kind)
    use_threads(1)
    options = ROOT.RDF.RSnapshotOptions()
    options.fCompressionAlgorithm = ROOT.ROOT.RCompressionSetting.EAlgorithm.kZLIB
    options.fCompressionLevel = 1
    options.fOutputFormat = ROOT.RDF.ESnapshotOutputFormat.kTTree
    ROOT.RDataFrame("Events", str(folder / "ttree.root")).Snapshot("Events", str(folder / "zlib.root"), "", options)
    options.fCompressionLevel = 0
    ROOT.RDataFrame("Events", str(folder / "ttree.root")).Snapshot("Events", str(folder / "raw.root"), "", options)
    return {path.stem: path for path in folder.glob("*.root")}


@pytest.mark.parametrize("kind", ["zlib", "ttree", "rntuple"])
def test_a_flipped_bit_is_found_or_not_read(kind: str, trees: dict[str, Path], tmp_path: Path) -> None:
    right, content = sums(trees[kind]), trees[kind].read_bytes()
    draws, bad = random.Random(f"{kind} 1"), tmp_path / "bad.root"
    outcomes = Counter()
    for _ in range(20):
        bad.write_bytes(flipped(content, draws.randrange(8 * len(content))))
        said = outcome(bad, right)
        outcomes[said.split(":")[0]] += 1
        assert said == "right" or (said.startswith("refused:") and str(bad) in said), said
    assert outcomes["refused"] >= 5


@pytest.mark.parametrize("kind", ["zlib", "raw"])
def test_flipped_bits_where_a_ttree_has_no_checksum_end_in_no_crash(
    kind: str, trees: dict[str, Path], tmp_path: Path
) -> None:
    """In the headers of baskets, and in what is stored raw: sizes, tables of places, numbers of elements."""
    right, content = sums(trees[kind]), trees[kind].read_bytes()
    unprotected: list[int] = []
    for place, length, key, unpacked, kind_of_record in records(content):
        packed = length - key < unpacked
        if kind_of_record == "TBasket" and packed == (kind == "zlib"):
            end = place + length  # where the tables stand
            unprotected += range(place, place + key + 9) if packed else range(end - 400, end)
    draws, bad = random.Random(f"{kind} 2"), tmp_path / "bad.root"
    for _ in range(30):
        bad.write_bytes(flipped(content, 8 * draws.choice(unprotected) + draws.randrange(8)))
        said = outcome(bad, right)
        allowed = ("right", "refused:") if kind == "zlib" else ("right", "refused:", "other numbers")
        assert said.startswith(allowed), said
