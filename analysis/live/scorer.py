"""What the workers of a watch do: score some files, or entries, in one event loop; merge what came of it."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from analysis.configuration import RunConfiguration
from analysis.errors import ConfigurationError
from analysis.output.merging import write_merged
from analysis.output.parts import check_parts
from analysis.output.record import Record
from analysis.output.timings import Timings
from analysis.samples.inputs import InputFile, RunInput
from analysis.steps.compilation import compile_models
from analysis.steps.engine import Local
from analysis.steps.preparation import prepare
from analysis.steps.prepared import PreparedSample
from analysis.steps.recording import recorded_weights
from analysis.steps.scoring import score_sample
from models.folder import ModelFolder, copy_model_folder
from plotting.results.record_tables import Weights
from plotting.results.root_file import EVENTS_ROOT
from plotting.results.run_record import RunRecord
from rdf.errors import CacheUnusable, ExecutionError, MissingColumn, NoEvents, SchemaError, SourceError
from rdf.schema.model import load_schema

SAMPLED = 5_000
"""Events of a chunk, drawn at random, in which features and scores are compared with the training."""


@dataclass(frozen=True)
class Scoring:
    """The task to score some files, or some entries of the sample that is replayed.

    Attributes:
        folder: that results are written to; there is none yet.
        files: to be scored; none in a replay.
        skipped: events before these.
        entries: of the sample that is replayed; None otherwise.
        like: columns that files have to have; None for the first.
    """

    folder: Path
    files: tuple[InputFile, ...] = ()
    skipped: int = 0
    entries: tuple[int, int] | None = None
    like: WatchedColumns | None = None


@dataclass(frozen=True)
class ScoredChunk:
    """What was found.

    Attributes:
        events: entries that were read.
        sample: name of a feature or a score -> its values in some of the events.
    """

    events: int
    sample: Mapping[str, npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Refused:
    """Nothing was scored, since of these files some cannot be.

    Attributes:
        reasons: path of such a file -> why.
    """

    reasons: Mapping[str, str]


@dataclass(frozen=True)
class Merging:
    """The task to merge parts.

    Attributes:
        parts: their folders.
        folder: that results are written to; there is none yet.
        output: that they will be moved to.
        command: recorded in run.json.
        as_part: leave a part again.
    """

    parts: tuple[Path, ...]
    folder: Path
    output: Path
    command: str
    as_part: bool


def merge(task: Merging) -> None:
    """Merge parts."""
    task.folder.mkdir()
    write_merged(check_parts(task.parts), task.folder, task.output, task.command, task.as_part)


@dataclass(frozen=True)
class WatchedColumns:
    """What the files of a watch have to have in common: columns, cuts, weights, and whether they are simulated."""

    features: tuple[str, ...]
    observables: tuple[str, ...]
    cuts: Mapping[str, str]
    simulated: bool
    weights: Weights | None

    @classmethod
    def of(cls, record: RunRecord) -> Self:
        """Return what a part's run.json says of them."""
        features, observables = (
            tuple(quantity.name for quantity in quantities) for quantities in (record.features, record.observables)
        )
        return cls(features, observables, record.cuts, record.sample.simulated, record.weights)


@dataclass(frozen=True)
class Setup:
    """What a scorer needs to begin.

    Attributes:
        configuration: of the event loops.
        data: what results say of the sample; in a replay with its files.
        models: the models that score.
        networks: folder of these.
        command: recorded in run.json.
        replayed: whether the sample is replayed.
    """

    configuration: RunConfiguration
    data: RunInput
    models: ModelFolder
    networks: Path
    command: str
    replayed: bool

    def __call__(self) -> Scorer:
        """Return the scorer."""
        return Scorer(self)


