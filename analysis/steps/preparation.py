"""From a configuration to a prepared sample: the sample is opened, and the columns that are computed are settled."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from analysis.configuration import RunConfiguration
from analysis.console.program import error_console
from analysis.console.progress import progress_bar, spinner
from analysis.errors import ConfigurationError, DataError
from analysis.output.timings import Timings
from analysis.samples.inputs import InputFile, RunInput
from analysis.samples.weights import weighting_of
from analysis.steps.event_graph import EventGraph
from analysis.steps.given_models import (
    Expressions,
    carried_over,
    check_expressions,
    check_other,
    check_schema,
    expressions_of,
    other_schema,
)
from analysis.steps.prepared import PreparedSample
from models.folder import Columns, ModelFolder
from rdf.cache import cache_folder
from rdf.code.library import graph_library
from rdf.errors import ExecutionError, SchemaError, SourceError
from rdf.graph.fields import WEIGHT
from rdf.schema.certified import CERTIFIED
from rdf.schema.features import choose_features, first_plane
from rdf.schema.filters import FILTERS, filter_cut
from rdf.schema.model import Schema, load_schema
from rdf.schema.triggers import TRIGGERS, trigger_cut
from rdf.schema.variations import check_variations

if TYPE_CHECKING:
    from rdf.sources.source import Source

STAND_IN_EVENTS = 100_000
"""Simulated events that stand in for a sample, at most."""


@dataclass(frozen=True)
class _Request:
    """What is asked of a sample before it is open.

    Attributes:
        configuration: of the run.
        data: the input.
        schema: schema of the sample's files.
        models: that will score it, or None where some are to be trained.
        event_filter: C++ condition that an event has to fulfil beyond the cuts, or None.
    """

    configuration: RunConfiguration
    data: RunInput
    schema: Schema
    models: ModelFolder | None
    event_filter: str | None


def prepare(
    configuration: RunConfiguration,
    data: RunInput,
    models: ModelFolder | None,
    staging: Path,
    timings: Timings,
    event_filter: str | None = None,
) -> PreparedSample:
    """Open a sample and settle what is computed of it.

    Args:
        configuration: of the run.
        data: the input.
        models: that will score it, or None where some are to be trained.
        staging: folder that results are written to.
        timings: of the stages.
        event_filter: C++ condition that an event has to fulfil beyond the cuts, or None.

    Raises:
        ConfigurationError: the models were trained on another schema, or an option does not fit the sample.
        SourceError, SchemaError: as `open_source` and `choose_features` say.
    """
    request = _Request(configuration, data, _schema(configuration, data, models), models, event_filter)
    _start_root(timings)
    _start_compiling_early(request)
    data, source = _open(request, timings)
    entries = _entries(configuration, source)
    settled = _settle(request, source)
    settled.graph.compile_columns()
    weighting = settled.graph.weighting
    if weighting and weighting.sum_of_weights:
        data = replace(data, sum_of_weights=weighting.sum_of_weights)
    if weighting and weighting.luminosity and configuration.max_events and entries != (0, source.events):
        part = f"{entries[1] - entries[0]:,} of {source.events:,} events are read, and their weights are those of all"
        settled = replace(settled, warnings=(*settled.warnings, part))
    for warning in settled.warnings:
        error_console().print(f"warning: {warning}", highlight=False, soft_wrap=True, markup=False)
    # The loop of a part of a sample, as a batch job runs it, has one thread: RDataFrame's Range allows no more.
    threads = configuration.threads if entries == (0, source.events) else 1
    return PreparedSample(
        configuration=configuration,
        data=data,
        graph=settled.graph,
        left_out=settled.left_out,
        warnings=settled.warnings,
        entries=entries,
        threads=threads,
        staging=staging,
        timings=timings,
    )


def _schema(configuration: RunConfiguration, data: RunInput, models: ModelFolder | None) -> Schema:
    """Return the schema of a sample, which has to be that of the models."""
    schema = load_schema(data.schema_name)
    if data.tree:
        schema = schema.model_copy(update={"tree": data.tree})
    if models:
        check_schema(models, schema, configuration)
    return schema


def _start_root(timings: Timings) -> None:
    """Start ROOT, and have the graph's nodes compiled meanwhile if they have to be."""
    graph_library("events")
    with timings.stage("import"), spinner(error_console(), "starting ROOT"):
        from rdf.code.interpreter import check_interpreter, start_root

        start_root()
    check_interpreter()


