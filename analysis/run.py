"""The main job: read a sample, train detectors, score every event, write histograms, events and figures.

python -m analysis.run --sample cms2010b
"""

from __future__ import annotations

import csv
import json
import shlex
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.configuration import RunConfiguration, load_configuration, option_name
from analysis.errors import ConfigurationError
from analysis.inputs import InputFile, RunInput, resolve_input
from analysis.output import check_space, staged_output
from analysis.program import DONE, OptionParser, cache_folder, check_interruption, error_console, run_program
from analysis.progress import progress_bar, spinner
from analysis.provenance import git_commit, library_versions, machine
from analysis.summary import print_summary
from models.folder import ModelFolder, TrainingSample, copy_model_folder, read_model_folder
from models.registry import DETECTORS
from rdf.errors import NoEvents
from rdf.features import FEATURE_SETS, FEATURES, FeatureSet, check_features
from rdf.schema import Schema, load_schema

if TYPE_CHECKING:
    from rdf.snapshot import Snapshot
    from rdf.sources import Source

TOP_EVENTS = 100
"""Events in anomalies.csv."""

DESCRIPTION = """\
Look for unusual collisions in a sample, without a signal model: compute physics columns in C++ inside an RDataFrame
graph, train detectors on them, score every event in the event loop, and leave ROOT files, figures and a ranked list."""

EPILOG = """\
examples:
  python -m analysis.run --sample cms2010b
  python -m analysis.run --sample cms2010b --models output/cms2010b/models --output output/again
  python -m analysis.run --sample my.csv --schema cms_razor --threads 1

Every option can stand in the file of --config, as `key: value` with _ for -; the command line takes precedence.
exit codes: 0 done, 2 bad command or configuration, 3 data missing or unreadable, 4 a result failed its own check,
130 interrupted"""


def option_parser() -> OptionParser:
    """Return the parser of the command line; what is not given is not in its result."""
    parser = OptionParser("analysis.run", DESCRIPTION, EPILOG)
    metavars = {"output": "DIR", "models": "DIR", "entries": "A:B", "sample": "NAME|FILE"}
    for name, info in RunConfiguration.model_fields.items():
        key = option_name(name)
        option = f"--{key.replace('_', '-')}"
        if info.annotation is bool:
            parser.add_argument(option, dest=key, action="store_true", default=None, help=info.description)
        else:
            metavar = metavars.get(key, "A,B" if key == "detectors" else "NAME" if key == "schema" else "N")
            parser.add_argument(option, dest=key, metavar=metavar, help=info.description)
    parser.add_argument("--config", type=Path, metavar="FILE", help="YAML file with any of these options")
    return parser


def main(arguments: Sequence[str]) -> int:
    """Run the main job with these command-line arguments."""
    given = {key: value for key, value in vars(option_parser().parse_args(arguments)).items() if value is not None}
    configuration = load_configuration(given, given.pop("config", None))
    command = shlex.join(["python", "-m", "analysis.run", *arguments])
    run(configuration, command)
    return DONE


@dataclass
class Timings:
    """Seconds that the stages of a run took, in the order in which they first ran."""

    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, stage: str, seconds: float) -> None:
        """Count these seconds to a stage."""
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds

    @contextmanager
    def stage(self, stage: str) -> Iterator[None]:
        """Count the time that the block takes to a stage."""
        check_interruption()
        started = time.perf_counter()
        yield
        check_interruption()
        self.add(stage, time.perf_counter() - started)


