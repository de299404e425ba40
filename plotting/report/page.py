"""report.html: what a run or an evaluation found, on one page that needs nothing else."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import jinja2
from markupsafe import Markup

from plotting.errors import UnreadableResult
from plotting.figures.contents import EVALUATION_KINDS, RUN_KINDS, every_figure
from plotting.figures.display import DisplayFigure
from plotting.figures.facts import EvaluationFacts, RunFacts, ShownEvent
from plotting.figures.figure import NamedFigure, Names
from plotting.figures.search.contents import search_figures
from plotting.figures.search.cwola.figure import deviations, expected_words, share_words
from plotting.figures.sentences import quantity_title, thresholds_text, votes_needed
from plotting.pages import template_environment, write_page
from plotting.report.inline import InlineFigure, inline_figures
from plotting.report.searches import FoundSearch, find_search
from plotting.report.top_events import read_top_events
from plotting.results.checksums import check_results
from plotting.results.metrics import METRICS_JSON, DetectorMetrics, read_metrics
from plotting.results.objects import OBJECTS_JSON
from plotting.results.record_tables import DaskEngine, most_different
from plotting.results.records import check_files
from plotting.results.run_record import (
    RUN_JSON,
    AnyRecord,
    RunRecord,
    read_evaluation_record,
    read_run_record,
)
from plotting.results.tables import ANOMALIES_CSV, read_contributions
from plotting.style.markup import metric_text, number_markup, quantity_markup, share_text, title_markup
from plotting.style.wording import capitalised, count_text, luminosity_in_unit, words

REPORT = "report.html"

_MEANS = 8  # features whose means are compared in the summary
_RUN_REMEDY = "repeat the run that wrote it (python -m analysis.run)"
_EVALUATION_REMEDY = "repeat the evaluation that wrote it (python -m analysis.evaluate)"

# Sections of the page in their order: each with its heading, and with what its template shows beside figures.
_RUN_SECTIONS: Mapping[str, tuple[str, Callable[[RunFacts], object]]] = {
    "selection": ("Selection", lambda facts: facts.record.cutflow),
    "detectors": ("Detectors", lambda facts: facts.record.detectors),
    "events": ("Most anomalous events", lambda facts: facts.events),
    "features": ("Features", lambda facts: facts.record.means),
    "planes": ("Planes", lambda _: None),
    "variations": ("Systematic variations", lambda facts: facts.record.variations),
    "training": ("Training", lambda facts: facts.record.training),
    "more": ("More figures", lambda _: None),
    "timing": ("Timing", lambda facts: facts.record.timings),
    "provenance": ("Provenance", lambda facts: facts.record.command),
}
_EVALUATION_SECTIONS: Mapping[str, tuple[str, Callable[[EvaluationFacts], object]]] = {
    "performance": ("Performance", lambda facts: facts.metrics),
    "scores": ("Scores", lambda _: None),
    "selection": ("Selection", lambda facts: facts.record.samples),
    "training": ("Training", lambda facts: facts.record.training),
    "more": ("More figures", lambda _: None),
    "timing": ("Timing", lambda facts: facts.record.timings),
    "provenance": ("Provenance", lambda facts: facts.record.command),
}
_UNKNOWN = "more"  # section of figures of no known kind

Data = TypeVar("Data")
Facts = TypeVar("Facts")


@dataclass(frozen=True)
class Report:
    """A report that was written.

    Attributes:
        path: of the page, which appears under this name only when it is whole.
        failed: names of figures whose captions could not be written, each with the reason; the page says so too.
    """

    path: Path
    failed: Mapping[str, str]


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


@dataclass
class _Illustrated:
    """The figures of a page.

    Attributes:
        sections: figures of each section, in order.
        displays: of events, by their place.
        failed: names of figures whose captions could not be written, each with the reason.
    """

    sections: dict[str, list[Illustration]] = field(default_factory=dict)
    displays: dict[int, Illustration] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def write_report(folder: Path, failed: Mapping[str, str] | None = None) -> Report:
    """Write `folder`/report.html from what a run or an evaluation left there; figures that are not there are left out.

    Args:
        folder: of a run, with `run.json`, or of an evaluation, with `metrics.json`, too.
        failed: names of figures that could not be drawn, each with the reason; the page says so.

    Raises:
        MissingResult: the folder or its run.json is not there.
        UnreadableResult: a file is truncated or not what its name says.
        PageFolderError: the report cannot be written.
    """
    page, uncaptioned = render_report(folder, failed or {})
    return Report(write_page(folder / REPORT, page), uncaptioned)


def render_report(folder: Path, failed: Mapping[str, str]) -> tuple[str, Mapping[str, str]]:
    """Return the page and the captions that failed, as `write_report` writes and returns them."""
    remedy = _remedy(folder)
    check_files(folder, (RUN_JSON,), remedy)
    check_results(folder, (RUN_JSON, METRICS_JSON, ANOMALIES_CSV, OBJECTS_JSON), remedy)
    images = inline_figures(sorted((folder / "figures").glob("*.png")))
    if (folder / METRICS_JSON).exists():
        return _render_evaluation(folder, images, failed)
    return _render_run(folder, images, failed)


def _remedy(folder: Path) -> str:
    return _EVALUATION_REMEDY if (folder / METRICS_JSON).exists() else _RUN_REMEDY


def _render_run(
    folder: Path, images: dict[str, InlineFigure], failed: Mapping[str, str]
) -> tuple[str, Mapping[str, str]]:
    record = read_run_record(folder / RUN_JSON, _RUN_REMEDY)
    quantities = (*record.features, *record.observables)
    features = [feature.name for feature in record.features]
    events = read_top_events(folder, record, _RUN_REMEDY)
    facts = RunFacts(
        record,
        read_contributions(folder / ANOMALIES_CSV, tuple(record.detectors), features, _RUN_REMEDY),
        {event.place: ShownEvent(event.ensemble, event.objects) for event in events},
    )
    names = Names.of((quantity.name for quantity in quantities), record.detectors)
    shown = _illustrate(every_figure(RUN_KINDS, names), facts, images)
    search = find_search(folder)
    page = _render(
        folder,
        record,
        sections=[*_search_section(search), *_sections(_RUN_SECTIONS, facts, shown)],
        search=search.record if search else None,
        events=events,
        displays={event.place: shown.displays.get(event.place) for event in events},
        failed=failed,
        uncaptioned=shown.failed,
        files=record.sample.files,
        different=list(most_different(record.means).items())[:_MEANS],
    )
    return page, shown.failed


def _search_section(search: FoundSearch | None) -> list[Section]:
    """Return the section of a search in the events of a run; nothing where there was none."""
    if search is None:
        return []
    images = inline_figures(sorted((search.folder / "figures").glob("*.png")))
    shown = _illustrate(search_figures(search.record), search.record, images)
    return [Section("search", "Search for an excess", shown.sections.get("search", []))]


def _render_evaluation(
    folder: Path, images: dict[str, InlineFigure], failed: Mapping[str, str]
) -> tuple[str, Mapping[str, str]]:
    record = read_evaluation_record(folder / RUN_JSON, _EVALUATION_REMEDY)
    metrics = read_metrics(folder / METRICS_JSON, _EVALUATION_REMEDY)
    facts = EvaluationFacts(record, metrics)
    detectors = (*record.detectors, *metrics, *record.history, *record.reconstruction)
    names = Names.of((feature.name for feature in record.features), detectors)
    shown = _illustrate(every_figure(EVALUATION_KINDS, names), facts, images)
    page = _render(
        folder,
        record,
        metrics=metrics,
        best=_best_detector(metrics),
        sections=_sections(_EVALUATION_SECTIONS, facts, shown),
        failed=failed,
        uncaptioned=shown.failed,
        files=[file for sample in record.samples for file in sample.files],
    )
    return page, shown.failed


def _render(folder: Path, record: AnyRecord, **more: Any) -> str:
    """Return the page of a record and of what else the templates show."""
    absent: dict[str, Any] = {"metrics": {}, "best": None, "events": [], "displays": {}, "different": []}
    configuration = record.configuration
    given = {"configuration": dict(_flattened(configuration)), "seed": configuration.get("seed")}
    try:
        return _environment(record).get_template("report.html").render(run=record, **absent | given | more)
    except jinja2.UndefinedError as error:
        raise UnreadableResult(f"{folder}: a file lacks a key ({error}); {_remedy(folder)}") from error


def _illustrate(
    figures: Iterable[NamedFigure[Data, Facts]], facts: Facts, images: Mapping[str, InlineFigure]
) -> _Illustrated:
    """Put titles and captions under the figures that are there; those of no known kind have their names for titles."""
    shown, left = _Illustrated(), dict(images)
    for figure in figures:
        if image := left.pop(figure.name, None):
            try:
                numbers = figure.caption(facts)
            except Exception as error:
                logging.getLogger(__name__).exception("no caption of %s", figure.name)
                numbers, shown.failed[figure.name] = Markup(""), f"{type(error).__name__}: {error}"
            illustration = Illustration(image, figure.title(facts), numbers)
            if isinstance(figure, DisplayFigure):
                shown.displays[figure.place] = illustration
            else:
                shown.sections.setdefault(figure.section, []).append(illustration)
    shown.sections[_UNKNOWN] = [
        Illustration(image, Markup.escape(capitalised(words(name))), Markup("")) for name, image in left.items()
    ]
    return shown


def _sections(
    headings: Mapping[str, tuple[str, Callable[[Facts], object]]], facts: Facts, shown: _Illustrated
) -> list[Section]:
    """Return the sections that there is something for."""
    return [
        Section(name, title, shown.sections.get(name, []))
        for name, (title, content) in headings.items()
        if shown.sections.get(name) or content(facts)
    ]


def _best_detector(metrics: Mapping[str, DetectorMetrics]) -> str | None:
    known = {name: found.auc.value for name, found in metrics.items() if found.auc.value is not None}
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
    value, unit = luminosity_in_unit(inverse_femtobarn)
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


def _environment(record: AnyRecord) -> jinja2.Environment:
    """Return what turns templates into a report: numbers and titles are written as HTML."""
    environment = template_environment()
    environment.filters |= {
        "count": count_text,
        "number": number_markup,
        "quantity": quantity_markup,
        "tlatex": title_markup,
        "words": words,
        "capitalised": capitalised,
        "thresholds": thresholds_text,
        "deviations": deviations,
        "with_error": lambda metric: metric_text(metric.value, metric.error),
        "luminosity": _luminosity,
        "feature": lambda name: quantity_title(record.features, name),
    }
    environment.globals |= {
        "share": share_text,
        "change": _change,
        "cores": lambda: _cores(record),
        "expected": expected_words,
        "kept": share_words,
        "votes_needed": lambda: votes_needed(record.ensemble, record.min_votes),
    }
    return environment
