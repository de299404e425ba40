"""Models that a run is given: whether they fit the configuration and the sample, and whether they are trusted."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from analysis.configuration import AnalysisConfiguration, RunConfiguration
from analysis.errors import ConfigurationError
from analysis.steps.own_models import NoNotes, are_own
from models.detectors.registry import ALL, require_known
from models.folder import MODELS_JSON, ModelFolder, read_model_folder
from rdf.errors import SchemaError
from rdf.faults import first_fault
from rdf.schema.expressions import outside_grammar
from rdf.schema.model import Schema, load_schema
from rdf.schema.other_schema import OtherSchema
from rdf.schema.tables import Available, Cuts, Definitions, Overlaps, Selection

OF_TRAINING = (
    *("features", "define", "objects", "overlap", "select", "train_events", "train_on", "folds"),
    *("threshold", "autoencoder", "settings"),
)
"""Keys that models bring with them."""


def read_models(configuration: AnalysisConfiguration) -> ModelFolder | None:
    """Read the model folder that is configured, which has to have the detectors that are asked for.

    Raises:
        ModelFolderError: as `read_model_folder` says; or a detector that is to score is not known in this process.
        ConfigurationError: something is configured that the models decide, or a detector that they do not have; or they
            bring C++ of somebody else's that is more than formulas.
    """
    if configuration.models is None:
        return None
    models = read_model_folder(configuration.models)
    asked = None if configuration.detectors == ALL else configuration.detectors
    require_known(set(asked or models.detectors) - set(models.windows), configuration.models)
    for key in OF_TRAINING:
        given = key in configuration.model_fields_set
        if given and getattr(configuration, key) != type(configuration).model_fields[key].get_default(
            call_default_factory=True
        ):
            raise ConfigurationError(
                f"--{key.replace('_', '-')}: with --models it is what the models were trained with; leave it out"
            )
    for name in asked or ():
        if name not in models.detectors:
            raise ConfigurationError(
                f"--detectors: {configuration.models} has no {name}, only {', '.join(models.detectors)}"
            )
    check_expressions(models, configuration)
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


def check_expressions(
    models: ModelFolder,
    configuration: AnalysisConfiguration,
    file_columns: Collection[str] | None = None,
    schema_columns: Collection[str] = (),
) -> None:
    """Refuse models of somebody else's whose expressions are more than formulas, before any of it becomes C++.

    Args:
        models: the models that will score.
        configuration: says whether they are trusted.
        file_columns: columns of the sample's files; None where they are not known yet.
        schema_columns: columns that the schema defines.
    """
    said = expressions_of(models, configuration)
    found = outside_grammar(said.define, said.objects, file_columns, schema_columns, said.select)
    if not found:
        return
    try:
        if are_trusted(models, configuration):
            return
        unknown = ""
    except NoNotes as reason:
        unknown = f" (whether a run of yours wrote them cannot be told: {reason})"
    more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    raise ConfigurationError(
        f"{_models_json(configuration)}: {'; '.join(found[:_SHOWN])}{more}; what models bring has to be formulas over "
        f"the sample's columns; if you know who wrote these, --trust-models accepts any C++{unknown}"
    )


_SHOWN = 5
"""Expressions that a message shows, at most."""


def _models_json(configuration: AnalysisConfiguration) -> Path:
    return (configuration.models or Path()) / MODELS_JSON


@dataclass(frozen=True)
class Expressions:
    """What a configuration, or models, say in C++.

    Attributes:
        define: columns that are defined.
        objects: which objects count, by kind.
        select: cuts on events, by name.
        overlap: which of these objects are dropped near others.
    """

    define: Definitions
    objects: Selection
    select: Cuts
    overlap: Overlaps


def expressions_of(models: ModelFolder, configuration: AnalysisConfiguration) -> Expressions:
    """Return the columns that models define, and their selections of objects and events."""
    return Expressions(
        _checked(Definitions, "define", models.define, configuration),
        _checked(Selection, "objects", models.objects, configuration),
        _checked(Cuts, "select", models.select, configuration),
        _checked(Overlaps, "overlap", models.overlap, configuration),
    )


def _checked(kind: Any, key: str, table: Any, configuration: AnalysisConfiguration) -> Any:
    """Return what a key of models.json says, which has to be of a kind."""
    try:
        return TypeAdapter(kind).validate_python(table)
    except ValidationError as error:
        fault = first_fault(error)
        raise ConfigurationError(
            f"{_models_json(configuration)}: {f'{key}.{fault.key}'!a}: {fault.reason}; train again"
        ) from error


def check_schema(models: ModelFolder, schema: Schema, configuration: RunConfiguration) -> None:
    """Refuse models that were trained on another schema, unless all that they need is canonical.

    Raises:
        ConfigurationError: they were; says what does not carry over.
    """
    if models.schema_name != schema.name:
        check_other(other_schema(models, schema, None, configuration), models, configuration)
        return
    if models.schema_sha256 != schema.meaning():
        raise ConfigurationError(
            f"--models: {configuration.models} was trained on another schema of the name {schema.name}, with other "
            "quantities; train again"
        )


def other_schema(
    models: ModelFolder, schema: Schema, available: Available | None, configuration: RunConfiguration
) -> OtherSchema:
    """Return what models ask of a sample of another schema than that of their training.

    Args:
        models: that are to score.
        schema: of the sample.
        available: what the sample offers of it; None where it is not open.
        configuration: names the models.

    Raises:
        ConfigurationError: the schema of the training is not known here.
    """
    trained: Schema | None = None
    with suppress(SchemaError):
        trained = load_schema(models.schema_name)
    if trained is None or trained.meaning() != models.schema_sha256:
        raise _of_another(models, schema, configuration, f"this version knows no schema {models.schema_name} like that")
    said = expressions_of(models, configuration)
    return OtherSchema(trained, schema, available, said.define, said.objects, said.select)


def check_other(other: OtherSchema, models: ModelFolder, configuration: RunConfiguration) -> None:
    """Refuse models whose features or cuts do not mean the same in the schema of a sample.

    Raises:
        ConfigurationError: names what does not.
    """
    if reasons := other.reasons(models.features):
        more = f"; and {len(reasons) - _SHOWN} more" if len(reasons) > _SHOWN else ""
        raise _of_another(models, other.schema, configuration, "; ".join(reasons[:_SHOWN]) + more)


def _of_another(
    models: ModelFolder, schema: Schema, configuration: RunConfiguration, reason: str
) -> ConfigurationError:
    return ConfigurationError(
        f"--models: {configuration.models} was trained on the schema {models.schema_name}, the sample has the schema "
        f"{schema.name}, and {reason}; name models of that schema, or train"
    )


def carried_over(other: OtherSchema, models: ModelFolder) -> str:
    """Return the sentence by which results say that the models were trained on another schema."""
    conditions = [f"{kind}s by {o.where}" for kind, o in other.selection().items() if o.where]
    identified = f", and identified as {other.schema.name} says: {', '.join(conditions)}" if conditions else ""
    return (
        f"the models were trained on the schema {other.trained.name}, the sample has the schema {other.schema.name}: "
        f"{', '.join(models.features)} are canonical and made in the same way; objects are selected by pT and eta as "
        f"in the training{identified}"
    )
