"""The main job: read a sample, train detectors, score every event, write histograms, events and figures.

python -m analysis.run --sample cms2010b
"""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from analysis.configuration import RunConfiguration, load_configuration, option_name
from analysis.errors import ConfigurationError
from analysis.inputs import InputFile, RunInput, resolve_input
from analysis.job import Job
from analysis.output import staged_output
from analysis.program import DONE, OptionParser, cache_folder, error_console, run_program
from analysis.progress import progress_bar, spinner
from analysis.provenance import git_commit, library_versions, machine
from analysis.summary import print_summary
from analysis.timings import Timings
from models.folder import Columns, ModelFolder, copy_model_folder, read_model_folder
from rdf.features import choose_features
from rdf.schema import Definitions, Schema, Selection, load_schema
from rdf.variations import check_variations

if TYPE_CHECKING:
    from rdf.sources import Source

DESCRIPTION = """\
Look for unusual collisions in a sample, without a signal model: compute physics columns in C++ inside an RDataFrame
graph, train detectors on them, score every event in the event loop, and leave ROOT files, figures and a ranked list."""

STAND_IN_EVENTS = 100_000
"""Simulated events that stand in for a sample, at most."""

EPILOG = """\
examples:
  python -m analysis.run --sample cms2010b
  python -m analysis.run --sample cms2010b --models output/cms2010b/models --output output/again
  python -m analysis.run --sample my.root --schema cms_nanoaod --features dilepton --vary jes,met
  python -m analysis.run --sample my.root --schema my_schema.yaml --objects '{muon: {pt: 20}}' --threads 1

Every option can stand in the file of --config, as `key: value` with _ for -; the command line takes precedence.
exit codes: 0 done, 2 bad command or configuration, 3 data missing or unreadable, 4 a result failed its own check,
130 interrupted"""


def option_parser() -> OptionParser:
    """Return the parser of the command line; what is not given is not in its result."""
    parser = OptionParser("analysis.run", DESCRIPTION, EPILOG)
    metavars = {"output": "DIR", "models": "DIR", "entries": "A:B", "sample": "NAME|FILE", "schema": "NAME|FILE"}
    metavars |= {"detectors": "A,B", "features": "SET|A,B", "define": "TABLE", "objects": "TABLE", "vary": "A,B|TABLE"}
    for name, info in RunConfiguration.model_fields.items():
        key = option_name(name)
        option = f"--{key.replace('_', '-')}"
        if info.annotation is bool:
            parser.add_argument(option, dest=key, action="store_true", default=None, help=info.description)
        else:
            metavar = metavars.get(key, "N")
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
    if data.tree:
        schema = schema.model_copy(update={"tree": data.tree})
    if models and models.schema_name != schema.name:
        raise ConfigurationError(
            f"--models: {configuration.models} was trained on the schema {models.schema_name}, the sample has the "
            f"schema {schema.name}; name models of that schema, or train"
        )
    if models and models.schema_sha256 != schema.meaning():
        raise ConfigurationError(
            f"--models: {configuration.models} was trained on another schema of the name {schema.name}, with other "
            "quantities; train again"
        )
    folder = configuration.output or Path("output") / data.name

    with staged_output(folder) as staging:
        with timings.stage("import"), spinner(console, "starting ROOT"):
            from rdf.interpreter import check_interpreter
        check_interpreter()
        data, source = _open(data, schema, configuration, timings)
        entries = _entries(configuration, source.events)
        # The loop of a part of a sample, as a batch job runs it, has one thread: RDataFrame's Range allows no more.
        threads = configuration.threads if entries == (0, source.events) else 1
        job = _job(configuration, data, schema, source, entries, threads, models, staging, timings)
        if job.left_out:
            names = ", ".join(job.left_out)
            console.print(f"left out, for want of what they are made of: {names}", highlight=False, soft_wrap=True)

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
        _write_json(staging / "run.json", {**record, "timings": timings.rounded()})
    print_summary(folder)


def _job(
    configuration: RunConfiguration,
    data: RunInput,
    schema: Schema,
    source: Source,
    entries: tuple[int, int],
    threads: int,
    models: ModelFolder | None,
    staging: Path,
    timings: Timings,
) -> Job:
    """Settle which columns are computed: by the configuration, or as they were for the models to score with."""
    from rdf.columns import effective_selection, needed_columns, physics_columns

    define, objects = configuration.define, configuration.objects
    if models:
        define = TypeAdapter(Definitions).validate_python(models.define)
        objects = TypeAdapter(Selection).validate_python(models.objects)
    selection = objects if models else effective_selection(schema, source.available, objects)
    columns = physics_columns(schema, source.available, selection, define, configuration.vary)
    wanted = tuple(models.features) if models else configuration.features
    if wanted is None and data.features:
        schema = schema.model_copy(update={"features": (data.features, *schema.features)})
    choice = choose_features(wanted, schema, define, columns)
    recorded = (*choice.chosen.features, *choice.chosen.observables)
    check_variations(configuration.vary, needed_columns(columns, recorded))
    recipe = models or Columns(
        schema=schema.name,
        schema_sha256=schema.meaning(),
        define={name: definition.model_dump() for name, definition in define.items()},
        objects={kind: which.model_dump() for kind, which in selection.items()},
        features=list(choice.chosen.features),
        observables=list(choice.chosen.observables),
        plane=choice.chosen.plane,
    )
    return Job(
        configuration=configuration,
        data=data,
        source=source,
        columns=columns,
        recipe=recipe,
        described=choice.described,
        left_out=choice.left_out,
        entries=entries,
        threads=threads,
        staging=staging,
        timings=timings,
    )


def _read_models(configuration: RunConfiguration) -> ModelFolder:
    """Read the model folder, which has to have the detectors and the columns that were asked for."""
    assert configuration.models is not None
    models = read_model_folder(configuration.models)
    for key in ("features", "define", "objects"):
        if getattr(configuration, key):
            raise ConfigurationError(f"--{key}: with --models it is what the models were trained with; leave it out")
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
    if data.simulation:
        console.print(
            f"[bold red]SIMULATED[/]: {data.name} is neither at hand nor downloadable; what follows is simulated",
            highlight=False,
            soft_wrap=True,
        )
        events = min(data.events or STAND_IN_EVENTS, STAND_IN_EVENTS)
        with timings.stage("simulation"), spinner(console, "simulating events"):
            path = simulate(data.simulation, schema, events, configuration.seed, cache_folder() / "simulated")
        data = replace(data, files=(InputFile(str(path), path.stat().st_size, None),))
    with timings.stage("conversion"), progress_bar(console, "reading", "bytes") as move:
        source = open_source(
            [file.path for file in data.files],
            schema,
            cache_folder() / "converted",
            [file.sha256 for file in data.files],
            move,
        )
    return replace(data, simulated=data.simulated or source.simulated), source


def _entries(configuration: RunConfiguration, available: int) -> tuple[int, int]:
    """Return the half-open range of entries to read."""
    first, last = configuration.entries or (0, available)
    if last > available:
        raise ConfigurationError(f"--entries {first}:{last}: the sample has {available} events")
    if configuration.max_events is not None:
        last = min(last, first + configuration.max_events)
    return first, last


def _as_configured(configuration: RunConfiguration, folder: Path) -> dict[str, Any]:
    """Return the configuration by the keys of the YAML file, with what was left to defaults filled in."""
    values = configuration.model_dump(mode="json", by_alias=True)
    return {**values, "output": str(folder)}


def _write_json(path: Path, record: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(run_program("analysis.run", main, sys.argv[1:]))
