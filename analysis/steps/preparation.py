"""From a configuration to a job: the sample is found and opened, and what is computed of it is settled."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError
from rich.text import Text

from analysis.configuration import AnalysisConfiguration, RunConfiguration
from analysis.console.program import error_console
from analysis.console.progress import progress_bar, spinner
from analysis.errors import ConfigurationError, DataError
from analysis.samples.inputs import InputFile, RunInput
from analysis.steps.engine import Engine
from analysis.steps.job import Job
from analysis.steps.own_models import NoNotes, are_own
from analysis.steps.timings import Timings
from models.folder import MODELS_JSON, Columns, ModelFolder, read_model_folder
from rdf.cache import cache_folder
from rdf.code.compiler import graph_library
from rdf.errors import ExecutionError, SchemaError, SourceError
from rdf.schema.expressions import outside_grammar
from rdf.schema.features import choose_features, first_plane
from rdf.schema.model import Definitions, Schema, Selection, load_schema
from rdf.schema.variations import check_variations

if TYPE_CHECKING:
    from rdf.sources.source import Source

STAND_IN_EVENTS = 100_000
"""Simulated events that stand in for a sample, at most."""

OF_TRAINING = ("features", "define", "objects", "train_events", "train_on", "folds", "threshold", "autoencoder")
"""Keys that models bring with them."""


def read_models(configuration: AnalysisConfiguration) -> ModelFolder | None:
    """Read the model folder that is configured, which has to have the detectors that are asked for.

    Raises:
        ModelFolderError: as `read_model_folder` says.
        ConfigurationError: something is configured that the models decide, or a detector that they do not have; or they
            bring C++ of somebody else's that is more than formulas.
    """
    if configuration.models is None:
        return None
    models = read_model_folder(configuration.models)
    for key in OF_TRAINING:
        given = key in configuration.model_fields_set
        if given and getattr(configuration, key) != type(configuration).model_fields[key].get_default(
            call_default_factory=True
        ):
            raise ConfigurationError(
                f"--{key.replace('_', '-')}: with --models it is what the models were trained with; leave it out"
            )
    for name in configuration.detectors or ():
        if name not in models.detectors:
            raise ConfigurationError(
                f"--detectors: {configuration.models} has no {name}, only {', '.join(models.detectors)}"
            )
    _check_expressions(models, configuration)
    return models


def are_trusted(models: ModelFolder, configuration: AnalysisConfiguration) -> bool:
    """Tell whether any C++ is accepted of models: if the user says so, or one of the user's own runs wrote them.

    Raises:
        NoNotes: which models the user's own runs wrote cannot be told.
    """
    submitted = configuration.trusted_sha256 if isinstance(configuration, RunConfiguration) else None
    return configuration.trust_models or submitted == models.sha256 or are_own(models.sha256)


def trusted_sha256(models: ModelFolder, configuration: AnalysisConfiguration) -> str | None:
    """Return by which checksum other processes, on other machines too, may know models that are trusted here.

    Another folder in their place does not have it. None where the models are not trusted, and are formulas then.
    """
    with suppress(NoNotes):
        if are_trusted(models, configuration):
            return models.sha256
    return None


def _check_expressions(
    models: ModelFolder,
    configuration: AnalysisConfiguration,
    of_file: Collection[str] | None = None,
    of_schema: Collection[str] = (),
) -> None:
    """Refuse models of somebody else's whose expressions are more than formulas, before any of it becomes C++.

    Args:
        models: that will score.
        configuration: says whether they are trusted.
        of_file: columns of the sample's files; None where they are not known yet.
        of_schema: columns that the schema defines.
    """
    found = outside_grammar(*_definitions_and_objects(models, configuration), of_file, of_schema)
    if not found:
        return
    try:
        if are_trusted(models, configuration):
            return
        unknown = ""
    except NoNotes as reason:
        unknown = f" (whether a run of yours wrote them cannot be told: {reason})"
    more = f"; and {len(found) - _SAID} more" if len(found) > _SAID else ""
    raise ConfigurationError(
        f"{_models_json(configuration)}: {'; '.join(found[:_SAID])}{more}; what models bring has to be formulas over "
        f"the sample's columns; if you know who wrote these, --trust-models accepts any C++{unknown}"
    )


_SAID = 5
"""Expressions that a message shows, at most."""


def _models_json(configuration: AnalysisConfiguration) -> Path:
    return (configuration.models or Path()) / MODELS_JSON


def _definitions_and_objects(
    models: ModelFolder, configuration: AnalysisConfiguration
) -> tuple[Definitions, Selection]:
    """Return the columns that models define, and their selection of objects."""
    try:
        return (
            TypeAdapter(Definitions).validate_python(models.define),
            TypeAdapter(Selection).validate_python(models.objects),
        )
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(
            f"{_models_json(configuration)}: {key!a}: {first['msg'].removeprefix('Value error, ')}; train again"
        ) from error


def prepare(
    configuration: RunConfiguration,
    data: RunInput,
    models: ModelFolder | None,
    staging: Path,
    timings: Timings,
    part: str | None = None,
    engine: Engine | None = None,
) -> Job:
    """Open a sample and settle what is computed of it.

    Args:
        configuration: of the run.
        data: what it reads.
        models: that will score it, or None where some are to be trained.
        staging: folder that results are written to.
        timings: counts the stages.
        part: C++ condition that an event has to fulfil beyond the cuts, or None.
        engine: runs the event loops; they run in this process if it is None.

    Raises:
        ConfigurationError: the models were trained on another schema, or an option does not fit the sample.
        SourceError, SchemaError: as `open_source` and `choose_features` say.
    """
    console = error_console()
    schema = load_schema(data.schema_name)
    if data.tree:
        schema = schema.model_copy(update={"tree": data.tree})
    if models:
        check_schema(models, schema, configuration)
    graph_library("events")  # the compiler, if it has to, works while ROOT starts
    with timings.stage("import"), spinner(console, "starting ROOT"):
        from rdf.code.interpreter import check_interpreter
    check_interpreter()
    _compile_columns_of_tables(configuration, data, schema, models, part, staging, timings)
    data, source = _open(data, schema, configuration, timings)
    entries = _entries(configuration, source)
    # The loop of a part of a sample, as a batch job runs it, has one thread: RDataFrame's Range allows no more.
    threads = configuration.threads if entries == (0, source.events) else 1
    job = _job(configuration, data, schema, source, entries, threads, models, part, staging, timings)
    job.compile_columns()
    if engine is not None:
        job = replace(job, engine=engine)
    for warning in job.warnings:
        console.print(f"warning: {warning}", highlight=False, soft_wrap=True, markup=False)
    return job


def _compile_columns_of_tables(
    configuration: RunConfiguration,
    data: RunInput,
    schema: Schema,
    models: ModelFolder | None,
    part: str | None,
    staging: Path,
    timings: Timings,
) -> None:
    """Have the columns of tables compiled while these are converted: what they will be can be told before.

    Whatever is wrong with them will be said when they are read.
    """
    from rdf.sources.source import expected_source

    with suppress(ConfigurationError, SchemaError, SourceError, ExecutionError):
        if source := expected_source([file.path for file in data.files], schema):
            _job(configuration, data, schema, source, (0, 0), 1, models, part, staging, timings).compile_columns()


def check_schema(models: ModelFolder, schema: Schema, configuration: RunConfiguration) -> None:
    """Refuse models that were trained on another schema.

    Raises:
        ConfigurationError: they were.
    """
    if models.schema_name != schema.name:
        raise ConfigurationError(
            f"--models: {configuration.models} was trained on the schema {models.schema_name}, the sample has the "
            f"schema {schema.name}; name models of that schema, or train"
        )
    if models.schema_sha256 != schema.meaning():
        raise ConfigurationError(
            f"--models: {configuration.models} was trained on another schema of the name {schema.name}, with other "
            "quantities; train again"
        )


def _job(
    configuration: RunConfiguration,
    data: RunInput,
    schema: Schema,
    source: Source,
    entries: tuple[int, int],
    threads: int,
    models: ModelFolder | None,
    part: str | None,
    staging: Path,
    timings: Timings,
) -> Job:
    """Settle which columns are computed: by the configuration, or as they were for the models to score with."""
    from rdf.code.columns import (
        check_conditions,
        dropped_conditions,
        effective_selection,
        needed_columns,
        physics_columns,
    )

    define, objects = configuration.define, configuration.objects
    if models:
        # Whether the file has all columns of the schema is said elsewhere.
        named = source.available.columns | source.available.partly | schema.columns.keys()
        _check_expressions(models, configuration, named, schema.define)
        define, objects = _definitions_and_objects(models, configuration)
    warnings = []
    if models:
        check_conditions(schema, source.available, objects)
        selection = objects
    else:
        selection = effective_selection(schema, source.available, objects)
        for kind, (where, missing) in dropped_conditions(schema, source.available, objects).items():
            warnings.append(
                f"{kind}s are selected without {where!r}, which schema {schema.name} demands: the sample has no column "
                f"{missing!r}; set a condition of your own with --objects"
            )
    columns = physics_columns(schema, source.available, selection, define, configuration.vary)
    wanted = tuple(models.features) if models else configuration.features
    if wanted is None and data.features:
        schema = schema.model_copy(update={"features": (data.features, *schema.features)})
    choice = choose_features(wanted, schema, define, columns)
    recipe: Columns
    if models:
        recipe, left_out = _available(models, columns)
        choice = replace(choice, left_out=left_out)
        if left_out:
            warnings.append(f"not recorded: {', '.join(left_out)}; the sample does not have what they are made of")
    else:
        warnings += choice.warnings()
        recipe = Columns(
            schema=schema.name,
            schema_sha256=schema.meaning(),
            define={name: definition.model_dump() for name, definition in define.items()},
            objects={kind: which.model_dump() for kind, which in selection.items()},
            features=list(choice.chosen.features),
            observables=list(choice.chosen.observables),
            plane=choice.chosen.plane,
        )
    check_variations(configuration.vary, needed_columns(columns, (*recipe.features, *recipe.observables)))
    return Job(
        configuration=configuration,
        data=data,
        source=source,
        columns=columns,
        recipe=recipe,
        described=choice.described,
        left_out=choice.left_out,
        warnings=tuple(warnings),
        entries=entries,
        threads=threads,
        part=part,
        staging=staging,
        timings=timings,
    )


def _available(models: ModelFolder, columns: Collection[str]) -> tuple[ModelFolder, tuple[str, ...]]:
    """Return the models' columns without the observables that the sample has not, and these."""
    left_out = tuple(name for name in models.observables if name not in columns)
    observables = [name for name in models.observables if name in columns]
    has_plane = models.plane is not None and set(models.plane) <= set(columns)
    plane = models.plane if has_plane else first_plane(models.features)
    return models.model_copy(update={"observables": observables, "plane": plane}), left_out


