"""Evaluation: how well detectors tell signal from background, where labels or two samples say which is which.

python -m analysis.evaluate --background higgs_background --signal higgs_signal
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.text import Text

import plotting.drawing.pool
from analysis.configuration import AnalysisConfiguration, EvaluationConfiguration, RunConfiguration
from analysis.console.evaluation_summary import print_evaluation
from analysis.console.program import DONE, OptionParser, error_console, run_program
from analysis.console.progress import spinner
from analysis.errors import ConfigurationError
from analysis.options import add_options, parse_configuration
from analysis.output.folder import deliver, held_output
from analysis.output.record import Record
from analysis.output.sanity import training_warnings
from analysis.output.timings import Timings
from analysis.samples.inputs import RunInput, inputs_of, resolve_input
from analysis.steps.collection import collect_training_rows
from analysis.steps.compilation import compile_models
from analysis.steps.engine import Engine, Local
from analysis.steps.given_models import read_models
from analysis.steps.own_models import note_models
from analysis.steps.preparation import prepare
from analysis.steps.prepared import PreparedSample
from analysis.steps.recording import (
    recorded_histories,
    recorded_quantities,
    recorded_reconstructions,
    recorded_training,
    schema_warnings,
)
from analysis.steps.testing import labels_of_role, score_samples, write_metrics
from analysis.steps.training import train_models
from models.detectors.registry import BY_DEFAULT, trained_detectors
from models.folder import ModelFolder, TrainingSample, copy_model_folder
from plotting.results.metrics import METRICS_JSON, metrics_text
from plotting.results.record_tables import Sample, SampleHeader, TestedDetector
from plotting.results.run_record import EvaluationFindings
from rdf.schema.features import first_plane
from rdf.schema.model import load_schema

DESCRIPTION = """\
Say how well detectors tell signal from background: ROC curve and AUC, significance improvement, accuracy and the like,
each with a bootstrap uncertainty. Detectors are trained on the events of even number and evaluated on the others; with
--models they are those of an earlier run, and all events are evaluated."""

EPILOG = """\
examples:
  python -m analysis.evaluate --background higgs_background --signal higgs_signal
  python -m analysis.evaluate --sample tracks.root --schema tracks --detectors decision_tree,mlp,autoencoder
  python -m analysis.run --sample lhco_train --output output/lhco
  python -m analysis.evaluate --sample lhco_test --models output/lhco/models --output output/lhco_evaluation

