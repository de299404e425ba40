"""run.json: what a run or an evaluation did and found, as types. The file is written and read here, and nowhere else.

A key whose default is None stands in the file only where it has a value; all other keys are always there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from plotting.errors import PlottingError, UnreadableResult
from plotting.results.record_tables import (
    MEANING,
    Agreement,
    Commit,
    Counts,
    Cut,
    DaskEngine,
    Figures,
    History,
    LocalEngine,
    Machine,
    Mean,
    Merged,
    Quantity,
    Reconstruction,
    RecordedWarning,
    Sample,
    SampleHeader,
    ScoringDetector,
    Table,
    TestedDetector,
    TestedSample,
    Training,
    Variation,
    Weights,
)

if TYPE_CHECKING:
    from pydantic import TypeAdapter

RUN_JSON = "run.json"
FORMAT: Literal[2] = 2
"""Number of the format; a file without one is of a version of the toolkit that had no number yet."""

NEWER = "a newer version of the toolkit is needed"
"""Remedy for a file of a format of the future."""


class UnfitRecord(PlottingError):
    """A text is no run.json of this format.

    Attributes:
        reason: what is wrong, after the name of the file.
        remedy: what to do; None where the run has to be repeated.
    """

    def __init__(self, reason: str, remedy: str | None = None) -> None:
        """Say what is wrong."""
        super().__init__(reason)
        self.reason, self.remedy = reason, remedy


@dataclass(frozen=True, kw_only=True)
class Origin(Table):
    """What was asked for, when, and of what.

    Attributes:
        format: number of the format of the file.
        command: that started the program.
        configuration: every option with its value, as JSON has it.
        started: time in UTC, as ISO 8601 writes it.
        versions: of Python and of the libraries.
        commit: of the toolkit; None outside a git checkout.
        machine: that the program ran on.
    """

    format: Literal[2] = FORMAT
    command: str
    configuration: dict[str, Any]
    started: str
    versions: dict[str, str]
    commit: Commit | None
    machine: Machine


@dataclass(frozen=True, kw_only=True)
class Findings(Table):
    """What a run and an evaluation both find.

    Attributes:
        training: of the detectors.
        threads: of an event loop.
        warnings: what of the schema does not hold for the sample, and what is not sane.
        features: that the detectors learned from.
        ensemble: names of the detectors that vote.
        min_votes: that flag an event.
        left_out_detectors: that were to be trained and could not be, with the reasons.
        history: of each training in epochs, by detector; one for each fold.
        reconstruction: of each detector that reconstructs events; one for each fold.
    """

    training: Training
    threads: int
    warnings: tuple[RecordedWarning, ...]
    features: tuple[Quantity, ...]
    ensemble: tuple[str, ...]
    min_votes: int
    left_out_detectors: dict[str, str]
    history: dict[str, tuple[History, ...]]
    reconstruction: dict[str, tuple[Reconstruction, ...]]


@dataclass(frozen=True, kw_only=True)
class RunFindings(Findings):
    """What a run finds.

    Attributes:
        sample: the sample that was read.
        engine: of the event loops.
        entries: of the sample that were read, half-open.
        plan: of the batch that the run is a part of, or None.
        models_sha256: of models.json.
        merged: says that the result was put together from parts; None for that of one run.
        observables: columns that are recorded beside the features.
        left_out: columns of the feature set that the sample does not have.
        objects: which objects counted, by kind.
        overlap: which of these were dropped near others, step by step; None in records of earlier versions.
        define: columns of the user's own, as configured.
        cutflow: the selection.
        cuts: name of each cut on events by columns -> its expression.
        non_finite: events in which a feature is not finite, by feature.
        counts: of the events.
        detectors: by name; agreement: of the detectors.
        variations: by the name of the scale; means: by feature.
        events_per_second: in the scoring loop; None where it took no time; loop_seconds: summed over threads.
        compiled_by: name and version of the compiler.
        meaning: what a flag means; weights: how events are weighted, None where each counts as one.
    """

    sample: Sample
    engine: LocalEngine | DaskEngine
    entries: tuple[int, int]
    plan: str | None
    models_sha256: str
    merged: Merged | None
    observables: tuple[Quantity, ...]
    left_out: tuple[str, ...]
    objects: dict[str, dict[str, Any]]
    define: dict[str, dict[str, Any]]
    cutflow: tuple[Cut, ...]
    non_finite: dict[str, int]
    counts: Counts
    detectors: dict[str, ScoringDetector]
    agreement: Agreement
    variations: dict[str, Variation]
    means: dict[str, Mean]
    events_per_second: int | None
    loop_seconds: dict[str, float]
    compiled_by: str
    cuts: dict[str, str] = field(default_factory=dict)
    meaning: str = MEANING
    overlap: tuple[dict[str, Any], ...] | None = None
    weights: Weights | None = None


@dataclass(frozen=True, kw_only=True)
class EvaluationFindings(Findings):
    """What an evaluation finds beside its metrics.

    Attributes:
        sample: that was evaluated, or a header for two that were.
        samples: the samples that were evaluated.
        part: C++ condition that the events had to fulfil beyond the cuts; None for all events.
        detectors: by name.
    """

    sample: Sample | SampleHeader
    samples: tuple[TestedSample, ...]
    part: str | None
    detectors: dict[str, TestedDetector]


@dataclass(frozen=True, kw_only=True)
class Ending(Table):
    """What is known at the end.

    Attributes:
        latent: for each set of points in latent.csv, the fractions of the variance that PCA's axes carry.
        figures: the figures that were drawn.
        timings: seconds of each stage, and their total.
    """

    latent: dict[str, tuple[float, ...]]
    figures: Figures
    timings: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class RunRecord(Ending, RunFindings, Origin):
    """run.json of a run."""

    @classmethod
    def of(cls, origin: Origin, findings: RunFindings, ending: Ending) -> RunRecord:
        """Return the record of these pieces."""
        return cls(**_values(origin), **_values(findings), **_values(ending))


@dataclass(frozen=True, kw_only=True)
class EvaluationRecord(Ending, EvaluationFindings, Origin):
    """run.json of an evaluation."""

    @classmethod
    def of(cls, origin: Origin, findings: EvaluationFindings, ending: Ending) -> EvaluationRecord:
        """Return the record of these pieces."""
        return cls(**_values(origin), **_values(findings), **_values(ending))


AnyRecord: TypeAlias = RunRecord | EvaluationRecord


def _values(table: Any) -> dict[str, Any]:
    return {each.name: getattr(table, each.name) for each in fields(table)}


def as_table(value: Any) -> Any:
    """Return what stands in the file for a record, or for a part of one: tables, lists, texts and numbers."""
    if is_dataclass(value) and not isinstance(value, type):
        given = ((each, getattr(value, each.name)) for each in fields(value))
        return {each.name: as_table(it) for each, it in given if not (it is None and each.default is None)}
    if isinstance(value, Mapping):
        return {name: as_table(it) for name, it in value.items()}
    return [as_table(it) for it in value] if isinstance(value, list | tuple) else value


def record_text(record: AnyRecord) -> str:
    """Return the text of run.json."""
    return json.dumps(as_table(record), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def parse_record(text: bytes) -> AnyRecord:
    """Return what a run.json says; an evaluation's names the `samples` that were tested.

    Raises:
        UnfitRecord: the text is not of this format.
    """
    from pydantic import ValidationError

    from rdf.faults import first_fault

    table = _table(text)
    if table is None:
        raise UnfitRecord("is truncated or no table in JSON")
    if "format" not in table:
        raise UnfitRecord("has no number of a format: an earlier version of the toolkit wrote it")
    if table["format"] != FORMAT:
        newer = isinstance(table["format"], int) and table["format"] > FORMAT
        raise UnfitRecord(
            f"is of format {table['format']!a}, where this version of the toolkit reads format {FORMAT}",
            NEWER if newer else None,
        )
    try:
        record = _reader("samples" in table).validate_json(text)
    except ValidationError as error:
        fault = first_fault(error)
        if fault.kind in ("missing", "missing_argument"):
            raise UnfitRecord(f"has no {fault.key!r}, so no run of this version left it") from error
        raise UnfitRecord(f"has another form at {fault.key} ({fault.reason})") from error
    if isinstance(record, RunRecord) and (contradiction := _contradiction(record)):
        raise UnfitRecord(f"contradicts itself: {contradiction}")
    return record


def _contradiction(record: RunRecord) -> str | None:
    """Say which table of a run lacks a detector or a feature that another one has; None if none does."""
    for name in record.ensemble:
        if name not in record.detectors:
            return f"ensemble has {name}, which is none of its detectors"
    tables: dict[str, Mapping[str, object]] = {"agreement": record.agreement.flagged}
    tables |= {f"agreement of {name}": row for name, row in record.agreement.flagged.items()}
    for name, varied in record.variations.items():
        sides = {"up": varied.up, "nominal": varied.nominal, "down": varied.down}
        tables |= {f"variations of {name} {side}": counts.flagged for side, counts in sides.items()}
    for where, table in tables.items():
        for name in record.detectors:
            if name not in table:
                return f"{where} has no {name}"
    for feature in record.features:
        if feature.name not in record.means:
            return f"means has no {feature.name}"
    return None


@cache
def _reader(is_evaluation: bool) -> TypeAdapter[AnyRecord]:
    from pydantic import TypeAdapter

    return TypeAdapter(EvaluationRecord if is_evaluation else RunRecord)


def _table(text: bytes) -> dict[str, Any] | None:
    try:
        table = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return table if isinstance(table, dict) else None


def read_record(path: Path, remedy: str) -> AnyRecord:
    """Read the run.json of a run or an evaluation.

    Args:
        path: of the file.
        remedy: for the messages of errors.

    Raises:
        UnreadableResult: the file cannot be read, or is not of this format; names it, and what to do.
    """
    try:
        return parse_record(path.read_bytes())
    except OSError as error:
        raise UnreadableResult(f"{path}: cannot be read ({error.strerror}); {remedy}") from error
    except UnfitRecord as error:
        raise UnreadableResult(f"{path}: {error.reason}; {error.remedy or remedy}") from error


def read_run_record(path: Path, remedy: str) -> RunRecord:
    """Read the run.json of a run.

    Args:
        path: of the file.
        remedy: for the messages of errors.

    Raises:
        UnreadableResult: as `read_record` says, or it is that of an evaluation.
    """
    record = read_record(path, remedy)
    if isinstance(record, EvaluationRecord):
        raise UnreadableResult(f"{path}: is that of an evaluation, not of a run; {remedy}")
    return record


def read_evaluation_record(path: Path, remedy: str) -> EvaluationRecord:
    """Read the run.json of an evaluation.

    Args:
        path: of the file.
        remedy: for the messages of errors.

    Raises:
        UnreadableResult: as `read_record` says, or it is that of a run.
    """
    record = read_record(path, remedy)
    if isinstance(record, RunRecord):
        raise UnreadableResult(f"{path}: is that of a run, not of an evaluation; {remedy}")
    return record


_EVERY = {"command", "configuration", "started", "versions", "machine"}
"""Keys of the run.json of every version of the toolkit."""


@dataclass(frozen=True)
class AnyVersion:
    """What is known of a run.json whatever version of the toolkit wrote it.

    Attributes:
        listed: whether a list of what was drawn was left beside it.
        features: names; empty where the file does not say.
        observables: likewise.
        detectors: likewise.
    """

    listed: bool
    features: tuple[str, ...]
    observables: tuple[str, ...]
    detectors: tuple[str, ...]


def recognise(path: Path) -> AnyVersion | None:
    """Return what a run.json of any version says; None where it is none that this toolkit wrote."""
    try:
        table = _table(path.read_bytes())
    except OSError:
        return None
    if table is None or not table.keys() >= _EVERY:
        return None

    def names(key: str) -> tuple[str, ...]:
        found = table.get(key)
        if isinstance(found, dict):
            return tuple(found)
        return tuple(it["name"] for it in found if isinstance(it, dict) and "name" in it) if found else ()

    return AnyVersion("figures" in table, names("features"), names("observables"), names("detectors"))