def _open(data: RunInput, schema: Schema, configuration: RunConfiguration, timings: Timings) -> tuple[RunInput, Source]:
    """Make the input readable as trees: simulate it where that is allowed and needed, convert it where it is text."""
    from rdf.simulation.generators import simulate
    from rdf.sources.source import open_source
    from rdf.sources.tabular import without_header

    console = error_console()
    if data.simulation:
        console.print(
            Text.assemble(
                ("SIMULATED", "bold red"),
                f": {data.name} is neither at hand nor downloadable; what follows is simulated",
            ),
            highlight=False,
            soft_wrap=True,
        )
    if data.simulation and not data.files:
        events = min(data.events or STAND_IN_EVENTS, STAND_IN_EVENTS)
        with timings.stage("simulation"), spinner(console, "simulating events"):
            path = simulate(data.simulation, schema, events, configuration.seed, cache_folder("simulated"))
        data = replace(data, files=(InputFile(str(path), path.stat().st_size, None),))
    if unnamed := without_header([file.path for file in data.files], schema):
        more = f" and {len(unnamed) - 1} more" if len(unnamed) > 1 else ""
        console.print(
            f"{unnamed[0]}{more} without a header: columns in the order of the schema, {', '.join(schema.columns)}",
            highlight=False,
            soft_wrap=True,
            markup=False,
        )
    with timings.stage("conversion"), progress_bar(console, "reading", "bytes") as move:
        source = open_source(
            [file.path for file in data.files],
            schema,
            cache_folder("converted"),
            [file.sha256 for file in data.files],
            move,
            data.skipped,
        )
    if source.absent_friends:
        friends = ", ".join(source.absent_friends)
        console.print(f"without friends that are missing: {friends}", highlight=False, soft_wrap=True, markup=False)
    _check_events(data, source)
    return replace(data, simulated=data.simulated or source.simulated), source


def _check_events(data: RunInput, source: Source) -> None:
    """Refuse a file that does not hold as many events as the sample says: all entries after them would be others."""
    for file, events in zip(data.files, source.entries, strict=True):
        if file.events not in (None, events):
            raise DataError(
                f"{file.path} holds {events} events, where the sample says {file.events}; correct `events` there, or "
                "get the file again"
            )


def _entries(configuration: RunConfiguration, source: Source) -> tuple[int, int]:
    """Return the half-open range of entries of the source to read."""
    skipped, available = source.skipped, source.skipped + source.events
    first, last = configuration.entries or (skipped, available)
    if last > available:
        raise ConfigurationError(f"--entries {first}:{last}: the sample has {available} events")
    if configuration.max_events is not None:
        last = min(last, first + configuration.max_events)
    return first - skipped, last - skipped