Every option can stand in the file of --config, as `key: value` with _ for -; the command line takes precedence.
exit codes: 0 done, 2 bad command or configuration, 3 data missing or unreadable, 4 a result failed its own check,
130 interrupted"""

TRAINING_HALF, TEST_HALF = "event % 2 == 0", "event % 2 == 1"
"""Events that detectors are trained on, and events that they are evaluated on."""


def option_parser() -> OptionParser:
    """Return the parser of the command line; what is not given is not in its result."""
    parser = OptionParser("analysis.evaluate", DESCRIPTION, EPILOG)
    add_options(parser, EvaluationConfiguration)
    return parser


def main(arguments: Sequence[str]) -> int:
    """Evaluate with these command-line arguments."""
    configuration = parse_configuration(option_parser(), EvaluationConfiguration, arguments)
    evaluate(configuration, shlex.join(["python", "-m", "analysis.evaluate", *arguments]))
    return DONE


def evaluate(configuration: EvaluationConfiguration, command: str) -> None:
    """Do what a configuration says and print the summary.

    Args:
        configuration: checked.
        command: recorded in run.json.

    Raises:
        ToolkitError: as `evaluate_samples` says; or no figure could be drawn.
    """
    record = evaluate_samples(configuration, command)
    print_evaluation(record.folder)
    record.tell_failures()


def evaluate_samples(configuration: EvaluationConfiguration, command: str) -> Record:
    """Do what a configuration says, and return the record of the results, which have their final names.

    Args:
        configuration: checked.
        command: recorded in run.json.

    Raises:
        AnalysisError, rdf.errors.*, models.errors.*: as those say.
    """
    models = read_models(configuration)
    inputs = _inputs(configuration)
    name = "_".join(data.name for data in inputs)
    folder = configuration.output or Path("output") / f"evaluation_{name}"
    record = Record(command, configuration, folder)

    # The drawing processes start now, so that they are ready when there is something to draw.
    with plotting.drawing.pool.Workers() as workers, held_output(folder, inputs_of(configuration, inputs)) as staging:
        event_filter = _events_to_test(models, inputs)
        prepared = _prepare_all(configuration, inputs, models, staging, record.timings)
        explained: dict[str, list[float]] = {}
        engine = Local()
        if models and configuration.models:
            copy_model_folder(models, configuration.models, staging / "models")
        else:
            models, explained = _train(configuration, prepared, engine, staging, record.timings)
        recipe = models.model_copy(update={"observables": []})
        prepared = [
            replace(sample, graph=replace(sample.graph, recipe=recipe, event_filter=event_filter))
            for sample in prepared
        ]
        first = prepared[0]
        with spinner(error_console(), "compiling detectors"):
            slots = engine.start_threads(first.threads)
            compiled = compile_models(models, staging / "models", slots, configuration.detectors, record.timings)
        tested = score_samples(prepared, compiled)
        with record.timings.stage("metrics"):
            metrics = write_metrics(configuration, models, compiled, tested, staging)
        (staging / METRICS_JSON).write_text(metrics_text(metrics), encoding="utf-8")
        found = EvaluationFindings(
            sample=_together([sample.data for sample in prepared]),
            samples=tested.samples,
            part=event_filter,
            training=recorded_training(models.training),
            threads=first.threads,
            warnings=(
                *schema_warnings(dict.fromkeys(warning for sample in prepared for warning in sample.warnings)),
                *training_warnings(models),
            ),
            features=recorded_quantities(first.graph.described, models.features),
            ensemble=tuple(compiled.ensemble.detectors),
            min_votes=compiled.ensemble.min_votes,
            detectors={
                name: TestedDetector(parity=parity, notes=tuple(models.detectors[name].notes))
                for name, parity in compiled.parity.items()
            },
            left_out_detectors=models.left_out,
            history=recorded_histories(models),
            reconstruction=recorded_reconstructions(models),
        )
        record.write(staging, found, explained)
        deliver(staging, folder)
        if not configuration.models:
            note_models(models.sha256)
        record.draw(staging, workers)
    return record


def _inputs(configuration: EvaluationConfiguration) -> list[RunInput]:
    """Find the samples: the one with labels, or the background and the signal."""
    named = [configuration.background, configuration.signal] if configuration.background else [configuration.sample]
    return [resolve_input(_of_sample(configuration, name)) for name in named if name]


def _of_sample(configuration: AnalysisConfiguration, sample: str, **changes: Any) -> RunConfiguration:
    """Return the configuration of a run over one of the samples."""
    common = {name: getattr(configuration, name) for name in AnalysisConfiguration.model_fields}
    return RunConfiguration.model_validate({**common, "sample": sample, **changes})


def _events_to_test(models: ModelFolder | None, inputs: Sequence[RunInput]) -> str | None:
    """Return the condition that selects events which the models were not trained on; None if all are tested."""
    if models is None:
        return TEST_HALF
    if models.training.folds > 1 or not any(_was_read(sample, inputs) for sample in models.training.samples):
        return None
    if models.training.part == TRAINING_HALF:
        return TEST_HALF
    error_console().print(
        Text.assemble(
            ("note", "bold yellow"),
            ": these are events that the models were trained on; what is evaluated is how well they know these, and "
            "not how well they do on others (train with --folds 2, or evaluate another sample)",
        ),
        highlight=False,
        soft_wrap=True,
    )
    return None


def _was_read(sample: TrainingSample, inputs: Sequence[RunInput]) -> bool:
    """Say whether a training sample's files are among the inputs, by checksum or path, and read for the same tree."""
    read = {*sample.sha256, *sample.files}
    return any(
        (data.tree or load_schema(data.schema_name).tree) == sample.tree
        and not read.isdisjoint(name for file in data.files for name in (file.sha256, file.path))
        for data in inputs
    )


