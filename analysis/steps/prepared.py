"""A sample that is open, with all that is settled about the event loops over it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from analysis.configuration import RunConfiguration
from analysis.output.checksums import Checksums
from analysis.output.provenance import git_commit
from analysis.output.timings import Timings
from analysis.samples.inputs import InputFile, RunInput
from analysis.steps.event_graph import EventGraph, Places
from models.folder import TrainingSample
from plotting.results.run_record import as_table
from rdf.schema.quantities import ID_QUANTITIES

if TYPE_CHECKING:
    from pathlib import Path

    from analysis.steps.compilation import Compiled
    from rdf.provenance import Provenance
    from rdf.sources.source import Source


@dataclass(frozen=True)
class PreparedSample:
    """A sample that is open, with all that is settled about the event loops over it.

    Attributes:
        configuration: of the run.
        data: the input, as results describe it.
        graph: what is computed of its events.
        left_out: columns of the feature set that the source does not have the objects for.
        warnings: sentences about what of the schema does not hold for the source.
        entries: half-open range of the source's entries that is read.
        threads: of the event loops.
        staging: folder that results are written to.
        timings: of the stages.
        checksums: of the files that are read, as far as they are not known.
    """

    configuration: RunConfiguration
    data: RunInput
    graph: EventGraph
    left_out: tuple[str, ...]
    warnings: tuple[str, ...]
    entries: tuple[int, int]
    threads: int
    staging: Path
    timings: Timings
    checksums: Checksums = field(default_factory=Checksums)

    @property
    def source(self) -> Source:
        """The trees."""
        return self.graph.source

    @property
    def is_whole(self) -> bool:
        """Whether all entries of the source are read."""
        return self.entries == (0, self.source.events)

    @property
    def entries_of_sample(self) -> tuple[int, int]:
        """The entries that are read, counted from the first of the sample, whatever files are open."""
        first, last = self.entries
        return self.source.skipped + first, self.source.skipped + last

    @property
    def places(self) -> Places | None:
        """Events whose places in the sample are wanted."""
        return "all" if self.configuration.friend else "flagged" if self.configuration.skim else None

    @property
    def read_files(self) -> tuple[InputFile, ...]:
        """The files that are read, with their checksums once these are there."""
        return self.checksums.completed(self.data.files)

    @cached_property
    def provenance(self) -> Provenance:
        """What files with results say of their origin."""
        from rdf.provenance import Provenance

        origin = {"sample": as_table(self.data.describe()), "commit": as_table(git_commit())}
        return Provenance(json.dumps(origin), self.data.simulated, self.data.uncertified)

    def columns_written(self, compiled: Compiled) -> int:
        """Return the number of columns of events.root."""
        return len(ID_QUANTITIES) + len(self.graph.written(compiled))

    def training_sample(self, events: int) -> TrainingSample:
        """Return what models.json says of this sample.

        Args:
            events: number of its events that detectors could be trained on.
        """
        return TrainingSample(
            sample=self.data.name,
            title=self.data.title,
            simulated=self.data.simulated,
            tree=self.source.tree,
            files=[file.path for file in self.data.files],
            sha256=[file.sha256 for file in self.read_files if file.sha256],
            entries=self.entries_of_sample,
            events=events,
        )
