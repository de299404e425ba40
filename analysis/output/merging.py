"""Parts of a sample, each an output folder of a run over some of its entries, become what one run over all would leave.

Parts whose entries adjoin make a part again: a merge of merges is a merge.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from analysis.console.program import error_console
from analysis.console.progress import progress_bar
from analysis.errors import DamagedPart
from analysis.output.checksums import merged_file
from analysis.output.entries import join_entries
from analysis.output.findings import TOP_EVENTS, agreement, means, variations, weighted_cutflow
from analysis.output.folder import OTHER_RESULTS_BYTES, check_room, staged_output, write_checksums, write_record
from analysis.output.objects import DISPLAYED, write_objects
from analysis.output.parts import REMEDY, Part, check_parts
from analysis.output.provenance import machine
from analysis.output.sanity import sanity_warnings
from models.folder import ModelFolder, copy_model_folder, read_model_folder
from plotting.errors import UnreadableResult
from plotting.results.objects import OBJECTS_JSON, EventObjects, event_table, read_objects
from plotting.results.record_tables import Counts, Figures, File, Merged
from plotting.results.root_file import EVENTS_ROOT, HISTOGRAMS_ROOT, SCORES_ROOT, SKIM_ROOT
from plotting.results.run_record import RUN_JSON, RunRecord, as_table
from plotting.results.tables import (
    ANOMALIES_CSV,
    AnomalyColumns,
    AnomalyRow,
    read_anomaly_rows,
    write_anomaly_rows,
)
from rdf.errors import NoEvents
from rdf.graph.anomaly_order import anomaly_key, anomaly_order
from rdf.schema.tables import FINITE


def merge_parts(
    parts: Sequence[Path],
    output: Path,
    command: str,
    entries: tuple[int, int] | None = None,
    plan: str | None = None,
    as_part: bool = False,
) -> None:
    """Put parts of a sample together, and leave in `output` what one run over all their entries would have left.

    Events (but for their order), histograms with their errors and numbers of entries, anomalies.csv and objects.json
    are the same to the last bit. Figures are not drawn.

    Args:
        parts: output folders of runs with the same models, whose entries adjoin; in any order.
        output: folder for the results.
        command: recorded in run.json.
        entries: of the sample, half-open, that the parts together ought to hold; None if any will do.
        plan: that they ought to belong to; None if any one will do.
        as_part: leave a part again, which can be merged with others, and not the result of a run.

    Raises:
        NoEvents: the result has no event.
        DamagedPart: a part is missing or not whole, or does not belong to the others; names it, and what is wrong.
        OutputFolderError: the output folder cannot be written.
    """
    checked = check_parts(parts, entries, plan)
    with staged_output(output) as staging:
        write_merged(checked, staging, output, command, as_part)


def write_merged(parts: Sequence[Part], staging: Path, output: Path, command: str, as_part: bool) -> None:
    """Write what parts are together.

    Args:
        parts: checked, in the order of their entries.
        staging: folder to write to.
        output: folder that this will be moved to.
        command: recorded in run.json.
        as_part: leave a part again.

    Raises:
        NoEvents, DamagedPart, OutputFolderError: as `merge_parts` says.
    """
    copied = [part.folder / name for part in parts for name in (EVENTS_ROOT, SKIM_ROOT, SCORES_ROOT)]
    check_room(staging, sum(file.stat().st_size for file in copied if file.is_file()) + OTHER_RESULTS_BYTES)
    record = _merged_record(parts, output, command)
    folder = parts[0].folder / "models"
    models = read_model_folder(folder)
    copy_model_folder(models, folder, staging / "models")
    if not record.counts.selected and not as_part:
        raise NoEvents(f"{output}: no event {_missed(record)} in any part; check the sample")
    record = _merge_root_files(parts, staging, record, models, as_part)
    _merge_anomalies(parts, staging, record.ensemble)
    _merge_objects(parts, staging, record.ensemble)
    write_record(staging, record)
    write_checksums(staging)


def _missed(record: RunRecord) -> str:
    """Say what no event of a result has done."""
    cut = next((cut.name for cut in record.cutflow if not cut.events), FINITE)
    return "has finite features" if cut == FINITE else f"passes the cut {cut!r}"


def _merged_record(parts: Sequence[Part], output: Path, command: str) -> RunRecord:
    """Return run.json, but for what follows from the histograms."""
    records = [part.record for part in parts]
    first = records[0]
    entries = (parts[0].entries[0], parts[-1].entries[1])
    timings = _sums(record.timings for record in records)
    counts = Counts(**_totals(as_table(record.counts) for record in records))
    loop = timings["scoring_loop"]
    return replace(
        first,
        command=command,
        configuration={**first.configuration, "output": str(output), "entries": entries},
        started=min(record.started for record in records),
        machine=machine(),
        sample=replace(first.sample, files=_files(parts)),
        threads=max(record.threads for record in records),
        entries=entries,
        figures=Figures(),
        merged=Merged(parts=sum(record.merged.parts if record.merged else 1 for record in records)),
        cutflow=tuple(
            replace(cut, events=sum(record.cutflow[i].events for record in records))
            for i, cut in enumerate(first.cutflow)
        ),
        non_finite=_totals(record.non_finite for record in records),
        counts=counts,
        detectors={
            name: replace(
                detector,
                flagged=sum(record.detectors[name].flagged for record in records),
                parity=max(record.detectors[name].parity for record in records),
            )
            for name, detector in first.detectors.items()
        },
        events_per_second=round(counts.processed / loop) if loop else None,
        loop_seconds=_sums(record.loop_seconds for record in records),
        timings=timings,
    )


def _totals(tables: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Add up counts by their names."""
    total: dict[str, int] = {}
    for table in tables:
        for name, number in table.items():
            total[name] = total.get(name, 0) + number
    return total


