"""The event loops over one sample: those that collect what detectors learn from, and those that score every event."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from analysis.configuration import RunConfiguration
from analysis.console.program import error_console
from analysis.console.progress import progress_bar, spinner
from analysis.output.checksums import Checksums
from analysis.output.findings import DISPLAYED, TOP_EVENTS, agreement, means, variations, write_anomalies, write_objects
from analysis.output.provenance import git_commit
from analysis.samples.inputs import InputFile, RunInput
from analysis.steps.engine import BookedCollection, BookedScoring, Engine, Local
from analysis.steps.timings import Timings
from models.folder import MODELS_JSON, Columns, ModelFolder, TrainingSample, file_sha256
from rdf import RNode
from rdf.code.compiler import graph_library
from rdf.errors import NoEvents
from rdf.graph.objects import OBJECTS, ObjectParts, object_parts
from rdf.schema.features import Feature
from rdf.schema.model import ID_QUANTITIES
from rdf.schema.variations import scales, vary_scales

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rdf.code.sofie import CompiledDetector
    from rdf.execution.event_loop import Pass
    from rdf.graph.scoring import Ensemble
    from rdf.provenance import Provenance
    from rdf.sources.source import Source

LABEL = "label"


@dataclass(frozen=True)
class Collected:
    """What a loop collected for the training.

    Attributes:
        ids: run, luminosityBlock and event, shape (events, 3), uint64.
        X: features, shape (events, features), float32.
        labels: 1 for signal, 0 for background, -1 for neither, shape (events,); None where there are none.
        observables: shape (events, observables), float32.
        sample: what they were taken from.
    """

    ids: npt.NDArray[np.uint64]
    X: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int8] | None
    observables: npt.NDArray[np.float32]
    sample: TrainingSample


@dataclass(frozen=True)
class Compiled:
    """Detectors that live in C++.

    Attributes:
        detectors: name -> the detector of each fold.
        ensemble: which of them vote, and how many votes flag an event.
        folds: of the events.
        parity: name -> largest difference from the trained detector on reference events.
        compiled_by: name and version of the compiler.
    """

    detectors: Mapping[str, list[CompiledDetector]]
    ensemble: Ensemble
    folds: int
    parity: Mapping[str, float]
    compiled_by: str


@dataclass(frozen=True)
class Scored:
    """All events of a sample with what the detectors say of them.

    Attributes:
        columns: name -> values, shape (events,), float32; in the order of the event numbers or the published rows.
        cutflow: name of each cut, and the events that passed it.
    """

    columns: Mapping[str, npt.NDArray[np.float32]]
    cutflow: list[dict[str, Any]]


@dataclass(frozen=True)
class Job:
    """One run over one source: what its two event loops have in common.

    Attributes:
        configuration: of the run.
        data: what is read, for the record.
        source: the trees.
        columns: every column that the source can have, with the expression that gives it.
        recipe: what of them is computed, as models.json says it.
        described: how each column is written.
        left_out: of the feature set what the source has not the objects for.
        warnings: what of the schema's feature set and selection does not hold for the source, a sentence each.
        entries: of the source that are read, half-open.
        threads: of the event loops.
        part: C++ condition that an event has to fulfil beyond the cuts, or None.
        staging: folder that results are written to.
        timings: counts the stages.
        engine: runs the event loops of a run.
        checksums: of the files that are read, as far as they are not known.
    """

    configuration: RunConfiguration
    data: RunInput
    source: Source
    columns: Mapping[str, str]
    recipe: Columns
    described: Mapping[str, Feature]
    left_out: tuple[str, ...]
    warnings: tuple[str, ...]
    entries: tuple[int, int]
    threads: int
    part: str | None
    staging: Path
    timings: Timings
    engine: Engine = field(default_factory=Local)
    checksums: Checksums = field(default_factory=Checksums)

    @property
    def read_files(self) -> tuple[InputFile, ...]:
        """What was read, with checksums, once these are there."""
        return self.checksums.completed(self.data.files)

    @property
    def labelled(self) -> bool:
        """Whether the events have labels."""
        return LABEL in self.columns

    @property
    def _entries_of_sample(self) -> tuple[int, int]:
        """Return the entries that are read, counted from the first of the sample, whatever files are open."""
        first, last = self.entries
        return self.source.skipped + first, self.source.skipped + last

    @property
    def _recorded(self) -> tuple[str, ...]:
        """Columns of an event that are recorded beside those that name it."""
        return (*(LABEL,) * self.labelled, *self._values)

    @property
    def _conditions(self) -> str:
        """Say what an event has to fulfil to be used."""
        return "with finite features" if self.part is None else f"with finite features and {self.part}"

    @property
    def _values(self) -> tuple[str, ...]:
        """What of an event is kept side by side, the features first."""
        return (*self.recipe.features, *self.recipe.observables)

    def _fields(self, detectors: Sequence[str] = ()) -> dict[str, str]:
        """Return, for each column of an event and of what detectors say of it, how the compiled graph names it."""
        from rdf.graph.scoring import score_fields

        return {
            LABEL: "label",
            **{name: f"value:{i}" for i, name in enumerate(self._values)},
            **score_fields(detectors),
        }

    @property
    def _wanted(self) -> tuple[str, ...]:
        """What of an event is kept beside its values."""
        return (*ID_QUANTITIES, *(LABEL,) * self.labelled, *(OBJECTS,) * bool(self._objects))

    @property
    def _objects(self) -> ObjectParts | None:
        """What there is of an event's objects."""
        return object_parts(self.columns)

    @property
    def _defined(self) -> dict[str, str]:
        """All columns, those that are made for the graph alone too."""
        return {**self.columns, OBJECTS: self._objects.expression} if self._objects else {**self.columns}

    def compile_columns(self) -> None:
        """Have the columns compiled, which takes a while, before they are needed."""
        from rdf.code.columns import compile_columns, rounded

        types = {**self.source.head_types, **scales(self.configuration.vary)}
        compile_columns(rounded(self._defined, self._values), self._wanted, self._values, types)

    def check_columns(self) -> None:
        """Define the columns on a graph that is not run, as far as to see that they can be compiled."""
        from rdf.execution.event_loop import Pass

        self._define_columns(Pass(self.source.open()))

    def _define_columns(self, loop: Pass) -> RNode:
        """Define all columns of an event."""
        from rdf.code.columns import define_columns, rounded

        events = vary_scales(loop.events, self.configuration.vary)
        return define_columns(events, rounded(self._defined, self._values), self._wanted, self._values, loop.watch)

    def _select(self, events: RNode) -> RNode:
        """Keep the events that can be used, and of these the part that is asked for."""
        from rdf.graph.selection import select_finite, select_part

        selected = select_finite(events, len(self.recipe.features))
        return selected if self.part is None else select_part(selected, self.part)

    def book_collection(self, passed: Pass, limit: int | None, slots: int) -> BookedCollection:
        """Book what detectors learn from, so many events at most, on a pass over events with so many slots."""
        from rdf.graph.snapshot import book_snapshot

        selected = self._select(self._define_columns(passed))
        seed = self.configuration.seed
        return BookedCollection(passed, book_snapshot(selected, self._fields(), self._recorded, slots, limit, seed))

    def collect(self, limit: int | None) -> Collected:
        """Run an event loop that collects what detectors learn from.

        Args:
            limit: events that are kept at most, drawn at random.

        Raises:
            NoEvents: none is left after the cuts.
        """
        features = self.recipe.features
        rows = self.engine.collect(self, limit)
        graph_library("scores")  # the second event loop's, compiled during the training
        ids, values = rows.arrays()
        if not len(values):
            raise NoEvents(f"{self.data.title}: no event {self._conditions} is left to train on; check the sample")
        first = int(self.labelled)
        return Collected(
            ids=ids[:, -len(ID_QUANTITIES) :],
            X=values[:, first : first + len(features)],
            labels=values[:, 0].astype(np.int8) if self.labelled else None,
            observables=values[:, first + len(features) :],
            sample=TrainingSample(
                sample=self.data.name,
                title=self.data.title,
                simulated=self.data.simulated,
                tree=self.source.tree,
                files=[file.path for file in self.data.files],
                sha256=[file.sha256 for file in self.read_files if file.sha256],
                entries=self._entries_of_sample,
                events=rows.seen,
            ),
        )

    def compile(self, models: ModelFolder, folder: Path, slots: int) -> Compiled:
        """Compile the detectors that are to score, and check each against its reference scores.

        Args:
            models: what the detectors are.
            folder: that has their networks.
            slots: of the event loops that they will run in.
        """
        return compile_models(models, folder, slots, self.configuration.detectors, self.timings)

    def collect_scores(self, compiled: Compiled) -> Scored:
        """Run an event loop that scores all events and keeps what it finds in memory."""
        from rdf.execution.event_loop import EventLoop, use_threads
        from rdf.graph.scoring import define_scores, event_columns
        from rdf.graph.selection import book_cutflow
        from rdf.graph.snapshot import book_snapshot

        slots = use_threads(self.threads)
        columns = event_columns(self._recorded, tuple(compiled.detectors), compiled.folds)
        with self.timings.stage("jit"):
            loop = EventLoop(self.source, self.entries)
            selected = self._select(self._define_columns(loop))
            selected = define_scores(selected, compiled.detectors, compiled.ensemble, compiled.folds, loop.watch)
            snapshot = book_snapshot(selected, self._fields(tuple(compiled.detectors)), columns, slots)
            cutflow = book_cutflow(selected)
        with progress_bar(error_console(), f"scoring {self.data.name}", "events") as move:
            took = loop.run([snapshot.booked, cutflow.booked], move)
        self.timings.add("jit", took.jit_seconds)
        self.timings.add("scoring_loop", took.loop_seconds)
        _, values = snapshot.collected().arrays()
        if not len(values):
            raise NoEvents(f"{self.data.title}: no event {self._conditions}, nothing was scored; check the sample")
        cuts = [asdict(cut) for cut in cutflow.cuts()]
        return Scored(dict(zip(columns, values.T, strict=True)), cuts)

    def columns_written(self, compiled: Compiled) -> int:
        """Return the number of columns of `events.root`."""
        return len(ID_QUANTITIES) + len(self._columns(compiled))

    def _columns(self, compiled: Compiled) -> list[str]:
        from rdf.graph.scoring import event_columns

        return event_columns(self._recorded, tuple(compiled.detectors), compiled.folds)

    @property
    def provenance(self) -> Provenance:
        """What files with results say of their origin."""
        from rdf.provenance import Provenance

        origin = {"sample": self.data.describe(), "commit": git_commit()}
        return Provenance(json.dumps(origin), self.data.simulated)

    def book_scoring(
        self, passed: Pass, models: ModelFolder, compiled: Compiled, slots: int, file: Path, part: int = 0
    ) -> BookedScoring:
        """Book all that is found in scored events on a pass over events.

        Args:
            passed: the pass.
            models: that score.
            compiled: their detectors, in C++.
            slots: of the pass.
            file: that the scored events are written to.
            part: number of the part of the sample that the pass is over.
        """
        from rdf.graph.events import book_events
        from rdf.graph.histograms import book_histograms
        from rdf.graph.objects import book_top_objects
        from rdf.graph.scoring import ENSEMBLE, define_scores
        from rdf.graph.selection import book_cutflow
        from rdf.graph.snapshot import book_top_events

        features, observables = self.recipe.features, self.recipe.observables
        names, ensemble = tuple(compiled.detectors), compiled.ensemble
        columns, fields = self._columns(compiled), self._fields(names)
        events = self._define_columns(passed)
        selected = define_scores(self._select(events), compiled.detectors, ensemble, compiled.folds, passed.watch)
        # Where all detectors agree that nothing in training was as unusual, the scores themselves decide.
        key = (ENSEMBLE, *(f"score_{name}" for name in ensemble.detectors))
        return BookedScoring(
            passed=passed,
            part=part,
            file=file,
            detectors=names,
            written=book_events(selected, file, columns, self.provenance),
            top=book_top_events(selected, fields, key, columns, TOP_EVENTS, slots),
            objects=book_top_objects(selected, fields, key, self._objects, DISPLAYED, slots) if self._objects else None,
            histograms=book_histograms(
                events,
                selected,
                fields,
                features,
                self.described,
                {
                    name: models.feature_axes[name]
                    for name in dict.fromkeys((*features, *observables, *(self.recipe.plane or ())))
                },
                {name: models.detectors[name].score_axis for name in names},
                self.recipe.plane,
                len(ensemble.detectors),
                slots,
                tuple(self.configuration.vary),
                self.labelled,
                passed.watch,
            ),
            cutflow=book_cutflow(selected),
        )

    def score(self, models: ModelFolder, compiled: Compiled) -> dict[str, Any]:
        """Run the scoring event loop, write what it gives, and return what run.json says of it."""
        from rdf.graph.events import check_events
        from rdf.graph.histograms import complete, remainders, write_histograms

        features, observables = self.recipe.features, self.recipe.observables
        names, ensemble = tuple(compiled.detectors), compiled.ensemble
        found = self.engine.score(self, models, compiled)
        cuts = found.cuts
        selected_events = cuts[-1].events
        check_events(self.staging / "events.root", selected_events)
        # A part of a sample may well hold none.
        if not selected_events and not self.configuration.entries:
            raise NoEvents(f"{self.data.title}: no event has finite features, nothing was scored; check the sample")
        filled = complete(found.histograms)
        kept = remainders(found.histograms) if self.configuration.entries else {}
        write_histograms(self.staging / "histograms.root", filled | kept, self.provenance)
        with self.timings.stage("explanations"), spinner(error_console(), "explaining the most unusual events"):
            write_anomalies(self.staging, found.top, models, names, self.data)
        if found.objects:
            write_objects(self.staging, found.objects.described())

        seconds = self.timings.seconds["scoring_loop"]
        flagged = {name: round(filled["agreement/flagged"].GetBinContent(i, i)) for i, name in enumerate(names, 1)}
        anomalous = round(filled["moments/anomalous"].GetBinContent(1, 1))
        return {
            "sample": replace(self.data, files=self.read_files).describe(),
            "training": models.training.model_dump(),
            "threads": self.threads,
            "engine": self.engine.describe(),
            "entries": self._entries_of_sample,
            "plan": self.configuration.plan,
            "models_sha256": file_sha256(self.staging / "models" / MODELS_JSON),
            "merged": None,
            "features": [asdict(self.described[name]) for name in features],
            "observables": [asdict(self.described[name]) for name in observables],
            "left_out": self.left_out,
            "warnings": self.warnings,
            "objects": self.recipe.objects,
            "define": self.recipe.define,
            "cutflow": [asdict(cut) for cut in cuts],
            "non_finite": found.non_finite,
            "counts": {
                "expected": self.entries[1] - self.entries[0],
                "processed": found.processed,
                "selected": selected_events,
                "normal": selected_events - anomalous,
                "anomalous": anomalous,
            },
            "ensemble": ensemble.detectors,
            "min_votes": ensemble.min_votes,
            "detectors": {
                name: {
                    "threshold": _one_or_all([network.threshold for network in models.detectors[name].networks]),
                    "flagged": flagged[name],
                    "parity": compiled.parity[name],
                    "notes": models.detectors[name].notes,
                }
                for name in names
            },
            "left_out_detectors": models.left_out,
            "history": models.histories(),
            "reconstruction": models.reconstructions(),
            "agreement": agreement(filled, names),
            "variations": variations(filled, self.configuration.vary, names, ensemble.min_votes),
            "means": means(filled, features),
            "events_per_second": round(found.processed / seconds) if seconds else None,
            "loop_seconds": {stage: round(took, 6) for stage, took in found.stage_seconds.items()},
            "compiled_by": compiled.compiled_by,
        }