def _start_compiling_early(request: _Request) -> None:
    """Have the columns of tables compiled while these are converted: the columns are known before.

    An error in a table will be raised when the table is read.
    """
    from rdf.sources.source import expected_source

    with suppress(ConfigurationError, SchemaError, SourceError, ExecutionError):
        if source := expected_source([file.path for file in request.data.files], request.schema):
            _settle(request, source).graph.compile_columns()


@dataclass(frozen=True)
class _Settled:
    """What is computed of a sample.

    Attributes:
        graph: graph of the sample's events.
        left_out: columns of the feature set that the source does not have the objects for.
        warnings: sentences about what of the schema does not hold for the source.
    """

    graph: EventGraph
    left_out: tuple[str, ...]
    warnings: tuple[str, ...]


def _settle(request: _Request, source: Source) -> _Settled:
    """Settle which columns are computed: by the configuration, or as they were for the models to score with."""
    from rdf.schema.columns import cut_column, needed_columns, physics_columns

    configuration, schema, models = request.configuration, request.schema, request.models
    said, warnings = _expressions(request, source)
    cuts, told = _cuts(request, source, said.select)
    warnings += told
    columns = physics_columns(
        schema, source.available, said.objects, said.define, configuration.vary, cuts, overlap=said.overlap
    )
    wanted = tuple(models.features) if models else configuration.features
    if wanted is None and request.data.features:
        schema = schema.model_copy(update={"features": (request.data.features, *schema.features)})
    choice = choose_features(wanted, schema, said.define, columns)
    recipe: Columns
    if models:
        recipe, left_out = _available(models, columns, _not_alike(request, source))
        if models.schema_name != schema.name:
            objects = {kind: which.model_dump() for kind, which in said.objects.items()}
            overlap = [step.model_dump() for step in said.overlap]
            recipe = recipe.model_copy(update={"objects": objects, "overlap": overlap})
        choice = replace(choice, left_out=left_out)
        if left_out:
            warnings.append(f"not recorded: {', '.join(left_out)}; the sample does not have what they are made of")
    else:
        warnings += choice.warnings()
        recipe = Columns(
            schema=schema.name,
            schema_sha256=schema.meaning(),
            define={name: definition.model_dump() for name, definition in said.define.items()},
            objects={kind: which.model_dump() for kind, which in said.objects.items()},
            overlap=[step.model_dump() for step in said.overlap],
            select=said.select,
            features=list(choice.chosen.features),
            observables=list(choice.chosen.observables),
            plane=choice.chosen.plane,
        )
    weighting, told = weighting_of(configuration, request.data, schema, source)
    warnings += told
    if weighting:
        columns = weighting.columns(columns)
        if WEIGHT in (*recipe.features, *recipe.observables):
            raise ConfigurationError("--features: weight is no feature of events that count by it; set --weights false")
    used = (*recipe.features, *recipe.observables, *map(cut_column, cuts))
    check_variations(configuration.vary, needed_columns(columns, used))
    graph = EventGraph(
        source=source,
        columns=columns,
        recipe=recipe,
        described=choice.described,
        vary=configuration.vary,
        seed=configuration.seed,
        cuts=cuts,
        event_filter=request.event_filter,
        certified=request.data.certified,
        weighting=weighting,
    )
    return _Settled(graph, choice.left_out, tuple(warnings))


def _expressions(request: _Request, source: Source) -> tuple[Expressions, list[str]]:
    """Return definitions, objects and cuts that count, and warnings about conditions that are dropped."""
    from rdf.schema.object_selection import (
        check_conditions,
        dropped_conditions,
        effective_overlap,
        effective_selection,
    )

    configuration, schema = request.configuration, request.schema
    if (models := request.models) and models.schema_name != schema.name:
        other = other_schema(models, schema, source.available, configuration)
        check_other(other, models, configuration)
        said = replace(expressions_of(models, configuration), objects=other.selection(), overlap=other.overlap())
        return said, [carried_over(other, models), *_without_conditions(other.dropped(), schema)]
    if models:
        # Whether the file has all columns of the schema is said elsewhere.
        named = source.available.columns | source.available.partly | schema.columns.keys()
        check_expressions(models, configuration, named, schema.define)
        said = expressions_of(models, configuration)
        check_conditions(schema, source.available, said.objects)
        return said, []
    dropped = dropped_conditions(schema, source.available, configuration.objects)
    warnings = _without_conditions(dropped, schema)
    objects = effective_selection(schema, source.available, configuration.objects)
    overlap = effective_overlap(schema, source.available, configuration.objects, configuration.overlap)
    return Expressions(configuration.define, objects, configuration.select, overlap), warnings