def run(configuration: RunConfiguration, command: str) -> None:
    """Do what a configuration says and print the summary.

    Args:
        configuration: checked.
        command: recorded in run.json.

    Raises:
        AnalysisError, rdf.errors.*, models.errors.*: as those say.
    """
    started, timings, console = datetime.now(UTC), Timings(), error_console()
    begin = time.perf_counter()
    models = _read_models(configuration) if configuration.models else None
    data = resolve_input(configuration)
    schema = load_schema(data.schema_name)
    if models and models.feature_schema != schema.name:
        raise ConfigurationError(
            f"--models: {configuration.models} was trained on the schema {models.feature_schema}, the sample has the "
            f"schema {schema.name}; name models of that schema, or train"
        )
    folder = configuration.output or Path("output") / data.name

    with staged_output(folder) as staging:
        with timings.stage("import"), spinner(console, "starting ROOT"):
            from rdf.interpreter import check_interpreter
        check_interpreter()
        data, source = _open(data, schema, configuration, timings)
        entries = _entries(configuration, source.entries)
        # The loop of a part of a sample, as a batch job runs it, has one thread: RDataFrame's Range allows no more.
        threads = configuration.threads if entries == (0, source.entries) else 1
        chosen = FEATURE_SETS[schema.features]
        if models:
            chosen = replace(chosen, features=tuple(models.features))
        job = _Job(configuration, data, schema, source, entries, threads, chosen, staging, timings)

        if models and configuration.models:
            copy_model_folder(models, configuration.models, staging / "models")
        else:
            models = job.train()
        record = job.score(models)
        record = {
            "command": command,
            "configuration": _as_configured(configuration, folder),
            "started": started.isoformat(timespec="seconds"),
            "versions": library_versions(),
            "commit": git_commit(),
            "machine": machine(),
            **record,
        }
        _write_json(staging / "run.json", record)
        with timings.stage("figures"), spinner(console, "drawing figures") as say:
            from plotting.figures import draw_figures

            draw_figures(staging, lambda name: say(f"drawing figures: {name}"))
        timings.add("total", time.perf_counter() - begin)
        _write_json(staging / "run.json", {**record, "timings": _rounded(timings.seconds)})
    print_summary(folder)


def _read_models(configuration: RunConfiguration) -> ModelFolder:
    """Read the model folder and keep those of its detectors that were asked for."""
    assert configuration.models is not None
    models = read_model_folder(configuration.models)
    for name in configuration.detectors or ():
        if name not in models.detectors:
            raise ConfigurationError(
                f"--detectors: {configuration.models} has no {name}, only {', '.join(models.detectors)}"
            )
    return models


def _open(data: RunInput, schema: Schema, configuration: RunConfiguration, timings: Timings) -> tuple[RunInput, Source]:
    """Make the input readable as trees: simulate it where that is allowed and needed, convert it where it is text."""
    from rdf.simulation import simulate
    from rdf.sources import open_source

    console = error_console()
    if data.simulated:
        console.print(
            f"[bold red]SIMULATED[/]: {data.name} is neither at hand nor downloadable; what follows is simulated",
            highlight=False,
            soft_wrap=True,
        )
        assert data.simulation is not None
        assert data.events is not None
        with timings.stage("simulation"), spinner(console, "simulating events"):
            path = simulate(data.simulation, schema, data.events, configuration.seed, cache_folder() / "simulated")
        data = replace(data, files=(InputFile(path, path.stat().st_size, None),))
    with timings.stage("conversion"), progress_bar(console, "reading", "bytes") as move:
        source = open_source(
            [file.path for file in data.files],
            schema,
            cache_folder() / "converted",
            [file.sha256 for file in data.files],
            move,
        )
    return replace(data, simulated=source.simulated), source


def _entries(configuration: RunConfiguration, available: int) -> tuple[int, int]:
    """Return the half-open range of entries to read."""
    first, last = configuration.entries or (0, available)
    if last > available:
        raise ConfigurationError(f"--entries {first}:{last}: the sample has {available} events")
    if configuration.max_events is not None:
        last = min(last, first + configuration.max_events)
    return first, last


