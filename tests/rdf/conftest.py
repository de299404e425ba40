"""A made-up sample in the razor format, run once through the whole graph, and the real one behind its columns."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.detectors.isolation_forest import IsolationForest
from models.folder import Columns as TrainingRecipe
from models.folder import ModelFolder
from rdf import RNode
from rdf.code.columns import define_columns
from rdf.code.sofie import CompiledDetector, compile_detector, translate_network
from rdf.execution.event_loop import EventLoop, Loop, use_threads
from rdf.graph.events import book_events
from rdf.graph.fields import Fields
from rdf.graph.histograms import HistogramPlan, book_histograms, collect_histograms, complete, write_histograms
from rdf.graph.scoring import Ensemble, define_scores, event_columns
from rdf.graph.selection import Cut, book_cutflow, select_finite
from rdf.graph.snapshot import Snapshot, book_snapshot, book_top_events
from rdf.provenance import Provenance
from rdf.schema.columns import rounded
from rdf.schema.features import FEATURE_SETS, FEATURES
from rdf.schema.model import Schema, load_schema
from rdf.schema.quantities import ID_QUANTITIES
from rdf.sources.source import Source, open_source
from tests.models.trained import write_forest
from tests.rdf.trees import columns_of

Columns = dict[str, NDArray[Any]]
RAZOR = FEATURE_SETS["razor"]
RECORDED = (*RAZOR.features, *RAZOR.observables)
DETECTOR = "isolation_forest"
TOP = 25
# Row of the made-up sample -> what stands there instead, in ways that an event can be unusable.
BROKEN: dict[int, dict[str, str]] = {
    3: {"HT": "1e39"},  # fits a float64, not a float32
    70: {"Rsq": ""},
    111: {"MET": "inf"},
    155: {"MET": "-Infinity"},
    199: {"HT": "0"},
    230: {"Px1": "nan"},
    310: {"Px1": "0", "Py1": "0"},
    351: {"Py1": "1e39"},
    1007: {"HT": "NaN", "Rsq": "-inf"},
    1999: {"MET": "1e308", "HT": "1e-5"},  # the ratio does not fit a float64
}
EVENTS = 2000


def physics(columns: Columns) -> Columns:
    """The columns of the graph in float64 numpy, from the columns of the file."""
    with np.errstate(all="ignore"):
        p1, p2 = (np.stack([columns[f"{part}{i}"] for part in ("Px", "Py", "Pz")]) for i in "12")
        pt1, pt2 = np.hypot(p1[0], p1[1]), np.hypot(p2[0], p2[1])
        energy = np.sqrt((p1**2).sum(axis=0)) + np.sqrt((p2**2).sum(axis=0))
        total = p1 + p2
        mass_squared = (columns["E1"] + columns["E2"]) ** 2 - (total**2).sum(axis=0)
        return {
            "MR": np.sqrt(energy**2 - total[2] ** 2),
            "Rsq": columns["Rsq"],
            "HT": columns["HT"],
            "MET": columns["MET"],
            "pt1": pt1,
            "pt2": pt2,
            "MET_over_HT": columns["MET"] / columns["HT"],
            "pt_ratio": pt2 / pt1,
            "dijet_mass": np.sqrt(np.where(mass_squared < 0, 0, mass_squared)),
            "centrality": (pt1 + pt2) / (columns["E1"] + columns["E2"]),
        }


def recorded(loop: EventLoop, source: Source, schema: Schema) -> RNode:
    """What a run computes of an event: its name, the razor features and observables."""
    columns = rounded(columns_of(source, schema), RECORDED)
    return define_columns(loop.events, columns, ID_QUANTITIES, RECORDED, loop.stopwatch)


def read_csv(path: Path) -> Columns:
    """Columns by Python's csv and float(), which share no code with the toolkit's reader."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    whole = {"Run", "Lumi", "Event", "nJets", "nBJets"}
    return {
        name: np.array([int(row[name]) for row in rows])
        if name in whole
        else np.array([float(row[name] or "nan") for row in rows])
        for name in rows[0]
    }


