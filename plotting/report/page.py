"""report.html: what a run or an evaluation found, on one page that needs nothing else."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from plotting.errors import UnreadableResult
from plotting.pages import template_environment, write_page
from plotting.report.captions import Findings, describe_figure, feature_title, thresholds, votes_needed
from plotting.report.inline import InlineFigure, inline_figures
from plotting.report.top_events import TopEvent, read_top_events
from plotting.results.checksums import check_results
from plotting.results.record_tables import DaskEngine, Mean
from plotting.results.records import check_files, checked_keys, read_json
from plotting.results.run_record import (
    RUN_JSON,
    AnyRecord,
    EvaluationRecord,
    RunRecord,
    as_table,
    read_evaluation_record,
    read_run_record,
)
from plotting.results.tables import read_contributions
from plotting.style.markup import metric_text, number_markup, quantity_markup, share_text, title_markup
from plotting.style.wording import capitalised, count_text, words

REPORT = "report.html"
METRICS = "metrics.json"

_MEANS = 8  # features whose means are compared in the summary
_RUN_REMEDY = "repeat the run that wrote it (python -m analysis.run)"
_EVALUATION_REMEDY = "repeat the evaluation that wrote it (python -m analysis.evaluate)"

# Sections of the page in their order, each with its heading and the keys of the record that it has a table for.
_RUN_SECTIONS = {
    "selection": ("Selection", ("cutflow",)),
    "detectors": ("Detectors", ("detectors",)),
    "events": ("Most anomalous events", ()),
    "features": ("Features", ("means",)),
    "planes": ("Planes", ()),
    "variations": ("Systematic variations", ("variations",)),
    "training": ("Training", ("training",)),
    "more": ("More figures", ()),
    "timing": ("Timing", ("timings",)),
    "provenance": ("Provenance", ("command",)),
}
_EVALUATION_SECTIONS = {
    "performance": ("Performance", ("metrics",)),
    "scores": ("Scores", ()),
    "selection": ("Selection", ("samples",)),
    "training": ("Training", ("training",)),
    "more": ("More figures", ()),
    "timing": ("Timing", ("timings",)),
    "provenance": ("Provenance", ("command",)),
}


@dataclass(frozen=True)
class Illustration:
    """A figure with what stands under it."""

    figure: InlineFigure
    title: Markup
    numbers: Markup


@dataclass(frozen=True)
class Section:
    """A section of the page: its name, its heading, and its figures; what else is in it its template knows."""

    name: str
    title: str
    illustrations: Sequence[Illustration]


def write_report(folder: Path, failed: Mapping[str, str] | None = None) -> Path:
    """Write `folder`/report.html from what a run or an evaluation left there; figures that are not there are left out.

    Args:
        folder: of a run, with `run.json`, or of an evaluation, with `metrics.json`, too.
        failed: names of figures that could not be drawn, each with the reason; the page says so.

    Returns:
        The path of the report, which appears under this name only when it is whole.

    Raises:
        MissingResult: the folder or its run.json is not there.
        UnreadableResult: a file is truncated or not what its name says.
        PageFolderError: the report cannot be written.
    """
    return write_page(folder / REPORT, render_report(folder, failed or {}))


def render_report(folder: Path, failed: Mapping[str, str]) -> str:
    """Return the page, as `write_report` writes it."""
    is_evaluation = (folder / METRICS).exists()
    remedy = _EVALUATION_REMEDY if is_evaluation else _RUN_REMEDY
    check_files(folder, (RUN_JSON,), remedy)
    check_results(folder, (RUN_JSON, METRICS, "anomalies.csv", "objects.json"), remedy)
    read = read_evaluation_record if is_evaluation else read_run_record
    record = read(folder / RUN_JSON, remedy)
    metrics = read_json(folder / METRICS, remedy) if is_evaluation else {}
    images = inline_figures(sorted((folder / "figures").glob("*.png")))
    with checked_keys(folder / METRICS, remedy):
        features = [feature.name for feature in record.features]
        contributions = read_contributions(folder / "anomalies.csv", tuple(record.detectors), features, remedy)
        table = as_table(record)  # for captions
        findings = Findings(table, metrics, contributions)
        events = read_top_events(folder, record, remedy)
        displays = {event.place: images.pop(f"display_{event.place}", None) for event in events}
        sampled = record.samples if isinstance(record, EvaluationRecord) else (record.sample,)
        sections = _sections(findings, images, events)
        try:
            return (
                _environment(record, table)
                .get_template("report.html")
                .render(
                    run=record,
                    metrics=metrics,
                    sections=sections,
                    events=events,
                    failed=failed,
                    displays=displays,
                    files=[file for sample in sampled for file in sample.files],
                    different=_different_means(record.means) if isinstance(record, RunRecord) else [],
                    best=_best_detector(metrics),
                    configuration=dict(_flattened(record.configuration)),
                    seed=record.configuration.get("seed"),
                )
            )
        except jinja2.UndefinedError as error:
            raise UnreadableResult(f"{folder / RUN_JSON}: lacks a key ({error}); {remedy}") from error


def _sections(findings: Findings, images: Mapping[str, InlineFigure], events: Sequence[TopEvent]) -> list[Section]:
    """Return the sections that there is something for, with their figures in the order of their kinds."""
    illustrations: dict[str, list[tuple[tuple[int, ...], Illustration]]] = {}
    for name, figure in images.items():
        text = describe_figure(name, findings)
        illustrations.setdefault(text.section, []).append((text.order, Illustration(figure, text.title, text.numbers)))
    present = {key for key, value in findings.record.items() if value} | ({"metrics"} if findings.metrics else set())
    filled = {"events"} if events else set()
    sections = []
    for name, (title, keys) in (_EVALUATION_SECTIONS if findings.metrics else _RUN_SECTIONS).items():
        ordered = [shown for _, shown in sorted(illustrations.get(name, ()), key=lambda pair: pair[0])]
        if ordered or name in filled or (present.issuperset(keys) and keys):
            sections.append(Section(name, title, ordered))
    return sections


def _different_means(means: Mapping[str, Mean]) -> list[str]:
    """Return the features whose means differ most, those with the ratio farthest from 1 first."""
    known = {name: mean.ratio for name, mean in means.items() if mean.ratio}
    return sorted(known, key=lambda name: abs(math.log(known[name])), reverse=True)[:_MEANS]


def _best_detector(metrics: Mapping[str, Any]) -> str | None:
    known = {name: found["auc"]["value"] for name, found in metrics.items() if found["auc"]["value"] is not None}
    return max(known, key=known.__getitem__) if known else None


def _cores(record: AnyRecord) -> str:
    """Say what the event loops ran on."""
    if isinstance(record, RunRecord) and isinstance(record.engine, DaskEngine):
        return f"{record.engine.workers} Dask workers ({record.engine.cluster})"
    return f"{record.threads} thread{'' if record.threads == 1 else 's'}"


def _change(varied: int, nominal: int) -> str:
    """Write by how much a count changed, in percent with its sign."""
    return f"{100 * (varied / nominal - 1):+.1f}\u00a0%".replace("-", "−") if nominal else ""


def _luminosity(inverse_femtobarn: float) -> Markup:
    """Write a luminosity in 1/fb, a small one in 1/pb."""
    value, unit = (inverse_femtobarn, "fb") if inverse_femtobarn >= 1 else (1000 * inverse_femtobarn, "pb")
    return Markup("{} {}<sup>−1</sup>").format(number_markup(value), unit)


def _flattened(table: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return the keys of a configuration, those of a table in it as "table.key", each with its value as JSON."""
    flat: list[tuple[str, str]] = []
    for key, value in table.items():
        if isinstance(value, dict) and value:
            flat += _flattened(value, f"{prefix}{key}.")
        else:
            flat.append((f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value)))
    return flat


def _environment(record: AnyRecord, table: Mapping[str, Any]) -> jinja2.Environment:
    """Return what turns templates into a report: numbers and titles are written as HTML."""
    environment = template_environment()
    environment.filters |= {
        "count": count_text,
        "number": number_markup,
        "quantity": quantity_markup,
        "tlatex": title_markup,
        "words": words,
        "capitalised": capitalised,
        "thresholds": lambda found: thresholds(as_table(found)),
        "with_error": metric_text,
        "luminosity": _luminosity,
        "feature": lambda name: feature_title(table, name),
    }
    environment.globals |= {
        "share": share_text,
        "change": _change,
        "cores": lambda: _cores(record),
        "votes_needed": lambda: votes_needed(table),
    }
    return environment
