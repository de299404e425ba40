"""Parts put together: events against those of the parts, histograms against sums in numpy."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot

from rdf.code.interpreter import ROOT
from rdf.code.library import graph_library
from rdf.errors import UnreadableFile
from rdf.execution.event_loop import use_threads
from rdf.graph.events import book_events
from rdf.graph.histograms import write_histograms
from rdf.graph.merging import add_histograms, concatenate_events
from rdf.provenance import Provenance

pytestmark = pytest.mark.compiler

SIZES = (5_000, 1, 0, 30_000)
"""Events in each part, one of which is empty."""
REAL, SIMULATED = Provenance("real", simulated=False), Provenance("made up", simulated=True)
COLUMNS = {"score": "float(sin(rdfentry_))", "flag": "rdfentry_ % 3 == 0", "votes": "int(rdfentry_ % 5)"}


def write_events(path: Path, first: int, size: int, columns: dict[str, str] = COLUMNS) -> Path:
    graph_library("scores").load()
    events = ROOT.RDataFrame(size).Define("run", "1u").Define("luminosityBlock", "2u")
    events = events.Define("event", f"static_cast<ULong64_t>(rdfentry_ + {first})")
    for name, expression in columns.items():
        events = events.Define(name, expression)
    ROOT.RDF.RunGraphs([book_events(ROOT.RDF.AsRNode(events), path, list(columns), REAL)])
    return path


def read(path: Path) -> dict[str, np.ndarray]:
    with uproot.open(path) as file:
        table = file["events"]
        return {name: table[name].array(library="np") for name in table.keys()}  # noqa: SIM118 - a table is no dict


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    use_threads(1)  # which write events in their order
    folder = tmp_path_factory.mktemp("parts")
    return [write_events(folder / f"{i}.root", sum(SIZES[:i]), size) for i, size in enumerate(SIZES)]


def test_events_follow_one_another(parts: list[Path], tmp_path: Path) -> None:
    target, calls = tmp_path / "events.root", []
    assert concatenate_events(parts, target, REAL, lambda *call: calls.append(call)) == list(SIZES)
    assert calls == [(35_001, 35_001)]
    found, expected = read(target), [read(part) for part in parts]
    assert list(found) == ["run", "luminosityBlock", "event", *COLUMNS]
    for name, values in found.items():
        np.testing.assert_array_equal(values, np.concatenate([part[name] for part in expected]), err_msg=name)
        assert values.dtype == expected[0][name].dtype
    np.testing.assert_array_equal(found["event"], np.arange(35_001))
    assert ROOT.RDataFrame("events", str(target)).Sum("event").GetValue() == sum(range(35_001))


@pytest.mark.parametrize(("provenance", "names"), [(REAL, set()), (SIMULATED, {"SIMULATED"})])
def test_the_origin_lies_beside_the_events(
    provenance: Provenance, names: set[str], parts: list[Path], tmp_path: Path
) -> None:
    concatenate_events(parts, tmp_path / "events.root", provenance)
    with uproot.open(tmp_path / "events.root") as file:
        assert file.keys(cycle=False) == ["provenance", *names, "events"]
        assert file["provenance"].member("fTitle") == provenance.text


def test_pages_are_copied_as_they_are(parts: list[Path], tmp_path: Path) -> None:
    def stored(path: Path) -> list[tuple[int, int]]:
        """Compression of the first column, and bytes of all, in each cluster."""
        reader = ROOT.RNTupleReader.Open("events", str(path))
        descriptor = reader.GetDescriptor()
        clusters = [descriptor.GetClusterDescriptor(i) for i in range(descriptor.GetNClusters())]
        return [
            (int(cluster.GetColumnRange(0).GetCompressionSettings().value()), int(cluster.GetNBytesOnStorage()))
            for cluster in clusters
        ]

    concatenate_events(parts, tmp_path / "events.root", REAL)
    assert stored(tmp_path / "events.root") == [cluster for part in parts for cluster in stored(part)]


def test_memory_holds_a_few_clusters_only(tmp_path: Path) -> None:
    """Of noise, which no compression makes smaller."""
    noise = {f"x{i}": f"float(gRandom->Rndm() + {i})" for i in range(4)}
    part = write_events(tmp_path / "part.root", 0, 4_000_000, noise)
    Path("/proc/self/clear_refs").write_text("5")  # the greatest size so far is forgotten
    before = greatest_size()
    concatenate_events([part] * 6, tmp_path / "events.root", REAL)
    assert (tmp_path / "events.root").stat().st_size > 270e6
    assert greatest_size() - before < 60e6


def greatest_size() -> float:
    """Return the greatest size of this process, in bytes."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return float(found[1]) * 1024


@pytest.mark.parametrize(
    "columns",
    [{"score": "double(1)"}, {"other": "float(1)"}, {"score": "1.f", "flag": "true"}],
    ids=["type", "name", "more"],
)
def test_other_columns_are_refused(columns: dict[str, str], tmp_path: Path) -> None:
    first = write_events(tmp_path / "a.root", 0, 10, {"score": "1.f"})
    other = write_events(tmp_path / "b.root", 10, 10, columns)
    with pytest.raises(UnreadableFile, match=rf"^{other} has other columns than {first}; make these parts anew$"):
        concatenate_events([first, other], tmp_path / "events.root", REAL)


def test_parts_that_are_all_empty_are_an_empty_part(parts: list[Path], tmp_path: Path) -> None:
    target = tmp_path / "events.root"
    assert concatenate_events([parts[2], parts[2]], target, REAL) == [0, 0]
    with uproot.open(target) as file, uproot.open(parts[2]) as part:
        assert file["events"].num_entries == 0
        assert file["events"].keys() == part["events"].keys()


