"""Simulation: labelled events of known physics, written as trees in the formats that samples have.

The physics is in `macros/simulation/`. Here is which processes there are, what their files look like, and what
stands in for a sample that cannot be had.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rdf import RNode
from rdf.cache import is_own
from rdf.code.interpreter import ROOT, captured_stderr, define, first_reason, include_kernels
from rdf.errors import CacheUnusable, EventLoopFailed, LostEvents, SchemaError, near_names
from rdf.execution.event_loop import EventLoop, Progress, use_threads
from rdf.local_files import LocalFiles
from rdf.provenance import SIMULATED, Provenance
from rdf.schema.model import Schema
from rdf.schema.quantities import SOURCE_ROW
from rdf.schema.tables import Available
from rdf.simulation.processes import PROCESSES, FileFormat
from rdf.sources.source import Source

FORMAT = 2
"""Version of the generators; a new one makes files in the cache void."""

ENERGY, ENERGY_2010 = 13_000.0, 7_000.0
"""Of the simulated proton collisions, now and for samples of 2010 and 2011 [GeV]."""

SPARE_BYTES = 50_000_000
"""What ROOT may hold in memory and still has to write, and what a file takes besides its events."""

CLUSTERS, MIN_CLUSTER_BYTES, MAX_CLUSTER_BYTES = 16, 1 << 16, 1 << 24
"""A file has so many clusters, so that several cores can read it, unless they become too small or too large."""


@dataclass(frozen=True)
class Layout:
    """What a file of simulated events looks like.

    Attributes:
        tree: name of the tree.
        generator: C++ class of the generators whose events it takes, in a namespace with the name of its header.
        columns: column of the file -> C++ expression over `generated`, which is what the generator made, `number`, from
            0, and the columns before.
        made_of: columns that are not written -> C++ expression.
        event_bytes: what an event takes on disk, about and at most.
    """

    tree: str
    generator: str
    columns: Mapping[str, str]
    event_bytes: int
    made_of: Mapping[str, str] = field(default_factory=dict)


_LABEL = {"label": "static_cast<std::int32_t>(generated.label)"}
_EVENT = "static_cast<unsigned long long>(number + 1)"
_ID = {
    "run": "1u",  # no collision was ever recorded in run 1
    "luminosityBlock": "static_cast<unsigned int>(number / 1000 + 1)",
    "event": _EVENT,
}
_ROW = {SOURCE_ROW: "static_cast<std::uint64_t>(number)"}

NANOAOD = Layout(
    "Events",
    "collision_simulation::Process",
    {
        **_ID,
        **{f"Jet_{part}": f"generated.jets.{part}" for part in ("pt", "eta", "phi", "mass")},
        "Jet_btagDeepFlavB": "generated.jets.btag",
        "Jet_jetId": "ROOT::RVec<int>(generated.jets.pt.size(), 6)",  # passes the tight identification
        **{
            f"{name}_{part}": f"generated.{kind}.{part}"
            for name, kind in (("Muon", "muons"), ("Electron", "electrons"))
            for part in ("pt", "eta", "phi", "mass", "charge")
        },
        "MET_pt": "generated.met_pt",
        "MET_phi": "generated.met_phi",
        "genWeight": "1.f",
        **_LABEL,
    },
    event_bytes=150,
)

TRACKS = Layout(
    "tracks",
    "track_simulation::Tracks",
    {**_ID, **{f"track_{part}": f"generated.{part}" for part in ("pt", "eta", "phi", "d0", "dz")}, **_LABEL},
    event_bytes=30,
)

RAZOR = Layout(
    "events",
    "razor_filter_simulation::RazorFilter",
    {
        "Run": "1u",
        "Lumi": _ID["luminosityBlock"],
        "Event": _EVENT,
        "MR": "generated.MR",
        "Rsq": "generated.Rsq",
        **{
            f"{part}{i}": f"generated.megajets.{which}.{part}()"
            for i, which in ((1, "first"), (2, "second"))
            for part in ("E", "Px", "Py", "Pz")
        },
        "HT": "generated.HT",
        "MET": "generated.met_pt",
        "nJets": "generated.n_jets",
        "nBJets": "generated.n_bjets",
        **_ROW,
        **_LABEL,
    },
    event_bytes=150,
)

DIMUON = Layout(
    "events",
    "collision_simulation::Process",
    {
        "Run": "1u",
        "Event": _EVENT,
        **{
            f"{name}{i}": f"static_cast<{kind}>(generated.muons.{part}[{i - 1}])"
            for i in (1, 2)
            for name, part, kind in (
                ("pt", "pt", "double"),
                ("eta", "eta", "double"),
                ("phi", "phi", "double"),
                ("Q", "charge", "std::int32_t"),
            )
        },
        **_ROW,
        **_LABEL,
    },
    event_bytes=60,
)

_ALL_LEPTONS = {"all_leptons": "detector_simulation::compute_all_leptons(generated)"}

ATLAS2020 = Layout(
    "mini",
    "collision_simulation::Process",
    {
        "runNumber": "1",
        "eventNumber": "static_cast<std::int32_t>(number + 1)",
        "mcWeight": "1.f",
        "lep_n": "static_cast<unsigned int>(all_leptons.pt.size())",
        "lep_type": "ROOT::RVec<unsigned int>(all_leptons.flavour.begin(), all_leptons.flavour.end())",
        "lep_charge": "all_leptons.charge",
        "lep_pt": "all_leptons.pt * 1000.f",
        "lep_eta": "all_leptons.eta",
        "lep_phi": "all_leptons.phi",
        "lep_E": "detector_simulation::compute_energy(all_leptons) * 1000.f",
        "jet_n": "static_cast<unsigned int>(generated.jets.pt.size())",
        "jet_pt": "generated.jets.pt * 1000.f",
        "jet_eta": "generated.jets.eta",
        "jet_phi": "generated.jets.phi",
        "jet_E": "detector_simulation::compute_energy(generated.jets) * 1000.f",
        "jet_MV2c10": "generated.jets.btag * 2.f - 1.f",  # from -1 to 1
        "met_et": "generated.met_pt * 1000.f",
        "met_phi": "generated.met_phi",
        **_LABEL,
    },
    event_bytes=150,
    made_of=_ALL_LEPTONS,
)

ATLAS2025 = Layout(
    "analysis",
    "collision_simulation::Process",
    {
        "runNumber": "1u",
        "eventNumber": _EVENT,
        "mcWeight": "1.f",
        "lep_n": "static_cast<std::int32_t>(all_leptons.pt.size())",
        "lep_type": "all_leptons.flavour",
        "lep_charge": "all_leptons.charge",
        "lep_pt": "all_leptons.pt",
        "lep_eta": "all_leptons.eta",
        "lep_phi": "all_leptons.phi",
        "lep_e": "detector_simulation::compute_energy(all_leptons)",
        "jet_n": "static_cast<std::int32_t>(generated.jets.pt.size())",
        "jet_pt": "generated.jets.pt",
        "jet_eta": "generated.jets.eta",
        "jet_phi": "generated.jets.phi",
        "jet_e": "detector_simulation::compute_energy(generated.jets)",
        "jet_btag_quantile": "detector_simulation::compute_btag_quantile(generated.jets.btag)",
        "met": "generated.met_pt",
        "met_phi": "generated.met_phi",
        **_LABEL,
    },
    event_bytes=150,
    made_of=_ALL_LEPTONS,
)


@dataclass(frozen=True)
class Simulation:
    """Events that can be simulated.

    Attributes:
        title: the physics with its parameters, in words; each title has random numbers of its own.
        layout: of the file.
        make_generator: returns the C++ generator, once its header is included.
    """

    title: str
    layout: Layout
    make_generator: Callable[[], Any]

    def stream(self, seed: int) -> Any:
        """Return the C++ stream of events that belongs to a seed."""
        include_kernels("simulation/simulation_stream")
        include_kernels(f"simulation/{self.layout.generator.partition('::')[0]}")
        digest = hashlib.sha256(f"{self.title}, seed {seed}".encode()).digest()
        own_seed = int.from_bytes(digest[:4], "big") or 1  # 0 would be a seed from the clock
        return ROOT.simulation_stream.Stream[self.layout.generator](own_seed, self.make_generator())


def _collisions(function: str, *arguments: Any) -> Any:
    """Return the C++ generator that a function of `macros/simulation/collision_simulation.hxx` makes."""
    return getattr(ROOT.collision_simulation, function)(*arguments)


def _process(name: str, parameters: Mapping[str, float]) -> Any:
    process = PROCESSES[name]
    values = (parameters[value] if isinstance(value, str) else value for value in process.arguments)
    return _collisions(process.function, ENERGY, *values)


def simulated_collisions(
    name: str, parameters: Mapping[str, float], background: str | None = None, signal_fraction: float = 1.0
) -> Simulation:
    """Return the simulation of a process, or of a signal in a background, as NanoAOD.

    Args:
        name: a name out of `PROCESSES`.
        parameters: a value for each of the process's parameters [GeV].
        background: name of the process that gives the other events.
        signal_fraction: part of the events that `name` gives, if there is a background.
    """
    title = PROCESSES[name].title.format_map(parameters)
    if background is None:
        return Simulation(f"{title}, 13 TeV", NANOAOD, lambda: _process(name, parameters))
    other = PROCESSES[background]
    return Simulation(
        f"{100 * signal_fraction:.6g} % {title}, the rest {other.title}, 13 TeV",
        NANOAOD,
        lambda: _collisions(
            "mixture", signal_fraction, _process(name, parameters), _process(background, other.parameters)
        ),
    )


def simulated_tracks(signal_fraction: float) -> Simulation:
    """Return the simulation of displaced tracks among prompt ones."""
    return Simulation(
        f"{100 * signal_fraction:.6g} % displaced tracks, the rest prompt ones",
        TRACKS,
        lambda: ROOT.track_simulation.Tracks(signal_fraction),
    )


def _razor_multijet() -> Any:
    """Return the razor filter's events: squark pairs in QCD multijets."""
    kernels = ROOT.razor_filter_simulation
    signal = kernels.passing(_collisions("squark_pair", ENERGY_2010, 700.0, 100.0))
    background = kernels.passing(_collisions("multijet", ENERGY_2010, 50.0))
    return kernels.RazorFilter(_collisions("mixture", 0.03, signal, background))