@dataclass(frozen=True)
class _Job:
    """One run over one source: what its two event loops have in common."""

    configuration: RunConfiguration
    data: RunInput
    schema: Schema
    source: Source
    entries: tuple[int, int]
    threads: int
    chosen: FeatureSet
    staging: Path
    timings: Timings

    def train(self) -> ModelFolder:
        """Run the first event loop, train the detectors on what it collects, and write the model folder."""
        from rdf.columns import define_feature_vector, define_physics
        from rdf.execution import EventLoop, use_threads
        from rdf.selection import define_non_finite, select_finite
        from rdf.snapshot import book_snapshot

        console = error_console()
        features, observables = self.chosen.features, self.chosen.observables
        slots = use_threads(self.threads)
        loop = EventLoop(self.source, self.entries)
        with self.timings.stage("jit"):
            events = define_physics(loop.events, self.schema)
            check_features((*features, *observables), map(str, events.GetDefinedColumnNames()))
            events = define_feature_vector(events, features, observables)
            selected = select_finite(define_non_finite(events))
            snapshot = book_snapshot(selected, (*features, *observables), slots)
        with progress_bar(console, "collecting features", "events") as move:
            took = loop.run([snapshot.booked], move)
        self.timings.add("jit", took.jit_seconds)
        self.timings.add("snapshot", took.loop_seconds)
        _, columns = snapshot.arrays()
        X = columns[:, : len(features)]
        if not len(X):
            raise NoEvents(f"{self.data.title}: no event with finite features is left to train on; check the sample")

        with self.timings.stage("training"), spinner(console, "training") as say:
            from models.training import train, write_model_folder

            names = self.configuration.detectors or tuple(DETECTORS)
            detectors = train(X, names, seed=self.configuration.seed, progress=lambda name: say(f"training {name}"))
            return write_model_folder(
                self.staging / "models",
                detectors,
                X,
                features,
                dict(zip(observables, columns[:, len(features) :].T, strict=True)),
                feature_schema=self.schema.name,
                training=TrainingSample(
                    sample=self.data.name,
                    title=self.data.title,
                    simulated=self.data.simulated,
                    sha256=[file.sha256 for file in self.data.files if file.sha256],
                    entries=self.entries,
                    events=len(X),
                ),
                versions=library_versions(),
            )

    def score(self, models: ModelFolder) -> dict[str, Any]:
        """Run the scoring event loop, write what it gives, and return what run.json says of it."""
        from rdf.columns import define_feature_vector, define_physics
        from rdf.events import book_events, check_events
        from rdf.execution import EventLoop, use_threads
        from rdf.histograms import book_histograms, complete, write_histograms
        from rdf.provenance import Provenance
        from rdf.scoring import ENSEMBLE, define_scores, event_columns
        from rdf.selection import cutflow, define_non_finite, non_finite_counts, select_finite
        from rdf.snapshot import book_top_events
        from rdf.sofie import check_parity, compile_detector

        console = error_console()
        features, observables = self.chosen.features, self.chosen.observables
        entries_of = {
            name: entry
            for name, entry in models.detectors.items()
            if self.configuration.detectors is None or name in self.configuration.detectors
        }
        names = tuple(entries_of)
        parity = {}
        slots = use_threads(self.threads)
        with self.timings.stage("compile"), spinner(console, "compiling detectors"):
            compiled = []
            reference = np.array(models.reference.features, dtype=np.float32)
            for name, entry in entries_of.items():
                table = entry.rank_table
                onnx = self.staging / "models" / entry.file
                detector = compile_detector(name, onnx, entry.threshold, table.scores, table.ranks, slots)
                parity[name] = check_parity(
                    detector, reference, np.array(models.reference.scores[name], dtype=np.float32)
                )
                compiled.append(detector)

        origin = json.dumps({"sample": self.data.describe(), "commit": git_commit()})
        provenance = Provenance(origin, self.data.simulated)
        loop = EventLoop(self.source, self.entries)
        columns = event_columns(features, observables, names)
        with self.timings.stage("jit"):
            events = define_physics(loop.events, self.schema)
            check_features((*features, *observables), map(str, events.GetDefinedColumnNames()))
            events = define_non_finite(define_feature_vector(events, features, observables))
            selected = define_scores(select_finite(events), compiled, models.min_votes)
            written = book_events(selected, self.staging / "events.root", columns, provenance)
            # Where all detectors agree that nothing in training was as unusual, the scores themselves decide.
            key = (ENSEMBLE, *(f"score_{name}" for name in names))
            top = book_top_events(selected, key, columns, TOP_EVENTS, slots)
            score_axes = {name: entry.score_axis for name, entry in entries_of.items()}
            histograms = book_histograms(events, selected, features, models.feature_axes, score_axes, self.chosen.plane)
            report = selected.Report()
        with progress_bar(console, "scoring", "events") as move:

            def watch(done: int, total: int) -> None:
                check_space(self.staging, total - done, len(columns), self.threads)
                move(done, total)

            watch(0, loop.expected)
            took = loop.run([written, top.booked, *histograms.results(), report], watch)
        self.timings.add("jit", took.jit_seconds)
        self.timings.add("scoring_loop", took.loop_seconds)

        cuts = cutflow(report)
        selected_events = cuts[-1].events
        check_events(self.staging / "events.root", selected_events)
        if not selected_events:
            raise NoEvents(f"{self.data.title}: no event has finite features, nothing was scored; check the sample")
        filled = complete(histograms, cuts)
        write_histograms(self.staging / "histograms.root", filled, provenance)
        _write_anomalies(self.staging / "anomalies.csv", top, len(key), self.data)

        flagged = {name: int(filled["agreement/flagged"].GetBinContent(i, i)) for i, name in enumerate(names, start=1)}
        anomalous = round(filled["moments/anomalous"].GetBinContent(1, 1))
        return {
            "sample": self.data.describe(),
            "training": models.training.model_dump(),
            "threads": self.threads,
            "entries": self.entries,
            "features": [asdict(FEATURES[name]) for name in features],
            "observables": [asdict(FEATURES[name]) for name in observables],
            "cutflow": [asdict(cut) for cut in cuts],
            "non_finite": non_finite_counts(filled["cutflow/non_finite"], features),
            "counts": {
                "expected": loop.expected,
                "processed": took.events,
                "selected": selected_events,
                "normal": selected_events - anomalous,
                "anomalous": anomalous,
            },
            "min_votes": models.min_votes,
            "detectors": {
                name: {"threshold": entry.threshold, "flagged": flagged[name], "parity": parity[name]}
                for name, entry in entries_of.items()
            },
            "means": _means(filled, features),
            "timings": _rounded(self.timings.seconds),
            "events_per_second": round(took.events / took.loop_seconds) if took.loop_seconds else None,
        }


