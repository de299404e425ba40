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
from models.folder import ModelFolder, copy_model_folder, read_model_folder
from rdf.features import FEATURE_SETS
from rdf.schema import Schema, load_schema

if TYPE_CHECKING:
    from rdf.sources import Source

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
    if models and models.schema_name != schema.name:
        raise ConfigurationError(
            f"--models: {configuration.models} was trained on the schema {models.schema_name}, the sample has the "
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
        job = Job(configuration, data, schema, source, entries, threads, chosen, staging, timings)

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


def _as_configured(configuration: RunConfiguration, folder: Path) -> dict[str, Any]:
    """Return the configuration by the keys of the YAML file, with what was left to defaults filled in."""
    values = configuration.model_dump(mode="json", by_alias=True)
    return {**values, "output": str(folder)}


def _write_json(path: Path, record: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(run_program("analysis.run", main, sys.argv[1:]))
