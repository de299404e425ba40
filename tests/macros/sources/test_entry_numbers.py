"""Row numbers of samples without event numbers, against a column that says them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import uproot

from rdf.code.interpreter import ROOT, include_kernels
from rdf.execution.event_loop import EventLoop, use_threads
from rdf.schema.model import Schema
from rdf.sources.source import Source, open_source

pytestmark = pytest.mark.compiler

SIZES = (900, 1, 0, 350, 749)
"""Events in each file of the sample, one of which is empty."""
TOTAL = 2000
CLUSTER = 120

SCHEMA = Schema.model_validate(
    {
        "name": "rows",
        "title": "",
        "tree": "events",
        "columns": {"truth": "uint64", "met": "float32"},
        "quantities": {"met_pt": {"expression": "met"}},
        "features": "razor",
    }
)


@pytest.fixture(autouse=True)
def one_thread_afterwards() -> Iterator[None]:
    yield
    use_threads(1)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """The sample in both formats, in files of several clusters; `truth` is the place in the whole sample."""
    use_threads(1)
    folder, written = tmp_path_factory.mktemp("rows"), {}
    formats = ROOT.RDF.ESnapshotOutputFormat
    for kind, wanted in (("ttree", formats.kTTree), ("rntuple", formats.kRNTuple)):
        written[kind] = [folder / f"{kind}{i}.root" for i in range(len(SIZES))]
        for i, (path, size) in enumerate(zip(written[kind], SIZES, strict=True)):
            options = ROOT.RDF.RSnapshotOptions()
            options.fOutputFormat = wanted
            options.fAutoFlush = CLUSTER
            options.fApproxZippedClusterSize = options.fMaxUnzippedClusterSize = 12 * CLUSTER
            options.fInitialUnzippedPageSize = options.fMaxUnzippedPageSize = 1024
            events = ROOT.RDataFrame(size).Define("truth", f"static_cast<ULong64_t>(rdfentry_ + {sum(SIZES[:i])})")
            events.Define("met", "truth * 0.5f").Snapshot("events", str(path), ["truth", "met"], options)
    return written


def sample(paths: list[Path], skipped: int = 0) -> Source:
    names = [str(path) for path in paths]
    return open_source(names, SCHEMA, paths[0].parent, [None] * len(paths), skipped=skipped)


def pairs(events: object, loop: EventLoop) -> tuple[list[int], list[int]]:
    rows, truth = (events.Take["ULong64_t"](name) for name in ("source_row", "truth"))  # type: ignore[attr-defined]
    loop.run([rows, truth])
    return list(map(int, rows.GetValue())), list(map(int, truth.GetValue()))


def test_the_files_have_several_clusters(files: dict[str, list[Path]]) -> None:
    """Without them two threads would not share a file."""
    with uproot.open(files["rntuple"][0]) as file:
        assert len(file["events"].cluster_summaries) > 4
    with ROOT.TFile.Open(str(files["ttree"][0])) as file:
        clusters = file.Get("events").GetClusterIterator(0)
        starts = {int(clusters.Next()) for _ in range(5)}
        assert len(starts) == 5


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("kind", ["ttree", "rntuple"])
def test_every_entry_has_its_place_in_the_sample(kind: str, threads: int, files: dict[str, list[Path]]) -> None:
    use_threads(threads)
    source = sample(files[kind])
    assert source.entries == SIZES
    loop = EventLoop(source, (0, TOTAL))
    rows, truth = pairs(loop.events, loop)
    assert rows == truth
    assert sorted(truth) == list(range(TOTAL))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("kind", ["ttree", "rntuple"])
def test_in_another_order_of_the_files(kind: str, threads: int, files: dict[str, list[Path]]) -> None:
    use_threads(threads)
    source = sample([files[kind][3], files[kind][0]])
    loop = EventLoop(source, (0, 350 + 900))
    rows, truth = pairs(loop.events, loop)
    # The 350 events from number 901 on come first.
    assert sorted(rows) == list(range(1250))
    assert all(row == (t - 901 if t >= 901 else t + 350) for row, t in zip(rows, truth, strict=True))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("kind", ["ttree", "rntuple"])
def test_after_a_cut(kind: str, threads: int, files: dict[str, list[Path]]) -> None:
    use_threads(threads)
    loop = EventLoop(sample(files[kind]), (0, TOTAL))
    rows, truth = pairs(loop.events.Filter("truth % 7 == 3"), loop)
    assert rows == truth
    assert sorted(truth) == list(range(3, TOTAL, 7))


@pytest.mark.parametrize("entries", [(0, 10), (450, 1300), (1999, 2000)])
@pytest.mark.parametrize("kind", ["ttree", "rntuple"])
def test_a_part_of_a_sample(kind: str, entries: tuple[int, int], files: dict[str, list[Path]]) -> None:
    use_threads(1)
    loop = EventLoop(sample(files[kind]), entries)
    rows, truth = pairs(loop.events, loop)
    assert rows == truth == list(range(*entries))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("kind", ["ttree", "rntuple"])
def test_without_the_first_files(kind: str, threads: int, files: dict[str, list[Path]]) -> None:
    use_threads(threads)
    source = sample(files[kind][3:], skipped=901)
    loop = EventLoop(source, (0, 1099))
    rows, truth = pairs(loop.events, loop)
    assert rows == truth
    assert sorted(truth) == list(range(901, TOTAL))


@pytest.mark.parametrize("kind", ["ttree", "rntuple"])
def test_a_part_without_the_first_files(kind: str, files: dict[str, list[Path]]) -> None:
    use_threads(1)
    loop = EventLoop(sample(files[kind][3:], skipped=901), (300, 400))
    rows, truth = pairs(loop.events, loop)
    assert rows == truth == list(range(1201, 1301))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("kind", ["ttree", "rntuple"])
def test_two_loops_over_one_source_do_not_mix(kind: str, threads: int, files: dict[str, list[Path]]) -> None:
    use_threads(threads)
    source = sample(files[kind])
    found = [pairs(loop.events, loop) for loop in (EventLoop(source, (0, TOTAL)) for _ in range(2))]
    for rows, truth in found:
        assert rows == truth
        np.testing.assert_array_equal(np.sort(rows), np.arange(TOTAL))


def test_a_file_that_is_not_of_the_sample_is_refused() -> None:
    include_kernels("sources/entry_numbers")
    numbers = ROOT.entry_numbers.EntryNumbers(1, ["a.root/events"], [0])
    part = ROOT.RDF.RSampleInfo("b.root/events", (0, 10), ROOT.nullptr, 10)
    with pytest.raises(Exception, match=r"events of b\.root/events, which is not a file of the sample"):
        numbers.begin(0, part)