class Scorer:
    """Scores one chunk after the other with detectors that are compiled once."""

    def __init__(self, setup: Setup) -> None:
        """Start ROOT and compile the detectors.

        Raises:
            AnalysisError, rdf.errors.*, models.errors.*: the sample to be replayed cannot be, or as compilers say.
        """
        from rdf.execution.event_loop import use_threads

        for number in (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE):
            signal.signal(number, signal.SIG_DFL)  # ROOT would look for a debugger first, which takes a while
        self._setup = setup
        self._timings = Timings()
        self._replayed: PreparedSample | None = None
        if setup.replayed:
            self._replayed = prepare(
                setup.configuration, setup.data, setup.models, setup.networks.parent, self._timings
            )
        self._compiled = compile_models(
            setup.models,
            setup.networks,
            use_threads(setup.configuration.threads),
            setup.configuration.detectors,
            self._timings,
        )

    def __call__(self, task: Scoring | Merging | None) -> ScoredChunk | Refused | int | None:
        """Do a task; None asks for the number of events of the sample that is replayed."""
        if task is None:
            return self._replayed.source.events if self._replayed else 0
        if isinstance(task, Merging):
            merge(task)
            return None
        try:
            return self._score(task)
        except CacheUnusable:
            raise
        except (SourceError, ExecutionError, SchemaError, ConfigurationError):
            if task.entries is not None:
                raise
            if reasons := self._reasons(task):
                return Refused(reasons)
            raise

    def _score(self, task: Scoring) -> ScoredChunk:
        task.folder.mkdir()
        models, networks = self._setup.models, self._setup.networks
        record = Record(self._setup.command, self._setup.configuration, self._setup.configuration.output or Path())
        for stage, seconds in self._timings.seconds.items():
            record.timings.add(stage, seconds)
        copy_model_folder(models, networks, task.folder / "models")
        sample = self._prepared(task, task.files, record.timings)
        self._timings = Timings({"compile": 0.0})  # the stages of the first chunk
        first, last = sample.entries_of_sample
        configuration = sample.configuration.model_copy(update={"entries": (first, last)})
        found = score_sample(replace(sample, configuration=configuration), Local(), models, self._compiled)
        record.write(task.folder, found, {})
        return ScoredChunk(last - first, self._sample(task.folder / EVENTS_ROOT, sample.graph.recipe.features))

    def _prepared(self, task: Scoring, files: Sequence[InputFile], timings: Timings) -> PreparedSample:
        """Open files, which all have to have events, and the columns that are expected."""
        setup = self._setup
        if self._replayed is not None and task.entries is not None:
            whole = task.entries == (0, self._replayed.source.events)
            threads = setup.configuration.threads if whole else 1  # RDataFrame's Range allows no more
            return replace(self._replayed, entries=task.entries, threads=threads, staging=task.folder, timings=timings)
        data = replace(setup.data, files=tuple(files), skipped=task.skipped, whole=False)
        sample = prepare(setup.configuration, data, setup.models, task.folder, timings)
        for file, events in zip(files, sample.source.entries, strict=True):
            if not events:
                raise NoEvents(f"{file.path} holds no events")
        known = load_schema(data.schema_name).columns.keys()
        if sample.left_out and (partly := sorted(sample.source.available.partly & known)):
            raise MissingColumn(f"only some files have {partly[0]!r}")
        recipe = sample.graph.recipe
        found = WatchedColumns(
            *(tuple(recipe.features), tuple(recipe.observables), dict(sample.graph.cuts), sample.data.simulated),
            recorded_weights(sample.graph.weighting),
        )
        if task.like is not None and found != task.like:
            _refuse(files[0].path, found, task.like)
        return sample

    def _reasons(self, task: Scoring) -> dict[str, str]:
        """Try files one by one, and return those that cannot be read, with the reasons."""
        reasons = {}
        for file in task.files:
            try:
                self._prepared(task, [file], Timings())
            except (SourceError, ExecutionError, SchemaError, ConfigurationError) as error:
                reasons[file.path] = str(error)
        return reasons

    def _sample(self, events: Path, features: Sequence[str]) -> dict[str, npt.NDArray[np.float32]]:
        import uproot

        names = [*features, *(f"score_{name}" for name in self._compiled.detectors)]
        with uproot.open(events) as file:
            columns = file["events"].arrays(names, library="np")
        rows = np.arange(len(columns[names[0]]))
        if len(rows) > SAMPLED:
            rows = np.sort(np.random.default_rng(len(rows)).choice(rows, SAMPLED, replace=False))
        return {name: columns[name][rows].astype(np.float32) for name in names}


def _refuse(path: str, found: WatchedColumns, like: WatchedColumns) -> None:
    if found.simulated != like.simulated:
        says = "says" if found.simulated else "does not say"
        raise MissingColumn(f"{path} {says} that its events are simulated, unlike the files before; {_APART}")
    if found.cuts != like.cuts:
        cut = next(n for n in (*found.cuts, *like.cuts) if found.cuts.get(n) != like.cuts.get(n))
        raise MissingColumn(f"{path} has other columns of the cut {cut!r} than the files before; {_APART}")
    if found.weights != like.weights:
        raise MissingColumn(f"{path} has other weights than the files before; {_APART}")
    differing = sorted(set(found.observables) ^ set(like.observables))
    has = "has" if differing and differing[0] in found.observables else "lacks"
    raise MissingColumn(f"{path} {has} {differing[0] if differing else 'a column'}, unlike the files before; {_APART}")


_APART = "watch such files with another --output"


def make_merger() -> Any:
    """Return what a worker does that only merges."""
    return merge
