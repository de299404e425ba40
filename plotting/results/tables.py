"""The tables of a run or an evaluation: anomalies.csv and latent.csv, whose columns are named here and nowhere else."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from plotting.errors import UnreadableResult
from plotting.results.cells import escaped, unescaped
from plotting.results.moments import FloatArray

PICK_TXT = "pick.txt"
"""run:luminosityBlock:event of each flagged event, a line each."""
ANOMALIES_CSV = "anomalies.csv"
LATENT_CSV = "latent.csv"

IDS = ("run", "luminosityBlock", "event")
"""Columns of both tables: the numbers that name an event."""
PLACE, SAMPLE, WHY = "place", "sample", "why"
"""Columns of anomalies.csv: an event's place from 1, its sample's name, and what made it anomalous, in a line."""
LABEL, RANK = "label", "rank"
"""Columns of latent.csv: 1 for signal and 0 for background, and the mean rank over the detectors."""

TOP_EVENTS = 10
"""Most anomalous events whose contributions are drawn."""


@dataclass(frozen=True)
class AnomalyRow:
    """A row of anomalies.csv: one of the most anomalous events of a run.

    Attributes:
        place: among them, from 1.
        sample: name of the sample.
        ids: run, luminosityBlock and event.
        values: a number for each column in `AnomalyColumns.values`, as text that reads back as the same float32.
        why: what made the event anomalous, in a line.
        contributions: likewise a number for each column in `AnomalyColumns.contributions`.
    """

    place: int
    sample: str
    ids: tuple[int, int, int]
    values: tuple[str, ...]
    why: str
    contributions: tuple[str, ...]

    @property
    def cells(self) -> tuple[str | int, ...]:
        """The cells of the file, in the order of its columns."""
        return (
            *(self.place, escaped(self.sample), *self.ids),
            *(*self.values, escaped(self.why), *self.contributions),
        )


@dataclass(frozen=True)
class AnomalyColumns:
    """The columns of anomalies.csv that depend on the run; the others are the same in every such file.

    Attributes:
        values: columns of events.root after those that name the event.
        contributions: columns of what a feature contributes to a detector's score, as `contribution_column` names them.
    """

    values: tuple[str, ...]
    contributions: tuple[str, ...]

    @classmethod
    def of(cls, values: Sequence[str], detectors: Sequence[str], features: Sequence[str]) -> Self:
        """Return the columns of a run whose detectors all say what each feature contributes."""
        pairs = ((detector, feature) for detector in detectors for feature in features)
        return cls(tuple(values), tuple(contribution_column(*pair) for pair in pairs))

    @classmethod
    def of_header(cls, header: Sequence[str]) -> Self:
        """Return the columns that the first line of a file names.

        Raises:
            ValueError: it is not the first line of such a file.
        """
        first, why = len((PLACE, SAMPLE, *IDS)), list(header).index(WHY)
        return cls(tuple(header[first:why]), tuple(header[why + 1 :]))

    @property
    def header(self) -> tuple[str, ...]:
        """Names of all columns, in the order of the file."""
        return (PLACE, SAMPLE, *IDS, *self.values, WHY, *self.contributions)

    def row(self, cells: Sequence[str]) -> AnomalyRow:
        """Return a row of a file with these columns.

        Raises:
            ValueError: the cells are too few, or place or ids no whole numbers.
        """
        place, sample, run, block, event, *rest = cells
        count = len(self.values)
        ids = int(run), int(block), int(event)
        return AnomalyRow(
            int(place), unescaped(sample), ids, tuple(rest[:count]), unescaped(rest[count]), tuple(rest[count + 1 :])
        )


def contribution_column(detector: str, feature: str) -> str:
    """Return the column of anomalies.csv with what a feature contributes to a detector's score."""
    return f"why_{detector}_{feature}"