def test_damaged_events_are_refused(parts: list[Path], tmp_path: Path) -> None:
    cut = tmp_path / "cut.root"
    cut.write_bytes(parts[0].read_bytes()[:2000])
    with pytest.raises(UnreadableFile, match=rf"^{cut}: .+; make these parts anew$"):
        concatenate_events([parts[0], cut], tmp_path / "events.root", REAL)


# --- histograms


def labelled(labels: tuple[str, ...]) -> Any:
    counts = ROOT.TH1D("cutflow", "Cutflow", len(labels), 0, len(labels))
    for i, label in enumerate(labels, start=1):
        counts.GetXaxis().SetBinLabel(i, label)
        counts.SetBinContent(i, 100 * i)
    return counts


def some_histograms(seed: int, provenance: Provenance, path: Path) -> dict[str, np.ndarray]:
    """Write some, and return what was filled."""
    random = np.random.default_rng(seed)
    values = {name: random.normal(size=500) for name in "xy"} | {"weight": random.integers(1, 9, 500).astype(float)}
    spectrum, plane = ROOT.TH1D("x", "x", 20, -2, 2), ROOT.TH2D("xy", "xy", 5, -2, 2, 4, -1, 1)
    spectrum.FillN(500, values["x"], values["weight"])
    plane.FillN(500, values["x"], values["y"], values["weight"])
    histograms = {"features/x": spectrum, "planes/deep/xy": plane, "cutflow/cutflow": labelled(("all", "finite"))}
    write_histograms(path, histograms, provenance)
    return values


@pytest.mark.parametrize("provenance", [REAL, SIMULATED], ids=["real", "simulated"])
def test_histograms_are_added(provenance: Provenance, tmp_path: Path) -> None:
    files, calls = [tmp_path / f"{i}.root" for i in range(3)], []
    filled = [some_histograms(i, provenance, file) for i, file in enumerate(files)]
    x, y, weight = (np.concatenate([part[name] for part in filled]) for name in ("x", "y", "weight"))
    added = add_histograms(files, lambda *call: calls.append(call))
    assert calls == [(1, 3), (2, 3), (3, 3)]
    assert set(added) == {"features/x", "planes/deep/xy", "cutflow/cutflow"}
    spectrum = added["features/x"]
    for power, of in ((1, spectrum.GetBinContent), (2, lambda i: spectrum.GetSumw2()[i])):
        expected, _ = np.histogram(x, np.r_[-np.inf, np.linspace(-2, 2, 21), np.inf], weights=weight**power)
        np.testing.assert_array_equal([of(i) for i in range(22)], expected)
    edges = [np.r_[-np.inf, np.linspace(-2, 2, 6), np.inf], np.r_[-np.inf, np.linspace(-1, 1, 5), np.inf]]
    expected, _, _ = np.histogram2d(x, y, edges, weights=weight)
    plane = added["planes/deep/xy"]
    np.testing.assert_array_equal([[plane.GetBinContent(i, j) for j in range(6)] for i in range(7)], expected)
    cutflow = added["cutflow/cutflow"]
    assert [cutflow.GetBinContent(i) for i in (1, 2)] == [300, 600]
    assert cutflow.GetXaxis().GetBinLabel(2) == "finite"
    # The mark is added when a histogram is written: it would stand there twice.
    assert [str(histogram.GetTitle()) for histogram in added.values()] == ["Cutflow", "x", "xy"]


@pytest.mark.parametrize(
    ("histogram", "fault"),
    [
        (None, r"^{b} has no histogram 'features/h', {a} has; add up parts of one run only$"),
        (
            "labelled(('all', 'b'))",
            r"^{b}: histogram 'features/h' has other axes than in {a}; add up parts of one run",
        ),
        ("ROOT.TH1D('h', '', 2, 0, 3)", "histogram 'features/h' has other axes"),
        ("ROOT.TH1D('h', '', 3, 0, 2)", "histogram 'features/h' has other axes"),
        ("ROOT.TH1F('h', '', 2, 0, 2)", "histogram 'features/h' has other axes"),
        ("ROOT.TH2D('h', '', 2, 0, 2, 2, 0, 2)", "histogram 'features/h' has other axes"),
    ],
)
def test_histograms_that_do_not_fit_are_refused(histogram: str | None, fault: str, tmp_path: Path) -> None:
    a, b = tmp_path / "a.root", tmp_path / "b.root"
    write_histograms(a, {"features/h": labelled(("all", "finite")), "features/other": labelled(("x",))}, REAL)
    # ROOT's objects cannot be made before its flags are set.
    made = {} if histogram is None else {"features/h": eval(histogram)}
    write_histograms(b, {**made, "features/other": labelled(("x",))}, REAL)
    with pytest.raises(UnreadableFile, match=fault.format(a=a, b=b)):
        add_histograms([a, b])
    if histogram is None:
        with pytest.raises(UnreadableFile, match=fault.format(a=a, b=b)):
            add_histograms([b, a])


def test_damaged_histograms_are_refused(tmp_path: Path) -> None:
    some_histograms(1, REAL, tmp_path / "whole.root")
    cut = tmp_path / "cut.root"
    cut.write_bytes((tmp_path / "whole.root").read_bytes()[:1500])
    for file in (cut, tmp_path / "none.root"):
        with pytest.raises(UnreadableFile, match=rf"^{file} is not a whole ROOT file \(.+\); make it anew$"):
            add_histograms([tmp_path / "whole.root", file])
