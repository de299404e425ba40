"""Files of simulated events, and the cache of those that stand in for samples. Each file says what it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rdf import RNode
from rdf.cache import is_own
from rdf.code.interpreter import ROOT, captured_stderr, define, first_reason, include_kernels
from rdf.disk import require_room
from rdf.drafts import whole_file
from rdf.errors import CacheUnusable, EventLoopFailed, LostEvents, SchemaError, near_names
from rdf.execution.event_loop import EventLoop, Progress, use_threads
from rdf.local_files import LocalFiles
from rdf.provenance import SIMULATED, Provenance
from rdf.schema.model import Schema
from rdf.schema.tables import Available
from rdf.simulation.generators import STAND_INS, Simulation
from rdf.simulation.layouts import Layout
from rdf.simulation.processes import FileFormat
from rdf.sources.source import Source

FORMAT = 2
"""Version of the generators; a new one makes files in the cache void."""


SPARE_BYTES = 50_000_000
"""What ROOT may hold in memory and still has to write, and what a file takes besides its events."""

CLUSTERS, MIN_CLUSTER_BYTES, MAX_CLUSTER_BYTES = 16, 1 << 16, 1 << 24
"""Number of clusters of a file, so that several cores can read it, and the sizes between which a cluster stays."""


def simulate(generator: str, schema: Schema, events: int, seed: int, cache: Path) -> Path:
    """Write what stands in for a sample to an RNTuple in the cache, once for each seed and number; return its path.

    Args:
        generator: a name out of `STAND_INS`.
        schema: format of the sample that is stood in for.
        events: number of events.
        seed: the same seed gives the same events.
        cache: folder of simulated files; made if need be.

    Raises:
        SchemaError: there is no such generator, or it has another format.
        CacheUnusable: the cache cannot be written or is too full.
        Interrupted: on Ctrl-C or SIGTERM.
    """
    if generator not in STAND_INS:
        raise SchemaError(f"unknown simulation {generator!r}; {near_names(generator, STAND_INS)}")
    simulation = STAND_INS[generator]
    if simulation.layout.tree != schema.tree:
        raise SchemaError(
            f"simulation {generator!r} makes a tree {simulation.layout.tree!r}, where schema {schema.name} has "
            f"{schema.tree!r}; name another simulation"
        )
    target = cache / f"SIMULATED-{generator}-{events}-seed{seed}-v{FORMAT}.root"
    if is_own(target):
        return target
    try:
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_simulation(simulation, target, events, seed, Provenance(simulation.title, simulated=True))
        target.chmod(0o600)  # what others can write does not count
    except OSError as error:
        raise CacheUnusable(f"cannot write to {cache}: {error.strerror}; set XDG_CACHE_HOME") from error
    except (CacheUnusable, EventLoopFailed) as error:
        raise CacheUnusable(f"{error} (set XDG_CACHE_HOME)") from error
    return target


class _Blank(Source):
    """No files: entries to be filled."""

    def open(self, with_entries: bool = False) -> RNode:  # noqa: ARG002 - as all sources
        return ROOT.RDataFrame(self.events)


def write_simulation(
    simulation: Simulation,
    target: Path,
    events: int,
    seed: int,
    provenance: Provenance,
    file_format: FileFormat = "rntuple",
    *,
    progress: Progress | None = None,
) -> int:
    """Simulate events and write them to a file, which appears under its name when it is whole.

    Args:
        simulation: what to simulate.
        target: file to write; replaced if it exists.
        events: number of events.
        seed: equal seeds give equal events, and fewer events are the first of more.
        provenance: what the file says of itself besides its events.
        file_format: of the tree.
        progress: called with the events done and all events; an exception that it raises ends the simulation.

    Returns:
        How many of the events are signal.

    Raises:
        CacheUnusable: the disk is too full.
        EventLoopFailed: the file cannot be written.
        Interrupted: on Ctrl-C or SIGTERM.
        LostEvents: fewer events were written than asked for.
    """
    layout = simulation.layout
    _check_space(target, events * layout.event_bytes)

    def check_and_tell(done: int, total: int) -> None:
        _check_space(target, (total - done) * layout.event_bytes)
        if progress:
            progress(done, total)

    use_threads(1)  # keeps the events in order
    stream = simulation.stream(seed)  # has to live as long as the loop
    loop = EventLoop(_Blank(layout.tree, (str(target),), (events,), Available({}, frozenset()), True), (0, events))
    node = define(loop.events, "number", "rdfentry_")
    node = ROOT.simulation_stream.define(node, "generated", stream)
    for name, expression in {**layout.made_of, **layout.columns}.items():
        node = define(node, name, expression)
    signal = node.Sum("label")
    with whole_file(target) as draft:
        with provenance.created_file(draft):
            pass
        if file_format == "rntuple":
            loop.run([_book_rntuple(node, layout, draft, events), signal], check_and_tell)
        else:
            with _booked_ttree(node, simulation, draft, events) as written:
                loop.run([written, signal], check_and_tell)
        _check_entries(draft, layout.tree, events)
    return int(signal.GetValue())


def _book_rntuple(node: RNode, layout: Layout, path: Path, events: int) -> Any:
    options = ROOT.RDF.RSnapshotOptions()
    options.fLazy = True
    options.fMode = "UPDATE"  # ROOT cannot add anything to a file that RNTuple has created by itself
    options.fOutputFormat = ROOT.RDF.ESnapshotOutputFormat.kRNTuple
    options.fCompressionAlgorithm = ROOT.ROOT.RCompressionSetting.EAlgorithm.kZSTD
    options.fCompressionLevel = 1  # files as small as by the default 5, in less time
    size = events * layout.event_bytes // CLUSTERS
    options.fApproxZippedClusterSize = min(max(size, MIN_CLUSTER_BYTES), MAX_CLUSTER_BYTES)
    options.fMaxUnzippedClusterSize = 2 * MAX_CLUSTER_BYTES
    return node.Snapshot(layout.tree, str(path), list(layout.columns), options)


@contextmanager
def _booked_ttree(node: RNode, simulation: Simulation, path: Path, events: int) -> Iterator[Any]:
    """Book the writing of a TTree, and complete it after the block."""
    include_kernels("simulation/tree_writer")
    layout = simulation.layout
    smallest, largest = (size // layout.event_bytes for size in (MIN_CLUSTER_BYTES, MAX_CLUSTER_BYTES))
    cluster = min(max(events // CLUSTERS, smallest), largest)
    writer = ROOT.tree_writer.TreeWriter(
        str(path), layout.tree, f"{SIMULATED} {simulation.title}", list(layout.columns), cluster
    )
    names = list(layout.columns)
    kinds = tuple(str(node.GetColumnType(name)) for name in names)
    yield ROOT.tree_writer.book[kinds](node, names, writer)
    try:
        writer.close()
    except Exception as error:  # cppyy raises TypeError and std::runtime_error alike
        raise EventLoopFailed(f"{path}: {first_reason(error)}; is the disk full?") from error


def _check_entries(path: Path, tree: str, events: int) -> None:
    local = LocalFiles()
    written = int(ROOT.RDataFrame(tree, local.path_of(str(path.absolute()))).Count().GetValue())
    if written != events:
        raise LostEvents(f"{path} holds {written} of {events} events; run again, with more disk space")


def _check_space(path: Path, bytes_to_come: int) -> None:
    """Refuse to start or to go on with what the disk cannot hold: ROOT does not survive a disk that becomes full."""
    needed = bytes_to_come + SPARE_BYTES

    def refusal(free: int) -> CacheUnusable:
        return CacheUnusable(
            f"{path.parent.absolute()}: about {needed / 1e6:.0f} MB are needed and {free / 1e6:.0f} MB are free; "
            "free some space or write elsewhere"
        )

    require_room(path.parent, needed, refusal)


def says_simulated(path: Path) -> bool:
    """Return whether this is a ROOT file that says that its events are simulated."""
    with captured_stderr():
        try:
            file = ROOT.TFile.Open(str(path))
        except OSError:
            return False
    with file:
        return bool(file.GetListOfKeys().Contains(SIMULATED))