def _prepare_all(
    configuration: EvaluationConfiguration,
    inputs: Sequence[RunInput],
    models: ModelFolder | None,
    staging: Path,
    timings: Timings,
) -> list[PreparedSample]:
    """Open the samples; the first one decides what is computed of all of them."""
    first_schema, *others = (load_schema(data.schema_name) for data in inputs)
    for other in others:
        if other.meaning() != first_schema.meaning():
            raise ConfigurationError(
                f"--signal: its schema is {other.name}, that of the background {first_schema.name}; "
                "evaluate samples of one schema"
            )
    prepared: list[PreparedSample] = []
    for data in inputs:
        changes = {"features": tuple(prepared[0].graph.recipe.features)} if prepared and not models else {}
        prepared.append(prepare(_of_sample(configuration, data.name, **changes), data, models, staging, timings))
    first = prepared[0]
    if len(prepared) == 1 and not first.graph.labelled:
        raise ConfigurationError(
            f"--sample: {first.data.title} has no labels; give its schema the quantity `label`, or evaluate two "
            "samples with --background and --signal"
        )
    # Only the features are compared, so that a sample may lack what is recorded beside them.
    features = first.graph.recipe.features
    for other_sample in prepared[1:]:
        _note_differences(first, other_sample, features)
    plane = first.graph.recipe.plane
    if plane is None or not set(plane) <= set(features):
        plane = first_plane(features)
    recipe = first.graph.recipe.model_copy(update={"observables": [], "plane": plane})
    return [replace(sample, graph=replace(sample.graph, recipe=recipe)) for sample in prepared]


def _note_differences(first: PreparedSample, other: PreparedSample, features: Sequence[str]) -> None:
    """Say where two samples make what the features are made of in different ways, as of columns that only one has."""
    from rdf.schema.columns import needed_columns

    made = [needed_columns(sample.graph.columns, features) for sample in (first, other)]
    if differ := sorted(name for name in made[0].keys() | made[1].keys() if made[0].get(name) != made[1].get(name)):
        error_console().print(
            Text.assemble(
                ("note", "bold yellow"),
                f": {first.data.title} and {other.data.title} do not have the same columns: {', '.join(differ)} are "
                "made of others",
            ),
            highlight=False,
            soft_wrap=True,
        )


def _train(
    configuration: EvaluationConfiguration,
    prepared: Sequence[PreparedSample],
    engine: Engine,
    staging: Path,
    timings: Timings,
) -> tuple[ModelFolder, dict[str, list[float]]]:
    """Train on one half of the events; of two samples, on as many of each at most."""
    limit = configuration.train_events and max(configuration.train_events // len(prepared), 1)
    rows = [
        collect_training_rows(replace(sample, graph=replace(sample.graph, event_filter=TRAINING_HALF)), engine, limit)
        for sample in prepared
    ]
    if len(prepared) > 1:
        rows = [
            replace(drawn, labels=labels_of_role(kind, len(drawn.X), drawn.labels, drawn.sample.title))
            for kind, drawn in enumerate(rows)
        ]
    detectors = trained_detectors(configuration.detectors, BY_DEFAULT, labelled=True)
    with timings.stage("training"):
        return train_models(
            rows, prepared[0].graph.recipe, configuration, detectors, staging, event_filter=TRAINING_HALF
        )


def _together(inputs: Sequence[RunInput]) -> Sample | SampleHeader:
    """Describe the samples as one, for the header of the figures."""
    if len(inputs) == 1:
        return inputs[0].describe()
    background, signal = inputs
    return SampleHeader(
        name=f"{background.name}_{signal.name}",
        title=f"{signal.title} against {background.title}",
        doi=background.doi if background.doi == signal.doi else None,
        energy=background.energy if background.energy == signal.energy else None,
        luminosity=None,
        simulated=background.simulated or signal.simulated,
        uncertified=background.uncertified or signal.uncertified,
    )


if __name__ == "__main__":
    sys.exit(run_program("analysis.evaluate", main, sys.argv[1:]))