def _dileptons(selection: str, energy: float = ENERGY) -> Any:
    """Return collisions with two leptons: Z, a tenth of top pairs, and one in a hundred a heavier resonance."""
    z, top, z_prime = (
        _collisions(selection, _collisions(function, energy, *masses))
        for function, *masses in (("z_boson",), ("top_pair",), ("z_prime", 500.0))
    )
    return _collisions("mixture", 0.01, z_prime, _collisions("mixture", 0.1, top, z))


STAND_INS: Mapping[str, Simulation] = {
    "razor_multijet": Simulation(
        "CMS razor filter: 3 % squark pairs (700 GeV, LSP 100 GeV) in QCD multijets, 7 TeV", RAZOR, _razor_multijet
    ),
    "multijet_nanoaod": simulated_collisions("squark", {"mass": 700.0, "lsp": 100.0}, "qcd", 0.03),
    "dilepton_nanoaod": Simulation(
        "two muons: 1 % Z' of 500 GeV in Z and top pairs, 13 TeV", NANOAOD, lambda: _dileptons("with_two_muons")
    ),
    "dilepton_atlas2020": Simulation(
        "two leptons: 1 % Z' of 500 GeV in Z and top pairs, 13 TeV, ATLAS 2020",
        ATLAS2020,
        lambda: _dileptons("with_two_leptons"),
    ),
    "dilepton_atlas2025": Simulation(
        "two leptons: 1 % Z' of 500 GeV in Z and top pairs, 13 TeV, ATLAS 2025",
        ATLAS2025,
        lambda: _dileptons("with_two_leptons"),
    ),
    "dimuon": Simulation(
        "two muons: 1 % Z' of 500 GeV in Z and top pairs, 7 TeV",
        DIMUON,
        lambda: _dileptons("with_two_muons", ENERGY_2010),
    ),
}
"""What stands in for samples, by the name that a sample gives."""


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

    def open(self) -> RNode:
        return ROOT.RDataFrame(self.events)


