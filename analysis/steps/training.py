"""Training: from what the event loops collected to a model folder, and to a picture of what was learned from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from rich.text import Text

from analysis.configuration import AnalysisConfiguration
from analysis.console.program import error_console
from analysis.console.progress import progress_bar, spinner
from analysis.errors import ConfigurationError, DataError
from analysis.output.provenance import library_versions
from analysis.steps.collection import TrainingRows, refuse_unknown_labels, unknown_labels
from models.detectors.registry import detector_class, is_supervised
from models.folder import Columns, ModelFolder, Training
from plotting.results.tables import LATENT_CSV, LatentSpace, Projection, Space, write_latent
from rdf.memory import require_memory
from rdf.schema.features import first_plane

if TYPE_CHECKING:
    from models.training import Trained, TrainingEvents, TrainingRecipe

NEEDED = 2_300_000_000
"""Bytes of address space that ROOT and the libraries of the training take together, at least."""

LATENT_EVENTS = 1_000
"""Events in latent.csv."""


def check_labels(configuration: AnalysisConfiguration, detectors: Sequence[str], labelled: bool, sample: str) -> None:
    """Refuse, before anything is read, to learn from labels that are not there.

    Raises:
        ConfigurationError: a detector, or `train_on`, needs labels.
    """
    if labelled:
        return
    supervised = [name for name in detectors if is_supervised(name)]
    if supervised or configuration.train_on == "background":
        what = (
            f"--detectors: {supervised[0]} learns from labels" if supervised else "--train-on: background needs labels"
        )
        raise ConfigurationError(
            f"{what}, and {sample} has none; take a sample whose schema has the quantity `label`, or leave it out"
        )


def load_libraries(detectors: Sequence[str]) -> None:
    """Load what detectors are trained and written with, which takes seconds, before it is needed.

    Args:
        detectors: names of those that will be trained.

    Raises:
        OutOfMemory: a limit does not allow it.
    """
    require_memory(NEEDED, "training")
    with spinner(error_console(), "starting the training"):
        import models.folder_writing  # noqa: F401

        for name in detectors:
            detector_class(name)


def train_models(
    collected: Sequence[TrainingRows],
    columns: Columns,
    configuration: AnalysisConfiguration,
    detectors: Sequence[str],
    staging: Path,
    *,
    folds: int = 1,
    event_filter: str | None = None,
) -> tuple[ModelFolder, dict[str, list[float]]]:
    """Train detectors, and write the model folder and latent.csv.

    A feature that is the same in all training events is not learned from: it is recorded as an observable, or refused
    if it was asked for by its name.

    Args:
        collected: what the loops over the samples collected.
        columns: how these were computed.
        configuration: settings of the training.
        detectors: names of the detectors to be trained.
        staging: folder that results are written to.
        folds: number of folds.
        event_filter: C++ condition that the collected events fulfil; None for all events.

    Returns:
        The model folder's table, and for each set of points in latent.csv the fractions of the variance that its first
        two principal components have.

    Raises:
        DataError: labels that are neither 0 nor 1.
        TrainingError: the events do not allow to train any of the detectors.
    """
    load_libraries(detectors)
    from models.training import TrainingRecipe

    training_recipe = TrainingRecipe(
        configuration.threshold,
        configuration.detector_settings(),
        configuration.train_on,
        folds,
        configuration.seed,
    )
    sample = _training_sample(collected, columns, _needs_labels(configuration, detectors))
    if sample.events.weights is None and any(rule.weighted for rule in configuration.threshold.values()):
        raise ConfigurationError(
            f"--threshold: weighted: the events of {collected[0].sample.title} have no weights; leave it out"
        )
    sample = _without_constants(sample, configuration, detectors, training_recipe)
    trained, left_out = _train(sample.events, detectors, training_recipe)
    training = Training(
        samples=[c.sample for c in collected],
        part=event_filter,
        train_events=configuration.train_events,
        events=len(sample.events.X),
        train_on=configuration.train_on,
        folds=folds,
    )
    models = _write_models(staging / "models", sample, trained, left_out, training_recipe, training)
    with spinner(error_console(), "projecting the features and the latent space"):
        latent, ids = _latent_space(sample, trained, training_recipe)
        write_latent(staging / LATENT_CSV, latent, ids)
    return models, latent.explained


@dataclass(frozen=True)
class _Sample:
    """The events that detectors learn from, and the names of the columns that are recorded.

    Attributes:
        events: features and labels.
        ids: run, luminosityBlock and event, shape (events, 3).
        observables: shape (events, observables).
        columns: names of all these, and how they were computed.
    """

    events: TrainingEvents
    ids: npt.NDArray[np.uint64]
    observables: npt.NDArray[np.float32]
    columns: Columns


def _needs_labels(configuration: AnalysisConfiguration, detectors: Sequence[str]) -> bool:
    return configuration.train_on == "background" or any(is_supervised(name) for name in detectors)


def _training_sample(collected: Sequence[TrainingRows], columns: Columns, needs_labels: bool) -> _Sample:
    """Put together what the loops over the samples collected."""
    from models.training import TrainingEvents

    labels = _labels(collected, needs_labels)
    ids, X, observables = (
        np.concatenate([getattr(c, name) for c in collected]) for name in ("ids", "X", "observables")
    )
    if len(X) < 2:
        raise DataError(
            f"{collected[0].sample.title}: {len(X)} training event, from which nothing can be learned; read more of "
            "the sample, or train on more of it (--train-events)"
        )
    events = TrainingEvents(tuple(columns.features), X, ids[:, -1], labels, _weights(collected))
    return _Sample(events, ids, observables, columns)


def _weights(collected: Sequence[TrainingRows]) -> npt.NDArray[np.float32] | None:
    """Return the weights of all events, of which some may have none and count as one; None where all count as one."""
    if all(c.weights is None for c in collected):
        return None
    return np.concatenate([np.ones(len(c.X), np.float32) if c.weights is None else c.weights for c in collected])


def _without_constants(
    sample: _Sample, configuration: AnalysisConfiguration, detectors: Sequence[str], training_recipe: TrainingRecipe
) -> _Sample:
    """Make observables of the features that are the same in all training events, and say so.

    Features that were asked for by their names stay, for the detectors to refuse them.
    """
    from models.training import constant_features

    constant = constant_features(sample.events, detectors, training_recipe)
    if not constant or isinstance(configuration.features, tuple):
        return sample
    console = error_console()
    for name, value in constant.items():
        console.print(
            f"not learned from: {name}, which is {value:g} in all {_learned_from(training_recipe)}", highlight=False
        )
    features = sample.columns.features
    recorded = np.stack([sample.events.X[:, features.index(name)] for name in constant], axis=1)
    return _Sample(
        sample.events.without(constant),
        sample.ids,
        np.concatenate([sample.observables, recorded], axis=1),
        _without(sample.columns, constant),
    )


def _train(
    events: TrainingEvents, detectors: Sequence[str], training_recipe: TrainingRecipe
) -> tuple[Trained, dict[str, str]]:
    """Train detectors, show the progress, and say which are left out and why."""
    from models.training import train

    with progress_bar(error_console(), "training", "steps") as move:
        trained, left_out = train(
            events, detectors, training_recipe, lambda title, done, total: move(done, total, f"training {title}")
        )
    for name, reason in left_out.items():
        line = Text.assemble(("left out", "bold yellow"), f": {name}: {reason}")
        error_console().print(line, soft_wrap=True)
    return trained, left_out


def _write_models(
    folder: Path,
    sample: _Sample,
    trained: Trained,
    left_out: Mapping[str, str],
    training_recipe: TrainingRecipe,
    training: Training,
) -> ModelFolder:
    """Write the model folder, have its networks compiled, and say what the detectors note of their training."""
    from models.folder_writing import write_model_folder
    from rdf.code.sofie import translate_network

    with spinner(error_console(), "writing models"):
        models = write_model_folder(
            folder,
            trained,
            sample.events,
            sample.observables,
            sample.columns,
            training_recipe=training_recipe,
            training=training,
            versions=library_versions(),
            left_out=left_out,
        )
        for entry in models.detectors.values():
            for network in entry.networks:
                translate_network(folder / network.file)  # compiled while the rest of the training goes on
    for name, entry in models.detectors.items():
        for note in entry.notes:
            error_console().print(f"{name}: {note}", highlight=False, soft_wrap=True)
    return models


def _learned_from(training_recipe: TrainingRecipe) -> str:
    background = "background " if training_recipe.train_on == "background" else ""
    return f"{background}training events{' of a fold' if training_recipe.folds > 1 else ''}"


def _labels(collected: Sequence[TrainingRows], needed: bool) -> npt.NDArray[np.int8] | None:
    """Return the labels of all events; None where there are none, or others than 0 and 1 and none is needed."""
    if any(c.labels is None for c in collected):
        return None
    for c in collected:
        labels = np.asarray(c.labels)
        if not needed and unknown_labels(labels):
            return None
        refuse_unknown_labels(labels, c.sample.title, "training events")
    return np.concatenate([c.labels for c in collected if c.labels is not None])


def _without(columns: Columns, constant: Mapping[str, float]) -> Columns:
    """Return the columns with the constant features among the observables."""
    features = [name for name in columns.features if name not in constant]
    if not features:
        raise DataError(
            f"none of the features {', '.join(columns.features)} differs between the training events; take more or "
            "other events"
        )
    plane = columns.plane if not set(columns.plane or ()) & constant.keys() else first_plane(features)
    observables = [*columns.observables, *constant]
    return columns.model_copy(update={"features": features, "observables": observables, "plane": plane})


def _latent_space(
    sample: _Sample, trained: Trained, training_recipe: TrainingRecipe
) -> tuple[LatentSpace, npt.NDArray[np.uint64]]:
    """Project some training events, drawn at random: their features and, of an autoencoder, their latent space.

    Returns:
        The projections, and the numbers that name the n events, shape (n, 3).
    """
    from models.latent import embed
    from models.training import mean_ranks

    events = sample.events
    picked = np.sort(np.random.default_rng(training_recipe.seed).permutation(len(events.X))[:LATENT_EVENTS])
    X = events.X[picked]
    points: dict[Space, npt.NDArray[np.floating]] = {"features": X}
    encoded = (detectors[0].encode(X) for detectors in trained.values())
    if (latent := next((space for space in encoded if space is not None), None)) is not None:
        points["latent"] = latent
    ranks = mean_ranks(X, events.numbers[picked], trained)
    projections: list[Projection] = []
    for name, values in points.items():
        embedding = embed(values, training_recipe.seed)
        projections.append(Projection("PCA", name, embedding.pca, embedding.explained))
        projections.append(Projection("t-SNE", name, embedding.tsne))
    labels = None if events.labels is None else events.labels[picked]
    return LatentSpace(tuple(projections), ranks, labels), sample.ids[picked]
