"""The configuration of a program: each option of a program is a key of its YAML file and the reverse."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

from analysis.errors import near_names
from models.detectors.registry import ALL, known_detectors, settings_class
from models.detectors.settings import AutoencoderSettings
from models.thresholds import ThresholdRule
from rdf.faults import first_fault
from rdf.printable import shortened
from rdf.schema.tables import NONE, ChosenObjects, ChosenOverlaps, Cuts, Definitions, Name
from rdf.schema.triggers import Trigger
from rdf.schema.variations import VARIATIONS
from rdf.yaml_tables import TableError, parse_table

TRAIN_EVENTS = 100_000
"""Events that detectors are trained on, unless configured otherwise; more of them change little but the time."""

TRAIN_ON_HELP = "what detectors that need no labels learn from, where there are labels: "
CLUSTER_HELP = (
    "of --engine dask: local (default) or htcondor starts as many workers as --threads says; or the address of a "
    "scheduler that runs already, tcp://HOST:PORT"
)

ThresholdRules = dict[str, ThresholdRule]
"""Name of a detector -> how its threshold follows from the training scores."""


class AnalysisConfiguration(BaseModel):
    """What runs and evaluations have in common; the descriptions are the help texts of the options."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False)

    schema_name: str | None = Field(None, alias="schema", description="format of the file, for a sample that is a file")
    output: Path | None = Field(None, description="folder for the results (default: output/<sample>)")
    detectors: tuple[str, ...] | None = Field(
        None,
        description="detectors, separated by commas, or all (default: isolation_forest, autoencoder, one_class_svm, "
        "elliptic_envelope; in an evaluation decision_tree and mlp too)",
    )
    threads: int = Field(
        default_factory=lambda: len(os.sched_getaffinity(0)), ge=1, description="threads (default: all cores)"
    )
    max_events: int | None = Field(None, ge=1, description="number of events that are read at most, from the first on")
    models: Path | None = Field(None, description="models folder of an earlier run: score with it, train nothing")
    trust_models: bool = Field(
        False, description="accept models whose definitions are more than formulas: any C++ of whoever wrote them"
    )
    seed: int = Field(42, ge=0, lt=2**32, description="seed of all that is random")
    features: str | tuple[str, ...] | None = Field(
        None, description="feature set, or features separated by commas (default: what suits the schema)"
    )
    define: Definitions = Field(
        default_factory=dict, description="columns of your own, {name: C++ expression over canonical columns}"
    )
    objects: ChosenObjects = Field(
        default_factory=dict,
        description="which objects count, {jet: {pt: 30, eta: 2.4}} (default: the schema's), or none: all in the file",
    )
    overlap: ChosenOverlaps = Field(
        None,
        description="objects that are dropped near others, [{drop: jet, near: lepton, within: 0.4}] (default: the "
        "schema's, unless objects is none), or none",
    )
    select: Cuts = Field(
        default_factory=dict,
        description='cuts on events, {name: "mll > 60 && mll < 120", ...}; each cut is a line of the cutflow',
    )
    triggers: tuple[Trigger, ...] | None = Field(
        None,
        description="triggers A,B: events in which at least one of them has fired are used; * and ? are wildcards, "
        "and !C names a trigger that must not have fired; or none (default: the triggers of the sample file)",
    )
    filters: tuple[Name, ...] | None = Field(
        None, description="noise filters A,B: events that pass all of them are used, or none (default: the schema's)"
    )
    certified: str | None = Field(
        None,
        min_length=1,
        description="list of certified runs, a file or an address of JSON as CMS publishes it: events of other "
        "luminosity blocks are dropped (default: the sample's list)",
    )
    uncertified: bool = Field(
        False, description="go on without the sample's list of certified runs; every output says so"
    )
    weights: bool | None = Field(
        None,
        description="true or false: whether events count by their weights in histograms, cutflow and metrics (default: "
        "those of simulated samples do, where there are weights)",
    )
    luminosity: float | None = Field(
        None, gt=0, description="luminosity in 1/fb, of data or that weights are normalised to (default: the sample's)"
    )
    train_events: int | None = Field(
        TRAIN_EVENTS, ge=1, description="number of events to train on, drawn at random, or all (default: 100000)"
    )
    train_on: Literal["all", "background"] = Field("all", description=TRAIN_ON_HELP + "all (default) or background")
    threshold: ThresholdRules = Field(
        default_factory=dict,
        description="{contamination: 0.05}, {percentile: 95}, {sigma: 3} or {score: 0.5}; {weighted: true}, alone or "
        "beside these, lets events count by their weights; by detector: {mlp: {...}}",
    )
    autoencoder: AutoencoderSettings = Field(
        AutoencoderSettings(),
        description="preset denoising (default), dense or compact, or {preset: compact, latent: 3, ...}",
    )
    settings: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="settings of detectors of your own, {my_detector: {...}}"
    )

    @field_validator("output", "models", mode="before")
    @classmethod
    def _named_folder(cls, value: Any) -> Any:
        if value == "":
            raise ValueError("an empty path; name a folder")
        return value

    @field_validator("certified", mode="before")
    @classmethod
    def _named_list(cls, value: Any) -> Any:
        return str(value) if isinstance(value, Path) else value

    @field_validator("threads", "max_events", "seed", "train_events", "folds", mode="before", check_fields=False)
    @classmethod
    def _whole_number(cls, value: Any, info: ValidationInfo) -> Any:
        if info.field_name == "train_events" and value == "all":
            return None
        try:  # as text, so that `true` is no 1
            return None if value is None else int(str(value))
        except ValueError:
            raise ValueError(f"{value!r} is not a whole number") from None

    @field_validator("features", mode="before")
    @classmethod
    def _split_features(cls, value: Any) -> Any:
        if isinstance(value, str) and "," in value:
            return tuple(name.strip() for name in value.split(","))
        return value

    @field_validator("features")
    @classmethod
    def _several_features(cls, value: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        if value == "" or (isinstance(value, tuple) and (not value or len(set(value)) < len(value))):
            raise ValueError("name a feature set, or one feature or more, each once")
        return value

    @field_validator("define", "objects", "select", mode="before")
    @classmethod
    def _read_table(cls, value: Any, info: ValidationInfo) -> Any:
        is_none = value == NONE and info.field_name == "objects"
        return _as_table(value) if isinstance(value, str) and not is_none else value

    @field_validator("overlap", mode="before")
    @classmethod
    def _read_overlap(cls, value: Any) -> Any:
        form = "[{drop: jet, near: lepton, within: 0.4}, ...]"
        return _as_table(value, form) if isinstance(value, str) and value != NONE else value

    @field_validator("triggers", "filters", mode="before")
    @classmethod
    def _split_columns(cls, value: Any) -> Any:
        if value == NONE:
            return ()
        return tuple(name.strip() for name in value.split(",")) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _certified_or_not(self) -> Self:
        if self.certified and self.uncertified:
            raise ValueError("--certified names a list of certified runs, --uncertified goes on without one; choose")
        return self

    @field_validator("detectors", mode="before")
    @classmethod
    def _split_detectors(cls, value: Any) -> Any:
        return tuple(name.strip() for name in value.split(",")) if isinstance(value, str) else value

    @field_validator("detectors")
    @classmethod
    def _known_detectors(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if value in (None, ALL):
            return value
        for name in value:
            if name not in known_detectors():
                raise ValueError(f"unknown detector {name!r}; {near_names(name, known_detectors())}")
        if not value or len(set(value)) < len(value):
            raise ValueError("name each detector once, and at least one")
        return value

    @field_validator("threshold", mode="before")
    @classmethod
    def _read_threshold(cls, value: Any) -> Any:
        value = _as_table(value) if isinstance(value, str) else value
        if not isinstance(value, Mapping):
            return value
        known = (*ThresholdRule.model_fields, *known_detectors())
        for name in value:
            if name not in known:
                raise ValueError(f"unknown detector or rule {name!r}; {near_names(str(name), known)}")
        for_all = value.keys() & ThresholdRule.model_fields.keys()
        if for_all and len(for_all) < len(value):
            raise ValueError("give either one rule for all detectors, or a rule for each; not both")
        return dict.fromkeys(known_detectors(), value) if for_all else value

    @field_validator("autoencoder", mode="before")
    @classmethod
    def _read_autoencoder(cls, value: Any) -> Any:
        return _as_table(value) if isinstance(value, str) and value.lstrip().startswith("{") else value

    @field_validator("settings", mode="before")
    @classmethod
    def _read_settings(cls, value: Any) -> Any:
        return _as_table(value) if isinstance(value, str) else value

    @field_validator("settings")
    @classmethod
    def _fitting_settings(cls, value: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        checked = {}
        for name, settings in value.items():
            if name in cls.model_fields:
                raise ValueError(f"{name} has an option of its own, --{name}")
            if name not in known_detectors():
                raise ValueError(f"unknown detector {name!r}; {near_names(name, known_detectors())}")
            kind = settings_class(name)
            for key in settings:
                if key not in kind.model_fields:
                    has = near_names(key, kind.model_fields) if kind.model_fields else "it has no settings"
                    raise ValueError(f"{name}: unknown key {key!r}; {has}")
            try:
                checked[name] = kind.model_validate(settings).model_dump()
            except ValidationError as error:
                fault = first_fault(error)
                raise ValueError(f"{'.'.join((name, *fault.place))}: {fault.reason}") from None
        return checked

    def detector_settings(self) -> dict[str, BaseModel]:
        """Return the settings of the detectors that have any, by name."""
        with_option = {name: getattr(self, name) for name in known_detectors() if name in type(self).model_fields}
        return with_option | {name: settings_class(name)(**settings) for name, settings in self.settings.items()}


class RunConfiguration(AnalysisConfiguration):
    """What a run does."""

    sample: str = Field(
        description="name of a sample of the catalogue, or a file, a folder, a pattern or a list (with --schema)"
    )
    entries: tuple[int, int] | None = Field(None, description="read entries A to B-1 only; for batch jobs")
    folds: int = Field(1, ge=1, le=10, description="2: each event is scored by models that have not seen it")
    vary: dict[str, float] = Field(
        default_factory=dict, description="systematic variations up and down: jes, lepton, met, or {jes: 0.02}"
    )
    engine: Literal["local", "dask"] = Field(
        "local", description="where events are processed: local (default), or dask: worker processes, see --cluster"
    )
    cluster: str = Field("local", description=CLUSTER_HELP)
    skim: bool = Field(
        False, description="write all branches of the flagged events to skim.root, as a tree like the sample's"
    )
    friend: bool = Field(
        False,
        description="write the scores of all entries, in the order of the sample, to scores.root: a friend of its tree",
    )
    plan: str | None = Field(
        None, min_length=1, description="for batch jobs: the plan that this part belongs to, noted in run.json"
    )
    trusted_sha256: str | None = Field(
        None, min_length=1, description="for batch jobs: checksum of the models that were trusted at submission"
    )
    allow_simulated: bool = Field(False, description="run on simulated events where the sample cannot be had")

    @field_validator("vary", mode="before")
    @classmethod
    def _read_variations(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = _as_table(value) if value.lstrip().startswith("{") else [n.strip() for n in value.split(",")]
        if isinstance(value, Mapping) or value is None:
            return value or {}
        if not (isinstance(value, list) and all(isinstance(name, str) for name in value)):
            raise ValueError(f"{value!r} is no list of names; write jes,met or {{jes: 0.02}}")
        if len(set(value)) < len(value):
            raise ValueError("name each variation once")
        return {name: VARIATIONS[name].size if name in VARIATIONS else 0.1 for name in value}

    @field_validator("vary")
    @classmethod
    def _known_variations(cls, value: dict[str, float]) -> dict[str, float]:
        for name, size in value.items():
            if name not in VARIATIONS:
                raise ValueError(f"unknown variation {name!r}; {near_names(name, VARIATIONS)}")
            if not 0 < size < 1:
                raise ValueError(f"{name}: {size} is no relative size between 0 and 1")
        return value

    @model_validator(mode="after")
    def _check_engine(self) -> Self:
        if self.engine == "local":
            if self.cluster != "local":
                raise ValueError(f"--cluster {self.cluster} is for --engine dask; add it")
        elif self.entries or self.max_events:
            raise ValueError("--engine dask reads all events; leave out --entries and --max-events")
        elif self.skim or self.friend:
            raise ValueError(
                "--engine dask does not know the places of events in the sample; leave out --skim and --friend, or use "
                "python -m condor"
            )
        return self

    @field_validator("entries", mode="before")
    @classmethod
    def _split_entries(cls, value: Any) -> Any:
        if isinstance(value, str):
            first, separator, last = value.partition(":")
            if not (separator and first.isdecimal() and last.isdecimal()):
                raise ValueError(f"{value!r} is not of the form A:B with whole numbers")
            return int(first), int(last)
        return value

    @field_validator("entries")
    @classmethod
    def _ordered_entries(cls, value: tuple[int, int] | None) -> tuple[int, int] | None:
        if value and not 0 <= value[0] < value[1]:
            raise ValueError(f"{value[0]}:{value[1]} is empty; A must be less than B")
        return value


class EvaluationConfiguration(AnalysisConfiguration):
    """What an evaluation does: it has `sample`, with labels, or both `background` and `signal`."""

    sample: str | None = Field(None, description="sample with labels: of the catalogue, or a file (then with --schema)")
    background: str | None = Field(None, description="sample whose events are all background, with --signal")
    signal: str | None = Field(None, description="sample whose events are all signal, with --background")
    train_on: Literal["all", "background"] = Field(
        "background", description=TRAIN_ON_HELP + "background (default) or all"
    )

    @model_validator(mode="after")
    def _check_samples(self) -> Self:
        pair = (self.background, self.signal)
        if (self.sample is None) != (None not in pair) or (self.sample and pair != (None, None)):
            raise ValueError("name either one sample with labels (sample), or both background and signal")
        return self


class WatchConfiguration(AnalysisConfiguration):
    """What a watch does: it has a `folder`, or a sample to `replay` and its `rate`."""

    models: Path = Field(description="models folder of an earlier run, which scores")
    schema_name: str | None = Field(
        None, alias="schema", description="format of the files (default: that of the models' training sample)"
    )
    output: Path | None = Field(None, description="folder for the results (default: output/<name of DIR>)")
    detectors: tuple[str, ...] | None = Field(None, description="detectors, separated by commas (default: all)")
    settle: float = Field(
        1.0, ge=0, le=3600, description="seconds without a change after which a file is read (default: 1)"
    )
    replay: str | None = Field(None, description="in place of DIR: a sample, or a file, whose events come at --rate")
    rate: float | None = Field(None, gt=0, le=1e9, description="events a second of --replay")
    folder: Path | None = Field(None, exclude=True)
    max_events: None = Field(None, exclude=True)

    @field_validator("folder", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if value == "":
            raise ValueError("an empty path; name a folder")
        return value

    @model_validator(mode="before")
    @classmethod
    def _with_models(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("models") is None:
            raise ValueError("a watch only scores; name models with --models (analysis.run trains them)")
        return values

    @model_validator(mode="after")
    def _check_origin(self) -> Self:
        if (self.folder is None) == (self.replay is None):
            raise ValueError("name either the folder to watch, or a sample with --replay")
        if (self.replay is None) != (self.rate is None):
            raise ValueError("--replay and --rate go together")
        return self


def _as_table(text: str, form: str = "{name: value, ...}") -> Any:
    """Read a table, or a list, from the command line, which is written as in the YAML file."""
    wrong = f"{shortened(text)!r} is not of the form {form}"
    try:
        table = parse_table(text)
    except TableError as error:
        raise ValueError(f"{wrong} ({error.problem}); put an expression in quotes") from error
    if not isinstance(table, list if form.startswith("[") else dict):
        raise ValueError(wrong)
    return table