def write_simulation(
    simulation: Simulation,
    target: Path,
    events: int,
    seed: int,
    provenance: Provenance,
    file_format: FileFormat = "rntuple",
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

    def watch(done: int, total: int) -> None:
        _check_space(target, (total - done) * layout.event_bytes)
        if progress:
            progress(done, total)

    use_threads(1)  # keeps the events in order
    stream = simulation.stream(seed)  # has to live as long as the loop
    loop = EventLoop(_Blank(layout.tree, (str(target),), (events,), Available({}, frozenset()), True), (0, events))
    node = define(loop.events, "number", "rdfentry_")
    # The graph is code compiled at run time: the address is how it gets to the stream.
    kind = f"simulation_stream::Stream<{layout.generator}>"
    node = define(node, "generated", f"reinterpret_cast<{kind} *>({ROOT.addressof(stream)}ull)->next()")
    for name, expression in {**layout.made_of, **layout.columns}.items():
        node = define(node, name, expression)
    signal = node.Sum("label")
    temporary = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        with provenance.created_file(temporary):
            pass
        if file_format == "rntuple":
            loop.run([_book_rntuple(node, layout, temporary, events), signal], watch)
        else:
            with _booked_ttree(node, simulation, temporary, events) as written:
                loop.run([written, signal], watch)
        _check_entries(temporary, layout.tree, events)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
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
    address = f"reinterpret_cast<tree_writer::TreeWriter *>({ROOT.addressof(writer)}ull)"
    yield node.Filter(f"{address}->fill({', '.join(layout.columns)})").Count()
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
    free = shutil.disk_usage(path.parent).free
    if free < needed:
        raise CacheUnusable(
            f"{path.parent.absolute()}: about {needed / 1e6:.0f} MB are needed and {free / 1e6:.0f} MB are free; "
            "free some space or write elsewhere"
        )


def says_simulated(path: Path) -> bool:
    """Return whether this is a ROOT file that says that its events are simulated."""
    with captured_stderr():
        try:
            file = ROOT.TFile.Open(str(path))
        except OSError:
            return False
    with file:
        return bool(file.GetListOfKeys().Contains(SIMULATED))
