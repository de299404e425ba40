"""Events of a search by weak supervision: the observable, the features, and the folds."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from analysis.errors import ConfigurationError, SearchRefused
from analysis.search.cwola.configuration import CwolaConfiguration
from analysis.steps.collection import TrainingRows
from models.folder import Columns
from models.weak_supervision.ranked import RankedEvents
from plotting.results.opened import RunResults
from rdf.schema.features import first_plane


@dataclass(frozen=True, eq=False)
class FeaturedEvents:
    """Events of a sample in the range of a search.

    Attributes:
        values: of the observable, shape (events,), float64.
        X: features, shape (events, features), float32.
        numbers: event numbers, shape (events,), uint64.
        features: their names.
    """

    values: npt.NDArray[np.float64]
    X: npt.NDArray[np.float32]
    numbers: npt.NDArray[np.uint64]
    features: tuple[str, ...]

    def folds(self, number: int) -> npt.NDArray[np.int64]:
        """Return the fold of each event, of a number of folds, shape (events,)."""
        return np.asarray(self.numbers % np.uint64(number), dtype=np.int64)

    def within(self, low: float, high: float) -> FeaturedEvents:
        """Return the events whose observable lies in a half-open range."""
        kept = (self.values >= low) & (self.values < high)
        return replace(self, values=self.values[kept], X=self.X[kept], numbers=self.numbers[kept])


def of_columns(columns: Columns, observable: str) -> Columns:
    """Return the columns of a run with the observable moved from the features to the recorded columns.

    Args:
        columns: in the order in which an event loop collected them.
        observable: name of the observable.

    Raises:
        ConfigurationError: there is no such column, or nothing else to learn from.
    """
    if observable not in (*columns.features, *columns.observables):
        raise ConfigurationError(
            f"--observable {observable}: the feature set has no such column; name the features one by one with "
            "--features"
        )
    features = [name for name in columns.features if name != observable]
    if not features:
        raise ConfigurationError(f"--features: nothing but {observable} is left to learn from; name features")
    observables = [observable, *(name for name in columns.observables if name != observable)]
    return columns.model_copy(update={"features": features, "observables": observables, "plane": first_plane(features)})


def of_rows(rows: TrainingRows, collected: Columns, columns: Columns, observable: str) -> FeaturedEvents:
    """Return observable and features of the events that an event loop collected.

    Args:
        rows: that it collected.
        collected: names of their columns.
        columns: the same columns with the observable apart.
        observable: name of the observable.
    """
    by_name = dict(zip((*collected.features, *collected.observables), (*rows.X.T, *rows.observables.T), strict=True))
    return FeaturedEvents(
        values=by_name[observable].astype(np.float64),
        X=np.stack([by_name[name] for name in columns.features], axis=1),
        numbers=rows.ids[:, -1],
        features=tuple(columns.features),
    )


@dataclass(frozen=True, eq=False)
class ScoredEvents:
    """Events of a run, ordered by their numbers, with what its classifiers say of them.

    Attributes:
        events: observable, features and numbers.
        ranked: name of a classifier -> scores and ranks of the events.
    """

    events: FeaturedEvents
    ranked: dict[str, RankedEvents]


def read_scored(results: RunResults, configuration: CwolaConfiguration) -> ScoredEvents:
    """Read the events of a scored run in the range of a search.

    Args:
        results: of the run.
        configuration: of the search.

    Raises:
        SearchRefused: the run counted its events by weights.
    """
    if results.record.weights is not None:
        raise SearchRefused(
            "the events of the run have weights, whose sums follow no Poisson distribution; repeat it with --weights "
            "false"
        )
    features = [quantity.name for quantity in results.record.features]
    names = list(configuration.windows())
    columns = [f"{kind}_{name}" for kind in ("score", "rank") for name in names]
    arrays = results.events(configuration.observable, *features, "run", "luminosityBlock", "event", *columns)
    values = arrays[configuration.observable].astype(np.float64)
    order = np.lexsort((values, arrays["event"], arrays["luminosityBlock"], arrays["run"]))
    order = order[(values[order] >= configuration.range[0]) & (values[order] < configuration.range[1])]
    events = FeaturedEvents(
        values=values[order],
        X=np.stack([arrays[name][order] for name in features], axis=1),
        numbers=arrays["event"][order].astype(np.uint64),
        features=tuple(features),
    )
    ranked = {name: RankedEvents(arrays[f"score_{name}"][order], arrays[f"rank_{name}"][order]) for name in names}
    return ScoredEvents(events, ranked)
