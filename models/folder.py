"""The model folder: `<detector>.onnx` and `models.json`, the only thing that passes from training to scoring.

Reading it needs neither torch nor scikit-learn.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from models.errors import ModelFolderError

MODELS_JSON = "models.json"
FORMAT: Literal[2] = 2
_REMEDY = "train again, or take a whole copy of the folder"


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Axis(_Table):
    """Binning of a histogram: the same for all runs of a model, so that their histograms can be added."""

    bins: int = Field(gt=0, le=100_000)
    low: float
    high: float

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.low >= self.high:
            raise ValueError("low is not below high")
        return self


class RankPoints(_Table):
    """Points of the rank table: scores, ascending, and the fraction of training events below each."""

    scores: list[float] = Field(min_length=1)
    ranks: list[float]

    @model_validator(mode="after")
    def _check_points(self) -> Self:
        # C++ looks up the one by the place in the other, unchecked.
        if len(self.scores) != len(self.ranks):
            raise ValueError(f"{len(self.scores)} scores and {len(self.ranks)} ranks")
        if sorted(set(self.scores)) != self.scores or sorted(self.ranks) != self.ranks:
            raise ValueError("the points are not in ascending order")
        return self


class DetectorEntry(_Table):
    """What scoring needs to know of one detector."""

    file: str = Field(pattern=r"^[\w-]+\.onnx$")  # in the folder itself
    sha256: str
    threshold: float
    score_axis: Axis
    rank_table: RankPoints


class TrainingSample(_Table):
    """What the detectors were trained on: the entries read (half-open) and the events that were left of them."""

    sample: str
    title: str
    simulated: bool
    sha256: list[str]
    entries: tuple[int, int]
    events: int


class Reference(_Table):
    """Training events with the scores that the detectors themselves gave them, for scoring to check itself against."""

    features: list[list[float]]
    scores: dict[str, list[float]]


class Columns(_Table):
    """What the detectors learned from, and how it was computed: scoring has to do the same.

    Attributes:
        schema_name: schema of the training sample.
        schema_sha256: of what that schema's quantities are.
        define: columns of the user's own, as configured.
        objects: which objects counted, by kind.
        features: in the order of the networks' inputs.
        observables: columns that are recorded and drawn beside them.
        plane: columns in which events are drawn.
    """

    schema_name: str = Field(alias="schema")
    schema_sha256: str
    define: dict[str, dict[str, Any]]
    objects: dict[str, dict[str, Any]]
    features: list[str]
    observables: list[str]
    plane: tuple[str, str]


class ModelFolder(Columns):
    """The contents of `models.json`; `min_votes` flags make `flag_ensemble`."""

    format: Literal[2] = FORMAT
    feature_axes: dict[str, Axis]
    training: TrainingSample
    contamination: float
    seed: int
    min_votes: int = Field(ge=1)
    # By names that can stand in those of columns and of C++ classes.
    detectors: dict[Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")], DetectorEntry]
    reference: Reference
    versions: dict[str, str]

    @model_validator(mode="before")
    @classmethod
    def _check_format(cls, table: Any) -> Any:
        if isinstance(table, dict) and (found := table.get("format", FORMAT)) != FORMAT:
            raise ValueError(f"format {found!r}, where this version of the toolkit reads format {FORMAT}")
        return table

    def write(self, folder: Path) -> None:
        """Write `models.json` beside the ONNX files."""
        (folder / MODELS_JSON).write_text(json.dumps(self.model_dump(by_alias=True), indent=1) + "\n")


def read_model_folder(folder: Path) -> ModelFolder:
    """Read a model folder and check that it is whole and consistent.

    Raises:
        ModelFolderError: names the file, what is wrong and the remedy.
    """
    table = folder / MODELS_JSON
    if not table.is_file():
        raise ModelFolderError(f"{folder} has no {MODELS_JSON}; name the `models` folder that an earlier run left")
    try:
        models = ModelFolder.model_validate_json(table.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "(the whole file)"
        raise ModelFolderError(f"{table}: {key}: {first['msg'].removeprefix('Value error, ')}; {_REMEDY}") from error
    if not models.detectors:
        raise ModelFolderError(f"{table} names no detector; {_REMEDY}")
    for name, entry in models.detectors.items():
        _check_onnx(folder / entry.file, entry.sha256, models.features)
        if len(models.reference.scores.get(name, ())) != len(models.reference.features):
            raise ModelFolderError(f"{table}: not every reference event has a score of {name}; {_REMEDY}")
    if not models.reference.features:
        raise ModelFolderError(f"{table}: it holds no reference events; {_REMEDY}")
    if any(len(event) != len(models.features) for event in models.reference.features):
        raise ModelFolderError(f"{table}: the reference events do not have {len(models.features)} features; {_REMEDY}")
    for name in (*models.features, *models.observables, *models.plane):
        if name not in models.feature_axes:
            raise ModelFolderError(f"{table}: feature_axes has no {name}; {_REMEDY}")
    return models


def _check_onnx(path: Path, checksum: str, features: list[str]) -> None:
    if not path.is_file():
        raise ModelFolderError(f"{path} is missing; {_REMEDY}")
    found = file_sha256(path)
    if found != checksum:
        raise ModelFolderError(
            f"{path}: checksum {found[:12]}... does not fit the {checksum[:12]}... of {MODELS_JSON}; {_REMEDY}"
        )
    try:
        model = onnx.load(path, load_external_data=False)
    except DecodeError as error:
        raise ModelFolderError(f"{path} is not an ONNX file; {_REMEDY}") from error
    trained = next((entry.value for entry in model.metadata_props if entry.key == "features"), "").split(",")
    if trained != features:
        raise ModelFolderError(
            f"{path} was trained on the features {', '.join(trained)}, {MODELS_JSON} lists {', '.join(features)}; "
            f"{_REMEDY}"
        )


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file's contents."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def copy_model_folder(models: ModelFolder, source: Path, target: Path) -> None:
    """Copy a model folder's own files, and nothing else that lies there."""
    target.mkdir(parents=True, exist_ok=True)
    for file in (MODELS_JSON, *(entry.file for entry in models.detectors.values())):
        shutil.copyfile(source / file, target / file)