def write_anomaly_rows(folder: Path, columns: AnomalyColumns, rows: Sequence[AnomalyRow]) -> None:
    """Write anomalies.csv.

    Args:
        folder: that gets the file.
        columns: of the rows.
        rows: the most anomalous event first; their order gives them their places.
    """
    with (folder / ANOMALIES_CSV).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns.header)
        writer.writerows(replace(row, place=place).cells for place, row in enumerate(rows, start=1))


def read_anomaly_rows(folder: Path) -> tuple[AnomalyColumns, list[AnomalyRow]]:
    """Read anomalies.csv of a part, whose checksum vouches for it.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no such table.
    """
    with (folder / ANOMALIES_CSV).open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    columns = AnomalyColumns.of_header(header)
    return columns, [columns.row(cells) for cells in rows]


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


Method: TypeAlias = Literal["PCA", "t-SNE"]
"""How events are projected."""
Space: TypeAlias = Literal["features", "latent"]
"""What is projected: the features, or the latent space of an autoencoder."""

_METHODS: Mapping[Method, str] = {"PCA": "pca", "t-SNE": "tsne"}
"""Method -> the beginning of the names of its columns, in the order of the file."""
_SPACES: tuple[Space, ...] = ("features", "latent")


@dataclass(frozen=True)
class Projection:
    """Events in two dimensions.

    Attributes:
        method: how it was projected.
        space: what was projected.
        points: shape (n, 2).
        explained: for PCA, the fraction of the variance along each axis; otherwise empty.
    """

    method: Method
    space: Space
    points: FloatArray
    explained: tuple[float, ...] = ()

    @property
    def columns(self) -> tuple[str, str]:
        """The columns of its coordinates in latent.csv."""
        return projection_columns(self.method, self.space)


def projection_columns(method: Method, space: Space) -> tuple[str, str]:
    """Return the columns of latent.csv with the coordinates of a projection."""
    first, second = (f"{_METHODS[method]}_{space}_{axis}" for axis in (1, 2))
    return first, second


@dataclass(frozen=True)
class LatentSpace:
    """Events of a sample, projected from the features and from the latent space of an autoencoder.

    Attributes:
        projections: of n events each.
        ranks: mean rank of each event over the detectors, shape (n,); 1 is the most anomalous.
        labels: 1 for signal and 0 for background, shape (n,), or None without labels.
    """

    projections: tuple[Projection, ...]
    ranks: NDArray[np.floating]
    labels: NDArray[np.integer] | None

    @property
    def explained(self) -> dict[str, list[float]]:
        """For each space, the fractions of the variance along the two axes of PCA."""
        return {each.space: list(each.explained) for each in self.projections if each.method == "PCA"}


def write_latent(path: Path, latent: LatentSpace, ids: NDArray[np.uint64]) -> None:
    """Write latent.csv, a row an event.

    Args:
        path: of the file.
        latent: n events, projected.
        ids: the numbers that name each of them, shape (n, 3).
    """
    columns: dict[str, NDArray[Any]] = dict(zip(IDS, ids.T, strict=True))
    if latent.labels is not None:
        columns[LABEL] = latent.labels
    columns[RANK] = latent.ranks
    for projection in latent.projections:
        columns |= dict(zip(projection.columns, projection.points.T, strict=True))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*(values.tolist() for values in columns.values()), strict=True))


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
        columns = [contribution_column(detector, feature) for feature in features]
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
    for space in _SPACES:
        for method in _METHODS:
            columns = projection_columns(method, space)
            if columns[0] in rows[0]:
                fractions = tuple(explained.get(space, ())) if method == "PCA" else ()
                projections.append(Projection(method, space, _numbers(path, rows, columns, remedy), fractions))
    labels = _numbers(path, rows, (LABEL,), remedy)[:, 0].astype(np.int64) if LABEL in rows[0] else None
    return LatentSpace(tuple(projections), _numbers(path, rows, (RANK,), remedy)[:, 0], labels)


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