def _sums(tables: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Add up seconds by the names of the stages, to the microsecond."""
    total: dict[str, float] = {}
    for table in tables:
        for name, number in table.items():
            total[name] = round(total.get(name, 0) + number, 6)
    return total


def _files(parts: Sequence[Part]) -> tuple[File, ...]:
    """Return the files that the parts were made of, each once; neighbours may have shared one."""
    files: dict[str, File] = {}
    for part in parts:
        for file in part.record.sample.files:
            same = merged_file(files.setdefault(file.path, file), file)
            if same is None:
                raise DamagedPart(f"part {part.folder} was made of another {file.path} than the others; {REMEDY}")
            files[file.path] = same
    return tuple(files.values())


def _merge_root_files(
    parts: Sequence[Part], staging: Path, record: RunRecord, models: ModelFolder, as_part: bool
) -> RunRecord:
    """Write events.root and histograms.root, and return run.json with what follows from the histograms."""
    from rdf.errors import ExecutionError, SourceError
    from rdf.graph.histograms import complete, remainders, write_histograms
    from rdf.graph.merging import add_histograms, concatenate_events
    from rdf.provenance import Provenance

    origin = {"sample": as_table(record.sample), "commit": as_table(record.commit)}
    provenance = Provenance(json.dumps(origin), record.sample.simulated, record.sample.uncertified)
    try:
        rows = concatenate_events([part.folder / EVENTS_ROOT for part in parts], staging / EVENTS_ROOT, provenance)
        with progress_bar(error_console(), "adding histograms", "parts") as move:
            total = add_histograms([part.folder / HISTOGRAMS_ROOT for part in parts], move)
    except (SourceError, ExecutionError) as error:
        raise DamagedPart(f"parts that do not fit together: {error}") from error
    for part, events in zip(parts, rows, strict=True):
        selected = part.record.counts.selected
        if events != selected:
            raise DamagedPart(
                f"part {part.folder}: {EVENTS_ROOT} holds {events} events, {RUN_JSON} says {selected}; {REMEDY}"
            )
    folders = [part.folder for part in parts]
    join_entries(folders, staging, provenance, record.counts.anomalous, record.entries)
    filled = complete(total)
    kept = remainders(total) if as_part else {}
    write_histograms(staging / HISTOGRAMS_ROOT, filled | kept, provenance)
    names = tuple(record.detectors)
    sizes = {name: varied.size for name, varied in record.variations.items()}
    titles = {column.name: column.title for column in (*record.features, *record.observables)}
    sane = sanity_warnings(
        record.counts, record.cutflow, record.non_finite, models, titles | {"weight": "weight"}, filled
    )
    return replace(
        record,
        warnings=(*(warning for warning in record.warnings if warning.kind == "schema"), *sane),
        cutflow=weighted_cutflow(record.cutflow, filled) if record.weights else record.cutflow,
        agreement=agreement(filled, names),
        variations=variations(filled, sizes, names, record.min_votes),
        means=means(filled, [feature.name for feature in record.features]),
    )


def _merge_anomalies(parts: Sequence[Part], staging: Path, ensemble: Sequence[str]) -> None:
    """Write the most anomalous events of all parts, in the order in which one run would have written them."""
    columns: AnomalyColumns | None = None
    rows: list[AnomalyRow] = []
    for part in parts:
        found, part_rows = read_anomaly_rows(part.folder)
        if columns not in (None, found):
            raise DamagedPart(f"part {part.folder}: {ANOMALIES_CSV} has other columns than the others; {REMEDY}")
        columns = found
        rows += part_rows
        if len(rows) > _HELD:
            rows = _most_anomalous(columns, rows, ensemble)
    if columns is not None:
        write_anomaly_rows(staging, columns, _most_anomalous(columns, rows, ensemble))


_HELD = 20 * TOP_EVENTS
"""Rows of anomalies.csv that are held in memory, about."""


def _most_anomalous(columns: AnomalyColumns, rows: Sequence[AnomalyRow], ensemble: Sequence[str]) -> list[AnomalyRow]:
    """Return the most anomalous of some rows, most anomalous first."""
    if not rows:
        return []
    ids = np.array([row.ids for row in rows], dtype=np.uint64)
    values = np.array([row.values for row in rows]).astype(np.float32)
    scores = values[:, [columns.values.index(name) for name in _compared_scores(ensemble)]]
    return [rows[i] for i in anomaly_order(scores, ids, values)[:TOP_EVENTS]]


def _compared_scores(ensemble: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of the scores by which events are compared."""
    return "score_ensemble", *(f"score_{name}" for name in ensemble)


def _merge_objects(parts: Sequence[Part], staging: Path, ensemble: Sequence[str]) -> None:
    """Write the objects of the most anomalous events of all parts, where a sample has objects."""
    has = [(part.folder / OBJECTS_JSON).is_file() for part in parts]
    if not any(has):
        return
    if not all(has):
        lacks = parts[has.index(False)].folder
        raise DamagedPart(f"part {lacks}: has no {OBJECTS_JSON}, which other parts have; {REMEDY}")
    key = _compared_scores(ensemble)

    def order(event: EventObjects) -> tuple[Any, ...]:
        rest = json.dumps(event_table(replace(event, place=0)))  # whatever its place in its part
        return anomaly_key([event.scores[name] for name in key], event.ids, rest)

    events: list[EventObjects] = []
    for part in parts:
        try:
            found = read_objects(part.folder / OBJECTS_JSON, REMEDY)
        except UnreadableResult as error:
            raise DamagedPart(f"part {part.folder}: {error}") from error
        events = sorted([*events, *found], key=order)
        del events[DISPLAYED:]
    write_objects(staging, events)
