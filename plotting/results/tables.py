"""The tables of a run or an evaluation that figures are drawn from: anomalies.csv and latent.csv."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from plotting.errors import UnreadableResult
from plotting.results.cells import unescaped
from plotting.results.moments import FloatArray

TOP_EVENTS = 10
"""Most anomalous events whose contributions are drawn."""


@dataclass(frozen=True)
class Contributions:
    """What each feature contributes to one detector's score of the most anomalous events.

    Attributes:
        events: n names such as "run:event", the most anomalous first.
        values: shape (n, F); a greater one made the event more anomalous.
    """

    events: tuple[str, ...]
    values: FloatArray

    @property
    def shares(self) -> FloatArray:
        """Share of each feature in the sum of an event's positive contributions, shape (n, F); 0 without any."""
        positive = np.clip(self.values, 0, None)
        sums = positive.sum(axis=1, keepdims=True)
        shares: FloatArray = np.divide(positive, sums, out=np.zeros_like(positive), where=sums > 0)
        return shares


@dataclass(frozen=True)
class Projection:
    """Events in two dimensions.

    Attributes:
        method: "PCA" or "t-SNE".
        space: what was projected: "features" or "latent".
        points: shape (n, 2).
        explained: for PCA, the fraction of the variance along each axis; otherwise empty.
    """

    method: str
    space: str
    points: FloatArray
    explained: tuple[float, ...] = ()


@dataclass(frozen=True)
class LatentSpace:
    """Events of a sample, projected from the features and from the latent space of an autoencoder.

    Attributes:
        projections: of n events each.
        ranks: mean rank of each event over the detectors, shape (n,); 1 is the most anomalous.
        labels: 1 for signal and 0 for background, shape (n,), or None without labels.
    """

    projections: tuple[Projection, ...]
    ranks: FloatArray
    labels: NDArray[np.int64] | None


def read_contributions(
    path: Path, detectors: Sequence[str], features: Sequence[str], remedy: str
) -> dict[str, Contributions]:
    """Read from anomalies.csv what made the most anomalous events so, for each detector that says it.

    Args:
        path: a file that is not there has nothing to say.
        detectors: their names.
        features: their names.
        remedy: for the messages of errors.

    Raises:
        UnreadableResult: the file is no such table.
    """
    rows = read_rows(path, remedy)[:TOP_EVENTS]
    found = {}
    for detector in detectors:
        columns = [f"why_{detector}_{feature}" for feature in features]
        if rows and columns and columns[0] in rows[0]:
            events = tuple(f"{run}:{event}" for run, event in _texts(path, rows, ("run", "event"), remedy))
            found[detector] = Contributions(events, _numbers(path, rows, columns, remedy))
    return found


def read_latent(path: Path, explained: Mapping[str, Sequence[float]], remedy: str) -> LatentSpace | None:
    """Read latent.csv.

    Args:
        path: None is returned if there is no such file, or no event in it.
        explained: for each space, the fractions of the variance that PCA explains.
        remedy: for the messages of errors.

    Raises:
        UnreadableResult: the file is no such table.
    """
    rows = read_rows(path, remedy)
    if not rows:
        return None
    projections = []
    for space in ("features", "latent"):
        for method, prefix in (("PCA", "pca"), ("t-SNE", "tsne")):
            columns = [f"{prefix}_{space}_{axis}" for axis in (1, 2)]
            if columns[0] in rows[0]:
                fractions = tuple(explained.get(space, ())) if method == "PCA" else ()
                projections.append(Projection(method, space, _numbers(path, rows, columns, remedy), fractions))
    labels = _numbers(path, rows, ("label",), remedy)[:, 0].astype(np.int64) if "label" in rows[0] else None
    return LatentSpace(tuple(projections), _numbers(path, rows, ("rank",), remedy)[:, 0], labels)


def read_rows(path: Path, remedy: str) -> list[dict[str, str]]:
    """Return the rows of a CSV file with a header; none if there is no such file.

    Raises:
        UnreadableResult: the file is no such table.
    """
    if not path.exists():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error) as error:
        raise UnreadableResult(f"{path}: damaged or not CSV ({error}); {remedy}") from error
    # A row that was cut short has no cells at its end.
    return [{name: cell and unescaped(cell) for name, cell in row.items() if name is not None} for row in rows]


def _texts(path: Path, rows: Sequence[dict[str, str]], columns: Sequence[str], remedy: str) -> list[list[str]]:
    try:
        return [[row[column] for column in columns] for row in rows]
    except KeyError as error:
        raise UnreadableResult(f"{path}: has no column {error.args[0]}; {remedy}") from error


def _numbers(path: Path, rows: Sequence[dict[str, str]], columns: Sequence[str], remedy: str) -> FloatArray:
    try:
        return np.array([[float(text) for text in row] for row in _texts(path, rows, columns, remedy)])
    except (TypeError, ValueError) as error:
        raise UnreadableResult(
            f"{path}: not a number in one of {columns[0]} ... {columns[-1]}, or cut short; {remedy}"
        ) from error
