"""The main program: read a sample, train detectors, score every event, write histograms, events and figures.

python -m analysis.run --sample cms2010b
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import plotting.drawing.pool
from analysis.configuration import RunConfiguration
from analysis.console.program import DONE, OptionParser, error_console, run_program
from analysis.console.progress import spinner
from analysis.console.summary import print_summary
from analysis.options import add_options, parse_configuration
from analysis.output.checksums import Checksums, check_as_before
from analysis.output.folder import deliver, held_output
from analysis.output.record import Record
from analysis.samples.inputs import inputs_of, resolve_input
from analysis.steps.collection import collect_training_rows
from analysis.steps.compilation import compile_models
from analysis.steps.dask_engine import open_engine
from analysis.steps.given_models import read_models
from analysis.steps.own_models import note_models
from analysis.steps.preparation import prepare
from analysis.steps.scoring import score_sample
from analysis.steps.training import check_labels, load_libraries, train_models
from models.detectors.registry import BY_DEFAULT, UNSUPERVISED, trained_detectors
from models.folder import copy_model_folder

DESCRIPTION = """\
Look for unusual collisions in a sample, without a signal model: compute physics columns in C++ inside an RDataFrame
graph, train detectors on them, score every event in the event loop, and leave ROOT files, figures and a ranked list."""

EPILOG = """\
examples:
  python -m analysis.run --sample cms2010b
  python -m analysis.run --sample cms2010b --models output/cms2010b/models --output output/again
  python -m analysis.run --sample my.root --schema cms_nanoaod --features dilepton --vary jes,met
  python -m analysis.run --sample cms2010b --autoencoder compact --folds 2 --threshold '{sigma: 3}'
  python -m analysis.run --sample my.root --schema my_schema.yaml --objects '{muon: {pt: 20}}' --threads 1

Every option can stand in the file of --config, as `key: value` with _ for -; the command line takes precedence.
exit codes: 0 done, 2 bad command or configuration, 3 data missing or unreadable, 4 a result failed its own check,
130 interrupted"""


def option_parser() -> OptionParser:
    """Return the parser of the command line; what is not given is not in its result."""
    parser = OptionParser("analysis.run", DESCRIPTION, EPILOG)
    add_options(parser, RunConfiguration)
    return parser


def main(arguments: Sequence[str]) -> int:
    """Run the main program with these command-line arguments."""
    configuration = parse_configuration(option_parser(), RunConfiguration, arguments)
    run(configuration, shlex.join(["python", "-m", "analysis.run", *arguments]))
    return DONE


def run(configuration: RunConfiguration, command: str) -> None:
    """Do what a configuration says and print the summary.

    Args:
        configuration: checked.
        command: recorded in run.json.

    Raises:
        ToolkitError: as `analyse` says; or no figure could be drawn.
    """
    record = analyse(configuration, command)
    print_summary(record.folder)
    record.tell_failures()


def analyse(configuration: RunConfiguration, command: str, noted: RunConfiguration | None = None) -> Record:
    """Do what a configuration says, and return the record of the results, which have their final names.

    Args:
        configuration: checked.
        command: recorded in run.json.
        noted: configuration that run.json notes, where the results will lie elsewhere than they are written.

    Raises:
        AnalysisError, rdf.errors.*, models.errors.*: as those say.
    """
    models = read_models(configuration)
    data = resolve_input(configuration)
    folder = configuration.output or Path("output") / data.name
    record = Record(command, noted or configuration, folder)

    with ExitStack() as drawing, held_output(folder, inputs_of(configuration, [data])) as staging:
        workers: plotting.drawing.pool.Workers | None = None
        with open_engine(configuration) as engine:
            sample = prepare(configuration, data, models, staging, record.timings)
            if sample.is_whole:  # a part of a sample need not wait for the whole of its files
                sample = replace(sample, checksums=Checksums(sample.data.files))
                drawing.callback(sample.checksums.stop)
            explained: dict[str, list[float]] = {}
            if models and configuration.models:
                # Such a run only scores: it may be one of a thousand batch jobs, on a machine without matplotlib.
                copy_model_folder(models, configuration.models, staging / "models")
            else:
                by_default = (name for name in BY_DEFAULT if name in UNSUPERVISED)
                detectors = trained_detectors(configuration.detectors, by_default, sample.graph.labelled)
                check_labels(configuration, detectors, sample.graph.labelled, data.title)
                with record.timings.stage("training"):
                    load_libraries(detectors)  # while the columns are compiled, the first time
                rows = collect_training_rows(sample, engine, configuration.train_events)
                # The drawing processes start now, so that they are ready after the training.
                workers = drawing.enter_context(plotting.drawing.pool.Workers())
                with record.timings.stage("training"):
                    models, explained = train_models(
                        [rows], sample.graph.recipe, configuration, detectors, staging, folds=configuration.folds
                    )
                sample = replace(sample, graph=replace(sample.graph, recipe=models))
            with spinner(error_console(), "compiling detectors"):
                slots = engine.start_threads(sample.threads)
                compiled = compile_models(models, staging / "models", slots, configuration.detectors, record.timings)
            found = score_sample(sample, engine, models, compiled)
            check_as_before(sample.read_files, models, folder)
        record.write(staging, found, explained)
        deliver(staging, folder)
        if not configuration.models:
            note_models(models.sha256)
        if workers is not None:
            record.draw(staging, workers)
    return record


if __name__ == "__main__":
    sys.exit(run_program("analysis.run", main, sys.argv[1:]))