def _without_conditions(dropped: Mapping[str, tuple[str, str]], schema: Schema) -> list[str]:
    """Say which conditions of a schema on objects do not count: kind of object -> condition, and column that lacks."""
    return [
        f"{kind}s are selected without {where!r}, which schema {schema.name} demands: the sample has no column "
        f"{missing!r}; set a condition of your own with --objects"
        for kind, (where, missing) in dropped.items()
    ]


def _cuts(request: _Request, source: Source, select: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Return all cuts on events by columns: of noise filters, of triggers, and those of the run or the models.

    Beside them come warnings about what of filters, triggers and certified runs does not hold for the source.
    """
    _check_certified(request, source)
    warnings = []
    if request.data.uncertified:
        warnings.append(
            "UNCERTIFIED: the sample's list of certified runs is not applied; events of bad luminosity blocks may be "
            "among these"
        )
    columns = source.available.columns | source.available.partly
    cuts = {}
    configuration, asked = request.configuration, request.configuration.filters
    filters = filter_cut(request.schema.filters if asked is None else asked, columns, asked is not None)
    if filters.demanded:
        cuts[FILTERS] = filters.expression
    # Simulations of this toolkit have no noise.
    if filters.missing and (filters.demanded or not source.simulated):
        warnings.append(f"no noise filter {', '.join(filters.missing)}: the sample has no such column")
    if triggers := request.data.triggers if configuration.triggers is None else configuration.triggers:
        found = trigger_cut(triggers, columns)
        cuts[TRIGGERS] = found.expression
        if found.missing:
            warnings.append(f"no trigger {', '.join(found.missing)}: the sample has no such column")
    for name in (*cuts, *(CERTIFIED,) * bool(request.data.certified)):
        if name in select:
            raise ConfigurationError(f"select: with {name} there is a cut {name!r} already; choose another name")
    return {**cuts, **select}, warnings


def _check_certified(request: _Request, source: Source) -> None:
    """Refuse a list of certified runs for events that do not say their runs and luminosity blocks."""
    if request.data.certified is None:
        return
    for name in ("run", "luminosityBlock"):
        if name not in source.available.quantities:
            raise ConfigurationError(
                f"--certified: by schema {request.schema.name} the events of {request.data.title} have no {name}, by "
                "which a list of certified runs tells them; leave it out"
            )


def _not_alike(request: _Request, source: Source) -> frozenset[str]:
    """Return the observables that mean something else in the sample's schema than in that of the models' training."""
    models, schema = request.models, request.schema
    if models is None or models.schema_name == schema.name:
        return frozenset()
    other = other_schema(models, schema, source.available, request.configuration)
    return frozenset(name for name in models.observables if other.differences(name))


def _available(
    models: ModelFolder, columns: Collection[str], not_alike: Collection[str]
) -> tuple[ModelFolder, tuple[str, ...]]:
    """Return the models' columns without the observables that the sample has not, or has otherwise, and these."""
    has = {*columns} - {*not_alike}
    left_out = tuple(name for name in models.observables if name not in has)
    observables = [name for name in models.observables if name in has]
    has_plane = models.plane is not None and set(models.plane) <= has
    plane = models.plane if has_plane else first_plane(models.features)
    return models.model_copy(update={"observables": observables, "plane": plane}), left_out


def _open(request: _Request, timings: Timings) -> tuple[RunInput, Source]:
    """Make the input readable as trees: simulate it where that is allowed and needed, convert it where it is text."""
    from rdf.simulation.writing import simulate
    from rdf.sources.source import open_source
    from rdf.sources.tabular import without_header

    console, data, schema = error_console(), request.data, request.schema
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
            path = simulate(data.simulation, schema, events, request.configuration.seed, cache_folder("simulated"))
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
    luminosity = request.configuration.luminosity or data.luminosity
    return replace(data, simulated=data.simulated or source.simulated, luminosity=luminosity), source


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
