"""Toys of a search: here, or in the workers of a Dask cluster; the same toys, however they are shared."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from analysis.console.progress import Move
from analysis.search.configuration import SearchConfiguration
from analysis.steps.shipping import cache_archive, code_archive
from rdf.code.library import loaded_libraries
from rdf.statistics.fits import SpectrumFits
from rdf.statistics.fitted import Cut, Toys
from rdf.statistics.functions import Family, SignalShape
from rdf.statistics.significance import LEVEL
from rdf.statistics.spectrum import Numbers

BLOCK = 500
"""Toys that are thrown together: between two reports of progress here, and by one task of a worker."""


@dataclass(frozen=True, eq=False)
class ToySource:
    """All that toys of a search are made of. It can travel to another process.

    Attributes:
        edges: of the bins.
        family: of functions.
        shape: of the signal.
        masses: of the scan.
        cuts: that were opened.
        seed: of the toys.
    """

    edges: Numbers
    family: Family
    shape: SignalShape
    masses: Numbers
    cuts: tuple[Cut, ...]
    seed: int

    @cached_property
    def _fits(self) -> SpectrumFits:
        return SpectrumFits(self.edges, self.family, self.shape, self.masses)

    def run(self, piece: range, threads: int = 1) -> Toys:
        """Throw the toys whose numbers are in the range `piece`."""
        return self._fits.toys(self.cuts, LEVEL, self.seed, piece, threads)


def throw_toys(source: ToySource, configuration: SearchConfiguration, progress: Move) -> Toys:
    """Send toys of all cuts through the whole procedure.

    Args:
        source: what they are made of.
        configuration: of the search.
        progress: told the toys that are done, and their number.
    """
    toys = configuration.toys
    pieces = [range(first, min(first + BLOCK, toys)) for first in range(0, toys, BLOCK)]
    done = 0

    def move(more: int) -> None:
        nonlocal done
        done += more
        progress(done, toys)

    if configuration.engine == "local":
        thrown = []
        for piece in pieces:
            thrown.append(source.run(piece, configuration.threads))
            move(len(piece))
        return Toys.joined(thrown)
    from rdf.execution.cluster import open_cluster
    from rdf.execution.pieces import run_pieces

    shipped = (code_archive(), cache_archive(loaded_libraries()))
    with open_cluster(configuration.cluster, configuration.threads) as client:
        return Toys.joined(run_pieces(client, shipped, source, pieces, move))