def _means(histograms: Mapping[str, Any], features: Sequence[str]) -> dict[str, dict[str, float | None]]:
    """Return each feature's mean over normal and over anomalous events, and their ratio; None where there are none."""

    def mean(selection: str, i: int) -> float | None:
        sums = histograms[f"moments/{selection}"]
        count = sums.GetBinContent(1, 1)
        return float(sums.GetBinContent(1, i + 2) / count) if count else None

    means: dict[str, dict[str, float | None]] = {}
    for i, name in enumerate(features):
        normal, anomalous = mean("normal", i), mean("anomalous", i)
        ratio = anomalous / normal if normal and anomalous is not None else None
        means[name] = {"normal": normal, "anomalous": anomalous, "ratio": ratio}
    return means


def _write_anomalies(path: Path, top: Snapshot, key: int, data: RunInput) -> None:
    """Write the most anomalous events, most anomalous first, a line each.

    Args:
        path: file to write.
        top: the events; the first `key` of its values say how anomalous.
        key: number of those.
        data: named in each line.
    """
    ids, values = top.arrays()
    # A stable sort: the numbers of the event, by which it is ordered already, decide between equals.
    order = np.lexsort([-column for column in values.T[:key][::-1]])[:TOP_EVENTS]
    sample = f"{data.name} (SIMULATED)" if data.simulated else data.name
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["place", "sample", *top.ids, *top.values[key:]])
        for place, i in enumerate(order, start=1):
            numbers = [np.format_float_positional(value, trim="-") for value in values[i, key:]]
            writer.writerow([place, sample, *ids[i], *numbers])


def _as_configured(configuration: RunConfiguration, folder: Path) -> dict[str, Any]:
    """Return the configuration by the keys of the YAML file, with what was left to defaults filled in."""
    values = configuration.model_dump(mode="json", by_alias=True)
    return {**values, "output": str(folder)}


def _rounded(seconds: Mapping[str, float]) -> dict[str, float]:
    return {stage: round(value, 3) for stage, value in seconds.items()}


def _write_json(path: Path, record: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(run_program("analysis.run", main, sys.argv[1:]))
