"""The tables of `models.json` that describe detectors: networks, thresholds, ranks, and how the training went."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from models.thresholds import RankTable, ThresholdRule

OnnxFile = Annotated[str, Field(pattern=r"^[\w-]+\.onnx$")]
"""Name of a file in the model folder itself."""


class Table(BaseModel):
    """A table of models.json: it does not change, and has no other keys than its own."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Axis(Table):
    """Binning of a histogram: the same for all runs of a model, so that their histograms can be added."""

    bins: int = Field(gt=0, le=100_000)
    low: float
    high: float

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.low >= self.high:
            raise ValueError("low is not below high")
        return self


class History(Table):
    """Loss of the training and of the validation events after each epoch."""

    training: list[float]
    validation: list[float]


class ErrorSummary(Table):
    """Squared reconstruction errors of each scaled feature in some events; all lists are in the order of the features.

    Attributes:
        events: how many; one at least.
        mean: of each feature; their mean is the mean score.
        low: the 16th percentile, of each feature.
        median: likewise.
        high: the 84th percentile.
    """

    events: int = Field(gt=0)
    mean: list[float]
    low: list[float]
    median: list[float]
    high: list[float]


class Reconstruction(Table):
    """How well an autoencoder reconstructs each feature of the events that its threshold was set with.

    Attributes:
        normal: errors in the events that it does not flag; None where there are none.
        flagged: in those that it flags; likewise.
    """

    normal: ErrorSummary | None
    flagged: ErrorSummary | None

    def fits(self, features: int) -> bool:
        """Tell whether all lists have this number of numbers."""
        kinds = [kind for kind in (self.normal, self.flagged) if kind]
        return all(len(row) == features for kind in kinds for row in (kind.mean, kind.low, kind.median, kind.high))


class Quantiles(Table):
    """Points of the distribution of a feature: values, ascending, and the fraction of training events below each."""

    values: list[float] = Field(min_length=1)
    ranks: list[float]

    @model_validator(mode="after")
    def _check_points(self) -> Self:
        if len(self.values) != len(self.ranks):
            raise ValueError(f"{len(self.values)} values and {len(self.ranks)} ranks")
        if sorted(set(self.values)) != self.values or sorted(self.ranks) != self.ranks:
            raise ValueError("the points are not in ascending order")
        return self


class Network(Table):
    """One trained network of a detector: of its only training, or of one fold's.

    Attributes:
        file: its ONNX file, in the folder itself.
        sha256: of that file.
        contributions: the ONNX file that says what each feature contributes to the score.
        contributions_sha256: of that file.
        events: that it was trained on.
        threshold: a higher score is flagged.
        rank_table: of the scores of its training events.
        history: loss after each epoch, for trainings that have epochs.
        reconstruction: of each feature, by an autoencoder; None for other detectors and in folders of older versions.
    """

    file: OnnxFile
    sha256: str
    contributions: OnnxFile
    contributions_sha256: str
    events: int
    threshold: float
    rank_table: RankTable
    history: History | None = None
    reconstruction: Reconstruction | None = None

    def checksums(self) -> dict[str, str]:
        """Return the sha256 of each file."""
        return {self.file: self.sha256, self.contributions: self.contributions_sha256}


class DetectorEntry(Table):
    """What scoring needs to know of one detector.

    Attributes:
        supervised: whether it learned from labels.
        rule: how its threshold follows from the training scores.
        settings: of its training, for detectors that have any.
        notes: what the user should know of the training.
        score_axis: binning of its score.
        networks: as many as there are folds; network k scores the events of fold k and was trained on the others.
    """

    supervised: bool
    rule: ThresholdRule
    settings: dict[str, Any]
    notes: list[str]
    score_axis: Axis
    networks: list[Network] = Field(min_length=1)
