"""A search by weak supervision from its configuration to search.json and what lies beside it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from analysis.console.program import error_console
from analysis.console.progress import progress_bar, spinner
from analysis.errors import ConfigurationError, SearchRefused
from analysis.output.timings import Timings
from analysis.samples.inputs import resolve_input
from analysis.search.cwola.configuration import CwolaConfiguration, default_folder
from analysis.search.cwola.events import ScoredEvents, read_scored
from analysis.search.cwola.learning import CollectedEvents, check_features, collect, score, train
from analysis.search.cwola.procedure import CwolaOutcome, blinded_outcome, claimed_outcome, settle_windows
from analysis.search.cwola.selections import declared_selections, selected_counts
from analysis.search.cwola.wording import blinded_quote, claimed_quote
from analysis.search.exports import EXPORTS, write_likelihoods
from analysis.search.staging import Searched, head_fields, leave_search, open_run, run_inputs, sample_header
from models.folder import read_model_folder
from models.weak_supervision.window import Window
from plotting.drawing.search import draw_search
from plotting.results.opened import RunResults, open_results
from plotting.results.record_tables import Sample
from plotting.results.search.cwola import CwolaInputs, CwolaRecord, MassTest
from plotting.results.search.formats import AnySearchRecord
from plotting.results.search.record import SEARCH
from rdf.errors import StatisticsFailed
from rdf.graph.histogram_keys import HistogramKey, Kind, Selection

MODELS, RUN = "models", "run"
"""Folders of the classifiers and of the scored events within that of the search."""


def search_windows(configuration: CwolaConfiguration) -> Searched[CwolaRecord]:
    """Do what a configuration says; what is refused leaves a record too.

    Args:
        configuration: checked.

    Raises:
        ToolkitError: as the steps say.
    """
    results = open_run(configuration.run) if configuration.run else None
    sample = results.record.sample if results else resolve_input(configuration.collecting()).describe()
    folder = configuration.output or (results.folder / SEARCH if results else default_folder(sample.name))

    def find(record: CwolaRecord, staging: Path, timings: Timings) -> CwolaRecord:
        if results:
            return _stated(configuration, record, results, staging, timings)
        return _searched(configuration, record, folder, staging, timings)

    return leave_search(folder, partial(_declared, configuration, sample), find, draw_search)


def _declared(configuration: CwolaConfiguration, sample: Sample, before: AnySearchRecord | None) -> CwolaRecord:
    """Return the record of a search that has read nothing yet.

    Args:
        configuration: of the search.
        sample: that will be read.
        before: record of the earlier search in the folder; None where there is none.
    """
    files = {file.path: file.sha256 for file in sample.files}
    return CwolaRecord(
        **head_fields(configuration, sample, CwolaInputs(files=files), before, blind=configuration.is_blind),
        observable=configuration.observable,
        title=configuration.observable,
        unit="",
        folds=configuration.folds,
        seed=configuration.seed,
        timings={},
    )


def _searched(
    configuration: CwolaConfiguration, record: CwolaRecord, folder: Path, staging: Path, timings: Timings
) -> CwolaRecord:
    """Go through the procedure, and return the record with what was found."""
    collected = collect(configuration, staging, timings)
    record = _of_sample(record, collected.sample, collected.events.features)
    record = replace(record, title=collected.observable.title, unit=collected.observable.unit)
    with timings.stage("mass_test"):
        tests = check_features(configuration, collected.events)
    if configuration.is_blind:
        return _blinded(configuration, record, collected, tests, timings)
    train(configuration, collected, staging / MODELS, timings)
    run = score(configuration, staging / MODELS, staging / RUN, folder)
    shutil.rmtree(staging / MODELS)  # the run has a copy
    results = open_results(run)
    assert isinstance(results, RunResults)
    return _stated(configuration, record, results, staging, timings, tests)


def _blinded(
    configuration: CwolaConfiguration,
    record: CwolaRecord,
    collected: CollectedEvents,
    tests: dict[str, MassTest],
    timings: Timings,
) -> CwolaRecord:
    events = collected.events
    counts = {}
    for name, window in configuration.windows().items():
        beside = window.holds(events.values) & ~window.in_region(events.values)
        counts[name] = np.histogram(events.values[beside], window.edges())[0][np.newaxis].astype(np.float64)
    with timings.stage("search"), spinner(error_console(), "fitting the sidebands"):
        outcome = blinded_outcome(configuration, settle_windows(configuration, counts), tests)
    record = _filled(record, outcome)
    return replace(record, quote=blinded_quote(record))


def _stated(
    configuration: CwolaConfiguration,
    record: CwolaRecord,
    results: RunResults,
    staging: Path,
    timings: Timings,
    tests: dict[str, MassTest] | None = None,
) -> CwolaRecord:
    """Look at the regions of a scored run."""
    from rdf.code.interpreter import check_interpreter, start_root

    models = read_model_folder(results.models)
    declared = configuration.windows()
    if models.windows != declared:
        raise ConfigurationError(
            f"--run {configuration.run}: its models have {_named(models.windows)}, and {_named(declared)} is declared; "
            "declare what the models have, or search anew with --sample"
        )
    if models.training.folds != configuration.folds:
        raise ConfigurationError(
            f"--folds {configuration.folds}: the models have {models.training.folds}; declare that number"
        )
    with timings.stage("read"):
        scored = read_scored(results, configuration)
        counts = {name: _loop_counts(results, name, window.cuts) for name, window in declared.items()}
    for name, window in declared.items():
        inside = window.holds(scored.events.values)
        ranked = scored.ranked[name].where(inside)
        cuts = declared_selections(window.cuts, weighted=False)
        if not np.array_equal(selected_counts(window, cuts, scored.events.values[inside], ranked), counts[name]):
            raise StatisticsFailed(
                f"the spectra of {name} that the event loop filled differ from those of events.root; report this"
            )
        # The loop weighs nothing: weighted spectra are made of the scores that it wrote.
        counts[name] = selected_counts(window, configuration.selections(), scored.events.values[inside], ranked)
    start_root()
    check_interpreter()
    if tests is None:
        record = _of_sample(record, results.record.sample, scored.events.features)
        tests = check_features(configuration, scored.events)
    described = {each.name: each for each in (*results.record.features, *results.record.observables)}
    record = replace(
        record,
        title=described[configuration.observable].title,
        unit=described[configuration.observable].unit,
        inputs=_inputs(configuration, results),
        learned_here=_learned_here(results),
    )
    outcome = _found(configuration, record, scored, counts, tests, timings)
    record = _filled(record, outcome)
    if outcome.templates is not None:
        with timings.stage("exports"), spinner(error_console(), "writing and reading back the exports"):
            (staging / EXPORTS).mkdir()
            write_likelihoods(outcome.templates, staging / EXPORTS)
    return replace(record, quote=claimed_quote(configuration, record))


def _found(
    configuration: CwolaConfiguration,
    record: CwolaRecord,
    scored: ScoredEvents,
    counts: dict[str, npt.NDArray[np.float64]],
    tests: dict[str, MassTest],
    timings: Timings,
) -> CwolaOutcome:
    console = error_console()
    with timings.stage("search"), spinner(console, "fitting the sidebands"):
        settled = settle_windows(configuration, counts)
    with timings.stage("calibration"), progress_bar(console, "calibration", "sets") as move:
        return claimed_outcome(
            configuration,
            settled,
            tests,
            scored.events,
            ranked=scored.ranked,
            learned_here=record.learned_here,
            progress=move,
            say=lambda text: console.print(text, highlight=False, soft_wrap=True, markup=False),
        )


def _loop_counts(results: RunResults, name: str, cuts: list[float]) -> npt.NDArray[np.float64]:
    """Return the events of each declared cut and bin that the event loop counted, shape (cuts, bins)."""
    filled = results.histogram(HistogramKey(Kind.SPECTRA, Selection.ALL, name)).values()
    # The ranks ascend from one edge to the next: a cut keeps all bins from its edge on.
    by_rank = [filled[:, place:].sum(axis=1) for place in range(filled.shape[1])]
    return np.asarray(np.array(by_rank[-len(cuts) :], dtype=np.float64).round())


def _of_sample(record: CwolaRecord, sample: Sample, features: tuple[str, ...]) -> CwolaRecord:
    files = {file.path: file.sha256 for file in sample.files}
    return replace(record, sample=sample_header(sample), features=features, inputs=replace(record.inputs, files=files))


def _inputs(configuration: CwolaConfiguration, results: RunResults) -> CwolaInputs:
    read = run_inputs(results)
    return CwolaInputs(
        run=read.run if configuration.run else RUN,
        run_json_sha256=read.run_json_sha256,
        events_sha256=read.events_sha256,
        models_sha256=results.record.models_sha256 or "",
        files={file.path: file.sha256 for file in results.record.sample.files},
    )


def _learned_here(results: RunResults) -> bool:
    """Say whether the classifiers learned from the events that they scored.

    Raises:
        SearchRefused: they learned from some of these, or from others too: then no calibration is theirs.
    """
    training, record = results.record.training, results.record
    known = {sha256 for sample in training.samples for sha256 in sample.sha256}
    paths = {path for sample in training.samples for path in sample.files}
    shared = [file.sha256 in known if file.sha256 and known else file.path in paths for file in record.sample.files]
    if not any(shared):
        return False
    learned = sum(sample.events for sample in training.samples)
    if all(shared) and learned == record.counts.selected:
        return True
    raise SearchRefused(
        f"the classifiers learned from {learned:,} events, and some of these are among the {record.counts.selected:,} "
        "that are searched; search all of them, or a sample that they have not seen"
    )


def _named(windows: Mapping[str, Window]) -> str:
    return (
        ", ".join(f"{w.observable} {w.low:g}:{w.high:g} with cuts {w.cuts}" for w in windows.values()) or "no windows"
    )


def _filled(record: CwolaRecord, outcome: CwolaOutcome) -> CwolaRecord:
    return replace(record, windows=outcome.windows, largest=outcome.largest, refused_sets=outcome.refused_sets)
