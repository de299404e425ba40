"""The two event loops of a search: one collects what classifiers learn from, the other has them score all events."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from analysis.console.program import error_console
from analysis.console.progress import progress_bar, spinner
from analysis.errors import SearchRefused
from analysis.output.provenance import library_versions
from analysis.output.timings import Timings
from analysis.run import analyse
from analysis.samples.inputs import resolve_input
from analysis.search.cwola.configuration import CwolaConfiguration
from analysis.search.cwola.events import FeaturedEvents, of_columns, of_rows
from analysis.steps.collection import TrainingRows, collect_training_rows
from analysis.steps.dask_engine import open_engine
from analysis.steps.own_models import note_models
from analysis.steps.preparation import prepare
from models.errors import TrainingError
from models.folder import Columns, ModelFolder, Training
from plotting.results.record_tables import Sample
from plotting.results.search.cwola import MassTest
from rdf.schema.features import Feature


@dataclass(frozen=True, eq=False)
class CollectedEvents:
    """What the first event loop collected.

    Attributes:
        events: in the range of the search.
        rows: all events of the sample, as they were collected.
        columns: names and expressions of the columns, with the observable apart from the features.
        collected: names and expressions in the order of the rows.
        sample: that the events were taken from.
        observable: title and unit of the observable.
    """

    events: FeaturedEvents
    rows: TrainingRows
    columns: Columns
    collected: Columns
    sample: Sample
    observable: Feature


def collect(configuration: CwolaConfiguration, staging: Path, timings: Timings) -> CollectedEvents:
    """Read a sample and collect observable and features of all its events.

    Args:
        configuration: of the search.
        staging: folder that is written to.
        timings: of the stages.

    Raises:
        ToolkitError: as `analysis.run` ends with.
    """
    run = configuration.collecting()
    data = resolve_input(run)
    with open_engine(run) as engine:
        sample = prepare(run, data, None, staging, timings)
        rows = collect_training_rows(sample, engine, None)
    columns = of_columns(sample.graph.recipe, configuration.observable)
    events = of_rows(rows, sample.graph.recipe, columns, configuration.observable)
    described = replace(sample.data, files=sample.read_files).describe()
    feature = sample.graph.described[configuration.observable]
    return CollectedEvents(events.within(*configuration.range), rows, columns, sample.graph.recipe, described, feature)


def check_features(configuration: CwolaConfiguration, events: FeaturedEvents) -> dict[str, MassTest]:
    """Say for each window how well the features tell the mass; the events of its region are not looked at.

    Args:
        configuration: of the search.
        events: in the range.

    Raises:
        SearchRefused: they tell it, a sideband has too few events, or a fold has none there.
    """
    from models.weak_supervision.mass_test import mass_test
    from models.weak_supervision.training import fold_fault, sideband_fault

    found = {}
    with spinner(error_console(), "testing whether features tell the mass"):
        for name, window in configuration.windows().items():
            if fault := sideband_fault(window, events.values):
                raise SearchRefused(f"{fault}; take a wider range")
            fold_of = events.folds(configuration.folds)
            if fault := fold_fault(window, events.values, fold_of, configuration.folds):
                raise SearchRefused(f"{fault}; take another number of folds")
            areas = mass_test(events.X, events.values, fold_of, window, configuration.seed)
            if not areas.passed:
                raise SearchRefused(
                    f"the features tell the mass: from {', '.join(events.features)} a classifier tells the sideband "
                    f"{window.begin:g}:{window.low:g} from {window.high:g}:{window.end:g} (AUC {areas.auc:.3f} ± "
                    f"{areas.error:.3f}), or their outer halves from the inner ones ({areas.outer_auc:.3f} ± "
                    f"{areas.outer_error:.3f}), and would learn the mass in place of a signal; leave out the features "
                    "that depend on it, or divide them by it; a resonance in a sideband looks the same: take another "
                    "range"
                )
            found[name] = MassTest(**asdict(areas))
    return found


def train(configuration: CwolaConfiguration, collected: CollectedEvents, folder: Path, timings: Timings) -> ModelFolder:
    """Train the classifiers of all windows and folds, and write their model folder.

    Args:
        configuration: of the search.
        collected: events of the sample.
        folder: for the models.
        timings: of the stages.

    Raises:
        SearchRefused: a region has too few events.
    """
    from models.folder_writing import write_model_folder
    from models.training import TrainingEvents
    from models.weak_supervision.training import WindowRecipe, train_windows

    everything = of_rows(collected.rows, collected.collected, collected.columns, configuration.observable)
    events = TrainingEvents(everything.features, everything.X, everything.numbers, None)
    recipe = WindowRecipe(
        rules={},
        settings={},
        train_on="all",
        folds=configuration.folds,
        seed=configuration.seed,
        windows=configuration.windows(),
        values=everything.values,
    )
    by_name = dict(zip(collected.collected.features, collected.rows.X.T, strict=True))
    by_name |= dict(zip(collected.collected.observables, collected.rows.observables.T, strict=True))
    observables = np.stack([by_name[name] for name in collected.columns.observables], axis=1)
    with timings.stage("training"), progress_bar(error_console(), "training", "classifiers") as move:
        try:
            trained = train_windows(events, recipe, lambda title, done, total: move(done, total, f"training {title}"))
        except TrainingError as error:
            raise SearchRefused(str(error)) from error
    training = Training(
        samples=[collected.rows.sample],
        part=None,
        train_events=None,
        events=len(everything.X),
        train_on="all",
        folds=configuration.folds,
    )
    with timings.stage("export"), spinner(error_console(), "writing classifiers"):
        return write_model_folder(
            folder,
            trained,
            events,
            observables,
            collected.columns,
            training_recipe=recipe,
            training=training,
            versions=library_versions(),
            windows=recipe.windows,
        )


def score(configuration: CwolaConfiguration, models: Path, output: Path, folder: Path) -> Path:
    """Score all events of the sample in the event loop, and return the folder of that run.

    Args:
        configuration: of the search.
        models: folder of the classifiers.
        output: folder for the run, which takes its final place with all else.
        folder: of the search, to which run.json refers.
    """
    from models.folder import read_model_folder

    note_models(read_model_folder(models).sha256)
    noted = configuration.scoring(folder / output.name / models.name, folder / output.name)
    given = configuration.model_dump(mode="json", by_alias=True, exclude_unset=True)
    command = f"analysis.search_windows({', '.join(f'{name}={value!r}' for name, value in given.items())})"
    return analyse(configuration.scoring(models, output), command, noted).folder
