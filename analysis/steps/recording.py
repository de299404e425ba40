"""What run.json says of a scoring loop, out of what the loop found and of the models that scored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from analysis.output.findings import agreement, means, variations, weighted_cutflow
from analysis.output.sanity import sanity_warnings
from models import folder, tables
from models.folder import MODELS_JSON, file_sha256
from plotting.results.record_tables import (
    Counts,
    Cut,
    DaskEngine,
    ErrorSummary,
    History,
    LocalEngine,
    Quantity,
    Reconstruction,
    RecordedWarning,
    ScoringDetector,
    Training,
    TrainingSample,
    Weights,
)
from plotting.results.run_record import RunFindings

if TYPE_CHECKING:
    from analysis.samples.weights import Weighting
    from analysis.steps.bookings import Found
    from analysis.steps.compilation import Compiled
    from analysis.steps.prepared import PreparedSample
    from rdf.graph import selection
    from rdf.schema.features import Feature


def run_findings(
    sample: PreparedSample,
    engine: LocalEngine | DaskEngine,
    models: folder.ModelFolder,
    compiled: Compiled,
    found: Found,
    filled: Mapping[str, Any],
) -> RunFindings:
    """Return what run.json says of a scoring loop.

    Args:
        sample: that was scored; its staging folder has the models.
        engine: that ran the loop.
        models: the models that scored.
        compiled: their detectors.
        found: in the loop.
        filled: all histograms, by their path.
    """
    names, ensemble = tuple(compiled.detectors), compiled.ensemble
    selected = found.cuts[-1].events
    agreed = agreement(filled, names)
    anomalous = sum(agreed.votes[ensemble.min_votes :])
    graph, recipe = sample.graph, sample.graph.recipe
    seconds = sample.timings.seconds["scoring_loop"]
    counts = Counts(
        expected=sample.entries[1] - sample.entries[0],
        processed=found.processed,
        selected=selected,
        normal=selected - anomalous,
        anomalous=anomalous,
    )
    cutflow, titles = (
        recorded_cutflow(found.cuts),
        {name: graph.described[name].title for name in (*recipe.features, *recipe.observables)},
    )
    sane = sanity_warnings(counts, cutflow, found.non_finite, models, titles | {"weight": "weight"}, filled)
    return RunFindings(
        sample=replace(sample.data, files=sample.read_files).describe(),
        training=recorded_training(models.training),
        threads=sample.threads,
        engine=engine,
        entries=sample.entries_of_sample,
        plan=sample.configuration.plan,
        models_sha256=file_sha256(sample.staging / "models" / MODELS_JSON),
        merged=None,
        features=recorded_quantities(graph.described, recipe.features),
        observables=recorded_quantities(graph.described, recipe.observables),
        left_out=sample.left_out,
        warnings=(*schema_warnings(sample.warnings), *sane),
        objects=recipe.objects,
        overlap=tuple(recipe.overlap),
        define=recipe.define,
        cutflow=weighted_cutflow(cutflow, filled) if graph.weighted else cutflow,
        cuts=dict(graph.cuts),
        non_finite=dict(found.non_finite),
        counts=counts,
        ensemble=tuple(ensemble.detectors),
        min_votes=ensemble.min_votes,
        detectors={
            name: ScoringDetector(
                threshold=_one_or_all([network.threshold for network in models.detectors[name].networks]),
                flagged=agreed.flagged[name][name],
                parity=compiled.parity[name],
                notes=tuple(models.detectors[name].notes),
            )
            for name in names
        },
        left_out_detectors=models.left_out,
        history=recorded_histories(models),
        reconstruction=recorded_reconstructions(models),
        agreement=agreed,
        variations=variations(filled, sample.configuration.vary, names, ensemble.min_votes),
        means=means(filled, recipe.features),
        events_per_second=round(found.processed / seconds) if seconds else None,
        loop_seconds={stage: round(took, 6) for stage, took in found.stage_seconds.items()},
        compiled_by=compiled.compiled_by,
        weights=recorded_weights(graph.weighting),
    )


def schema_warnings(sentences: Iterable[str]) -> tuple[RecordedWarning, ...]:
    """Return what run.json says of what does not hold for the sample."""
    return tuple(RecordedWarning(kind="schema", sentence=sentence) for sentence in sentences)


def _one_or_all(values: list[float]) -> float | tuple[float, ...]:
    """Return the only value, or all: one for each fold."""
    return values[0] if len(values) == 1 else tuple(values)


def recorded_training(training: folder.Training) -> Training:
    """Return what run.json says of the training."""
    return Training(
        samples=tuple(
            TrainingSample(
                sample=sample.sample,
                title=sample.title,
                simulated=sample.simulated,
                tree=sample.tree,
                files=tuple(sample.files),
                sha256=tuple(sample.sha256),
                entries=sample.entries,
                events=sample.events,
            )
            for sample in training.samples
        ),
        part=training.part,
        train_events=training.train_events,
        events=training.events,
        train_on=training.train_on,
        folds=training.folds,
    )


def recorded_quantities(described: Mapping[str, Feature], names: Sequence[str]) -> tuple[Quantity, ...]:
    """Return what run.json says of columns."""
    return tuple(
        Quantity(name=feature.name, title=feature.title, unit=feature.unit)
        for feature in (described[name] for name in names)
    )


def recorded_weights(weighting: Weighting | None) -> Weights | None:
    """Return what run.json says of the weights."""
    return None if weighting is None else Weights(**asdict(weighting))


def recorded_cutflow(cuts: Iterable[selection.Cut]) -> tuple[Cut, ...]:
    """Return what run.json says of a selection."""
    return tuple(Cut(name=cut.name, events=cut.events) for cut in cuts)


def recorded_histories(models: folder.ModelFolder) -> dict[str, tuple[History, ...]]:
    """Return the losses of the detectors whose training has epochs: one history for each fold."""
    return {
        name: tuple(History(training=tuple(fold.training), validation=tuple(fold.validation)) for fold in folds)
        for name, folds in models.histories().items()
    }


def recorded_reconstructions(models: folder.ModelFolder) -> dict[str, tuple[Reconstruction, ...]]:
    """Return how well the detectors that reconstruct events do so: one table for each fold."""
    return {
        name: tuple(Reconstruction(normal=_summary(fold.normal), flagged=_summary(fold.flagged)) for fold in folds)
        for name, folds in models.reconstructions().items()
    }


def _summary(errors: tables.ErrorSummary | None) -> ErrorSummary | None:
    if errors is None:
        return None
    return ErrorSummary(
        events=errors.events,
        mean=tuple(errors.mean),
        low=tuple(errors.low),
        median=tuple(errors.median),
        high=tuple(errors.high),
    )