@dataclass(frozen=True)
class Sample:
    """A sample and what numpy makes of it.

    Attributes:
        columns: of the file, float64.
        features: physics columns by name, float32.
        finite: whether all of an event's features are finite in float32.
    """

    path: Path
    source: Source
    columns: Columns
    features: Columns
    finite: NDArray[np.bool_]

    @property
    def ids(self) -> NDArray[np.uint64]:
        return np.column_stack([self.columns[name] for name in ("Run", "Lumi", "Event")]).astype(np.uint64)

    def matrix(self, names: Sequence[str]) -> NDArray[np.float32]:
        """Selected events, shape (events, names)."""
        return np.column_stack([self.features[name] for name in names])[self.finite]


def sample_of(path: Path, cache: Path) -> Sample:
    source = open_source([str(path)], load_schema("cms_razor"), cache, [None])
    columns = read_csv(path)
    with np.errstate(over="ignore"):
        features = {name: values.astype(np.float32) for name, values in physics(columns).items()}
    finite = np.isfinite(np.column_stack([features[name] for name in RAZOR.features])).all(axis=1)
    return Sample(path, source, columns, features, finite)


@pytest.fixture(scope="session")
def schema() -> Schema:
    return load_schema("cms_razor")


@pytest.fixture(scope="session")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """Dijets with falling spectra; event numbers rise, with one event in several luminosity blocks."""
    random = np.random.default_rng(2010)
    n = EVENTS
    pt1, phi = 60 + random.exponential(80, n), random.uniform(-np.pi, np.pi, n)
    pt2, turn = pt1 * random.uniform(0.4, 1, n), np.pi + random.normal(0, 0.3, n)
    columns: Columns = {
        "Run": np.repeat([147926, 149181], n // 2),
        "Lumi": np.arange(n) // 100 + 1,
        "Event": 4_000_000_000 + 3 * random.permutation(n),  # beyond 32 bits
        "MR": np.zeros(n),  # must not be taken for the computed one
        "Rsq": random.exponential(0.05, n),
    }
    for i, pt, angle in (("1", pt1, phi), ("2", pt2, phi + turn)):
        pz = pt * np.sinh(random.normal(0, 1, n))
        columns |= {
            f"E{i}": np.sqrt(pt**2 + pz**2) * random.uniform(1, 1.1, n),
            f"Px{i}": pt * np.cos(angle),
            f"Py{i}": pt * np.sin(angle),
            f"Pz{i}": pz,
        }
    columns |= {
        "HT": pt1 + pt2,
        "MET": random.exponential(25, n),
        "nJets": random.integers(2, 6, n),
        "nBJets": random.integers(0, 3, n),
    }
    folder = tmp_path_factory.mktemp("made_up")
    path = folder / "made_up.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for i in range(n):
            row = {name: str(values[i]) for name, values in columns.items()} | BROKEN.get(i, {})
            writer.writerow(row.values())
    return sample_of(path, folder / "converted")


@pytest.fixture(scope="session")
def razor(opendata: Path, tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """The published razor sample."""
    return sample_of(opendata / "cms2010b" / "MultiJetRun2010B.csv", tmp_path_factory.mktemp("converted"))


@pytest.fixture
def write_csv(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a text to a file, each time another one."""
    written = []

    def write(text: str) -> Path:
        path = tmp_path / f"table{len(written)}.csv"
        path.write_text(text, encoding="utf-8", newline="")
        written.append(path)
        return path

    return write


@dataclass(frozen=True)
class Collected:
    """A snapshot loop: ids and values of the selected events."""

    ids: NDArray[np.uint64]
    values: NDArray[np.float32]
    loop: Loop
    cuts: list[Cut]
    snapshot: Snapshot


@pytest.fixture(scope="session")
def collected(made_up: Sample, schema: Schema) -> dict[int, Collected]:
    """The made-up sample's snapshot by number of threads."""
    found = {}
    for threads in (2, 1):
        slots = use_threads(threads)
        loop = EventLoop(made_up.source, (0, made_up.source.events))
        selected = select_finite(recorded(loop, made_up.source, schema), len(RAZOR.features))
        snapshot, cutflow = book_snapshot(selected, Fields(RECORDED), RECORDED, slots), book_cutflow(selected)
        took = loop.run([snapshot.booked, cutflow.booked])
        found[threads] = Collected(*snapshot.collected().arrays(), took, cutflow.cuts(), snapshot)
    return found


@dataclass(frozen=True)
class Trained:
    """A forest of few events and its folder."""

    detector: IsolationForest
    folder: Path
    models: ModelFolder
    X: NDArray[np.float32]

    def compiled(self, slots: int = 2) -> CompiledDetector:
        (network,) = self.models.detectors[DETECTOR].networks
        table = network.rank_table
        cpp = translate_network(self.folder / network.file)
        return compile_detector(DETECTOR, cpp, network.threshold, table.scores, table.ranks, slots)


@pytest.fixture(scope="session")
def trained(made_up: Sample, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """An isolation forest of the first 500 usable events, by numpy's columns."""
    X = made_up.matrix(RAZOR.features)[:500]
    detector = IsolationForest(RAZOR.features).fit(X)
    folder = tmp_path_factory.mktemp("models")
    columns = TrainingRecipe(
        schema="cms_razor",
        schema_sha256="0" * 64,
        define={},
        objects={},
        features=list(RAZOR.features),
        observables=list(RAZOR.observables),
        plane=RAZOR.plane,
    )
    models = write_forest(folder, detector, X, made_up.matrix(RAZOR.observables)[:500], columns)
    return Trained(detector, folder, models, X)


@dataclass(frozen=True)
class Scored:
    """What a scoring loop left."""

    folder: Path
    cuts: list[Cut]
    top: tuple[NDArray[np.uint64], NDArray[np.float32]]
    top_values: tuple[str, ...]
    non_finite: dict[str, int]
    filled: dict[str, Any]
    loop: Loop


@pytest.fixture(scope="session")
def scored(
    made_up: Sample, schema: Schema, trained: Trained, tmp_path_factory: pytest.TempPathFactory
) -> dict[int, Scored]:
    """The scoring loop by number of threads; that with two is written down as one over simulated events."""
    found = {}
    models = trained.models
    columns, fields = event_columns(RECORDED, [DETECTOR]), Fields(RECORDED, (DETECTOR,))
    detector = trained.compiled(slots=2)
    for threads in (2, 1):
        folder = tmp_path_factory.mktemp(f"scored{threads}")
        slots = use_threads(threads)
        provenance = Provenance('{"sample": "made up"}', simulated=threads == 2)
        loop = EventLoop(made_up.source, (0, made_up.source.events))
        events = recorded(loop, made_up.source, schema)
        selected = define_scores(
            select_finite(events, len(RAZOR.features)),
            {DETECTOR: [detector]},
            Ensemble((DETECTOR,), models.min_votes),
            stopwatch=loop.stopwatch,
        )
        written = book_events(selected, folder / "events.root", columns, provenance)
        key = ("score_ensemble", f"score_{DETECTOR}")
        top = book_top_events(selected, fields, key, columns, TOP, slots)
        axes = {name: entry.score_axis for name, entry in models.detectors.items()}
        histograms = book_histograms(
            events,
            selected,
            fields,
            HistogramPlan(tuple(RAZOR.features), FEATURES, models.feature_axes, axes, RAZOR.plane, voters=1),
            slots,
            loop.stopwatch,
        )
        cutflow = book_cutflow(selected)
        took = loop.run([written, top.booked, *histograms.results(), cutflow.booked])
        cuts = cutflow.cuts()
        filled = complete(collect_histograms(histograms, cuts))
        write_histograms(folder / "histograms.root", filled, provenance)
        counts = histograms.non_finite.counts()
        found[threads] = Scored(folder, cuts, top.collected().arrays(), top.rows.values, counts, filled, took)
    return found
