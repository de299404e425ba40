"""Embedded simulations: files of simulated events in a sample's own format, where the sample cannot be had."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rdf.columns import define
from rdf.errors import CacheUnusable, SchemaError, near_names
from rdf.execution import use_threads
from rdf.interpreter import ROOT, include_kernels
from rdf.provenance import Provenance
from rdf.schema import SOURCE_ROW, Schema

FORMAT = 1
"""Version of the generators; a new one makes files in the cache void."""

BYTES_PER_EVENT = 150
SPARE_BYTES = 10_000_000
"""What a file of simulated events takes at most: so much for each, and so much besides."""

SIMULATED_RUN = 1
"""Run number of simulated events; that of collisions is never so low."""


@dataclass(frozen=True)
class Generator:
    """A kernel that makes one event from a seed and a number, and what its parts are called in the sample's format.

    Attributes:
        topic: the header in `macros/` with the kernel.
        kernel: C++ function (seed, number) -> event.
        columns: column of the format -> C++ expression over `generated`, `number` and the columns before.
        truth: expression for the column `label`: 1 for what is to be found, 0 for the rest.
    """

    topic: str
    kernel: str
    columns: Mapping[str, str]
    truth: str


GENERATORS: Mapping[str, Generator] = {
    "razor_multijet": Generator(
        topic="multijet_simulation",
        kernel="multijet_simulation::generate",
        columns={
            "Run": f"{SIMULATED_RUN}u",
            "Lumi": "static_cast<std::uint32_t>(number / 1000 + 1)",
            "Event": "static_cast<std::uint64_t>(number + 1)",
            "MR": "razor::compute_MR(generated.megajet1, generated.megajet2)",
            "Rsq": "razor::compute_Rsq(razor::compute_MTR(generated.megajet1, generated.megajet2, generated.met_pt, "
            "generated.met_phi), MR)",
            **{f"{part}{i}": f"generated.megajet{i}.{part}()" for i in (1, 2) for part in ("E", "Px", "Py", "Pz")},
            "HT": "generated.HT",
            "MET": "generated.met_pt",
            "nJets": "generated.n_jets",
            "nBJets": "generated.n_bjets",
        },
        truth="generated.heavy_pair",
    ),
}
"""Generators by the name that a sample gives."""


def simulate(generator: str, schema: Schema, events: int, seed: int, cache: Path) -> Path:
    """Write simulated events to an RNTuple in the cache, once for each seed and number, and return its path.

    Args:
        generator: a name out of `GENERATORS`.
        schema: format of the sample that is stood in for.
        events: number of events.
        seed: the same seed gives the same events.
        cache: folder of simulated files; made if need be.

    Raises:
        SchemaError: there is no such generator.
        CacheUnusable: the cache cannot be written or is too full.
    """
    if generator not in GENERATORS:
        raise SchemaError(f"unknown simulation {generator!r}; {near_names(generator, GENERATORS)}")
    recipe = GENERATORS[generator]
    needed = events * BYTES_PER_EVENT + SPARE_BYTES
    target = cache / f"SIMULATED-{generator}-{events}-seed{seed}-v{FORMAT}.root"
    if target.exists():
        return target
    try:
        cache.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(cache).free
    except OSError as error:
        raise CacheUnusable(f"cannot write to {cache}: {error.strerror}; set XDG_CACHE_HOME") from error
    if free < needed:  # ROOT does not survive a disk that becomes full
        raise CacheUnusable(
            f"{cache}: about {needed / 1e6:.0f} MB are needed and {free / 1e6:.0f} MB are free; free some space or set "
            "XDG_CACHE_HOME"
        )
    include_kernels(recipe.topic)
    use_threads(1)  # keeps the events in order
    node = define(ROOT.RDataFrame(events), "number", "rdfentry_")
    node = define(node, "generated", f"{recipe.kernel}({seed}u, number)")
    for name, expression in recipe.columns.items():
        node = define(node, name, expression)
    node = define(node, SOURCE_ROW, "static_cast<std::uint64_t>(number)")
    node = define(node, "label", f"static_cast<std::int32_t>({recipe.truth})")

    options = ROOT.RDF.RSnapshotOptions()
    options.fMode = "UPDATE"
    options.fOutputFormat = ROOT.RDF.ESnapshotOutputFormat.kRNTuple
    options.fApproxZippedClusterSize = 1 << 18  # several clusters, work for several cores
    temporary = target.with_suffix(f".{os.getpid()}.part")
    try:
        with Provenance(f"{generator}, seed {seed}, format {FORMAT}", simulated=True).created_file(temporary):
            pass
        node.Snapshot(schema.tree, str(temporary), [*recipe.columns, SOURCE_ROW, "label"], options)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return target