def compile_models(
    models: ModelFolder, folder: Path, slots: int, wanted: Sequence[str] | None, timings: Timings
) -> Compiled:
    """Compile the detectors that are to score, and check each against its reference scores.

    Args:
        models: what the detectors are.
        folder: that has their networks.
        slots: of the event loops that they will run in.
        wanted: names of the detectors; all that there are if None.
        timings: counts the stage.
    """
    from rdf.code.sofie import check_parity, compile_detector, translate_network
    from rdf.graph.scoring import Ensemble

    names = [name for name in models.detectors if wanted is None or name in wanted]
    X = np.array(models.reference.features, dtype=np.float32)
    detectors: dict[str, list[CompiledDetector]] = {}
    parity: dict[str, float] = {}
    with timings.stage("compile"):
        translated = {
            network.file: translate_network(folder / network.file)
            for name in names
            for network in models.detectors[name].networks
        }
        for name in names:
            differences = []
            for fold, network in enumerate(models.detectors[name].networks):
                table, cpp = network.rank_table, translated[network.file]
                compiled = compile_detector(name, cpp, network.threshold, table.scores, table.ranks, slots)
                scores = np.array(models.reference.scores[name][fold], dtype=np.float32)
                rounding = models.reference.rounding.get(name)
                known = None if rounding is None else np.array(rounding[fold])
                differences.append(check_parity(compiled, X, scores, known))
                detectors.setdefault(name, []).append(compiled)
            parity[name] = max(differences)
    voting = tuple(name for name in names if name in models.ensemble) or tuple(names)
    of_all = set(voting) == set(models.ensemble)
    ensemble = Ensemble(voting, models.min_votes if of_all else (len(voting) + 1) // 2)
    compiled_by = next(iter(translated.values())).compiled_by
    return Compiled(detectors, ensemble, models.training.folds, parity, compiled_by)


def _one_or_all(values: list[float]) -> float | list[float]:
    """Return the only value, or all: one for each fold."""
    return values[0] if len(values) == 1 else values
