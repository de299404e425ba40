"""Trained detectors from Python: a models folder that scores numpy arrays, without an event loop.

models = load_models("output/cms2010b/models")
found = models.score({"MR": ..., "Rsq": ..., ...})
found.ensemble, found.flags["isolation_forest"]
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from analysis.errors import ConfigurationError, DataError
from analysis.output.timings import Timings
from analysis.steps.compilation import compile_models
from models.contributions import contributions_of, read_contributions
from models.detectors.registry import require_known
from models.folder import ModelFolder, copy_model_folder, read_model_folder
from rdf.errors import near_names
from rdf.temporary import TemporaryFolder

if TYPE_CHECKING:
    import onnx

    from rdf.graph.arrays import ArrayScorer


@dataclass(frozen=True)
class EventScores:
    """What detectors say of events; all arrays have the shape (events,), and the numbers of the columns of events.root.

    Attributes:
        scores: name of a detector -> score_<name>, float32; higher is more anomalous.
        ranks: name -> rank_<name>, float32: the fraction of the training events that are less anomalous.
        flags: name -> flag_<name>, bool: whether the score is above the detector's threshold.
        votes: number of flags of the detectors that vote.
        ensemble: score_ensemble, float32: the mean rank of these detectors.
        flagged: flag_ensemble, bool: whether there are as many votes as it takes.
        fold: of the networks that scored the event; 0 without folds.
    """

    scores: Mapping[str, npt.NDArray[np.float32]]
    ranks: Mapping[str, npt.NDArray[np.float32]]
    flags: Mapping[str, npt.NDArray[np.bool_]]
    votes: npt.NDArray[np.intc]
    ensemble: npt.NDArray[np.float32]
    flagged: npt.NDArray[np.bool_]
    fold: npt.NDArray[np.intc]


class TrainedModels:
    """The detectors of a models folder, compiled; `load_models` makes it.

    In all its methods `X` has the features of events: an array of the shape (events, features), its columns in the
    order of `features`; or columns by name, as a mapping, a structured array or a pandas DataFrame, in any order.
    Numbers of other types are rounded to float32, as the event loop rounds its columns. `events` are the event numbers,
    shape (events,); models with folds need them to tell which of their networks has not seen an event.

    Attributes:
        features: their names, in the order of the columns of an array.
        detectors: names of those that score, in their order.
        description: the contents of models.json.
    """

    features: tuple[str, ...]
    detectors: tuple[str, ...]
    description: ModelFolder

    def __init__(
        self,
        description: ModelFolder,
        detectors: Sequence[str],
        scorer: ArrayScorer,
        contributions: Mapping[str, Sequence[onnx.ModelProto]],
    ) -> None:
        """Put together what `load_models` has read and compiled.

        Args:
            description: the contents of models.json.
            detectors: names of those that score.
            scorer: these, compiled.
            contributions: name -> the network of each fold that says what each feature contributes.
        """
        self.description, self.detectors = description, tuple(detectors)
        self.features = tuple(description.features)
        self._scorer, self._contributions = scorer, contributions

    def score(self, X: Any, events: Any = None) -> EventScores:
        """Score events: the same numbers as in events.root, bit for bit.

        Args:
            X: features; see the class.
            events: event numbers; see the class.

        Raises:
            DataError: a feature is missing, not finite or not a number, a column is no feature, or event numbers are
                missing.
        """
        table = self._table(X)
        reals, integers = self._scorer.score(table, self._numbers(events, len(table)))
        count = len(self.detectors)
        votes, flagged, fold = integers[count:]
        return EventScores(
            scores=dict(zip(self.detectors, reals[:count], strict=True)),
            ranks=dict(zip(self.detectors, reals[count : 2 * count], strict=True)),
            flags=dict(zip(self.detectors, integers[:count].astype(np.bool_), strict=True)),
            votes=votes,
            ensemble=reals[-1],
            flagged=flagged.astype(np.bool_),
            fold=fold,
        )

    def rank(self, X: Any, events: Any = None) -> npt.NDArray[np.float32]:
        """Return the mean rank of each event over the detectors that vote, shape (events,): `score_ensemble`.

        Args and errors are those of `score`.
        """
        return self.score(X, events).ensemble

    def predict(self, X: Any, events: Any = None) -> npt.NDArray[np.bool_]:
        """Return whether each event is flagged by as many detectors as it takes, shape (events,): `flag_ensemble`.

        Args and errors are those of `score`.
        """
        return self.score(X, events).flagged

    def contributions(self, X: Any, events: Any = None) -> dict[str, npt.NDArray[np.float32]]:
        """Return what each feature contributes to the scores; a greater number made the event more anomalous.

        It is evaluated event by event, in about a millisecond for each detector: for the events that matter.

        Returns:
            Name of a detector -> contributions, shape (events, features). What they add up to is said by each
            detector's own `contributions`.

        Args and errors are those of `score`.
        """
        table = self._table(X)
        numbers = self._numbers(events, len(table))
        folds = np.zeros(len(table), dtype=int)
        if numbers is not None:
            folds = (numbers % np.uint64(self.description.training.folds)).astype(int)
        return {name: contributions_of(self._contributions[name], table, folds) for name in self.detectors}

    def _table(self, X: Any) -> npt.NDArray[np.float32]:
        """Return features as a contiguous array of shape (events, features), all finite."""
        if hasattr(X, "keys") or getattr(getattr(X, "dtype", None), "names", None):
            table = self._from_columns(X)
        else:
            table = _as_float32(X, "X")
            if table.ndim != 2 or table.shape[1] != len(self.features):
                raise DataError(
                    f"X has the shape {table.shape}, where (events, {len(self.features)}) is expected: an event a row, "
                    f"with the features {', '.join(self.features)}"
                )
        finite = np.isfinite(table)
        if not finite.all():
            event, feature = np.argwhere(~finite)[0]
            raise DataError(
                f"the feature {self.features[feature]} of event {event} is {table[event, feature]:g}; leave out events "
                "with features that are not finite, as the event loop does"
            )
        return np.ascontiguousarray(table)

    def _from_columns(self, X: Any) -> npt.NDArray[np.float32]:
        names = [str(name) for name in (X.keys() if hasattr(X, "keys") else X.dtype.names)]
        for name in self.features:
            if name not in names:
                raise DataError(f"X lacks the feature {name}; {near_names(name, names)}")
        for name in names:
            if name not in self.features:
                raise DataError(
                    f"X has {name}, which is no feature of these models; give them {', '.join(self.features)} only"
                )
        columns = [_as_float32(X[name], f"the feature {name}") for name in self.features]
        shapes = {column.shape for column in columns}
        if len(shapes) > 1 or columns[0].ndim != 1:
            found = ", ".join(f"{name} {column.shape}" for name, column in zip(self.features, columns, strict=True))
            raise DataError(f"the features of X have the shapes {found}; give them one number an event")
        return np.stack(columns, axis=1)

    def _numbers(self, events: Any, count: int) -> npt.NDArray[np.uint64] | None:
        """Return the event numbers as far as they are needed."""
        folds = self.description.training.folds
        if events is None:
            if folds > 1:
                raise DataError(
                    f"these models have {folds} folds, and the event number says which of them scores an event; give "
                    "them as `events`"
                )
            return None
        numbers = np.asarray(events)
        if numbers.shape != (count,) or numbers.dtype.kind not in "iu" or (count and numbers.min() < 0):
            raise DataError(
                f"`events` has the shape {numbers.shape} and the type {numbers.dtype}; give {count} whole numbers, "
                "none of them negative"
            )
        return np.ascontiguousarray(numbers, dtype=np.uint64) if folds > 1 else None


def load_models(
    folder: Path | str, *, detectors: Sequence[str] | None = None, threads: int | None = None
) -> TrainedModels:
    """Read a models folder, and compile its detectors as the event loop does: ONNX -> SOFIE -> g++.

    The folder may come from a stranger: its files have to be as they were written (sha256), and their networks of
    operators that compute. The expressions of models.json are not looked at, as nothing here evaluates them; so it does
    not count who wrote them.

    Args:
        folder: `models`, as a run leaves it.
        detectors: names of those that are to score; all by default.
        threads: that share the events; all cores by default.

    Raises:
        ModelFolderError: the folder is not whole, or has a detector that this process does not know.
        ConfigurationError: it does not have a detector that is asked for.
        CompileError, ScoreMismatch: a network cannot be compiled, or does not give the scores that it gave in training.
    """
    folder = Path(folder)
    description = read_model_folder(folder)
    for name in detectors or ():
        if name not in description.detectors:
            raise ConfigurationError(f"{folder} has no {name}, only {', '.join(description.detectors)}")
    names = tuple(name for name in description.detectors if detectors is None or name in detectors)
    if not names:
        raise ConfigurationError("no detector is asked for; name one at least")
    require_known(set(names) - set(description.windows), folder)
    slots = threads or len(os.sched_getaffinity(0))
    with TemporaryFolder("models") as copy:  # what was checked, whatever becomes of the folder
        copy_model_folder(description, folder, copy)
        compiled = compile_models(description, copy, slots, names, Timings())
        contributions = {name: read_contributions(description, copy, name) for name in names}
    from rdf.graph.arrays import ArrayScorer

    scorer = ArrayScorer(compiled.detectors, compiled.ensemble, compiled.folds, len(description.features), slots)
    return TrainedModels(description, names, scorer, contributions)


def _as_float32(values: Any, what: str) -> npt.NDArray[np.float32]:
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise DataError(f"{what} has the type {array.dtype}; give numbers")
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and refused as such
        return array.astype(np.float32, copy=False)
